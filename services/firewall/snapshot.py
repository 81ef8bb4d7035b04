"""Every workspace's policies, compiled, and settings, in memory; `PolledSnapshot` keeps them current or closes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.storage import Database, PolledSnapshot
from services.firewall.domain.engine import CompiledPolicy
from services.firewall.domain.model import Settings
from services.firewall.domain.resolution import Resolution, Workspace, resolve
from services.firewall.storage import queries
from services.firewall.storage.tables import counter

_EMPTY = Workspace()


@dataclass(frozen=True, slots=True)
class _Changes:
    policies: Sequence[queries.Stored]
    settings: Sequence[queries.StoredSettings]


class Snapshot(PolledSnapshot[_Changes]):
    """Answers from memory."""

    def __init__(self, database: Database, clock: Clock, *, max_age_s: float) -> None:
        super().__init__(database, counter, clock, service="firewall", max_age_s=max_age_s)
        self._workspaces: dict[str, Workspace] = {}

    def resolve(self, workspace_id: str, policy_id: str) -> Resolution:
        """The policy that applies. Raises Unavailable when the snapshot is too old."""
        self.require()
        return resolve(self._workspaces.get(workspace_id, _EMPTY), policy_id)

    def settings(self, workspace_id: str) -> Settings:
        """The workspace's settings."""
        return self._workspaces.get(workspace_id, _EMPTY).settings

    async def _read(self, conn: AsyncConnection, after: int, upto: int) -> _Changes:
        return _Changes(
            await queries.policies.changed(conn, after, upto), await queries.settings_changed_since(conn, after, upto)
        )

    async def _apply(self, changes: _Changes) -> None:
        touched: dict[str, dict[str, CompiledPolicy]] = {}
        for stored in changes.policies:
            policy = stored.policy
            current = self._workspaces.get(policy.workspace_id, _EMPTY)
            by_id = touched.setdefault(policy.workspace_id, dict(current.by_id))
            if stored.deleted:
                by_id.pop(policy.id, None)
            else:
                # Compiling many patterns takes milliseconds; requests go on meanwhile.
                by_id[policy.id] = await asyncio.to_thread(CompiledPolicy, policy)
        for workspace_id, by_id in touched.items():
            default = next((item for item in by_id.values() if item.policy.is_default), None)
            current = self._workspaces.get(workspace_id, _EMPTY)
            self._workspaces[workspace_id] = replace(current, by_id=by_id, default=default)
        for row in changes.settings:
            current = self._workspaces.get(row.workspace_id, _EMPTY)
            self._workspaces[row.workspace_id] = replace(current, settings=row.settings)
