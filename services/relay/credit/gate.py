"""LeaseCreditGate: admits requests against leases held here, and refills them from the ledger.

A capped key reserves from a lease on its account and one on its workspace's, without a call while they last; an
answer that may be refused draws on a lease for refused answers as well. Ledger down: what is held is spent, then
503 `ledger_unavailable`. Whether a workspace has a limit is asked in the background, and by the first request of a
workspace that is new here. The background renews leases, gives unused ones back and closes what predecessors left.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orca.auth.v1.auth_pb2 import KeyRecord
from orca.ledger.v1 import ledger_pb2
from services.common.clock import Clock
from services.common.errors import OrcaError, Unavailable
from services.common.tasks import end_task
from services.relay.credit.keeper import LeaseKeeper
from services.relay.credit.ports import CreditRefused, LeaseLog, NullLeaseLog, Orphans
from services.relay.credit.refill import HELD, Needs, Refiller, blocked_account, blocked_limit
from services.relay.credit.reservation import LeaseReservation
from services.relay.ports import KeyEntry

log = logging.getLogger("orca.relay.credit")

IDLE_S = 60.0
STOP_GRACE_S = 10.0
"""A ledger that has just come back has its backlog to work through; the pod's own grace period leaves room for this."""
WORKSPACES_PER_RENEW = 2000
GATHER_S = 0.01
"""Spends reach the journal right after they are settled; this pause gathers releases in one call."""


