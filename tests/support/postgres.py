"""A real PostgreSQL server on a free port, from the distribution's package, in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.process import free_port
from tests.support.required import missing

START_TIMEOUT_S = 60


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Postgres:
    """`start` initialises and serves; `url(database)` is for clients; `kill` is kill -9 of the server."""

    def __init__(self, directory: Path) -> None:
        # As root the server runs as somebody else, who must get there; pytest closes its own directories to others.
        self._as_root = os.getuid() == 0
        self._directory = Path(tempfile.mkdtemp(prefix="orca-postgres-")) if self._as_root else directory
        self._process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        self.port = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://orca@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self, tls: tuple[Path, Path] | None = None) -> Postgres:
        """`tls`: a certificate and its key, for encrypted connections."""
        binaries = _binaries()
        if binaries is None:
            missing("PostgreSQL", "no initdb (Debian: apt-get install postgresql)")
        self.port = free_port()
        data = self._directory / "data"
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._as_root:
            # The server refuses to run as root.
            self._user = "postgres" if _user_exists("postgres") else "nobody"
            shutil.chown(self._directory, self._user)
        self._run([str(binaries / "initdb"), "-D", str(data), "-U", "orca", "-A", "trust", "-E", "UTF8", "--no-sync"])
        options = self._tls(data, *tls) if tls is not None else []
        self._process = subprocess.Popen(
            [
                str(binaries / "postgres"), "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1",
                "-c", f"unix_socket_directories={self._directory}", "-c", "max_connections=200",
                "-c", "fsync=off", "-c", "full_page_writes=off", *options,
            ],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
        )  # fmt: skip
        begun = time.monotonic()
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "orca", "-q"]
        while subprocess.run(ready, check=False).returncode != 0:
            if time.monotonic() - begun > START_TIMEOUT_S or self._process.poll() is not None:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.05)
        return self

    def _tls(self, data: Path, cert: Path, key: Path) -> list[str]:
        for source, name in ((cert, "server.crt"), (key, "server.key")):
            shutil.copyfile(source, data / name)
            (data / name).chmod(0o600)
            if self._user is not None:
                shutil.chown(data / name, self._user)
        return ["-c", "ssl=on"]

    def create_database(self, name: str) -> str:
        self._run([str(self._program("createdb")), "-h", "127.0.0.1", "-p", str(self.port), "-U", "orca", name])
        return self.url(name)

    def dump(self, database: str, script: Path) -> None:
        """`pg_dump` of a database in use."""
        dump = [str(self._program("pg_dump")), "--no-owner", "-d", self.url(database), "-f", str(script)]
        subprocess.run(dump, check=True, capture_output=True)

    def drop_database(self, name: str) -> None:
        """The database is lost, whoever is connected."""
        self._run(
            [str(self._program("dropdb")), "--force", "-h", "127.0.0.1", "-p", str(self.port), "-U", "orca", name]
        )

    def load(self, url: str, script: Path) -> None:
        """Runs a script of SQL, such as a dump, against a database; stops at the first error."""
        psql = [str(self._program("psql")), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", str(script)]
        subprocess.run(psql, check=True, capture_output=True)

    def _program(self, name: str) -> Path:
        binaries = _binaries()
        assert binaries is not None
        return binaries / name

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        if self._as_root:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, cwd=self._directory)
        if done.returncode != 0:
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr}")


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
