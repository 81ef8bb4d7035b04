"""A reservation: part of a key lease and a workspace lease, set aside for one upstream attempt.

Where the answer may be refused, part of a lease for refused answers as well: what the provider bills for it then
is `blocked`, and bounded.
"""

from __future__ import annotations

from typing import Protocol

from orca.events.v1.events_pb2 import LeasePosition, Spend
from services.common.clock import Clock
from services.relay.credit.leases import HeldAccount, HeldLease
from services.relay.ports import KeyEntry


class Desk(Protocol):
    """What a reservation asks of its gate."""

    async def raise_to(self, reservation: LeaseReservation, amount: int, *, keep: bool) -> None:
        """Finds leases for a larger amount; `keep`: what is reserved stays with its leases until they are found.
        Raises 402, 429, 503."""

    async def cover_refusal(self, reservation: LeaseReservation, amount: int) -> None:
        """Finds a lease for a refused answer's cost. Raises 402, 503."""

    def changed(self, reservation: LeaseReservation) -> None:
        """Credit came free."""


class LeaseReservation:
    """Ends in exactly one `settle` or `cancel`; a second end raises RuntimeError."""

    __slots__ = (
        "_amount",
        "_clock",
        "_desk",
        "_ended",
        "blocked_lease",
        "covered",
        "entry",
        "key_account",
        "key_lease",
        "workspace_account",
        "workspace_lease",
    )

    def __init__(self, entry: KeyEntry, amount: int, clock: Clock, desk: Desk) -> None:
        self.entry = entry
        self.key_lease: HeldLease | None = None
        self.workspace_lease: HeldLease | None = None
        self.blocked_lease: HeldLease | None = None
        self.key_account: HeldAccount | None = None
        self.workspace_account: HeldAccount | None = None
        self.covered = 0
        """Set aside for a refused answer, nano-USD."""
        self._amount = amount
        self._clock = clock
        self._desk = desk
        self._ended = False

    @property
    def amount_nano_usd(self) -> int:
        """Reserved now."""
        return self._amount

    def attach(self, amount: int, key_lease: HeldLease | None, workspace_lease: HeldLease | None, now_s: float) -> None:
        """Moves the reservation to these leases, with this amount. Both must admit it."""
        if key_lease is not None:
            key_lease.reserve(amount, now_s)
        if workspace_lease is not None:
            workspace_lease.reserve(amount, now_s)
        self.key_lease, self.workspace_lease, self._amount = key_lease, workspace_lease, amount

    def detach(self) -> None:
        """Gives back what the leases set aside, but for refused answers."""
        for lease in (self.key_lease, self.workspace_lease):
            if lease is not None:
                lease.give_back(self._amount)
        self.key_lease = self.workspace_lease = None

    def cover(self, amount: int, lease: HeldLease, now_s: float) -> None:
        """Moves what is set aside for a refused answer to this lease, which must admit it."""
        self.uncover()
        lease.reserve(amount, now_s)
        self.blocked_lease, self.covered = lease, amount

    def uncover(self) -> None:
        """Gives back what was set aside for a refused answer."""
        if self.blocked_lease is not None:
            self.blocked_lease.give_back(self.covered)
        self.blocked_lease, self.covered = None, 0

    async def top_up(self, worst_case_nano_usd: int, beside_nano_usd: int = 0) -> None:
        """See the port."""
        if self._ended:
            raise RuntimeError("the reservation has ended")
        if worst_case_nano_usd + beside_nano_usd > self._amount:
            await self._desk.raise_to(self, worst_case_nano_usd + beside_nano_usd, keep=beside_nano_usd > 0)

    async def cover_refusal(self, worst_case_nano_usd: int) -> None:
        """See the port."""
        if self._ended:
            raise RuntimeError("the reservation has ended")
        await self._desk.cover_refusal(self, worst_case_nano_usd)

    def pending(self) -> Spend:
        """What a successor books if this relay dies now: all of it unconfirmed. Positions carry the leases only."""
        spend = Spend(
            account_id=self.entry.key.account_id,
            reservation_nano_usd=self._amount,
            unconfirmed_nano_usd=self._amount,
            estimated=True,
        )
        if self.key_lease is not None:
            spend.key_lease.lease_id = self.key_lease.lease_id
        if self.workspace_lease is not None:
            spend.workspace_lease.lease_id = self.workspace_lease.lease_id
        if self.blocked_lease is not None:
            spend.blocked_lease.lease_id = self.blocked_lease.lease_id
        return spend

    def cancel(self) -> None:
        """Nothing was sent upstream: gives everything back, no spend. Idempotent after an end."""
        if self._ended:
            return
        self._ended = True
        self.detach()
        self.uncover()
        self._desk.changed(self)

    def settle(
        self, *, settled_nano_usd: int, unconfirmed_nano_usd: int, blocked_nano_usd: int, overrun_nano_usd: int
    ) -> Spend:
        """Ends the reservation. Amounts beyond it are overrun: a key is never charged more than was reserved."""
        if self._ended:
            raise RuntimeError("the reservation has ended")
        if min(settled_nano_usd, unconfirmed_nano_usd, blocked_nano_usd, overrun_nano_usd) < 0:
            raise ValueError("a settlement has a negative amount")
        self._ended = True
        now_s = self._clock.monotonic_s()
        reserved = self._amount
        settled = min(settled_nano_usd, reserved)
        unconfirmed = min(unconfirmed_nano_usd, reserved - settled)
        blocked = min(blocked_nano_usd, reserved - settled - unconfirmed)
        if self.blocked_lease is not None:
            blocked = min(blocked, self.covered)
        asked = settled_nano_usd + unconfirmed_nano_usd + blocked_nano_usd
        spend = Spend(
            account_id=self.entry.key.account_id,
            reservation_nano_usd=reserved,
            settled_nano_usd=settled,
            unconfirmed_nano_usd=unconfirmed,
            blocked_nano_usd=blocked,
            overrun_nano_usd=overrun_nano_usd + asked - settled - unconfirmed - blocked,
        )
        used = settled + unconfirmed
        if self.key_lease is not None:
            _book(spend.key_lease, self.key_lease, reserved, used, now_s)
        if self.workspace_lease is not None:
            # On the workspace's account refused answers count against the limit.
            _book(spend.workspace_lease, self.workspace_lease, reserved, used + blocked, now_s)
        if self.blocked_lease is not None:
            _book(spend.blocked_lease, self.blocked_lease, self.covered, blocked, now_s)
        if self.key_account is not None:
            self.key_account.spent(used, now_s)
        if self.workspace_account is not None:
            self.workspace_account.spent(used, now_s)
        self._desk.changed(self)
        return spend


def _book(position: LeasePosition, lease: HeldLease, reserved: int, used: int, now_s: float) -> None:
    sequence, total = lease.spend(reserved, used, now_s)
    position.lease_id = lease.lease_id
    position.sequence = sequence
    position.running_total_nano_usd = total
