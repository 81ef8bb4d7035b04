"""A chat completion from its first byte to its last: the eight checks, the answer, the books.

Every request that passed check 5 ends in exactly one call of `Booking`, before its last byte; refusals at
checks 1 to 5 are counted only. A client that leaves cancels the task: the provider's call is stopped at
once and the request is booked as cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.common.clock import Clock
from services.common.errors import OrcaError
from services.relay.domain.segments import add_advisories, apply_replacements, collect_request
from services.relay.edge.incoming import ClientGone, Incoming
from services.relay.edge.reply import Reply
from services.relay.pipeline.booking import Booking
from services.relay.pipeline.dispatch import Dispatcher
from services.relay.pipeline.exchange import Attempt, Exchange
from services.relay.pipeline.gate import CLAMPED_HEADER, Gate
from services.relay.pipeline.policy import Planes, judge_input, message_sources
from services.relay.pipeline.refusals import policy_unavailable
from services.relay.pipeline.release import released_answer
from services.relay.pipeline.streaming import StreamRelay
from services.relay.pipeline.whole import judged_answer
from services.relay.ports import Journal

ENDPOINT = "/v1/chat/completions"
LOGPROBS_HEADER = "X-Orca-Logprobs"
NOT_EVALUATED_HEADER = "X-Orca-Not-Evaluated"
WATCH_AFTER_S = 0.02


class ChatPipeline:
    """Serves `POST /v1/chat/completions`."""

    def __init__(
        self,
        gate: Gate,
        planes: Planes,
        dispatcher: Dispatcher,
        journal: Journal,
        clock: Clock,
        background: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._gate = gate
        self._planes = planes
        self._dispatcher = dispatcher
        self._journal = journal
        self._booking = Booking(journal, clock)
        self._clock = clock
        self._background = background

    async def handle(self, request_id: str, incoming: Incoming, reply: Reply) -> None:
        """Answers one request."""
        x = Exchange(request_id, ENDPOINT, self._clock.monotonic_s())
        try:
            try:
                await self._gate.admit(x, incoming)
            except OrcaError as error:
                self._journal.refusal(x.entry, error.code)
                await reply.error(error)
                return
            except ClientGone:
                return
            await self._admitted(x, incoming, reply)
        finally:
            if x.admission is not None:
                x.admission.release()

    async def _admitted(self, x: Exchange, incoming: Incoming, reply: Reply) -> None:
        try:
            with _Watch(x, incoming):
                last = await self._serve(x, reply)
        except OrcaError as error:
            self._stop_upstream(x)
            self._booking.refused(x, error)
            await reply.error(error)
        except asyncio.CancelledError:
            self._stop_upstream(x)
            self._booking.cancelled(x)
            if not x.client_gone:
                raise
        except BaseException:
            # A bug must not leave a reservation open.
            self._stop_upstream(x)
            if not x.finished:
                self._booking.refused(x, OrcaError("internal error", status=500))
            raise
        else:
            self._booking.answered(x)
            if x.stream:
                await reply.end(last)
            else:
                await reply.json(200, last)
        finally:
            if x.cost_capped:
                cost = x.spend.settled_nano_usd + x.spend.unconfirmed_nano_usd if x.spend else 0
                self._background(asyncio.create_task(self._planes.settle(x, cost)))

    async def _serve(self, x: Exchange, reply: Reply) -> bytes:
        """Checks 6 to 8 and the answer; returns its last bytes, still to be sent."""
        if x.approval_id:
            return await released_answer(self._planes, x)
        clamped = await self._gate.reserve(x)
        if clamped is not None:
            reply.headers[CLAMPED_HEADER] = clamped
        await self._judge(x, reply)
        answer = await self._dispatcher.open(x)
        attempt = x.attempt
        if attempt is None:
            raise RuntimeError("an answer without an attempt")
        if x.output_enforced and x.body.get("logprobs"):
            reply.headers[LOGPROBS_HEADER] = "withheld"
        started = self._clock.monotonic_s()
        try:
            if x.stream:
                return await StreamRelay(self._planes, x, attempt, reply).relay(answer)
            return await judged_answer(self._planes, x, attempt, answer)
        finally:
            x.upstream_s += self._clock.monotonic_s() - started
            answer.abort()

    async def _judge(self, x: Exchange, reply: Reply) -> None:
        """Check 7, and what it changes in the body."""
        segments = collect_request(x.body)
        checked = await judge_input(self._planes, x, segments)
        if checked is None:
            return
        replacements = [(r.index, r.text) for r in checked.replacements]
        if not apply_replacements(segments, replacements):
            raise policy_unavailable(answered=False)
        if checked.needs_sources:
            x.sources = message_sources(segments, replacements)
        if checked.advisories:
            add_advisories(x.body, checked.advisories)
        if checked.not_evaluated:
            reply.headers[NOT_EVALUATED_HEADER] = ", ".join(sorted(set(checked.not_evaluated)))

    def _stop_upstream(self, x: Exchange) -> None:
        attempt: Attempt | None = x.attempt
        if attempt is not None and attempt.answer is not None:
            attempt.answer.abort()


class _Watch:
    """Cancels the current task when the client leaves while the block runs.

    The watch begins after `WATCH_AFTER_S`: most requests that are answered sooner need no task for it.
    """

    def __init__(self, x: Exchange, incoming: Incoming) -> None:
        self._x = x
        self._incoming = incoming
        self._watcher: asyncio.Task[None] | None = None
        self._inside = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("not in a task")
        self._task = task
        self._inside = True
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._watch)

    def __exit__(self, *_: object) -> None:
        self._inside = False
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._x.client_gone:
            self._task.uncancel()

    def _watch(self) -> None:
        self._watcher = asyncio.create_task(self._incoming.disconnected())
        self._watcher.add_done_callback(self._gone)

    def _gone(self, done: asyncio.Task[None]) -> None:
        if self._inside and not done.cancelled():
            self._x.client_gone = True
            self._task.cancel()
