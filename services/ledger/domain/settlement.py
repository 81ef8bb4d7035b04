"""How leases move amounts: spend, close, forfeit, reversal. Each returns the new lease and the account's change.

Allowed: held → settled, unconfirmed (and blocked, on a workspace); held → given back, by a close; held →
forfeited, by expiry; forfeited → settled, by spend that arrives late. Forbidden: anything beyond what the
lease ties up; such an excess is `overrun`, which no account is charged for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.ledger.domain.model import Amounts, Kind, Lease, LeaseState


@dataclass(frozen=True, slots=True)
class Spent:
    """The end of one request's money, nano-USD."""

    settled: int = 0
    unconfirmed: int = 0
    blocked: int = 0
    overrun: int = 0

    def used_under(self, kind: Kind) -> int:
        """What it takes from a lease: refused answers are not charged to keys, only to workspaces."""
        if kind is Kind.BLOCKED:
            return self.blocked
        used = self.settled + self.unconfirmed
        return used + self.blocked if kind is Kind.WORKSPACE else used


def spend_unleased(kind: Kind, spent: Spent) -> Amounts:
    """On an uncapped account."""
    return charge(kind, spent, 0)


def spend(lease: Lease, spent: Spent, running_total: int) -> tuple[Lease, Amounts]:
    """Books a spend under a lease in any state; `running_total` is the relay's count including this spend."""
    used = spent.used_under(lease.kind)
    covered = min(used, lease.outstanding)
    moved = lease.reported_more(used, running_total)
    lost = lease.state is LeaseState.FORFEITED
    change = charge(lease.kind, spent, used - covered, 0 if lost else -covered, -covered if lost else 0)
    if moved.final_used is None:
        return moved, change
    closed, back = _give_back(moved)
    return closed, change + back


def added_up(spends: Iterable[Spent]) -> Spent:
    """Their sum."""
    settled = unconfirmed = blocked = overrun = 0
    for spent in spends:
        settled += spent.settled
        unconfirmed += spent.unconfirmed
        blocked += spent.blocked
        overrun += spent.overrun
    return Spent(settled, unconfirmed, blocked, overrun)


def spend_together(lease: Lease, total: Spent, highest_total: int) -> tuple[Lease, Amounts] | None:
    """Books several spends as their sum, with the highest of their running totals: what booking one by one comes to.

    None where it matters which comes first: together they are more than the lease ties up, or it waits for its
    last spend.
    """
    if lease.final_used is not None or total.used_under(lease.kind) > lease.outstanding:
        return None
    return spend(lease, total, highest_total)


def charge(kind: Kind, spent: Spent, excess: int, held: int = 0, forfeited: int = 0) -> Amounts:
    """The charge on an account, with what it takes out of `held` or `forfeited`; what is beyond the lease is
    overrun there: the unknown part first, then the charge, then the refused part."""
    if kind is Kind.BLOCKED:
        return Amounts(spent.blocked - excess, held, 0, forfeited, 0, excess)
    if excess:
        spent = _cut(kind, spent, excess)
    return Amounts(spent.settled, held, spent.unconfirmed, forfeited, spent.blocked, spent.overrun)


def _cut(kind: Kind, spent: Spent, excess: int) -> Spent:
    unconfirmed = max(0, spent.unconfirmed - excess)
    rest = excess - (spent.unconfirmed - unconfirmed)
    settled = max(0, spent.settled - rest)
    rest -= spent.settled - settled
    blocked = spent.blocked - rest if kind is Kind.WORKSPACE else spent.blocked
    return Spent(settled, unconfirmed, blocked, spent.overrun + excess)


def close(lease: Lease, final_used: int) -> tuple[Lease, Amounts]:
    """The replica's last word: gives back granted − max(reported, final_used).

    With a gap nothing is given back until the missing spend arrives. A forfeited lease may be closed too (its
    replica's disk came back): what it never used stops being forfeited. Repetitions change nothing.
    """
    if lease.final_used is not None:
        return lease, Amounts()
    state = LeaseState.FORFEITED if lease.state is LeaseState.FORFEITED else LeaseState.CLOSED
    return _give_back(replace(lease, final_used=final_used, state=state))


def _give_back(lease: Lease) -> tuple[Lease, Amounts]:
    if lease.gap or lease.final_used is None:
        return lease, Amounts()
    unused = max(0, lease.granted - lease.returned - max(lease.reported, lease.final_used))
    return replace(lease, returned=lease.returned + unused), _release(lease, unused)


def forfeit(lease: Lease) -> tuple[Lease, Amounts]:
    """Past expiry and grace: what was never reported stays charged, visible, reversible."""
    if lease.state is LeaseState.FORFEITED:
        return lease, Amounts()
    rest = lease.outstanding
    return replace(lease, state=LeaseState.FORFEITED), Amounts(held=-rest, forfeited=rest)


def reverse_forfeit(lease: Lease) -> tuple[Lease, Amounts]:
    """An Admin gives a lost lease's rest back; spend that arrives after is overrun."""
    if lease.state is not LeaseState.FORFEITED:
        return lease, Amounts()
    rest = lease.outstanding
    return replace(lease, returned=lease.returned + rest), Amounts(forfeited=-rest)


def _release(lease: Lease, amount: int) -> Amounts:
    """Takes an amount out of where this lease's credit is counted."""
    if lease.state is LeaseState.FORFEITED:
        return Amounts(forfeited=-amount)
    return Amounts(held=-amount)
