"""The evaluate hook: who may call it, for whom, what it answers and records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.unit.firewall.harness import Harness, harness


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def test_only_a_gateway_key_may_ask(plane: Harness) -> None:
    plane.keys.add_key("off", is_firewall_gateway=True, enabled=False)
    plane.keys.add_key("old", is_firewall_gateway=True, expires_at_unix_s=1)
    plane.keys.add_key("elsewhere", is_firewall_gateway=True, allow_ips=["192.0.2.0/24"])
    body = {"tool_name": "x"}
    expected = {
        "gate": (200, None),
        "tenant": (403, "gateway_key_required"),
        "orca-pat-made-up": (401, "invalid_api_key"),
        "off": (401, "key_disabled"),
        "old": (401, "key_expired"),
        "elsewhere": (403, "access_denied"),
    }
    for secret, (status, code) in expected.items():
        answer = await plane.hook("POST", "/evaluate", body, secret=secret)
        assert (answer[0], answer[1].get("code")) == (status, code), secret
    status, _ = await plane.hook(
        "POST", "/evaluate", body, secret="elsewhere", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    )
    assert status == 200
    assert (await plane.client.post("/api/v1/firewall/evaluate", json=body)).status_code == 401


async def test_a_call_is_judged_and_recorded_as_the_named_keys(plane: Harness) -> None:
    strict = await plane.create(name="strict", rules=[{"tool_name_glob": "fs.rm", "verdict": "deny", "label": "no rm"}])
    plane.keys.add_key("agent", firewall_policy_id=strict["id"], environment="prod")
    asked = {
        "tool_name": "fs.rm",
        "arguments": {"path": "/srv/secret-name"},
        "key_id": "key_agent",
        "agent_run_id": "run-1",
        "step_id": "s2",
        "parent_step_id": "s1",
        "conversation_id": "c1",
        "client_request_id": "theirs",
    }
    before = len(await plane.envelopes())
    status, body = await plane.hook("POST", "/evaluate", asked)
    told = body["data"]
    assert status == 200
    rule = strict["rules"][0]
    assert told == {
        "verdict": "deny",
        "reason": 'tool "fs.rm" denied by rule "no rm"',
        "policy": {"id": strict["id"], "name": "strict", "version": 1},
        "rule": {"id": rule["id"], "label": "no rm"},
        "arguments": {"path": "/srv/secret-name"},
        "approval_id": None,
        "shadow": False,
        "event_id": told["event_id"],
    }
    decision, event = (await plane.envelopes())[before:]
    assert (decision.decision.outcome, decision.decision.stage, decision.key_id) == ("deny", "mcp", "key_agent")
    assert (event.firewall.id, event.firewall.verdict, event.firewall.surface) == (told["event_id"], "deny", "mcp")
    assert (event.workspace_id, event.key_id, event.run_id, event.step_id, event.parent_step_id) == (
        "w1", "key_agent", "run-1", "s2", "s1",
    )  # fmt: skip
    assert (event.environment, event.owner_user_id, event.conversation_id) == ("prod", "owner", "c1")
    assert b"secret-name" not in event.SerializeToString()
    keys = {record.topic: record.key for record in plane.producer.records[before:]}
    assert keys == {"orca.decisions.v1": b"key_agent", "orca.firewall.v1": b"run-1"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/evaluate"), ("GET", f"/approvals/{'a' * 24}")])
async def test_no_gateway_route_answers_without_an_admitted_key(plane: Harness, method: str, path: str) -> None:
    plane.keys.add_key("off", is_firewall_gateway=True, enabled=False)
    plane.keys.add_key("old", is_firewall_gateway=True, expires_at_unix_s=1)
    plane.keys.add_key("gone", is_firewall_gateway=True, deleted=True)
    for secret, status in {"tenant": 403, "off": 401, "old": 401, "gone": 401, "nobody": 401, " ": 401}.items():
        assert (await plane.hook(method, path, {"tool_name": "x"}, secret=secret))[0] == status, secret


async def test_an_approval_is_polled_by_its_own_workspaces_gateway_only(plane: Harness) -> None:
    await plane.create(is_default=True, rules=[{"tool_name_glob": "pay", "verdict": "pending_approval"}])
    _, body = await plane.hook("POST", "/evaluate", {"tool_name": "pay"})
    path = f"/approvals/{body['data']['approval_id']}"
    plane.keys.add_key("theirs", is_firewall_gateway=True, workspace_id="w2")
    assert (await plane.hook("GET", path))[1]["data"]["state"] == "pending"
    assert (await plane.hook("GET", path, secret="theirs"))[0] == 404
    assert (await plane.hook("GET", path, secret="tenant"))[0] == 403
    status, _ = await plane.hook("POST", "/evaluate", {"tool_name": "pay", "approval_id": path[11:]}, secret="theirs")
    assert status == 404


async def test_a_key_that_cannot_be_acted_for_does_not_exist(plane: Harness) -> None:
    plane.keys.add_key("off", enabled=False)
    plane.keys.add_key("foreign", workspace_id="w2")
    for key_id in ("key_off", "key_foreign", "key_nobody", "\x00", "x" * 100):
        status, body = await plane.hook("POST", "/evaluate", {"tool_name": "x", "key_id": key_id})
        assert (status, body["param"]) == (404, "key_id"), key_id
    status, _ = await plane.hook("POST", "/evaluate", {"tool_name": "x"}, headers={"X-Orca-Key-Id": "key_foreign"})
    assert status == 404


async def test_without_a_policy_the_call_passes_and_only_the_decision_is_recorded(plane: Harness) -> None:
    status, body = await plane.hook("POST", "/evaluate", {"tool_name": "x", "arguments": "{broken"})
    assert status == 200
    assert body["data"] | {"reason": ""} == {
        "verdict": "allow", "reason": "", "policy": None, "rule": None, "arguments": "{broken", "approval_id": None,
        "shadow": False, "event_id": None,
    }  # fmt: skip
    assert [item.WhichOneof("payload") for item in await plane.envelopes()] == ["decision"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "tool_name"),
        ({"tool_name": ""}, "tool_name"),
        ({"tool_name": "x" * 257}, "tool_name"),
        ({"tool_name": "x", "arguments": [1]}, "arguments"),
        ({"tool_name": "x", "surface": "egress"}, "surface"),
        ({"tool_name": "x", "agent_run_id": "é"}, "agent_run_id"),
        ({"tool_name": "x", "step_id": "s" * 129}, "step_id"),
        ({"tool_name": "x", "destinations": ["h"] * 65}, "destinations"),
        ({"tool_name": "x", "other": 1}, "other"),
    ],
)
async def test_bad_input_names_the_field_and_changes_nothing(plane: Harness, body: object, param: str) -> None:
    status, answer = await plane.hook("POST", "/evaluate", body)
    assert (status, answer["param"]) == (422, param)
    assert await plane.envelopes() == []


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"tool_name":"\\ud800"}', "tool_name"),
        (b'{"tool_name":"a\\u0000"}', "tool_name"),
        (b'{"tool_name":"x","arguments":{"\\ud800":"\\udfff"}}', "arguments"),
        (b'{"tool_name":"x","arguments":"\\ud800"}', "arguments"),
        (b'{"tool_name":"x","destinations":["\\ud800"]}', "destinations"),
    ],
)
async def test_text_that_no_utf8_can_carry_is_refused(plane: Harness, raw: bytes, param: str) -> None:
    headers = {"Authorization": "Bearer gate", "Content-Type": "application/json"}
    answer = await plane.client.post("/api/v1/firewall/evaluate", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["param"]) == (422, param)
    assert await plane.envelopes() == []
