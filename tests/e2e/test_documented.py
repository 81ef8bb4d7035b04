"""The served OpenAPI document tells what every operation answers, and the answers are so.

`Management.call` holds each answer to the document; here every operation gives one.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Management, Product
from tests.support.process import ADMIN_EMAIL, ADMIN_PASSWORD

FIREWALL = "/api/workspace/firewall"
ELSEWHERE = {
    # A signature instead of a caller: tests/unit/firewall/test_approvals.py.
    ("post", "/api/v1/firewall/approvals/{approval_id}/callback"),
    # Needs spend that cannot be booked, or whose outcome is unknown: tests/unit/ledger.
    ("post", "/api/ledger/accounts/{key_id}/unfreeze"),
    ("post", "/api/ledger/entries/{entry_id}/reverse"),
}
EGRESS = {"allow": ["*.example.test"], "deny": [], "resolve_names": False}
ACTIONS = [
    {
        "tool_name_glob": "bank.*",
        "priority": 1,
        "verdict": "pending_approval",
        "args_match": {"clauses": [{"path": "$.amount", "op": "gt", "value": 1}]},
    },
    {"tool_name_glob": "*", "verdict": "deny", "semantic_match": {"kinds": ["network_fetch"]}},
    {"tool_name_glob": "*", "verdict": "audit", "egress": EGRESS},
    {"tool_name_glob": "*", "verdict": "audit", "rate": {"max_calls": 9, "window_seconds": 60, "per": "run"}},
    {
        "verdict": "deny",
        "sequence": {"window_seconds": 60, "steps": [{"tool_name_glob": "a"}, {"tool_name_glob": "b"}]},
    },
    {
        "tool_name_glob": "mail.*",
        "verdict": "sanitize",
        "sanitize": {"presets": ["email"], "custom": [{"pattern": "x+", "name": "x"}], "paths": ["$.to"]},
    },
]
TEXTS = [
    {"type": "pii", "stage": "both", "action": "mask", "entities": ["email"]},
    {"type": "keyword", "stage": "input", "action": "flag", "terms": ["lemon"]},
    {"type": "max_chars", "stage": "input", "action": "block", "limit": 100_000},
    {"type": "secrets", "stage": "both", "action": "block"},
]


def data_of(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """What the document says of an answer's `data`; None where it names no fields."""
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    envelope = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    data = envelope["properties"]["data"]
    named = document["components"]["schemas"].get(data.get("$ref", "").rpartition("/")[2], data)
    return named.get("properties") or (named if named.get("type") == "null" else None)


def test_each_operation_names_the_fields_of_its_answer(product: Product) -> None:
    document = httpx.get(f"{product.management_url}/api/openapi.json", timeout=30).json()
    untold = [
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path != "/api/guardrail/evaluate" and not data_of(document, operation)
    ]
    assert untold == []


@pytest.fixture
def served(product: Product, management: Management, key: dict[str, Any]) -> dict[str, Any]:
    """A key whose requests left a match, a held call, a run and a spend."""
    guardrail = management.call("POST", "/api/guardrail", {"name": "told", "rules": TEXTS})
    policy = management.call("POST", f"{FIREWALL}/policies", {"name": "told", "rules": ACTIONS})
    scope = {"guardrail_id": guardrail["id"], "firewall_policy_id": policy["id"], "credit_limit_usd": "1"}
    made = management.call("POST", "/api/token", {"name": "told", **scope})
    client = openai.OpenAI(api_key=made["key"], base_url=f"{product.relay_url}/v1", max_retries=0)
    say = {"role": "user", "content": "say:write a lemon to jo@example.test"}
    client.chat.completions.create(model="acme/small", messages=[say], extra_headers={"X-Orca-Run-Id": "told"})  # type: ignore[list-item]
    with pytest.raises(openai.BadRequestError):
        hold = {"role": "user", "content": 'tool:bank.pay:{"amount":5}'}
        client.chat.completions.create(model="acme/small", messages=[hold], extra_headers={"X-Orca-Run-Id": "told"})  # type: ignore[list-item]
    return {"key": made, "guardrail": guardrail, "policy": policy}


