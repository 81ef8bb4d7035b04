"""Wire ↔ storage for relays and auth. A refusal is data; an error means "unreachable or wrong request"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orca.ledger.v1 import ledger_pb2 as pb
from services.common.clock import Clock
from services.common.errors import BadRequest
from services.ledger.domain.granting import Ask, Reason, Refused
from services.ledger.domain.model import Account, Kind
from services.ledger.storage.granting import Acquire, GrantStore
from services.ledger.storage.leases import LeaseStore
from services.ledger.storage.limits import KeyRecord
from services.ledger.storage.reading import Reader
from services.ledger.storage.redeeming import RedeemStore, Redemption

LEASES_MAX = 5_000
"""Leases or accounts named in one call."""

_REFUSALS = {
    (Kind.KEY, Reason.EXHAUSTED): pb.REFUSAL_KEY_EXHAUSTED,
    (Kind.KEY, Reason.HELD): pb.REFUSAL_KEY_HELD,
    (Kind.KEY, Reason.FROZEN): pb.REFUSAL_FROZEN,
    (Kind.BLOCKED, Reason.EXHAUSTED): pb.REFUSAL_BLOCKED_EXHAUSTED,
    (Kind.BLOCKED, Reason.HELD): pb.REFUSAL_BLOCKED_HELD,
    (Kind.BLOCKED, Reason.FROZEN): pb.REFUSAL_FROZEN,
    (Kind.WORKSPACE, Reason.EXHAUSTED): pb.REFUSAL_WORKSPACE_EXHAUSTED,
    (Kind.WORKSPACE, Reason.HELD): pb.REFUSAL_WORKSPACE_HELD,
    (Kind.WORKSPACE, Reason.FROZEN): pb.REFUSAL_FROZEN,
}


class LedgerServicer:
    """orca.ledger.v1.LedgerService."""

    def __init__(
        self,
        grants: GrantStore,
        leases: LeaseStore,
        redeems: RedeemStore,
        reader: Reader,
        clock: Clock,
        notify: Callable[[], None],
    ) -> None:
        self._grants = grants
        self._leases = leases
        self._redeems = redeems
        self._reader = reader
        self._clock = clock
        self._notify = notify

    async def Acquire(self, request: pb.AcquireRequest, context: Any) -> pb.AcquireResponse:
        """Grants credit on a key's and its workspace's account, or says who refused."""
        del context
        acquired = await self._grants.acquire(_acquire_of(request))
        response = pb.AcquireResponse(
            workspace_unlimited=acquired.workspace_unlimited, key_blocked_nano_usd=acquired.key_blocked
        )
        if acquired.refused is not None:
            _refuse(response, *acquired.refused)
            return response
        if acquired.key_lease is not None:
            response.key_lease.CopyFrom(self._lease(acquired.key_lease))
        if acquired.workspace_lease is not None:
            response.workspace_lease.CopyFrom(self._lease(acquired.workspace_lease))
        if acquired.blocked_lease is not None:
            response.blocked_lease.CopyFrom(self._lease(acquired.blocked_lease))
        self._notify()
        return response

    def _lease(self, row: Any) -> pb.Lease:
        # A repeated Acquire gets what is left of the life, never a fresh one.
        left_ms = max(0, (row.expires_at_us - self._clock.now_us()) // 1000)
        return pb.Lease(
            lease_id=row.id, account_id=row.account_id, granted_nano_usd=row.granted, ttl_ms=left_ms, fence=row.fence
        )

    async def Renew(self, request: pb.RenewRequest, context: Any) -> pb.RenewResponse:
        """Extends a replica's leases; names recalled and unknown ones."""
        del context
        _few("leases", len(request.leases))
        _few("workspace_ids", len(request.workspace_ids))
        ids = [report.lease_id for report in request.leases]
        alive, recalled, unknown = await self._leases.renew(request.replica_id, ids)
        limited = await self._reader.limited(request.workspace_ids) if request.workspace_ids else {}
        return pb.RenewResponse(
            leases=[self._lease(row) for row in alive],
            recalled_lease_ids=recalled,
            unknown_lease_ids=unknown,
            workspaces=[pb.WorkspaceState(workspace_id=name, limited=value) for name, value in limited.items()],
        )

    async def Release(self, request: pb.ReleaseRequest, context: Any) -> pb.ReleaseResponse:
        """Closes leases with what was finally used."""
        del context
        _few("leases", len(request.leases))
        finals = {lease.lease_id: lease.final_used_nano_usd for lease in request.leases}
        if any(final < 0 for final in finals.values()):
            raise BadRequest("final_used_nano_usd: is negative", param="final_used_nano_usd")
        closed = await self._leases.release(request.replica_id, finals)
        self._notify()
        return pb.ReleaseResponse(closed_lease_ids=closed)

    async def Balance(self, request: pb.BalanceRequest, context: Any) -> pb.BalanceResponse:
        """Amounts of accounts, in the order asked for."""
        del context
        _few("account_ids", len(request.account_ids))
        accounts = await self._reader.accounts(request.workspace_id, request.account_ids)
        named = zip(request.account_ids, accounts, strict=True)
        return pb.BalanceResponse(accounts=[_balance(account_id, account) for account_id, account in named])

    async def Redeem(self, request: pb.RedeemRequest, context: Any) -> pb.RedeemResponse:
        """Charges a held answer to its key, once per approval."""
        del context
        for name in ("workspace_id", "account_id", "key_id", "request_id", "approval_id"):
            if not getattr(request, name):
                raise BadRequest(f"{name}: is missing", param=name)
        done = await self._redeems.redeem(
            Redemption(
                request.workspace_id, request.account_id, request.key_id, request.request_id, request.approval_id
            )
        )
        response = pb.RedeemResponse(settled_nano_usd=done.settled, needed_nano_usd=done.needed)
        if not done.booked:
            response.refusal = pb.REFUSAL_NOT_BOOKED
        elif done.refused is not None:
            _refuse(response, Kind.KEY, done.refused)
        else:
            self._notify()
        return response


