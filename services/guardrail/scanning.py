"""Where texts are scanned: short ones at once, long ones in threads that no key can take for itself.

A thread cannot be interrupted, so a scan whose caller has given up goes on to its end. It keeps its place until then:
whoever sends more than can be scanned waits behind what they sent, and other keys do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from services.guardrail.domain.model import Kind, Segment

INLINE_MAX = 16 * 1024
"""Characters scanned on the event loop, a few hundred microseconds; more go to a thread."""
SEGMENT_CHARS = 128
"""A text costs as much as so many characters, however short it is."""
DOCUMENT_FACTOR = 4
"""A document of many short strings costs as much as so many times its characters."""
THREADS_MAX = min(32, (os.cpu_count() or 1) + 4)
THREADS_PER_OWNER = max(1, THREADS_MAX // 2)

T = TypeVar("T")


class _Threads:
    """Threads of their own: passwords, files and what else runs in threads do not wait behind scans; and a process
    that ends does not wait for a scan that nobody waits for."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._started = 0

    def submit(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._queue.put((future, work))
        if self._started < THREADS_MAX:
            self._started += 1
            Thread(target=self._run, name=f"guardrail-scan-{self._started}", daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            future, work = self._queue.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            # A waiting thread must not keep the last text.
            del future, work


_THREADS = _Threads()


class _Share:
    """One owner's places."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(THREADS_PER_OWNER)
        self.users = 0


_shares: dict[str, _Share] = {}
"""Owners with a scan that runs or waits."""


def weight(segments: Sequence[Segment]) -> int:
    """What scanning these texts costs, in characters."""
    size = sum(len(s.text) * (DOCUMENT_FACTOR if s.kind is Kind.JSON else 1) for s in segments)
    return size + SEGMENT_CHARS * len(segments)


async def run_scan(size: int, work: Callable[[], T], owner: str) -> T:
    """Runs a scan that costs `size` characters where it belongs. `owner`: the key, or workspace, that asks for it."""
    if size <= INLINE_MAX:
        return work()
    loop = asyncio.get_running_loop()
    share = _shares.setdefault(owner, _Share())
    share.users += 1

    def leave() -> None:
        share.users -= 1
        if not share.users:
            _shares.pop(owner, None)

    def ended() -> None:
        share.places.release()
        leave()

    def over(_: object) -> None:
        # The loop may be gone when a scan ends that nobody waits for.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended)

    try:
        await share.places.acquire()
    except BaseException:
        leave()
        raise
    scan = _THREADS.submit(work)
    scan.add_done_callback(over)
    return await asyncio.wrap_future(scan)
