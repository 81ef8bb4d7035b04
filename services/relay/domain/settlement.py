"""How one attempt's reservation ends: settled + unconfirmed + blocked ≤ reservation, the excess is overrun."""

from __future__ import annotations

from dataclasses import dataclass

from services.relay.domain.worst_case import Price, Usage, WorstCase, cost_of, estimated_usage


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of an attempt when it ends, and what bounds it.

    `usage` None: the provider gave none. Bytes: sent upstream, and of text passed on to the client.
    """

    reservation: int
    usage: Usage | None
    body_bytes: int
    delivered_bytes: int
    case: WorstCase
    choices: int
    price: Price

    def guessed(self) -> Usage:
        """The usage of what was delivered."""
        return estimated_usage(self.body_bytes, self.delivered_bytes, self.case, self.choices)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Amounts in nano-USD, and the usage they stand for."""

    settled: int
    unconfirmed: int = 0
    blocked: int = 0
    overrun: int = 0
    estimated: bool = False
    usage: Usage = Usage(0, 0)


def settle_answered(end: Ending) -> Settlement:
    """An answer passed on, whole or cut: the provider's usage, else what was delivered, the rest unconfirmed."""
    if end.usage is not None:
        cost = cost_of(end.usage, end.price)
        return Settlement(min(cost, end.reservation), overrun=max(0, cost - end.reservation), usage=end.usage)
    guess = end.guessed()
    cost = min(cost_of(guess, end.price), end.reservation)
    return Settlement(cost, unconfirmed=end.reservation - cost, estimated=True, usage=guess)


def settle_refused(end: Ending) -> Settlement:
    """An answer refused here: what was delivered is charged, the rest of the provider's charge is blocked.

    Before the first delivered byte nothing is charged. Without usage the provider's charge is unknown and
    taken as the worst case of what was sent, which the blocked limit bounds.
    """
    charged = 0
    bound = min(end.reservation, end.case.amount_nano_usd)
    guess = Usage(0, 0)
    if end.delivered_bytes:
        guess = end.guessed()
        charged = min(cost_of(guess, end.price), end.reservation)
    if end.usage is None:
        return Settlement(charged, blocked=max(0, bound - charged), estimated=True, usage=guess)
    cost = cost_of(end.usage, end.price)
    within = min(cost, end.reservation)
    charged = min(charged, within)
    return Settlement(
        charged,
        blocked=within - charged,
        overrun=cost - within,
        estimated=end.delivered_bytes > 0,
        usage=end.usage,
    )


def settle_unknown(reservation: int) -> Settlement:
    """The request was sent and nothing is known of its outcome."""
    return Settlement(0, unconfirmed=reservation, estimated=True)


_NOT_BILLED = frozenset((500, 501, 503, 505, 521, 523, 529))
"""Failures by which a provider says that it did not serve the request, or a gateway that it did not pass it on."""


def may_be_billed(status: int, code: str | None) -> bool:
    """Whether an attempt that ended with this status, not 200, may have cost something all the same.

    A gateway that lost its provider's answer (502, 504, 524), a time-out (408), an answer without its content (204)
    and a prompt that a provider's own filter read and refused say nothing of what the provider did.
    """
    if status < 300 or code == "content_filter":
        return True
    return status in (408, 499) or (status >= 500 and status not in _NOT_BILLED)
