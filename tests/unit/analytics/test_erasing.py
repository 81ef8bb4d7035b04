"""A user's or a key's personal data leaves every table, also after an interruption, and money stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orca.events.v1.events_pb2 import Envelope
from services.analytics.auditing import Auditor
from services.analytics.erasing import OTHERS_S, Eraser, Erasures
from services.analytics.ports import StoreUnavailable
from services.analytics.storage.tables import ERASURES
from services.common.errors import Invalid
from services.common.eventlog import topics
from services.common.eventlog.ports import TopicPartition
from services.common.storage import Database
from tests.unit.analytics.builders import NOW_US, envelope, firewall, match, request, spend
from tests.unit.analytics.conftest import Fixture

REQUESTS, SPEND = TopicPartition(topics.REQUESTS, 0), TopicPartition(topics.SPEND, 0)
TABLES = ("decisions", "matches", "firewall_events", "requests", "spend")


def everything(tag: str, **fields: Any) -> list[Envelope]:
    return [
        envelope(decision={"plane": "guardrail", "outcome": "mask"}, **fields),
        match(id=f"m_{tag}", **fields), firewall(id=f"f_{tag}", **fields), request(**fields), spend(**fields),
    ]  # fmt: skip


async def two_owners(orca: Fixture) -> None:
    await orca.consume(
        *everything("a", owner_user_id="user_a", key_id="key_a"),
        *everything("b", owner_user_id="user_b", key_id="key_b"),
    )


async def counts(orca: Fixture) -> list[int]:
    return [await orca.count(table) for table in TABLES]


async def test_a_users_rows_are_gone_and_the_money_has_no_owner(orca: Fixture) -> None:
    await two_owners(orca)
    erased = await Eraser(orca.database, orca.store, orca.clock).erase("user", "user_a")
    assert erased.left == 0
    assert await counts(orca) == [1, 1, 1, 1, 2]
    rows = await orca.store.query("SELECT owner_user_id, settled_nano_usd FROM spend ORDER BY owner_user_id", {})
    assert [tuple(row) for row in rows] == [("", 1500), ("user_b", 1500)]


async def test_what_is_held_or_on_its_way_is_erased_too(orca: Fixture) -> None:
    orca.clock.advance(NOW_US / 1_000_000 - orca.clock.now_us() / 1_000_000 + 3_600)
    consumer = orca.consumer(flush_idle_s=60)
    await consumer._assigned(frozenset({REQUESTS, SPEND}))
    late = everything("late", owner_user_id="user_a", key_id="key_a")
    orca.log.add(*everything("held", owner_user_id="user_a", key_id="key_a"))
    await consumer.handle(orca.log.read(topics.REQUESTS))
    eraser = Eraser(orca.database, orca.store, orca.clock, orca.erasures, consumer.settle)
    erasing = asyncio.create_task(eraser.erase("user", "user_a"))
    while not erasing.done():
        await consumer._gather()
        await asyncio.sleep(0)
    assert (await erasing).left == 0
    after = request(10_000, owner_user_id="user_a", key_id="key_a", request_id="req_after")
    orca.log.add(*late, after)
    orca.clock.advance(60)
    await consumer.handle([*orca.log.read(topics.REQUESTS, 1), *orca.log.read(topics.SPEND)])
    orca.clock.advance(60)
    await consumer._gather()
    rows = await orca.store.query("SELECT request_id FROM requests", {})
    assert [tuple(row) for row in rows] == [("req_after",)]
    assert await orca.scalar("SELECT groupArray(owner_user_id) FROM spend") == ["", ""]


async def test_what_was_taken_in_before_the_erasure_and_is_written_after_it_leaves_no_row(orca: Fixture) -> None:
    orca.clock.advance(NOW_US / 1_000_000 - orca.clock.now_us() / 1_000_000 + 3_600)
    consumer = orca.consumer(flush_idle_s=60)
    await consumer._assigned(frozenset({REQUESTS, SPEND}))
    orca.log.add(*everything("held", owner_user_id="user_a", key_id="key_a"), request(1, owner_user_id="user_b"))
    await consumer.handle([*orca.log.read(topics.REQUESTS), *orca.log.read(topics.SPEND)])

    async def gives_up() -> None:
        raise StoreUnavailable("slow")

    eraser = Eraser(orca.database, orca.store, orca.clock, orca.erasures, gives_up)
    with pytest.raises(StoreUnavailable):
        await eraser.erase("user", "user_a")
    orca.clock.advance(60)
    await consumer._gather()
    assert await orca.scalar("SELECT groupArray(owner_user_id) FROM requests") == ["user_b"]
    assert await orca.scalar("SELECT groupArray(owner_user_id) FROM spend") == [""]
    assert await Eraser(orca.database, orca.store, orca.clock, orca.erasures, consumer.settle).resume() == 1


async def test_tables_are_looked_at_when_other_replicas_know_of_the_erasure(orca: Fixture) -> None:
    waited: list[float] = []

    async def other_replica_writes(seconds: float) -> None:
        waited.append(seconds)
        await two_owners(orca)

    eraser = Eraser(orca.database, orca.store, orca.clock, others_s=OTHERS_S, sleep=other_replica_writes)
    assert (await eraser.erase("user", "user_a")).left == 0
    assert waited == [OTHERS_S]
    assert await counts(orca) == [1, 1, 1, 1, 2]


async def test_an_erasure_recorded_while_the_recorded_ones_are_read_is_known_to_the_next_event(orca: Fixture) -> None:
    class Interrupted:
        """A database in which something happens after a read, before its reader goes on, as with PostgreSQL."""

        @asynccontextmanager
        async def read(self) -> AsyncIterator[AsyncConnection]:
            async with orca.database.read() as conn:
                yield conn
            erasures.stale()

    erasures = Erasures(cast(Database, Interrupted()), orca.clock)
    await erasures.refresh()
    await Eraser(orca.database, orca.store, orca.clock).erase("key", "key_a")
    await erasures.refresh()
    orca.log.add(request(key_id="key_a", at_s=orca.clock.now_us() / 1_000_000 - NOW_US / 1_000_000 - 1))
    records = orca.records(topics.REQUESTS)
    erasures.strike("requests", records)
    assert records.kept == [False]


async def test_a_keys_rows_are_gone(orca: Fixture) -> None:
    await two_owners(orca)
    assert (await Eraser(orca.database, orca.store, orca.clock).erase("key", "key_b")).left == 0
    assert await counts(orca) == [1, 1, 1, 1, 2]
    assert await orca.scalar("SELECT any(key_id) FROM requests") == "key_a"


class Stops:
    """A store that fails at the n-th statement."""

    def __init__(self, inner: Any, after: int) -> None:
        self._inner = inner
        self._after = after

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._after -= 1
        if self._after < 0:
            raise StoreUnavailable("down")
        await self._inner.command(sql, parameters)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        return await self._inner.query(sql, parameters)


async def test_what_was_cut_short_goes_on(orca: Fixture) -> None:
    await two_owners(orca)
    with pytest.raises(StoreUnavailable):
        await Eraser(orca.database, Stops(orca.store, 2), orca.clock).erase("user", "user_a")  # type: ignore[arg-type]
    async with orca.database.read() as conn:
        (row,) = (await conn.execute(sa.select(ERASURES))).all()
    assert (json.loads(row.done), row.finished_at_us) == (["decisions", "matches"], None)
    again = Eraser(orca.database, orca.store, orca.clock)
    assert [await again.resume(), await again.resume()] == [1, 0]
    assert await counts(orca) == [1, 1, 1, 1, 2]
    assert await again.recorded() == [("user", "user_a")]


@pytest.mark.parametrize(("subject", "subject_id"), [("workspace", "ws_1"), ("user", ""), ("key", "k" * 201)])
async def test_who_is_to_be_erased_must_be_said(orca: Fixture, subject: str, subject_id: str) -> None:
    with pytest.raises(Invalid):
        await Eraser(orca.database, orca.store, orca.clock).erase(subject, subject_id)


class Ledger:
    """Answers with the amounts it was given."""

    def __init__(self, unconfirmed: int = 0, **settled: int) -> None:
        self._settled = settled
        self._unconfirmed = unconfirmed

    async def Balance(self, asked: Any, *, timeout: float) -> Any:
        from orca.ledger.v1 import ledger_pb2

        assert timeout > 0
        return ledger_pb2.BalanceResponse(
            accounts=[
                ledger_pb2.AccountBalance(
                    account_id=name,
                    settled_nano_usd=self._settled.get(name, 0),
                    unconfirmed_nano_usd=self._unconfirmed,
                )
                for name in asked.account_ids
            ]
        )


async def test_the_books_agree_and_tell_when_they_do_not(orca: Fixture) -> None:
    await two_owners(orca)
    auditor = Auditor(orca.store, Ledger(key_1=3000))
    agreed = await auditor.audit()
    assert dict(agreed.differences) == {
        "requests": 0, "cost": 0, "calls": 0, "minutely_requests": 0, "ledger": 0,
    }  # fmt: skip
    assert agreed.equal
    await orca.store.command("TRUNCATE TABLE activity_hourly")
    found = await Auditor(orca.store, Ledger(key_1=1000)).audit()
    assert dict(found.differences) == {
        "requests": 2, "cost": 3000, "calls": 2, "minutely_requests": 0, "ledger": 2000,
    }  # fmt: skip
    assert not found.equal


async def test_what_the_ledger_moved_itself_is_no_difference(orca: Fixture) -> None:
    """Two spends of 1,500, an unconfirmed one of 700: 200 of it beyond the lease, 500 reversed; 900 redeemed; and
    a forfeit, which was never spend, reversed."""
    unknown = spend(3)
    unknown.spend.settled_nano_usd, unknown.spend.unconfirmed_nano_usd = 0, 700
    movements = [("overrun", 200, "l1"), ("reversal", 500, ""), ("redeem", 900, ""), ("reversal", 4_000, "l1")]
    await orca.consume(
        spend(1), spend(2), unknown,
        *(
            envelope(credit={"kind": kind, "account_id": "key_1", "amount_nano_usd": amount, "lease_id": lease})
            for kind, amount, lease in movements
        ),
    )  # fmt: skip
    assert (await Auditor(orca.store, Ledger(key_1=3_900)).audit()).differences["ledger"] == 0
    assert (await Auditor(orca.store, Ledger(key_1=3_900, unconfirmed=500)).audit()).differences["ledger"] == 500