class LeaseCreditGate:
    """CreditGate of one relay incarnation."""

    def __init__(
        self,
        ledger_stub: Any,
        replica_id: str,
        clock: Clock,
        *,
        lease_log: LeaseLog | None = None,
        workspaces: Callable[[], Iterable[str]] = tuple,
        margin_s: float = 1.0,
        wait_s: float = 0.5,
        renew_s: float = 0.4,
        timeout_s: float = 2.0,
    ) -> None:
        self._clock = clock
        self._keeper = LeaseKeeper(
            ledger_stub, replica_id, clock, lease_log or NullLeaseLog(), margin_s=margin_s, timeout_s=timeout_s
        )
        self._kick = asyncio.Event()
        self._refiller = Refiller(self._keeper, clock, self._kick.set, wait_s=wait_s)
        self._workspaces = workspaces
        self._renew_s = renew_s
        self._limits: dict[str, tuple[int, int | None]] = {}
        self._next_workspace = 0
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the background: renewals and releases."""
        self._loop = asyncio.create_task(self._run(), name="relay-credit")

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Admits nothing more, waits for what is in flight and gives every lease back, within the grace period.

        What cannot be closed in time stays in the lease log for a successor.
        """
        self._stopping = True
        await end_task(self._loop)
        deadline_s = asyncio.get_running_loop().time() + grace_s
        await self._refiller.stop()
        while True:
            for account in self._keeper.accounts.values():
                account.retire()
            # Each in its own right: acquires that the ledger does not answer keep no lease from going back.
            with contextlib.suppress(OrcaError):
                await self._keeper.settle_unfinished(at_once=True)
            with contextlib.suppress(OrcaError):
                await self._keeper.release_closed()
            left = self._keeper.pending()
            if not left or asyncio.get_running_loop().time() >= deadline_s:
                break
            self._kick.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await self._kick.wait()
        if left:
            log.warning("leases are left for a successor", extra={"count": left})

    def adopt(self, orphans: Sequence[Orphans]) -> None:
        """Takes over what predecessors left open; the background closes it."""
        self._keeper.adopt_orphans(orphans)

    async def close_orphans(self, orphans: Sequence[Orphans]) -> None:
        """Closes what predecessors left open; repeated in the background until the ledger has taken it."""
        self.adopt(orphans)
        with contextlib.suppress(OrcaError):
            await self._keeper.settle_unfinished()

    def key_changed(self, key: KeyRecord) -> None:
        """A key record changed: a disabled key or another limit gives its leases back."""
        limit = key.credit_limit_nano_usd if key.HasField("credit_limit_nano_usd") else None
        gone = key.deleted or not key.enabled
        for account_id, new in ((key.account_id, limit), (blocked_account(key.account_id), blocked_limit(key))):
            account = self._keeper.accounts.get(account_id)
            version, known = self._limits.get(account_id, (-1, new))
            if account is None or key.version < version or (not gone and known == new):
                continue
            if not gone:
                self._limits[account_id] = (key.version, new)
            account.retire()
            self._kick.set()

    async def capped(self, entry: KeyEntry) -> bool:
        """See the port. The ledger is asked about a workspace that no round has asked about yet."""
        if not entry.key.HasField("credit_limit_nano_usd") and entry.key.workspace_id not in self._keeper.limited:
            await self._keeper.learn(entry.key.workspace_id)
        return self._capped(entry)

    def _capped(self, entry: KeyEntry) -> bool:
        return entry.key.HasField("credit_limit_nano_usd") or self._keeper.limited.get(entry.key.workspace_id, True)

    async def reserve(self, entry: KeyEntry, worst_case_nano_usd: int) -> LeaseReservation:
        """See the port. Negative amounts raise ValueError."""
        if worst_case_nano_usd < 0:
            raise ValueError("a worst case is not negative")
        reservation = LeaseReservation(entry, worst_case_nano_usd, self._clock, self)
        if self._capped(entry):
            await self._fit(reservation, worst_case_nano_usd)
        return reservation

    async def cover_refusal(self, reservation: LeaseReservation, worst_case_nano_usd: int) -> None:
        """See Desk. Holds of others are waited for as with any credit; then it does not fit."""
        key = reservation.entry.key
        limit = blocked_limit(key)
        if limit is None or (reservation.blocked_lease is not None and reservation.covered >= worst_case_nano_usd):
            return
        if worst_case_nano_usd > limit:
            raise _beyond_blocked_limit(limit, limit)
        account_id = blocked_account(key.account_id)
        account = self._keeper.account(account_id)
        self._note_limit(account_id, key.version, limit)
        needs = Needs(blocked=account)
        reservation.uncover()

        def attach() -> bool:
            now_s = self._clock.monotonic_s()
            lease = account.find(worst_case_nano_usd, now_s)
            if lease is not None:
                reservation.cover(worst_case_nano_usd, lease, now_s)
            return lease is not None

        if attach():
            return
        self._refuse_while_stopping()
        answer = await self._refiller.obtain(key, worst_case_nano_usd, needs, attach)
        if answer is not None:
            raise _beyond_blocked_limit(answer.remaining_nano_usd, answer.clampable_nano_usd)

    async def raise_to(self, reservation: LeaseReservation, amount: int, *, keep: bool) -> None:
        """See Desk."""
        if (
            reservation.key_lease is None
            and reservation.workspace_lease is None
            and not self._capped(reservation.entry)
        ):
            reservation.attach(amount, None, None, self._clock.monotonic_s())
            return
        if not keep:
            # Nothing was spent of it, so what it holds may be gathered with the rest into a lease that admits it all.
            reservation.detach()
        await self._fit(reservation, amount)

    def changed(self, reservation: LeaseReservation) -> None:
        """See Desk."""
        key = reservation.entry.key
        self._refiller.freed(key.account_id)
        self._refiller.freed(key.workspace_id)
        leases = [reservation.key_lease, reservation.workspace_lease]
        if reservation.blocked_lease is not None:
            self._refiller.freed(blocked_account(key.account_id))
            leases.append(reservation.blocked_lease)
        if any(lease is not None and lease.closing and not lease.reserved for lease in leases):
            self._kick.set()

    async def _fit(self, reservation: LeaseReservation, amount: int) -> None:
        if self._stopping:
            self._refuse_while_stopping()
        entry = reservation.entry
        needs = self._needs(entry)
        now_s = self._clock.monotonic_s()
        if self._attach(reservation, amount, needs, now_s):
            # Steady state: no ledger call, here or ahead of need.
            self._refiller.ahead(entry.key, amount, needs, now_s)
            return

        def attach() -> bool:
            # What the ledger said of the workspace's limit may have changed what is needed.
            return self._attach(reservation, amount, self._needs(entry), self._clock.monotonic_s())

        answer = await self._refiller.obtain(entry.key, amount, needs, attach)
        if answer is not None:
            raise _held(answer) if answer.refusal in HELD else _refused(answer)

    def _refuse_while_stopping(self) -> None:
        if self._stopping:
            raise Unavailable("the relay is shutting down", code="ledger_unavailable", retry_after_s=1)

    def _needs(self, entry: KeyEntry) -> Needs:
        key = entry.key
        key_account = None
        if key.HasField("credit_limit_nano_usd"):
            key_account = self._keeper.account(key.account_id)
            self._note_limit(key.account_id, key.version, key.credit_limit_nano_usd)
        limited = self._keeper.limited.get(key.workspace_id, True)
        return Needs(key_account, None, self._keeper.account(key.workspace_id) if limited else None)

    def _note_limit(self, account_id: str, version: int, limit: int) -> None:
        """A limit other than the one the leases were granted under retires them."""
        known_version, known = self._limits.get(account_id, (-1, None))
        if version <= known_version:
            return
        if known_version >= 0 and known != limit:
            self._keeper.account(account_id).retire()
        self._limits[account_id] = (version, limit)

    def _attach(self, reservation: LeaseReservation, amount: int, needs: Needs, now_s: float) -> bool:
        """Moves the reservation to leases that admit the amount, its own among them; without any it stays as it is."""
        before = reservation.amount_nano_usd, reservation.key_lease, reservation.workspace_lease
        reservation.detach()
        key, workspace = needs.key, needs.workspace
        key_lease = key.find(amount, now_s) if key is not None else None
        workspace_lease = workspace.find(amount, now_s) if workspace is not None else None
        if (key is not None and key_lease is None) or (workspace is not None and workspace_lease is None):
            reservation.attach(*before, now_s)
            return False
        reservation.attach(amount, key_lease, workspace_lease, now_s)
        reservation.key_account, reservation.workspace_account = key, workspace
        return True

    async def _run(self) -> None:
        renewed_s = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            self._kick.clear()
            try:
                await self._keeper.release_closed()
                if loop.time() - renewed_s >= self._renew_s:
                    renewed_s = loop.time()
                    await self.round()
            except OrcaError as error:
                log.info("the ledger was not reached", extra={"code": error.code})
            except Exception as error:
                log.exception("credit round failed", extra={"error_class": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(GATHER_S, self._renew_s - (loop.time() - renewed_s))):
                    await self._kick.wait()
            await asyncio.sleep(GATHER_S)

    async def refilled(self) -> None:
        """Returns when no refill is under way."""
        await self._refiller.idle()

    async def round(self) -> None:
        """One round of the background: retire what is unused or past its time, renew, release."""
        now_s = self._clock.monotonic_s()
        for account in self._keeper.accounts.values():
            account.retire_unused(now_s)
        self._forget()
        await self._keeper.renew(self._ask_about())
        # Also what the ledger has recalled just now.
        await self._keeper.release_closed()
        await self._keeper.settle_unfinished()

    def _ask_about(self) -> list[str]:
        """All workspaces in turn, at most WORKSPACES_PER_RENEW a round."""
        names = list({*self._workspaces(), *self._keeper.limited})
        if len(names) <= WORKSPACES_PER_RENEW:
            return names
        names.sort()
        start = self._next_workspace % len(names)
        self._next_workspace = start + WORKSPACES_PER_RENEW
        return (names + names)[start : start + WORKSPACES_PER_RENEW]

    def _forget(self) -> None:
        self._keeper.forget_idle(IDLE_S)
        self._refiller.forget()
        for account_id in [a for a in self._limits if a not in self._keeper.accounts]:
            del self._limits[account_id]


def _held(answer: ledger_pb2.AcquireResponse) -> CreditRefused:
    return CreditRefused(
        "credit is held by other requests",
        code="credit_held",
        status=429,
        retry_after_s=1,
        remaining_nano_usd=answer.remaining_nano_usd,
        clampable_nano_usd=answer.clampable_nano_usd,
    )


def _beyond_blocked_limit(remaining: int, clampable: int) -> CreditRefused:
    return CreditRefused(
        "the key's answers may be refused, and its blocked_output_limit_usd does not cover this one",
        code="blocked_output_limit",
        remaining_nano_usd=remaining,
        clampable_nano_usd=clampable,
    )


def _refused(answer: ledger_pb2.AcquireResponse) -> CreditRefused:
    on_key = answer.refusal == ledger_pb2.REFUSAL_KEY_EXHAUSTED
    return CreditRefused(
        "the key's credit limit is used up" if on_key else "the workspace's credit is used up",
        code="credit_limit_exceeded" if on_key else "quota_insufficient",
        remaining_nano_usd=answer.remaining_nano_usd,
        clampable_nano_usd=answer.clampable_nano_usd,
    )
