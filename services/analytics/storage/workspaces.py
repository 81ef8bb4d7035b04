"""What analytics knows of workspaces: time zone, retention, consent. Unknown workspaces have the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from services.analytics.storage.tables import WORKSPACES
from services.common.storage import Database, insert_for

RETENTION_MAX_DAYS = 180
WORKSPACE_FIELDS = ("workspace_id", "version", "time_zone", "retention_days", "consent_version")


@dataclass(frozen=True, slots=True)
class Workspace:
    """`consent_version` 0: no consent to keep bodies."""

    workspace_id: str
    version: int
    time_zone: str
    retention_days: int
    consent_version: int


class WorkspaceStore:
    """The `workspaces` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Mapping[str, Workspace]:
        """Every workspace that ever changed its settings. Raises Unavailable."""
        async with self._database.read() as conn:
            rows = (await conn.execute(sa.select(WORKSPACES))).all()
        return {row.workspace_id: Workspace(*row) for row in rows}

    async def put(self, workspace: Workspace) -> bool:
        """Stores a newer version; False when this or a newer one is known. Raises Unavailable."""
        values = {name: getattr(workspace, name) for name in WORKSPACE_FIELDS}
        async with self._database.write() as tx:
            statement = insert_for(tx)(WORKSPACES).values(values)
            changed = {name: statement.excluded[name] for name in values if name != "workspace_id"}
            newer = WORKSPACES.c.version < statement.excluded.version
            statement = statement.on_conflict_do_update(index_elements=["workspace_id"], set_=changed, where=newer)
            return bool((await tx.execute(statement)).rowcount)
