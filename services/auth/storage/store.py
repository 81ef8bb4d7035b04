"""Auth's reads and writes. A write's audit row, outbox record and revision are in its own transaction."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orca.events.v1.events_pb2 import ConfigChange, Envelope
from services.auth.storage.tables import (
    AUDIT,
    CHANNELS,
    COUNTER,
    KEY_USE,
    KEYS,
    MEMBERS,
    OUTBOX,
    PRICES,
    SESSIONS,
    TOKENS,
    USERS,
    WORKSPACES,
)
from services.common.clock import Clock
from services.common.eventlog import topics
from services.common.storage import Database, audit_envelope, bump, insert_for, outbox_add, read_counter

SERVICE = "auth"
Row = Any


@dataclass(slots=True)
class Change:
    """One management write in progress."""

    tx: AsyncConnection
    actor_id: str
    workspace_id: str
    clock: Clock
    revision: int

    async def audit(self, verb: str, target_type: str, target_id: str, **metadata: object) -> None:
        """Adds the audit row; metadata must be safe to show."""
        envelope = audit_envelope(
            workspace_id=self.workspace_id,
            actor_id=self.actor_id,
            verb=verb,
            target_type=target_type,
            target_id=target_id,
            metadata=metadata,
            service=SERVICE,
            clock=self.clock,
        )
        await outbox_add(self.tx, OUTBOX, topic=topics.AUDIT, key=self.workspace_id, envelope=envelope)

    async def publish(
        self, entity: str, entity_id: str, operation: str, version: int, fields: Mapping[str, object]
    ) -> None:
        """Adds the secret-free change record for internal consumers."""
        envelope = Envelope(
            producer_id=SERVICE,
            occurred_at_unix_us=self.clock.now_us(),
            workspace_id=self.workspace_id,
            key_id=entity_id if entity == "key" else "",
            config=ConfigChange(
                entity=entity,
                entity_id=entity_id,
                operation=operation,
                version=version,
                fields_json=json.dumps(dict(fields), sort_keys=True),
            ),
        )
        await outbox_add(self.tx, OUTBOX, topic=topics.CONFIG, key=entity_id, envelope=envelope)


class Store:
    """All queries of auth."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    def now_s(self) -> int:
        """Unix seconds."""
        return self.clock.now_us() // 1_000_000

    @asynccontextmanager
    async def change(self, actor_id: str, workspace_id: str) -> AsyncIterator[Change]:
        """A transaction with a new revision."""
        async with self.database.write() as tx:
            yield Change(tx, actor_id, workspace_id, self.clock, await bump(tx, COUNTER))

    async def revision(self) -> int:
        """Highest committed revision."""
        async with self.database.read() as conn:
            return await read_counter(conn, COUNTER)

    async def one(self, query: sa.Select[Any]) -> Row:
        """First row or None."""
        async with self.database.read() as conn:
            return (await conn.execute(query)).first()

    async def all(self, query: sa.Select[Any]) -> Sequence[Row]:
        """All rows."""
        async with self.database.read() as conn:
            rows: Sequence[Row] = (await conn.execute(query)).all()
            return rows

    async def user(self, user_id: str) -> Row:
        """By id."""
        return await self.one(sa.select(USERS).where(USERS.c.id == user_id))

    async def user_by_email(self, email: str) -> Row:
        """By e-mail, without regard to case."""
        return await self.one(sa.select(USERS).where(USERS.c.email == email.strip().lower()))

    async def user_of_token(self, secret_hash: bytes) -> Row:
        """The user of an access token."""
        query = sa.select(USERS).join(TOKENS, TOKENS.c.user_id == USERS.c.id)
        return await self.one(query.where(TOKENS.c.secret_hash == secret_hash))

    async def session(self, secret_hash: bytes) -> Row:
        """A live session with its user."""
        query = sa.select(USERS, SESSIONS.c.csrf_token).join(SESSIONS, SESSIONS.c.user_id == USERS.c.id)
        return await self.one(query.where(SESSIONS.c.secret_hash == secret_hash, SESSIONS.c.expires_at > self.now_s()))

    async def memberships(self, user_id: str) -> Sequence[Row]:
        """(workspace_id, name, role) of a user in workspaces that live."""
        query = sa.select(MEMBERS.c.workspace_id, WORKSPACES.c.name, MEMBERS.c.role).join(
            WORKSPACES, WORKSPACES.c.id == MEMBERS.c.workspace_id
        )
        return await self.all(query.where(MEMBERS.c.user_id == user_id, WORKSPACES.c.deleted.is_(False)))

    @staticmethod
    def workspaces_of(user_id: str) -> sa.Select[Any]:
        """Ids of a user's workspaces, as a subquery."""
        return sa.select(MEMBERS.c.workspace_id).where(MEMBERS.c.user_id == user_id)

    async def member(self, workspace_id: str, user_id: str) -> Row:
        """(id, email, name, role) of a member."""
        return await self.one(_members(workspace_id).where(USERS.c.id == user_id))

    async def members(self, workspace_id: str, limit: int, after: str) -> Sequence[Row]:
        """Members by e-mail; one more than the limit."""
        query = _members(workspace_id).where(USERS.c.email > after).order_by(USERS.c.email)
        return await self.all(query.limit(limit + 1))

    async def workspace(self, workspace_id: str) -> Row:
        """A workspace that lives."""
        return await self.one(
            sa.select(WORKSPACES).where(WORKSPACES.c.id == workspace_id, WORKSPACES.c.deleted.is_(False))
        )

    async def key(self, workspace_id: str, key_id: str) -> Row:
        """A key of a workspace."""
        query = sa.select(KEYS).where(
            KEYS.c.id == key_id, KEYS.c.workspace_id == workspace_id, KEYS.c.deleted.is_(False)
        )
        return await self.one(query)

    async def key_by_hash(self, secret_hash: bytes) -> Row:
        """A key by its secret's hash."""
        return await self.one(sa.select(KEYS).where(KEYS.c.secret_hash == secret_hash, KEYS.c.deleted.is_(False)))

    async def page(self, table: sa.Table, where: Any, limit: int, before: tuple[int, str] | None) -> Sequence[Row]:
        """Newest first: one row more than the limit tells that there is a next page."""
        query = sa.select(table).where(where)
        if before is not None:
            query = query.where(sa.tuple_(table.c.created_time, table.c.id) < sa.tuple_(*before))
        return await self.all(query.order_by(table.c.created_time.desc(), table.c.id.desc()).limit(limit + 1))

    async def accessed(self, key_ids: Sequence[str]) -> Mapping[str, int]:
        """When keys were last used, Unix seconds; a key that never was is absent."""
        rows = await self.all(sa.select(KEY_USE).where(KEY_USE.c.key_id.in_(key_ids)))
        return {row.key_id: row.accessed_time for row in rows}

    async def used(self, keys: Mapping[str, int]) -> None:
        """Notes when keys were last used; an older report changes nothing. No revision: relays need not know."""
        async with self.database.write() as tx:
            known = set((await tx.execute(sa.select(KEYS.c.id).where(KEYS.c.id.in_(list(keys))))).scalars())
            # Sorted, so that two replicas lock the rows in one order.
            rows = [{"key_id": key_id, "accessed_time": keys[key_id]} for key_id in sorted(known)]
            if not rows:
                return
            insert = insert_for(tx)(KEY_USE).values(rows)
            newer = insert.excluded.accessed_time
            await tx.execute(
                insert.on_conflict_do_update(
                    index_elements=["key_id"],
                    set_={"accessed_time": newer},
                    where=KEY_USE.c.accessed_time < newer,
                )
            )

    async def channel(self, workspace_id: str, channel_id: str) -> Row:
        """A channel of a workspace."""
        query = sa.select(CHANNELS).where(
            CHANNELS.c.id == channel_id, CHANNELS.c.workspace_id == workspace_id, CHANNELS.c.deleted.is_(False)
        )
        return await self.one(query)

    async def channels(self, workspace_id: str) -> Sequence[Row]:
        """All channels of a workspace."""
        query = sa.select(CHANNELS).where(CHANNELS.c.workspace_id == workspace_id, CHANNELS.c.deleted.is_(False))
        return await self.all(query)

    async def prices(self, workspace_id: str) -> Mapping[str, Mapping[str, Any]]:
        """Price overrides by model id."""
        query = sa.select(PRICES).where(PRICES.c.workspace_id == workspace_id, PRICES.c.deleted.is_(False))
        return {row.model_id: row.fields for row in await self.all(query)}

    async def changed_since(self, table: sa.Table, revision: int) -> Sequence[Row]:
        """Rows, tombstones included, changed after a revision."""
        return await self.all(sa.select(table).where(table.c.revision > revision))

    async def keys_naming(self, workspace_id: str, column: str, policy_id: str) -> Sequence[Row]:
        """Keys that name a policy."""
        query = sa.select(KEYS.c.id, KEYS.c.fields).where(
            KEYS.c.workspace_id == workspace_id, KEYS.c[column] == policy_id, KEYS.c.deleted.is_(False)
        )
        return await self.all(query.limit(100))

    async def audit_page(self, workspace_id: str, limit: int, before: int | None) -> Sequence[Row]:
        """Audit rows, newest first."""
        query = sa.select(AUDIT).where(AUDIT.c.workspace_id == workspace_id)
        if before is not None:
            query = query.where(AUDIT.c.number < before)
        return await self.all(query.order_by(AUDIT.c.number.desc()).limit(limit + 1))


def _members(workspace_id: str) -> sa.Select[Any]:
    query = sa.select(USERS.c.id, USERS.c.email, USERS.c.name, MEMBERS.c.role)
    return query.join(MEMBERS, MEMBERS.c.user_id == USERS.c.id).where(MEMBERS.c.workspace_id == workspace_id)
