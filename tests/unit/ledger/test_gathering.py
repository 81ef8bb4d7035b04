"""Asks that share transactions: exact sums, each ask's failure its own, no workspace waiting for another's row."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from orca.ledger.v1 import ledger_pb2 as pb
from services.common.errors import NotFound, Unavailable
from services.ledger.domain.model import Amounts
from services.ledger.storage.gathering import BATCH_MAX, Gathering
from services.ledger.storage.limits import set_workspace_limit
from services.ledger.storage.tables import ACCOUNTS, LEASES
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import Ledger, open_ledger

SPACES = ("ws_1", "ws_2")
KEY_LIMIT, WORKSPACE_LIMIT = 200, 450


@dataclass(frozen=True)
class Ask:
    acquire_id: str
    workspace_id: str = "ws_1"


class Tables:
    """Answers with the batch an ask was in; rows of some workspaces are held until somebody lets go."""

    def __init__(self, held: Sequence[str] = (), odd: Sequence[str] = ()) -> None:
        self.held, self.odd = set(held), set(odd)
        self.batches: list[tuple[bool, list[str]]] = []
        self.let_go = asyncio.Event()
        self.failure: Exception | None = None
        self.gathering: Gathering[Ask, str] = Gathering(self.together, self.alone)

    async def together(self, asks: Sequence[Ask], wait: bool) -> Sequence[str | None]:
        self.batches.append((wait, [ask.acquire_id for ask in asks]))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if wait:
            await self.let_go.wait()
            self.held.clear()
        return [None if ask.workspace_id in self.held or ask.acquire_id in self.odd else "shared" for ask in asks]

    async def alone(self, ask: Ask) -> str:
        if ask.acquire_id == "bad":
            raise NotFound("no such account")
        return "alone"

    async def ask(self, *asks: Ask) -> list[str]:
        return await asyncio.gather(*(self.gathering.ask(ask) for ask in asks))


class TestStages:
    async def test_what_waits_at_the_same_time_shares_a_transaction(self) -> None:
        tables = Tables()
        assert await tables.ask(*(Ask(f"a{n}") for n in range(BATCH_MAX + 3))) == ["shared"] * (BATCH_MAX + 3)
        assert [len(names) for _, names in tables.batches] == [BATCH_MAX, 3]

    async def test_two_of_one_name_never_share(self) -> None:
        tables = Tables()
        await tables.ask(Ask("a"), Ask("a"), Ask("b"))
        assert [names for _, names in tables.batches] == [["a", "b"], ["a"]]

    async def test_a_held_row_keeps_only_its_workspace(self) -> None:
        tables = Tables(held=["ws_1"])
        waiting = asyncio.ensure_future(tables.ask(Ask("a"), Ask("b")))
        assert await tables.ask(Ask("c", "ws_2")) == ["shared"]
        assert not waiting.done()
        tables.let_go.set()
        assert await waiting == ["shared", "shared"]
        assert (True, ["a", "b"]) in tables.batches

    async def test_what_cannot_be_shared_is_asked_alone_and_fails_alone(self) -> None:
        tables = Tables(odd=["bad", "new"])
        tables.let_go.set()
        calls = (tables.gathering.ask(Ask(name)) for name in ("ok", "bad", "new"))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert (answers[0], answers[2]) == ("shared", "alone")
        assert isinstance(answers[1], NotFound)

    async def test_a_failed_transaction_is_nobodys_answer_but_a_database_that_is_down_is_everybodys(self) -> None:
        tables = Tables()
        tables.failure = ValueError()
        assert await tables.ask(Ask("a"), Ask("b")) == ["alone", "alone"]
        tables.failure = Unavailable("down")
        with pytest.raises(Unavailable):
            await tables.ask(Ask("a"))

    async def test_a_caller_that_left_is_not_asked_for(self) -> None:
        tables = Tables()
        first = asyncio.ensure_future(tables.gathering.ask(Ask("first")))
        await asyncio.sleep(0)
        left = asyncio.ensure_future(tables.gathering.ask(Ask("left")))
        await asyncio.sleep(0)
        left.cancel()
        assert await first == "shared"
        assert await tables.ask(Ask("last")) == ["shared"]
        assert "left" not in [name for _, names in tables.batches for name in names]


def ask(ledger: Ledger, number: int, draw: random.Random, replica: int) -> dict[str, object]:
    space, key = draw.choice(SPACES), draw.randrange(3)
    minimum = draw.randint(1, 30)
    return {
        "acquire_id": f"acq_{number}",
        "key_id": f"key_{space}_{key}",
        "account_id": f"acc_{space}_{key}",
        "workspace_id": space,
        "limit": KEY_LIMIT,
        "minimum": minimum,
        "wanted": minimum * draw.randint(1, 4),
        "workspace": (minimum, minimum * 4) if draw.random() < 0.8 else None,
        "replica_id": f"relay_{replica}",
    }


class TestOnTables:
    @pytest.mark.parametrize("seed", range(4))
    async def test_many_at_once_from_two_ledgers_add_up(self, ledger_url: str, seed: int) -> None:
        """Never over; whole or not at all; each account's fences count its leases; a repeat finds its own."""
        ledgers = [await open_ledger(ledger_url, ManualClock()) for _ in range(2)]
        for space in SPACES:
            async with ledgers[0].database.write() as tx:
                await set_workspace_limit(tx, ledgers[0].clock, space, WORKSPACE_LIMIT)
        draw = random.Random(seed)
        asks = [ask(ledgers[0], number, draw, number % 2) for number in range(80)]
        answers = await asyncio.gather(*(ledgers[n % 2].acquire(**values) for n, values in enumerate(asks)))
        again = await asyncio.gather(*(ledgers[n % 2].acquire(**values) for n, values in enumerate(asks)))
        granted: Counter[str] = Counter()
        for values, answer, repeated in zip(asks, answers, again, strict=True):
            leases = [lease for lease in (answer.key_lease, answer.workspace_lease) if lease.lease_id]
            if answer.refusal != pb.REFUSAL_UNSPECIFIED:
                assert leases == []
                continue
            assert len(leases) == (1 if values["workspace"] is None else 2)
            assert (repeated.key_lease, repeated.workspace_lease) == (answer.key_lease, answer.workspace_lease)
            for lease in leases:
                granted[lease.account_id] += lease.granted_nano_usd
        for account_id, amount in granted.items():
            assert await ledgers[0].amounts(account_id) == Amounts(held=amount)
            assert amount <= (WORKSPACE_LIMIT if account_id in SPACES else KEY_LIMIT)
        await self.fences(ledgers[0])
        for ledger in ledgers:
            await ledger.close()

    async def fences(self, ledger: Ledger) -> None:
        async with ledger.database.read() as conn:
            accounts = (await conn.execute(sa.select(ACCOUNTS.c.id, ACCOUNTS.c.fence))).all()
            for account_id, last in accounts:
                query = sa.select(LEASES.c.fence).where(LEASES.c.account_id == account_id).order_by(LEASES.c.fence)
                assert list((await conn.execute(query)).scalars()) == list(range(1, last + 1))

    async def test_one_bad_ask_among_good_ones_fails_alone(self, ledger: Ledger) -> None:
        await ledger.acquire(acquire_id="known")
        good = [ledger.acquire(acquire_id=f"a{n}", minimum=1, wanted=1) for n in range(5)]
        bad = ledger.acquire(acquire_id="bad", workspace_id="ws_2")
        answers = await asyncio.gather(*good, bad, return_exceptions=True)
        assert isinstance(answers[-1], NotFound)
        assert await ledger.amounts() == Amounts(held=15)

    async def test_an_account_that_is_not_limited_is_not_locked(self, postgres_url: str) -> None:
        ledger = await open_ledger(postgres_url, ManualClock())
        await ledger.acquire(acquire_id="known", workspace=(1, 1))
        async with ledger.database.write() as tx:
            await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == "ws_1").with_for_update())
            answer = await ledger.acquire(acquire_id="other", minimum=1, workspace=(1, 1))
        assert (answer.key_lease.granted_nano_usd, answer.workspace_unlimited) == (10, True)
        await ledger.close()

    async def test_a_row_that_settlement_holds_keeps_only_its_workspace_waiting(self, postgres_url: str) -> None:
        ledger = await open_ledger(postgres_url, ManualClock())
        ours = {"key_id": "key_2", "account_id": "acc_2", "workspace_id": "ws_2"}
        await ledger.acquire(acquire_id="known")
        await ledger.acquire(acquire_id="known_2", **ours)
        async with ledger.database.write() as tx:
            await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == "acc_1").with_for_update())
            waiting = asyncio.ensure_future(ledger.acquire(acquire_id="held"))
            assert (await ledger.acquire(acquire_id="free", **ours)).key_lease.granted_nano_usd == 10
            assert not waiting.done()
        assert (await waiting).key_lease.granted_nano_usd == 10
        await ledger.close()
