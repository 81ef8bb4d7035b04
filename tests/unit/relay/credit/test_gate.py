"""The credit gate against the real ledger: leases, refills, waits, refused answers, recalls, clean stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from orca.events.v1.events_pb2 import Envelope, Spend
from services.common.errors import NotFound, OrcaError, Unavailable
from services.ledger.domain.model import Amounts
from services.ledger.storage.limits import set_workspace_limit
from services.relay.credit import CreditRefused, LeaseCreditGate
from services.relay.credit.keeper import RELEASE_MAX, SIDE_BY_SIDE_MAX
from services.relay.ports import KeyEntry
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import ACCOUNT, GRACE_S, KEY, TTL_S, WORKSPACE, Ledger, open_ledger, record

BLOCKED = f"{ACCOUNT}:blocked"


@dataclass
class Stub:
    """The ledger's methods as a stub has them; counts calls and can be cut off."""

    ledger: Ledger
    down: bool = False
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        async def method(request: Any, timeout: float, metadata: Any) -> Any:
            del timeout, metadata
            self.calls.append(name)
            if self.down:
                raise Unavailable("cut off")
            return await getattr(self.ledger.servicer, name)(request, None)

        return method


@dataclass
class Rig:
    """One relay's gate and the ledger it leases from; rounds of the background are the test's to run."""

    ledger: Ledger
    stub: Stub
    clock: ManualClock
    gate: LeaseCreditGate
    spends: int = 0

    def another(self, replica_id: str, wait_s: float = 0.2) -> LeaseCreditGate:
        return LeaseCreditGate(self.stub, replica_id, self.clock, wait_s=wait_s)

    async def booked(self, spend: Spend) -> None:
        self.spends += 1
        envelope = Envelope(event_id=f"ev_{self.spends}", workspace_id=WORKSPACE, key_id=KEY, spend=spend)
        await self.ledger.spend([record(envelope, self.spends)])


def key(limit: int | None = 1_000, *, blocked: int | None = None, version: int = 1, enabled: bool = True) -> KeyEntry:
    found = KeyRecord(key_id=KEY, workspace_id=WORKSPACE, account_id=ACCOUNT, version=version, enabled=enabled)
    if limit is not None:
        found.credit_limit_nano_usd = limit
    if blocked is not None:
        found.blocked_output_limit_nano_usd = blocked
    return KeyEntry(found, WorkspaceRecord(workspace_id=WORKSPACE), ())


def key_of(number: int) -> KeyEntry:
    """One of many keys with an account of its own."""
    found = KeyRecord(
        key_id=f"key_{number}", workspace_id=WORKSPACE, account_id=f"acc_{number}", version=1, enabled=True,
        credit_limit_nano_usd=1_000,
    )  # fmt: skip
    return KeyEntry(found, WorkspaceRecord(workspace_id=WORKSPACE), ())


def settle(reservation: Any, settled: int = 0, unconfirmed: int = 0, blocked: int = 0) -> Spend:
    spend: Spend = reservation.settle(
        settled_nano_usd=settled, unconfirmed_nano_usd=unconfirmed, blocked_nano_usd=blocked, overrun_nano_usd=0
    )
    return spend


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = ManualClock()
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock)
    stub = Stub(ledger)
    yield Rig(ledger, stub, clock, LeaseCreditGate(stub, "relay_1", clock, wait_s=0.2))
    await ledger.close()