def reads_feeds(management: Management, served: dict[str, Any]) -> None:
    """Every feed with a row in it, and both shapes of matches."""
    key_id = served["key"]["id"]
    feed = f"key_id={key_id}"
    match = management.eventually(f"/api/guardrail/match?{feed}", lambda page: page["items"])[0]
    management.call("GET", f"/api/guardrail/match/{match['id']}")
    assert management.call("GET", f"/api/guardrail/match?group_by=request&{feed}")["items"]
    management.call("POST", f"/api/guardrail/match/{match['id']}/mark_fp")
    assert management.call("GET", "/api/guardrail/suppressions")["items"]
    management.call("DELETE", f"/api/guardrail/match/{match['id']}/mark_fp")
    management.eventually(f"{FIREWALL}/events?{feed}", lambda page: page["items"])
    run = management.eventually(f"{FIREWALL}/runs?{feed}", lambda page: page["items"])[0]
    traced = management.eventually(
        f"{FIREWALL}/runs/{run['id']}",
        lambda run: {step["kind"] for step in run["timeline"]} == {"request", "firewall", "match"},
    )
    assert traced
    assert management.call("GET", f"{FIREWALL}/tools?{feed}")["items"]
    management.call("GET", f"{FIREWALL}/anomalies")
    assert management.call("GET", f"/api/log?{feed}")["items"]
    management.call("GET", "/api/analytics/usage?group_by=day,key,model,environment")
    management.call("GET", f"/api/ledger/accounts/{key_id}")
    assert management.eventually(f"/api/ledger/entries?{feed}", lambda page: page["items"])
    management.call("GET", "/api/ledger/workspace")
    management.call("POST", "/api/ledger/workspace/credit", {"limit_usd": None})
    assert management.eventually("/api/audit", lambda page: page["items"])


def writes_policies(management: Management, served: dict[str, Any]) -> None:
    """Both planes' policies through their versions, trials and simulations."""
    for base, made in (("/api/guardrail", served["guardrail"]), (f"{FIREWALL}/policies", served["policy"])):
        one = f"{base}/{made['id']}"
        management.call("GET", base)
        management.call("GET", one)
        management.call("PUT", one, {"name": f"{made['name']} again"})
        management.call("GET", f"{one}/history")
        management.call("GET", f"{one}/diff?from=1&to=2")
        management.call("POST", f"{one}/revert", {"version": 1})
        gone = management.call("POST", base, {"name": "gone"})
        management.call("DELETE", f"{base}/{gone['id']}")
    management.call("GET", f"/api/guardrail/{served['guardrail']['id']}/tokens")
    for path in ("/api/guardrail/meta", "/api/guardrail/presets", f"{FIREWALL}/presets", f"{FIREWALL}/templates"):
        management.call("GET", path)
    management.call("POST", "/api/guardrail/test", {"rules": TEXTS, "chunks": ["lemon ", "jo@example.test"]})
    management.call("POST", "/api/guardrail/simulate", {"guardrail_id": served["guardrail"]["id"], "days": 1})
    management.call("POST", f"{FIREWALL}/simulate", {"policy_id": served["policy"]["id"], "days": 1})
    call = {"tool_name": "mail.send", "arguments": {"to": "jo@example.test"}, "policy_id": served["policy"]["id"]}
    assert management.call("POST", f"{FIREWALL}/test", call)["rule"]
    management.call("POST", f"{FIREWALL}/templates/apply", {"template": "support"})
    management.call("PUT", f"{FIREWALL}/settings", {"approval_ttl_s": 3600})
    management.call("GET", f"{FIREWALL}/settings")
    level = management.call("POST", f"{FIREWALL}/autonomy", {"level": "balanced"})
    begun = time.monotonic()
    while level["applying"] and time.monotonic() - begun < 20:
        time.sleep(0.1)
        level = management.call("GET", f"{FIREWALL}/autonomy")
    management.call("GET", f"{FIREWALL}/autonomy")
    management.call("POST", f"{FIREWALL}/autonomy/undo")


