"""Accounts, members, settings, channels and prices through the management API."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from orca.auth.v1 import auth_pb2
from services.auth.domain.attempts import FAILURES_MAX, WINDOW_S
from services.auth.identity import Identity
from services.auth.operations import TOKENS_MAX
from services.common.errors import OrcaError, TooMany, Unauthorized
from tests.unit.auth.harness import World, changes, on_both, until


async def ids(world: World, path: str, field: str, limit: int) -> list[str]:
    """All ids of a list, page by page."""
    found: list[str] = []
    cursor = ""
    for _ in range(50):
        page = await world.call("GET", f"{path}?limit={limit}{cursor}")
        assert len(page["items"]) <= limit
        found += [item[field] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the list does not end")


@on_both
async def test_every_list_pages_without_loss_or_repetition(world: World) -> None:
    models = [f"acme/m{n}" for n in range(5)]
    for number in range(5):
        await world.key(name=f"k{number}")
        body = {"name": f"c{number}", "base_url": "http://127.0.0.1:9", "models": [models[number]]}
        await world.call("POST", "/api/channel", json=body)
        await world.call("POST", "/api/user/access_tokens", json={"name": f"t{number}"})
    member = {"email": "m@example.test", "role": "viewer", "password": "a long password"}
    await world.call("POST", "/api/workspace/members", json=member)
    assert await ids(world, "/api/workspace/members", "email", 1) == ["admin@orca.local", "m@example.test"]
    assert await ids(world, "/api/model", "id", 2) == [*models, "orca/echo"]
    for path, count in (("/api/token", 6), ("/api/channel", 5), ("/api/user/access_tokens", 6)):
        whole = await ids(world, path, "id", 200)
        assert (len(whole), len(set(whole))) == (count, count), path
        assert await ids(world, path, "id", 2) == whole
    await world.call("POST", "/api/workspace", json={"name": "w"})
    whole = await ids(world, "/api/workspace", "id", 200)
    assert len(whole) == 2
    assert await ids(world, "/api/workspace", "id", 1) == whole


@on_both
async def test_settings_are_whole_partial_and_kept(world: World) -> None:
    defaults = {
        "low_credit": "clamp",
        "judge_key_id": None,
        "fail_open": {"guardrail": False, "firewall": False},
        "rpm_limit": 0,
        "tpm_limit": 0,
        "max_concurrency": 0,
        "time_zone": "UTC",
        "log_retention_days": 30,
        "request_log_enabled": True,
        "capture_bodies": False,
        "capture_consent": None,
    }
    assert await world.call("GET", "/api/workspace/settings") == defaults
    key = await world.key()
    changes: list[dict[str, Any]] = [
        {"fail_open": {"guardrail": True}},
        {"fail_open": {"firewall": True}},
        {"time_zone": "Europe/Berlin", "low_credit": "reject", "judge_key_id": key["id"]},
        {"judge_key_id": None},
        {},
    ]
    for change in changes:
        await world.call("PUT", "/api/workspace/settings", json=change)
    assert await world.call("GET", "/api/workspace/settings") == {
        **defaults,
        "fail_open": {"guardrail": True, "firewall": True},
        "time_zone": "Europe/Berlin",
        "low_credit": "reject",
    }


async def test_access_tokens_are_shown_once_and_bounded(world: World) -> None:
    made = await world.call("POST", "/api/user/access_tokens", json={"name": "ci"})
    (listed, _) = (await world.call("GET", "/api/user/access_tokens"))["items"]
    assert listed["token"] == f"{made['token'][:11]}****{made['token'][-4:]}"
    for _ in range(TOKENS_MAX - 2):
        await world.call("POST", "/api/user/access_tokens", json={})
    refused = await world.http.post("/api/user/access_tokens", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_tokens")


async def test_changes_of_an_account_are_audited_where_it_acts(world: World) -> None:
    second = (await world.call("POST", "/api/workspace", json={"name": "second"}))["id"]
    (first,) = {item["id"] for item in (await world.call("GET", "/api/workspace"))["items"]} - {second}
    made = await world.call("POST", "/api/user/access_tokens", json={})
    await world.call("PUT", "/api/user/self", json={"name": "Ada"})
    await world.call("DELETE", f"/api/user/access_tokens/{made['id']}")
    user = (await world.call("GET", "/api/user/self"))["id"]
    expected = [("access_token_delete", made["id"]), ("user_update", user), ("access_token_create", made["id"])]

    async def audited(workspace: str) -> bool:
        page = await world.call("GET", "/api/audit?limit=3", headers={"X-Workspace-Id": workspace})
        return [(item["verb"], item["target_id"]) for item in page["items"]] == expected

    for workspace in (first, second):
        await until(partial(audited, workspace))


async def test_a_renamed_workspace_keeps_its_settings_where_they_are_read(world: World) -> None:
    (workspace,) = (await world.call("GET", "/api/workspace"))["items"]
    await world.call("PUT", "/api/workspace/settings", json={"log_retention_days": 7})
    await world.call("PUT", f"/api/workspace/{workspace['id']}", json={"name": "renamed", "plan": "gold"})
    # The first start's workspace and key come before.
    told = [event.config for event in await changes(world, 4) if event.config.entity == "workspace"]
    latest = max(told, key=lambda change: change.version)
    assert json.loads(latest.fields_json) == {"log_retention_days": 7, "name": "renamed", "plan": "gold"}


async def test_a_new_password_needs_the_old_one_and_ends_sessions(world: World) -> None:
    transport = httpx.ASGITransport(world.app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as other:
        credentials = {"email": "ADMIN@orca.local", "password": "correct horse"}
        assert (await other.post("/api/user/login", json=credentials)).status_code == 200
        for old in ({}, {"current_password": "wrong"}):
            refused = await world.http.put("/api/user/self", json={"password": "battery staple", **old})
            assert (refused.status_code, refused.json()["param"]) == (403, "current_password")
        body = {"password": "battery staple", "current_password": "correct horse", "name": "Ada"}
        assert (await world.call("PUT", "/api/user/self", json=body))["name"] == "Ada"
        assert (await other.get("/api/user/self")).status_code == 401
        assert (await other.post("/api/user/login", json=credentials)).status_code == 401


async def test_a_stolen_session_cannot_guess_the_password(world: World) -> None:
    guess = {"password": "battery staple", "current_password": "a guess"}
    for _ in range(FAILURES_MAX):
        assert (await world.http.put("/api/user/self", json=guess)).status_code == 403
    right = {**guess, "current_password": "correct horse"}
    refused = await world.http.put("/api/user/self", json=right)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert refused.headers["retry-after"] == str(WINDOW_S)
    world.clock.advance(WINDOW_S)
    assert (await world.http.put("/api/user/self", json=right)).status_code == 200


async def test_failed_logins_make_the_next_one_wait(world: World) -> None:
    async def login(email: str, password: str) -> tuple[int, str]:
        answer = await world.http.post("/api/user/login", json={"email": email, "password": password})
        return answer.status_code, answer.headers.get("retry-after", "")

    right = ("admin@orca.local", "correct horse")
    assert {await login(right[0].upper(), "wrong") for _ in range(FAILURES_MAX)} == {(401, "")}
    world.clock.advance(100)
    assert await login(*right) == (429, str(WINDOW_S - 100))
    assert await login("other@example.test", "wrong") == (401, "")
    world.clock.advance(WINDOW_S - 100)
    assert await login(*right) == (200, "")


async def test_sessions_end_by_the_clock(world: World) -> None:
    transport = httpx.ASGITransport(world.app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as other:
        await other.post("/api/user/login", json={"email": "admin@orca.local", "password": "correct horse"})
        world.clock.advance(43_199)
        assert (await other.get("/api/user/self")).status_code == 200
        world.clock.advance(1)
        assert (await other.get("/api/user/self")).status_code == 401


async def test_a_known_user_joins_with_the_password_they_have(world: World) -> None:
    body = {"email": "M@example.test", "role": "viewer", "password": "a long password"}
    first = await world.call("POST", "/api/workspace/members", json=body)
    assert (first["email"], first["role"]) == ("m@example.test", "viewer")
    again = await world.http.post("/api/workspace/members", json=body)
    assert (again.status_code, again.json()["param"]) == (409, "email")
    other = (await world.call("POST", "/api/workspace", json={"name": "w"}))["id"]
    joined = await world.http.post(
        "/api/workspace/members", json={**body, "password": "another one"}, headers={"X-Workspace-Id": other}
    )
    assert joined.json()["data"]["user_id"] == first["user_id"]
    for password, status in (("another one", 401), ("a long password", 200)):
        login = await world.http.post("/api/user/login", json={"email": "m@example.test", "password": password})
        assert login.status_code == status


@on_both
async def test_the_last_owner_stays_whoever_asks_at_once(world: World) -> None:
    body = {"email": "o@example.test", "role": "owner", "password": "a long password"}
    second = (await world.call("POST", "/api/workspace/members", json=body))["user_id"]
    first = (await world.call("GET", "/api/user/self"))["id"]
    paths = [f"/api/workspace/members/{user_id}" for user_id in (first, second)]
    answers = await asyncio.gather(*(world.http.put(path, json={"role": "admin"}) for path in paths))
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
    members = (await world.call("GET", "/api/workspace/members"))["items"]
    assert [member["role"] for member in members].count("owner") == 1


async def test_one_address_that_tries_many_names_has_to_wait(world: World) -> None:
    identity = Identity(world.app._store, 60, address_failures_max=3)
    for number in range(3):
        with pytest.raises(Unauthorized):
            await identity.login(f"user{number}@example.test", "guess", "203.0.113.7")
    with pytest.raises(TooMany) as refused:
        await identity.login("user9@example.test", "guess", "203.0.113.7")
    assert (refused.value.code, refused.value.retry_after_s) == ("too_many_attempts", 300)
    with pytest.raises(Unauthorized):
        await identity.login("user9@example.test", "guess", "203.0.113.8")


PRICE = {
    "input_usd_per_mtok": "1.5",
    "output_usd_per_mtok": 2,
    "usd_per_request": 0.01,
    "context_length": 4096,
    "tokens_per_byte": 3,
}


async def test_prices_of_models_with_slashes_in_their_ids(world: World) -> None:
    model = "acme/team/m-1"
    body = {"name": "c", "base_url": "http://127.0.0.1:9", "models": [model, {"id": "acme/x", "upstream_id": "x-1"}]}
    created = await world.call("POST", "/api/channel", json=body)
    assert created["models"] == [{"id": model, "upstream_id": "team/m-1"}, {"id": "acme/x", "upstream_id": "x-1"}]
    amounts = ("input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok", "usd_per_request")
    unknown = dict.fromkeys((*amounts, "context_length", "max_output_tokens", "tokens_per_byte"))
    unpriced = {"id": model, "priced": False, "source": None, **unknown}
    assert await world.call("GET", f"/api/model/{model}") == unpriced
    assert await world.call("PUT", f"/api/model/{model.replace('/', '%2F')}", json=PRICE) == {
        "id": model,
        "priced": True,
        "source": "override",
        "input_usd_per_mtok": "1.5",
        "cached_input_usd_per_mtok": "1.5",
        "output_usd_per_mtok": "2",
        "usd_per_request": "0.01",
        "context_length": 4096,
        "max_output_tokens": None,
        "tokens_per_byte": 3,
    }
    await world.call("DELETE", f"/api/model/{model}")
    assert await world.call("GET", f"/api/model/{model}") == unpriced
    assert (await world.http.delete(f"/api/model/{model}")).status_code == 404
    assert (await world.http.get("/api/model/acme/none")).status_code == 404


async def test_channel_credentials_are_never_returned(world: World) -> None:
    body = {"name": "c", "base_url": "http://127.0.0.1:9", "api_key": "up-canary"}
    made = await world.http.post("/api/channel", json=body)
    path = f"/api/channel/{made.json()['data']['id']}"
    answers = [made, await world.http.get("/api/channel"), await world.http.get(path)]
    answers.append(await world.http.put(path, json={"enabled": False}))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert "canary" not in "".join(answer.text for answer in answers)
    assert "api_key" not in "".join(answer.text for answer in answers)
    stream = world.stub.WatchChannels()
    await stream.write(auth_pb2.WatchChannelsRequest(replica_id="r"))
    records = [record for record in (await stream.read()).channels if record.name == "c"]
    assert [(record.api_key, record.enabled) for record in records] == [("up-canary", False)]
    stream.cancel()


@pytest.mark.parametrize(
    ("base_url", "kept"),
    [
        ("http://up.example.test/v1", True),
        ("http://UP.example.test:80/other/", True),
        ("http://evil.example.test/v1", False),
        ("http://up.example.test:8080/v1", False),
        ("https://up.example.test/v1", False),
    ],
)
async def test_a_credential_stays_with_the_origin_it_was_given_for(world: World, base_url: str, kept: bool) -> None:
    body = {"name": "c", "base_url": "http://up.example.test/v1", "api_key": "sk-upstream"}
    made = await world.call("POST", "/api/channel", json=body)
    path = f"/api/channel/{made['id']}"
    answer = await world.http.put(path, json={"base_url": base_url, "weight": 2})
    if kept:
        assert answer.json()["data"] == {**made, "base_url": base_url, "weight": 2}
        return
    assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (422, "invalid_request", "api_key")
    assert await world.call("GET", path) == made
    moved = await world.call("PUT", path, json={"base_url": base_url, "api_key": "sk-other"})
    assert moved == {**made, "base_url": base_url}


async def test_a_channel_without_credential_may_move(world: World) -> None:
    made = await world.call("POST", "/api/channel", json={"name": "c", "base_url": "http://up.example.test/v1"})
    moved = await world.call("PUT", f"/api/channel/{made['id']}", json={"base_url": "http://other.example.test/v1"})
    assert moved["base_url"] == "http://other.example.test/v1"


@on_both
async def test_two_partial_updates_of_a_channel_at_once_both_count(world: World) -> None:
    made = await world.call("POST", "/api/channel", json={"name": "c", "base_url": "http://up.example.test/v1"})
    path = f"/api/channel/{made['id']}"
    await asyncio.gather(*(world.call("PUT", path, json=one) for one in ({"weight": 7}, {"priority": 3})))
    assert await world.call("GET", path) == {**made, "weight": 7, "priority": 3}


async def test_a_channel_is_tested_at_its_own_address(world: World) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def tried(base_url: str) -> Any:
        channel = await world.call(
            "POST", "/api/channel", json={"name": "c", "base_url": base_url, "api_key": "made-up"}
        )
        return await world.call("POST", f"/api/channel/{channel['id']}/test")

    assert await tried(f"http://127.0.0.1:{port}/v1/") == {"reachable": True, "status_code": 401}
    server.close()
    assert asked[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"Authorization: Bearer made-up" in asked[0]
    private = {"reachable": False, "reason": "the address is private; allow it in ORCA_UPSTREAM_ALLOW_CIDRS"}
    for base_url in ("http://169.254.169.254/v1", "http://10.0.0.1/v1", "http://[::ffff:10.0.0.1]/v1"):
        assert await tried(base_url) == private, base_url
    assert (await tried(f"http://127.0.0.1:{port}/v1"))["reachable"] is False
    assert len(asked) == 1


async def test_a_channel_that_answers_without_end_is_tested_by_its_head(world: World) -> None:
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                await writer.drain()
        ended.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    channel = await world.call("POST", "/api/channel", json={"name": "c", "base_url": base_url, "api_key": "made-up"})
    tested = await world.call("POST", f"/api/channel/{channel['id']}/test")
    await ended.wait()
    server.close()
    assert tested == {"reachable": True, "status_code": 200}


async def test_readiness_names_the_parts(world: World) -> None:
    assert world.app.ready() == {"auth_database": True}


@on_both
async def test_each_consent_to_capture_is_recorded_and_numbered(world: World) -> None:
    given = await world.call("PUT", "/api/workspace/settings", json={"capture_bodies": True})
    again = await world.call("PUT", "/api/workspace/settings", json={"capture_bodies": True})
    assert given["capture_consent"] == again["capture_consent"]
    assert given["capture_consent"].keys() == {"version", "user_id", "time"}
    assert given["capture_consent"]["version"] == 1
    taken_back = await world.call("PUT", "/api/workspace/settings", json={"capture_bodies": False})
    assert taken_back["capture_consent"] is None
    renewed = await world.call("PUT", "/api/workspace/settings", json={"capture_bodies": True})
    assert renewed["capture_consent"]["version"] == 2


@on_both
async def test_retention_is_clamped(world: World) -> None:
    settings = await world.call("PUT", "/api/workspace/settings", json={"log_retention_days": 400})
    assert settings["log_retention_days"] == 180


async def logins(identity: Identity, *tries: tuple[str, str]) -> dict[str, int]:
    """How many of these logins, all at once, ended how."""
    answers = await asyncio.gather(
        *(identity.login(email, password, "203.0.113.7") for email, password in tries), return_exceptions=True
    )
    return dict(Counter(answer.code if isinstance(answer, OrcaError) else "ok" for answer in answers))


async def test_guesses_at_once_are_no_more_than_the_limit(world: World) -> None:
    burst = await logins(Identity(world.app._store, 60), *[("admin@orca.local", "guess")] * (FAILURES_MAX + 5))
    assert burst == {"invalid_credentials": FAILURES_MAX, "too_many_attempts": 5}
    sprayed = [(f"user{number}@example.test", "guess") for number in range(8)]
    burst = await logins(Identity(world.app._store, 60, address_failures_max=3), *sprayed)
    assert burst == {"invalid_credentials": 3, "too_many_attempts": 5}


async def test_right_passwords_at_once_are_no_failures(world: World) -> None:
    identity = Identity(world.app._store, 60, address_failures_max=3)
    right = ("admin@orca.local", "correct horse")
    assert await logins(identity, *[right] * (FAILURES_MAX + 2)) == {"ok": FAILURES_MAX + 2}
    # Nor do they forgive the address what it failed at.
    assert await logins(identity, ("a@example.test", "guess"), ("b@example.test", "guess")) == {
        "invalid_credentials": 2
    }
    assert await logins(identity, right) == {"ok": 1}
    await logins(identity, ("c@example.test", "guess"))
    assert await logins(identity, right) == {"too_many_attempts": 1}
