"""Characters that no store or answer can carry, and odd shapes: a 4xx or an answer, never a 5xx, no change of state."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.guardrail.domain import entities
from tests.unit.guardrail.builders import rule
from tests.unit.guardrail.harness import Harness, harness

RULES = [
    rule(entities=list(entities.NAMES)),
    rule(type="secrets"),
    rule(type="keyword", terms=["a"]),
    rule(type="regex", pattern="b+"),
    rule(type="max_chars", limit=3, action="flag"),
    rule(type="prompt_attack"),
]
TEXTS = [
    r"\ud800 a@example.com",
    r"\u0000",
    "",
    r"\ud83d",
    "[EMAIL",
    r"\u200b4111 1111\u200b1111 1111",
    r"\udfff\ud800",
]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def post(service: Harness, path: str, body: str) -> int:
    """The status; a body that is not JSON any more fails the test."""
    answer = await service.client.post(
        path, content=body, headers={"Authorization": "w1/ADMIN", "Content-Type": "application/json"}
    )
    if "json" in answer.headers["content-type"] and "ndjson" not in answer.headers["content-type"]:
        json.loads(answer.text)
    return answer.status_code


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_any_text_can_be_tried(service: Harness, text: str, stage: str) -> None:
    rules = json.dumps([{**draft, "stage": stage} for draft in RULES])
    head = f'{{"rules": {rules}, '
    assert await post(service, "/api/guardrail/test", f'{head}"stage": "{stage}", "text": "{text}"}}') == 200
    chunks = f'"chunks": ["{text}", "{text}"], "sources": ["{text}"]'
    assert await post(service, "/api/guardrail/test", f'{head}"stage": "{stage}", {chunks}}}') == 200
    corpus = f'"corpus": [{{"text": "{text}", "stage": "{stage}", "label": "attack"}}]'
    assert await post(service, "/api/guardrail/evaluate", f"{head}{corpus}}}") == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", r'{"name": "n\ud800"}', 422),
        ("", r'{"name": "n", "rules": [{"\ud800": 1, "type": "secrets", "stage": "both", "action": "flag"}]}', 422),
        ("", r'{"name": "n", "\ud800": 1}', 422),
        ("", '{"name": "n", "rules": [{"type": ["pii"]}]}', 422),
        ("", '{"name": "n", "rules": [{"type": "secrets", "stage": "both", "action": ["x"]}]}', 422),
        ("/test", r'{"guardrail_id": "\u0000\ud800", "text": "x"}', 404),
        ("/test", '{"rules": [{"id": [1], "type": "secrets", "stage": "both", "action": "flag"}], "text": "x"}', 200),
        ("/simulate", '{"rules": [], "days": 100000000000000000000000}', 422),
        ("/match/x/mark_fp", r'{"fingerprint": "\ud800"}', 404),
        ("/match/%00/mark_fp", "{}", 404),
    ],
)
async def test_an_odd_request_is_refused_and_changes_nothing(
    service: Harness, path: str, body: str, status: int
) -> None:
    assert await post(service, f"/api/guardrail{path}", body) == status
    assert (await service.request("GET", "/api/guardrail"))[1]["data"]["items"] == []


@pytest.mark.parametrize("cursor", ["WzFd", "WyJcdWQ4MDAiXQ", "WyJcdTAwMDAiXQ", "W10", "e30", "%20"])
@pytest.mark.parametrize("path", ["", "/suppressions"])
async def test_a_foreign_cursor_is_refused(service: Harness, path: str, cursor: str) -> None:
    assert (await service.request("GET", f"/api/guardrail{path}?cursor={cursor}"))[0] == 422
