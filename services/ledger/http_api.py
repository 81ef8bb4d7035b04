"""`/api/ledger`: amounts leave as decimal USD strings; every read is about the caller's workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import StrictFloat, StrictInt, StrictStr

from services.common.answers import Answer, pages, shows
from services.common.clock import Clock
from services.common.errors import Invalid
from services.common.http import Body, Page, Principal, Role, decode_cursor, encode_cursor, ok, require, require_root
from services.common.money import format_usd, parse_usd
from services.common.storage import Database, audit_envelope, outbox_add
from services.ledger import answers
from services.ledger.domain.model import Account
from services.ledger.events import AUDIT, SERVICE
from services.ledger.storage.limits import add_workspace_credit, set_workspace_limit
from services.ledger.storage.parking import ParkingStore
from services.ledger.storage.reading import Reader
from services.ledger.storage.reversals import ReversalStore
from services.ledger.storage.rows import account_of
from services.ledger.storage.tables import OUTBOX

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
Operator = Annotated[Principal, Depends(require_root(workspace=True))]


class CreditBody(Body):
    """Exactly one of the two; `limit_usd: null` makes the workspace unlimited."""

    limit_usd: StrictStr | StrictInt | StrictFloat | None = None
    add_usd: StrictStr | StrictInt | StrictFloat | None = None


def routes(
    database: Database,
    reader: Reader,
    reversals: ReversalStore,
    parking: ParkingStore,
    clock: Clock,
    notify: Callable[[], None],
) -> APIRouter:
    """The ledger's routes."""
    router = APIRouter(prefix="/api/ledger", tags=["ledger"])

    @router.get("/accounts/{key_id}", responses=shows(answers.Account))
    async def account(key_id: str, principal: Member) -> Answer:
        """A key's credit account."""
        account_id = await reader.account_id_of(principal.workspace_id, key_id)
        return ok(await _account(reader, principal.workspace_id, account_id))

    @router.post("/accounts/{key_id}/unfreeze", responses=shows(answers.Unfrozen))
    async def unfreeze(key_id: str, principal: Admin) -> Answer:
        """Lets the account of a key go on whose spend record could not be booked."""
        account_id = await reader.account_id_of(principal.workspace_id, key_id)
        records = await parking.unfreeze(principal.workspace_id, account_id, key_id, principal.user_id)
        notify()
        return ok({"account_id": account_id, "unbooked_records": records})

    @router.get("/workspace", responses=shows(answers.Account))
    async def workspace(principal: Member) -> Answer:
        """The workspace's credit account."""
        return ok(await _account(reader, principal.workspace_id, principal.workspace_id))

    @router.get("/entries", responses=pages(answers.Entry))
    async def entries(
        principal: Member, page: Page, key_id: Annotated[str | None, Query(max_length=128)] = None
    ) -> Answer:
        """Entries of a key's account, or of the whole workspace, newest first."""
        workspace_id = principal.workspace_id
        account_id = await reader.account_id_of(workspace_id, key_id) if key_id is not None else None
        rows = await reader.entries(workspace_id, account_id, page.limit + 1, _position(page.cursor))
        shown = rows[: page.limit]
        more = len(rows) > page.limit
        cursor = encode_cursor([shown[-1].occurred_at_us, shown[-1].id]) if more else None
        return ok({"items": [_entry(row) for row in shown], "next_cursor": cursor})

    @router.post("/workspace/credit", responses=shows(answers.Amounts))
    async def credit(body: CreditBody, principal: Operator) -> Answer:
        """Sets or raises the workspace's limit."""
        row = await _set_credit(database, clock, principal, body)
        notify()
        return ok(_amounts(account_of(row)))

    @router.post("/entries/{entry_id}/reverse", responses=shows(answers.Reversal))
    async def reverse(entry_id: str, principal: Admin) -> Answer:
        """Gives back a forfeit or the unconfirmed part of a spend."""
        amount = await reversals.reverse(principal.workspace_id, entry_id, principal.user_id)
        notify()
        return ok({"entry_id": entry_id, "reversed_usd": format_usd(amount)})

    return router


