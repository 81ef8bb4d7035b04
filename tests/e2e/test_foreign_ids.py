"""Another workspace's ids do not exist: each served operation, called with ids that live next door, answers 404.

The operations are read from the served document, so that a new one is covered, or named as missing, at once.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Management, Product

FIREWALL = "/api/workspace/firewall"
PASSWORD = "a password of one's own"
SIGNED = "/api/v1/firewall/approvals/{approval_id}/callback"
"""Asks for a signature instead of a caller, and tells nothing before it has one."""
PER_WORKSPACE = ("put", "/api/model/{model_id}")
"""Makes the id in the caller's own workspace: a price of its own for a model of that name."""
MOVES = re.compile("accessed_time|(used|held|blocked|remaining)_usd")
BODIES = {
    ("put", "/api/workspace/members/{user_id}"): {"role": "viewer"},
    ("post", "/api/guardrail/{guardrail_id}/revert"): {"version": 1},
    ("post", f"{FIREWALL}/policies/{{policy_id}}/revert"): {"version": 1},
}


@pytest.fixture
def ids(product: Product, management: Management, key: dict[str, Any]) -> dict[str, str]:
    """One of everything in the first workspace, by the name it has in paths."""
    policy = management.call(
        "POST",
        f"{FIREWALL}/policies",
        {
            "name": "reviewed",
            "enabled": True,
            "rules": [{"tool_name_glob": "*", "verdict": "pending_approval", "priority": 1, "label": "all"}],
        },
    )
    agent = management.call("POST", "/api/token", {"name": "agent", "firewall_policy_id": policy["id"]})
    tenant, reviewed = (
        openai.OpenAI(api_key=one["key"], base_url=f"{product.relay_url}/v1", max_retries=0) for one in (key, agent)
    )
    text = "write to ada@example.test"
    tenant.chat.completions.create(model="acme/small", messages=[{"role": "user", "content": text}], max_tokens=10)
    with pytest.raises(openai.BadRequestError):
        reviewed.chat.completions.create(
            model="acme/small",
            messages=[{"role": "user", "content": "tool:shell.run:{}"}],
            tools=[{"type": "function", "function": {"name": "shell.run"}}],
        )

    def first(path: str) -> str:
        return str(management.eventually(path, lambda page: page["items"])[0]["id"])

    member = {"email": "neighbour@example.test", "role": "viewer", "password": PASSWORD}
    return {
        "workspace_id": management.call("GET", "/api/workspace")["items"][0]["id"],
        "key_id": key["id"],
        "guardrail_id": key["guardrail_id"],
        "policy_id": policy["id"],
        "model_id": "acme/small",
        "channel_id": first("/api/channel"),
        "entry_id": first(f"/api/ledger/entries?key_id={key['id']}"),
        "match_id": first(f"/api/guardrail/match?key_id={key['id']}"),
        "run_id": first(f"{FIREWALL}/runs?key_id={key['id']}"),
        "approval_id": first(f"{FIREWALL}/approvals"),
        "token_id": management.call("POST", "/api/user/access_tokens", {})["id"],
        "user_id": management.call("POST", "/api/workspace/members", member)["user_id"],
        # Registering one needs an MCP server: `tests/unit/firewall/test_mcp.py` has the foreign one.
        "server_id": "none",
        "verb": "approve",
    }


@pytest.fixture
def neighbour(product: Product, management: Management, ids: dict[str, str]) -> tuple[httpx.Client, str]:
    """The owner of a second workspace, who is in no other, and a gateway key of it."""
    management.call("POST", "/api/workspace", {"name": "next door", "owner_email": "neighbour@example.test"})
    client = httpx.Client(base_url=product.management_url, timeout=30)
    account = {"email": "neighbour@example.test", "password": PASSWORD}
    client.headers["X-CSRF-Token"] = client.post("/api/user/login", json=account).json()["data"]["csrf_token"]
    (own,) = (w["id"] for w in client.get("/api/workspace").json()["data"]["items"] if w["id"] != ids["workspace_id"])
    management.call("DELETE", f"/api/workspace/members/{ids['user_id']}")
    # From here on the id is a member of the first workspace again, and another person's.
    ids["user_id"] = management.call("GET", "/api/workspace/members")["items"][0]["user_id"]
    client.headers["X-Workspace-Id"] = own
    gateway = client.post("/api/token", json={"name": "gateway", "is_firewall_gateway": True}).json()["data"]["key"]
    return client, gateway


def test_each_operation_answers_404(
    product: Product, management: Management, ids: dict[str, str], neighbour: tuple[httpx.Client, str]
) -> None:
    client, gateway = neighbour
    paths = httpx.get(f"{product.management_url}/api/openapi.json", timeout=30).json()["paths"]
    watched = ("/api/token", "/api/channel", "/api/guardrail", f"{FIREWALL}/policies", f"{FIREWALL}/approvals")

    def state() -> list[Any]:
        # What a key has used moves on by itself.
        pages = [management.call("GET", path)["items"] for path in watched]
        return [{name: item[name] for name in item if not MOVES.fullmatch(name)} for page in pages for item in page]

    before = state()
    answers = {}
    for path, item in paths.items():
        names = re.findall(r"\{([^}]+)\}", path)
        for method in item:
            if not names or path == SIGNED or (method, path) == PER_WORKSPACE:
                continue
            target = path.format(**ids) + ("?from=1&to=1" if path.endswith("/diff") else "")
            body = BODIES.get((method, path), {}) if method in ("put", "post") else None
            headers = {"Authorization": f"Bearer {gateway}"} if path.startswith("/api/v1/") else {}
            answer = client.request(method, target, json=body, headers=headers)
            answers[method, path] = (answer.status_code, answer.json().get("code"))
    assert len(answers) > 35
    assert {call: found for call, found in answers.items() if found != (404, "not_found")} == {}
    assert state() == before
