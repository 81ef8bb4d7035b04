"""Refiller: gets leases from the ledger when those held here do not suffice.

One Acquire per account is under way at a time; whoever else is short waits for its answer and looks again. The
order of locks is key account, account of refused answers, workspace account. After a failed call nobody asks for
DOWN_S, so that an unreachable ledger costs a request no time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orca.auth.v1.auth_pb2 import KeyRecord
from orca.ledger.v1 import ledger_pb2
from services.common.clock import Clock
from services.common.errors import OrcaError, Unavailable
from services.common.ids import new_id
from services.relay.credit.keeper import LeaseKeeper
from services.relay.credit.leases import HeldAccount

WORKSPACE_SLICES = 4
"""A workspace's slice is this many times a key's, so that its row is touched rarely."""
HELD_POLL_S = 0.1
DOWN_S = 0.5
AHEAD_S = 0.5
"""Least time between two refills ahead of need on one account."""
ROUNDS_MAX = 64

EXHAUSTED = frozenset(
    (
        ledger_pb2.REFUSAL_KEY_EXHAUSTED,
        ledger_pb2.REFUSAL_BLOCKED_EXHAUSTED,
        ledger_pb2.REFUSAL_WORKSPACE_EXHAUSTED,
    )
)
HELD = frozenset((ledger_pb2.REFUSAL_KEY_HELD, ledger_pb2.REFUSAL_BLOCKED_HELD, ledger_pb2.REFUSAL_WORKSPACE_HELD))
_ON_WORKSPACE = frozenset((ledger_pb2.REFUSAL_WORKSPACE_EXHAUSTED, ledger_pb2.REFUSAL_WORKSPACE_HELD))


def down() -> Unavailable:
    """The ledger cannot be asked."""
    return Unavailable("credit cannot be checked now", code="ledger_unavailable", retry_after_s=1)


def blocked_account(account_id: str) -> str:
    """The ledger's account of refused answers that belongs to a key's account."""
    return f"{account_id}:blocked"


def blocked_limit(key: KeyRecord) -> int | None:
    """Ceiling on refused answers' cost: its own, else the credit limit, else none."""
    if key.HasField("blocked_output_limit_nano_usd"):
        return key.blocked_output_limit_nano_usd
    return key.credit_limit_nano_usd if key.HasField("credit_limit_nano_usd") else None


@dataclass(frozen=True, slots=True)
class Needs:
    """Accounts on which an amount is needed; None: not there."""

    key: HeldAccount | None = None
    blocked: HeldAccount | None = None
    workspace: HeldAccount | None = None

    def ordered(self) -> list[HeldAccount]:
        """In the order of locks."""
        return [account for account in (self.key, self.blocked, self.workspace) if account is not None]

    def only(self, missing: list[HeldAccount]) -> Needs:
        """Those among the missing."""
        kept = (a if a in missing else None for a in (self.key, self.blocked, self.workspace))
        return Needs(*kept)


