"""Keeps compiled automata in a directory between starts: `domain.databases.Store` over files.

A loaded database is trusted like code, so only a file of this user's, in a directory of this user's that nobody else
may write to, is read; a digest in front of it tells what was cut or spoilt. A failure is a start that compiles.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

MAX_BYTES = 64 << 20
"""Of one database; larger ones are not kept."""

MAX_FILES = 32
"""In the directory; the ones unused for longest go."""

_DIGEST = hashlib.sha256().digest_size


class Directory:
    """Sync and slow: for threads."""

    def __init__(self, path: str | Path) -> None:
        """A leading `~` is the user's home; without one nothing is kept. Nothing is made before something is kept."""
        self._path = Path(os.path.expanduser(path))

    def get(self, key: str) -> bytes | None:
        """See `Store`."""
        try:
            if not _is_ours(self._path):
                return None
            with (self._path / f"{key}.db").open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                raw = file.read(MAX_BYTES + _DIGEST + 1)
                os.utime(file.fileno())
        except OSError:
            return None
        data = raw[_DIGEST:]
        return data if 0 < len(data) <= MAX_BYTES and hashlib.sha256(data).digest() == raw[:_DIGEST] else None

    def put(self, key: str, data: bytes) -> None:
        """See `Store`. Written beside and renamed, so that a reader sees all of it or nothing."""
        if len(data) > MAX_BYTES or str(self._path).startswith("~"):
            return
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._path):
                return
            handle, name = tempfile.mkstemp(dir=self._path, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(data).digest() + data)
                Path(name).replace(self._path / f"{key}.db")
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._prune()
        except OSError:
            # A read-only file system or a full disk: the next start compiles.
            return

    def _prune(self) -> None:
        files = sorted(self._path.iterdir(), key=_used, reverse=True)
        for stale in files[MAX_FILES:]:
            stale.unlink(missing_ok=True)


def _is_ours(path: Path | int) -> bool:
    found = os.stat(path)
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _used(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
