"""Envelope ↔ record: the value is the bare envelope, headers say what it is."""

from __future__ import annotations

from orca.events.v1.events_pb2 import Envelope
from services.common.eventlog.ports import OutRecord

SCHEMA = b"orca.events.v1"


def record_of(topic: str, key: bytes, envelope: Envelope) -> OutRecord:
    """The record of an envelope, with the headers consumers route by."""
    kind = envelope.WhichOneof("payload") or ""
    return OutRecord(topic, key, envelope.SerializeToString(), (("event-type", kind.encode()), ("schema", SCHEMA)))
