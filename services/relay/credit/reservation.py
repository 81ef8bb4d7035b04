"""A reservation: part of a key lease and a workspace lease, set aside for one upstream attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from orca.events.v1.events_pb2 import LeasePosition, Spend
from services.common.clock import Clock
from services.relay.credit.blocked import BlockedAccount
from services.relay.credit.leases import HeldAccount, HeldLease

Raise = Callable[["LeaseReservation", int], Awaitable[None]]


class LeaseReservation:
    """Ends in exactly one `settle` or `cancel`; a second end raises RuntimeError."""

    def __init__(
        self,
        account_id: str,
        amount: int,
        clock: Clock,
        blocked: BlockedAccount,
        raise_to: Raise,
        changed: Callable[[], None],
    ) -> None:
        self.account_id = account_id
        self.key_lease: HeldLease | None = None
        self.workspace_lease: HeldLease | None = None
        self.key_account: HeldAccount | None = None
        self.workspace_account: HeldAccount | None = None
        self._amount = amount
        self._clock = clock
        self._blocked = blocked
        self._at_risk = 0
        self._raise_to = raise_to
        self._changed = changed
        self._ended = False

    @property
    def amount_nano_usd(self) -> int:
        """Reserved now."""
        return self._amount

    def attach(self, amount: int, key_lease: HeldLease | None, workspace_lease: HeldLease | None) -> None:
        """Moves the reservation to these leases, with this amount. Both must admit it."""
        now_s = self._clock.monotonic_s()
        for lease in (key_lease, workspace_lease):
            if lease is not None:
                lease.reserve(amount, now_s)
        self.key_lease, self.workspace_lease, self._amount = key_lease, workspace_lease, amount

    def detach(self) -> None:
        """Gives back what the leases set aside."""
        for lease in (self.key_lease, self.workspace_lease):
            if lease is not None:
                lease.give_back(self._amount)
        self.key_lease = self.workspace_lease = None

    async def top_up(self, worst_case_nano_usd: int) -> None:
        """Raises the reservation to the recomputed worst case; 402/429/503 when it does not fit."""
        if self._ended:
            raise RuntimeError("the reservation has ended")
        if worst_case_nano_usd > self._amount:
            await self._raise_to(self, worst_case_nano_usd)

    def hold_blocked(self, limit: int | None, worst_case_nano_usd: int) -> bool:
        """Sets the worst case aside on the blocked limit until this reservation ends; False: it does not fit."""
        if not self._blocked.fits(limit, worst_case_nano_usd - self._at_risk):
            return False
        self._mark(max(self._at_risk, worst_case_nano_usd))
        return True

    def pending(self) -> Spend:
        """What a successor books if this relay dies now: all of it unconfirmed. Positions carry the leases only."""
        self._mark(max(self._at_risk, self._amount))
        spend = Spend(
            account_id=self.account_id,
            reservation_nano_usd=self._amount,
            unconfirmed_nano_usd=self._amount,
            estimated=True,
        )
        if self.key_lease is not None:
            spend.key_lease.lease_id = self.key_lease.lease_id
        if self.workspace_lease is not None:
            spend.workspace_lease.lease_id = self.workspace_lease.lease_id
        return spend

    def cancel(self) -> None:
        """Nothing was sent upstream: gives everything back, no spend. Idempotent after an end."""
        if self._ended:
            return
        self._end()
        self.detach()
        self._changed()

    def settle(
        self, *, settled_nano_usd: int, unconfirmed_nano_usd: int, blocked_nano_usd: int, overrun_nano_usd: int
    ) -> Spend:
        """Ends the reservation. Amounts beyond it are overrun: a key is never charged more than was reserved."""
        if self._ended:
            raise RuntimeError("the reservation has ended")
        if min(settled_nano_usd, unconfirmed_nano_usd, blocked_nano_usd, overrun_nano_usd) < 0:
            raise ValueError("a settlement has a negative amount")
        self._end()
        now_s = self._clock.monotonic_s()
        settled = min(settled_nano_usd, self._amount)
        unconfirmed = min(unconfirmed_nano_usd, self._amount - settled)
        blocked = min(blocked_nano_usd, self._amount - settled - unconfirmed)
        asked = settled_nano_usd + unconfirmed_nano_usd + blocked_nano_usd
        spend = Spend(
            account_id=self.account_id,
            reservation_nano_usd=self._amount,
            settled_nano_usd=settled,
            unconfirmed_nano_usd=unconfirmed,
            blocked_nano_usd=blocked,
            overrun_nano_usd=overrun_nano_usd + asked - settled - unconfirmed - blocked,
        )
        used = settled + unconfirmed
        if self.key_lease is not None:
            spend.key_lease.CopyFrom(_position(self.key_lease, self._amount, used, now_s))
        if self.workspace_lease is not None:
            # On the workspace's account refused answers count against the limit.
            spend.workspace_lease.CopyFrom(_position(self.workspace_lease, self._amount, used + blocked, now_s))
        for account in (self.key_account, self.workspace_account):
            if account is not None:
                account.spent(used, now_s)
        self._blocked.add(blocked)
        self._changed()
        return spend

    def _mark(self, at_risk: int) -> None:
        self._blocked.in_flight += at_risk - self._at_risk
        self._at_risk = at_risk

    def _end(self) -> None:
        self._ended = True
        self._mark(0)


def _position(lease: HeldLease, reserved: int, used: int, now_s: float) -> LeasePosition:
    sequence, total = lease.spend(reserved, used, now_s)
    return LeasePosition(lease_id=lease.lease_id, sequence=sequence, running_total_nano_usd=total)