class TestReserve:
    async def test_a_brand_new_key_is_granted_from_its_own_limit(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(), 100)
        assert reservation.amount_nano_usd == 100
        assert (await rig.ledger.amounts()).held >= 100

    async def test_no_call_while_the_leases_last(self, rig: Rig) -> None:
        settle(await rig.gate.reserve(key(100_000), 1_000), 10)
        rig.stub.calls.clear()
        for _ in range(50):
            settle(await rig.gate.reserve(key(100_000), 1_000), 10)
        assert rig.stub.calls == []

    async def test_a_busy_key_is_refilled_in_the_background_before_it_runs_dry(self, rig: Rig) -> None:
        waited = 0
        for _ in range(200):
            before = len(rig.stub.calls)
            pending = asyncio.ensure_future(rig.gate.reserve(key(10**9), 1_000))
            await asyncio.sleep(0)
            # A request that waits for the ledger is not done after one turn of the loop.
            waited += not pending.done() and len(rig.stub.calls) > before
            settle(await pending, 900)
            rig.clock.advance(0.02)
            await rig.gate.refilled()
        assert waited <= 8
        assert rig.stub.calls.count("Acquire") > waited

    async def test_a_used_up_cap_is_402_with_what_clamping_may_use(self, rig: Rig) -> None:
        await rig.booked(settle(await rig.gate.reserve(key(100), 60), 60))
        with pytest.raises(CreditRefused) as refused:
            await rig.gate.reserve(key(100), 60)
        assert (refused.value.code, refused.value.status) == ("credit_limit_exceeded", 402)
        assert refused.value.clampable_nano_usd == 40

    async def test_other_requests_holds_are_waited_for(self, rig: Rig) -> None:
        first = await rig.gate.reserve(key(100), 80)
        second = asyncio.ensure_future(rig.gate.reserve(key(100), 80))
        await asyncio.sleep(0.02)
        assert not second.done()
        first.cancel()
        assert (await second).amount_nano_usd == 80

    async def test_a_hold_that_stays_is_429_credit_held(self, rig: Rig) -> None:
        await rig.gate.reserve(key(100), 80)
        with pytest.raises(CreditRefused) as refused:
            await rig.gate.reserve(key(100), 80)
        assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, "credit_held", 1)
        assert (refused.value.remaining_nano_usd, refused.value.clampable_nano_usd) == (20, 100)

    async def test_another_replicas_idle_lease_is_given_back_in_time(self, rig: Rig) -> None:
        other = rig.another("relay_2")
        settle(await other.reserve(key(100), 60), 1)
        waiting = asyncio.ensure_future(rig.gate.reserve(key(100), 60))
        await asyncio.sleep(0)
        rig.clock.advance(3)
        await other.round()
        assert (await waiting).amount_nano_usd == 60

    async def test_ledger_down_spends_down_what_is_held_then_503(self, rig: Rig) -> None:
        await rig.gate.reserve(key(10**6), 1_000)
        (await rig.gate.reserve(key(10**6), 1_000)).cancel()
        rig.stub.down = True
        settle(await rig.gate.reserve(key(10**6), 1_000), 1_000)
        with pytest.raises(OrcaError) as refused:
            while True:
                settle(await rig.gate.reserve(key(10**6), 1_000), 1_000)
        assert (refused.value.status, refused.value.code) == (503, "ledger_unavailable")

    async def test_a_workspaces_limit_holds_for_uncapped_keys(self, rig: Rig) -> None:
        async with rig.ledger.database.write() as tx:
            await set_workspace_limit(tx, rig.clock, WORKSPACE, 100)
        await rig.booked(settle(await rig.gate.reserve(key(None), 100), 100))
        with pytest.raises(CreditRefused) as refused:
            await rig.gate.reserve(key(None), 1)
        assert (refused.value.code, refused.value.status) == ("quota_insufficient", 402)

    async def test_the_first_request_of_a_new_workspace_asks_whether_it_has_a_limit(self, rig: Rig) -> None:
        assert [await rig.gate.capped(key(None)) for _ in range(3)] == [False] * 3
        assert rig.stub.calls == ["Renew"]
        async with rig.ledger.database.write() as tx:
            await set_workspace_limit(tx, rig.clock, WORKSPACE, 100)
        assert await rig.another("relay_2").capped(key(None))
        rig.stub.down = True
        assert await rig.another("relay_3").capped(key(1_000))
        with pytest.raises(Unavailable) as refused:
            await rig.another("relay_3").capped(key(None))
        assert refused.value.code == "ledger_unavailable"

    async def test_first_requests_at_once_ask_the_ledger_once(self, rig: Rig) -> None:
        asking = [asyncio.create_task(rig.gate.capped(key(None))) for _ in range(20)]
        await asyncio.sleep(0)
        # The one that began it leaves; the others get the answer all the same.
        asking[0].cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert (answers[1:], rig.stub.calls) == ([False] * 19, ["Renew"])
        rig.stub.down = True
        other = rig.another("relay_2")
        refused = await asyncio.gather(*(other.capped(key(None)) for _ in range(20)), return_exceptions=True)
        assert [getattr(error, "code", error) for error in refused] == ["ledger_unavailable"] * 20
        rig.stub.down = False
        assert await other.capped(key(None)) is False

    async def test_an_uncapped_key_needs_no_lease(self, rig: Rig) -> None:
        await rig.gate.reserve(key(None), 100)
        rig.stub.calls.clear()
        spend = settle(await rig.gate.reserve(key(None), 100), 70)
        assert (spend.settled_nano_usd, spend.HasField("key_lease"), rig.stub.calls) == (70, False, [])

    async def test_top_up_raises_and_keeps_what_was_reserved_when_it_does_not_fit(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(100), 40)
        await reservation.top_up(90)
        assert reservation.amount_nano_usd == 90
        with pytest.raises(CreditRefused):
            await reservation.top_up(101)
        reservation.cancel()
        assert (await rig.gate.reserve(key(100), 100)).amount_nano_usd == 100

    async def test_what_a_failed_attempt_may_cost_stays_under_its_lease_when_the_next_does_not_fit(
        self, rig: Rig
    ) -> None:
        reservation = await rig.gate.reserve(key(100), 60)
        with pytest.raises(CreditRefused):
            await reservation.top_up(60, 60)
        spend = settle(reservation, unconfirmed=60)
        assert spend.key_lease.running_total_nano_usd == 60
        await rig.booked(spend)
        with pytest.raises(CreditRefused):
            await rig.gate.reserve(key(100), 41)
        assert (await rig.gate.reserve(key(100), 40)).amount_nano_usd == 40

    async def test_nobody_takes_what_a_failed_attempt_may_cost_while_the_next_waits_for_credit(self, rig: Rig) -> None:
        first = await rig.gate.reserve(key(100), 60)
        waiting = asyncio.ensure_future(first.top_up(60, 60))
        await asyncio.sleep(0)
        with pytest.raises(OrcaError) as held:
            await rig.gate.reserve(key(100), 41)
        assert held.value.code == "credit_held"
        with pytest.raises(CreditRefused):
            await waiting
        assert settle(first, unconfirmed=60).key_lease.running_total_nano_usd == 60

    async def test_the_next_attempt_fits_beside_the_failed_one_under_one_lease(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(100_000), 60)
        await reservation.top_up(60, 60)
        spend = settle(reservation, settled=10, unconfirmed=60)
        assert (spend.reservation_nano_usd, spend.key_lease.running_total_nano_usd) == (120, 70)

    async def test_a_charge_beyond_the_reservation_is_overrun(self, rig: Rig) -> None:
        spend = settle(await rig.gate.reserve(key(), 100), 130)
        assert (spend.settled_nano_usd, spend.overrun_nano_usd) == (100, 30)