def asks_the_hook(management: Management, files: str) -> None:
    """The hook, approvals, and MCP servers."""
    gateway = management.call("POST", "/api/token", {"name": "told gateway", "is_firewall_gateway": True})
    call = {"tool_name": "files.read", "arguments": {"path": "a"}}
    management.call("POST", "/api/v1/firewall/evaluate", call, token=gateway["key"])
    held = management.call("GET", f"{FIREWALL}/approvals?state=pending")["items"][0]
    management.call("GET", f"{FIREWALL}/approvals/{held['id']}")
    management.call("GET", f"/api/v1/firewall/approvals/{held['id']}", token=gateway["key"])
    management.call("POST", f"{FIREWALL}/approvals/{held['id']}/reject", {"reason": "no"})
    servers = f"{FIREWALL}/mcp/servers"
    server = management.call("POST", servers, {"name": "told", "url": files})
    management.call("GET", servers)
    one = f"{servers}/{server['id']}"
    management.call("GET", one)
    management.call("PUT", one, {"enabled": True})
    management.call("POST", f"{one}/probe")
    management.call("POST", f"{one}/approve")
    management.call("DELETE", one)


def keeps_accounts(management: Management, served: dict[str, Any], upstream_url: str) -> None:
    """Users, workspaces, members, keys, channels and prices."""
    management.call("GET", "/api/status")
    management.call("POST", "/api/user/login", {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    management.call("POST", "/api/user/logout")
    user = management.call("GET", "/api/user/self")
    management.call("PUT", "/api/user/self", {"name": user["name"]})
    token = management.call("POST", "/api/user/access_tokens", {"name": "told"})
    management.call("GET", "/api/user/access_tokens")
    management.call("DELETE", f"/api/user/access_tokens/{token['id']}")
    workspace = management.call("GET", "/api/workspace")["items"][0]
    management.call("GET", f"/api/workspace/{workspace['id']}")
    management.call("PUT", f"/api/workspace/{workspace['id']}", {"name": workspace["name"]})
    management.call("PUT", "/api/workspace/settings", {"low_credit": "clamp"})
    management.call("GET", "/api/workspace/settings")
    new = {"email": "told@example.test", "role": "viewer", "password": "a long enough password"}
    member = management.call("POST", "/api/workspace/members", new)
    management.call("PUT", f"/api/workspace/members/{member['user_id']}", {"role": "developer"})
    management.call("GET", "/api/workspace/members")
    management.call("DELETE", f"/api/workspace/members/{member['user_id']}")
    one = f"/api/token/{served['key']['id']}"
    management.call("GET", "/api/token")
    management.call("GET", one)
    management.call("PUT", one, {"environment": "told"})
    successor = management.call("POST", f"{one}/successor")
    management.call("DELETE", f"/api/token/{successor['id']}")
    channel = management.call("POST", "/api/channel", {"name": "told", "base_url": upstream_url, "models": ["a/b"]})
    one = f"/api/channel/{channel['id']}"
    management.call("GET", "/api/channel")
    management.call("GET", one)
    management.call("PUT", one, {"weight": 2})
    management.call("POST", f"{one}/test")
    management.call("PUT", "/api/model/a/b", {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"})
    management.call("GET", "/api/model")
    management.call("GET", "/api/model/a/b")
    management.call("DELETE", "/api/model/a/b")
    management.call("DELETE", one)


def test_each_operation_answers_as_it_is_told(
    management: Management, served: dict[str, Any], files: str, upstream: Any
) -> None:
    management.documented.checked.clear()
    reads_feeds(management, served)
    writes_policies(management, served)
    asks_the_hook(management, files)
    keeps_accounts(management, served, upstream.base_url)
    second = management.call("POST", "/api/workspace", {"name": "told"})
    management.call("DELETE", f"/api/workspace/{second['id']}")
    assert set(management.documented.operations) - management.documented.checked == ELSEWHERE
