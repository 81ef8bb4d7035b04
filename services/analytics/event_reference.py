"""Writes `docs/events.md` from `protos/orca/events/v1/events.proto` and the declared topics: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.eventlog import topics
from services.common.eventlog.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "protos" / "orca" / "events" / "v1" / "events.proto"
EXAMPLE = ROOT / "docs" / "examples" / "consume_events.py"
TARGET = ROOT / "docs" / "events.md"
DAY_MS = 86_400_000

KEYS: Mapping[str, tuple[str, str]] = {
    topics.DECISIONS: ("key id", "relay, firewall"),
    topics.MATCHES: ("key id", "relay"),
    topics.FIREWALL: ("run id", "relay, firewall"),
    topics.SPEND: ("key id", "relay, ledger"),
    topics.CAPTURES: ("key id", "relay"),
    topics.REQUESTS: ("key id", "relay"),
    topics.CONFIG: ("entity id", "auth, guardrail, firewall"),
    topics.AUDIT: ("workspace id", "every service with changes"),
    topics.ANOMALIES: ("workspace id", "analytics"),
    topics.DLQ: ("source topic", "consumers"),
}

_INTRO = """# Events

Generated from `protos/orca/events/v1/events.proto` by `make docs`; do not edit.

Every record's value is one bare `Envelope`; its headers repeat the payload's name (`event-type`), the schema
(`orca.events.v1`) and carry the W3C `traceparent`. Delivery is at least once and in order per key: equal `event_id`s
are the same event, and so are events of one `producer_id` that are not above its highest `producer_seq` so far.
Within `v1` fields are only added; the tests hold every released version's bytes against today's definitions.
No event holds prompt or answer text, except the matched substring under `log_raw_content` and captured bodies.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: its number, type, name and comment."""

    number: int
    kind: str
    name: str
    comment: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its comment."""

    name: str
    comment: str
    fields: tuple[Entry, ...]


_FIELD = re.compile(r"^\s+((?:repeated |optional )?[\w.]+(?:<[^>]+>)?) (\w+) = (\d+);")


def messages(proto: str) -> list[Message]:
    """Top-level messages of a proto file, in order; every comment is the lines right above."""
    found: list[Message] = []
    comment: list[str] = []
    name, about, fields = "", "", list[Entry]()
    for line in proto.splitlines():
        text = line.strip()
        if text.startswith("//"):
            comment.append(text[2:].strip())
            continue
        if start := re.match(r"^message (\w+) \{", line):
            name, about, fields = start.group(1), " ".join(comment), []
        elif field := _FIELD.match(line):
            fields.append(Entry(int(field.group(3)), field.group(1), field.group(2), " ".join(comment)))
        elif line == "}" and name:
            found.append(Message(name, about, tuple(fields)))
            name = ""
        comment = []
    return found


def render(proto: str, example: str) -> str:
    """The whole document."""
    parts = [_INTRO, _topics(), _example(example), "## Messages\n"]
    parts += [_table(message) for message in messages(proto)]
    return "\n".join(parts)


def _topics() -> str:
    lines = [
        "## Topics",
        "| topic | record key | producer | partitions | kept |",
        "|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        key, producer = KEYS[topic.name]
        kept = "compacted" if topic.compacted else "forever"
        if topic.retention_ms is not None:
            kept = f"{topic.retention_ms // DAY_MS} days"
        lines.append(f"| `{topic.name}` | {key} | {producer} | {topic.partitions} | {kept} |")
    return "\n".join(lines) + "\n"


def _example(example: str) -> str:
    return (
        "## A consumer\n"
        "It needs the stubs of `protos/orca/events/v1` and a Kafka client, nothing else of Orca\n"
        "(`docs/examples/consume_events.py`):\n\n"
        f"```python\n{example.rstrip()}\n```\n"
    )


def _table(message: Message) -> str:
    rows: Sequence[str] = [
        f"| {entry.number} | `{entry.name}` | `{entry.kind}` | {entry.comment.replace('|', '/')} |"
        for entry in message.fields
    ]
    return "\n".join(
        [f"### {message.name}", message.comment, "", "| # | field | type | meaning |", "|---|---|---|---|", *rows, ""]
    )


def main() -> None:
    """Writes the document."""
    TARGET.write_text(render(PROTO.read_text(encoding="utf-8"), EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
