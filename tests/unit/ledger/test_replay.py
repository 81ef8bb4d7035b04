"""Replay equals state: whatever happened, the topic alone gives the same accounts, leases, entries and keys."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orca.events.v1.events_pb2 import Envelope
from orca.ledger.v1 import ledger_pb2 as pb
from services.allinone.sqlite_log import SqliteEventLog
from services.common.errors import Conflict, OrcaError
from services.common.eventlog.envelope import record_of
from services.common.eventlog.ports import OutRecord
from services.common.storage import Database, OutboxPublisher
from services.ledger.events import SPEND
from services.ledger.replay import Replayed, replay
from services.ledger.storage.limits import add_workspace_credit, set_workspace_limit
from services.ledger.storage.parking import ParkingStore
from services.ledger.storage.tables import ACCOUNTS, CONSUMER_POSITIONS, ENTRIES, KEYS, LEASES, OUTBOX, PARKED
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import GRACE_S, KEY, TTL_S, WORKSPACE, Ledger, acquire, key_change, record, spend

TABLES = (ACCOUNTS, LEASES, ENTRIES, KEYS, PARKED, CONSUMER_POSITIONS)
NOT_REPLAYED = ("expires_at_us", "recalled")
"""Of leases: renewals and recalls are in no topic, and no balance depends on them."""


async def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    found = {}
    async with database.read() as conn:
        for table in TABLES:
            columns = [c for c in table.c if not (table is LEASES and c.name in NOT_REPLAYED)]
            rows = await conn.execute(sa.select(*columns).order_by(*table.primary_key.columns))
            found[table.name] = [dict(row._mapping) for row in rows]
    return found


class World:
    """One ledger whose topic is a real log, and relays that spend what they were granted."""

    def __init__(self, ledger: Ledger, log: SqliteEventLog) -> None:
        self.ledger = ledger
        self.log = log
        self.producer = log.producer("relays")
        self.publisher = OutboxPublisher(ledger.database, OUTBOX, log.producer("ledger"), ledger.clock)
        self.consumer = log.consumer("ledger-spend", (SPEND,))
        self.totals: dict[str, int] = {}
        self.sent = 0

    async def start(self) -> None:
        await self.producer.start()
        await self.publisher._producer.start()
        await self.consumer.start()

    async def grant(self, **values: Any) -> pb.AcquireResponse:
        return await self.ledger.servicer.Acquire(acquire(**values), None)

    async def spend(self, lease: pb.Lease | None, workspace: pb.Lease | None = None, **amounts: Any) -> Envelope:
        self.sent += 1
        used = amounts.get("settled", 0) + amounts.get("unconfirmed", 0)
        envelope = spend(
            f"ev_{self.sent}",
            key_lease=self._position(lease, used),
            workspace_lease=self._position(workspace, used + amounts.get("blocked", 0)),
            **amounts,
        )
        await self.send(envelope)
        return envelope

    def _position(self, lease: pb.Lease | None, used: int) -> tuple[str, int] | None:
        if lease is None or not lease.lease_id:
            return None
        self.totals[lease.lease_id] = self.totals.get(lease.lease_id, 0) + used
        return lease.lease_id, self.totals[lease.lease_id]

    async def send(self, *envelopes: Envelope) -> None:
        await self.producer.send([record_of(SPEND, e.key_id.encode(), e) for e in envelopes])

    async def close(self, lease: pb.Lease, replica_id: str = "relay_1") -> None:
        final = pb.LeaseClose(lease_id=lease.lease_id, final_used_nano_usd=self.totals.get(lease.lease_id, 0))
        await self.ledger.servicer.Release(pb.ReleaseRequest(replica_id=replica_id, leases=[final]), None)

    async def consume(self) -> None:
        while batch := await self.consumer.poll(50, 0):
            await self.ledger.spend(batch)

    async def publish(self) -> None:
        while await self.publisher.drain():
            pass

    async def replayed(self, path: Path) -> tuple[Replayed, Database]:
        # Consuming may make movements of its own.
        for _ in range(2):
            await self.consume()
            await self.publish()
        await self.consume()
        url = f"sqlite:///{path}"
        done = await replay(self.log, url, self.ledger.clock, quiet_s=0.1)
        return done, await Database.open(url, service="ledger")


@pytest.fixture
async def world(ledger: Ledger, tmp_path: Path) -> AsyncIterator[World]:
    log = SqliteEventLog(tmp_path / "events.db", ManualClock())
    await log.start()
    await log.ensure_topics()
    world = World(ledger, log)
    await world.start()
    yield world
    await log.stop()


async def assert_equal(world: World, path: Path) -> Replayed:
    done, database = await world.replayed(path)
    try:
        new, old = await contents(database), await contents(world.ledger.database)
        for name in old:
            assert new[name] == old[name], name
    finally:
        await database.close()
    return done


class TestReplay:
    async def test_every_kind_of_movement(self, world: World, tmp_path: Path) -> None:
        ledger = world.ledger
        await ledger.keys([record(key_change(limit=1_000), 0, topic="orca.config.v1")])
        async with ledger.database.write() as tx:
            await set_workspace_limit(tx, ledger.clock, WORKSPACE, 2_000)
            await add_workspace_credit(tx, ledger.clock, WORKSPACE, 500)
        first = await world.grant(acquire_id="a", minimum=100, wanted=100, limit=1_000, workspace=(200, 200))
        lost = await world.grant(acquire_id="b", minimum=50, wanted=50, limit=1_000, workspace=(60, 60))
        await world.spend(first.key_lease, first.workspace_lease, settled=40, unconfirmed=7)
        await world.spend(first.key_lease, first.workspace_lease, blocked=9)
        for name in (KEY, "key_2"):
            await ledger.keys([record(key_change(key_id=name, account_id=f"acc_{name}"), 0, topic="orca.config.v1")])
            await world.send(Envelope(event_id=f"bad_{name}", workspace_id=WORKSPACE, key_id=name))
        await world.publish()
        await world.consume()
        # One of the two goes on without its record; the other stays frozen.
        parking = ParkingStore(ledger.database, ledger.clock)
        assert await parking.unfreeze(WORKSPACE, "acc_1", KEY, "user_1") == 1
        await world.close(first.key_lease)
        await world.close(first.workspace_lease)
        redeem = pb.RedeemRequest(
            workspace_id=WORKSPACE, account_id="acc_1", key_id=KEY, request_id="req_ev_2", approval_id="ap"
        )
        assert (await ledger.servicer.Redeem(redeem, None)).settled_nano_usd == 9
        await ledger.reversals.reverse(WORKSPACE, "ev_1", "user_1")
        ledger.clock.advance(TTL_S + GRACE_S + 1)
        assert await ledger.sweeper.sweep() == 2
        async with ledger.database.read() as conn:
            query = sa.select(ENTRIES.c.id).where(ENTRIES.c.lease_id == lost.key_lease.lease_id)
            forfeit = (await conn.execute(query)).scalar_one()
        await ledger.reversals.reverse(WORKSPACE, forfeit, "user_1")
        # After the reversal it is overrun on the key, and moves forfeited to settled on the workspace.
        await world.spend(lost.key_lease, lost.workspace_lease, settled=30)
        done = await assert_equal(world, tmp_path / "new.db")
        assert (done.spends, done.parked) == (3, 2)
        assert await ledger.reversals.troubles() == (0, 1)

    @pytest.mark.parametrize("seed", range(2))
    async def test_random_histories(self, world: World, tmp_path: Path, seed: int) -> None:
        await random_history(world, random.Random(seed))
        await assert_equal(world, tmp_path / "new.db")

    async def test_repeated_records_change_nothing(self, world: World, tmp_path: Path) -> None:
        await random_history(world, random.Random(99))
        await world.publish()
        reader = world.log.consumer("copy", (SPEND,))
        await reader.start()
        copies = [OutRecord(r.topic, r.key, r.value, r.headers) for r in await reader.poll(500, 0)]
        await world.producer.send(copies)
        await assert_equal(world, tmp_path / "new.db")

    async def test_tables_in_use_are_never_overwritten(self, world: World, tmp_path: Path) -> None:
        await world.grant(acquire_id="a", limit=100)
        _, database = await world.replayed(tmp_path / "new.db")
        await database.close()
        with pytest.raises(Conflict):
            await replay(world.log, f"sqlite:///{tmp_path / 'new.db'}", world.ledger.clock, quiet_s=0.1)

    async def test_the_consumer_goes_on_where_the_replay_ended(self, world: World, tmp_path: Path) -> None:
        granted = await world.grant(acquire_id="a", minimum=50, wanted=50, limit=100)
        await world.spend(granted.key_lease, settled=10)
        await world.publish()
        await world.consume()
        _, database = await world.replayed(tmp_path / "new.db")
        async with database.read() as conn:
            positions = {row.partition: row.next_offset for row in await conn.execute(sa.select(CONSUMER_POSITIONS))}
        await database.close()
        assert sum(positions.values()) == 4


async def random_history(world: World, draw: random.Random) -> None:
    """Grants, spends, closes, losses, reversals and limits, consumed late and in random portions."""
    ledger = world.ledger
    open_leases: list[pb.AcquireResponse] = []
    version = 1
    await world.grant(acquire_id="first", minimum=0, wanted=0, limit=5_000)
    async with ledger.database.write() as tx:
        await set_workspace_limit(tx, ledger.clock, WORKSPACE, 9_000)
    for step in range(40):
        match draw.choice(("grant", "spend", "spend", "spend", "close", "lose", "reverse", "limit", "consume")):
            case "grant":
                least = draw.randint(1, 200)
                answer = await world.grant(
                    acquire_id=f"acq_{step}", minimum=least, wanted=least * 2, limit=5_000, version=version,
                    workspace=(least, least * 3),
                )  # fmt: skip
                if answer.HasField("key_lease"):
                    open_leases.append(answer)
            case "spend" if open_leases:
                at = draw.choice(open_leases)
                settled, unconfirmed, blocked = (draw.randint(0, 30) for _ in range(3))
                await world.spend(
                    at.key_lease, at.workspace_lease, settled=settled, unconfirmed=unconfirmed, blocked=blocked
                )
            case "close" if open_leases:
                at = open_leases[0] if draw.random() < 0.3 else open_leases.pop(0)
                await world.close(at.key_lease)
                await world.close(at.workspace_lease)
            case "lose":
                ledger.clock.advance(TTL_S + GRACE_S + 1)
                await ledger.sweeper.sweep()
            case "reverse":
                async with ledger.database.read() as conn:
                    ids = list((await conn.execute(sa.select(ENTRIES.c.id).order_by(ENTRIES.c.id))).scalars())
                if ids:
                    with_luck(await _try(ledger, draw.choice(ids)))
            case "limit":
                version += 1
                await world.grant(acquire_id=f"lim_{step}", minimum=0, wanted=0, limit=5_000, version=version)
            case "consume":
                await world.publish()
                await world.consume()


async def _try(ledger: Ledger, entry_id: str) -> bool:
    try:
        await ledger.reversals.reverse(WORKSPACE, entry_id, "user_1")
    except OrcaError:
        return False
    return True


def with_luck(_done: bool) -> None:
    """Not every entry can be reversed."""
