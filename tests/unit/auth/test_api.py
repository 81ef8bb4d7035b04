"""Auth through its management API, on SQLite and the embedded log."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.auth.app import App, build
from services.auth.settings import AuthSettings
from services.common.clock import SystemClock
from services.common.eventlog.sqlite_log import SqliteEventLog
from services.common.rpc import LoopbackChannel, LoopbackServer

TOKEN = "orca-at-" + "t" * 43


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """Auth alone: the planes and the ledger are unreachable, as after a crash."""
    settings = AuthSettings(
        key_pepper=SecretStr("p" * 32),
        channel_secret=SecretStr(base64.b64encode(b"k" * 32).decode()),
        bootstrap_admin_password=SecretStr("correct horse"),
        bootstrap_access_token=SecretStr(TOKEN),
        echo_model=True,
    )
    log = SqliteEventLog(tmp_path / "events.db", SystemClock())
    await log.start()
    await log.ensure_topics()
    dead = LoopbackServer()
    dead.close()
    app = await build(
        settings,
        channels=lambda name: LoopbackChannel(dead),
        log=log,
        database_url=f"sqlite:///{tmp_path / 'auth.db'}",
    )
    await app.start()
    await app.bootstrap()
    yield app
    await app.stop()
    await log.stop()


@pytest.fixture
async def client(app: App) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app.asgi)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
        yield client


async def create_key(client: httpx.AsyncClient, **fields: Any) -> Any:
    answer = await client.post("/api/token", json={"name": "k", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_key_is_shown_once_and_masked_afterwards(client: httpx.AsyncClient) -> None:
    key = await create_key(client, credit_limit_usd="0.05", allow_ips=["10.0.0.1"], model_limits=["openai/*"])
    again = (await client.get(f"/api/token/{key['id']}")).json()["data"]
    assert key["key"].startswith("sk-orca-")
    assert len(key["key"]) == 51
    assert again == {**key, "key": f"{key['key'][:11]}****{key['key'][-4:]}"}
    assert (again["credit_limit_usd"], again["allow_ips"]) == ("0.05", ["10.0.0.1/32"])


async def test_an_update_is_partial(client: httpx.AsyncClient) -> None:
    key = await create_key(client, environment="prod")
    answer = await client.put(f"/api/token/{key['id']}", json={"status": "disabled"})
    changed = answer.json()["data"]
    assert (changed["status"], changed["environment"]) == ("disabled", "prod")


async def test_a_successor_shares_scope_and_account(client: httpx.AsyncClient) -> None:
    key = await create_key(client, credit_limit_usd=3)
    successor = (await client.post(f"/api/token/{key['id']}/successor")).json()["data"]
    assert successor["id"] != key["id"]
    assert successor["key"] != key["key"]
    assert (successor["account_id"], successor["credit_limit_usd"]) == (key["account_id"], "3")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"credit_limit_usd": "-1"}, "credit_limit_usd"),
        ({"credit_limit_usd": "0.0000000001"}, "credit_limit_usd"),
        ({"allow_ips": ["nope"]}, "allow_ips.0"),
        ({"expired_time": -2}, "expired_time"),
        ({"rpm_limit": -1}, "rpm_limit"),
        ({"status": "exhausted"}, "status"),
        ({"colour": "blue"}, "colour"),
        ({"name": ""}, "name"),
        ({"owner_user_id": "user_nobody"}, "owner_user_id"),
    ],
)
async def test_a_bad_field_is_named_and_changes_nothing(
    client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    before = (await client.get("/api/token")).json()["data"]
    answer = await client.post("/api/token", json={"name": "k", **fields})
    assert (answer.status_code, answer.json()["param"]) == (422, param)
    assert (await client.get("/api/token")).json()["data"] == before


async def test_channel_credentials_are_never_returned(client: httpx.AsyncClient) -> None:
    body = {"name": "c", "base_url": "http://127.0.0.1:1/v1", "api_key": "sk-up-canary", "models": ["acme/m"]}
    created = (await client.post("/api/channel", json=body)).json()["data"]
    listed = await client.get("/api/channel")
    assert created["models"] == [{"id": "acme/m", "upstream_id": "m"}]
    assert "canary" not in listed.text
    models = {item["id"]: item for item in (await client.get("/api/model")).json()["data"]["items"]}
    assert models["acme/m"]["priced"] is False
    price = {"input_usd_per_mtok": "1.5", "output_usd_per_mtok": 2}
    assert (await client.put("/api/model/acme/m", json=price)).json()["data"]["source"] == "override"
    assert (await client.delete("/api/model/acme/m")).status_code == 200


async def test_sessions_need_their_csrf_token(app: App) -> None:
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        wrong = await client.post("/api/user/login", json={"email": "admin@orca.local", "password": "no"})
        assert wrong.status_code == 401
        login = {"email": "admin@orca.local", "password": "correct horse"}
        csrf = (await client.post("/api/user/login", json=login)).json()["data"]["csrf_token"]
        assert (await client.get("/api/user/self")).json()["data"]["email"] == "admin@orca.local"
        assert (await client.post("/api/token", json={"name": "a"})).status_code == 403
        answer = await client.post("/api/token", json={"name": "a"}, headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 200


async def test_the_last_owner_stays(client: httpx.AsyncClient) -> None:
    user_id = (await client.get("/api/user/self")).json()["data"]["id"]
    answer = await client.delete(f"/api/workspace/members/{user_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")


async def test_other_workspaces_do_not_exist(client: httpx.AsyncClient) -> None:
    key = await create_key(client)
    other = (await client.post("/api/workspace", json={"name": "other"})).json()["data"]["id"]
    headers = {"X-Workspace-Id": other}
    for method, path in (("GET", f"/api/token/{key['id']}"), ("DELETE", f"/api/token/{key['id']}")):
        assert (await client.request(method, path, headers=headers)).status_code == 404
    assert (await client.get("/api/token", headers={"X-Workspace-Id": "ws_none"})).status_code == 404


async def test_a_relay_key_is_no_access_token(client: httpx.AsyncClient) -> None:
    key = await create_key(client)
    answer = await client.get("/api/token", headers={"Authorization": f"Bearer {key['key']}"})
    assert answer.status_code == 401
