"""The ledger of the simulation: the real one on SQLite, and a fast one in memory that uses the same domain rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import sqlalchemy as sa

from orca.events.v1.events_pb2 import Envelope
from orca.ledger.v1 import ledger_pb2 as pb
from services.common.eventlog.ports import ConsumedRecord
from services.ledger.consumers import spend_of
from services.ledger.domain.granting import Ask, Reason, Refused, Unlimited, decide
from services.ledger.domain.model import Account, Amounts, Kind, Lease, LeaseState, blocked_account
from services.ledger.domain.settlement import close, forfeit, spend, spend_unleased
from services.ledger.storage.limits import set_workspace_limit
from services.ledger.storage.tables import ACCOUNTS
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import GRACE_S, TTL_S, Ledger

REFUSALS = {
    (Kind.KEY, Reason.EXHAUSTED): pb.REFUSAL_KEY_EXHAUSTED,
    (Kind.KEY, Reason.HELD): pb.REFUSAL_KEY_HELD,
    (Kind.BLOCKED, Reason.EXHAUSTED): pb.REFUSAL_BLOCKED_EXHAUSTED,
    (Kind.BLOCKED, Reason.HELD): pb.REFUSAL_BLOCKED_HELD,
    (Kind.WORKSPACE, Reason.EXHAUSTED): pb.REFUSAL_WORKSPACE_EXHAUSTED,
    (Kind.WORKSPACE, Reason.HELD): pb.REFUSAL_WORKSPACE_HELD,
}


class SimLedger(Protocol):
    """What the simulation needs of a ledger."""

    async def rpc(self, name: str, request: Any) -> Any: ...

    async def limit_workspace(self, workspace_id: str, limit: int | None) -> None: ...

    async def settle(self, records: list[ConsumedRecord]) -> None: ...

    async def sweep(self) -> None: ...

    async def accounts(self) -> Mapping[str, Account]: ...


@dataclass
class RealLedger:
    """Servicer, consumer and sweeper on a real database."""

    ledger: Ledger

    async def rpc(self, name: str, request: Any) -> Any:
        return await getattr(self.ledger.servicer, name)(request, None)

    async def limit_workspace(self, workspace_id: str, limit: int | None) -> None:
        async with self.ledger.database.write() as tx:
            await set_workspace_limit(tx, self.ledger.clock, workspace_id, limit)

    async def settle(self, records: list[ConsumedRecord]) -> None:
        await self.ledger.spend(records)

    async def sweep(self) -> None:
        await self.ledger.sweeper.sweep()

    async def accounts(self) -> Mapping[str, Account]:
        async with self.ledger.database.read() as conn:
            rows = (await conn.execute(sa.select(ACCOUNTS))).all()
        return {
            row.id: Account(
                Kind(row.kind),
                row.limit_nano_usd,
                Amounts(row.settled, row.held, row.unconfirmed, row.forfeited, row.blocked, row.overrun),
                row.frozen,
            )
            for row in rows
        }


@dataclass
class Granted:
    """A lease's row."""

    lease: Lease
    lease_id: str
    account_id: str
    replica_id: str
    expires_s: float
    recalled: bool = False


