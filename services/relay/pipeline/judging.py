"""A guardrail's question to a judge model: reserved, dispatched, settled and told like any request.

Internal only. The workspace's judge key pays: it must exist, be usable and be capped, so that a policy cannot spend
without bound. The planes are not asked: the question is the guardrail's own. Each tenant key has a rate of its own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jiter
import msgspec

from services.common.clock import Clock
from services.common.errors import Conflict, NotFound, OrcaError, TooMany, Unavailable
from services.common.ids import new_id
from services.relay.domain.identity import RunIdentity
from services.relay.domain.model_access import model_allowed
from services.relay.domain.request import shape_of
from services.relay.limits.window import SlidingMinute
from services.relay.pipeline.booking import Booking
from services.relay.pipeline.dispatch import Dispatcher
from services.relay.pipeline.exchange import Exchange, price_of
from services.relay.pipeline.gate import Gate
from services.relay.pipeline.policy import Planes
from services.relay.pipeline.whole import judged_answer
from services.relay.ports import Journal, KeyEntry, ModelDirectory, RateLimiter, WorkspaceKeys

ENDPOINT = "relay.v1.Judge"
MAX_ANSWER_TOKENS = 1024
"""What a judge may write, reasoning included."""
MAX_TENANTS = 100_000


class JudgeRate:
    """Questions a minute on behalf of one tenant key, on this replica. Keys at rest are forgotten."""

    def __init__(self, clock: Clock, rpm: int) -> None:
        self._clock = clock
        self._rpm = rpm
        self._windows: OrderedDict[str, SlidingMinute] = OrderedDict()

    def admit(self, key_id: str) -> None:
        """Raises 429 `judge_rate_limited`; a refused question counts nowhere."""
        now_s = self._clock.monotonic_s()
        window = self._windows.setdefault(key_id, SlidingMinute())
        self._windows.move_to_end(key_id)
        if len(self._windows) > MAX_TENANTS:
            self._windows.popitem(last=False)
        window.advance(now_s)
        wait_s = window.wait_s(now_s, self._rpm)
        if wait_s:
            raise TooMany("the key's judge questions are used up", code="judge_rate_limited", retry_after_s=wait_s)
        window.add(now_s, 1)


class JudgePipeline:
    """Answers judge questions."""

    def __init__(
        self,
        keys: WorkspaceKeys,
        models: ModelDirectory,
        limiter: RateLimiter,
        gate: Gate,
        planes: Planes,
        dispatcher: Dispatcher,
        journal: Journal,
        clock: Clock,
        rate: JudgeRate,
    ) -> None:
        self._keys = keys
        self._models = models
        self._limiter = limiter
        self._gate = gate
        self._planes = planes
        self._dispatcher = dispatcher
        self._journal = journal
        self._booking = Booking(journal, clock)
        self._clock = clock
        self._rate = rate

    async def ask(self, workspace_id: str, tenant_key_id: str, model: str, rubric: str, text: str) -> tuple[str, int]:
        """(the model's words, cost in nano USD). Raises OrcaErrors with the pipeline's codes, 409 where the
        workspace has no usable judge key, 429 for the tenant's rate."""
        entry = self._judge_key(workspace_id)
        self._rate.admit(tenant_key_id)
        x = self._exchange(entry, model, rubric, text)
        self._journal.admit()
        x.admission = self._limiter.admit(entry)
        try:
            return await self._booked(x)
        finally:
            x.admission.release()

    def _judge_key(self, workspace_id: str) -> KeyEntry:
        workspace = self._keys.workspace(workspace_id)
        if workspace is None or workspace.deleted:
            raise Unavailable("the workspace is not known here", code="judge_unavailable")
        entry = self._keys.by_id(workspace.judge_key_id) if workspace.judge_key_id else None
        if entry is None or entry.key.workspace_id != workspace_id:
            raise Conflict("the workspace names no judge key", code="judge_key_missing")
        key = entry.key
        expired = 0 <= key.expires_at_unix_s <= self._clock.now_us() // 1_000_000
        if key.deleted or not key.enabled or expired or key.is_firewall_gateway:
            raise Conflict("the judge key cannot be used", code="judge_key_unusable")
        if not key.HasField("credit_limit_nano_usd"):
            raise Conflict("the judge key has no credit limit", code="judge_key_uncapped")
        return entry

    def _exchange(self, entry: KeyEntry, model: str, rubric: str, text: str) -> Exchange:
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "system", "content": rubric}, {"role": "user", "content": text}],
            "max_completion_tokens": MAX_ANSWER_TOKENS,
        }
        x = Exchange(new_id("req"), ENDPOINT, self._clock.monotonic_s(), entry=entry)
        x.identity = RunIdentity(x.request_id)
        x.body, x.body_bytes = body, len(msgspec.json.encode(body))
        route = self._models.find(entry.key.workspace_id, model)
        if not model_allowed(
            entry.key.model_limits_enabled, entry.key.model_limits, route.model_id if route else model
        ):
            raise Conflict("the judge key may not use the judge model", code="model_not_allowed")
        if route is None:
            raise NotFound("the judge model does not exist in this workspace", code="model_not_found")
        x.route, x.model, x.price = route, route.model_id, price_of(route.price)
        if not x.price.priced:
            raise Conflict("the judge model has no price", code="model_price_error")
        x.capped = True
        x.shape = shape_of(body)
        return x

    async def _booked(self, x: Exchange) -> tuple[str, int]:
        try:
            await self._gate.reserve(x)
            answer = await self._dispatcher.open(x)
            if x.attempt is None:
                raise RuntimeError("an answer without an attempt")
            try:
                raw = await judged_answer(self._planes, x, x.attempt, answer)
            finally:
                answer.abort()
        except OrcaError as error:
            self._booking.refused(x, error)
            raise
        except asyncio.CancelledError:
            self._booking.cancelled(x)
            raise
        except BaseException:
            # A bug must not leave a reservation open.
            if not x.finished:
                self._booking.refused(x, OrcaError("internal error", status=500))
            raise
        self._booking.answered(x)
        return _words(jiter.from_json(raw)), x.spend.settled_nano_usd if x.spend else 0


def _words(answer: Mapping[str, Any]) -> str:
    for choice in answer["choices"]:
        content = (choice.get("message") or {}).get("content")
        if isinstance(content, str):
            return content
    return ""