class Refiller:
    """Acquires for one relay incarnation."""

    def __init__(self, keeper: LeaseKeeper, clock: Clock, kick: Callable[[], None], *, wait_s: float) -> None:
        self._keeper = keeper
        self._clock = clock
        self._kick = kick
        self._wait_s = wait_s
        self._locks: dict[str, asyncio.Lock] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._down_until_s = float("-inf")
        self._acquiring: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def stop(self) -> None:
        """Asks for nothing more and waits for what is under way."""
        self._stopping = True
        await self.idle()

    async def idle(self) -> None:
        """Returns when no Acquire is under way."""
        await asyncio.gather(*self._acquiring, return_exceptions=True)

    async def obtain(
        self, key: KeyRecord, amount: int, needs: Needs, attach: Callable[[], bool]
    ) -> ledger_pb2.AcquireResponse | None:
        """Refills until `attach` succeeds (None), or the ledger refuses for good or for longer than the wait (its
        answer). Raises 503 `ledger_unavailable`."""
        deadline_s = asyncio.get_running_loop().time() + self._wait_s
        answer: ledger_pb2.AcquireResponse | None = None
        for _ in range(ROUNDS_MAX):
            latest = await self._refill(key, amount, needs)
            if attach():
                return None
            if latest is None or latest.refusal == ledger_pb2.REFUSAL_UNSPECIFIED:
                continue
            answer = latest
            if answer.refusal in EXHAUSTED:
                return answer
            if answer.refusal not in HELD:
                raise down()
            if not await self._hold_on(_refusing(key, answer), deadline_s):
                return answer
            if attach():
                return None
        if answer is None:
            raise down()
        return answer

    def ahead(self, key: KeyRecord, amount: int, needs: Needs, now_s: float) -> None:
        """Starts an Acquire before the leases run dry, so that a busy key never waits for one."""
        dry = [account for account in needs.ordered() if account.runs_dry(amount, now_s)]
        if not dry or now_s < self._down_until_s or any(self._lock(a.account_id).locked() for a in dry):
            return
        for account in dry:
            account.ask_again_s = now_s + AHEAD_S
        self._start(key, amount, needs.only(dry))

    def freed(self, account_id: str) -> None:
        """Credit on the account came free: wakes those who wait for it."""
        wake = self._wakes.pop(account_id, None)
        if wake is not None:
            wake.set()

    def forget(self) -> None:
        """Drops the locks of accounts that are gone."""
        for account_id in [a for a in self._locks if a not in self._keeper.accounts]:
            if not self._locks[account_id].locked():
                del self._locks[account_id]

    async def _refill(self, key: KeyRecord, amount: int, needs: Needs) -> ledger_pb2.AcquireResponse | None:
        """One Acquire for what is missing; None when somebody else's made it unnecessary."""
        now_s = self._clock.monotonic_s()
        short = [account for account in needs.ordered() if account.find(amount, now_s) is None]
        for account in short:
            account.waiting += amount
        try:
            async with contextlib.AsyncExitStack() as held:
                for account in short:
                    await held.enter_async_context(self._lock(account.account_id))
                now_s = self._clock.monotonic_s()
                missing = [account for account in short if account.find(amount, now_s) is None]
                if not missing or len(missing) < len(short):
                    return None
                if self._stopping or now_s < self._down_until_s:
                    raise down()
                # A caller that leaves must not leave a grant behind that nobody knows of.
                return await asyncio.shield(self._start(key, amount, needs.only(missing)))
        finally:
            for account in short:
                account.waiting -= amount

    def _start(self, key: KeyRecord, amount: int, needs: Needs) -> asyncio.Task[ledger_pb2.AcquireResponse]:
        request = self._request(key, amount, needs)
        task = asyncio.create_task(self._acquire(request))
        self._acquiring.add(task)
        task.add_done_callback(self._acquired)
        return task

    def _request(self, key: KeyRecord, amount: int, needs: Needs) -> ledger_pb2.AcquireRequest:
        now_s = self._clock.monotonic_s()
        request = ledger_pb2.AcquireRequest(
            acquire_id=new_id("acq"),
            replica_id=self._keeper.replica_id,
            workspace_id=key.workspace_id,
            key=_ask(key.account_id, needs.key, amount, now_s),
            workspace=_ask(key.workspace_id, needs.workspace, amount, now_s, WORKSPACE_SLICES),
            key_version=key.version,
            key_id=key.key_id,
        )
        if needs.blocked is not None:
            request.blocked.CopyFrom(_ask(needs.blocked.account_id, needs.blocked, amount, now_s))
        if key.HasField("credit_limit_nano_usd"):
            request.key_limit_nano_usd = key.credit_limit_nano_usd
        limit = blocked_limit(key)
        if limit is not None:
            request.blocked_limit_nano_usd = limit
        return request

    async def _acquire(self, request: ledger_pb2.AcquireRequest) -> ledger_pb2.AcquireResponse:
        try:
            answer = await self._keeper.acquire(request)
        except OrcaError as error:
            if error.code == "event_log_unavailable":
                raise
            self._down_until_s = self._clock.monotonic_s() + DOWN_S
            raise down() from error
        if answer.workspace_unlimited:
            self._keeper.limited[request.workspace_id] = False
        elif answer.HasField("workspace_lease") or answer.refusal in _ON_WORKSPACE:
            self._keeper.limited[request.workspace_id] = True
        self._kick()
        return answer

    def _acquired(self, task: asyncio.Task[Any]) -> None:
        self._acquiring.discard(task)
        if not task.cancelled():
            task.exception()

    async def _hold_on(self, account_id: str, deadline_s: float) -> bool:
        """Waits for other requests' holds; False once the deadline has passed. Gives back what stands in the way."""
        account = self._keeper.account(account_id)
        left_s = deadline_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return False
        fragments = [lease for lease in account.leases if not lease.reserved]
        for lease in fragments:
            lease.closing = True
        if fragments:
            with contextlib.suppress(OrcaError):
                await self._keeper.release_closed()
        wake = self._wakes.setdefault(account_id, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(HELD_POLL_S, left_s)):
                await wake.wait()
        return True

    def _lock(self, account_id: str) -> asyncio.Lock:
        lock = self._locks.get(account_id)
        if lock is None:
            lock = self._locks[account_id] = asyncio.Lock()
        return lock


def _ask(
    account_id: str, account: HeldAccount | None, amount: int, now_s: float, slices: int = 1
) -> ledger_pb2.AccountAsk:
    if account is None:
        return ledger_pb2.AccountAsk(account_id=account_id, skip=True)
    return ledger_pb2.AccountAsk(
        account_id=account_id, minimum_nano_usd=amount, wanted_nano_usd=slices * account.wanted(amount, now_s)
    )


def _refusing(key: KeyRecord, answer: ledger_pb2.AcquireResponse) -> str:
    """The account that refused."""
    match answer.refusal:
        case ledger_pb2.REFUSAL_KEY_HELD:
            return key.account_id
        case ledger_pb2.REFUSAL_BLOCKED_HELD:
            return blocked_account(key.account_id)
        case _:
            return key.workspace_id
