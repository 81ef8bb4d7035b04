"""Asks that wait at the same time share a transaction: the ledger's rate is bounded by statements, not by asks.

An ask passes up to three stages. In the first, everything that waits is granted in one transaction, which takes no
row that somebody else holds: no workspace waits for another. What was held goes to a line of its workspace, whose
transactions wait for the row. What neither can answer (a new key, a repeated ask, a lost race) is asked alone, so that
it fails, or waits, for itself only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Generic, Protocol, TypeVar

from services.common.errors import Unavailable

log = logging.getLogger("orca.ledger.gathering")

BATCH_MAX = 128
"""Asks in one transaction; more wait for the next."""


class Gathered(Protocol):
    """What an ask must say of itself."""

    @property
    def acquire_id(self) -> str:
        """Names it; two of one name never share a transaction."""

    @property
    def workspace_id(self) -> str:
        """Whose line it waits in."""


A = TypeVar("A", bound=Gathered)
R = TypeVar("R")
Together = Callable[[Sequence[A], bool], Awaitable[Sequence[R | None]]]
"""(asks, whether to wait for held rows) → answers in order; None: this one has to be asked otherwise."""
Waiting = tuple[A, "asyncio.Future[R]"]


class Gathering(Generic[A, R]):
    """The stages. Their number of waiting asks is that of calls under way."""

    def __init__(self, together: Together[A, R], alone: Callable[[A], Awaitable[R]]) -> None:
        self._together = together
        self._alone = alone
        self._first: _Line[A, R] = _Line(self._ask_first)
        self._lines: dict[str, _Line[A, R]] = {}
        self._by_themselves: set[asyncio.Task[None]] = set()

    async def ask(self, ask: A) -> R:
        """The answer, or what asking alone raises."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._first.add((ask, answer))
        return await answer

    async def idle(self) -> None:
        """Returns when nothing is asked any more: a caller that left does not end a transaction under way."""
        while tasks := [
            *self._first.tasks(),
            *chain(*(line.tasks() for line in self._lines.values())),
            *self._by_themselves,
        ]:
            await asyncio.wait(tasks)

    async def _ask_first(self, batch: list[Waiting[A, R]]) -> None:
        for waiting in await self._answered(batch, wait=False):
            self._line(waiting[0].workspace_id).add(waiting)

    def _line(self, workspace_id: str) -> _Line[A, R]:
        line = self._lines.get(workspace_id)
        if line is None:
            line = self._lines[workspace_id] = _Line(self._ask_in_line, lambda: self._lines.pop(workspace_id))
        return line

    async def _ask_in_line(self, batch: list[Waiting[A, R]]) -> None:
        for waiting in await self._answered(batch, wait=True):
            task = asyncio.create_task(self._ask_alone(*waiting))
            self._by_themselves.add(task)
            task.add_done_callback(self._by_themselves.discard)

    async def _answered(self, batch: list[Waiting[A, R]], *, wait: bool) -> list[Waiting[A, R]]:
        """Answers a batch; what is left of it. A database that is down is everybody's answer."""
        try:
            answers = await self._together([ask for ask, _ in batch], wait)
        except Unavailable as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return []
        except Exception as error:
            # Nothing was granted; whose fault it was shows when each is asked alone.
            log.info("a shared transaction failed", extra={"error_class": type(error).__name__, "count": len(batch)})
            return batch
        left = []
        for waiting, found in zip(batch, answers, strict=True):
            if found is None:
                left.append(waiting)
            elif not waiting[1].done():
                waiting[1].set_result(found)
        return left

    async def _ask_alone(self, ask: A, answer: asyncio.Future[R]) -> None:
        if answer.done():
            return
        try:
            found = await self._alone(ask)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(found)


class _Line(Generic[A, R]):
    """Asks in the order they came, a batch at a time while there are any."""

    def __init__(
        self, serve: Callable[[list[Waiting[A, R]]], Awaitable[None]], emptied: Callable[[], object] = lambda: None
    ) -> None:
        self._serve = serve
        self._emptied = emptied
        self._waiting: deque[Waiting[A, R]] = deque()
        self._serving: asyncio.Task[None] | None = None

    def add(self, waiting: Waiting[A, R]) -> None:
        """Puts one at the end."""
        self._waiting.append(waiting)
        if self._serving is None:
            self._serving = asyncio.create_task(self._run())

    def tasks(self) -> list[asyncio.Task[None]]:
        """What is under way."""
        return [self._serving] if self._serving is not None else []

    async def _run(self) -> None:
        try:
            while batch := self._next():
                await self._serve(batch)
        finally:
            self._serving = None
            self._emptied()

    def _next(self) -> list[Waiting[A, R]]:
        """Up to BATCH_MAX whose caller still waits, each name once; a repeated one stays for the next."""
        batch: list[Waiting[A, R]] = []
        names: set[str] = set()
        again: list[Waiting[A, R]] = []
        while self._waiting and len(batch) < BATCH_MAX:
            waiting = self._waiting.popleft()
            if waiting[1].done():
                continue
            if waiting[0].acquire_id in names:
                again.append(waiting)
                continue
            names.add(waiting[0].acquire_id)
            batch.append(waiting)
        self._waiting.extendleft(reversed(again))
        return batch
