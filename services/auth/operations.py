"""Auth's management writes about people and workspaces: validate, change, audit, publish, wait until relays have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from services.auth.crypto import digest, hash_password, mint
from services.auth.domain.permissions import may_change
from services.auth.records import RETENTION_MAX_DAYS, settings_object, with_consent
from services.auth.storage.store import Change, Store
from services.auth.storage.tables import CHANNELS, KEYS, MEMBERS, SESSIONS, TOKENS, USERS, WORKSPACES
from services.auth.watch import Settling
from services.common.errors import Conflict, Forbidden, Invalid, NotFound
from services.common.http import Principal, Role
from services.common.ids import new_id
from services.common.storage import insert_for

TOKEN_PREFIX = "orca-at-"  # noqa: S105
TOKENS_MAX = 100
"""Access tokens of one user."""


class Operations:
    """One method per write."""

    def __init__(self, store: Store, settle: Settling) -> None:
        self.store = store
        self._settle = settle

    async def settled(self, change: Change) -> None:
        """Publishes a change that was committed, and waits until relays have it."""
        await self._settle(change.revision)

    async def create_user(self, change: Change, email: str, password: str, *, is_root: bool) -> str:
        """Adds a user; the e-mail must be free."""
        user_id = new_id("user")
        await change.tx.execute(
            USERS.insert().values(
                id=user_id,
                email=email.strip().lower(),
                name="",
                password_hash=await hash_password(password),
                is_root=is_root,
                created_time=self.store.now_s(),
            )
        )
        return user_id

    async def add_token(self, user_id: str, name: str) -> tuple[str, str]:
        """(id, plaintext) of a new access token."""
        token = mint(TOKEN_PREFIX)
        async with self.store.change(user_id, "") as change:
            count = sa.select(sa.func.count()).where(TOKENS.c.user_id == user_id)
            if (await change.tx.execute(count)).scalar_one() >= TOKENS_MAX:
                raise Conflict(f"at most {TOKENS_MAX} access tokens; delete one first", code="too_many_tokens")
            token_id = await self.insert_token(change, name, token)
        self._settle.notify()
        return token_id, token

    async def insert_token(self, change: Change, name: str, token: str) -> str:
        """Id of a new access token of the change's actor."""
        token_id = new_id("at")
        await change.tx.execute(
            TOKENS.insert().values(
                id=token_id,
                user_id=change.actor_id,
                name=name,
                secret_hash=digest(token),
                masked=f"{token[:11]}****{token[-4:]}",
                created_time=self.store.now_s(),
            )
        )
        await _audit_account(change, "access_token_create", "access_token", token_id)
        return token_id

    async def delete_token(self, user_id: str, token_id: str) -> None:
        """Revokes an access token of the caller."""
        async with self.store.change(user_id, "") as change:
            deleted = await change.tx.execute(
                TOKENS.delete().where(TOKENS.c.id == token_id, TOKENS.c.user_id == user_id)
            )
            if not deleted.rowcount:
                raise NotFound("no such access token")
            await _audit_account(change, "access_token_delete", "access_token", token_id)
        self._settle.notify()

    async def update_user(self, user_id: str, *, name: str | None = None, password: str | None = None) -> None:
        """Renames a user, or replaces the password, which ends all sessions."""
        hashed = await hash_password(password) if password is not None else None
        async with self.store.change(user_id, "") as change:
            if name is not None:
                await change.tx.execute(USERS.update().where(USERS.c.id == user_id).values(name=name))
                await _audit_account(change, "user_update", "user", user_id)
            if hashed is not None:
                await change.tx.execute(USERS.update().where(USERS.c.id == user_id).values(password_hash=hashed))
                await change.tx.execute(SESSIONS.delete().where(SESSIONS.c.user_id == user_id))
                await _audit_account(change, "password_change", "user", user_id)
        self._settle.notify()

    async def create_workspace(self, actor_id: str, name: str, plan: str, owner_id: str) -> Any:
        """A workspace with its first owner."""
        async with self.store.change(actor_id, new_id("ws")) as change:
            await self.insert_workspace(change, name, plan, owner_id)
        await self._settle(change.revision)
        return await self.store.workspace(change.workspace_id)

    async def insert_workspace(self, change: Change, name: str, plan: str, owner_id: str) -> None:
        """Adds the change's workspace with its first owner."""
        await change.tx.execute(
            WORKSPACES.insert().values(
                id=change.workspace_id,
                name=name,
                plan=plan,
                settings={},
                created_time=self.store.now_s(),
                deleted=False,
                revision=change.revision,
            )
        )
        owner = {"workspace_id": change.workspace_id, "user_id": owner_id, "role": int(Role.OWNER)}
        await change.tx.execute(MEMBERS.insert().values(owner))
        await change.audit("workspace_create", "workspace", change.workspace_id)
        told = {"name": name, "plan": plan}
        await change.publish("workspace", change.workspace_id, "create", change.revision, told)

    async def update_workspace(self, principal: Principal, workspace_id: str, values: Mapping[str, Any]) -> Any:
        """Renames, or sets the plan (root)."""
        async with self.store.change(principal.user_id, workspace_id) as change:
            await change.tx.execute(
                WORKSPACES.update().where(WORKSPACES.c.id == workspace_id).values(**values, revision=change.revision)
            )
            row = (await change.tx.execute(sa.select(WORKSPACES).where(WORKSPACES.c.id == workspace_id))).one()
            await change.audit("workspace_update", "workspace", workspace_id, fields=sorted(values))
            told = {**row.settings, "name": row.name, "plan": row.plan}
            await change.publish("workspace", workspace_id, "update", change.revision, told)
        await self._settle(change.revision)
        return await self.store.workspace(workspace_id)

    async def delete_workspace(self, principal: Principal, workspace_id: str) -> None:
        """Marks a workspace and its keys as deleted."""
        async with self.store.change(principal.user_id, workspace_id) as change:
            gone = {"deleted": True, "revision": change.revision}
            await change.tx.execute(WORKSPACES.update().where(WORKSPACES.c.id == workspace_id).values(**gone))
            gone["version"] = change.revision
            keys = KEYS.update().where(KEYS.c.workspace_id == workspace_id, KEYS.c.deleted.is_(False))
            await change.tx.execute(keys.values(**gone))
            channels = CHANNELS.update().where(CHANNELS.c.workspace_id == workspace_id, CHANNELS.c.deleted.is_(False))
            await change.tx.execute(channels.values(**gone, credential=b""))
            await change.audit("workspace_delete", "workspace", workspace_id)
            await change.publish("workspace", workspace_id, "delete", change.revision, {})
        await self._settle(change.revision)

    async def update_settings(self, principal: Principal, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Partial update of the workspace's settings; `fail_open` is partial too."""
        if (zone := changes.get("time_zone")) is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise Invalid("time_zone: not an IANA time zone", param="time_zone") from None
        judge = changes.get("judge_key_id")
        if judge and await self.store.key(principal.workspace_id, judge) is None:
            raise Invalid("judge_key_id: no such key", param="judge_key_id")
        where = WORKSPACES.c.id == principal.workspace_id
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            row = (await change.tx.execute(sa.select(WORKSPACES).where(where, WORKSPACES.c.deleted.is_(False)))).first()
            if row is None:
                raise NotFound("no such workspace")
            settings = {**row.settings, **changes}
            if "fail_open" in changes:
                settings["fail_open"] = {**settings_object(row.settings)["fail_open"], **changes["fail_open"]}
            if "log_retention_days" in changes:
                settings["log_retention_days"] = min(settings["log_retention_days"], RETENTION_MAX_DAYS)
            settings = with_consent(settings, row.settings, principal.user_id, self.store.now_s())
            await change.tx.execute(
                WORKSPACES.update().where(where).values(settings=settings, revision=change.revision)
            )
            await change.audit("settings_update", "workspace", row.id, **changes)
            await change.publish("workspace", row.id, "update", change.revision, settings)
        await self._settle(change.revision)
        return settings_object(settings)

    async def add_member(self, principal: Principal, email: str, role: Role, password: str | None) -> str:
        """Adds a user to the workspace; creates the user when new."""
        _check_change(principal, Role.NONE, role)
        known = await self.store.user_by_email(email)
        if known is None and not password:
            raise Invalid("password: needed, the user is new", param="password")
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            user_id = known.id if known else await self.create_user(change, email, password or "", is_root=False)
            insert = insert_for(change.tx)(MEMBERS).values(
                workspace_id=principal.workspace_id, user_id=user_id, role=int(role)
            )
            if not (await change.tx.execute(insert.on_conflict_do_nothing())).rowcount:
                raise Conflict("email: is a member already", param="email")
            await change.audit("member_add", "user", user_id, role=role.name.lower())
        self._settle.notify()
        return str(user_id)

    async def set_member(self, principal: Principal, user_id: str, role: Role | None) -> None:
        """Changes a role, or removes the member (None). One Owner at least, always."""
        where = (MEMBERS.c.workspace_id == principal.workspace_id, MEMBERS.c.user_id == user_id)
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            current = (await change.tx.execute(sa.select(MEMBERS.c.role).where(*where))).scalar_one_or_none()
            if current is None:
                raise NotFound("no such member")
            _check_change(principal, current, role)
            owners = sa.select(sa.func.count()).where(
                MEMBERS.c.workspace_id == principal.workspace_id, MEMBERS.c.role == int(Role.OWNER)
            )
            if current == Role.OWNER and role != Role.OWNER and (await change.tx.execute(owners)).scalar_one() == 1:
                raise Conflict("a workspace keeps at least one owner", code="last_owner")
            if role is None:
                await change.tx.execute(MEMBERS.delete().where(*where))
                await change.audit("member_remove", "user", user_id)
            else:
                await change.tx.execute(MEMBERS.update().where(*where).values(role=int(role)))
                await change.audit("member_update", "user", user_id, role=role.name.lower())
        self._settle.notify()


async def _audit_account(change: Change, verb: str, target_type: str, target_id: str) -> None:
    """A user's change of the own account is in the audit log of each workspace that the account acts in."""
    query = sa.select(MEMBERS.c.workspace_id).join(WORKSPACES, WORKSPACES.c.id == MEMBERS.c.workspace_id)
    mine = query.where(MEMBERS.c.user_id == change.actor_id, WORKSPACES.c.deleted.is_(False))
    for workspace_id in sorted((await change.tx.execute(mine)).scalars()) or [""]:
        await replace(change, workspace_id=workspace_id).audit(verb, target_type, target_id)


def _check_change(principal: Principal, current: int, role: Role | None) -> None:
    if not may_change(principal.role, current, role or Role.NONE):
        raise Forbidden("role: ownership is given and taken by owners", param="role")
