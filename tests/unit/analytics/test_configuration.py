"""What workspaces decide: retention of rows, consent to bodies, findings that are hidden."""

from __future__ import annotations

import pytest

from orca.events.v1.events_pb2 import Capture, Envelope
from services.common.eventlog.engine import Poison
from tests.unit.analytics.builders import config, envelope, match, request, spend
from tests.unit.analytics.conftest import Fixture

MATCH = "/api/guardrail/match"


async def days(orca: Fixture, table: str) -> list[int]:
    rows = await orca.store.query(f"SELECT retention_days FROM {table} ORDER BY occurred_at", {})
    return [row[0] for row in rows]


async def test_retention_governs_new_rows_and_old_ones(orca: Fixture) -> None:
    await orca.consume(request(1), match(1, id="m_1"), spend(1), request(2, workspace_id="ws_2"))
    await orca.configure(config("workspace", "ws_1", 2, '{"log_retention_days": 7}'))
    await orca.store.command("OPTIMIZE TABLE requests FINAL")
    await orca.consume(request(3))
    assert await days(orca, "requests") == [7, 30, 7]
    assert await days(orca, "matches") == [7]
    assert await days(orca, "spend") == [30]


@pytest.mark.parametrize(("given", "kept"), [(500, 180), (180, 180), (0, 30), (-3, 30)])
async def test_retention_is_clamped(orca: Fixture, given: int, kept: int) -> None:
    await orca.configure(config("workspace", "ws_1", 2, f'{{"log_retention_days": {given}}}'))
    await orca.consume(request())
    assert await days(orca, "requests") == [kept]


async def test_an_older_change_does_not_overwrite_a_newer_one(orca: Fixture) -> None:
    await orca.configure(
        config("workspace", "ws_1", 5, '{"log_retention_days": 7}'),
        config("workspace", "ws_1", 4, '{"log_retention_days": 90}'),
    )
    assert orca.workspaces.retention_days("ws_1") == 7


def body(text: str, consent: int) -> Envelope:
    return envelope(capture=Capture(kind="request", body=text, consent_version=consent))


async def bodies(orca: Fixture) -> list[str]:
    return [row[0] for row in await orca.store.query("SELECT body FROM request_bodies ORDER BY _offset", {})]


async def test_a_body_needs_the_current_consent(orca: Fixture) -> None:
    await orca.consume(body("unknown workspace", 1))
    await orca.configure(config("workspace", "ws_1", 2, '{"capture_consent_version": 2}'))
    await orca.consume(body("old consent", 1), body("kept", 2), body("none", 0))
    await orca.configure(config("workspace", "ws_1", 3, '{"capture_consent_version": 0}'))
    await orca.consume(body("withdrawn", 2), body("none", 0))
    assert await bodies(orca) == ["kept"]


async def test_marked_findings_can_be_hidden(orca: Fixture) -> None:
    await orca.consume(
        match(1, id="m_1"), match(2, id="m_2", rule_id="rule_9"), match(3, id="m_3", workspace_id="ws_2")
    )

    def mark(print_: str, version: int, operation: str = "create"):  # type: ignore[no-untyped-def]
        fields = f'{{"rule_id": "rule_1", "fingerprint": "{print_}"}}'
        return config("suppression", f"sup_{print_}", version, fields, operation)

    await orca.configure(mark("f1", 2))
    assert [entry["id"] for entry in (await orca.get(MATCH, hide_fp=True))["items"]] == ["m_2", "m_1"]
    await orca.configure(mark("f2", 3))
    assert [entry["id"] for entry in (await orca.get(MATCH, hide_fp=True))["items"]] == ["m_2"]
    assert [entry["id"] for entry in (await orca.get(MATCH, hide_fp=False))["items"]] == ["m_2", "m_1"]
    grouped = await orca.get(MATCH, hide_fp=True, group_by="request")
    assert [entry["ids"] for entry in grouped["items"]] == [["m_2"]]
    other = await orca.get(MATCH, hide_fp=True, workspace="ws_2")
    assert [entry["id"] for entry in other["items"]] == ["m_3"]
    await orca.configure(mark("f2", 4, "delete"))
    assert [entry["id"] for entry in (await orca.get(MATCH, hide_fp=True))["items"]] == ["m_2", "m_1"]


@pytest.mark.parametrize("fields", ["nonsense", "[1]"])
async def test_an_unreadable_change_is_poison(orca: Fixture, fields: str) -> None:
    with pytest.raises(Poison):
        await orca.configure(config("workspace", "ws_1", 2, fields))