async def _set_credit(database: Database, clock: Clock, principal: Principal, body: CreditBody) -> Any:
    """The workspace's account after the change, with its audit row in the same transaction."""
    named = body.model_fields_set
    if len(named) != 1:
        raise Invalid("limit_usd: give exactly one of limit_usd and add_usd", param="limit_usd")
    workspace_id = principal.workspace_id
    async with database.write() as tx:
        if "add_usd" in named:
            row = await add_workspace_credit(tx, clock, workspace_id, _nano("add_usd", body.add_usd))
        else:
            limit = None if body.limit_usd is None else _nano("limit_usd", body.limit_usd)
            row = await set_workspace_limit(tx, clock, workspace_id, limit)
        audit = audit_envelope(
            workspace_id=workspace_id,
            actor_id=principal.user_id,
            verb="workspace_credit",
            target_type="workspace",
            target_id=workspace_id,
            metadata={"limit_nano_usd": row.limit_nano_usd},
            service=SERVICE,
            clock=clock,
        )
        await outbox_add(tx, OUTBOX, topic=AUDIT, key=workspace_id, envelope=audit)
    return row


def _nano(name: str, value: str | int | float | None) -> int:
    if value is None:
        raise Invalid(f"{name}: must be a decimal number", param=name)
    try:
        return parse_usd(value)
    except ValueError as error:
        raise Invalid(f"{name}: {error}", param=name) from None


def _position(cursor: str | None) -> tuple[int, str] | None:
    match decode_cursor(cursor) if cursor is not None else None:
        case None:
            return None
        case [int(occurred_at_us), str(entry_id)] if abs(occurred_at_us) < 2**63:
            return occurred_at_us, entry_id
    raise Invalid("cursor: not a cursor of this list", param="cursor")


async def _account(reader: Reader, workspace_id: str, account_id: str) -> dict[str, Any]:
    account = (await reader.accounts(workspace_id, [account_id]))[0]
    leases = await reader.leases(workspace_id, account_id)
    frozen = {"frozen": True} if account.frozen else {}
    return {**_amounts(account), **frozen, "leases": [_lease(row) for row in leases]}


def _amounts(account: Account) -> dict[str, Any]:
    amounts, remaining = account.amounts, account.remaining
    return {
        "limit_usd": None if account.limit is None else format_usd(account.limit),
        "settled_usd": format_usd(amounts.settled),
        "held_usd": format_usd(amounts.held),
        "unconfirmed_usd": format_usd(amounts.unconfirmed),
        "forfeited_usd": format_usd(amounts.forfeited),
        "blocked_usd": format_usd(amounts.blocked),
        "remaining_usd": None if remaining is None else format_usd(max(0, remaining)),
    }


def _lease(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "replica_id": row.replica_id,
        "state": row.state,
        "recalled": row.recalled,
        "fence": row.fence,
        "granted_usd": format_usd(row.granted),
        "reported_usd": format_usd(row.reported),
        "outstanding_usd": format_usd(row.outstanding),
        "expires_at": row.expires_at_us // 1_000_000,
    }


def _entry(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "account_id": row.account_id,
        "key_id": row.key_id,
        "request_id": row.request_id,
        "model": row.model,
        "lease_id": row.lease_id or None,
        "refers_to": row.refers_to or None,
        "occurred_at": row.occurred_at_us / 1_000_000,
        "amount_usd": format_usd(row.amount),
        "settled_usd": format_usd(row.settled),
        "unconfirmed_usd": format_usd(row.unconfirmed),
        "blocked_usd": format_usd(row.blocked),
        "overrun_usd": format_usd(row.overrun),
        "estimated": row.estimated,
        "reversed": row.reversed,
    }
