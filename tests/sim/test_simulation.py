"""Never over, nothing stranded, settled → billed: seeded worlds with every fault at once.

`ORCA_SIM_SEEDS` sets how many (default 10,000), `ORCA_SIM_FIRST` the first. A failing seed is printed with the
operations it shrinks to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from services.common.eventlog.ports import ConsumedRecord
from services.ledger.domain.model import Account, Amounts, Lease
from services.ledger.domain.settlement import close
from tests.sim import ledgers
from tests.sim.ledgers import MemoryLedger, RealLedger
from tests.sim.world import Op, Violated, World, plan
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import open_ledger

SEEDS = int(os.environ.get("ORCA_SIM_SEEDS", "10000"))
FIRST = int(os.environ.get("ORCA_SIM_FIRST", "0"))
WORKERS = 2
CHUNK = 250
PLANTED_SEEDS = 1_000


async def run(seed: int, ops: Sequence[Op]) -> None:
    clock = ManualClock()
    await World(MemoryLedger(clock), clock, seed).run(ops)


async def failing(seeds: range) -> tuple[int, str] | None:
    for seed in seeds:
        try:
            await run(seed, plan(seed))
        except Exception as error:
            return seed, f"{type(error).__name__}: {error}"
    return None


def worker(seeds: range) -> tuple[int, str] | None:
    """The first failing seed of a range."""
    # Relays that stop while the ledger cannot be reached say so, thousands of times.
    logging.disable(logging.CRITICAL)
    return asyncio.run(failing(seeds))


async def fails(seed: int, ops: Sequence[Op]) -> bool:
    try:
        await run(seed, ops)
    except Exception:
        return True
    return False


async def shrink(seed: int, ops: Sequence[Op]) -> list[Op]:
    """A shorter list of operations that fails as well: drops halves, quarters, …, single ones."""
    kept = list(ops)
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            without = kept[:at] + kept[at + size :]
            if await fails(seed, without):
                kept = without
            else:
                at += size
        if size == 1:
            return kept
        size //= 2


def chunks() -> Iterator[range]:
    for start in range(FIRST, FIRST + SEEDS, CHUNK):
        yield range(start, min(start + CHUNK, FIRST + SEEDS))


@pytest.mark.timeout(900)
def test_thousands_of_seeds_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    # A fresh interpreter per worker: forking a process that runs threads is unsafe.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        found = [result for result in pool.map(worker, chunks()) if result is not None]
    with capsys.disabled():
        print(f"\nsimulation: {SEEDS} seeds in {time.monotonic() - started:.0f} s on {WORKERS} processes")
    if found:
        seed, why = found[0]
        shrunk = asyncio.run(shrink(seed, plan(seed)))
        steps = "\n".join(f"  {op}" for op in shrunk)
        pytest.fail(f"seed {seed} fails: {why}\nshrunk to {len(shrunk)} operations:\n{steps}")


@pytest.mark.parametrize("seed", range(4))
async def test_some_seeds_on_the_real_ledger(tmp_path: Path, seed: int) -> None:
    clock = ManualClock()
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock)
    try:
        await World(RealLedger(ledger), clock, seed).run(plan(seed))
    finally:
        await ledger.close()


class Generous(MemoryLedger):
    """Grants three times the cap."""

    async def rpc(self, name: str, request: Any) -> Any:
        for account_id, account in self.known.items():
            if account.limit is not None and account_id.startswith("acc_"):
                self.known[account_id] = replace(account, limit=account.limit * 3)
        return await super().rpc(name, request)


class Skipping(MemoryLedger):
    """A consumer that leaves a gap in the sequence now and then, and reads on."""

    async def settle(self, records: list[ConsumedRecord]) -> None:
        await super().settle([record for record in records if record.offset % 10 != 9])


class Twice(MemoryLedger):
    """Entries are not unique: what is published twice is booked twice."""

    async def settle(self, records: list[ConsumedRecord]) -> None:
        self.entries.clear()
        await super().settle(records)


def gaps_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "gap", property(lambda lease: False))


def final_use_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "close", lambda lease, final_used: close(lease, lease.reported))


def forfeits_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def forfeit(lease: Lease) -> tuple[Lease, Amounts]:
        rest = lease.outstanding
        return replace(lease, returned=lease.returned + rest), Amounts(held=-rest)

    monkeypatch.setattr(ledgers, "forfeit", forfeit)


def unconfirmed_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "burnt", property(lambda a: a.amounts.settled + a.amounts.forfeited))


@pytest.mark.parametrize(
    ("plant", "ledger", "first"),
    [
        (None, Generous, 0),
        (None, Skipping, 0),
        (None, Twice, 0),
        # Seen only where a lease is closed from a stale disk while another partition lags: about one seed in 200.
        (gaps_are_ignored, MemoryLedger, 600),
        (final_use_is_ignored, MemoryLedger, 0),
        (forfeits_give_back, MemoryLedger, 0),
        (unconfirmed_is_free, MemoryLedger, 0),
    ],
)
async def test_the_oracle_notices_a_planted_fault(
    plant: Callable[[pytest.MonkeyPatch], None] | None,
    ledger: type[MemoryLedger],
    first: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if plant is not None:
        plant(monkeypatch)
    for seed in range(first, first + PLANTED_SEEDS):
        clock = ManualClock()
        try:
            await World(ledger(clock), clock, seed).run(plan(seed))
        except Violated:
            return
    pytest.fail("no seed noticed it")
