"""Auth's routes about people and workspaces: own account, sessions, access tokens, members, settings, audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response

from services.auth import answers, bodies
from services.auth.domain.permissions import permissions
from services.auth.edge import Admin, Root, User, Viewer, after, before, below, given, page_of
from services.auth.identity import Identity
from services.auth.operations import Operations
from services.auth.records import settings_object
from services.auth.storage.store import Store
from services.auth.storage.tables import TOKENS, WORKSPACES
from services.common.answers import Answer, nothing, pages, shows
from services.common.errors import Forbidden, Invalid, NotFound
from services.common.http import SESSION_COOKIE, Page, Principal, Role, ok

ADDRESS_CHARS_MAX = 64


def account_routes(store: Store, identity: Identity, operations: Operations, *, secure_cookie: bool) -> APIRouter:
    """Own account, sessions, access tokens."""
    router = APIRouter(tags=["user"])

    @router.post("/api/user/login", responses=shows(answers.Login))
    async def login(body: bodies.Login, request: Request, response: Response) -> Answer:
        # The console tells whose request it passes on; it is the last hop, and writes the header anew.
        hops = request.headers.get("x-forwarded-for", "")
        address = hops.rpartition(",")[2].strip() or (request.client.host if request.client else "")
        user, secret, csrf = await identity.login(body.email, body.password, address[:ADDRESS_CHARS_MAX])
        response.set_cookie(SESSION_COOKIE, secret, httponly=True, samesite="strict", secure=secure_cookie, path="/")
        return ok({"user": await _self(store, user), "csrf_token": csrf})

    @router.post("/api/user/logout", responses=nothing())
    async def logout(request: Request, response: Response, principal: User) -> Answer:
        await identity.logout(request.cookies.get(SESSION_COOKIE, ""))
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict", secure=secure_cookie, path="/")
        return ok(None)

    @router.get("/api/user/self", responses=shows(answers.User))
    async def self_get(principal: User) -> Answer:
        return ok(await _self(store, await store.user(principal.user_id)))

    @router.put("/api/user/self", responses=shows(answers.User))
    async def self_put(body: bodies.SelfUpdate, principal: User) -> Answer:
        user = await store.user(principal.user_id)
        if body.password is not None:
            await identity.confirm(user, body.current_password or "")
        await operations.update_user(user.id, name=body.name, password=body.password)
        return ok(await _self(store, await store.user(user.id)))

    @router.get("/api/user/access_tokens", responses=pages(answers.AccessToken))
    async def tokens(principal: User, page: Page) -> Answer:
        rows = await store.page(TOKENS, TOKENS.c.user_id == principal.user_id, page.limit, before(page.cursor))
        items = [
            {"id": row.id, "name": row.name, "token": row.masked, "created_time": row.created_time}
            for row in rows[: page.limit]
        ]
        return page_of(rows, items, page, ("created_time", "id"))

    @router.post("/api/user/access_tokens", responses=shows(answers.AccessToken))
    async def token_create(body: bodies.TokenCreate, principal: User) -> Answer:
        token_id, token = await operations.add_token(principal.user_id, body.name)
        return ok({"id": token_id, "name": body.name, "token": token, "created_time": store.now_s()})

    @router.delete("/api/user/access_tokens/{token_id}", responses=nothing())
    async def token_delete(token_id: str, principal: User) -> Answer:
        await operations.delete_token(principal.user_id, token_id)
        return ok(None)

    return router


async def _self(store: Store, user: Any) -> Mapping[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_root": user.is_root,
        "workspaces": [
            {
                "id": row.workspace_id,
                "name": row.name,
                "role": Role(row.role).name.lower(),
                "permissions": permissions(row.role),
            }
            for row in await store.memberships(user.id)
        ],
    }


def _workspace(row: Any) -> Answer:
    return {"id": row.id, "name": row.name, "plan": row.plan, "created_time": row.created_time}


def workspace_routes(store: Store, operations: Operations) -> APIRouter:
    """Workspaces."""
    router = APIRouter(tags=["workspace"])

    @router.get("/api/workspace", responses=pages(answers.Workspace))
    async def workspaces(principal: User, page: Page) -> Answer:
        query = sa.select(WORKSPACES).where(WORKSPACES.c.deleted.is_(False), WORKSPACES.c.id > after(page.cursor))
        if not principal.is_root:
            query = query.where(WORKSPACES.c.id.in_(store.workspaces_of(principal.user_id)))
        rows = await store.all(query.order_by(WORKSPACES.c.id).limit(page.limit + 1))
        return page_of(rows, [_workspace(row) for row in rows[: page.limit]], page, ("id",))

    @router.post("/api/workspace", responses=shows(answers.Workspace))
    async def workspace_create(body: bodies.WorkspaceCreate, principal: Root) -> Answer:
        owner_id = principal.user_id
        if body.owner_email is not None:
            owner = await store.user_by_email(body.owner_email)
            if owner is None:
                raise Invalid("owner_email: no such user", param="owner_email")
            owner_id = owner.id
        return ok(_workspace(await operations.create_workspace(principal.user_id, body.name, body.plan, owner_id)))

    async def visible(principal: Principal, workspace_id: str, least: Role) -> Any:
        row = await store.workspace(workspace_id)
        roles = {item.workspace_id: item.role for item in await store.memberships(principal.user_id)}
        if row is None or (workspace_id not in roles and not principal.is_root):
            raise NotFound("no such workspace")
        if roles.get(workspace_id, 0) < least and not principal.is_root:
            raise Forbidden(f"this needs the role {least.name.lower()}")
        return row

    @router.get("/api/workspace/{workspace_id}", responses=shows(answers.Workspace))
    async def workspace_get(workspace_id: str, principal: User) -> Answer:
        return ok(_workspace(await visible(principal, workspace_id, Role.VIEWER)))

    @router.put("/api/workspace/{workspace_id}", responses=shows(answers.Workspace))
    async def workspace_put(workspace_id: str, body: bodies.WorkspaceUpdate, principal: User) -> Answer:
        row = await visible(principal, workspace_id, Role.ADMIN)
        values = given(body)
        if "plan" in values and not principal.is_root:
            raise Forbidden("plan: set by platform operators", param="plan")
        return ok(_workspace(await operations.update_workspace(principal, row.id, values) if values else row))

    @router.delete("/api/workspace/{workspace_id}", responses=nothing())
    async def workspace_delete(workspace_id: str, principal: User) -> Answer:
        row = await visible(principal, workspace_id, Role.OWNER)
        await operations.delete_workspace(principal, row.id)
        return ok(None)

    return router


def settings_routes(store: Store, operations: Operations) -> APIRouter:
    """Settings of the workspace a call is about."""
    router = APIRouter(tags=["workspace"])

    @router.get("/api/workspace/settings", responses=shows(answers.Settings))
    async def settings(principal: Viewer) -> Answer:
        row = await store.workspace(principal.workspace_id)
        if row is None:
            raise NotFound("no such workspace")
        return ok(settings_object(row.settings))

    @router.put("/api/workspace/settings", responses=shows(answers.Settings))
    async def settings_put(body: bodies.SettingsUpdate, principal: Admin) -> Answer:
        return ok(await operations.update_settings(principal, given(body)))

    return router


def member_routes(store: Store, operations: Operations) -> APIRouter:
    """Members and their roles."""
    router = APIRouter(tags=["member"])

    async def shown(principal: Principal, user_id: str) -> Answer:
        row = await store.member(principal.workspace_id, user_id)
        if row is None:
            raise NotFound("no such member")
        return _member(row)

    @router.get("/api/workspace/members", responses=pages(answers.Member))
    async def members(principal: Admin, page: Page) -> Answer:
        rows = await store.members(principal.workspace_id, page.limit, after(page.cursor))
        return page_of(rows, [_member(row) for row in rows[: page.limit]], page, ("email",))

    @router.post("/api/workspace/members", responses=shows(answers.Member))
    async def member_add(body: bodies.MemberAdd, principal: Admin) -> Answer:
        user_id = await operations.add_member(principal, body.email, Role[body.role.upper()], body.password)
        return ok(await shown(principal, user_id))

    @router.put("/api/workspace/members/{user_id}", responses=shows(answers.Member))
    async def member_update(user_id: str, body: bodies.MemberUpdate, principal: Admin) -> Answer:
        await operations.set_member(principal, user_id, Role[body.role.upper()])
        return ok(await shown(principal, user_id))

    @router.delete("/api/workspace/members/{user_id}", responses=nothing())
    async def member_remove(user_id: str, principal: Admin) -> Answer:
        await operations.set_member(principal, user_id, None)
        return ok(None)

    return router


def _member(row: Any) -> Answer:
    return {"user_id": row.id, "email": row.email, "name": row.name, "role": Role(row.role).name.lower()}


def audit_routes(store: Store) -> APIRouter:
    """Audit log and public status."""
    router = APIRouter(tags=["audit"])

    @router.get("/api/audit", responses=pages(answers.AuditRow))
    async def audit(principal: Admin, page: Page) -> Answer:
        rows = await store.audit_page(principal.workspace_id, page.limit, below(page.cursor))
        items = [
            {**row.content, "number": row.number, "previous": row.previous, "hash": row.hash}
            for row in rows[: page.limit]
        ]
        return page_of(rows, items, page, ("number",))

    @router.get("/api/status", tags=["status"], responses=shows(answers.Status))
    async def status() -> Answer:
        return ok({"name": "orca", "status": "ok"})

    return router
