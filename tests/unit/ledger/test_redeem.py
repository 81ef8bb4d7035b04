"""Redeeming held answers on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from orca.events.v1.events_pb2 import Envelope
from orca.ledger.v1 import ledger_pb2 as pb
from services.common.errors import BadRequest, Conflict, NotFound
from services.ledger.domain.model import Amounts
from services.ledger.storage.tables import ENTRIES
from tests.unit.ledger.harness import ACCOUNT, KEY, WORKSPACE, Ledger, acquire, spend


def ask(approval_id: str = "a1", **values: str) -> pb.RedeemRequest:
    fields = {"workspace_id": WORKSPACE, "account_id": ACCOUNT, "key_id": KEY, "request_id": "req_held"}
    return pb.RedeemRequest(approval_id=approval_id, **{**fields, **values})


def held(blocked: int = 30, event_id: str = "held") -> Envelope:
    return spend(event_id, blocked=blocked)


async def redeem(ledger: Ledger, request: pb.RedeemRequest) -> pb.RedeemResponse:
    return await ledger.servicer.Redeem(request, None)


class TestRedeem:
    async def test_moves_blocked_to_settled_on_both_accounts(self, ledger: Ledger) -> None:
        await ledger.servicer.Acquire(acquire(limit=100), None)
        await ledger.settle(held(30))
        assert await redeem(ledger, ask()) == pb.RedeemResponse(settled_nano_usd=30, needed_nano_usd=30)
        assert await ledger.amounts() == Amounts(settled=30, held=10)
        assert await ledger.amounts(WORKSPACE) == Amounts(settled=30)
        assert (await ledger.movements())[-1] == ("redeem", ACCOUNT, 30)

    async def test_is_charged_once_per_approval(self, ledger: Ledger) -> None:
        await ledger.settle(held(30))
        first = await redeem(ledger, ask())
        assert await redeem(ledger, ask()) == first
        assert await ledger.amounts() == Amounts(settled=30)

    async def test_all_attempts_of_the_request_are_charged(self, ledger: Ledger) -> None:
        second = held(12, "second")
        second.request_id = "req_held"
        await ledger.settle(held(30), second, held(99, "another"))
        assert (await redeem(ledger, ask())).settled_nano_usd == 42
        assert await ledger.amounts() == Amounts(settled=42, blocked=99)

    async def test_a_second_approval_of_the_same_answer_is_a_conflict(self, ledger: Ledger) -> None:
        await ledger.settle(held(30), held(30, "another"))
        await redeem(ledger, ask())
        with pytest.raises(Conflict):
            await redeem(ledger, ask("a2"))
        assert await ledger.amounts() == Amounts(settled=30, blocked=30)

    async def test_of_two_concurrent_approvals_one_is_charged(self, ledger: Ledger) -> None:
        await ledger.settle(held(30), held(30, "another"))
        done = await asyncio.gather(*(redeem(ledger, ask(f"a{i}")) for i in range(4)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in done) == ["Conflict"] * 3 + ["RedeemResponse"]
        assert await ledger.amounts() == Amounts(settled=30, blocked=30)

    async def test_a_spend_that_has_not_arrived_is_said_so(self, ledger: Ledger) -> None:
        await ledger.settle(held(30, "another"))
        assert await redeem(ledger, ask()) == pb.RedeemResponse(refusal=pb.REFUSAL_NOT_BOOKED)
        assert await ledger.amounts() == Amounts(blocked=30)

    async def test_a_used_up_cap_refuses_and_the_approval_stays_usable(self, ledger: Ledger) -> None:
        await ledger.servicer.Acquire(acquire(limit=40, minimum=0, wanted=0), None)
        await ledger.settle(held(30), spend("other", settled=11))
        assert await redeem(ledger, ask()) == pb.RedeemResponse(
            refusal=pb.REFUSAL_KEY_EXHAUSTED, remaining_nano_usd=29, clampable_nano_usd=29, needed_nano_usd=30
        )
        assert await ledger.amounts() == Amounts(settled=11, blocked=30)
        await ledger.servicer.Acquire(acquire("acq_2", limit=50, version=2, minimum=0, wanted=0), None)
        assert (await redeem(ledger, ask())).settled_nano_usd == 30

    async def test_other_requests_holds_are_worth_waiting_for(self, ledger: Ledger) -> None:
        await ledger.servicer.Acquire(acquire(limit=40, minimum=20, wanted=20), None)
        await ledger.settle(held(30))
        answer = await redeem(ledger, ask())
        assert (answer.refusal, answer.remaining_nano_usd, answer.clampable_nano_usd) == (pb.REFUSAL_KEY_HELD, 20, 40)

    async def test_another_workspace_finds_nothing(self, ledger: Ledger) -> None:
        await ledger.settle(held(30))
        answer = await redeem(ledger, ask(workspace_id="ws_2"))
        assert answer == pb.RedeemResponse(refusal=pb.REFUSAL_NOT_BOOKED)
        await redeem(ledger, ask())
        with pytest.raises(NotFound):
            await redeem(ledger, ask(workspace_id="ws_2"))

    async def test_the_entry_says_what_was_moved(self, ledger: Ledger) -> None:
        await ledger.settle(held(30))
        await redeem(ledger, ask())
        async with ledger.database.read() as conn:
            row = (await conn.execute(sa.select(ENTRIES).where(ENTRIES.c.kind == "redeem"))).one()
        assert (row.id, row.request_id, row.refers_to, row.amount) == ("redeem_a1", "req_held", "held", 30)
        assert (row.settled, row.blocked, row.workspace_settled, row.workspace_blocked) == (30, -30, 30, -30)

    async def test_a_missing_field_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(BadRequest, match="approval_id"):
            await redeem(ledger, ask(""))