class TestRefusedAnswers:
    async def test_they_are_bounded_across_replicas(self, rig: Rig) -> None:
        other = rig.another("relay_2")
        gates = (rig.gate, other)
        admitted = 0
        for turn in range(8):
            reservation = await gates[turn % 2].reserve(key(10**6, blocked=300), 100)
            try:
                await reservation.cover_refusal(100)
            except CreditRefused as refused:
                assert (refused.code, refused.status) == ("blocked_output_limit", 402)
                assert refused.clampable_nano_usd == 0
                reservation.cancel()
            else:
                await rig.booked(settle(reservation, blocked=100))
                admitted += 1
        assert admitted == 3
        assert (await rig.ledger.amounts()).blocked == 300
        assert await rig.ledger.amounts(BLOCKED) == Amounts(settled=300)

    async def test_what_was_not_refused_leaves_the_limit_as_it_was(self, rig: Rig) -> None:
        for _ in range(10):
            reservation = await rig.gate.reserve(key(10**6, blocked=100), 100)
            await reservation.cover_refusal(100)
            await rig.booked(settle(reservation, settled=50))
        assert (await rig.ledger.amounts()).blocked == 0

    async def test_a_limit_below_the_worst_case_asks_nobody(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(None, blocked=0), 100)
        rig.stub.calls.clear()
        with pytest.raises(CreditRefused):
            await reservation.cover_refusal(100)
        assert rig.stub.calls == []

    async def test_no_limit_needs_no_lease(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(None), 100)
        await reservation.cover_refusal(10**12)
        assert not settle(reservation, blocked=5).HasField("blocked_lease")

    async def test_raising_the_limit_frees_the_key(self, rig: Rig) -> None:
        reservation = await rig.gate.reserve(key(10**6, blocked=100), 100)
        await reservation.cover_refusal(100)
        await rig.booked(settle(reservation, blocked=100))
        again = await rig.gate.reserve(key(10**6, blocked=100), 100)
        with pytest.raises(CreditRefused):
            await again.cover_refusal(100)
        again.cancel()
        raised = await rig.gate.reserve(key(10**6, blocked=200, version=2), 100)
        await raised.cover_refusal(100)


