"""A write of a policy, the same in both planes: row, history row, audit row and event are one transaction.

A workspace's names are unique and it has one default: who becomes it demotes the other in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orca.events.v1.events_pb2 import Envelope
from services.common.errors import Conflict
from services.common.storage.outbox import outbox_add
from services.common.storage.policies import P, PolicyRows, Stored

Told = Iterable[tuple[str, str, Envelope]]
"""(topic, record key, envelope) of each event."""


class PolicyWrites(Generic[P]):
    """Writes through `rows`. `shown`: what history keeps; `told`: the events of a policy, an operation and an actor."""

    def __init__(
        self,
        rows: PolicyRows[P],
        outbox: sa.Table,
        *,
        noun: str,
        shown: Callable[[Stored[P]], Mapping[str, Any]],
        told: Callable[[P, str, str], Told],
    ) -> None:
        self._rows = rows
        self._outbox = outbox
        self._noun = noun
        self._shown = shown
        self._told = told

    async def write(
        self, tx: AsyncConnection, stored: Stored[P], operation: str, actor_id: str, *, new: bool = False
    ) -> None:
        """In a transaction of the caller's that raised the change counter. Raises Conflict."""
        policy = stored.policy
        if not stored.deleted:
            if await self._rows.name_taken(tx, policy.workspace_id, policy.name, policy.id):
                raise Conflict(f"name: a {self._noun} named {policy.name!r} exists already", param="name")
            if policy.is_default:
                await self._demote_other(tx, stored, actor_id)
        try:
            await self._rows.put(tx, stored, new=new)
        except IntegrityError:
            raise Conflict("another change came first; try again") from None
        await self._record(tx, stored, operation, actor_id)

    async def _demote_other(self, tx: AsyncConnection, winner: Stored[P], actor_id: str) -> None:
        other = await self._rows.other_default(tx, winner.policy.workspace_id, winner.policy.id)
        if other is None:
            return
        demoted = replace(other.policy, is_default=False, version=other.policy.version + 1)
        stored = Stored(demoted, other.created_at_us, winner.updated_at_us, winner.revision)
        await self._rows.put(tx, stored, new=False)
        await self._record(tx, stored, "update", actor_id)

    async def _record(self, tx: AsyncConnection, stored: Stored[P], operation: str, actor_id: str) -> None:
        shown = self._shown(stored)
        await self._rows.add_history(tx, stored.policy, operation, actor_id, shown, stored.updated_at_us)
        for topic, key, envelope in self._told(stored.policy, operation, actor_id):
            await outbox_add(tx, self._outbox, topic=topic, key=key, envelope=envelope)
