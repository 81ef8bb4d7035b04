"""Long scans run in threads of which no owner has more than its share, and keep their place until they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from services.guardrail.domain.check import Check
from services.guardrail.domain.model import Kind, Outcome, Segment
from services.guardrail.scanning import INLINE_MAX, SEGMENT_CHARS, THREADS_MAX, THREADS_PER_OWNER, run_scan, weight
from tests.unit.guardrail.builders import fingerprint, policy, rule

LONG = INLINE_MAX + 1


class Scans:
    """Scans that last until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running = 0
        self._began = asyncio.Semaphore(0)
        self._loop = asyncio.get_running_loop()

    def work(self) -> str:
        self.running += 1
        self._loop.call_soon_threadsafe(self._began.release)
        self.go.wait()
        return "done"

    async def started(self, count: int) -> None:
        for _ in range(count):
            await self._began.acquire()


@pytest.fixture
async def scans() -> AsyncIterator[Scans]:
    made = Scans()
    yield made
    made.go.set()


async def test_an_owner_that_fills_its_share_leaves_room_for_others(scans: Scans) -> None:
    tasks = [asyncio.create_task(run_scan(LONG, scans.work, "greedy")) for _ in range(3 * THREADS_MAX)]
    await scans.started(THREADS_PER_OWNER)
    assert await run_scan(LONG, lambda: "other", "modest") == "other"
    assert scans.running == THREADS_PER_OWNER < THREADS_MAX
    scans.go.set()
    assert set(await asyncio.gather(*tasks)) == {"done"}
    assert scans.running == len(tasks)


async def test_a_scan_that_was_given_up_keeps_its_place_until_it_ends(scans: Scans) -> None:
    given_up = [asyncio.create_task(run_scan(LONG, scans.work, "greedy")) for _ in range(THREADS_PER_OWNER)]
    await scans.started(THREADS_PER_OWNER)
    for task in given_up:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*given_up, return_exceptions=True)
    )
    waiting = asyncio.create_task(run_scan(LONG, lambda: "next", "greedy"))
    assert await run_scan(LONG, lambda: "other", "modest") == "other"
    assert not waiting.done()
    scans.go.set()
    assert await waiting == "next"


async def test_a_scan_that_fails_gives_its_place_back() -> None:
    def fail() -> None:
        raise ValueError("broken")

    for _ in range(2 * THREADS_MAX):
        with pytest.raises(ValueError, match="broken"):
            await run_scan(LONG, fail, "unlucky")


def test_many_short_texts_weigh_more_than_their_characters() -> None:
    assert weight([Segment("ab")] * 100) == 100 * (2 + SEGMENT_CHARS)
    assert weight([Segment('["a"]', Kind.JSON)]) == 4 * 5 + SEGMENT_CHARS


def test_a_scan_that_is_stopped_reads_no_further_text() -> None:
    blocking = policy(rule(type="keyword", terms=["secret"], action="block"))
    judged = Check(blocking, [Segment("a secret")], fingerprint)
    judged.stop()
    judged.scan()
    assert judged.verdict().outcome is Outcome.PASSED


def test_a_scan_that_is_stopped_in_a_text_asks_no_further_finder() -> None:
    wanted = policy(*(rule(type="keyword", terms=[term], action="flag") for term in ("one", "two", "three")))
    asked = iter([False, True])
    found = wanted.find("one two three", "user", lambda: next(asked))
    assert [(finding.rule_index, finding.start) for finding in found] == [(0, 0)]
