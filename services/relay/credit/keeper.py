"""LeaseKeeper: everything the relay says to the ledger about leases.

Acquire is idempotent by its id, and is written to the lease log before it is sent: an answer that never came is
asked for again with the same id, by this relay or its successor, and what was granted goes back. A lease's time
counts from the first sending. A lease is released only when nothing is in flight on it and every spend under
it is in the journal. Every call has a deadline; failures leave the state as it was, and the next round tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from orca.ledger.v1 import ledger_pb2
from services.common.clock import Clock
from services.common.errors import OrcaError, Unavailable
from services.common.rpc import call
from services.relay.credit.leases import HeldAccount, HeldLease
from services.relay.credit.ports import LeaseLog, Orphans

log = logging.getLogger("orca.relay.credit")

BATCH_MAX = 1000
RELEASE_MAX = 64
"""Leases in one Release: so few that a busy ledger closes them within a call's deadline. A call that comes too late
closes none, and would be repeated as large as it was."""
UNANSWERED_MAX = 10_000
SETTLE_MAX = 64
"""Unanswered acquires asked about in one go: a slow ledger must not keep leases from being renewed meanwhile."""
SIDE_BY_SIDE_MAX = 16


class LeaseKeeper:
    """The leases of one relay incarnation."""

    def __init__(
        self, ledger_stub: Any, replica_id: str, clock: Clock, lease_log: LeaseLog, *, margin_s: float, timeout_s: float
    ) -> None:
        self._ledger = ledger_stub
        self.replica_id = replica_id
        self._clock = clock
        self._log = lease_log
        self._margin_s = margin_s
        self._timeout_s = timeout_s
        self.accounts: dict[str, HeldAccount] = {}
        self.limited: dict[str, bool] = {}
        """Workspace id → it has a limit; absent = not known yet."""
        self._unanswered: dict[str, tuple[ledger_pb2.AcquireRequest, float]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._orphans: list[Orphans] = []
        self._releasing: set[str] = set()
        self._settling = asyncio.Lock()

    def account(self, account_id: str) -> HeldAccount:
        """The account, made when first used."""
        account = self.accounts.get(account_id)
        if account is None:
            account = self.accounts[account_id] = HeldAccount(account_id)
        account.last_use_s = self._clock.monotonic_s()
        return account

    def leases(self) -> list[HeldLease]:
        """All leases held, closing ones included."""
        return [lease for account in self.accounts.values() for lease in account.leases]

    def pending(self) -> int:
        """Leases held, acquires without an answer and predecessors' leases: 0 after a clean stop."""
        return len(self.leases()) + len(self._unanswered) + len(self._orphans)

    async def acquire(self, request: ledger_pb2.AcquireRequest) -> ledger_pb2.AcquireResponse:
        """Asks for credit and takes up what is granted. Raises 503 when the ledger cannot be asked."""
        if len(self._unanswered) >= UNANSWERED_MAX:
            raise Unavailable("the ledger does not answer", code="ledger_unavailable", retry_after_s=1)
        self._log.acquiring(request.acquire_id, request.SerializeToString())
        sent_s = self._clock.monotonic_s()
        # Noted before the call: a cancelled or failed call may have been granted all the same.
        self._unanswered[request.acquire_id] = (request, sent_s)
        answer, _ = await self._acquire(request, sent_s)
        return answer

    async def _acquire(
        self, request: ledger_pb2.AcquireRequest, sent_s: float
    ) -> tuple[ledger_pb2.AcquireResponse, list[HeldLease]]:
        """The answer and the leases taken up. The acquire stays unanswered where the ledger cannot be reached."""
        try:
            answer: ledger_pb2.AcquireResponse = await self._call(self._ledger.Acquire, request)
        except OrcaError as error:
            if error.status < 500:
                self._answered(request, ())
            raise
        leases = [self._take_up(lease, sent_s) for lease in self._granted(answer)]
        self._answered(request, [lease.lease_id for lease in leases])
        return answer, leases

    async def renew(self, workspace_ids: Sequence[str]) -> None:
        """Extends all leases, learns of recalls and of workspaces' limits."""
        held = {lease.lease_id: lease for lease in self.leases()}
        ids, asked = iter(list(held)), iter(workspace_ids)
        while True:
            lease_ids, names = list(islice(ids, BATCH_MAX)), list(islice(asked, BATCH_MAX))
            if not lease_ids and not names:
                return
            sent_s = self._clock.monotonic_s()
            request = ledger_pb2.RenewRequest(
                replica_id=self.replica_id,
                leases=[ledger_pb2.LeaseReport(lease_id=i, used_nano_usd=held[i].used) for i in lease_ids],
                workspace_ids=names,
            )
            self._apply(await self._call(self._ledger.Renew, request), held, sent_s)

    async def learn(self, workspace_id: str) -> None:
        """Asks now whether a workspace has a limit; all who ask at once share one call.

        Raises 503 when the ledger cannot be asked.
        """
        asking = self._asking.get(workspace_id)
        if asking is None:
            asking = asyncio.create_task(self._ask(workspace_id), name="relay-credit-learn")
            self._asking[workspace_id] = asking
            asking.add_done_callback(partial(self._asked, workspace_id))
        # A caller who leaves takes the answer from nobody else.
        await asyncio.shield(asking)

    def _asked(self, workspace_id: str, asking: asyncio.Task[None]) -> None:
        del self._asking[workspace_id]
        if not asking.cancelled():
            # Looked at: where every caller has left, nobody else reads it.
            asking.exception()

    async def _ask(self, workspace_id: str) -> None:
        request = ledger_pb2.RenewRequest(replica_id=self.replica_id, workspace_ids=[workspace_id])
        self._apply(await self._call(self._ledger.Renew, request), {}, self._clock.monotonic_s())

    def _apply(self, answer: ledger_pb2.RenewResponse, held: dict[str, HeldLease], sent_s: float) -> None:
        for renewed in answer.leases:
            lease = held.get(renewed.lease_id)
            if lease is not None and self._clock.monotonic_s() < lease.expires_s:
                lease.expires_s = sent_s + renewed.ttl_ms / 1000 - self._margin_s
        for lease_id in (*answer.recalled_lease_ids, *answer.unknown_lease_ids):
            if lease_id in held:
                held[lease_id].closing = True
        for workspace in answer.workspaces:
            self.limited[workspace.workspace_id] = workspace.limited

    async def release_closed(self) -> None:
        """Gives back closing leases on which nothing is in flight and whose spends are all in the journal."""
        ready = [
            lease
            for lease in self.leases()
            if lease.closing
            and not lease.reserved
            and lease.lease_id not in self._releasing
            and self._log.recorded(lease.lease_id) >= lease.sequence
        ]
        # Those of later calls too: whoever else gives leases back meanwhile must not take them.
        names = {lease.lease_id for lease in ready}
        self._releasing |= names
        try:
            for first in range(0, len(ready), RELEASE_MAX):
                await self._give_back(ready[first : first + RELEASE_MAX])
        finally:
            self._releasing -= names

    async def _give_back(self, ready: Sequence[HeldLease]) -> None:
        closed = await self._release(self.replica_id, {lease.lease_id: lease.used for lease in ready})
        for lease in ready:
            if lease.lease_id in closed:
                self.accounts[lease.account_id].leases.remove(lease)

    def forget_idle(self, idle_s: float) -> None:
        """Drops accounts without leases that nobody used for a while."""
        now_s = self._clock.monotonic_s()
        idle = [
            account_id
            for account_id, account in self.accounts.items()
            if not account.leases and not account.waiting and now_s - account.last_use_s >= idle_s
        ]
        for account_id in idle:
            del self.accounts[account_id]

    def adopt_orphans(self, orphans: Iterable[Orphans]) -> None:
        """Notes what predecessors left open; `settle_unfinished` closes it."""
        self._orphans += orphans

    async def settle_unfinished(self, at_once: bool = False) -> None:
        """Asks again for answers that never came, a few in each call, and closes predecessors' leases.

        An acquire younger than its deadline may still be under way; `at_once` says that none is.
        """
        async with self._settling:
            now_s = self._clock.monotonic_s()
            waiting = [asked for asked in self._unanswered.values() if at_once or now_s - asked[1] >= self._timeout_s][
                :SETTLE_MAX
            ]
            for first in range(0, len(waiting), SIDE_BY_SIDE_MAX):
                asked_again = [self._ask_again(*asked) for asked in waiting[first : first + SIDE_BY_SIDE_MAX]]
                # All of them end before a failure ends the round: none is left running behind the lock.
                results = await asyncio.gather(*asked_again, return_exceptions=True)
                for failure in (result for result in results if isinstance(result, BaseException)):
                    raise failure
            for _ in range(len(self._orphans)):
                orphans = self._orphans[0]
                left = await self._close(orphans)
                self._orphans.pop(0)
                if left:
                    self._orphans.append(Orphans(orphans.replica_id, left))

    async def _ask_again(self, request: ledger_pb2.AcquireRequest, sent_s: float) -> None:
        """Gives back what an acquire without an answer was granted: nobody waits for it any more."""
        try:
            _, leases = await self._acquire(request, sent_s)
        except OrcaError as error:
            if error.status >= 500:
                raise
            # Refused for good (its key is gone): nothing was granted.
            return
        for lease in leases:
            lease.closing = True

    async def _close(self, orphans: Orphans) -> dict[str, int]:
        """Closes a predecessor's leases; those that the ledger does not close yet."""
        finals = dict(orphans.leases)
        for raw in orphans.acquires:
            request = ledger_pb2.AcquireRequest.FromString(raw)
            try:
                answer = await self._call(self._ledger.Acquire, request)
            except OrcaError as error:
                if error.status >= 500:
                    raise
                # Refused for good (its key is gone): nothing was granted.
                answer = ledger_pb2.AcquireResponse()
            late = [lease.lease_id for lease in self._granted(answer)]
            with contextlib.suppress(Unavailable):
                self._log.leased(request.acquire_id, late, request.replica_id)
            if late and request.replica_id != orphans.replica_id:
                # They belong to the incarnation that asked, and only it is believed about them.
                self._orphans.append(Orphans(request.replica_id, dict.fromkeys(late, 0)))
                continue
            for lease_id in late:
                finals.setdefault(lease_id, 0)
        ids = iter(list(finals))
        while batch := list(islice(ids, RELEASE_MAX)):
            for lease_id in await self._release(orphans.replica_id, {i: finals[i] for i in batch}):
                del finals[lease_id]
        return finals

    async def _release(self, replica_id: str, finals: dict[str, int]) -> set[str]:
        request = ledger_pb2.ReleaseRequest(
            replica_id=replica_id,
            leases=[ledger_pb2.LeaseClose(lease_id=i, final_used_nano_usd=used) for i, used in finals.items()],
        )
        answer = await self._call(self._ledger.Release, request)
        closed = set(answer.closed_lease_ids) & finals.keys()
        if closed:
            # Without the note a successor closes them again, which the ledger takes as done.
            with contextlib.suppress(Unavailable):
                self._log.released(sorted(closed))
        return closed

    def _take_up(self, granted: ledger_pb2.Lease, sent_s: float) -> HeldLease:
        account = self.account(granted.account_id)
        for held in account.leases:
            if held.lease_id == granted.lease_id:
                return held
        lease = HeldLease(
            lease_id=granted.lease_id,
            account_id=granted.account_id,
            granted=granted.granted_nano_usd,
            expires_s=sent_s + granted.ttl_ms / 1000 - self._margin_s,
            last_use_s=self._clock.monotonic_s(),
        )
        # The older leases could not serve; what is left of them is worth more at the ledger.
        account.retire()
        account.leases.append(lease)
        return lease

    def _answered(self, request: ledger_pb2.AcquireRequest, lease_ids: Sequence[str]) -> None:
        self._unanswered.pop(request.acquire_id, None)
        # Without the note a successor asks again with the same id and gives back what comes.
        with contextlib.suppress(Unavailable):
            self._log.leased(request.acquire_id, lease_ids, self.replica_id)

    @staticmethod
    def _granted(answer: ledger_pb2.AcquireResponse) -> Iterable[ledger_pb2.Lease]:
        if answer.HasField("key_lease"):
            yield answer.key_lease
        if answer.HasField("blocked_lease"):
            yield answer.blocked_lease
        if answer.HasField("workspace_lease"):
            yield answer.workspace_lease

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            return await call(method, request, timeout_s=self._timeout_s)
        except OrcaError as error:
            if error.status < 500:
                raise
            raise Unavailable("the ledger cannot be reached", code="ledger_unavailable", retry_after_s=1) from error