class TestLifeOfALease:
    async def test_a_clean_stop_leaves_nothing_held(self, rig: Rig) -> None:
        for amount in (10, 20, 30):
            reservation = await rig.gate.reserve(key(10**6, blocked=1_000), 100)
            await reservation.cover_refusal(100)
            await rig.booked(settle(reservation, settled=amount))
        await rig.gate.stop()
        assert await rig.ledger.amounts() == Amounts(settled=60)
        assert await rig.ledger.amounts(BLOCKED) == Amounts()

    async def test_an_unused_lease_goes_back(self, rig: Rig) -> None:
        settle(await rig.gate.reserve(key(), 100), 0)
        rig.clock.advance(3)
        await rig.gate.round()
        assert await rig.ledger.amounts() == Amounts()

    async def test_a_lowered_cap_is_recalled_by_a_round(self, rig: Rig) -> None:
        (await rig.gate.reserve(key(1_000), 100)).cancel()
        other = rig.another("relay_2", wait_s=60)
        waiting = asyncio.ensure_future(other.reserve(key(50, version=2), 10))
        # The round that finds the recall is the first after the ledger took the lower limit.
        while not waiting.done():
            await rig.gate.round()
            await asyncio.sleep(0)
        await waiting
        assert (await rig.ledger.amounts()).held <= 50

    async def test_a_relay_lost_with_its_disk_strands_at_most_one_lease_of_a_key(self, rig: Rig) -> None:
        limit = 100_000
        granted = []
        for number in range(40):
            # Costs that drift, so that leases are outgrown and replaced all along.
            reservation = await rig.gate.reserve(key(limit), 100 + 10 * number)
            await rig.booked(settle(reservation, 50 + 9 * number))
            rig.clock.advance(0.2)
            await rig.gate.refilled()
            await rig.gate.round()
            leases = await rig.ledger.reader.leases(WORKSPACE, ACCOUNT)
            assert len([lease for lease in leases if lease.outstanding]) <= 1
            granted += [lease.granted for lease in leases if lease.outstanding]
        spent = (await rig.ledger.amounts()).settled
        # Killed here; its journal is gone with it.
        rig.clock.advance(TTL_S + GRACE_S + 1)
        assert await rig.ledger.sweeper.sweep() <= 1
        amounts = await rig.ledger.amounts()
        assert amounts == Amounts(settled=spent, forfeited=amounts.forfeited)
        assert 0 < amounts.forfeited <= granted[-1] < limit / 4

    async def test_a_changed_key_retires_its_leases_at_once(self, rig: Rig) -> None:
        (await rig.gate.reserve(key(1_000), 100)).cancel()
        rig.gate.key_changed(key(1_000, version=2, enabled=False).key)
        await rig.gate.round()
        assert (await rig.ledger.amounts()).held == 0

    async def test_renewed_leases_outlive_their_first_term(self, rig: Rig) -> None:
        kept = await rig.gate.reserve(key(), 100)
        for _ in range(10):
            rig.clock.advance(TTL_S / 2)
            await rig.gate.round()
        await rig.booked(settle(kept, 100))
        rig.clock.advance(GRACE_S / 2)
        assert await rig.ledger.sweeper.sweep() == 0

    async def test_no_admission_on_a_lease_past_its_term(self, rig: Rig) -> None:
        (await rig.gate.reserve(key(), 100)).cancel()
        rig.stub.down = True
        rig.clock.advance(TTL_S)
        with pytest.raises(OrcaError) as refused:
            await rig.gate.reserve(key(), 1)
        assert refused.value.code == "ledger_unavailable"

    async def test_a_lost_answer_is_asked_for_again_and_given_back(self, rig: Rig) -> None:
        class Lossy(Stub):
            def __getattr__(self, name: str) -> Any:
                inner = super().__getattr__(name)

                async def method(request: Any, timeout: float, metadata: Any) -> Any:
                    answer = await inner(request, timeout=timeout, metadata=metadata)
                    if name == "Acquire" and self.calls.count("Acquire") == 1:
                        raise Unavailable("the answer was lost")
                    return answer

                return method

        gate = LeaseCreditGate(Lossy(rig.ledger), "relay_9", rig.clock, wait_s=0)
        with pytest.raises(OrcaError):
            await gate.reserve(key(), 100)
        assert (await rig.ledger.amounts()).held > 0
        rig.clock.advance(3)
        await gate.round()
        await gate.round()
        assert (await rig.ledger.amounts()).held == 0

    async def test_many_lost_answers_are_asked_for_side_by_side_and_go_back_in_small_calls(self, rig: Rig) -> None:
        # More than one Release, and whole groups: the fake answers only when a whole group asks at once.
        many = 5 * SIDE_BY_SIDE_MAX
        released: list[int] = []
        group = asyncio.Barrier(SIDE_BY_SIDE_MAX)

        class Lossy(Stub):
            def __getattr__(self, name: str) -> Any:
                inner = super().__getattr__(name)

                async def method(request: Any, timeout: float, metadata: Any) -> Any:
                    answer = await inner(request, timeout=timeout, metadata=metadata)
                    if name == "Release":
                        released.append(len(request.leases))
                    if name == "Acquire":
                        if self.calls.count("Acquire") <= many:
                            raise Unavailable("the answer was lost")
                        await group.wait()
                    return answer

                return method

        gate = LeaseCreditGate(Lossy(rig.ledger), "relay_9", rig.clock, workspaces=lambda: [WORKSPACE], wait_s=0)
        await gate.round()
        lost = await asyncio.gather(*(gate.reserve(key_of(n), 100) for n in range(many)), return_exceptions=True)
        assert [type(error) for error in lost] == [Unavailable] * many
        async with asyncio.timeout(20):
            await gate.stop(grace_s=20)
        assert sum(released) == many
        assert max(released) <= RELEASE_MAX
        assert {(await rig.ledger.amounts(f"acc_{n}")).held for n in range(many)} == {0}

    async def test_two_that_give_back_at_once_give_each_lease_back_once(self, rig: Rig) -> None:
        released: list[str] = []

        class Noting(Stub):
            def __getattr__(self, name: str) -> Any:
                inner = super().__getattr__(name)

                async def method(request: Any, timeout: float, metadata: Any) -> Any:
                    if name == "Release":
                        released.extend(lease.lease_id for lease in request.leases)
                    return await inner(request, timeout=timeout, metadata=metadata)

                return method

        gate = LeaseCreditGate(Noting(rig.ledger), "relay_9", rig.clock, workspaces=lambda: [WORKSPACE])
        await gate.round()
        for reservation in await asyncio.gather(*(gate.reserve(key_of(n), 100) for n in range(RELEASE_MAX + 6))):
            reservation.cancel()
        rig.clock.advance(3)
        await asyncio.gather(gate.round(), gate.round())
        assert len(released) == len(set(released)) == RELEASE_MAX + 6

    async def test_a_lost_answer_of_a_key_that_is_gone_does_not_keep_the_others(self, rig: Rig) -> None:
        class Lossy(Stub):
            def __getattr__(self, name: str) -> Any:
                inner = super().__getattr__(name)

                async def method(request: Any, timeout: float, metadata: Any) -> Any:
                    if name == "Acquire" and request.key_id == "key_1" and self.calls.count("Acquire") > 1:
                        raise NotFound("no such key")
                    answer = await inner(request, timeout=timeout, metadata=metadata)
                    if name == "Acquire" and self.calls.count("Acquire") <= 2:
                        raise Unavailable("the answer was lost")
                    return answer

                return method

        gate = LeaseCreditGate(Lossy(rig.ledger), "relay_9", rig.clock, workspaces=lambda: [WORKSPACE], wait_s=0)
        await gate.round()
        await asyncio.gather(*(gate.reserve(key_of(n), 100) for n in (1, 2)), return_exceptions=True)
        await gate.stop(grace_s=1)
        assert (await rig.ledger.amounts("acc_2")).held == 0
