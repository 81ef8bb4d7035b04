"""Frames of a journal segment: `length (u32) | crc32 (u32) | payload`, the payload a tagged msgpack array.

Records are kept as they go to the event log, so that publishing parses no envelope. A frame is whole or it is
the torn tail: whatever follows a bad length or checksum in a segment was never acknowledged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

HEADER = struct.Struct("<II")
FRAME_BYTES_MAX = 64 * 1024 * 1024

Record = tuple[str, bytes, str, bytes]
"""(topic, key, event type, serialised envelope)"""
Spent = tuple[str, int, int]
"""(lease id, sequence, amount) of one spend under one lease, nano-USD; sequence 0 = not numbered."""


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of all frames."""


class Opened(Frame, tag=1, frozen=True):
    """An attempt is about to be sent; `envelope` is its spend if nobody says otherwise."""

    request_id: str
    attempt: int
    envelope: bytes


class Finished(Frame, tag=2, frozen=True):
    """A request's events; closes its attempts. An empty request id closes nothing."""

    request_id: str
    records: list[Record]
    spent: list[Spent]
    traceparent: str = ""


class Acquiring(Frame, tag=3, frozen=True):
    """An AcquireRequest is about to be sent."""

    acquire_id: str
    request: bytes


class Leased(Frame, tag=4, frozen=True):
    """Its answer came."""

    acquire_id: str
    lease_ids: list[str]
    replica_id: str


class Released(Frame, tag=5, frozen=True):
    """The ledger closed these leases."""

    lease_ids: list[str]


class LeaseMark(msgspec.Struct, array_like=True):
    """What the journal holds of one lease's spends."""

    replica_id: str
    total: int = 0
    """Sum of all recorded spends, nano-USD."""
    contiguous: int = 0
    """All sequences up to this one are recorded."""
    beyond: list[int] = []
    """Recorded sequences above it."""


class Carried(Frame, tag=6, frozen=True):
    """Head of a segment: the state before it, so that older segments can go."""

    replica_id: str
    open: dict[str, dict[int, bytes]]
    leases: dict[str, LeaseMark]
    acquires: dict[str, bytes]


AnyFrame = Opened | Finished | Acquiring | Leased | Released | Carried

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: AnyFrame) -> bytes:
    """The frame as it is written."""
    payload = _ENCODER.encode(frame)
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def scan(data: bytes, offset: int = 0) -> Iterator[tuple[AnyFrame, int]]:
    """Whole frames from an offset on, each with the offset after it; ends at the first that is not whole."""
    size = len(data)
    while offset + HEADER.size <= size:
        length, checksum = HEADER.unpack_from(data, offset)
        end = offset + HEADER.size + length
        if length == 0 or length > FRAME_BYTES_MAX or end > size:
            return
        payload = data[offset + HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return
        try:
            frame = _DECODER.decode(payload)
        except msgspec.MsgspecError:
            return
        offset = end
        yield frame, offset
