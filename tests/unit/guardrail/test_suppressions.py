"""False positives: marked findings are none any more, in one workspace, on every replica, until unmarked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orca.guardrail.v1 import guardrail_pb2 as pb
from services.guardrail.sealing import SecretBox
from services.guardrail.snapshot import Snapshot
from tests.unit.guardrail.builders import rule
from tests.unit.guardrail.calls import check_input, released, results, segment, stream_output
from tests.unit.guardrail.harness import KEY, Harness, harness

TEXT = "a@example.com and b@example.com"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def matched(service: Harness, **fields: Any) -> dict[str, Any]:
    """A guardrail that masks, one request under it, and its match as analytics records it."""
    created = await service.create(is_default=True, rules=[rule(entities=["email"], **fields)])
    match = (await check_input(service, segment(TEXT))).matches[0]
    row = {
        "id": match.id, "guardrail_id": created["id"], "rule_id": match.rule_id, "entity": match.entity,
        "fingerprints": list(match.fingerprints),
    }  # fmt: skip
    service.recorded.matches["w1", match.id] = row
    return row


async def mark(
    service: Harness, row: dict[str, Any], body: Any = None, *, who: str = "w1/ADMIN", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    return await service.request(method, f"/api/guardrail/match/{row['id']}/mark_fp", body, who=who)


async def test_a_marked_match_neither_masks_nor_matches_until_it_is_unmarked(service: Harness) -> None:
    row = await matched(service)
    status, body = await mark(service, row)
    assert (status, body["data"]["suppressed"]) == (200, True)
    assert {item["fingerprint"] for item in body["data"]["items"]} == set(row["fingerprints"])
    clean = await check_input(service, segment(TEXT))
    assert (clean.outcome, list(clean.matches), results(clean)) == (pb.OUTCOME_PASSED, [], [("pii", "passed", "")])
    assert "".join(text for piece in released(await stream_output(service, *TEXT)) for _, text in piece) == TEXT
    other = await check_input(service, segment("c@example.com"))
    assert other.replacements[0].text == "[EMAIL]"
    assert (await mark(service, row, method="DELETE"))[0] == 200
    assert (await check_input(service, segment(TEXT))).replacements[0].text == "[EMAIL] and [EMAIL]"
    assert (await service.request("GET", "/api/guardrail/suppressions"))[1]["data"]["items"] == []


async def test_one_finding_of_a_match_can_be_marked(service: Harness) -> None:
    row = await matched(service, action="block")
    _, body = await mark(service, row, {"fingerprint": row["fingerprints"][0]})
    (item,) = body["data"]["items"]
    assert (item["rule_id"], item["match_id"], item["entity"]) == (row["rule_id"], row["id"], "email")
    first, both = [await check_input(service, segment(text)) for text in ("a@example.com", TEXT)]
    assert (first.outcome, both.outcome, both.matches[0].count) == (pb.OUTCOME_PASSED, pb.OUTCOME_BLOCKED, 1)
    _, listed = await service.request("GET", "/api/guardrail/suppressions", who="w1/VIEWER")
    assert listed["data"] == {"items": [item], "next_cursor": None}


async def test_marking_is_audited_and_repeatable(service: Harness) -> None:
    row = await matched(service)
    first = (await mark(service, row))[1]["data"]["items"]
    again = (await mark(service, row))[1]["data"]["items"]
    await mark(service, row, method="DELETE")
    assert again == first
    audits = [e.audit for e in await service.envelopes() if e.HasField("audit") and "suppress" in e.audit.verb]
    assert [(a.verb, a.actor_id, a.target_id) for a in audits] == [
        ("guardrail_suppress", "user-admin", row["rule_id"]),
        ("guardrail_suppress", "user-admin", row["rule_id"]),
        ("guardrail_unsuppress", "user-admin", row["rule_id"]),
    ]
    assert all(row["fingerprints"][0] not in a.metadata_json for a in audits)


async def test_another_replica_learns_of_a_mark_by_polling(service: Harness) -> None:
    row = await matched(service)
    replica = Snapshot(service.database, service.clock, SecretBox("", KEY), max_age_s=60.0)
    await replica.refresh()
    assert replica.suppressed("w1") == {}
    await mark(service, row)
    await replica.refresh()
    assert replica.suppressed("w1") == {row["rule_id"]: frozenset(row["fingerprints"])}
    assert replica.suppressed("w2") == {}
    await mark(service, row, method="DELETE")
    await replica.refresh()
    assert replica.suppressed("w1") == {}


@pytest.mark.parametrize(
    ("who", "match_id", "body", "expected"),
    [
        ("w1/DEVELOPER", None, None, (403, "forbidden")),
        ("w2/ADMIN", None, None, (404, "not_found")),
        ("w1/ADMIN", "gm_other", None, (404, "not_found")),
        ("w1/ADMIN", None, {"fingerprint": "feed"}, (422, "invalid_request")),
        ("w1/ADMIN", None, {"fingerprint": ""}, (422, "invalid_request")),
        ("w1/ADMIN", None, {"print": "x"}, (422, "invalid_request")),
        ("w1/ADMIN", "bare", None, (409, "no_fingerprints")),
    ],
)
async def test_a_mark_is_refused(
    service: Harness, who: str, match_id: str | None, body: Any, expected: tuple[int, str]
) -> None:
    row = await matched(service)
    service.recorded.matches["w1", "bare"] = {"id": "bare", "rule_id": row["rule_id"], "fingerprints": []}
    status, answer = await mark(service, {"id": match_id or row["id"]}, body, who=who)
    assert (status, answer["code"]) == expected
    assert (await check_input(service, segment(TEXT))).outcome == pb.OUTCOME_MASKED
