"""Auth's management routes: users, workspaces, members, settings, keys, channels, models, audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response

from services.auth import bodies
from services.auth.bodies import Answer
from services.auth.channels import ChannelBook
from services.auth.crypto import verify_password
from services.auth.domain.prices import Price
from services.auth.identity import Identity
from services.auth.operations import Operations
from services.auth.ports import Ledger
from services.auth.probe import ChannelProbe
from services.auth.records import SETTINGS, key_object, model_object
from services.auth.storage.store import Store
from services.auth.storage.tables import CHANNELS, KEYS, MEMBERS, TOKENS, USERS, WORKSPACES
from services.common.errors import Forbidden, Invalid, NotFound
from services.common.http import (
    SESSION_COOKIE,
    Body,
    Page,
    Principal,
    Role,
    decode_cursor,
    encode_cursor,
    ok,
    require,
    require_root,
    require_user,
)
from services.common.money import parse_usd

User = Annotated[Principal, Depends(require_user())]
Root = Annotated[Principal, Depends(require_root())]
Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
Owner = Annotated[Principal, Depends(require(Role.OWNER))]


def given(body: Body) -> dict[str, Any]:
    """The fields the caller sent, as plain values."""
    return body.model_dump(exclude_unset=True)


def before(cursor: str | None) -> tuple[int, str] | None:
    """(created_time, id) behind a cursor."""
    if cursor is None:
        return None
    position = decode_cursor(cursor)
    match position:
        case [int(created), str(row_id)] if abs(created) < 2**62:
            return created, row_id
    raise Invalid("cursor: not a cursor of this list", param="cursor")


def page_of(rows: list[Any], limit: int, items: list[Any]) -> Answer:
    """A page, with a cursor when there is more."""
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    cursor = encode_cursor([last.created_time, last.id]) if last is not None else None
    return ok({"items": items, "next_cursor": cursor})


def account_routes(store: Store, identity: Identity, operations: Operations) -> APIRouter:
    """Own account, sessions, access tokens."""
    router = APIRouter(tags=["user"])

    @router.post("/api/user/login")
    async def login(body: bodies.Login, response: Response) -> Answer:
        user, secret, csrf = await identity.login(body.email, body.password)
        response.set_cookie(SESSION_COOKIE, secret, httponly=True, samesite="strict", path="/")
        return ok({"user": await _self(store, user), "csrf_token": csrf})

    @router.post("/api/user/logout")
    async def logout(request: Request, response: Response, principal: User) -> Answer:
        await identity.logout(request.cookies.get(SESSION_COOKIE, ""))
        response.delete_cookie(SESSION_COOKIE, path="/")
        return ok(None)

    @router.get("/api/user/self")
    async def self_get(principal: User) -> Answer:
        return ok(await _self(store, await store.user(principal.user_id)))

    @router.put("/api/user/self")
    async def self_put(body: bodies.SelfUpdate, principal: User) -> Answer:
        user = await store.user(principal.user_id)
        if body.password is not None:
            if not await verify_password(user.password_hash, body.current_password or ""):
                raise Forbidden("current_password: is wrong", param="current_password")
            await operations.set_password(user.id, body.password)
        if body.name is not None:
            async with store.change(user.id, "") as change:
                await change.tx.execute(USERS.update().where(USERS.c.id == user.id).values(name=body.name))
                await change.audit("user_update", "user", user.id)
        return ok(await _self(store, await store.user(user.id)))

    @router.get("/api/user/access_tokens")
    async def tokens(principal: User) -> Answer:
        query = sa.select(TOKENS).where(TOKENS.c.user_id == principal.user_id).order_by(TOKENS.c.created_time.desc())
        items = [
            {"id": row.id, "name": row.name, "token": row.masked, "created_time": row.created_time}
            for row in await store.all(query)
        ]
        return ok({"items": items, "next_cursor": None})

    @router.post("/api/user/access_tokens")
    async def token_create(body: bodies.TokenCreate, principal: User) -> Answer:
        token_id, token = await operations.add_token(principal.user_id, body.name)
        return ok({"id": token_id, "name": body.name, "token": token})

    @router.delete("/api/user/access_tokens/{token_id}")
    async def token_delete(token_id: str, principal: User) -> Answer:
        await operations.delete_token(principal.user_id, token_id)
        return ok(None)

    return router


async def _self(store: Store, user: Any) -> Mapping[str, Any]:
    memberships = await store.memberships(user.id)
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_root": user.is_root,
        "workspaces": [{"id": row.workspace_id, "role": Role(row.role).name.lower()} for row in memberships],
    }


def _workspace(row: Any) -> Answer:
    return {"id": row.id, "name": row.name, "plan": row.plan, "created_time": row.created_time}


def workspace_routes(store: Store, operations: Operations) -> APIRouter:
    """Workspaces, members, settings."""
    router = APIRouter(tags=["workspace"])

    @router.get("/api/workspace")
    async def workspaces(principal: User) -> Answer:
        query = sa.select(WORKSPACES).where(WORKSPACES.c.deleted.is_(False)).order_by(WORKSPACES.c.id)
        if not principal.is_root:
            query = query.join(MEMBERS, MEMBERS.c.workspace_id == WORKSPACES.c.id)
            query = query.where(MEMBERS.c.user_id == principal.user_id)
        return ok({"items": [_workspace(row) for row in await store.all(query)], "next_cursor": None})

    @router.post("/api/workspace")
    async def workspace_create(body: bodies.WorkspaceCreate, principal: Root) -> Answer:
        owner_id = principal.user_id
        if body.owner_email is not None:
            owner = await store.user_by_email(body.owner_email)
            if owner is None:
                raise Invalid("owner_email: no such user", param="owner_email")
            owner_id = owner.id
        return ok(_workspace(await operations.create_workspace(principal.user_id, body.name, body.plan, owner_id)))

    @router.get("/api/workspace/settings")
    async def settings(principal: Viewer) -> Answer:
        row = await store.workspace(principal.workspace_id)
        return ok({**SETTINGS, **row.settings})

    @router.put("/api/workspace/settings")
    async def settings_put(body: bodies.SettingsUpdate, principal: Admin) -> Answer:
        changes = {name: value for name, value in given(body).items() if value is not None or name == "judge_key_id"}
        if "fail_open" in changes:
            changes["fail_open"] = {name: value for name, value in changes["fail_open"].items() if value is not None}
        return ok(await operations.update_settings(principal, changes))

    @router.get("/api/workspace/members")
    async def members(principal: Viewer) -> Answer:
        query = sa.select(USERS.c.id, USERS.c.email, USERS.c.name, MEMBERS.c.role)
        query = query.join(MEMBERS, MEMBERS.c.user_id == USERS.c.id)
        rows = await store.all(query.where(MEMBERS.c.workspace_id == principal.workspace_id).order_by(USERS.c.email))
        items = [
            {"user_id": row.id, "email": row.email, "name": row.name, "role": Role(row.role).name.lower()}
            for row in rows
        ]
        return ok({"items": items, "next_cursor": None})

    @router.post("/api/workspace/members")
    async def member_add(body: bodies.MemberAdd, principal: Admin) -> Answer:
        role = Role[body.role.upper()]
        user_id = await operations.add_member(principal, body.email, role, body.password)
        return ok({"user_id": user_id, "email": body.email, "role": body.role})

    @router.put("/api/workspace/members/{user_id}")
    async def member_update(user_id: str, body: bodies.MemberUpdate, principal: Admin) -> Answer:
        await operations.set_member(principal, user_id, Role[body.role.upper()])
        return ok({"user_id": user_id, "role": body.role})

    @router.delete("/api/workspace/members/{user_id}")
    async def member_remove(user_id: str, principal: Admin) -> Answer:
        await operations.set_member(principal, user_id, None)
        return ok(None)

    async def visible(principal: Principal, workspace_id: str, least: Role) -> Any:
        row = await store.workspace(workspace_id)
        roles = {item.workspace_id: item.role for item in await store.memberships(principal.user_id)}
        if row is None or (workspace_id not in roles and not principal.is_root):
            raise NotFound("no such workspace")
        if roles.get(workspace_id, 0) < least and not principal.is_root:
            raise Forbidden(f"this needs the role {least.name.lower()}")
        return row

    @router.get("/api/workspace/{workspace_id}")
    async def workspace_get(workspace_id: str, principal: User) -> Answer:
        return ok(_workspace(await visible(principal, workspace_id, Role.VIEWER)))

    @router.put("/api/workspace/{workspace_id}")
    async def workspace_put(workspace_id: str, body: bodies.WorkspaceUpdate, principal: User) -> Answer:
        row = await visible(principal, workspace_id, Role.ADMIN)
        if body.plan is not None and not principal.is_root:
            raise Forbidden("plan: set by platform operators", param="plan")
        values = {name: value for name, value in given(body).items() if value is not None}
        return ok(_workspace(await operations.update_workspace(principal, row.id, values) if values else row))

    @router.delete("/api/workspace/{workspace_id}")
    async def workspace_delete(workspace_id: str, principal: User) -> Answer:
        row = await visible(principal, workspace_id, Role.OWNER)
        await operations.delete_workspace(principal, row.id)
        return ok(None)

    return router


def key_routes(store: Store, operations: Operations, ledger: Ledger) -> APIRouter:
    """Relay keys."""
    router = APIRouter(tags=["token"])

    async def shown(principal: Principal, rows: list[Any], key: str | None = None) -> list[Answer]:
        balances = await ledger.balances(principal.workspace_id, [row.account_id for row in rows]) if rows else {}
        now_s = store.now_s()
        return [key_object(row, balances.get(row.account_id) if balances else None, now_s, key) for row in rows]

    async def found(principal: Principal, key_id: str) -> Any:
        row = await store.key(principal.workspace_id, key_id)
        if row is None:
            raise NotFound("no such key")
        return row

    @router.get("/api/token")
    async def keys(principal: Viewer, page: Page) -> Answer:
        rows = list(
            await store.page(KEYS, principal.workspace_id, page.limit, before(page.cursor), KEYS.c.deleted.is_(False))
        )
        return page_of(rows, page.limit, await shown(principal, rows[: page.limit]))

    @router.post("/api/token")
    async def key_create(body: bodies.KeyUpdate, principal: Developer) -> Answer:
        row, secret = await operations.create_key(principal, given(body))
        return ok((await shown(principal, [row], secret))[0])

    @router.get("/api/token/{key_id}")
    async def key_get(key_id: str, principal: Viewer) -> Answer:
        return ok((await shown(principal, [await found(principal, key_id)]))[0])

    @router.put("/api/token/{key_id}")
    async def key_put(key_id: str, body: bodies.KeyUpdate, principal: Developer) -> Answer:
        row = await operations.update_key(principal, await found(principal, key_id), given(body))
        return ok((await shown(principal, [row]))[0])

    @router.delete("/api/token/{key_id}")
    async def key_delete(key_id: str, principal: Developer) -> Answer:
        await operations.delete_key(principal, await found(principal, key_id))
        return ok(None)

    @router.post("/api/token/{key_id}/successor")
    async def key_successor(key_id: str, principal: Developer) -> Answer:
        row, secret = await operations.create_key(principal, {}, await found(principal, key_id))
        return ok((await shown(principal, [row], secret))[0])

    return router


def channel_routes(store: Store, operations: Operations, book: ChannelBook, probe: ChannelProbe) -> APIRouter:
    """Channels and models."""
    router = APIRouter(tags=["channel"])

    async def found(principal: Principal, channel_id: str) -> Any:
        row = await store.channel(principal.workspace_id, channel_id)
        if row is None:
            raise NotFound("no such channel")
        return row

    def shown(row: Any) -> Answer:
        return {"id": row.id, "name": row.name, "created_time": row.created_time, **row.fields}

    @router.get("/api/channel")
    async def channels(principal: Viewer, page: Page) -> Answer:
        rows = list(
            await store.page(
                CHANNELS, principal.workspace_id, page.limit, before(page.cursor), CHANNELS.c.deleted.is_(False)
            )
        )
        return page_of(rows, page.limit, [shown(row) for row in rows[: page.limit]])

    @router.post("/api/channel")
    async def channel_create(body: bodies.ChannelCreate, principal: Admin) -> Answer:
        values = {**given(body), "models": body.model_dump()["models"], "api_key": body.api_key}
        return ok(shown(await operations.put_channel(principal, None, _present(values))))

    @router.get("/api/channel/{channel_id}")
    async def channel_get(channel_id: str, principal: Viewer) -> Answer:
        return ok(shown(await found(principal, channel_id)))

    @router.put("/api/channel/{channel_id}")
    async def channel_put(channel_id: str, body: bodies.ChannelUpdate, principal: Admin) -> Answer:
        row = await found(principal, channel_id)
        return ok(shown(await operations.put_channel(principal, row, _present(given(body)))))

    @router.delete("/api/channel/{channel_id}")
    async def channel_delete(channel_id: str, principal: Admin) -> Answer:
        await operations.delete_channel(principal, await found(principal, channel_id))
        return ok(None)

    @router.post("/api/channel/{channel_id}/test")
    async def channel_test(channel_id: str, principal: Admin) -> Answer:
        return ok(await probe.test(book.record(await found(principal, channel_id))))

    @router.get("/api/model")
    async def models(principal: Viewer) -> Answer:
        prices = await book.prices(principal.workspace_id)
        return ok({"items": [model_object(name, price) for name, price in prices.items()], "next_cursor": None})

    @router.put("/api/model/{model_id:path}")
    async def price_put(model_id: str, body: bodies.PriceUpdate, principal: Admin) -> Answer:
        price = _price(body)
        await operations.put_price(principal, _model_id(model_id), price)
        return ok(model_object(model_id, price))

    @router.delete("/api/model/{model_id:path}")
    async def price_delete(model_id: str, principal: Admin) -> Answer:
        if model_id not in await store.prices(principal.workspace_id):
            raise NotFound("this model has no override")
        await operations.put_price(principal, model_id, None)
        return ok(None)

    return router


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None or name == "timeout_ms"}


def _model_id(model_id: str) -> str:
    if not model_id or len(model_id) > 256 or any(char.isspace() or char == "\x00" for char in model_id):
        raise Invalid("id: not a model id", param="id")
    return model_id


def _price(body: bodies.PriceUpdate) -> Price:
    def nano(field: str) -> int | None:
        value = getattr(body, field)
        if value is None:
            return None
        try:
            return parse_usd(value)
        except ValueError as error:
            raise Invalid(f"{field}: {error}", param=field) from None

    inputs, outputs = nano("input_usd_per_mtok") or 0, nano("output_usd_per_mtok") or 0
    cached = nano("cached_input_usd_per_mtok")
    return Price(
        input_nano_usd_per_mtok=inputs,
        cached_input_nano_usd_per_mtok=inputs if cached is None else cached,
        output_nano_usd_per_mtok=outputs,
        request_nano_usd=nano("usd_per_request") or 0,
        context_length=body.context_length or 0,
        max_output_tokens=body.max_output_tokens or 0,
        source="override",
        max_input_nano_usd_per_mtok=max(inputs, cached or 0),
        max_output_nano_usd_per_mtok=outputs,
    )


def audit_routes(store: Store) -> APIRouter:
    """Audit log and public status."""
    router = APIRouter(tags=["audit"])

    @router.get("/api/audit")
    async def audit(principal: Admin, page: Page) -> Answer:
        number = None
        if page.cursor is not None:
            match decode_cursor(page.cursor):
                case [int(position)] if abs(position) < 2**62:
                    number = position
                case _:
                    raise Invalid("cursor: not a cursor of this list", param="cursor")
        rows = list(await store.audit_page(principal.workspace_id, page.limit, number))
        shown = rows[: page.limit]
        items = [{**row.content, "number": row.number, "previous": row.previous, "hash": row.hash} for row in shown]
        more = len(rows) > page.limit
        return ok({"items": items, "next_cursor": encode_cursor([shown[-1].number]) if more else None})

    @router.get("/api/status")
    async def status() -> Answer:
        return ok({"name": "orca", "status": "ok"})

    return router
