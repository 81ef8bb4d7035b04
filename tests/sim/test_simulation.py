"""Never over, nothing stranded, settled → billed: seeded worlds with every fault at once.

`ORCA_SIM_SEEDS` sets how many (default 10,000), `ORCA_SIM_FIRST` the first. A failing seed is printed with the
operations it shrinks to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.sim.ledgers import MemoryLedger, RealLedger
from tests.sim.world import Op, Violated, World, plan
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import open_ledger

SEEDS = int(os.environ.get("ORCA_SIM_SEEDS", "10000"))
FIRST = int(os.environ.get("ORCA_SIM_FIRST", "0"))
WORKERS = 2
CHUNK = 250


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
        await ledger.database.close()


async def test_the_oracle_notices_a_ledger_that_grants_too_much() -> None:
    class Generous(MemoryLedger):
        async def rpc(self, name: str, request: object) -> object:
            for account_id, account in self.known.items():
                if account.limit is not None and account_id.startswith("acc_"):
                    self.known[account_id] = type(account)(account.kind, account.limit * 3, account.amounts)
            return await super().rpc(name, request)

    caught = 0
    for seed in range(20):
        clock = ManualClock()
        try:
            await World(Generous(clock), clock, seed).run(plan(seed))
        except Violated:
            caught += 1
    assert caught > 0
