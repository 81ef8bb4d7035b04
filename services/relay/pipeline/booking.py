"""The end of a request: its money settled, its events journalled, exactly once, before its last byte."""

from __future__ import annotations

from orca.events.v1.events_pb2 import Decision
from services.common.clock import Clock
from services.common.errors import OrcaError
from services.relay.domain.settlement import (
    Ending,
    Settlement,
    settle_answered,
    settle_refused,
    settle_unknown,
)
from services.relay.pipeline.events import add_captures, add_decision, add_request, add_spend
from services.relay.pipeline.exchange import Attempt, Exchange
from services.relay.pipeline.metrics import ENDED, OVERRUN_NANO_USD, REQUEST_SECONDS, UPSTREAM_SECONDS
from services.relay.pipeline.refusals import PolicyRefusal
from services.relay.ports import Journal, Reservation

CANCELLED_STATUS = 499


class Booking:
    """Books requests. Synchronous, so that not even a cancellation can come between."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def answered(self, x: Exchange, status_code: int = 200) -> None:
        """The answer was passed on."""
        if x.attempt is not None:
            self._settle(x, x.attempt.reservation, _as_answered(x, x.attempt))
        self._close(x, status_code, "ok", "")

    def refused(self, x: Exchange, error: OrcaError) -> None:
        """The request or its answer ends with an error. The attempt, if one is open, says what it cost."""
        policy = isinstance(error, PolicyRefusal)
        if x.attempt is None:
            self._give_back(x)
            if not policy and error.code != "policy_unavailable":
                self._decide(x, error)
        else:
            # A plane that is down after the provider answered settles like a refusal.
            if policy or error.code == "policy_unavailable":
                end = settle_refused(_ending(x, x.attempt))
            else:
                self._decide(x, error)
                end = _as_failed(x, x.attempt)
            self._settle(x, x.attempt.reservation, end)
        status = "blocked" if policy else "error"
        self._close(x, 200 if x.first_byte_s is not None else error.status, status, error.code)

    def cancelled(self, x: Exchange) -> None:
        """The client left, or the process stops: what was delivered is charged, the rest is unconfirmed."""
        if x.attempt is not None:
            self._settle(x, x.attempt.reservation, _as_failed(x, x.attempt))
        else:
            self._give_back(x)
        self._close(x, CANCELLED_STATUS, "cancelled", "client_disconnected")

    def _decide(self, x: Exchange, error: OrcaError) -> None:
        plane = "credit" if error.status == 402 or error.code in ("credit_held", "ledger_unavailable") else "upstream"
        add_decision(x, Decision(plane=plane, outcome="refuse", code=error.code))

    def _give_back(self, x: Exchange) -> None:
        """No attempt is open: the reservation goes back, but for what failed attempts may cost."""
        if x.reservation is None:
            return
        if not x.unknown_nano_usd:
            x.reservation.cancel()
            return
        self._settle(x, x.reservation, Settlement(0, estimated=True))

    def _settle(self, x: Exchange, reservation: Reservation, end: Settlement) -> None:
        spend = reservation.settle(
            settled_nano_usd=end.settled,
            unconfirmed_nano_usd=end.unconfirmed + x.unknown_nano_usd,
            blocked_nano_usd=end.blocked,
            overrun_nano_usd=end.overrun,
        )
        spend.estimated = end.estimated
        spend.model, spend.attempt = x.model, x.attempts
        if x.attempt is not None:
            spend.channel_id = x.attempt.channel.channel_id
        spend.input_tokens = end.usage.input_tokens
        spend.cached_input_tokens = end.usage.cached_input_tokens
        spend.output_tokens = end.usage.output_tokens
        spend.reasoning_tokens = end.usage.reasoning_tokens
        if end.overrun:
            OVERRUN_NANO_USD.inc(end.overrun)
        if x.admission is not None:
            x.admission.charge_tokens(end.usage.input_tokens + end.usage.output_tokens)
        add_spend(x, spend)

    def _close(self, x: Exchange, status_code: int, status: str, code: str) -> None:
        x.finished = True
        ENDED[status].inc()
        now_s = self._clock.monotonic_s()
        REQUEST_SECONDS.observe(now_s - x.started_s)
        UPSTREAM_SECONDS.observe(x.upstream_s)
        add_captures(x)
        add_request(x, status_code, status, code, now_s)
        self._journal.finish(x.request_id, x.events)


def _ending(x: Exchange, attempt: Attempt) -> Ending:
    return Ending(
        reservation=_reserved(x, attempt),
        usage=attempt.usage,
        body_bytes=len(attempt.body),
        delivered_bytes=attempt.delivered_bytes,
        case=attempt.case,
        choices=x.shape.choices,
        price=x.price,
    )


def _reserved(x: Exchange, attempt: Attempt) -> int:
    """What was reserved for this attempt, beside those before it that may be billed."""
    return attempt.reservation.amount_nano_usd - x.unknown_nano_usd


def _as_answered(x: Exchange, attempt: Attempt) -> Settlement:
    return settle_answered(_ending(x, attempt))


def _as_failed(x: Exchange, attempt: Attempt) -> Settlement:
    """A cut answer: what was delivered; nothing delivered and no usage is an unknown outcome."""
    if attempt.usage is None and not attempt.delivered_bytes:
        return settle_unknown(_reserved(x, attempt))
    return settle_answered(_ending(x, attempt))
