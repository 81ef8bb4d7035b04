"""Autonomy levels and templates, with the real guardrail service behind its stub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from orca.auth.v1 import auth_pb2_grpc
from services.common.errors import RpcUnavailable
from services.common.rpc.loopback import LoopbackChannel, LoopbackServer
from services.guardrail.app import App
from services.guardrail.app import build as build_guardrail
from services.guardrail.domain import gate as warmed
from services.guardrail.domain import secrets
from services.guardrail.domain.attack import scorer
from services.guardrail.settings import GuardrailSettings
from tests.support.clock import ManualClock
from tests.unit.firewall.harness import SECRET, FakeAuth, FakeLog, Harness, harness

SHELL = {"tool_name_glob": "shell.*", "verdict": "deny", "label": "mine"}


class Gate(LoopbackServer):
    """The guardrail's server, which can be cut off."""

    down = False

    def handler(self, method: str) -> Any:
        if self.down:
            raise RpcUnavailable("cut off")
        return super().handler(method)


@dataclass
class Both:
    """Both planes; `down` makes the guardrail unreachable from the firewall."""

    plane: Harness
    guardrail: App
    client: httpx.AsyncClient
    clock: ManualClock
    gate: Gate

    async def level(self, level: str, **fields: Any) -> dict[str, Any]:
        status, body = await self.plane.request("POST", "/autonomy", {"level": level, **fields})
        assert status == 200, body
        data: dict[str, Any] = body["data"]
        return data

    async def undo(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        return await self.plane.request("POST", "/autonomy/undo", fields or None)

    async def rails(self, method: str = "GET", path: str = "", body: Any = None) -> Any:
        answer = await self.client.request(
            method, f"/api/guardrail{path}", json=body, headers={"Authorization": "w1/DEVELOPER"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def state(self) -> Any:
        """Everything a level may touch, without versions, times and history."""
        _, policies = await self.plane.request("GET", "/policies")
        _, settings = await self.plane.request("GET", "/settings")
        drop = ("version", "updated_time")
        rows = [[{k: v for k, v in row.items() if k not in drop} for row in found["items"]]
                for found in (policies["data"], await self.rails())]  # fmt: skip
        return [*rows, settings["data"]]


@asynccontextmanager
async def planes(directory: Path) -> AsyncIterator[Both]:
    clock, auth, gate = ManualClock(), FakeAuth(), Gate()
    servers: dict[str, LoopbackServer] = {"auth": LoopbackServer()}
    auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, servers["auth"])
    guardrail = await build_guardrail(
        GuardrailSettings(fingerprint_secret=SecretStr("f" * 32), rule_secret=SecretStr(SECRET)),
        channels=lambda name: LoopbackChannel(servers.get(name) or LoopbackServer()),  # type: ignore[arg-type, return-value]
        log=FakeLog(),  # type: ignore[arg-type]
        database_url=f"sqlite:///{directory}/guardrail.db",
        clock=clock,
    )
    guardrail.register(gate)
    # As its start does: the first compilation on a busy machine takes longer than the firewall waits for an answer.
    for warm in (warmed.warm, secrets.warm, scorer.warm):
        warm()
    await guardrail.snapshot.refresh()
    assert guardrail.asgi is not None
    transport = httpx.ASGITransport(app=guardrail.asgi)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://guardrail") as client,
        harness(directory, clock=clock, guardrail=gate) as plane,
    ):
        plane.keys.names = auth.names
        yield Both(plane, guardrail, client, clock, gate)
    await guardrail.webhook.close()
    await guardrail.database.close()


@pytest_asyncio.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with planes(tmp_path) as built:
        yield built


async def test_each_level_sets_both_defaults_and_observe_mode(both: Both) -> None:
    tight = await both.level("tight")
    assert {k: tight[k] for k in ("level", "policy", "guardrail", "observe_mode", "applying")} == {
        "level": "tight", "policy": "applied", "guardrail": "applied", "observe_mode": False, "applying": False,
    }  # fmt: skip
    _, body = await both.plane.request("GET", f"/policies/{tight['policy_id']}")
    assert (body["data"]["default_verdict"], body["data"]["is_default"]) == ("deny", True)
    rail = await both.rails(path=f"/{tight['guardrail_id']}")
    assert (rail["is_default"], {rule["action"] for rule in rail["rules"]} <= {"mask", "block"}) == (True, True)
    balanced = await both.level("balanced")
    assert (balanced["policy_id"], balanced["guardrail_id"]) == (tight["policy_id"], tight["guardrail_id"])
    _, body = await both.plane.request("GET", f"/policies/{tight['policy_id']}")
    assert body["data"]["default_verdict"] == "audit"
    rail = await both.rails(path=f"/{tight['guardrail_id']}")
    assert {rule["action"] for rule in rail["rules"]} == {"flag"}
    permissive = await both.level("permissive")
    assert (permissive["policy"], permissive["guardrail"], permissive["observe_mode"]) == ("none", "none", True)
    policies, rails, settings = await both.state()
    assert [row["is_default"] for row in (*policies, *rails)] == [False, False]
    assert settings["observe_mode"] is True
    assert (await both.plane.request("GET", "/autonomy"))[1]["data"] == permissive


async def test_an_authored_default_is_never_weakened_unless_replaced(both: Both) -> None:
    mine = await both.plane.create(name="mine", is_default=True, rules=[SHELL])
    rail = {"name": "tenant-baseline", "is_default": True,
            "rules": [{"type": "pii", "stage": "input", "action": "mask", "entities": ["email"]}]}  # fmt: skip
    baseline = await both.rails("POST", "", rail)
    for level in ("balanced", "permissive", "tight"):
        told = await both.level(level)
        assert (told["policy"], told["guardrail"], told["policy_id"]) == ("kept", "kept", None)
    policies, rails, _ = await both.state()
    assert [(row["id"], row["is_default"]) for row in policies] == [(mine["id"], True)]
    assert [(row["id"], row["is_default"]) for row in rails] == [(baseline["id"], True)]
    before = await both.state()
    told = await both.level("balanced", replace=True)
    assert (told["policy"], told["guardrail"]) == ("applied", "applied")
    policies, rails, _ = await both.state()
    assert [row["is_default"] for row in policies if row["id"] == mine["id"]] == [False]
    assert [row["is_default"] for row in rails if row["id"] == baseline["id"]] == [False]
    assert (await both.undo())[0] == 200
    assert await both.state() == before


async def test_an_edited_managed_row_counts_as_authored(both: Both) -> None:
    tight = await both.level("tight")
    await both.plane.request("PUT", f"/policies/{tight['policy_id']}", {"rules": [SHELL]})
    told = await both.level("balanced")
    assert (told["policy"], told["guardrail"]) == ("kept", "applied")
    _, body = await both.plane.request("GET", f"/policies/{tight['policy_id']}")
    assert [rule["label"] for rule in body["data"]["rules"]] == ["mine"]


async def test_undo_walks_back_level_by_level_to_the_exact_former_state(both: Both) -> None:
    states = [await both.state()]
    for level in ("tight", "permissive", "balanced"):
        await both.level(level)
        states.append(await both.state())
    for state in reversed(states[:-1]):
        assert (await both.undo())[0] == 200
        assert await both.state() == state
    assert (await both.undo())[0] == 404


@pytest.mark.parametrize("side", ["policy", "guardrail", "observe"])
async def test_undo_refuses_over_later_changes_unless_forced(both: Both, side: str) -> None:
    before = await both.state()
    told = await both.level("tight")
    if side == "policy":
        await both.plane.request("PUT", f"/policies/{told['policy_id']}", {"shadow_mode": True})
    elif side == "guardrail":
        await both.rails("PUT", f"/{told['guardrail_id']}", {"enabled": False})
    else:
        await both.plane.request("PUT", "/settings", {"observe_mode": True}, who="w1/ADMIN")
    changed = await both.state()
    status, body = await both.undo()
    assert (status, body["code"]) == (409, "posture_changed")
    assert await both.state() == changed
    assert (await both.undo(force=True))[0] == 200
    assert await both.state() == before


async def test_a_guardrail_that_is_down_changes_nothing_and_one_that_fails_later_is_told_until_done(both: Both) -> None:
    before = await both.state()
    both.gate.down = True
    status, _ = await both.plane.request("POST", "/autonomy", {"level": "tight"})
    assert status == 503
    both.gate.down = False
    assert await both.state() == before
    # Staged, decided, and then cut off: the activation waits and the stage is long dropped.
    whole = both.gate.handler

    def handler(method: str) -> Any:
        if method.endswith("CommitPosture"):
            raise RpcUnavailable("cut off")
        return whole(method)

    both.gate.handler = handler  # type: ignore[method-assign]
    told = await both.level("tight")
    assert (told["applying"], told["policy"]) == (True, "applied")
    assert (await both.undo())[1]["code"] == "posture_applying"
    both.clock.advance(120)
    await both.plane.app.snapshot.refresh()
    both.gate.handler = whole  # type: ignore[method-assign]
    await both.plane.app.housekeeping._chores[0]()
    told = (await both.plane.request("GET", "/autonomy"))[1]["data"]
    assert (told["applying"], told["guardrail"]) == (False, "applied")
    rows = (await both.rails())["items"]
    assert [row["is_default"] for row in rows] == [True]


async def test_a_row_that_keys_name_by_now_is_demoted_rather_than_deleted(both: Both) -> None:
    told = await both.level("tight")
    both.plane.keys.names[told["policy_id"]] = [("key_1", "agent")]
    assert (await both.undo())[0] == 200
    policies, rails, _ = await both.state()
    assert [(row["id"], row["is_default"]) for row in policies] == [(told["policy_id"], False)]
    assert rails == []


async def test_templates_become_ordinary_policies(both: Both) -> None:
    _, listed = await both.plane.request("GET", "/templates")
    names = [item["id"] for item in listed["data"]["items"]]
    assert names == ["baseline", "coding", "support"]
    for name in names:
        status, body = await both.plane.request("POST", "/templates/apply", {"template": name})
        assert (status, body["data"]["version"], body["data"]["is_default"]) == (200, 1, False)
        assert body["data"]["rules"]
    assert (await both.plane.request("POST", "/templates/apply", {"template": "baseline"}))[0] == 409
    status, body = await both.plane.request("POST", "/templates/apply", {"template": "none"})
    assert (status, body["param"]) == (422, "template")
    assert (await both.plane.request("POST", "/templates/apply", {"template": "coding"}, who="w1/VIEWER"))[0] == 403
