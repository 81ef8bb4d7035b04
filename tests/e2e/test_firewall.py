"""The action plane end to end: approvals with the official client, the evaluate hook, the MCP gateway, autonomy."""

from __future__ import annotations

import time
from typing import Any

import httpx
import httpx2
import openai
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.conftest import Management, Product
from tests.support.upstream import Upstream

PAY = "tool:bank.pay:" + '{"to":"ann","amount":5}'
PATIENCE_S = 20


@pytest.fixture(scope="module")
def agent(product: Product, management: Management, key: dict[str, Any]) -> openai.OpenAI:
    """A capped key whose payments need a person."""
    rules = [{"tool_name_glob": "bank.pay", "verdict": "pending_approval", "label": "payments"}]
    policy = management.call("POST", "/api/workspace/firewall/policies", {"name": "payments", "rules": rules})
    fields = {"name": "payer", "credit_limit_usd": "1", "firewall_policy_id": policy["id"]}
    made = management.call("POST", "/api/token", fields)
    client = openai.OpenAI(api_key=made["key"], base_url=f"{product.relay_url}/v1", max_retries=0)
    client._orca_key_id = made["id"]  # type: ignore[attr-defined]
    return client


def ask(client: openai.OpenAI, stream: bool, approval_id: str = "") -> list[Any]:
    """Names and arguments of the calls that arrive."""
    headers = {"X-Orca-Firewall-Approval": approval_id} if approval_id else {}
    body: Any = {"model": "acme/small", "messages": [{"role": "user", "content": PAY}], "extra_headers": headers}
    if not stream:
        answer = client.chat.completions.create(**body)
        calls: Any = answer.choices[0].message.tool_calls
        return [(call.function.name, call.function.arguments) for call in calls]
    names, arguments = "", ""
    for chunk in client.chat.completions.create(stream=True, **body):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or ():
                names += call.function.name or ""
                arguments += call.function.arguments or ""
    return [(names, arguments)]


@pytest.mark.parametrize("stream", [False, True])
def test_an_approved_answer_is_released_once_and_charged_once(
    agent: openai.OpenAI, management: Management, upstream: Upstream, stream: bool
) -> None:
    path = f"/api/ledger/accounts/{agent._orca_key_id}"  # type: ignore[attr-defined]
    before = management.call("GET", path)
    asked = len(upstream.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(agent, stream)
    assert caught.value.code == "firewall_approval_pending"
    approval_id = caught.value.response.headers["x-orca-firewall-approval"]
    poll = agent.get(f"/firewall/approvals/{approval_id}", cast_to=httpx.Response).json()
    assert (poll["state"], poll["tool_name"]) == ("pending", "bank.pay")
    with pytest.raises(openai.BadRequestError) as waiting:
        ask(agent, stream, approval_id)
    assert waiting.value.code == "firewall_approval_pending"
    shown = management.call("GET", "/api/workspace/firewall/approvals?state=pending")["items"][0]
    assert (shown["id"], shown["args_summary"]) == (approval_id, "{to: string(3), amount: number}")
    blocked = management.eventually(path, lambda a: a if a["blocked_usd"] != before["blocked_usd"] else None)
    assert blocked["settled_usd"] == before["settled_usd"]
    management.call("POST", f"/api/workspace/firewall/approvals/{approval_id}/approve")
    assert ask(agent, stream, approval_id) == [("bank.pay", '{"to":"ann","amount":5}')]
    with pytest.raises(openai.BadRequestError) as used:
        ask(agent, stream, approval_id)
    assert used.value.code == "firewall_approval_used"
    assert len(upstream.requests) == asked + 1
    after = management.call("GET", path)
    assert after["blocked_usd"] == before["blocked_usd"]
    assert after["settled_usd"] != before["settled_usd"]
    management.call("POST", f"/api/workspace/firewall/approvals/{approval_id}/reject", status=409)


@pytest.fixture(scope="module")
def gateway_key(management: Management) -> str:
    return str(management.call("POST", "/api/token", {"name": "gate", "is_firewall_gateway": True})["key"])


def test_the_hook_judges_for_a_tenant_key_and_its_events_are_in_the_feed(
    product: Product, management: Management, gateway_key: str, key: dict[str, Any]
) -> None:
    url = f"{product.management_url}/api/v1/firewall/evaluate"
    body = {"tool_name": "shell.run", "arguments": {"cmd": "ls"}, "key_id": key["id"], "agent_run_id": "hooked"}
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {gateway_key}"})
    assert (answer.status_code, answer.json()["data"]["verdict"]) == (200, "deny")
    assert httpx.post(url, json=body, headers={"Authorization": f"Bearer {key['key']}"}).status_code == 403
    event_id = answer.json()["data"]["event_id"]
    (event,) = management.eventually(
        "/api/workspace/firewall/events?run_id=hooked", lambda page: page["items"] if page["items"] else None
    )
    assert (event["id"], event["surface"], event["key_id"]) == (event_id, "mcp", key["id"])


def test_guardrail_entities_are_redacted_for_the_firewall(management: Management) -> None:
    rule = {"tool_name_glob": "pay.*", "verdict": "sanitize", "sanitize": {"presets": ["iban", "email"]}}
    policy = management.call("POST", "/api/workspace/firewall/policies", {"name": "redacting", "rules": [rule]})
    call = {"tool_name": "pay.out", "arguments": {"to": "GB82 WEST 1234 5698 7654 32", "cc": "jo@example.com"}}
    body = {**call, "policy_id": policy["id"]}
    tried = management.call("POST", "/api/workspace/firewall/test", body)
    assert tried["arguments"] == {"to": "[redacted:iban]", "cc": "[redacted:email]"}
    rule["sanitize"] = {"presets": ["no_such_entity"]}
    management.call("POST", "/api/workspace/firewall/policies", {"name": "no", "rules": [rule]}, status=422)


async def test_the_mcp_gateway_serves_registered_servers(
    product: Product, management: Management, gateway_key: str, files: str
) -> None:
    base = "/api/workspace/firewall/mcp/servers"
    made = management.call("POST", base, {"name": "files", "url": files})
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {gateway_key}"}, timeout=30) as http:
        transport = streamable_http_client(f"{product.management_url}/api/v1/firewall/mcp", http_client=http)
        async with Client(transport) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["files.read"]
            result = await client.call_tool("files.read", {"path": "a.txt"})
    assert (result.is_error or False, result.content[0].text) == (False, "content of a.txt")  # type: ignore[union-attr]
    management.call("DELETE", f"{base}/{made['id']}")


def test_a_level_keeps_the_authored_guardrail_and_is_undone(management: Management, key: dict[str, Any]) -> None:
    told = management.call("POST", "/api/workspace/firewall/autonomy", {"level": "tight"})
    begun = time.monotonic()
    while told["applying"] and time.monotonic() - begun < PATIENCE_S:
        time.sleep(0.1)
        told = management.call("GET", "/api/workspace/firewall/autonomy")
    assert (told["policy"], told["guardrail"], told["applying"]) == ("applied", "kept", False)
    policy = management.call("GET", f"/api/workspace/firewall/policies/{told['policy_id']}")
    assert (policy["is_default"], policy["default_verdict"]) == (True, "deny")
    management.call("POST", "/api/workspace/firewall/autonomy/undo")
    management.call("GET", f"/api/workspace/firewall/policies/{told['policy_id']}", status=404)
