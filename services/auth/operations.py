"""Auth's management writes: validate, change, audit, publish, then wait until relays have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from orca.auth.v1 import auth_pb2
from services.auth.crypto import CredentialBox, digest, hash_password, mint
from services.auth.domain.keys import KeyFields, apply, masked, mint_secret, secret_hash
from services.auth.domain.prices import Price
from services.auth.ports import Policies
from services.auth.records import SETTINGS, fields_of, stored_fields
from services.auth.storage.store import Change, Store
from services.auth.storage.tables import CHANNELS, KEYS, MEMBERS, PRICES, SESSIONS, TOKENS, USERS, WORKSPACES
from services.auth.watch import Watchers
from services.common.errors import Conflict, Forbidden, Invalid, NotFound
from services.common.http import Principal, Role
from services.common.ids import new_id
from services.common.storage import insert_for

TOKEN_PREFIX = "orca-at-"  # noqa: S105
CHANNEL_DEFAULTS: Mapping[str, Any] = {
    "priority": 0,
    "weight": 1,
    "enabled": True,
    "timeout_ms": None,
    "max_tokens_field": "max_completion_tokens",
    "extra_answer_fields": [],
    "extra_request_fields": [],
}


class Operations:
    """One method per management write."""

    def __init__(
        self,
        store: Store,
        policies: Policies,
        box: CredentialBox,
        pepper: bytes,
        keys: Watchers,
        channels: Watchers,
        notify: Any,
    ) -> None:
        self.store = store
        self._policies = policies
        self._box = box
        self._pepper = pepper
        self._keys = keys
        self._channels = channels
        self._notify = notify

    async def _settle(self, revision: int) -> None:
        self._notify()
        await self._keys.settled(revision)
        await self._channels.settled(revision)

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

    async def add_token(self, user_id: str, name: str, token: str | None = None) -> tuple[str, str]:
        """(id, plaintext) of a new access token."""
        token_id, token = new_id("at"), token or mint(TOKEN_PREFIX)
        async with self.store.change(user_id, "") as change:
            await change.tx.execute(
                TOKENS.insert().values(
                    id=token_id,
                    user_id=user_id,
                    name=name,
                    secret_hash=digest(token),
                    masked=f"{token[:11]}****{token[-4:]}",
                    created_time=self.store.now_s(),
                )
            )
            await change.audit("access_token_create", "access_token", token_id)
        self._notify()
        return token_id, token

    async def delete_token(self, user_id: str, token_id: str) -> None:
        """Revokes an access token of the caller."""
        async with self.store.change(user_id, "") as change:
            deleted = await change.tx.execute(
                TOKENS.delete().where(TOKENS.c.id == token_id, TOKENS.c.user_id == user_id)
            )
            if not deleted.rowcount:
                raise NotFound("no such access token")
            await change.audit("access_token_delete", "access_token", token_id)
        self._notify()

    async def set_password(self, user_id: str, password: str) -> None:
        """Replaces a password and ends all sessions."""
        hashed = await hash_password(password)
        async with self.store.change(user_id, "") as change:
            await change.tx.execute(USERS.update().where(USERS.c.id == user_id).values(password_hash=hashed))
            await change.tx.execute(SESSIONS.delete().where(SESSIONS.c.user_id == user_id))
            await change.audit("password_change", "user", user_id)
        self._notify()

    async def create_workspace(self, actor_id: str, name: str, plan: str, owner_id: str) -> Any:
        """A workspace with its first owner."""
        workspace_id = new_id("ws")
        async with self.store.change(actor_id, workspace_id) as change:
            await change.tx.execute(
                WORKSPACES.insert().values(
                    id=workspace_id,
                    name=name,
                    plan=plan,
                    settings={},
                    created_time=self.store.now_s(),
                    deleted=False,
                    revision=change.revision,
                )
            )
            await change.tx.execute(
                MEMBERS.insert().values(workspace_id=workspace_id, user_id=owner_id, role=int(Role.OWNER))
            )
            await change.audit("workspace_create", "workspace", workspace_id)
            await change.publish("workspace", workspace_id, "create", change.revision, {"name": name, "plan": plan})
        await self._settle(change.revision)
        return await self.store.workspace(workspace_id)

    async def update_workspace(self, principal: Principal, workspace_id: str, values: Mapping[str, Any]) -> Any:
        """Renames, or sets the plan (root)."""
        async with self.store.change(principal.user_id, workspace_id) as change:
            await change.tx.execute(
                WORKSPACES.update().where(WORKSPACES.c.id == workspace_id).values(**values, revision=change.revision)
            )
            await change.audit("workspace_update", "workspace", workspace_id, fields=sorted(values))
        await self._settle(change.revision)
        return await self.store.workspace(workspace_id)

    async def delete_workspace(self, principal: Principal, workspace_id: str) -> None:
        """Marks a workspace and its keys as deleted."""
        async with self.store.change(principal.user_id, workspace_id) as change:
            gone = {"deleted": True, "revision": change.revision}
            await change.tx.execute(WORKSPACES.update().where(WORKSPACES.c.id == workspace_id).values(**gone))
            for table in (KEYS, CHANNELS):
                await change.tx.execute(table.update().where(table.c.workspace_id == workspace_id).values(**gone))
            await change.audit("workspace_delete", "workspace", workspace_id)
            await change.publish("workspace", workspace_id, "delete", change.revision, {})
        await self._settle(change.revision)

    async def update_settings(self, principal: Principal, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Partial update of the workspace's settings."""
        row = await self.store.workspace(principal.workspace_id)
        if row is None:
            raise NotFound("no such workspace")
        if (zone := changes.get("time_zone")) is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise Invalid("time_zone: not an IANA time zone", param="time_zone") from None
        judge = changes.get("judge_key_id")
        if judge and await self.store.key(principal.workspace_id, judge) is None:
            raise Invalid("judge_key_id: no such key", param="judge_key_id")
        settings = {**row.settings, **changes}
        if "fail_open" in changes:
            old = {**SETTINGS["fail_open"], **row.settings.get("fail_open", {})}
            settings["fail_open"] = {**old, **changes["fail_open"]}
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            await change.tx.execute(
                WORKSPACES.update().where(WORKSPACES.c.id == row.id).values(settings=settings, revision=change.revision)
            )
            safe = {name: value for name, value in changes.items() if name != "judge_key_id"}
            await change.audit("settings_update", "workspace", row.id, **safe)
            await change.publish("workspace", row.id, "update", change.revision, settings)
        await self._settle(change.revision)
        return {**SETTINGS, **settings}

    async def add_member(self, principal: Principal, email: str, role: Role, password: str | None) -> str:
        """Adds a user to the workspace; creates the user when new."""
        _may_grant(principal, role)
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
        self._notify()
        return str(user_id)

    async def set_member(self, principal: Principal, user_id: str, role: Role | None) -> None:
        """Changes a role, or removes the member (None). One Owner at least, always."""
        where = (MEMBERS.c.workspace_id == principal.workspace_id, MEMBERS.c.user_id == user_id)
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            current = (await change.tx.execute(sa.select(MEMBERS.c.role).where(*where))).scalar_one_or_none()
            if current is None:
                raise NotFound("no such member")
            _may_grant(principal, Role(current))
            if role is not None:
                _may_grant(principal, role)
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
        self._notify()

    async def create_key(
        self, principal: Principal, changes: Mapping[str, Any], predecessor: Any | None = None
    ) -> tuple[Any, str]:
        """(row, plaintext). A successor shares its predecessor's scope and credit account."""
        base = fields_of(predecessor) if predecessor is not None else KeyFields(owner_user_id=principal.user_id)
        fields = apply(base, changes)
        if not fields.name:
            raise Invalid("name: needed", param="name")
        await self._check(principal, base, fields)
        secret, key_id = mint_secret(os.urandom(32)), new_id("key")
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            await change.tx.execute(
                KEYS.insert().values(
                    id=key_id,
                    workspace_id=principal.workspace_id,
                    account_id=predecessor.account_id if predecessor is not None else new_id("acc"),
                    secret_hash=secret_hash(secret, self._pepper),
                    masked=masked(secret),
                    fields=stored_fields(fields),
                    guardrail_id=fields.guardrail_id,
                    firewall_policy_id=fields.firewall_policy_id,
                    created_time=self.store.now_s(),
                    deleted=False,
                    version=change.revision,
                    revision=change.revision,
                )
            )
            row = await self._publish_key(change, key_id, "create")
        await self._settle(change.revision)
        return row, secret

    async def update_key(self, principal: Principal, row: Any, changes: Mapping[str, Any]) -> Any:
        """Partial update; acts on the key's next request."""
        before = fields_of(row)
        fields = apply(before, changes)
        await self._check(principal, before, fields)
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            updated = await change.tx.execute(
                KEYS.update()
                .where(KEYS.c.id == row.id, KEYS.c.version == row.version, KEYS.c.deleted.is_(False))
                .values(
                    fields=stored_fields(fields),
                    guardrail_id=fields.guardrail_id,
                    firewall_policy_id=fields.firewall_policy_id,
                    version=change.revision,
                    revision=change.revision,
                )
            )
            if not updated.rowcount:
                raise Conflict("the key was changed meanwhile; read it again")
            changed = await self._publish_key(change, row.id, "update", fields=sorted(changes))
        await self._settle(change.revision)
        return changed

    async def delete_key(self, principal: Principal, row: Any) -> None:
        """Revokes a key for good."""
        if fields_of(row).is_firewall_gateway and principal.role < Role.ADMIN:
            raise Forbidden("gateway keys need the role admin")
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            gone = {"deleted": True, "version": change.revision, "revision": change.revision}
            await change.tx.execute(KEYS.update().where(KEYS.c.id == row.id).values(**gone))
            await self._publish_key(change, row.id, "delete")
        await self._settle(change.revision)

    async def _publish_key(self, change: Change, key_id: str, operation: str, **metadata: object) -> Any:
        row = (await change.tx.execute(sa.select(KEYS).where(KEYS.c.id == key_id))).one()
        fields = fields_of(row)
        await change.audit(f"token_{operation}", "key", key_id, **metadata)
        safe = {
            "name": fields.name,
            "account_id": row.account_id,
            "credit_limit_nano_usd": fields.credit_limit_nano_usd,
            "environment": fields.environment,
            "enabled": fields.enabled,
            "owner_user_id": fields.owner_user_id,
        }
        await change.publish("key", key_id, operation, row.version, safe)
        return row

    async def _check(self, principal: Principal, before: KeyFields, after: KeyFields) -> None:
        if (before.is_firewall_gateway or after.is_firewall_gateway) and principal.role < Role.ADMIN:
            raise Forbidden("is_firewall_gateway: gateway keys need the role admin")
        planes = (("guardrail_id", auth_pb2.PLANE_GUARDRAIL), ("firewall_policy_id", auth_pb2.PLANE_FIREWALL))
        for name, plane in planes:
            policy_id = getattr(after, name)
            if not policy_id or policy_id == getattr(before, name):
                continue
            if not await self._policies.exists(plane, principal.workspace_id, policy_id):
                raise Invalid(f"{name}: no such policy in this workspace", param=name)
        if after.owner_user_id and after.owner_user_id != before.owner_user_id:
            roles = {row.workspace_id for row in await self.store.memberships(after.owner_user_id)}
            if principal.workspace_id not in roles:
                raise Invalid("owner_user_id: not a member of this workspace", param="owner_user_id")

    async def put_channel(self, principal: Principal, row: Any | None, body: Mapping[str, Any]) -> Any:
        """Creates (row None) or changes a channel."""
        values = {name: value for name, value in body.items() if name not in ("name", "api_key")}
        fields = {**CHANNEL_DEFAULTS, **(row.fields if row is not None else {}), **values}
        _check_base_url(fields["base_url"])
        fields["models"] = _models(fields["models"])
        channel_id = row.id if row is not None else new_id("ch")
        operation = "create" if row is None else "update"
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            stored: dict[str, Any] = {
                "fields": fields, "version": change.revision, "revision": change.revision, "deleted": False,
            }  # fmt: skip
            if "name" in body:
                stored["name"] = body["name"]
            if "api_key" in body:
                stored["credential"] = self._box.seal(channel_id, body["api_key"])
            if row is None:
                stored |= {
                    "id": channel_id, "workspace_id": principal.workspace_id, "created_time": self.store.now_s(),
                }  # fmt: skip
                await change.tx.execute(CHANNELS.insert().values(**stored))
            else:
                await change.tx.execute(CHANNELS.update().where(CHANNELS.c.id == row.id).values(**stored))
            await change.audit(f"channel_{operation}", "channel", channel_id, fields=sorted(body))
            await change.publish("channel", channel_id, operation, change.revision, {"enabled": fields["enabled"]})
        await self._settle(change.revision)
        return await self.store.channel(principal.workspace_id, channel_id)

    async def delete_channel(self, principal: Principal, row: Any) -> None:
        """Removes a channel and its credential."""
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            await change.tx.execute(
                CHANNELS.update()
                .where(CHANNELS.c.id == row.id)
                .values(deleted=True, credential=b"", version=change.revision, revision=change.revision)
            )
            await change.audit("channel_delete", "channel", row.id)
            await change.publish("channel", row.id, "delete", change.revision, {})
        await self._settle(change.revision)

    async def put_price(self, principal: Principal, model_id: str, price: Price | None) -> None:
        """Overrides a model's price, or removes the override (None)."""
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            values = {
                "fields": asdict(price) if price else {}, "deleted": price is None, "revision": change.revision,
            }  # fmt: skip
            insert = insert_for(change.tx)(PRICES).values(
                workspace_id=principal.workspace_id, model_id=model_id, **values
            )
            await change.tx.execute(
                insert.on_conflict_do_update(index_elements=["workspace_id", "model_id"], set_=values)
            )
            verb = "price_delete" if price is None else "price_update"
            await change.audit(verb, "model", model_id)
            await change.publish("model", model_id, "delete" if price is None else "update", change.revision, {})
        await self._settle(change.revision)


def _may_grant(principal: Principal, role: Role) -> None:
    """Ownership is given and taken by Owners (and platform operators) only."""
    if role is Role.OWNER and principal.role < Role.OWNER and not principal.is_root:
        raise Forbidden("role: ownership needs the role owner")


def _check_base_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username or parts.query or parts.fragment:
        raise Invalid("base_url: must be an http(s) URL without credentials or query", param="base_url")


def _models(models: list[Any]) -> list[dict[str, str]]:
    seen: dict[str, dict[str, str]] = {}
    for model in models:
        if isinstance(model, str):
            model = {"id": model, "upstream_id": model.partition("/")[2] or model}
        if model["id"] in seen:
            raise Invalid(f"models: {model['id']} is listed twice", param="models")
        seen[model["id"]] = model
    return list(seen.values())
