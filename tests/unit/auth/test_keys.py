"""Keys through the management API: the whole object, limits of the account, policies' owners, use, publication."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest

from orca.auth.v1 import auth_pb2
from tests.unit.auth.harness import World, changes, on_both, until

NOW_S = 1_700_000_000


async def test_the_whole_key_object(world: World) -> None:
    created = await world.key(
        credit_limit_usd="2.5", blocked_output_limit_usd=0, model_limits_enabled=True, model_limits=["openai/*"],
        allow_ips=["10.1.2.3/8", "2001:db8::1"], expired_time=NOW_S + 60, environment="prod", rpm_limit=5,
        tpm_limit=6, max_concurrency=7,
    )  # fmt: skip
    user = await world.call("GET", "/api/user/self")
    assert created == {
        "id": created["id"],
        "name": "k",
        "key": created["key"],
        "status": "enabled",
        "created_time": NOW_S,
        "accessed_time": None,
        "credit_limit_usd": "2.5",
        "used_usd": "0",
        "held_usd": "0",
        "blocked_usd": "0",
        "remaining_usd": "2.5",
        "model_limits_enabled": True,
        "model_limits": ["openai/*"],
        "blocked_output_limit_usd": "0",
        "account_id": created["account_id"],
        "owner_user_id": user["id"],
        "allow_ips": ["10.0.0.0/8", "2001:db8::1"],
        "expired_time": NOW_S + 60,
        "environment": "prod",
        "guardrail_id": None,
        "firewall_policy_id": None,
        "is_firewall_gateway": False,
        "rpm_limit": 5,
        "tpm_limit": 6,
        "max_concurrency": 7,
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("127.0.0.1", "127.0.0.1"), ("127.0.0.1/32", "127.0.0.1/32"), ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.0/120", "192.0.2.0/24"), ("::/0", "::/0"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
    ],
)  # fmt: skip
async def test_addresses_are_kept_as_they_are_compared(world: World, given: str, kept: str) -> None:
    assert (await world.key(allow_ips=[given]))["allow_ips"] == [kept]


async def test_a_key_has_its_maker_as_owner_until_another_is_named(world: World) -> None:
    maker = (await world.call("GET", "/api/user/self"))["id"]
    key = await world.key(owner_user_id=None)
    assert key["owner_user_id"] == maker
    path = f"/api/token/{key['id']}"
    assert (await world.call("PUT", path, json={"owner_user_id": None}))["owner_user_id"] is None


async def test_a_successor_may_be_named_and_nothing_else(world: World) -> None:
    key = await world.key(environment="prod", credit_limit_usd="1")
    path = f"/api/token/{key['id']}/successor"
    successor = await world.call("POST", path, json={"name": "k-2"})
    own = {name: successor[name] for name in ("id", "key", "created_time")}
    assert successor == {**key, **own, "name": "k-2"}
    assert (await world.call("POST", path))["name"] == "k"
    bodies: list[Any] = [{"environment": "dev"}, {"credit_limit_usd": "2"}, {"name": ""}, []]
    for body in bodies:
        assert (await world.http.post(path, json=body)).status_code == 422


async def test_a_key_is_shown_once_and_masked_afterwards(world: World) -> None:
    key = await world.key()
    again = await world.call("GET", f"/api/token/{key['id']}")
    assert (key["key"].startswith("sk-orca-"), len(key["key"])) == (True, 51)
    assert again == {**key, "key": f"{key['key'][:11]}****{key['key'][-4:]}"}
    assert key["key"] not in (await world.http.get("/api/token")).text


async def test_amounts_come_from_the_ledger_and_make_the_status(world: World) -> None:
    key = await world.key(credit_limit_usd="1")
    world.ledgers.amounts[key["account_id"]] = {
        "settled_nano_usd": 600_000_000, "held_nano_usd": 100_000_000, "unconfirmed_nano_usd": 50_000_000,
        "forfeited_nano_usd": 50_000_000, "blocked_nano_usd": 7,
    }  # fmt: skip

    async def amounts() -> tuple[Any, ...]:
        shown = await world.call("GET", f"/api/token/{key['id']}")
        return tuple(shown[name] for name in ("status", "used_usd", "held_usd", "blocked_usd", "remaining_usd"))

    assert await amounts() == ("enabled", "0.6", "0.1", "0.000000007", "0.2")
    world.ledgers.amounts[key["account_id"]]["settled_nano_usd"] = 800_000_000
    assert await amounts() == ("exhausted", "0.8", "0.1", "0.000000007", "0")
    await world.call("PUT", f"/api/token/{key['id']}", json={"status": "disabled"})
    assert (await amounts())[0] == "disabled"
    world.servers["ledger"].close()
    assert await amounts() == ("disabled", None, None, None, None)


async def test_a_key_expires_by_the_clock(world: World) -> None:
    key = await world.key(expired_time=NOW_S + 10)
    world.clock.advance(9)
    assert (await world.call("GET", f"/api/token/{key['id']}"))["status"] == "enabled"
    world.clock.advance(1)
    assert (await world.call("GET", f"/api/token/{key['id']}"))["status"] == "expired"


@on_both
async def test_limits_of_an_account_are_one_for_all_its_keys(world: World) -> None:
    first = await world.key(credit_limit_usd="1", environment="prod")
    second = await world.call("POST", f"/api/token/{first['id']}/successor")
    other = await world.key(credit_limit_usd="1")
    await world.call("PUT", f"/api/token/{second['id']}", json={"credit_limit_usd": "3", "environment": "next"})
    shown = {item["id"]: item for item in (await world.call("GET", "/api/token"))["items"]}
    assert [
        (shown[key["id"]]["credit_limit_usd"], shown[key["id"]]["environment"]) for key in (first, second, other)
    ] == [("3", "prod"), ("3", "next"), ("1", "")]


@on_both
async def test_updates_at_once_both_count(world: World) -> None:
    key = await world.key()
    path = f"/api/token/{key['id']}"
    changes: list[dict[str, Any]] = [{"environment": "prod"}, {"rpm_limit": 9}, {"name": "renamed"}]
    await asyncio.gather(*(world.call("PUT", path, json=change) for change in changes))
    after = await world.call("GET", path)
    assert (after["environment"], after["rpm_limit"], after["name"]) == ("prod", 9, "renamed")


@pytest.mark.parametrize(("field", "plane"), [("guardrail_id", "guardrail"), ("firewall_policy_id", "firewall")])
async def test_policies_are_checked_with_their_owner(world: World, field: str, plane: str) -> None:
    planes: dict[str, Any] = {"guardrail": world.guardrails, "firewall": world.firewalls}
    planes[plane].known.add("known")
    key = await world.key(**{field: "known"})
    assert key[field] == "known"
    refused = await world.http.post("/api/token", json={"name": "k", field: "unknown"})
    assert (refused.status_code, refused.json()["param"]) == (422, field)
    world.servers[plane].close()
    down = await world.http.post("/api/token", json={"name": "k", field: "other"})
    assert (down.status_code, down.json()["code"]) == (503, "service_unavailable")
    # What is already attached needs no question, so that a plane that is down does not freeze its keys.
    await world.call("PUT", f"/api/token/{key['id']}", json={"status": "disabled"})
    assert (await world.call("PUT", f"/api/token/{key['id']}", json={field: 0}))[field] is None


async def test_keys_that_name_a_policy_are_listed_to_its_owner(world: World) -> None:
    world.guardrails.known.add("g1")
    key = await world.key(guardrail_id="g1")
    workspace = (await world.call("GET", "/api/user/self"))["workspaces"][0]["id"]

    async def naming(workspace_id: str) -> list[tuple[str, str]]:
        request = auth_pb2.KeysNamingRequest(workspace_id=workspace_id, plane=auth_pb2.PLANE_GUARDRAIL, policy_id="g1")
        return [(item.key_id, item.name) for item in (await world.stub.KeysNaming(request)).keys]

    assert await naming(workspace) == [(key["id"], "k")]
    assert await naming("ws_other") == []
    await world.call("DELETE", f"/api/token/{key['id']}")
    assert await naming(workspace) == []


@on_both
async def test_relays_report_when_a_key_was_used(world: World) -> None:
    key = await world.key()
    path = f"/api/token/{key['id']}"
    stream = world.stub.WatchKeys()
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="r"))
    await stream.read()

    async def report(at_s: int) -> None:
        used = [auth_pb2.KeyUse(key_id=name, used_at_unix_s=at_s) for name in (key["id"], "key_none")]
        await stream.write(auth_pb2.WatchKeysRequest(replica_id="r", used=used))

    async def shows(at_s: int) -> bool:
        return bool((await world.call("GET", path))["accessed_time"] == at_s)

    await report(NOW_S + 5)
    await until(lambda: shows(NOW_S + 5))
    await report(NOW_S + 1)
    await report(NOW_S + 7)
    await until(lambda: shows(NOW_S + 7))
    stream.cancel()


async def test_a_write_answers_after_connected_relays_have_it(world: World) -> None:
    key = await world.key()
    stream = world.stub.WatchKeys()
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="r"))
    snapshot = await stream.read()
    assert snapshot.snapshot_complete
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="r", applied_revision=snapshot.revision))
    revoked = asyncio.create_task(world.call("DELETE", f"/api/token/{key['id']}"))
    while not (message := await stream.read()).keys:
        assert not revoked.done()
    assert (message.keys[0].key_id, message.keys[0].deleted, revoked.done()) == (key["id"], True, False)
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="r", applied_revision=message.revision))
    await revoked
    stream.cancel()


async def test_a_deleted_workspace_takes_its_keys_with_it(world: World) -> None:
    workspace = (await world.call("POST", "/api/workspace", json={"name": "w"}))["id"]
    headers = {"X-Workspace-Id": workspace}
    key = await world.call("POST", "/api/token", json={"name": "k"}, headers=headers)
    await world.call("DELETE", f"/api/workspace/{workspace}")
    stream = world.stub.WatchKeys()
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="r"))
    records = {record.key_id: record for record in (await stream.read()).keys}
    assert key["id"] not in records or records[key["id"]].deleted
    stream.cancel()
    assert (await world.http.get(f"/api/token/{key['id']}", headers=headers)).status_code == 404


async def test_changes_are_published_and_audited_without_secrets(world: World) -> None:
    key = await world.key(environment="prod")
    channel = await world.call(
        "POST", "/api/channel", json={"name": "c", "base_url": "http://127.0.0.1:9", "api_key": "up-canary"}
    )
    await world.call("DELETE", f"/api/token/{key['id']}")
    # The first start's workspace and key come before.
    config = await changes(world, 5)
    ours = [event.config for event in config if event.config.entity_id in (key["id"], channel["id"])]
    in_order = sorted(ours, key=lambda change: change.version)
    assert [(change.entity, change.operation) for change in in_order] == [
        ("key", "create"), ("channel", "create"), ("key", "delete"),
    ]  # fmt: skip
    assert {json.loads(change.fields_json).get("environment") for change in ours if change.entity == "key"} == {"prod"}

    async def audited() -> bool:
        page = await world.call("GET", "/api/audit?limit=3")
        return [(item["verb"], item["target_id"]) for item in page["items"]] == [
            ("token_delete", key["id"]), ("channel_create", channel["id"]), ("token_create", key["id"]),
        ]  # fmt: skip

    await until(audited)
    everything = str(config) + (await world.http.get("/api/audit?limit=200")).text
    assert key["key"] not in everything
    assert "up-canary" not in everything


async def test_an_unknown_hash_is_no_key(world: World) -> None:
    with pytest.raises(grpc.RpcError):
        await world.stub.ResolveKey(auth_pb2.ResolveKeyRequest(secret_hash=b"\x00" * 32))
