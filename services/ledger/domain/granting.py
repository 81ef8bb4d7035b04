"""Whether a lease is granted, and how large it is.

Never over: a grant is at most `limit − committed`. The decision here is a proposal from a read; the storage
repeats the comparison inside the one conditional UPDATE that makes it true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.ledger.domain.model import Account

SHARE = 4
"""A lease takes at most this part of the remainder beyond its minimum, so that other replicas find some left."""


class Reason(StrEnum):
    """Why credit is not granted."""

    EXHAUSTED = "exhausted"
    HELD = "held"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Ask:
    """The least useful grant and the preferred one, nano-USD."""

    minimum: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Granted:
    """Grant this much, nano-USD."""

    amount: int


@dataclass(frozen=True, slots=True)
class Unlimited:
    """The account has no limit and needs no lease."""


@dataclass(frozen=True, slots=True)
class Refused:
    """`remaining` counts other requests' holds as gone, `clampable` does not."""

    reason: Reason
    remaining: int
    clampable: int


def refusal(account: Account, amount: int) -> Refused | None:
    """Why an amount does not fit this account as read; None when it does."""
    if account.limit is None:
        return Refused(Reason.FROZEN, 0, 0) if account.frozen else None
    remaining = account.limit - account.committed
    clampable = account.limit - account.burnt
    if account.frozen:
        return Refused(Reason.FROZEN, remaining, clampable)
    if remaining < amount:
        reason = Reason.EXHAUSTED if clampable < amount else Reason.HELD
        return Refused(reason, remaining, clampable)
    return None


def decide(account: Account, ask: Ask) -> Granted | Unlimited | Refused:
    """The answer to an ask on this account as read."""
    refused = refusal(account, ask.minimum)
    if refused is not None:
        return refused
    if account.remaining is None:
        return Unlimited()
    return Granted(max(ask.minimum, min(ask.wanted, account.remaining // SHARE)))
