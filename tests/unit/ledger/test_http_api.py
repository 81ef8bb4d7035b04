"""`/api/ledger` through the whole app, with a fake authenticator and the embedded log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from orca.ledger.v1 import ledger_pb2 as pb
from services.allinone.sqlite_log import SqliteEventLog
from services.common.http import Principal, Role
from services.ledger.app import App, build
from services.ledger.consumers import KeyConsumer
from services.ledger.settings import LedgerSettings
from tests.support.clock import ManualClock
from tests.support.documented import Documented
from tests.unit.ledger.harness import KEY, WORKSPACE, acquire, key_change, record, spend

MEMBER = Principal("usr_1", False, WORKSPACE, Role.VIEWER, "token")
ADMIN = replace(MEMBER, role=Role.ADMIN)
ROOT = Principal("usr_0", True, WORKSPACE, Role.NONE, "token")
EMPTY = {
    "limit_usd": None,
    "settled_usd": "0",
    "held_usd": "0",
    "unconfirmed_usd": "0",
    "forfeited_usd": "0",
    "blocked_usd": "0",
    "remaining_usd": None,
}


class FakeAuthenticator:
    def __init__(self) -> None:
        self.principal = MEMBER

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        return self.principal


@dataclass
class Site:
    app: App
    client: httpx.AsyncClient
    caller: FakeAuthenticator
    clock: ManualClock
    documented: Documented
    offset: int = 0

    async def key(self, **values: Any) -> None:
        handler = KeyConsumer(self.app.database, self.clock, self.app.publisher.notify)
        await handler([record(key_change(**values), 0, topic="orca.config.v1")])

    async def data(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(f"/api/ledger{path}")
        self.documented.check(answer)
        assert answer.status_code == status, answer.text
        return answer.json()["data"] if status == 200 else answer.json()["code"]

    async def post(self, path: str, body: Any, principal: Principal) -> tuple[int, Any]:
        self.caller.principal = principal
        answer = await self.client.post(f"/api/ledger{path}", json=body)
        self.documented.check(answer)
        self.caller.principal = MEMBER
        return answer.status_code, answer.json().get("data", answer.json().get("code"))

    async def spend(self, *envelopes: Any) -> None:
        for envelope in envelopes:
            await self.app.spend._handler([record(envelope, self.offset)])
            self.offset += 1


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    clock, caller = ManualClock(), FakeAuthenticator()
    log = SqliteEventLog(tmp_path / "events.db", clock)
    await log.start()
    await log.ensure_topics()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    app = await build(
        LedgerSettings(), channels=lambda name: None, log=log, database_url=url, clock=clock, authenticator=caller
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://ledger") as client:
        yield Site(app, client, caller, clock, Documented((await client.get("/openapi.json")).json()))
    await app.database.close()
    await log.stop()


class TestAccounts:
    async def test_a_key_never_used_answers_zeros_and_its_limit(self, site: Site) -> None:
        await site.key(limit=5_000_000_000)
        expected: dict[str, Any] = {**EMPTY, "limit_usd": "5", "remaining_usd": "5", "leases": []}
        assert await site.data(f"/accounts/{KEY}") == expected

    async def test_amounts_are_decimal_strings(self, site: Site) -> None:
        answer = await site.app.servicer.Acquire(acquire(minimum=10, wanted=10, limit=1_000), None)
        lease = answer.key_lease
        await site.spend(spend("e1", settled=4, blocked=2, key_lease=(lease.lease_id, 4)))
        shown = {
            "id": lease.lease_id,
            "replica_id": "relay_1",
            "state": "open",
            "recalled": False,
            "fence": 1,
            "granted_usd": "0.00000001",
            "reported_usd": "0.000000004",
            "outstanding_usd": "0.000000006",
            "expires_at": 1_700_000_030,
        }
        amounts = {
            "limit_usd": "0.000001",
            "settled_usd": "0.000000004",
            "held_usd": "0.000000006",
            "blocked_usd": "0.000000002",
            "remaining_usd": "0.00000099",
        }
        assert await site.data(f"/accounts/{KEY}") == {**EMPTY, **amounts, "leases": [shown]}

    async def test_a_key_that_is_still_on_its_way_is_waited_for(self, site: Site) -> None:
        asking = asyncio.ensure_future(site.data("/accounts/key_1"))
        await asyncio.sleep(0.02)
        assert not asking.done()
        await site.key(limit=10**9)
        assert (await asking)["limit_usd"] == "1"

    async def test_unknown_keys_and_other_workspaces_keys_are_404(self, site: Site) -> None:
        await site.key(key_id="key_2", account_id="acc_2", workspace_id="ws_2")
        for key_id in ("key_9", "key_2"):
            assert await site.data(f"/accounts/{key_id}", 404) == "not_found"
            assert await site.data(f"/entries?key_id={key_id}", 404) == "not_found"

    async def test_a_successor_shows_the_same_account(self, site: Site) -> None:
        await site.key(limit=100)
        await site.key(key_id="key_2", limit=100, version=2)
        await site.spend(spend("e1", settled=4))
        assert await site.data("/accounts/key_2") == await site.data(f"/accounts/{KEY}")


class TestEntries:
    async def test_newest_first_and_paged(self, site: Site) -> None:
        await site.key()
        await site.spend(*(spend(f"e{n}", settled=n, occurred_at_us=n * 1_000_000) for n in range(1, 4)))
        first = await site.data(f"/entries?key_id={KEY}&limit=2")
        second = await site.data(f"/entries?key_id={KEY}&limit=2&cursor={first['next_cursor']}")
        assert [item["id"] for item in first["items"] + second["items"]] == ["e3", "e2", "e1"]
        assert second["next_cursor"] is None
        assert second["items"][0] == {
            "id": "e1",
            "kind": "spend",
            "account_id": "acc_1",
            "key_id": KEY,
            "request_id": "req_e1",
            "model": "acme/small",
            "lease_id": None,
            "refers_to": None,
            "occurred_at": 1.0,
            "amount_usd": "0",
            "settled_usd": "0.000000001",
            "unconfirmed_usd": "0",
            "blocked_usd": "0",
            "overrun_usd": "0",
            "estimated": False,
            "reversed": False,
        }

    @pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "WyJhIiwiYiJd", "%F0"])
    async def test_a_foreign_cursor_is_422(self, site: Site, cursor: str) -> None:
        assert await site.data(f"/entries?cursor={cursor}", 422) == "invalid_request"


class TestReverse:
    async def test_an_admin_reverses_unconfirmed_once(self, site: Site) -> None:
        await site.key()
        await site.spend(spend("e1", unconfirmed=7))
        assert await site.post("/entries/e1/reverse", None, replace(MEMBER, role=Role.DEVELOPER)) == (403, "forbidden")
        reversed_usd = {"entry_id": "e1", "reversed_usd": "0.000000007"}
        assert await site.post("/entries/e1/reverse", None, ADMIN) == (200, reversed_usd)
        assert await site.post("/entries/e1/reverse", None, ADMIN) == (409, "conflict")
        assert (await site.data(f"/accounts/{KEY}"))["unconfirmed_usd"] == "0"
        kinds = [(item["kind"], item["refers_to"]) for item in (await site.data("/entries"))["items"]]
        assert sorted(kinds, key=str) == [("reversal", "e1"), ("spend", None)]

    async def test_another_workspaces_entry_is_404(self, site: Site) -> None:
        await site.spend(spend("e1", unconfirmed=7))
        assert await site.post("/entries/e1/reverse", None, replace(ADMIN, workspace_id="ws_2")) == (404, "not_found")


class TestUnfreeze:
    async def test_an_admin_lets_a_frozen_account_go_on(self, site: Site) -> None:
        await site.key()
        granted = await site.app.servicer.Acquire(acquire(minimum=40, wanted=40), None)
        assert await site.post(f"/accounts/{KEY}/unfreeze", None, ADMIN) == (409, "conflict")
        await site.spend(spend("e1", settled=-1))
        assert (await site.data(f"/accounts/{KEY}"))["frozen"]
        assert (await site.app.servicer.Acquire(acquire("acq_2"), None)).refusal == pb.REFUSAL_FROZEN
        unfreeze = f"/accounts/{KEY}/unfreeze"
        assert await site.post(unfreeze, None, replace(MEMBER, role=Role.DEVELOPER)) == (403, "forbidden")
        assert await site.post(unfreeze, None, replace(ADMIN, workspace_id="ws_2")) == (404, "not_found")
        assert await site.post(unfreeze, None, ADMIN) == (200, {"account_id": "acc_1", "unbooked_records": 1})
        assert await site.post(unfreeze, None, ADMIN) == (409, "conflict")
        again = await site.app.servicer.Acquire(acquire("acq_3"), None)
        assert again.key_lease.granted_nano_usd == 10
        # What the record stands for stays where it was: tied up in its lease.
        shown = await site.data(f"/accounts/{KEY}")
        assert (shown["held_usd"], "frozen" in shown) == ("0.00000005", False)
        assert granted.key_lease.lease_id in [lease["id"] for lease in shown["leases"]]


class TestCredit:
    async def test_the_operator_sets_raises_and_lifts_the_limit(self, site: Site) -> None:
        limited = {**EMPTY, "limit_usd": "2.5", "remaining_usd": "2.5"}
        assert await site.post("/workspace/credit", {"limit_usd": "2.5"}, ROOT) == (200, limited)
        status, data = await site.post("/workspace/credit", {"add_usd": 1}, ROOT)
        assert (status, data["limit_usd"]) == (200, "3.5")
        assert (await site.data("/workspace"))["limit_usd"] == "3.5"
        assert await site.post("/workspace/credit", {"limit_usd": None}, ROOT) == (200, EMPTY)

    async def test_owners_may_not(self, site: Site) -> None:
        owner = replace(MEMBER, role=Role.OWNER)
        assert await site.post("/workspace/credit", {"limit_usd": "2"}, owner) == (403, "forbidden")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"limit_usd": "1", "add_usd": "1"},
            {"limit_usd": "-1"},
            {"limit_usd": "0.0000000001"},
            {"limit_usd": True},
            {"limit_usd": "NaN"},
            {"limit_usd": 10**30},
            {"add_usd": "1"},
            {"add_usd": None},
            {"limit_usd": "1", "x": 1},
            [],
        ],
    )
    async def test_a_wrong_body_is_422_and_changes_nothing(self, site: Site, body: Any) -> None:
        assert await site.post("/workspace/credit", body, ROOT) == (422, "invalid_request")
        assert await site.data("/workspace") == {**EMPTY, "leases": []}
