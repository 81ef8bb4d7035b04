"""Policies and settings through the management plane, and what governs requests after a write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orca.firewall.v1 import firewall_pb2 as pb
from tests.unit.firewall.harness import Harness, harness

DENY_SHELL = {"tool_name_glob": "shell.*", "verdict": "deny", "label": "no shell"}


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def verdict(plane: Harness, tool: str, policy_id: str = "") -> str:
    answer = await plane.evaluate((tool, "{}"), policy_id=policy_id)
    return pb.Verdict.Name(answer.verdict).removeprefix("VERDICT_").lower()


async def test_a_policy_lives_through_versions_diff_and_revert(plane: Harness) -> None:
    made = await plane.create(rules=[DENY_SHELL], is_default=True)
    assert made["version"] == 1
    assert made["default_verdict"] == "audit"
    path = f"/policies/{made['id']}"
    status, body = await plane.request("PUT", path, {"default_verdict": "deny", "rules": []})
    assert (status, body["data"]["version"]) == (200, 2)
    _, body = await plane.request("GET", f"{path}/diff?from=1&to=2")
    rule = made["rules"][0]
    assert body["data"]["changes"] == [
        {"path": "default_verdict", "before": "audit", "after": "deny"},
        {"path": f"rules.{rule['id']}", "before": rule, "after": None},
    ]
    _, body = await plane.request("POST", f"{path}/revert", {"version": 1})
    assert (body["data"]["version"], body["data"]["rules"]) == (3, [rule])
    _, body = await plane.request("GET", f"{path}/history")
    assert [(row["version"], row["operation"]) for row in body["data"]["items"]] == [
        (3, "revert"),
        (2, "update"),
        (1, "create"),
    ]
    assert await verdict(plane, "shell.run") == "deny"


async def test_resolution_is_the_pinned_table(plane: Harness) -> None:
    assert (await plane.evaluate(("any", "{}"))).calls == []
    default = await plane.create(name="default", is_default=True, default_verdict="deny")
    attached = await plane.create(name="attached", default_verdict="allow")
    assert await verdict(plane, "any", attached["id"]) == "allow"
    assert await verdict(plane, "any") == "deny"
    await plane.request("PUT", f"/policies/{attached['id']}", {"enabled": False})
    assert await verdict(plane, "any", attached["id"]) == "deny"
    await plane.request("PUT", f"/policies/{default['id']}", {"enabled": False})
    assert await verdict(plane, "any", attached["id"]) == "allow"
    await plane.request("PUT", "/settings", {"observe_mode": True}, who="w1/ADMIN")
    observed = await plane.evaluate(("any", "{}"))
    assert [(call.verdict, call.gap) for call in observed.calls] == [(pb.VERDICT_OBSERVE, True)]


async def test_a_policy_that_keys_name_is_not_deleted(plane: Harness) -> None:
    made = await plane.create()
    plane.keys.names[made["id"]] = [("key_7", "agent seven")]
    status, body = await plane.request("DELETE", f"/policies/{made['id']}")
    assert (status, body["code"]) == (409, "firewall_policy_in_use")
    assert "agent seven (key_7)" in body["message"]
    plane.keys.names.clear()
    assert (await plane.request("DELETE", f"/policies/{made['id']}"))[0] == 200
    assert (await plane.request("GET", f"/policies/{made['id']}"))[0] == 404


async def test_a_write_is_one_transaction_with_its_audit_row_and_event(plane: Harness) -> None:
    made = await plane.create(rules=[DENY_SHELL])
    found = await plane.envelopes()
    assert [item.WhichOneof("payload") for item in found] == ["audit", "config"]
    audit, config = found[0].audit, found[1].config
    assert (audit.verb, audit.actor_id, audit.target_id) == ("firewall_policy_create", "user-developer", made["id"])
    assert "shell" not in audit.metadata_json + config.fields_json
    assert (config.entity, config.entity_id, config.version) == ("firewall_policy", made["id"], 1)


async def test_a_deleted_policys_history_stays_readable(plane: Harness) -> None:
    made = await plane.create()
    path = f"/policies/{made['id']}"
    assert (await plane.request("DELETE", path))[0] == 200
    assert (await plane.request("GET", path))[0] == 404
    _, body = await plane.request("GET", f"{path}/history")
    assert [(row["version"], row["operation"]) for row in body["data"]["items"]] == [(2, "delete"), (1, "create")]
    assert (await plane.request("GET", f"{path}/diff?from=1&to=2"))[0] == 200
    assert (await plane.request("GET", f"{path}/diff?from=1&to=3"))[0] == 404
    assert (await plane.request("POST", f"{path}/revert", {"version": 1}))[0] == 404
    assert (await plane.request("GET", f"{path}/history", who="w2/OWNER"))[0] == 404


async def test_another_workspaces_policy_does_not_exist(plane: Harness) -> None:
    made = await plane.create()
    path = f"/policies/{made['id']}"
    calls: list[tuple[str, str, object]] = [
        ("GET", path, None),
        ("PUT", path, {"name": "x"}),
        ("DELETE", path, None),
        ("GET", f"{path}/history", None),
        ("GET", f"{path}/diff?from=1&to=1", None),
        ("POST", f"{path}/revert", {"version": 1}),
    ]
    for method, target, body in calls:
        assert (await plane.request(method, target, body, who="w2/OWNER"))[0] == 404, target


@pytest.mark.parametrize(
    ("method", "path", "body", "least"),
    [
        ("GET", "/policies", None, "VIEWER"),
        ("POST", "/policies", {"name": "x"}, "DEVELOPER"),
        ("GET", "/settings", None, "VIEWER"),
        ("PUT", "/settings", {"observe_mode": True}, "ADMIN"),
        ("POST", "/test", {"tool_name": "x"}, "DEVELOPER"),
        ("GET", "/approvals", None, "DEVELOPER"),
    ],
)
async def test_each_route_has_its_least_role(plane: Harness, method: str, path: str, body: object, least: str) -> None:
    roles = ["VIEWER", "DEVELOPER", "ADMIN", "OWNER"]
    for role in roles:
        status, _ = await plane.request(method, path, body, who=f"w1/{role}")
        # The second member who may create finds the name taken.
        expected = (200, 409) if roles.index(role) >= roles.index(least) else (403,)
        assert status in expected, role


async def test_settings_keep_the_secret_to_themselves(plane: Harness) -> None:
    _, body = await plane.request("GET", "/settings")
    assert body["data"] == {
        "observe_mode": False,
        "approval_ttl_s": 3600,
        "webhook_url": None,
        "webhook_secret_set": False,
    }
    change = {"webhook_url": "https://hooks.example.com/orca", "webhook_secret": "whsec-made-up", "approval_ttl_s": 60}
    status, body = await plane.request("PUT", "/settings", change, who="w1/ADMIN")
    assert status == 200
    assert body["data"] == {
        "observe_mode": False,
        "approval_ttl_s": 60,
        "webhook_url": "https://hooks.example.com/orca",
        "webhook_secret_set": True,
    }
    assert all(b"whsec-made-up" not in item.SerializeToString() for item in await plane.envelopes())
    _, body = await plane.request("PUT", "/settings", {"webhook_url": None}, who="w1/ADMIN")
    assert (body["data"]["webhook_url"], body["data"]["webhook_secret_set"]) == (None, True)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"webhook_url": "http://hooks.example.com"}, "webhook_url"),
        ({"webhook_url": "https://user:pw@hooks.example.com"}, "webhook_url"),
        ({"webhook_url": "https://169.254.169.254/"}, "webhook_url"),
        ({"webhook_url": "https://[fd00::1]/"}, "webhook_url"),
        ({"webhook_url": "https://hooks.example.com"}, "webhook_secret"),
        ({"webhook_secret": "short"}, "webhook_secret"),
        ({"approval_ttl_s": 1}, "approval_ttl_s"),
        ({"approval_ttl_s": None}, "approval_ttl_s"),
        ({"observe_mode": "yes"}, "observe_mode"),
        ({"other": 1}, "other"),
    ],
)
async def test_settings_that_are_refused_name_the_field(plane: Harness, change: dict[str, object], param: str) -> None:
    status, body = await plane.request("PUT", "/settings", change, who="w1/ADMIN")
    assert (status, body["param"]) == (422, param)
    assert (await plane.request("GET", "/settings"))[1]["data"]["webhook_url"] is None


async def test_the_sandbox_judges_and_records_nothing(plane: Harness) -> None:
    await plane.create(rules=[DENY_SHELL], is_default=True)
    before = len(await plane.envelopes())
    _, body = await plane.request("POST", "/test", {"tool_name": "shell.run", "arguments": {"cmd": "ls"}})
    assert body["data"]["verdict"] == "deny"
    assert body["data"]["rule"]["label"] == "no shell"
    draft = {"rules": [{"verdict": "allow"}]}
    _, body = await plane.request("POST", "/test", {"tool_name": "shell.run", "policy": draft})
    assert body["data"]["verdict"] == "allow"
    assert len(await plane.envelopes()) == before