def _few(name: str, count: int) -> None:
    if count > LEASES_MAX:
        raise BadRequest(f"{name}: at most {LEASES_MAX}", param=name)


def _acquire_of(request: pb.AcquireRequest) -> Acquire:
    for name in ("acquire_id", "replica_id", "workspace_id", "key_id"):
        if not getattr(request, name):
            raise BadRequest(f"{name}: is missing", param=name)
    if not request.key.account_id:
        raise BadRequest("key.account_id: is missing", param="key.account_id")
    limit = request.key_limit_nano_usd if request.HasField("key_limit_nano_usd") else None
    blocked_limit = request.blocked_limit_nano_usd if request.HasField("blocked_limit_nano_usd") else None
    key = KeyRecord(
        request.key_id, request.workspace_id, request.key.account_id, limit, request.key_version, blocked_limit
    )
    return Acquire(
        request.acquire_id,
        request.replica_id,
        key,
        _ask_of("key", request.key),
        _ask_of("workspace", request.workspace) if request.HasField("workspace") else None,
        _ask_of("blocked", request.blocked) if request.HasField("blocked") else None,
    )


def _ask_of(name: str, ask: pb.AccountAsk) -> Ask | None:
    if ask.skip:
        return None
    if ask.minimum_nano_usd < 0 or ask.wanted_nano_usd < 0:
        raise BadRequest(f"{name}: amounts must not be negative", param=name)
    return Ask(ask.minimum_nano_usd, max(ask.minimum_nano_usd, ask.wanted_nano_usd))


def _refuse(response: pb.AcquireResponse | pb.RedeemResponse, kind: Kind, refused: Refused) -> None:
    response.refusal = _REFUSALS[kind, refused.reason]
    response.remaining_nano_usd = refused.remaining
    response.clampable_nano_usd = refused.clampable


def _balance(account_id: str, account: Account) -> pb.AccountBalance:
    amounts = account.amounts
    return pb.AccountBalance(
        account_id=account_id,
        limit_nano_usd=account.limit,
        settled_nano_usd=amounts.settled,
        held_nano_usd=amounts.held,
        unconfirmed_nano_usd=amounts.unconfirmed,
        forfeited_nano_usd=amounts.forfeited,
        blocked_nano_usd=amounts.blocked,
    )
