"""The audit chain: whole when untouched, and what is wrong when it was not; the offline verifier."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.events.v1.events_pb2 import Envelope
from services.allinone.cli import main
from services.auth.audit_file import Verdict, verify
from services.auth.consumers import AuditChain
from services.auth.domain.audit import GENESIS, Link, first_break, row_hash
from services.auth.storage.store import Store
from services.auth.storage.tables import MIGRATIONS
from services.common.clock import SystemClock
from services.common.errors import Invalid
from services.common.eventlog import topics
from services.common.eventlog.engine import Poison
from services.common.eventlog.ports import ConsumedRecord
from services.common.storage import Database, audit_envelope
from tests.support.clock import ManualClock


def chain(count: int, workspace_id: str = "ws_1") -> list[Link]:
    links: list[Link] = []
    for number in range(1, count + 1):
        previous = links[-1].hash if links else GENESIS
        content = {"workspace_id": workspace_id, "verb": "token_create", "target_id": f"key_{number}"}
        links.append(Link(number, previous, row_hash(previous, content), content))
    return links


def row(link: Link) -> dict[str, Any]:
    return {**link.content, "number": link.number, "previous": link.previous, "hash": link.hash}


def test_an_untouched_chain_is_whole_from_any_row_on() -> None:
    links = chain(5)
    assert [first_break(links[start:]) for start in range(5)] == [None] * 5


def test_each_kind_of_tampering_is_named() -> None:
    links = chain(4)
    changed = replace(links[1], content={**links[1].content, "target_id": "key_9"})
    rewritten = replace(changed, hash=row_hash(changed.previous, changed.content))
    beheaded = replace(links[0], previous="1" * 64, hash=row_hash("1" * 64, links[0].content))
    assert [
        first_break([links[0], changed, *links[2:]]),
        first_break([links[0], rewritten, *links[2:]]),
        first_break([links[0], *links[2:]]),
        first_break([beheaded, *links[1:]]),
        first_break([links[1], links[0]]),
    ] == [
        "row 2 was changed",
        "row 3 does not follow the row before it",
        "row 2 is missing or out of order",
        "row 1 does not follow the row before it",
        "row 3 is missing or out of order",
    ]


@given(st.integers(0, 3), st.sampled_from(["verb", "target_id", "workspace_id"]), st.text(min_size=1))
def test_no_field_of_any_row_can_change(index: int, field: str, value: str) -> None:
    links = chain(4)
    links[index] = replace(links[index], content={**links[index].content, field: "~" + value})
    assert first_break(links) == f"row {index + 1} was changed"


def test_a_file_of_pages_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    links, other = chain(4), chain(1, "ws_2")
    pages = [
        {"success": True, "data": {"items": [row(links[3]), row(links[2])], "next_cursor": "x"}},
        {"success": True, "data": {"items": [row(links[2]), row(links[1]), row(links[0])], "next_cursor": None}},
        row(other[0]),
    ]
    text = "\n".join(json.dumps(page) for page in pages)
    assert verify(text) == [
        Verdict("ws_1", 1, 4, links[3].hash, None),
        Verdict("ws_2", 1, 1, other[0].hash, None),
    ]
    file = tmp_path / "audit.json"
    file.write_text(text)
    with pytest.raises(SystemExit) as whole:
        main(["audit", "verify", str(file)])
    file.write_text(text.replace("key_2", "key_3"))
    with pytest.raises(SystemExit) as broken:
        main(["audit", "verify", str(file)])
    assert (whole.value.code, broken.value.code) == (0, 1)
    assert "ws_1: rows 1 to 4: row 2 was changed" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '{"number": 1}', "[" * 100_000, "nonsense"])
def test_a_file_that_is_no_audit_log_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        verify(text)


def record(offset: int, value: bytes) -> ConsumedRecord:
    return ConsumedRecord(topics.AUDIT, 0, offset, b"ws_1", value, headers=(), timestamp_ms=0)


def event(clock: ManualClock, verb: str) -> bytes:
    return audit_envelope(
        workspace_id="ws_1", actor_id="user_1", verb=verb, target_type="key", target_id="key_1",
        metadata={"fields": ["name"]}, service="auth", clock=clock,
    ).SerializeToString()  # fmt: skip


async def test_events_are_chained_in_log_order_and_repetitions_change_nothing(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'auth.db'}", service="auth")
    await database.migrate(MIGRATIONS)
    clock = ManualClock()
    handle = AuditChain(database)
    verbs = ["token_create", "guardrail_update", "token_delete"]
    records = [record(offset, event(clock, verb)) for offset, verb in enumerate(verbs)]
    await handle(records[:2])
    await handle(records)
    rows = await Store(database, SystemClock()).audit_page("ws_1", 10, None)
    links = [Link(item.number, item.previous, item.hash, item.content) for item in reversed(rows)]
    assert ([link.number for link in links], [link.content["verb"] for link in links]) == ([1, 2, 3], verbs)
    assert first_break(links) is None
    assert links[0].content["metadata"] == {"fields": ["name"]}
    for bad in (b"\xff", Envelope(workspace_id="ws_1").SerializeToString()):
        with pytest.raises(Poison):
            await handle([record(3, event(clock, "late")), record(4, bad)])
    assert len(await Store(database, SystemClock()).audit_page("ws_1", 10, None)) == 3
    await database.close()