@dataclass
class MemoryLedger:
    """Accounts and leases in memory; every call is one transaction. `clock` is the ledger's own."""

    clock: ManualClock
    known: dict[str, Account] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Granted] = field(default_factory=dict)
    acquires: dict[str, list[str]] = field(default_factory=dict)
    entries: set[str] = field(default_factory=set)
    positions: dict[int, int] = field(default_factory=dict)

    async def rpc(self, name: str, request: Any) -> Any:
        methods: dict[str, Callable[[Any], Any]] = {
            "Acquire": self._acquire,
            "Renew": self._renew,
            "Release": self._release,
        }
        return methods[name](request)

    async def accounts(self) -> Mapping[str, Account]:
        return self.known

    async def limit_workspace(self, workspace_id: str, limit: int | None) -> None:
        self._ensure(workspace_id, Kind.WORKSPACE)
        self.known[workspace_id] = replace(self.known[workspace_id], limit=limit)

    async def sweep(self) -> None:
        before_s = self.clock.monotonic_s() - GRACE_S
        for granted in self.leases.values():
            if granted.expires_s < before_s and granted.lease.outstanding:
                granted.lease, change = forfeit(granted.lease)
                self._move(granted.account_id, change)

    async def settle(self, records: list[ConsumedRecord]) -> None:
        for record in records:
            if record.offset < self.positions.get(record.partition, 0):
                continue
            self.positions[record.partition] = record.offset + 1
            event = spend_of(record.value)
            if event is None or event.event_id in self.entries:
                continue
            self.entries.add(event.event_id)
            for kind, account_id, position in (
                (Kind.KEY, event.account_id, event.key_lease),
                (Kind.BLOCKED, blocked_account(event.account_id), event.blocked_lease),
                (Kind.WORKSPACE, event.workspace_id, event.workspace_lease),
            ):
                self._ensure(account_id, kind)
                granted = self.leases.get(position.lease_id) if position is not None else None
                if position is None or granted is None:
                    self._move(account_id, spend_unleased(kind, event.spent))
                    continue
                granted.lease, change = spend(granted.lease, event.spent, position.running_total)
                self._move(account_id, change)

    def _acquire(self, request: pb.AcquireRequest) -> pb.AcquireResponse:
        key, blocked, workspace = request.key.account_id, blocked_account(request.key.account_id), request.workspace_id
        self._limit(key, Kind.KEY, _optional(request, "key_limit_nano_usd"), request.key_version)
        self._limit(blocked, Kind.BLOCKED, _optional(request, "blocked_limit_nano_usd"), request.key_version)
        self._ensure(workspace, Kind.WORKSPACE)
        response = pb.AcquireResponse(workspace_unlimited=self.known[workspace].limit is None)
        stored = self.acquires.get(request.acquire_id)
        if stored is None:
            stored = []
            for account_id, ask in ((key, request.key), (blocked, request.blocked), (workspace, request.workspace)):
                if ask.skip or not ask.account_id:
                    continue
                refused = self._grant(account_id, ask, request.replica_id, stored)
                if refused is not None:
                    # The transaction is rolled back.
                    for lease_id in stored:
                        undone = self.leases.pop(lease_id)
                        self._move(undone.account_id, Amounts(held=-undone.lease.granted))
                    response.refusal = REFUSALS[self.known[account_id].kind, refused.reason]
                    response.remaining_nano_usd, response.clampable_nano_usd = refused.remaining, refused.clampable
                    return response
            if stored:
                self.acquires[request.acquire_id] = stored
        for lease_id in stored:
            granted = self.leases[lease_id]
            target = {Kind.KEY: response.key_lease, Kind.BLOCKED: response.blocked_lease}.get(
                granted.lease.kind, response.workspace_lease
            )
            target.CopyFrom(self._shown(granted))
        return response

    def _grant(self, account_id: str, ask: pb.AccountAsk, replica_id: str, made: list[str]) -> Refused | None:
        account = self.known[account_id]
        decision = decide(account, Ask(ask.minimum_nano_usd, max(ask.minimum_nano_usd, ask.wanted_nano_usd)))
        if isinstance(decision, Unlimited):
            return None
        if isinstance(decision, Refused):
            return decision
        lease_id = f"lease_{len(self.leases)}_{len(self.entries)}_{len(self.acquires)}_{len(made)}"
        expires_s = self.clock.monotonic_s() + TTL_S
        lease = Lease(account.kind, decision.amount)
        self.leases[lease_id] = Granted(lease, lease_id, account_id, replica_id, expires_s)
        self._move(account_id, Amounts(held=decision.amount))
        made.append(lease_id)
        return None

    def _renew(self, request: pb.RenewRequest) -> pb.RenewResponse:
        response = pb.RenewResponse()
        for report in request.leases:
            granted = self.leases.get(report.lease_id)
            if granted is None or granted.replica_id != request.replica_id or granted.lease.state != LeaseState.OPEN:
                response.unknown_lease_ids.append(report.lease_id)
                continue
            granted.expires_s = self.clock.monotonic_s() + TTL_S
            if granted.recalled:
                response.recalled_lease_ids.append(report.lease_id)
            else:
                response.leases.append(self._shown(granted))
        for workspace_id in request.workspace_ids:
            account = self.known.get(workspace_id)
            limited = account is not None and account.limit is not None
            response.workspaces.append(pb.WorkspaceState(workspace_id=workspace_id, limited=limited))
        return response

    def _release(self, request: pb.ReleaseRequest) -> pb.ReleaseResponse:
        response = pb.ReleaseResponse()
        for item in request.leases:
            granted = self.leases.get(item.lease_id)
            if granted is not None:
                if granted.replica_id != request.replica_id:
                    continue
                granted.lease, change = close(granted.lease, item.final_used_nano_usd)
                self._move(granted.account_id, change)
            response.closed_lease_ids.append(item.lease_id)
        return response

    def _shown(self, granted: Granted) -> pb.Lease:
        left_ms = max(0, round((granted.expires_s - self.clock.monotonic_s()) * 1000))
        return pb.Lease(
            lease_id=granted.lease_id,
            account_id=granted.account_id,
            granted_nano_usd=granted.lease.granted,
            ttl_ms=left_ms,
        )

    def _limit(self, account_id: str, kind: Kind, limit: int | None, version: int) -> None:
        self._ensure(account_id, kind)
        if self.versions.get(account_id, -1) >= version:
            return
        self.versions[account_id] = version
        before = self.known[account_id].limit
        self.known[account_id] = replace(self.known[account_id], limit=limit)
        if limit is not None and (before is None or limit < before):
            for granted in self._of(account_id):
                granted.recalled = True

    def _of(self, account_id: str) -> Iterable[Granted]:
        return (granted for granted in self.leases.values() if granted.account_id == account_id)

    def _ensure(self, account_id: str, kind: Kind) -> None:
        self.known.setdefault(account_id, Account(kind, None))

    def _move(self, account_id: str, change: Amounts) -> None:
        account = self.known[account_id]
        self.known[account_id] = replace(account, amounts=account.amounts + change)


def _optional(request: pb.AcquireRequest, name: str) -> int | None:
    return getattr(request, name) if request.HasField(name) else None  # type: ignore[arg-type]


def spend_record(envelope: Envelope, partition: int, offset: int) -> ConsumedRecord:
    """A record of the spend topic."""
    return ConsumedRecord(
        "orca.spend.v1", partition, offset, envelope.key_id.encode(), envelope.SerializeToString(), (), 0
    )
