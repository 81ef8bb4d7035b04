"""Starting the real product in a process, on free ports, driven through its public interfaces only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

START_TIMEOUT_S = 60
ROOT = Path(__file__).resolve().parents[2]
ADMIN_TOKEN = "orca-at-" + "t" * 43
ADMIN_EMAIL = "admin@example.test"
ADMIN_PASSWORD = "correct horse battery staple"


def free_port() -> int:
    """A port that was free a moment ago."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Embedded:
    """`orca up` with its state in a directory."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.relay_port = free_port()
        self.management_port = free_port()
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def relay_url(self) -> str:
        return f"http://127.0.0.1:{self.relay_port}"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        return (self.home / "stdout").read_text()

    def start(self) -> Embedded:
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ORCA_")} | {
            "ORCA_HOME": str(self.home / "state"),
            "ORCA_RELAY_BIND": f"127.0.0.1:{self.relay_port}",
            "ORCA_MANAGEMENT_BIND": f"127.0.0.1:{self.management_port}",
            "ORCA_BOOTSTRAP_ADMIN_EMAIL": ADMIN_EMAIL,
            "ORCA_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "ORCA_BOOTSTRAP_ACCESS_TOKEN": ADMIN_TOKEN,
            **self._environment,
        }
        with (self.home / "stdout").open("ab") as out, (self.home / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.allinone", "up"],
                cwd=ROOT,
                env=environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
                stdout=out,
                stderr=err,
            )
        begun = time.monotonic()
        while time.monotonic() - begun < START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise RuntimeError(f"orca up ended: {(self.home / 'stderr').read_text()[-3000:]}")
            try:
                if all(
                    httpx.get(f"{url}/readyz", timeout=1).status_code == 200
                    for url in (self.relay_url, self.management_url)
                ):
                    return self
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"not ready: {(self.home / 'stderr').read_text()[-3000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signals and waits; returns the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self._process.wait(60)
