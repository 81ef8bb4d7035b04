"""Auth's routes about relay keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from services.auth import answers, bodies
from services.auth.edge import Developer, Viewer, before, given, page_of
from services.auth.key_operations import KeyOperations
from services.auth.ports import Ledger
from services.auth.records import key_object
from services.auth.storage.store import Store
from services.auth.storage.tables import KEYS
from services.common.answers import Answer, nothing, pages, shows
from services.common.errors import NotFound
from services.common.http import Page, Principal, ok


def key_routes(store: Store, operations: KeyOperations, ledger: Ledger) -> APIRouter:
    """Relay keys."""
    router = APIRouter(tags=["token"])

    async def shown(principal: Principal, rows: Sequence[Any], key: str | None = None) -> list[Answer]:
        accounts = sorted({row.account_id for row in rows})
        balances = await ledger.balances(principal.workspace_id, accounts) if accounts else {}
        accessed = await store.accessed([row.id for row in rows])
        now_s = store.now_s()
        return [
            key_object(row, balances.get(row.account_id) if balances else None, now_s, accessed.get(row.id), key)
            for row in rows
        ]

    async def found(principal: Principal, key_id: str) -> Any:
        row = await store.key(principal.workspace_id, key_id)
        if row is None:
            raise NotFound("no such key")
        return row

    @router.get("/api/token", responses=pages(answers.Key))
    async def keys(principal: Viewer, page: Page) -> Answer:
        where = (KEYS.c.workspace_id == principal.workspace_id) & KEYS.c.deleted.is_(False)
        rows = await store.page(KEYS, where, page.limit, before(page.cursor))
        return page_of(rows, await shown(principal, rows[: page.limit]), page, ("created_time", "id"))

    @router.post("/api/token", responses=shows(answers.Key))
    async def key_create(body: bodies.KeyCreate, principal: Developer) -> Answer:
        row, secret = await operations.create_key(principal, given(body))
        return ok((await shown(principal, [row], secret))[0])

    @router.get("/api/token/{key_id}", responses=shows(answers.Key))
    async def key_get(key_id: str, principal: Viewer) -> Answer:
        return ok((await shown(principal, [await found(principal, key_id)]))[0])

    @router.put("/api/token/{key_id}", responses=shows(answers.Key))
    async def key_put(key_id: str, body: bodies.KeyUpdate, principal: Developer) -> Answer:
        row = await operations.update_key(principal, await found(principal, key_id), given(body))
        return ok((await shown(principal, [row]))[0])

    @router.delete("/api/token/{key_id}", responses=nothing())
    async def key_delete(key_id: str, principal: Developer) -> Answer:
        await operations.delete_key(principal, await found(principal, key_id))
        return ok(None)

    @router.post("/api/token/{key_id}/successor", responses=shows(answers.Key))
    async def key_successor(key_id: str, principal: Developer, body: bodies.Successor | None = None) -> Answer:
        changes = given(body) if body is not None else {}
        row, secret = await operations.create_key(principal, changes, await found(principal, key_id))
        return ok((await shown(principal, [row], secret))[0])

    return router
