"""Leases and accounts as one relay holds them: pure and synchronous.

Invariant of a lease: used + reserved ≤ granted. Amounts are nano-USD. A lease admits until its expiry, a
recall or its retirement; what is in flight then still ends under it, and it closes when nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

AHEAD_SPEND_S = 1.5
SPEND_HORIZON_S = 2.0
"""A slice covers about this much recent spend; a lease unused for as long goes back."""


@dataclass(slots=True, eq=False)
class HeldLease:
    """Credit held for this relay on one account."""

    lease_id: str
    account_id: str
    granted: int
    expires_s: float
    """Monotonic; margin subtracted."""
    last_use_s: float
    reserved: int = 0
    used: int = 0
    sequence: int = 0
    closing: bool = False

    def admits(self, amount: int, now_s: float) -> bool:
        """A reservation of this amount may be made now."""
        return not self.closing and now_s < self.expires_s and self.used + self.reserved + amount <= self.granted

    def reserve(self, amount: int, now_s: float) -> None:
        """Sets an amount aside; ask `admits` first."""
        if self.used + self.reserved + amount > self.granted:
            raise ValueError("a reservation exceeds its lease")
        self.reserved += amount
        self.last_use_s = now_s

    def give_back(self, amount: int) -> None:
        """Undoes a reservation."""
        if amount > self.reserved:
            raise ValueError("more was given back than was reserved")
        self.reserved -= amount

    def spend(self, reserved: int, used: int, now_s: float) -> tuple[int, int]:
        """Ends a reservation; (sequence, running total) of this spend under the lease."""
        if not 0 <= used <= reserved:
            raise ValueError("a spend exceeds its reservation")
        self.give_back(reserved)
        self.used += used
        self.sequence += 1
        self.last_use_s = now_s
        return self.sequence, self.used


@dataclass(slots=True, eq=False)
class HeldAccount:
    """An account's leases here, and how fast it spends."""

    account_id: str
    leases: list[HeldLease] = field(default_factory=list)
    waiting: int = 0
    """Worst cases that wait for a refill."""
    last_use_s: float = 0.0
    ask_again_s: float = 0.0
    """No refill ahead of need before this (monotonic)."""
    _rate: float = 0.0
    _rate_at_s: float = 0.0

    def find(self, amount: int, now_s: float) -> HeldLease | None:
        """The oldest lease that admits the amount, so that leases are used up in order."""
        for lease in self.leases:
            if lease.admits(amount, now_s):
                return lease
        return None

    def spent(self, amount: int, now_s: float) -> None:
        """Feeds the spend rate: an exponential mean over the horizon."""
        self._rate = self.rate(now_s) + amount / SPEND_HORIZON_S
        self._rate_at_s = now_s

    def rate(self, now_s: float) -> float:
        """Recent spend, nano-USD per second."""
        idle_s = max(0.0, now_s - self._rate_at_s)
        return self._rate * float(0.5 ** (idle_s / SPEND_HORIZON_S))

    def wanted(self, minimum: int, now_s: float) -> int:
        """A good slice: everybody who waits and one more, as much again as is in flight, and the horizon's spend.

        What is in flight counts because worst cases exceed costs by far: the slice must carry the concurrency.
        """
        return minimum + max(minimum, self.waiting) + self.in_flight() + int(self.rate(now_s) * SPEND_HORIZON_S)

    def runs_dry(self, amount: int, now_s: float) -> bool:
        """A busy account could not take another request like this one, or half a second of its spend."""
        rate = self.rate(now_s)
        if rate < 1 or now_s < self.ask_again_s:
            return False
        return self.find(amount + int(rate * AHEAD_SPEND_S), now_s) is None

    def retire(self, keep: HeldLease | None = None) -> None:
        """No more admissions on the leases but one; each goes back when nothing is in flight on it."""
        for lease in self.leases:
            if lease is not keep:
                lease.closing = True

    def retire_unused(self, now_s: float) -> None:
        """Retires leases that are past their time, or that nobody used for the horizon."""
        for lease in self.leases:
            if now_s >= lease.expires_s or (not lease.reserved and now_s - lease.last_use_s >= SPEND_HORIZON_S):
                lease.closing = True

    def in_flight(self) -> int:
        """Reserved under all leases."""
        return sum(lease.reserved for lease in self.leases)
