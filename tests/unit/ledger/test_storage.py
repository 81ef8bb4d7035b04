"""Leases and settlement on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from orca.ledger.v1 import ledger_pb2 as pb
from services.common.errors import BadRequest, Conflict, NotFound
from services.common.eventlog.ports import ConsumedRecord
from services.ledger.domain.model import Amounts
from services.ledger.storage.limits import add_workspace_credit, set_workspace_limit
from services.ledger.storage.tables import ENTRIES, PARKED
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import (
    ACCOUNT,
    GRACE_S,
    KEY,
    TTL_S,
    WORKSPACE,
    Ledger,
    key_change,
    open_ledger,
    record,
    spend,
)


async def limit_workspace(ledger: Ledger, limit: int | None) -> None:
    async with ledger.database.write() as tx:
        await set_workspace_limit(tx, ledger.clock, WORKSPACE, limit)


async def renew(ledger: Ledger, *lease_ids: str, replica_id: str = "relay_1") -> pb.RenewResponse:
    reports = [pb.LeaseReport(lease_id=lease_id) for lease_id in lease_ids]
    return await ledger.servicer.Renew(
        pb.RenewRequest(replica_id=replica_id, leases=reports, workspace_ids=[WORKSPACE]), None
    )


async def release(ledger: Ledger, lease_id: str, final: int, replica_id: str = "relay_1") -> list[str]:
    close = pb.LeaseClose(lease_id=lease_id, final_used_nano_usd=final)
    answer = await ledger.servicer.Release(pb.ReleaseRequest(replica_id=replica_id, leases=[close]), None)
    return list(answer.closed_lease_ids)


class TestAcquire:
    async def test_a_grant_is_held_and_published(self, ledger: Ledger) -> None:
        answer = await ledger.acquire(minimum=10, wanted=20)
        lease = answer.key_lease
        assert answer == pb.AcquireResponse(
            key_lease=pb.Lease(
                lease_id=lease.lease_id, account_id=ACCOUNT, granted_nano_usd=20, ttl_ms=round(TTL_S * 1000), fence=1
            ),
            workspace_unlimited=True,
        )
        assert await ledger.amounts() == Amounts(held=20)
        limits = [("limit", ACCOUNT, 0), ("limit", f"{ACCOUNT}:blocked", 0)]
        assert await ledger.movements() == [*limits, ("grant", ACCOUNT, 20)]

    async def test_a_repeated_acquire_id_grants_once_and_does_not_renew(self, ledger: Ledger) -> None:
        first = await ledger.acquire()
        ledger.clock.advance(10)
        second = await ledger.acquire()
        assert second.key_lease.lease_id == first.key_lease.lease_id
        assert second.key_lease.ttl_ms == 20_000
        assert await ledger.amounts() == Amounts(held=10)

    async def test_concurrent_calls_with_one_id_grant_once(self, ledger: Ledger) -> None:
        answers = await asyncio.gather(*(ledger.acquire() for _ in range(4)))
        assert len({answer.key_lease.lease_id for answer in answers}) == 1
        assert await ledger.amounts() == Amounts(held=10)

    async def test_grants_shrink_with_the_remainder(self, ledger: Ledger) -> None:
        granted = [
            (await ledger.acquire(acquire_id=f"a{n}", minimum=10, wanted=80)).key_lease.granted_nano_usd
            for n in range(8)
        ]
        assert granted == [25, 18, 14, 10, 10, 10, 10, 0]

    async def test_held_by_others_is_told_from_exhausted(self, ledger: Ledger) -> None:
        await ledger.acquire(minimum=95, wanted=95)
        answer = await ledger.acquire(acquire_id="acq_2", minimum=10)
        assert answer == pb.AcquireResponse(
            refusal=pb.REFUSAL_KEY_HELD, remaining_nano_usd=5, clampable_nano_usd=100, workspace_unlimited=True
        )
        answer = await ledger.acquire(acquire_id="acq_3", minimum=101)
        assert answer.refusal == pb.REFUSAL_KEY_EXHAUSTED

    async def test_a_workspace_refusal_takes_the_keys_grant_back(self, ledger: Ledger) -> None:
        await limit_workspace(ledger, 5)
        answer = await ledger.acquire(workspace=(10, 10))
        assert answer == pb.AcquireResponse(
            refusal=pb.REFUSAL_WORKSPACE_EXHAUSTED, remaining_nano_usd=5, clampable_nano_usd=5
        )
        assert await ledger.amounts() == Amounts()

    async def test_both_accounts_grant_in_one_call(self, ledger: Ledger) -> None:
        await limit_workspace(ledger, 400)
        answer = await ledger.acquire(workspace=(10, 50))
        assert (answer.key_lease.granted_nano_usd, answer.workspace_lease.granted_nano_usd) == (10, 50)
        assert await ledger.amounts(WORKSPACE) == Amounts(held=50)

    async def test_an_unlimited_key_needs_no_lease(self, ledger: Ledger) -> None:
        answer = await ledger.acquire(limit=None, workspace=(1, 1))
        assert answer == pb.AcquireResponse(workspace_unlimited=True)

    async def test_an_older_limit_never_overwrites_a_newer(self, ledger: Ledger) -> None:
        await ledger.acquire(limit=50, version=7)
        answer = await ledger.acquire(acquire_id="acq_2", minimum=60, limit=1000, version=6)
        assert answer.refusal == pb.REFUSAL_KEY_EXHAUSTED

    async def test_another_workspaces_account_is_not_found(self, ledger: Ledger) -> None:
        await ledger.acquire()
        with pytest.raises(NotFound):
            await ledger.acquire(acquire_id="acq_2", workspace_id="ws_2")

    async def test_a_missing_id_and_a_negative_amount_are_refused(self, ledger: Ledger) -> None:
        for values in ({"acquire_id": ""}, {"minimum": -1}):
            with pytest.raises(BadRequest):
                await ledger.acquire(**values)

    async def test_replicas_racing_for_a_cap_never_pass_it(self, ledger_url: str) -> None:
        replicas = [await open_ledger(ledger_url, ManualClock()) for _ in range(3)]
        await replicas[0].acquire(acquire_id="first", minimum=1, wanted=1)

        async def ask(number: int) -> int:
            ledger = replicas[number % 3]
            answer = await ledger.acquire(acquire_id=f"a{number}", replica_id=f"r{number}", minimum=7, wanted=9)
            return answer.key_lease.granted_nano_usd

        granted = await asyncio.gather(*(ask(number) for number in range(40)))
        assert await replicas[0].amounts() == Amounts(held=1 + sum(granted))
        assert 100 - 7 < 1 + sum(granted) <= 100
        for replica in replicas:
            await replica.close()


class TestRenewAndRelease:
    async def test_leases_live_on_and_strangers_are_unknown(self, ledger: Ledger) -> None:
        lease = (await ledger.acquire()).key_lease
        assert await renew(ledger, lease.lease_id, "lease_x") == pb.RenewResponse(
            leases=[lease],
            unknown_lease_ids=["lease_x"],
            workspaces=[pb.WorkspaceState(workspace_id=WORKSPACE, limited=False)],
        )
        other = await renew(ledger, lease.lease_id, replica_id="relay_2")
        assert list(other.unknown_lease_ids) == [lease.lease_id]

    async def test_a_lowered_limit_recalls(self, ledger: Ledger) -> None:
        lease = (await ledger.acquire()).key_lease
        await ledger.keys([record(key_change(limit=50, version=2), 0, topic="orca.config.v1")])
        assert list((await renew(ledger, lease.lease_id)).recalled_lease_ids) == [lease.lease_id]

    async def test_a_disabled_key_recalls(self, ledger: Ledger) -> None:
        lease = (await ledger.acquire()).key_lease
        await ledger.keys([record(key_change(version=2, enabled=False), 0, topic="orca.config.v1")])
        assert list((await renew(ledger, lease.lease_id)).recalled_lease_ids) == [lease.lease_id]

    async def test_close_gives_back_what_was_not_used(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        await ledger.settle(spend("e1", settled=3, key_lease=(lease_id, 3)))
        assert await release(ledger, lease_id, 3) == [lease_id]
        assert await release(ledger, lease_id, 3) == [lease_id]
        assert await ledger.amounts() == Amounts(settled=3)
        assert (await ledger.movements())[-1] == ("close", ACCOUNT, 7)

    async def test_events_may_come_after_the_close(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        await release(ledger, lease_id, 6)
        assert await ledger.amounts() == Amounts(held=6)
        await ledger.settle(spend("e1", settled=4, unconfirmed=2, key_lease=(lease_id, 6)))
        assert await ledger.amounts() == Amounts(settled=4, unconfirmed=2)

    async def test_a_gap_holds_the_close_until_the_missing_spend_arrives(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        await ledger.settle(spend("e2", settled=2, key_lease=(lease_id, 5)))
        await release(ledger, lease_id, 5)
        assert await ledger.amounts() == Amounts(settled=2, held=8)
        assert await ledger.reversals.troubles() == (1, 0)
        await ledger.settle(spend("e1", settled=3, key_lease=(lease_id, 3)))
        assert await ledger.reversals.troubles() == (0, 0)
        assert await ledger.amounts() == Amounts(settled=5)
        assert (await ledger.movements())[-1] == ("close", ACCOUNT, 5)

    async def test_only_the_holder_closes(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        assert await release(ledger, lease_id, 0, replica_id="relay_2") == []
        assert await ledger.amounts() == Amounts(held=10)


class TestSettlement:
    async def test_a_redelivered_batch_changes_nothing(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        batch = ledger.records([spend("e1", settled=3, blocked=2, key_lease=(lease_id, 3))])
        await ledger.spend(batch)
        await ledger.spend(batch)
        # The same event at another offset: produced twice.
        await ledger.settle(spend("e1", settled=3, blocked=2, key_lease=(lease_id, 3)))
        assert await ledger.amounts() == Amounts(settled=3, held=7, blocked=2)
        assert await ledger.amounts(WORKSPACE) == Amounts(settled=3, blocked=2)

    async def test_a_batch_in_pieces_equals_the_batch(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire(minimum=90, wanted=90)).key_lease.lease_id
        events = [spend(f"e{n}", settled=n, key_lease=(lease_id, n * (n + 1) // 2)) for n in range(1, 11)]
        batch = ledger.records(events)
        for part in (batch[:4], batch[2:7], batch):
            await ledger.spend(part)
        assert await ledger.amounts() == Amounts(settled=55, held=35)

    async def test_uncapped_spend_grows_settled(self, ledger: Ledger) -> None:
        await ledger.settle(spend("e1", settled=3, overrun=1))
        assert await ledger.amounts() == Amounts(settled=3, overrun=1)

    async def test_blocked_counts_on_the_workspace_lease_alone(self, ledger: Ledger) -> None:
        await limit_workspace(ledger, 400)
        answer = await ledger.acquire(workspace=(10, 20))
        key, workspace = answer.key_lease.lease_id, answer.workspace_lease.lease_id
        await ledger.settle(spend("e1", settled=2, blocked=5, key_lease=(key, 2), workspace_lease=(workspace, 7)))
        assert await ledger.amounts() == Amounts(settled=2, held=8, blocked=5)
        assert await ledger.amounts(WORKSPACE) == Amounts(settled=2, held=13, blocked=5)

    async def test_more_than_the_lease_holds_is_overrun(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        await ledger.settle(spend("e1", settled=8, unconfirmed=6, key_lease=(lease_id, 14)))
        assert await ledger.amounts() == Amounts(settled=8, unconfirmed=2, overrun=4)

    async def test_a_record_that_cannot_be_read_freezes_its_key_alone(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        bad = ConsumedRecord("orca.spend.v1", 3, 0, KEY.encode(), b"\xff\xff", (), 0)
        good = record(spend("e1", settled=1, key_id="key_2", account_id="acc_2"), 1, partition=3)
        await ledger.spend([bad, good])
        await ledger.spend([bad, good])
        assert await ledger.amounts("acc_2") == Amounts(settled=1)
        assert (await ledger.acquire(acquire_id="acq_2")).refusal == pb.REFUSAL_FROZEN
        assert await ledger.reversals.troubles() == (0, 1)
        assert list((await renew(ledger, lease_id)).recalled_lease_ids) == [lease_id]
        async with ledger.database.read() as conn:
            assert (await conn.execute(sa.select(PARKED.c.key_id, PARKED.c.reason))).all() == [(KEY, "not an envelope")]

    async def test_its_own_movements_and_bad_amounts_book_nothing(self, ledger: Ledger) -> None:
        await ledger.acquire()
        bad = [spend("e1", settled=-1), spend("e2", settled=10**16), spend("e\0", settled=1)]
        await ledger.settle(*bad)
        async with ledger.database.read() as conn:
            assert (await conn.execute(sa.select(sa.func.count()).select_from(ENTRIES))).scalar_one() == 0

    async def test_texts_are_kept_as_they_are(self, ledger: Ledger) -> None:
        odd = ['"', "\\", "{}", "a,b", "NULL", "'", "ü\n", " ", '\\"', "%s"]
        await ledger.settle(*(spend(f"ev{text}", settled=1, account_id=f"acc{text}") for text in odd))
        page = await ledger.reader.entries(WORKSPACE, None, 50, None)
        assert {(row.id, row.account_id, row.request_id) for row in page} == {
            (f"ev{text}", f"acc{text}", f"req_ev{text}") for text in odd
        }

    async def test_members_that_both_believe_to_own_a_partition_book_once(self, ledger: Ledger) -> None:
        events = [spend(f"e{n}", settled=1) for n in range(50)]
        batch = ledger.records(events)
        await asyncio.gather(*(ledger.spend(batch) for _ in range(3)))
        assert await ledger.amounts() == Amounts(settled=50)


class TestForfeitsAndReversals:
    async def forfeited(self, ledger: Ledger) -> str:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        ledger.clock.advance(TTL_S + GRACE_S + 1)
        assert await ledger.sweeper.sweep() == 1
        return lease_id

    async def entry(self, ledger: Ledger, kind: str) -> str:
        rows = await ledger.reader.entries(WORKSPACE, None, 10, None)
        return next(str(row.id) for row in rows if row.kind == kind)

    async def test_nothing_is_forfeited_within_the_grace(self, ledger: Ledger) -> None:
        await ledger.acquire()
        ledger.clock.advance(TTL_S + GRACE_S - 1)
        assert await ledger.sweeper.sweep() == 0

    async def test_late_spend_moves_forfeited_to_settled(self, ledger: Ledger) -> None:
        lease_id = await self.forfeited(ledger)
        assert await ledger.amounts() == Amounts(forfeited=10)
        await ledger.settle(spend("e1", settled=4, key_lease=(lease_id, 4)))
        assert await ledger.amounts() == Amounts(settled=4, forfeited=6)
        assert await ledger.sweeper.sweep() == 0

    async def test_a_replica_whose_disk_came_back_closes_its_forfeited_lease(self, ledger: Ledger) -> None:
        lease_id = await self.forfeited(ledger)
        await release(ledger, lease_id, 4)
        assert await ledger.amounts() == Amounts(forfeited=4)
        await ledger.settle(spend("e1", settled=4, key_lease=(lease_id, 4)))
        assert await ledger.amounts() == Amounts(settled=4)

    async def test_a_reversed_forfeit_is_free_and_late_spend_is_overrun(self, ledger: Ledger) -> None:
        lease_id = await self.forfeited(ledger)
        entry_id = await self.entry(ledger, "forfeit")
        assert await ledger.reversals.reverse(WORKSPACE, entry_id, "usr_1") == 10
        assert await ledger.amounts() == Amounts()
        await ledger.settle(spend("e1", settled=4, key_lease=(lease_id, 4)))
        assert await ledger.amounts() == Amounts(overrun=4)
        with pytest.raises(Conflict):
            await ledger.reversals.reverse(WORKSPACE, entry_id, "usr_1")

    async def test_unconfirmed_is_reversed_on_both_accounts_once(self, ledger: Ledger) -> None:
        lease_id = (await ledger.acquire()).key_lease.lease_id
        await ledger.settle(spend("e1", unconfirmed=5, key_lease=(lease_id, 5)))
        answers = await asyncio.gather(
            *(ledger.reversals.reverse(WORKSPACE, "e1", "usr_1") for _ in range(3)), return_exceptions=True
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "int"]
        assert await ledger.amounts() == Amounts(held=5)
        assert await ledger.amounts(WORKSPACE) == Amounts()

    async def test_plain_spend_and_other_workspaces_entries_cannot_be_reversed(self, ledger: Ledger) -> None:
        await ledger.settle(spend("e1", settled=5))
        with pytest.raises(Conflict):
            await ledger.reversals.reverse(WORKSPACE, "e1", "usr_1")
        with pytest.raises(NotFound):
            await ledger.reversals.reverse("ws_2", "e1", "usr_1")

    async def test_added_credit_raises_the_limit(self, ledger: Ledger) -> None:
        await limit_workspace(ledger, 5)
        async with ledger.database.write() as tx:
            await add_workspace_credit(tx, ledger.clock, WORKSPACE, 10)
        assert (await ledger.acquire(workspace=(10, 10))).workspace_lease.granted_nano_usd == 10
