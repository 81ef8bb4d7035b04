"""Check 8: one upstream attempt after the other until a provider answers.

Each attempt is recomputed on its exact bytes, topped up and journalled before anything is sent. Failover
happens on connect error, 429 and 5xx, before the first byte, never for anything else. An attempt that was
refused with a status that says so is not billed, and what was reserved serves the next one; one that may be
billed (`may_be_billed`) keeps its worst case, and the next is reserved beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import jiter
import msgspec

from orca.auth.v1.auth_pb2 import ChannelRecord
from orca.events.v1.events_pb2 import Spend
from orca.guardrail.v1.guardrail_pb2 import OUTPUT_MODE_NONE
from services.common.clock import Clock
from services.common.errors import OrcaError
from services.common.tracing import SpanKind, enabled, span
from services.relay.domain.request import write_output_limit
from services.relay.domain.routing import failover_order
from services.relay.domain.settlement import may_be_billed
from services.relay.domain.worst_case import worst_case
from services.relay.pipeline.events import spend_envelope
from services.relay.pipeline.exchange import Attempt, Exchange
from services.relay.pipeline.gate import named
from services.relay.pipeline.refusals import upstream_error
from services.relay.ports import Journal, OpenAttempt, Reservation
from services.relay.upstream.port import Answer, Interrupted, NotSent, Target, Upstream

MAX_ATTEMPTS = 8
TOTAL_TIMEOUT_S = 600.0
IDLE_TIMEOUT_S = 60.0
DEFAULT_LIMIT_FIELD = "max_completion_tokens"
MAX_MESSAGE_CHARS = 1000
MAX_CODE_CHARS = 64
_CALLER_MISTAKES = (400, 413, 422)
_OUR_CODES = ("guardrail_", "firewall_", "policy_", "credit_", "ledger_", "event_log_")
"""What codes begin with that say something of this gateway, which no provider can."""


class Dispatcher:
    """Sends requests to channels."""

    def __init__(self, upstream: Upstream, journal: Journal, clock: Clock, draw: Callable[[], float]) -> None:
        self._upstream = upstream
        self._journal = journal
        self._clock = clock
        self._draw = draw

    async def open(self, x: Exchange) -> Answer:
        """An answer with status 200. Raises OrcaErrors; the exchange's attempt says what is at stake."""
        if x.route is None:
            raise RuntimeError("no model was chosen yet")
        routes = failover_order(x.route.channels, lambda r: r[0].priority, lambda r: r[0].weight, self._draw)[
            :MAX_ATTEMPTS
        ]
        failure: OrcaError = upstream_error("no channel serves this model", status=503, code="no_channel")
        for channel, upstream_model in routes:
            try:
                return await self._attempt(x, channel, upstream_model)
            except _TryNext as reason:
                failure = reason.error
        raise failure

    async def _attempt(self, x: Exchange, channel: ChannelRecord, upstream_model: str) -> Answer:
        attempt = await self._prepare(x, channel, upstream_model)
        total_s = channel.timeout_ms / 1000 if channel.timeout_ms else TOTAL_TIMEOUT_S
        target = Target(channel.base_url, channel.api_key, total_s, min(IDLE_TIMEOUT_S, total_s))
        # From here on the provider may have been reached, until it is known that it was not.
        x.attempt = attempt
        started = self._clock.monotonic_s()
        try:
            if enabled():
                answer = await self._traced(x, attempt, target)
            else:
                answer = await self._upstream.send(target, attempt.body)
        except NotSent as error:
            x.attempt = None
            raise _TryNext(upstream_error(str(error))) from None
        except Interrupted as error:
            raise interrupted(error) from None
        finally:
            x.upstream_s += self._clock.monotonic_s() - started
        attempt.answer = answer
        if answer.status == 200:
            return answer
        refusal = await self._refused(x, attempt, answer)
        x.attempt = None
        if answer.status == 429 or answer.status >= 500:
            raise _TryNext(refusal)
        raise refusal

    async def _traced(self, x: Exchange, attempt: Attempt, target: Target) -> Answer:
        """The call under a span of OpenTelemetry's GenAI conventions; it ends with the answer's head."""
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": x.model.partition("/")[0],
            "gen_ai.request.model": attempt.upstream_model,
            "orca.channel_id": attempt.channel.channel_id,
            "orca.attempt": attempt.number,
        }
        with span(f"chat {attempt.upstream_model}", SpanKind.CLIENT, attributes=attributes) as current:
            answer = await self._upstream.send(target, attempt.body)
            if current is not None:
                current.set_attribute("http.response.status_code", answer.status)
            return answer

    async def _prepare(self, x: Exchange, channel: ChannelRecord, upstream_model: str) -> Attempt:
        """The exact bytes, their worst case reserved, and the journal's record of it."""
        body = dict(x.body)
        body["model"] = upstream_model
        if x.limit is not None:
            write_output_limit(body, x.limit, channel.max_tokens_field or DEFAULT_LIMIT_FIELD)
        if x.stream:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        raw = msgspec.json.encode(body)
        case = worst_case(len(raw), x.shape, x.price)
        if x.reservation is None:
            raise RuntimeError("nothing was reserved")
        try:
            if x.may_refuse_output:
                await x.reservation.cover_refusal(case.amount_nano_usd)
            # Nothing is waited for between this and the record: a lease that an earlier attempt is recorded under
            # must not go back before the record names its successor.
            await x.reservation.top_up(case.amount_nano_usd, x.unknown_nano_usd)
        except OrcaError as refused:
            raise named(refused, x, case) from None
        x.attempts += 1
        attempt = Attempt(x.attempts, x.reservation, case, channel, upstream_model, raw)
        self._journal.open_attempt(self._record(x, attempt))
        return attempt

    def _record(self, x: Exchange, attempt: Attempt) -> OpenAttempt:
        # The record's number is the reservation's: a second try on the same reservation replaces it.
        spend = opening_spend(x, attempt.reservation)
        spend.model, spend.channel_id, spend.attempt = x.model, attempt.channel.channel_id, attempt.number
        return OpenAttempt(x.request_id, 1, spend_envelope(x, spend))

    async def _refused(self, x: Exchange, attempt: Attempt, answer: Answer) -> OrcaError:
        """The error for a provider's status; notes what it may have cost. Its words are passed on only where they
        speak of the request and no output rule would have to judge them; never for its credential's sake."""
        try:
            raw = await answer.read()
        except Interrupted:
            raw = b""
        finally:
            answer.abort()
        message, param, code = _provider_words(raw)
        if may_be_billed(answer.status, code):
            x.unknown_nano_usd += attempt.case.amount_nano_usd
        if answer.status == 429:
            return OrcaError(
                "the provider is rate limiting this model",
                code="upstream_rate_limited",
                status=429,
                type="rate_limit_error",
                retry_after_s=1,
            )
        if answer.status not in _CALLER_MISTAKES:
            return upstream_error(f"the provider answered with status {answer.status}")
        # Some providers repeat the credential they were sent.
        secret = attempt.channel.api_key
        echoed = bool(secret) and any(secret in words for words in (message, param or "", code or ""))
        if x.output_mode != OUTPUT_MODE_NONE or not message or echoed:
            message, param, code = "the provider refused the request as invalid", None, None
        return OrcaError(
            message,
            code=code or "upstream_rejected",
            status=answer.status,
            param=param,
            type="invalid_request_error",
        )


