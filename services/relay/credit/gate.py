"""LeaseCreditGate: admits requests against leases held here, and refills them from the ledger.

A capped key reserves from a lease on its account and one on its workspace's, without a call while they last.
One Acquire per account is under way at a time. The order of locks is key account, then workspace account.
Ledger down: what is held is spent, then 503 `ledger_unavailable`. Whether a workspace has a limit is asked in
the background; until it is known it counts as limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orca.auth.v1.auth_pb2 import KeyRecord
from orca.ledger.v1 import ledger_pb2
from services.common.clock import Clock
from services.common.errors import OrcaError, TooMany, Unavailable
from services.common.ids import new_id
from services.relay.credit.blocked import BlockedAccount, BlockedBook, blocked_limit
from services.relay.credit.keeper import LeaseKeeper
from services.relay.credit.leases import HeldAccount, HeldLease
from services.relay.credit.ports import CreditRefused, LeaseLog, NullLeaseLog, Orphans
from services.relay.credit.reservation import LeaseReservation
from services.relay.ports import KeyEntry

log = logging.getLogger("orca.relay.credit")

WORKSPACE_SLICES = 4
"""A workspace's slice is this many times a key's, so that its row is touched rarely."""
HELD_POLL_S = 0.1
DOWN_S = 0.5
AHEAD_S = 0.5
"""Least time between two refills ahead of need on one account."""
IDLE_S = 60.0
BALANCE_S = 2.0
WORKSPACES_PER_RENEW = 2000
ACCOUNTS_PER_BALANCE = 1000
ROUNDS_MAX = 64

_EXHAUSTED = (ledger_pb2.REFUSAL_KEY_EXHAUSTED, ledger_pb2.REFUSAL_WORKSPACE_EXHAUSTED)
_HELD = (ledger_pb2.REFUSAL_KEY_HELD, ledger_pb2.REFUSAL_WORKSPACE_HELD)


def _down() -> Unavailable:
    return Unavailable("credit cannot be checked now", code="ledger_unavailable", retry_after_s=1)


def _held() -> TooMany:
    return TooMany("credit is held by other requests", code="credit_held", type="insufficient_quota", retry_after_s=1)


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
        self._workspaces = workspaces
        self._wait_s = wait_s
        self._renew_s = renew_s
        self._locks: dict[str, asyncio.Lock] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._blocked = BlockedBook()
        self._limits: dict[str, tuple[int, int | None]] = {}
        self._next_workspace = 0
        self._balanced_s = float("-inf")
        self._down_until_s = float("-inf")
        self._kick = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._acquiring: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Starts the background: renewals, releases, balances."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self, grace_s: float = 5.0) -> None:
        """Admits nothing more, waits for what is in flight and gives every lease back, within the grace period.

        What cannot be closed in time stays in the lease log for a successor.
        """
        self._stopping = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        deadline_s = asyncio.get_running_loop().time() + grace_s
        await asyncio.gather(*self._acquiring, return_exceptions=True)
        while True:
            for account in self._keeper.accounts.values():
                account.retire()
            with contextlib.suppress(OrcaError):
                await self._keeper.release_closed()
                await self._keeper.settle_unfinished(at_once=True)
            left = self._keeper.pending()
            if not left or asyncio.get_running_loop().time() >= deadline_s:
                break
            self._kick.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._kick.wait(), 0.05)
        if left:
            log.warning("leases are left for a successor", extra={"count": left})

    async def close_orphans(self, orphans: Sequence[Orphans]) -> None:
        """Closes what predecessors left open; repeated in the background until the ledger has taken it."""
        self._keeper.adopt_orphans(orphans)
        with contextlib.suppress(OrcaError):
            await self._keeper.settle_unfinished()

    def key_changed(self, key: KeyRecord) -> None:
        """A key record changed: a disabled key or another limit gives its leases back."""
        account = self._keeper.accounts.get(key.account_id)
        limit = key.credit_limit_nano_usd if key.HasField("credit_limit_nano_usd") else None
        version, known = self._limits.get(key.account_id, (-1, limit))
        gone = key.deleted or not key.enabled
        if account is None or key.version < version or (not gone and known == limit):
            return
        if not gone:
            self._limits[key.account_id] = (key.version, limit)
        account.retire()
        self._kick.set()

    def capped(self, entry: KeyEntry) -> bool:
        """The key or its workspace has a limit (unknown counts as capped)."""
        return entry.key.HasField("credit_limit_nano_usd") or self._workspace_limited(entry)

    def _workspace_limited(self, entry: KeyEntry) -> bool:
        return self._keeper.limited.get(entry.key.workspace_id, True)

    def blocked_fits(self, entry: KeyEntry, worst_case_nano_usd: int) -> bool:
        """blocked + in flight + this worst case ≤ the key's blocked limit; in flight is what was journalled as sent.

        `LeaseReservation.hold_blocked` does the same and sets the amount aside at once.
        """
        return self._blocked_account(entry).fits(blocked_limit(entry.key), worst_case_nano_usd)

    async def reserve(self, entry: KeyEntry, worst_case_nano_usd: int) -> LeaseReservation:
        """See the port. Negative amounts raise ValueError."""
        if worst_case_nano_usd < 0:
            raise ValueError("a worst case is not negative")
        key = entry.key
        blocked = self._blocked_account(entry)
        reservation = LeaseReservation(
            key.account_id,
            worst_case_nano_usd,
            self._clock,
            blocked,
            functools.partial(self._raise_to, entry),
            functools.partial(self._changed, key.account_id, key.workspace_id),
        )
        if self.capped(entry):
            await self._fit(reservation, entry, worst_case_nano_usd)
        if blocked.known is None and blocked_limit(key) is not None:
            await self._learn_blocked(reservation, entry)
        return reservation

    async def _learn_blocked(self, reservation: LeaseReservation, entry: KeyEntry) -> None:
        # Only for a key that needed no grant, which would have told.
        try:
            await self._balance(entry.key.workspace_id, [entry.key.account_id])
        except BaseException:
            reservation.cancel()
            raise

    async def _raise_to(self, entry: KeyEntry, reservation: LeaseReservation, amount: int) -> None:
        leases = (reservation.key_lease, reservation.workspace_lease)
        if not any(leases) and not self.capped(entry):
            reservation.attach(amount, None, None)
            return
        reservation.detach()
        # The same leases with the larger amount, if they admit it; nothing was sent yet, so others do as well.
        await self._fit(reservation, entry, amount)

    async def _fit(self, reservation: LeaseReservation, entry: KeyEntry, amount: int) -> None:
        if self._stopping:
            raise Unavailable("the relay is shutting down", code="ledger_unavailable", retry_after_s=1)
        deadline_s = asyncio.get_running_loop().time() + self._wait_s
        for _ in range(ROUNDS_MAX):
            key_account, workspace_account = self._needed(entry)
            if self._attach(reservation, amount, key_account, workspace_account):
                self._refill_ahead(entry, amount)
                return
            answer = await self._refill(entry, amount, key_account, workspace_account)
            if answer is None or answer.refusal == ledger_pb2.REFUSAL_UNSPECIFIED:
                continue
            if answer.refusal in _EXHAUSTED:
                raise _refused(answer)
            if answer.refusal not in _HELD:
                raise _down()
            on_key = answer.refusal == ledger_pb2.REFUSAL_KEY_HELD
            await self._hold_on(entry.key.account_id if on_key else entry.key.workspace_id, deadline_s)
        raise _held()

    def _needed(self, entry: KeyEntry) -> tuple[HeldAccount | None, HeldAccount | None]:
        key = entry.key
        key_account = None
        if key.HasField("credit_limit_nano_usd"):
            key_account = self._keeper.account(key.account_id)
            version, limit = self._limits.get(key.account_id, (-1, None))
            if key.version >= version:
                if version >= 0 and limit != key.credit_limit_nano_usd:
                    key_account.retire()
                self._limits[key.account_id] = (key.version, key.credit_limit_nano_usd)
        limited = self._workspace_limited(entry)
        return key_account, self._keeper.account(key.workspace_id) if limited else None

    def _attach(
        self, reservation: LeaseReservation, amount: int, key: HeldAccount | None, workspace: HeldAccount | None
    ) -> bool:
        now_s = self._clock.monotonic_s()
        key_lease: HeldLease | None = None
        workspace_lease: HeldLease | None = None
        if key is not None and (key_lease := key.find(amount, now_s)) is None:
            return False
        if workspace is not None and (workspace_lease := workspace.find(amount, now_s)) is None:
            return False
        reservation.attach(amount, key_lease, workspace_lease)
        reservation.key_account, reservation.workspace_account = key, workspace
        return True

    def _refill_ahead(self, entry: KeyEntry, amount: int) -> None:
        """Starts an Acquire before the leases run dry, so that a busy key never waits for one."""
        now_s = self._clock.monotonic_s()
        accounts = self._needed(entry)
        dry = [a for a in accounts if a is not None and a.runs_dry(amount, now_s)]
        if not dry or now_s < self._down_until_s or any(self._lock(a.account_id).locked() for a in dry):
            return
        for account in dry:
            account.ask_again_s = now_s + AHEAD_S
        key, workspace = accounts
        request = self._request(entry, amount, key if key in dry else None, workspace, dry)
        task = asyncio.create_task(self._acquire(request, entry))
        self._acquiring.add(task)
        task.add_done_callback(self._acquired)

    async def _refill(
        self, entry: KeyEntry, amount: int, key: HeldAccount | None, workspace: HeldAccount | None
    ) -> ledger_pb2.AcquireResponse | None:
        """One Acquire for what is missing; None when somebody else's made it unnecessary."""
        short = [a for a in (key, workspace) if a is not None and a.find(amount, self._clock.monotonic_s()) is None]
        for account in short:
            account.waiting += amount
        try:
            async with contextlib.AsyncExitStack() as held:
                for account in short:
                    await held.enter_async_context(self._lock(account.account_id))
                now_s = self._clock.monotonic_s()
                missing = [account for account in short if account.find(amount, now_s) is None]
                if len(missing) < len(short):
                    return None
                if self._stopping or now_s < self._down_until_s:
                    raise _down()
                request = self._request(entry, amount, key if key in missing else None, workspace, missing)
                task = asyncio.create_task(self._acquire(request, entry))
                self._acquiring.add(task)
                task.add_done_callback(self._acquired)
                # A caller that leaves must not leave a grant behind that nobody knows of.
                return await asyncio.shield(task)
        finally:
            for account in short:
                account.waiting -= amount

    def _request(
        self,
        entry: KeyEntry,
        amount: int,
        key: HeldAccount | None,
        workspace: HeldAccount | None,
        missing: Sequence[HeldAccount],
    ) -> ledger_pb2.AcquireRequest:
        record, now_s = entry.key, self._clock.monotonic_s()
        request = ledger_pb2.AcquireRequest(
            acquire_id=new_id("acq"),
            replica_id=self._keeper.replica_id,
            workspace_id=record.workspace_id,
            key=ledger_pb2.AccountAsk(account_id=record.account_id, skip=key is None),
            workspace=ledger_pb2.AccountAsk(account_id=record.workspace_id, skip=workspace not in missing),
            key_version=record.version,
            key_id=record.key_id,
        )
        if record.HasField("credit_limit_nano_usd"):
            request.key_limit_nano_usd = record.credit_limit_nano_usd
        if key is not None:
            request.key.minimum_nano_usd = amount
            request.key.wanted_nano_usd = key.wanted(amount, now_s)
        if workspace is not None and not request.workspace.skip:
            request.workspace.minimum_nano_usd = amount
            request.workspace.wanted_nano_usd = WORKSPACE_SLICES * workspace.wanted(amount, now_s)
        return request

    async def _acquire(self, request: ledger_pb2.AcquireRequest, entry: KeyEntry) -> ledger_pb2.AcquireResponse:
        try:
            answer = await self._keeper.acquire(request)
        except OrcaError as error:
            if error.code == "event_log_unavailable":
                raise
            self._down_until_s = self._clock.monotonic_s() + DOWN_S
            raise _down() from error
        workspace_id = request.workspace_id
        if answer.workspace_unlimited:
            self._keeper.limited[workspace_id] = False
        elif answer.HasField("workspace_lease") or answer.refusal in (
            ledger_pb2.REFUSAL_WORKSPACE_EXHAUSTED,
            ledger_pb2.REFUSAL_WORKSPACE_HELD,
        ):
            self._keeper.limited[workspace_id] = True
        self._blocked_account(entry).learn(answer.key_blocked_nano_usd, self._clock.monotonic_s())
        self._kick.set()
        return answer

    def _acquired(self, task: asyncio.Task[Any]) -> None:
        self._acquiring.discard(task)
        if not task.cancelled():
            task.exception()

    async def _hold_on(self, account_id: str, deadline_s: float) -> None:
        """Waits for other requests' holds, up to the deadline; gives back fragments that stand in the way."""
        account = self._keeper.account(account_id)
        left_s = deadline_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise _held()
        fragments = [lease for lease in account.leases if not lease.reserved]
        for lease in fragments:
            lease.closing = True
        if fragments:
            with contextlib.suppress(OrcaError):
                await self._keeper.release_closed()
        wake = self._wakes.setdefault(account.account_id, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), min(HELD_POLL_S, max(0.0, left_s)))

    def _changed(self, *account_ids: str) -> None:
        for account_id in account_ids:
            wake = self._wakes.pop(account_id, None)
            if wake is not None:
                wake.set()
            account = self._keeper.accounts.get(account_id)
            if account is not None and any(lease.closing and not lease.reserved for lease in account.leases):
                self._kick.set()

    def _lock(self, account_id: str) -> asyncio.Lock:
        lock = self._locks.get(account_id)
        if lock is None:
            lock = self._locks[account_id] = asyncio.Lock()
        return lock

    def _blocked_account(self, entry: KeyEntry) -> BlockedAccount:
        return self._blocked.account(entry.key.workspace_id, entry.key.account_id, self._clock.monotonic_s())

    async def _balance(self, workspace_id: str, account_ids: Sequence[str]) -> None:
        sent_s = self._clock.monotonic_s()
        for account_id, blocked in (await self._keeper.balances(workspace_id, account_ids)).items():
            self._blocked.learn(account_id, blocked, sent_s)

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
                await asyncio.wait_for(self._kick.wait(), max(0.01, self._renew_s - (loop.time() - renewed_s)))
            # Spends reach the journal right after they are settled; a short pause gathers releases in one call.
            await asyncio.sleep(0.01)

    async def round(self) -> None:
        """One round of the background: retire what is unused or past its time, renew, release, learn balances."""
        now_s = self._clock.monotonic_s()
        for account in self._keeper.accounts.values():
            account.retire_unused(now_s)
        self._forget(now_s)
        await self._keeper.renew(self._ask_about())
        # Also what the ledger has recalled just now.
        await self._keeper.release_closed()
        await self._keeper.settle_unfinished()
        if now_s - self._balanced_s >= BALANCE_S:
            self._balanced_s = now_s
            for workspace_id, account_ids in self._blocked.active(now_s, BALANCE_S * 2).items():
                await self._balance(workspace_id, account_ids[:ACCOUNTS_PER_BALANCE])

    def _ask_about(self) -> list[str]:
        """All workspaces in turn, at most WORKSPACES_PER_RENEW a round."""
        names = list({*self._workspaces(), *self._keeper.limited})
        if len(names) <= WORKSPACES_PER_RENEW:
            return names
        names.sort()
        start = self._next_workspace % len(names)
        self._next_workspace = start + WORKSPACES_PER_RENEW
        return (names + names)[start : start + WORKSPACES_PER_RENEW]

    def _forget(self, now_s: float) -> None:
        self._keeper.forget_idle(IDLE_S)
        self._blocked.forget_idle(now_s, IDLE_S)
        for account_id in [a for a in self._locks if a not in self._keeper.accounts]:
            if not self._locks[account_id].locked():
                del self._locks[account_id]
                self._limits.pop(account_id, None)


def _refused(answer: ledger_pb2.AcquireResponse) -> CreditRefused:
    on_key = answer.refusal == ledger_pb2.REFUSAL_KEY_EXHAUSTED
    return CreditRefused(
        "the key's credit limit is used up" if on_key else "the workspace's credit is used up",
        code="credit_limit_exceeded" if on_key else "quota_insufficient",
        remaining_nano_usd=answer.remaining_nano_usd,
        clampable_nano_usd=answer.clampable_nano_usd,
    )
