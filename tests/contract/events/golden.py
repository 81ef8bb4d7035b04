"""Every event type with every field set, as bytes and as values: one file per released version.

`python -m tests.contract.events.golden 0.2` writes the file of a release; files of older releases are never edited.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from orca.events.v1.events_pb2 import Envelope

FOLDER = Path(__file__).with_name("golden")
_BY_TYPE: dict[int, Any] = {
    FieldDescriptor.TYPE_STRING: lambda number: f"text {number}",
    FieldDescriptor.TYPE_BYTES: lambda number: bytes([number]),
    FieldDescriptor.TYPE_BOOL: lambda _: True,
    FieldDescriptor.TYPE_DOUBLE: lambda number: number + 0.5,
}


def kinds() -> list[str]:
    """Names of all payloads."""
    return [field.name for field in Envelope.DESCRIPTOR.oneofs_by_name["payload"].fields]


def filled(kind: str) -> Envelope:
    """An envelope with this payload and every field set to something of its own."""
    envelope = Envelope()
    _fill(envelope, skip={name for name in kinds() if name != kind})
    return envelope


def _fill(message: Message, skip: frozenset[str] | set[str] = frozenset()) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name in skip:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            _fill(getattr(message, field.name))
            continue
        value = _BY_TYPE.get(field.type, lambda number: 1_000 + number)(field.number)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def values(envelope: Envelope) -> dict[str, Any]:
    """The envelope's values by their proto names."""
    found: dict[str, Any] = MessageToDict(envelope, preserving_proto_field_name=True)
    return found


def main(version: str) -> None:
    """Writes a release's file."""
    content = {}
    for kind in kinds():
        envelope = filled(kind)
        content[kind] = {"bytes": envelope.SerializeToString(deterministic=True).hex(), "values": values(envelope)}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"v1-{version}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
