"""Segment files at the edge of their room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.relay.journal.segments import Position, Segments

ROOM_BYTES = 64 * 1024


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The system refuses to make a file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[Segments]:
    opened = Segments(tmp_path, room_bytes=ROOM_BYTES)
    opened.open()
    opened.begin(b"head")
    yield opened
    opened.close()


def test_an_append_that_the_disk_refuses_beyond_the_room_leaves_the_segment_usable(segments: Segments) -> None:
    with files_up_to(ROOM_BYTES), pytest.raises(OSError, match=r"disk is full"):
        segments.append(b"x" * 2 * ROOM_BYTES)
    assert segments.current_bytes == len(b"head")
    after = b"y" * (ROOM_BYTES // 2)
    segments.append(after)
    assert segments.read_all(segments.current) == b"head" + after


def test_appends_across_the_end_of_the_room_follow_each_other(segments: Segments) -> None:
    parts = [bytes([number]) * (ROOM_BYTES // 3) for number in range(1, 6)]
    for part in parts:
        segments.append(part)
    whole = b"head" + b"".join(parts)
    assert segments.read(Position(1, 0), len(whole) + 1) == whole
