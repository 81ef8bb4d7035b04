"""Bad input at the management edges: always a 4xx with a stable code, never a traceback, never a partial write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from services.common.http import BODY_MAX_BYTES
from tests.support.plane import ROOT_EMAIL, ROOT_PASSWORD, Plane

pytestmark = pytest.mark.asyncio(loop_scope="module")

FW = "/api/workspace/firewall"
WRITES = (
    ("POST", "/api/user/login"),
    ("PUT", "/api/user/self"),
    ("POST", "/api/user/access_tokens"),
    ("POST", "/api/workspace"),
    ("PUT", "/api/workspace/{workspace}"),
    ("POST", "/api/workspace/members"),
    ("PUT", "/api/workspace/settings"),
    ("POST", "/api/token"),
    ("PUT", "/api/token/{key}"),
    ("POST", "/api/channel"),
    ("PUT", "/api/channel/{channel}"),
    ("PUT", "/api/model/acme/m"),
    ("POST", "/api/guardrail"),
    ("PUT", "/api/guardrail/{guardrail}"),
    ("POST", "/api/guardrail/test"),
    ("POST", f"{FW}/policies"),
    ("PUT", f"{FW}/policies/{{policy}}"),
    ("PUT", f"{FW}/settings"),
    ("POST", f"{FW}/test"),
    ("POST", "/api/ledger/workspace/credit"),
)
LISTS = (
    "/api/user/access_tokens",
    "/api/workspace",
    "/api/workspace/members",
    "/api/token",
    "/api/channel",
    "/api/model",
    "/api/audit",
    "/api/guardrail",
    "/api/guardrail/match",
    f"{FW}/policies",
    f"{FW}/events",
    f"{FW}/runs",
    "/api/ledger/entries",
    "/api/log",
)
MALFORMED: dict[str, bytes] = {
    "cut JSON": b'{"name": ',
    "no JSON": b"name=k",
    "an array": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"x"',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "a lone surrogate": b'{"name": "\\ud800", "\\udfff": 1}',
    "an unknown field": b'{"no_such_field": 1}',
    "an unknown field of 100 KB": b'{"' + b"x" * 100_000 + b'": 1}',
    "deep arrays": b"[" * 200_000,
    "a deep value": b'{"name": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "an endless integer": b'{"name": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"name": NaN, "no_such_field": NaN}',
    "UTF-16": '{"name": "k"}'.encode("utf-16")[2:] + b"\x00",
    "nothing": b"",
}


@dataclass(frozen=True)
class Things:
    """What exists in the workspace under test, and a second workspace with the same."""

    workspace: str
    ids: dict[str, str]
    secret: str
    other: str
    other_ids: dict[str, str]


async def furnish(plane: Plane, name: str) -> tuple[str, dict[str, str], str]:
    """A workspace with one of everything."""
    workspace = await plane.workspace(name)

    async def make(path: str, body: dict[str, Any]) -> Any:
        return await plane.data("POST", path, workspace=workspace, json=body)

    key = await make("/api/token", {"name": "k", "credit_limit_usd": "1"})
    channel = await make("/api/channel", {"name": "c", "base_url": "http://127.0.0.1:9/v1", "api_key": "made-up"})
    guardrail = await make("/api/guardrail", {"name": f"g-{name}", "rules": []})
    policy = await make(f"{FW}/policies", {"name": f"p-{name}", "rules": []})
    ids = {"key": key["id"], "channel": channel["id"], "guardrail": guardrail["id"], "policy": policy["id"]}
    return workspace, {**ids, "workspace": workspace}, key["key"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things(plane: Plane) -> Things:
    workspace, ids, secret = await furnish(plane, "one")
    other, other_ids, _ = await furnish(plane, "two")
    return Things(workspace, ids, secret, other, other_ids)


async def state(plane: Plane, workspace: str) -> Any:
    """Everything that a management write could change."""
    paths = (
        "/api/user/self", "/api/user/access_tokens", "/api/workspace", "/api/workspace/members",
        "/api/workspace/settings", "/api/token", "/api/channel", "/api/model", "/api/guardrail",
        f"{FW}/policies", f"{FW}/settings",
        "/api/ledger/workspace", "/api/ledger/entries",
    )  # fmt: skip
    return {path: await plane.data("GET", path, workspace=workspace) for path in paths}


def refused(answer: Any, *statuses: int) -> None:
    """A 4xx in the envelope that echoes nothing large."""
    assert answer.status_code in statuses if statuses else 400 <= answer.status_code < 500, answer.text[:300]
    body = answer.json()
    assert body["success"] is False
    assert body["code"]
    assert body["message"]
    assert len(answer.content) < 1000


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_malformed_bodies_are_refused_and_change_nothing(
    plane: Plane, things: Things, method: str, path: str
) -> None:
    before = await state(plane, things.workspace)
    for name, content in MALFORMED.items():
        if name == "nothing" and path.endswith("access_tokens"):
            continue
        headers = {"Content-Type": "application/json"}
        answer = await plane.call(
            method, path.format(**things.ids), workspace=things.workspace, content=content, headers=headers
        )
        try:
            refused(answer, 422)
        except AssertionError as error:
            raise AssertionError(f"{name}: {answer.status_code} {answer.text[:300]}") from error
    assert await state(plane, things.workspace) == before


@pytest.mark.parametrize("path", ["/api/token", "/api/guardrail", f"{FW}/policies"])
async def test_huge_bodies_are_413(plane: Plane, things: Things, path: str) -> None:
    content = b'{"name": "' + b"x" * BODY_MAX_BYTES + b'"}'
    refused(await plane.call("POST", path, workspace=things.workspace, content=content), 413)


FIELDS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("POST", "/api/token", {"name": 3}, "name"),
    ("POST", "/api/token", {"name": "a\x00b"}, "name"),
    ("POST", "/api/token", {"name": "k" * 129}, "name"),
    ("POST", "/api/token", {"name": "k", "status": "exhausted"}, "status"),
    ("POST", "/api/token", {"name": "k", "credit_limit_usd": "1e400"}, "credit_limit_usd"),
    ("POST", "/api/token", {"name": "k", "credit_limit_usd": True}, "credit_limit_usd"),
    ("POST", "/api/token", {"name": "k", "credit_limit_usd": "NaN"}, "credit_limit_usd"),
    ("POST", "/api/token", {"name": "k", "credit_limit_usd": "-0.01"}, "credit_limit_usd"),
    ("POST", "/api/token", {"name": "k", "rpm_limit": "5"}, "rpm_limit"),
    ("POST", "/api/token", {"name": "k", "rpm_limit": True}, "rpm_limit"),
    ("POST", "/api/token", {"name": "k", "rpm_limit": None}, "rpm_limit"),
    ("POST", "/api/token", {"name": "k", "tpm_limit": 2**63}, "tpm_limit"),
    ("POST", "/api/token", {"name": "k", "expired_time": -2}, "expired_time"),
    ("POST", "/api/token", {"name": "k", "model_limits": "openai/*"}, "model_limits"),
    ("POST", "/api/token", {"name": "k", "model_limits": [""]}, "model_limits.0"),
    ("POST", "/api/token", {"name": "k", "model_limits_enabled": "true"}, "model_limits_enabled"),
    ("POST", "/api/token", {"name": "k", "allow_ips": ["10.0.0.0/33"]}, "allow_ips.0"),
    ("POST", "/api/token", {"name": "k", "allow_ips": ["::1%lo"]}, "allow_ips.0"),
    ("POST", "/api/token", {"name": "k", "guardrail_id": "gr_none"}, "guardrail_id"),
    ("POST", "/api/token", {"name": "k", "firewall_policy_id": "fp_none"}, "firewall_policy_id"),
    ("POST", "/api/token", {"name": "k", "owner_user_id": "user_none"}, "owner_user_id"),
    ("POST", "/api/channel", {"name": "c"}, "base_url"),
    ("POST", "/api/channel", {"name": "c", "base_url": "ftp://x/v1"}, "base_url"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://u:p@x/v1"}, "base_url"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://[::1/v1"}, "base_url"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://x:99999/v1"}, "base_url"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://x/v1", "api_key": "a\r\nb"}, "api_key"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://x/v1", "models": ["a/b", "a/b"]}, "models"),
    ("POST", "/api/channel", {"name": "c", "base_url": "http://x/v1", "timeout_ms": 0}, "timeout_ms"),
    ("PUT", "/api/channel/{channel}", {"enabled": None}, "enabled"),
    ("PUT", "/api/channel/{channel}", {"models": None}, "models"),
    ("PUT", "/api/channel/{channel}", {"models": [{"id": "a/b", "upstream_id": "b", "z": 1}]}, "models.0.z"),
    ("PUT", "/api/model/acme/m", {"input_usd_per_mtok": "x", "output_usd_per_mtok": 1}, "input_usd_per_mtok"),
    ("PUT", "/api/model/acme/m", {"input_usd_per_mtok": 1}, "output_usd_per_mtok"),
    ("PUT", "/api/model/acme/m", {"input_usd_per_mtok": -1, "output_usd_per_mtok": 1}, "input_usd_per_mtok"),
    ("PUT", "/api/workspace/settings", {"low_credit": "steal"}, "low_credit"),
    ("PUT", "/api/workspace/settings", {"low_credit": None}, "low_credit"),
    ("PUT", "/api/workspace/settings", {"fail_open": {"guardrail": None}}, "fail_open.guardrail"),
    ("PUT", "/api/workspace/settings", {"fail_open": {"relay": True}}, "fail_open.relay"),
    ("PUT", "/api/workspace/settings", {"time_zone": "../../etc/passwd"}, "time_zone"),
    ("PUT", "/api/workspace/settings", {"time_zone": "Mars/Olympus"}, "time_zone"),
    ("PUT", "/api/workspace/settings", {"judge_key_id": "key_none"}, "judge_key_id"),
    ("PUT", "/api/workspace/settings", {"log_retention_days": 0}, "log_retention_days"),
    ("PUT", "/api/workspace/settings", {"log_retention_days": 0}, "log_retention_days"),
    ("POST", "/api/workspace/members", {"email": "nobody", "role": "viewer"}, "email"),
    ("POST", "/api/workspace/members", {"email": "a@b", "role": "root"}, "role"),
    ("POST", "/api/workspace/members", {"email": "new@example.test", "role": "viewer"}, "password"),
    ("POST", "/api/workspace/members", {"email": "a@b", "role": "viewer", "password": "short"}, "password"),
    ("POST", "/api/workspace", {"name": ""}, "name"),
    ("POST", "/api/workspace", {"name": "w", "owner_email": "nobody@example.test"}, "owner_email"),
    ("POST", "/api/guardrail", {"name": 3}, "name"),
    ("POST", f"{FW}/policies", {"name": 3}, "name"),
    ("POST", "/api/user/login", {"email": "x\x00@y", "password": "p"}, "email"),
)


@pytest.mark.parametrize(("method", "path", "body", "param"), FIELDS, ids=lambda value: str(value)[:60])
async def test_a_wrong_field_is_named(
    plane: Plane, things: Things, method: str, path: str, body: dict[str, Any], param: str
) -> None:
    answer = await plane.call(
        method, path.format(**things.ids), workspace=things.workspace,
        content=json.dumps(body), headers={"Content-Type": "application/json"},
    )  # fmt: skip
    refused(answer, 422)
    assert (answer.json()["param"], answer.json()["message"].startswith(f"{param}:")) == (param, True), answer.text


async def test_refused_fields_changed_nothing(plane: Plane, things: Things) -> None:
    before = await state(plane, things.workspace)
    for method, path, body, _ in FIELDS:
        await plane.call(method, path.format(**things.ids), workspace=things.workspace, json=body)
    assert await state(plane, things.workspace) == before


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=100000", "limit=1.5", "limit=99999999999999999999",
     "cursor=x", "cursor=%00", "cursor=e30", "cursor=W10", "cursor=WzEsMSwxXQ", "cursor=WyJ4Il0AAA",
     "cursor=%F0%9F%8D%8C", "cursor=WzFlNDAwLCJ4Il0", "cursor=" + "W" * 5000, "cursor=" + "W1tb" * 255],
)  # fmt: skip
async def test_bad_pages_are_refused(plane: Plane, things: Things, path: str, query: str) -> None:
    answer = await plane.call("GET", f"{path}?{query}", workspace=things.workspace)
    refused(answer, 422)


IDS = (
    ("GET", "/api/token/{key}"),
    ("PUT", "/api/token/{key}"),
    ("DELETE", "/api/token/{key}"),
    ("POST", "/api/token/{key}/successor"),
    ("GET", "/api/channel/{channel}"),
    ("PUT", "/api/channel/{channel}"),
    ("DELETE", "/api/channel/{channel}"),
    ("POST", "/api/channel/{channel}/test"),
    ("GET", "/api/guardrail/{guardrail}"),
    ("PUT", "/api/guardrail/{guardrail}"),
    ("DELETE", "/api/guardrail/{guardrail}"),
    ("GET", "/api/guardrail/{guardrail}/history"),
    ("GET", "/api/guardrail/{guardrail}/tokens"),
    ("GET", f"{FW}/policies/{{policy}}"),
    ("PUT", f"{FW}/policies/{{policy}}"),
    ("DELETE", f"{FW}/policies/{{policy}}"),
    ("GET", f"{FW}/policies/{{policy}}/history"),
    ("GET", "/api/ledger/accounts/{key}"),
)


@pytest.mark.parametrize(("method", "path"), IDS)
async def test_ids_of_another_workspace_do_not_exist(plane: Plane, things: Things, method: str, path: str) -> None:
    before = await state(plane, things.other)
    body: dict[str, Any] = {"json": {}} if method in ("PUT", "POST") else {}
    unknown = {name: f"{name}_none" for name in things.ids}
    for ids in (things.other_ids, unknown, dict.fromkeys(unknown, "%20"), dict.fromkeys(unknown, "x" * 3000)):
        answer = await plane.call(method, path.format(**ids), workspace=things.workspace, **body)
        refused(answer, 404)
        assert answer.json()["code"] == "not_found"
    assert await state(plane, things.other) == before


async def test_references_to_another_workspace_are_refused(plane: Plane, things: Things) -> None:
    other = things.other_ids
    for name, value in (("guardrail_id", other["guardrail"]), ("firewall_policy_id", other["policy"])):
        answer = await plane.call(
            "PUT", f"/api/token/{things.ids['key']}", workspace=things.workspace, json={name: value}
        )
        refused(answer, 422)
        assert answer.json()["param"] == name
    answer = await plane.call(
        "PUT", "/api/workspace/settings", workspace=things.workspace, json={"judge_key_id": other["key"]}
    )
    refused(answer, 422)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic cm9vdDp4", "Bearer x", "bearer  ", "Bearer " + "x" * 8000, "Bearer \u00e9\u00ff",
     "Bearer orca-at-" + "x" * 43, "Bearer sk-orca-" + "x" * 43, "Bearer orca-se-" + "x" * 43, "Token x"],
    ids=lambda value: repr(value[:24]),
)  # fmt: skip
async def test_a_wrong_credential_is_401(plane: Plane, things: Things, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1"), b"X-Workspace-Id": things.workspace.encode()}
    for path in ("/api/token", "/api/guardrail", f"{FW}/policies", "/api/log", "/api/ledger/workspace"):
        answer = await plane.http.get(path, headers=headers)
        refused(answer, 401)
        assert "x" * 43 not in answer.text


@pytest.mark.parametrize("workspace", ["ws_none", "\u00ff\u00e9", "x" * 5000, "' OR 1=1 --", "*"])
async def test_a_foreign_workspace_header_is_404(plane: Plane, workspace: str) -> None:
    headers = {"X-Workspace-Id": workspace.encode("latin-1")}
    for path in ("/api/token", "/api/guardrail", f"{FW}/policies", "/api/log", "/api/ledger/workspace"):
        refused(await plane.call("GET", path, headers=headers), 404)


async def test_a_user_of_several_workspaces_names_one(plane: Plane) -> None:
    answer = await plane.call("GET", "/api/token")
    refused(answer, 422)
    assert answer.json()["param"] == "X-Workspace-Id"


async def test_ended_credentials_are_not_replayed(plane: Plane, things: Things) -> None:
    made = await plane.data("POST", "/api/user/access_tokens", json={"name": "short-lived"})
    await plane.data("GET", "/api/user/self", made["token"])
    await plane.data("DELETE", f"/api/user/access_tokens/{made['id']}")
    refused(await plane.call("GET", "/api/user/self", made["token"]), 401)

    credentials = {"email": ROOT_EMAIL, "password": ROOT_PASSWORD}
    login = await plane.http.post("/api/user/login", json=credentials)
    cookie = login.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = {b"Cookie": cookie.partition(";")[0].encode(), b"X-Workspace-Id": things.workspace.encode()}
    csrf = {b"X-CSRF-Token": login.json()["data"]["csrf_token"].encode()}
    plane.http.cookies.clear()
    wrongs: list[dict[bytes, bytes]] = [{}, {b"X-CSRF-Token": b"x"}, {b"X-CSRF-Token": b"\xff"}]
    for wrong in wrongs:
        answer = await plane.http.post("/api/token", json={"name": "forged"}, headers={**session, **wrong})
        refused(answer, 403)
        assert answer.json()["code"] == "csrf_failed"
    assert (await plane.http.get("/api/user/self", headers=session)).status_code == 200
    assert (await plane.http.post("/api/user/logout", headers={**session, **csrf})).status_code == 200
    plane.http.cookies.clear()
    refused(await plane.http.get("/api/user/self", headers=session), 401)
    names = [key["name"] for key in (await plane.data("GET", "/api/token", workspace=things.workspace))["items"]]
    assert "forged" not in names


async def test_a_session_is_no_access_token_and_a_relay_key_is_neither(plane: Plane, things: Things) -> None:
    login = await plane.http.post("/api/user/login", json={"email": ROOT_EMAIL, "password": ROOT_PASSWORD})
    session = login.cookies["orca_session"]
    plane.http.cookies.clear()
    refused(await plane.call("GET", "/api/user/self", session), 401)
    refused(await plane.call("GET", "/api/token", things.secret, things.workspace), 401)
    for value in (things.secret, "x", "\xff"):
        headers = {b"Cookie": f"orca_session={value}".encode("latin-1")}
        refused(await plane.http.get("/api/user/self", headers=headers), 401)


async def test_wrong_methods_and_content_types_keep_the_envelope(plane: Plane, things: Things) -> None:
    answer = await plane.call("PATCH", "/api/token", workspace=things.workspace, json={})
    refused(answer, 405)
    assert answer.headers["allow"] == "GET, POST"
    answer = await plane.call(
        "POST", "/api/token", workspace=things.workspace, content=b"name=k",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    refused(answer, 422)
    assert answer.json()["message"] == "body: must be an object, sent with Content-Type: application/json"


async def test_probes_name_every_service(plane: Plane) -> None:
    services = ("auth", "guardrail", "firewall", "ledger", "analytics")
    ready = await plane.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, dict.fromkeys(services, True))
    assert (await plane.http.get("/livez")).status_code == 200
