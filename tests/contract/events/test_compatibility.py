"""Events of every released version still mean what they meant, and the documentation is the definitions'."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orca.events.v1.events_pb2 import Envelope
from services.analytics import event_reference as reference
from services.common.eventlog.topics import TOPICS
from tests.contract.events.golden import FOLDER, filled, kinds, values

RELEASES = sorted(FOLDER.glob("v1-*.json"))


def test_a_release_is_on_record() -> None:
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_bytes_of_a_release_are_read_as_they_were_written(release: Path) -> None:
    for kind, golden in json.loads(release.read_text()).items():
        envelope = Envelope.FromString(bytes.fromhex(golden["bytes"]))
        assert envelope.WhichOneof("payload") == kind
        assert values(envelope) == golden["values"]
        assert envelope.SerializeToString(deterministic=True).hex() == golden["bytes"]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_a_consumer_of_a_release_reads_todays_events(release: Path) -> None:
    """What an older consumer knows of today's event is a prefix of nothing: unknown fields are kept beside it."""
    for kind, golden in json.loads(release.read_text()).items():
        now = values(filled(kind))
        for name, value in golden["values"].items():
            if isinstance(value, dict):
                assert {key: now[name][key] for key in value} == value
            else:
                assert now[name] == value


def test_every_event_type_is_on_record() -> None:
    assert set(kinds()) == set(json.loads(RELEASES[-1].read_text()))


def test_the_documentation_is_current() -> None:
    rendered = reference.render(reference.PROTO.read_text(), reference.EXAMPLE.read_text())
    assert reference.TARGET.read_text() == rendered, "run make docs"


def test_every_field_and_topic_is_documented() -> None:
    found = {message.name: message for message in reference.messages(reference.PROTO.read_text())}
    file = Envelope.DESCRIPTOR.file
    assert set(found) == set(file.message_types_by_name)
    for name, descriptor in file.message_types_by_name.items():
        assert [entry.name for entry in found[name].fields] == [field.name for field in descriptor.fields]
        assert all(entry.comment for entry in found[name].fields)
    text = reference.TARGET.read_text()
    assert all(f"`{topic.name}`" in text for topic in TOPICS)


def test_the_example_has_ten_lines() -> None:
    lines = [line for line in reference.EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 10
    imported = re.findall(r"^(?:from|import) ([\w., ]+)", reference.EXAMPLE.read_text(), re.M)
    assert not any(name.startswith("services") for name in imported)
