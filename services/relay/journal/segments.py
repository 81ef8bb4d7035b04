"""Segment files of one journal directory: append, read, delete, and the checkpoint of what is published.

One process per directory (a lock file holds that). A segment's room is allocated when it begins and mapped: an
append is a copy into the page cache, which outlives the process as a `write` does, but neither gives up the
interpreter's lock nor waits for a running `fsync`, which costs a busy relay far more than the copy. What does not
fit the room ends it: that goes through `write`, as does all of it where room cannot be allocated. The unused room is
zeros until it ends, is closed, or is opened again. `fsync` runs in a thread, for everything appended since the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("orca.relay.journal")

_CHECKPOINT = struct.Struct("<QQ")
_SUFFIX = ".journal"
_NO_ALLOCATION = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
READ_BYTES = 1024 * 1024
SEGMENT_BYTES = 16 * 1024 * 1024
"""Size from which on the next segment begins."""


class JournalLocked(RuntimeError):
    """Another process writes this journal."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The next byte to read: segment number and offset."""

    segment: int
    offset: int


class Segments:
    """The files. Blocking calls are short; only `sync` waits for the disk."""

    def __init__(self, directory: Path, *, room_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._room_bytes = room_bytes
        self._lock_fd = -1
        self._fd = -1
        self._room: mmap.mmap | None = None
        self._unsynced: list[int] = []
        self._sizes: dict[int, int] = {}
        self._dirty = False

    def open(self) -> None:
        """Takes the directory. Raises JournalLocked, OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock_fd)
            raise JournalLocked("another process writes this journal") from None
        for path in self._directory.glob(f"*{_SUFFIX}"):
            if path.stem.isdigit():
                self._sizes[int(path.stem)] = path.stat().st_size

    def close(self) -> None:
        """Lets go of the directory."""
        self._end_room()
        for fd in (*self._unsynced, self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1
        self._unsynced = []

    def numbers(self) -> list[int]:
        """Segments, oldest first."""
        return sorted(self._sizes)

    @property
    def current(self) -> int:
        """The segment that is written."""
        return max(self._sizes)

    @property
    def current_bytes(self) -> int:
        """Its size."""
        return self._sizes[self.current]

    @property
    def total_bytes(self) -> int:
        """All segments' sizes."""
        return sum(self._sizes.values())

    @property
    def end(self) -> Position:
        """After the last byte written."""
        number = self.current
        return Position(number, self._sizes[number])

    def begin(self, head: bytes) -> None:
        """Starts the next segment with its head. Raises OSError with nothing changed."""
        number = max(self._sizes, default=0) + 1
        path = self._path(number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            room = _allocate(fd, self._room_bytes)
            _write(fd, head, 0)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._end_room()
        if self._fd >= 0:
            self._unsynced.append(self._fd)
        self._fd, self._room = fd, room
        self._sizes[number] = len(head)
        self._dirty = True

    def append(self, data: bytes) -> None:
        """Adds to the current segment. Raises OSError with nothing changed."""
        number = self.current
        start = self._sizes[number]
        end = start + len(data)
        if self._room is not None and end > len(self._room):
            # A write that the disk refuses cuts the file, and a copy into a mapping beyond its end is deadly.
            self._end_room()
        if self._room is not None:
            self._room[start:end] = data
        else:
            _write(self._fd, data, start)
        self._sizes[number] = end
        self._dirty = True

    def read_all(self, number: int) -> bytes:
        """A whole segment, without room that a killed process left unused."""
        return self._path(number).read_bytes()[: self._sizes[number]]

    def trim(self, number: int, size: int) -> None:
        """Makes a predecessor's segment as long as what is in it. Raises OSError."""
        os.truncate(self._path(number), size)
        self._sizes[number] = size

    def read(self, position: Position, size: int = READ_BYTES) -> bytes:
        """Up to `size` bytes from a position; what one frame needs may be more, so ask again with more."""
        with open(self._path(position.segment), "rb") as file:
            return os.pread(file.fileno(), size, position.offset)

    def next_after(self, number: int) -> int | None:
        """The next segment's number."""
        return min((n for n in self._sizes if n > number), default=None)

    def size(self, number: int) -> int:
        """A segment's size."""
        return self._sizes[number]

    async def sync(self) -> None:
        """Puts on disk what was written before the call. Raises OSError."""
        if not self._dirty:
            return
        self._dirty = False
        rotated, self._unsynced = self._unsynced, []
        fd = os.dup(self._fd)
        try:
            await asyncio.shield(asyncio.to_thread(_sync, [*rotated, fd]))
        except OSError:
            self._dirty = True
            raise
        finally:
            for closing in (*rotated, fd):
                with contextlib.suppress(OSError):
                    os.close(closing)

    def delete_before(self, number: int) -> None:
        """Deletes older segments."""
        for old in [n for n in self._sizes if n < number]:
            self._path(old).unlink(missing_ok=True)
            del self._sizes[old]

    def checkpoint(self, position: Position) -> None:
        """Notes what is published. Losing the note repeats events, which consumers notice."""
        body = _CHECKPOINT.pack(position.segment, position.offset)
        with open(self._directory / "published.tmp", "wb") as file:
            file.write(body + zlib.crc32(body).to_bytes(4, "little"))
        os.replace(self._directory / "published.tmp", self._directory / "published")

    def published(self) -> Position:
        """The noted position; the oldest segment's start when there is no note, or an unreadable one."""
        oldest = Position(min(self._sizes, default=1), 0)
        try:
            raw = (self._directory / "published").read_bytes()
        except FileNotFoundError:
            return oldest
        body, checksum = raw[: _CHECKPOINT.size], raw[_CHECKPOINT.size :]
        if len(body) < _CHECKPOINT.size or zlib.crc32(body).to_bytes(4, "little") != checksum:
            log.error("the journal's checkpoint is unreadable; its events are published again")
            return oldest
        return max(oldest, Position(*_CHECKPOINT.unpack(body)))

    def _end_room(self) -> None:
        if self._room is None:
            return
        self._room.close()
        self._room = None
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self.current_bytes)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:016d}{_SUFFIX}"


def _allocate(fd: int, size: int) -> mmap.mmap | None:
    """A segment's room; None where the system allocates none, or a full disk would kill the process at a copy."""
    if not hasattr(os, "posix_fallocate"):
        return None
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in _NO_ALLOCATION:
            raise
        return None
    return mmap.mmap(fd, size)


def _write(fd: int, data: bytes, offset: int) -> None:
    try:
        written = os.pwrite(fd, data, offset)
    except OSError:
        os.ftruncate(fd, offset)
        raise
    if written != len(data):
        os.ftruncate(fd, offset)
        raise OSError("the journal's disk is full")


def _sync(fds: list[int]) -> None:
    for fd in fds:
        os.fsync(fd)
