"""Accounts, leases and the six amounts, all in integer nano-USD.

A lease's position is three numbers that only grow: `granted`, `returned` (given back or reversed) and
`reported` (used under it, by spend events). What it still ties up follows from them, so redelivered and
reordered events end in the same state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """Whose account it is."""

    KEY = "key"
    WORKSPACE = "workspace"
    BLOCKED = "blocked"
    """Refused answers of a key, bounded by its blocked limit; `settled` is what they cost."""


class LeaseState(StrEnum):
    """`open`: its replica may spend; `closed`: it reported its last use; `forfeited`: its replica was lost."""

    OPEN = "open"
    CLOSED = "closed"
    FORFEITED = "forfeited"


def blocked_account(account_id: str) -> str:
    """The account of refused answers that belongs to a key's account."""
    return f"{account_id}:blocked"


@dataclass(frozen=True, slots=True)
class Amounts:
    """The six amounts, or a change of them, in nano-USD."""

    settled: int = 0
    held: int = 0
    unconfirmed: int = 0
    forfeited: int = 0
    blocked: int = 0
    overrun: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.settled + other.settled,
            self.held + other.held,
            self.unconfirmed + other.unconfirmed,
            self.forfeited + other.forfeited,
            self.blocked + other.blocked,
            self.overrun + other.overrun,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """One key lineage's or one workspace's credit. `limit` None = unlimited."""

    kind: Kind
    limit: int | None
    amounts: Amounts = Amounts()
    frozen: bool = False

    @property
    def burnt(self) -> int:
        """What counts against the limit and does not come back by itself."""
        amounts = self.amounts
        burnt = amounts.settled + amounts.unconfirmed + amounts.forfeited
        # A workspace's limit is the operator's money: refused answers count there, not on the tenant's key.
        return burnt + amounts.blocked if self.kind is Kind.WORKSPACE else burnt

    @property
    def committed(self) -> int:
        """What counts against the limit now; no grant takes it above."""
        return self.burnt + self.amounts.held

    @property
    def remaining(self) -> int | None:
        """What a grant may take; negative after a lowered limit; None = unlimited."""
        return None if self.limit is None else self.limit - self.committed


@dataclass(frozen=True, slots=True)
class Lease:
    """Credit held for one relay incarnation on one account."""

    kind: Kind
    granted: int
    returned: int = 0
    reported: int = 0
    running_total: int = 0
    final_used: int | None = None
    state: LeaseState = LeaseState.OPEN

    @property
    def outstanding(self) -> int:
        """What it still ties up: held, or forfeited once its replica was lost."""
        return max(0, self.granted - self.returned - self.reported)

    def reported_more(self, used: int, running_total: int) -> Lease:
        """One more spend was seen; `running_total` is the relay's count with it."""
        # Written out, since every spend comes by here and `replace` costs several times as much.
        return Lease(
            self.kind,
            self.granted,
            self.returned,
            self.reported + used,
            max(self.running_total, running_total),
            self.final_used,
            self.state,
        )

    def ended(self, state: LeaseState, returned: int, final_used: int | None) -> Lease:
        """The later of two positions: what grows has grown, a forfeit stays one, the first last word stands."""
        return replace(
            self,
            state=LeaseState.FORFEITED if self.state is LeaseState.FORFEITED else state,
            returned=max(self.returned, returned),
            final_used=self.final_used if self.final_used is not None else final_used,
        )

    @property
    def gap(self) -> bool:
        """An event told of more use than the entries add up to: at least one spend is missing."""
        return self.running_total > self.reported
