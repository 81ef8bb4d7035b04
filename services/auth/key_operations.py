"""Management writes about relay keys: validate, change, audit, publish, then wait until relays have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from orca.auth.v1 import auth_pb2
from services.auth.domain.keys import ACCOUNT_FIELDS, KeyFields, apply, masked, mint_secret, secret_hash
from services.auth.ports import Policies
from services.auth.records import fields_of, stored_fields
from services.auth.storage.store import Change, Store
from services.auth.storage.tables import KEYS
from services.auth.watch import Settling
from services.common.errors import Forbidden, Invalid, NotFound
from services.common.http import Principal, Role
from services.common.ids import new_id


class KeyOperations:
    """One method per write."""

    def __init__(self, store: Store, policies: Policies, pepper: bytes, settle: Settling) -> None:
        self.store = store
        self._policies = policies
        self._pepper = pepper
        self._settle = settle

    async def create_key(
        self, principal: Principal, changes: Mapping[str, Any], predecessor: Any | None = None
    ) -> tuple[Any, str]:
        """(row, plaintext). A successor shares its predecessor's scope and credit account; a new key is its maker's
        unless another owner is named."""
        changes = {name: value for name, value in changes.items() if (name, value) != ("owner_user_id", None)}
        base = fields_of(predecessor) if predecessor is not None else KeyFields(owner_user_id=principal.user_id)
        fields = apply(base, changes)
        if not fields.name:
            raise Invalid("name: needed", param="name")
        await self._check(principal, base, fields)
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            made = await self.insert_key(change, fields, predecessor)
        await self._settle(change.revision)
        return made

    async def insert_key(self, change: Change, fields: KeyFields, predecessor: Any | None = None) -> tuple[Any, str]:
        """(row, plaintext) of a key with these fields, which were checked."""
        secret, key_id = mint_secret(os.urandom(32)), new_id("key")
        await change.tx.execute(
            KEYS.insert().values(
                id=key_id,
                workspace_id=change.workspace_id,
                account_id=predecessor.account_id if predecessor is not None else new_id("acc"),
                secret_hash=secret_hash(secret, self._pepper),
                masked=masked(secret),
                created_time=self.store.now_s(),
                deleted=False,
                **_stored(fields, change),
            )
        )
        metadata = {} if predecessor is None else {"predecessor": predecessor.id}
        return await self._publish(change, key_id, "create", **metadata), secret

    async def update_key(self, principal: Principal, row: Any, changes: Mapping[str, Any]) -> Any:
        """Partial update; acts on the key's next request. Limits of the credit account are its other keys' too."""
        await self._check(principal, fields_of(row), apply(fields_of(row), changes))
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            # Read again: two partial updates at once both count, the later one in each field it names.
            family = await self._family(change, row)
            own = next((member for member in family if member.id == row.id), None)
            if own is None:
                raise NotFound("no such key")
            after = apply(fields_of(own), changes)
            shared = {name: getattr(after, name) for name in ACCOUNT_FIELDS}
            for member in family:
                fields = after if member.id == row.id else replace(fields_of(member), **shared)
                if member.id != row.id and fields == fields_of(member):
                    continue
                await change.tx.execute(KEYS.update().where(KEYS.c.id == member.id).values(**_stored(fields, change)))
                changed = await self._publish(change, member.id, "update", fields=sorted(changes))
                if member.id == row.id:
                    updated = changed
        await self._settle(change.revision)
        return updated

    async def delete_key(self, principal: Principal, row: Any) -> None:
        """Revokes a key for good."""
        if fields_of(row).is_firewall_gateway and principal.role < Role.ADMIN:
            raise Forbidden("gateway keys need the role admin")
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            gone = {"deleted": True, "version": change.revision, "revision": change.revision}
            update = KEYS.update().where(KEYS.c.id == row.id, KEYS.c.deleted.is_(False)).values(**gone)
            if not (await change.tx.execute(update)).rowcount:
                raise NotFound("no such key")
            await self._publish(change, row.id, "delete")
        await self._settle(change.revision)

    async def _family(self, change: Change, row: Any) -> list[Any]:
        query = sa.select(KEYS).where(
            KEYS.c.workspace_id == row.workspace_id, KEYS.c.account_id == row.account_id, KEYS.c.deleted.is_(False)
        )
        return list((await change.tx.execute(query)).all())

    async def _publish(self, change: Change, key_id: str, operation: str, **metadata: object) -> Any:
        row = (await change.tx.execute(sa.select(KEYS).where(KEYS.c.id == key_id))).one()
        fields = fields_of(row)
        await change.audit(f"token_{operation}", "key", key_id, **metadata)
        safe = {
            "name": fields.name,
            "account_id": row.account_id,
            "credit_limit_nano_usd": fields.credit_limit_nano_usd,
            "blocked_output_limit_nano_usd": fields.blocked_output_limit_nano_usd,
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


def _stored(fields: KeyFields, change: Change) -> dict[str, Any]:
    return {
        "fields": stored_fields(fields),
        "guardrail_id": fields.guardrail_id,
        "firewall_policy_id": fields.firewall_policy_id,
        "version": change.revision,
        "revision": change.revision,
    }
