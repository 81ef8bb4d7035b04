"""The permission table, cell by cell: every action, by every role, a stranger, and credentials of another plane.

A call is allowed when it gets past the role check: its body may then be found wanting (422), its id unknown (404).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from services.auth.domain.permissions import LEAST_ROLE
from tests.support.plane import Plane

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES = ("viewer", "developer", "admin", "owner")
NONSENSE = {"no_such_field": 1}

FW = "/api/workspace/firewall"
ACTIONS: tuple[tuple[str, str, str], ...] = (
    ("key_read", "GET", "/api/token"),
    ("key_read", "GET", "/api/token/{key}"),
    ("guardrail_read", "GET", "/api/guardrail"),
    ("guardrail_read", "GET", "/api/guardrail/none/history"),
    ("guardrail_read", "GET", "/api/guardrail/presets"),
    ("firewall_policy_read", "GET", f"{FW}/policies"),
    ("firewall_policy_read", "GET", f"{FW}/policies/none/history"),
    ("match_read", "GET", "/api/guardrail/match"),
    ("request_log_read", "GET", "/api/log"),
    ("usage_read", "GET", "/api/analytics/usage"),
    ("ledger_read", "GET", "/api/ledger/accounts/{key}"),
    ("ledger_read", "GET", "/api/ledger/workspace"),
    ("ledger_read", "GET", "/api/ledger/entries"),
    ("model_read", "GET", "/api/model"),
    ("model_read", "GET", "/api/model/orca/echo"),
    ("settings_read", "GET", "/api/workspace/settings"),
    ("settings_read", "GET", "/api/workspace/{workspace}"),
    ("settings_read", "GET", f"{FW}/settings"),
    ("permissions_read", "GET", "/api/user/self"),
    ("guardrail_write", "POST", "/api/guardrail"),
    ("guardrail_write", "PUT", "/api/guardrail/none"),
    ("guardrail_write", "DELETE", "/api/guardrail/none"),
    ("guardrail_write", "POST", "/api/guardrail/none/revert"),
    ("firewall_policy_write", "POST", f"{FW}/policies"),
    ("firewall_policy_write", "PUT", f"{FW}/policies/none"),
    ("firewall_policy_write", "DELETE", f"{FW}/policies/none"),
    ("firewall_policy_write", "POST", f"{FW}/policies/none/revert"),
    ("sandbox_run", "POST", "/api/guardrail/test"),
    ("sandbox_run", "POST", f"{FW}/test"),
    ("key_write", "POST", "/api/token"),
    ("key_write", "PUT", "/api/token/{key}"),
    ("key_write", "DELETE", "/api/token/none"),
    ("key_write", "POST", "/api/token/none/successor"),
    ("firewall_event_read", "GET", f"{FW}/events"),
    ("run_read", "GET", f"{FW}/runs"),
    ("run_read", "GET", f"{FW}/runs/none"),
    ("anomaly_read", "GET", f"{FW}/anomalies"),
    ("posture_write", "POST", f"{FW}/autonomy"),
    ("posture_write", "POST", f"{FW}/templates/apply"),
    ("firewall_policy_read", "GET", f"{FW}/autonomy"),
    ("firewall_policy_read", "GET", f"{FW}/templates"),
    ("sandbox_run", "POST", "/api/guardrail/evaluate"),
    ("sandbox_run", "POST", "/api/guardrail/simulate"),
    ("approval_read", "GET", f"{FW}/approvals"),
    ("approval_read", "GET", f"{FW}/approvals/none"),
    ("approval_resolve", "POST", f"{FW}/approvals/none/approve"),
    ("approval_resolve", "POST", f"{FW}/approvals/none/reject"),
    ("false_positive_mark", "POST", "/api/guardrail/match/none/mark_fp"),
    ("false_positive_mark", "DELETE", "/api/guardrail/match/none/mark_fp"),
    ("guardrail_read", "GET", "/api/guardrail/meta"),
    ("guardrail_read", "GET", "/api/guardrail/suppressions"),
    ("guardrail_read", "GET", "/api/guardrail/none"),
    ("guardrail_read", "GET", "/api/guardrail/none/diff?from=1&to=2"),
    ("firewall_policy_read", "GET", f"{FW}/policies/none/diff?from=1&to=2"),
    ("firewall_policy_read", "GET", f"{FW}/presets"),
    ("match_read", "GET", "/api/guardrail/match/none"),
    ("channel_manage", "GET", "/api/channel"),
    ("channel_manage", "POST", "/api/channel"),
    ("channel_manage", "GET", "/api/channel/none"),
    ("channel_manage", "PUT", "/api/channel/none"),
    ("channel_manage", "DELETE", "/api/channel/none"),
    ("channel_manage", "POST", "/api/channel/none/test"),
    ("price_write", "PUT", "/api/model/acme/m"),
    ("price_write", "DELETE", "/api/model/acme/m"),
    ("member_manage", "GET", "/api/workspace/members"),
    ("member_manage", "POST", "/api/workspace/members"),
    ("member_manage", "PUT", "/api/workspace/members/none"),
    ("member_manage", "DELETE", "/api/workspace/members/none"),
    ("settings_write", "PUT", "/api/workspace/settings"),
    ("settings_write", "PUT", "/api/workspace/{workspace}"),
    ("settings_write", "PUT", f"{FW}/settings"),
    ("reversal_write", "POST", "/api/ledger/entries/none/reverse"),
    ("reversal_write", "POST", "/api/ledger/accounts/none/unfreeze"),
    ("audit_read", "GET", "/api/audit"),
    ("key_read", "GET", "/api/guardrail/none/tokens"),
    ("firewall_policy_read", "GET", f"{FW}/policies/none"),
    ("firewall_policy_read", "GET", f"{FW}/mcp/servers"),
    ("firewall_policy_read", "GET", f"{FW}/mcp/servers/none"),
    ("mcp_server_manage", "POST", f"{FW}/mcp/servers"),
    ("mcp_server_manage", "PUT", f"{FW}/mcp/servers/none"),
    ("mcp_server_manage", "DELETE", f"{FW}/mcp/servers/none"),
    ("mcp_server_manage", "POST", f"{FW}/mcp/servers/none/probe"),
    ("mcp_server_manage", "POST", f"{FW}/mcp/servers/none/approve"),
    ("posture_write", "POST", f"{FW}/autonomy/undo"),
    ("sandbox_run", "POST", f"{FW}/simulate"),
    ("firewall_event_read", "GET", f"{FW}/tools"),
)
BODIES = {"/api/workspace/{workspace}": {"name": "cells"}}
"""Where the role is judged after the body."""


@dataclass(frozen=True)
class Cast:
    """Callers by name, and what they call about."""

    tokens: dict[str, str]
    workspace: str
    key: str
    gateway_key: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cast(plane: Plane) -> Cast:
    workspace = await plane.workspace("cells")
    tokens = {role: await plane.member(workspace, role, f"{role}@example.test") for role in ROLES}
    elsewhere = await plane.workspace("elsewhere")
    tokens["stranger"] = await plane.member(elsewhere, "owner", "stranger@example.test")
    tokens["former"] = await plane.member(workspace, "", "former@example.test")
    key = await plane.data("POST", "/api/token", workspace=workspace, json={"name": "k"})
    gateway = await plane.data(
        "POST", "/api/token", workspace=workspace, json={"name": "g", "is_firewall_gateway": True}
    )
    tokens["relay key"], tokens["gateway key"] = key["key"], gateway["key"]
    return Cast(tokens, workspace, key["id"], gateway["id"])


async def ask(plane: Plane, cast: Cast, caller: str, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    target = path.format(key=cast.key, workspace=cast.workspace)
    if method in ("POST", "PUT") and "json" not in kwargs:
        kwargs["json"] = BODIES.get(path, NONSENSE)
    answer = await plane.call(method, target, cast.tokens[caller], cast.workspace, **kwargs)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("action", "method", "path"), ACTIONS, ids=lambda value: str(value))
async def test_every_cell(plane: Plane, cast: Cast, action: str, method: str, path: str) -> None:
    least = LEAST_ROLE[action]
    for number, role in enumerate(ROLES, start=1):
        status, body = await ask(plane, cast, role, method, path)
        if number >= least:
            found = method == "GET" and "none" not in path
            assert status in ((200,) if found else (200, 404, 422)), (role, status, body)
        else:
            assert (status, body["code"]) == (403, "forbidden"), (role, status, body)
    for caller in ("stranger", "former"):
        status, body = await ask(plane, cast, caller, method, path)
        expected = (200, None) if path == "/api/user/self" else (404, "not_found")
        assert (status, body.get("code")) == expected, (caller, status, body)
    for caller in ("relay key", "gateway key"):
        status, body = await ask(plane, cast, caller, method, path)
        assert (status, body["code"]) == (401, "unauthorized"), (caller, status, body)
    anonymous = await plane.http.request(method, path.format(key=cast.key, workspace=cast.workspace))
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "unauthorized")


async def test_the_table_is_covered() -> None:
    elsewhere = {
        # Each has its own test below; raw text and captures in the suites of guardrail and analytics.
        "gateway_key_write", "ownership_transfer", "workspace_delete", "match_raw_read", "capture_read",
    }  # fmt: skip
    assert {action for action, _, _ in ACTIONS} | elsewhere == set(LEAST_ROLE)


async def test_every_served_operation_about_a_workspace_has_a_cell(plane: Plane) -> None:
    def shape(path: str) -> str:
        named = re.sub(r"\{[^}]+\}|none|acme/m|orca/echo", "*", path.partition("?")[0])
        return re.sub(r"/(approve|reject)$", "/*", named) if "/approvals/" in named else named

    cells = {(method, shape(path)) for _, method, path in ACTIONS}
    # The caller's own account, the platform operator's and the owner's routes have tests of their own.
    apart = {("POST", "/api/ledger/workspace/credit"), ("DELETE", "/api/workspace/*")}
    document = (await plane.http.get("/api/openapi.json")).json()
    missing = {
        (method.upper(), shape(path))
        for path, item in document["paths"].items()
        for method in item
        if path not in PUBLIC and not path.startswith(("/api/user/", "/api/v1/firewall/")) and path != "/api/workspace"
    } - cells
    assert missing == apart


PUBLIC = frozenset({"/api/user/login", "/api/status", "/api/v1/firewall/approvals/{approval_id}/callback"})


async def test_no_served_operation_is_open_to_outsiders(plane: Plane, cast: Cast) -> None:
    document = (await plane.http.get("/api/openapi.json")).json()
    tried = 0
    for path, item in document["paths"].items():
        own_account = path.startswith("/api/user/") or path == "/api/workspace"
        for method in item:
            if path in PUBLIC:
                continue
            tried += 1
            target = re.sub(r"\{[^}]+\}", "none", path)
            kwargs: dict[str, Any] = {"json": NONSENSE} if method in ("post", "put") else {}
            anonymous = await plane.http.request(method, target, **kwargs)
            assert anonymous.status_code == 401, (method, path, anonymous.text)
            for caller in ("relay key", "stranger", "former"):
                answer = await plane.call(method, target, cast.tokens[caller], cast.workspace, **kwargs)
                gateway = path.startswith("/api/v1/firewall/")
                expected: tuple[int, ...] = (403,) if caller == "relay key" and gateway else (401,)
                if caller != "relay key" and not gateway:
                    expected = (200, 403, 404, 422) if own_account else (404, 422)
                assert answer.status_code in expected, (caller, method, path, answer.text)
    assert tried > len(ACTIONS) / 2


async def test_everyone_is_told_their_own_permissions(plane: Plane, cast: Cast) -> None:
    for number, role in enumerate(ROLES, start=1):
        (membership,) = (await plane.data("GET", "/api/user/self", cast.tokens[role]))["workspaces"]
        assert membership == {
            "id": cast.workspace,
            "name": "cells",
            "role": role,
            "permissions": [action for action, least in LEAST_ROLE.items() if least <= number],
        }


@pytest.mark.parametrize("role", ROLES)
async def test_gateway_keys_need_an_admin(plane: Plane, cast: Cast, role: str) -> None:
    allowed = role in ("admin", "owner")
    calls: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/api/token", {"name": "g", "is_firewall_gateway": True}),
        ("PUT", "/api/token/{key}", {"is_firewall_gateway": True}),
        ("PUT", f"/api/token/{cast.gateway_key}", {"environment": role}),
        ("POST", f"/api/token/{cast.gateway_key}/successor", None),
        ("PUT", "/api/token/{key}", {"is_firewall_gateway": False}),
    )
    for method, path, body in calls:
        status, answer = await ask(plane, cast, role, method, path, json=body)
        wanted = 200 if allowed else 403
        if role == "developer" and body == {"is_firewall_gateway": False}:
            wanted = 200  # The key never became a gateway key, so there is nothing to refuse.
        assert status == wanted, (method, path, body, answer)


async def test_only_owners_give_and_take_ownership(plane: Plane, cast: Cast) -> None:
    workspace = await plane.workspace("ownership")
    admin = await plane.member(workspace, "admin", "o-admin@example.test")
    owner = await plane.member(workspace, "owner", "o-owner@example.test")
    viewer = await plane.member(workspace, "viewer", "o-viewer@example.test")
    members = await plane.data("GET", "/api/workspace/members", admin, workspace)
    ids = {item["email"]: item["user_id"] for item in members["items"]}

    async def put(token: str, who: str, role: str) -> int:
        path = f"/api/workspace/members/{ids[who]}"
        return int((await plane.call("PUT", path, token, workspace, json={"role": role})).status_code)

    assert await put(admin, "o-viewer@example.test", "owner") == 403
    assert await put(admin, "o-owner@example.test", "viewer") == 403
    assert await put(admin, "o-admin@example.test", "owner") == 403
    new = {"email": "o-new@example.test", "role": "owner", "password": "a long password"}
    assert (await plane.call("POST", "/api/workspace/members", admin, workspace, json=new)).status_code == 403
    path = f"/api/workspace/members/{ids['o-owner@example.test']}"
    assert (await plane.call("DELETE", path, admin, workspace)).status_code == 403
    assert await put(admin, "o-viewer@example.test", "developer") == 200
    assert await put(owner, "o-viewer@example.test", "owner") == 200
    assert await put(viewer, "o-owner@example.test", "admin") == 200
    assert await put(viewer, "root@example.test", "admin") == 200
    answer = await plane.call(
        "PUT", f"/api/workspace/members/{ids['o-viewer@example.test']}", viewer, workspace, json={"role": "admin"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")


@pytest.mark.parametrize("role", ROLES)
async def test_only_owners_delete_a_workspace(plane: Plane, role: str) -> None:
    workspace = await plane.workspace(f"doomed {role}")
    token = await plane.member(workspace, role, f"d-{role}@example.test")
    key = await plane.data("POST", "/api/token", workspace=workspace, json={"name": "k"})
    answer = await plane.call("DELETE", f"/api/workspace/{workspace}", token)
    if role != "owner":
        assert answer.status_code == 403
        return
    assert answer.status_code == 200
    assert (await plane.call("GET", f"/api/token/{key['id']}", workspace=workspace)).status_code == 404
    assert (await plane.call("GET", f"/api/workspace/{workspace}")).status_code == 404


async def test_platform_operators_alone_make_workspaces_and_set_plan_and_credit(plane: Plane, cast: Cast) -> None:
    for role in ROLES:
        status, _ = await ask(plane, cast, role, "POST", "/api/workspace", json={"name": "w"})
        assert status == 403, role
        status, _ = await ask(plane, cast, role, "PUT", "/api/workspace/{workspace}", json={"plan": "gold"})
        assert status == 403, role
        status, _ = await ask(plane, cast, role, "POST", "/api/ledger/workspace/credit", json={"amount_usd": "1"})
        assert status == 403, role
    answer = await plane.data("PUT", f"/api/workspace/{cast.workspace}", json={"plan": "gold"})
    assert answer["plan"] == "gold"


async def test_a_platform_operator_outside_a_workspace_reads_no_tenant_data(plane: Plane) -> None:
    owner = await plane.data("POST", "/api/workspace", json={"name": "private"})
    token = await plane.member(owner["id"], "owner", "private@example.test")
    root = (await plane.data("GET", "/api/user/self"))["id"]
    await plane.data("DELETE", f"/api/workspace/members/{root}", token, owner["id"])
    for path in ("/api/token", "/api/log", "/api/guardrail", f"{FW}/policies", "/api/audit"):
        assert (await plane.call("GET", path, workspace=owner["id"])).status_code == 403, path