def opening_spend(x: Exchange, reservation: Reservation) -> Spend:
    """The whole reservation as unconfirmed: what a successor books when this process dies now."""
    pending: Callable[[], Spend] | None = getattr(reservation, "pending", None)
    if pending is not None:
        return pending()
    amount = reservation.amount_nano_usd
    return Spend(account_id=x.key.key.account_id, reservation_nano_usd=amount, unconfirmed_nano_usd=amount)


class _TryNext(Exception):
    """This channel failed before the first byte; the next may do."""

    def __init__(self, error: OrcaError) -> None:
        super().__init__(error.message)
        self.error = error


def interrupted(error: Interrupted) -> OrcaError:
    """The refusal for an answer that broke off."""
    if error.timed_out:
        return upstream_error(str(error), status=504, code="upstream_timeout")
    return upstream_error(str(error))


def _is_providers(code: str) -> bool:
    return code.isidentifier() and not code.startswith(_OUR_CODES)


def _provider_words(raw: bytes) -> tuple[str, str | None, str | None]:
    """(message, param, code) of a provider's error body, capped; empty where it has none."""
    try:
        error = jiter.from_json(raw)["error"]
        message, param, code = error.get("message"), error.get("param"), error.get("code")
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", None, None
    return (
        message[:MAX_MESSAGE_CHARS] if isinstance(message, str) else "",
        param[:MAX_MESSAGE_CHARS] if isinstance(param, str) else None,
        code if isinstance(code, str) and len(code) <= MAX_CODE_CHARS and _is_providers(code) else None,
    )
