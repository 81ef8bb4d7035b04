"""Every workspace's policies, compiled, and settings, in memory; kept current by polling the own database.

Fail closed: a snapshot that was never loaded, that is older than the maximum age while the database is down, or
that lags while the database answers, raises Unavailable rather than judging by an old policy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.storage import Database, read_counter
from services.common.telemetry import SNAPSHOT_READ
from services.firewall.domain.engine import CompiledPolicy
from services.firewall.domain.model import Settings
from services.firewall.domain.resolution import Resolution, Workspace, resolve
from services.firewall.storage import queries
from services.firewall.storage.tables import counter

log = logging.getLogger("orca.firewall")

POLL_S = 0.25
LAG_MAX_S = 5.0

_EMPTY = Workspace()


class Snapshot:
    """Answers from memory; `refresh` after a local write makes it effective at once."""

    def __init__(self, database: Database, clock: Clock, *, max_age_s: float) -> None:
        self._database = database
        self._clock = clock
        self._max_age_s = max_age_s
        self._workspaces: dict[str, Workspace] = {}
        self._revision = 0
        self._read_at_s: float | None = None
        self._database_down = False
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads once, then polls. A database that is down at the start leaves the plane unavailable, not wrong."""
        with contextlib.suppress(Unavailable):
            await self.refresh()
        self._task = asyncio.create_task(self._poll(), name="firewall-snapshot")

    async def stop(self) -> None:
        """Ends polling."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def ready(self) -> bool:
        """True while requests would be judged."""
        if self._read_at_s is None:
            return False
        age_s = self._clock.monotonic_s() - self._read_at_s
        return age_s <= (self._max_age_s if self._database_down else LAG_MAX_S)

    def resolve(self, workspace_id: str, policy_id: str) -> Resolution:
        """The policy that applies. Raises Unavailable when the snapshot is too old."""
        if not self.ready():
            raise Unavailable("the firewall snapshot is out of date", code="policy_unavailable", retry_after_s=1.0)
        return resolve(self._workspaces.get(workspace_id, _EMPTY), policy_id)

    def settings(self, workspace_id: str) -> Settings:
        """The workspace's settings."""
        return self._workspaces.get(workspace_id, _EMPTY).settings

    async def refresh(self) -> None:
        """Reads what changed. Raises Unavailable when the database is down."""
        async with self._lock:
            started_s = self._clock.monotonic_s()
            try:
                async with self._database.read() as conn:
                    # Writers raise the counter first and are serialised by it, so every change up to the value
                    # read here is visible to the queries that follow; later ones are simply read again.
                    revision = await read_counter(conn, counter)
                    changed: list[queries.Stored] = []
                    settings: list[queries.StoredSettings] = []
                    if revision != self._revision:
                        changed = await queries.changed_since(conn, self._revision)
                        settings = await queries.settings_changed_since(conn, self._revision)
            except Unavailable:
                self._database_down = True
                raise
            await self._apply(changed, settings)
            self._revision = revision
            self._read_at_s = started_s
            SNAPSHOT_READ.labels("firewall").set(self._clock.now_us() / 1_000_000)
            self._database_down = False

    async def _apply(self, changed: Sequence[queries.Stored], settings: Sequence[queries.StoredSettings]) -> None:
        touched: dict[str, dict[str, CompiledPolicy]] = {}
        for stored in changed:
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
        for row in settings:
            current = self._workspaces.get(row.workspace_id, _EMPTY)
            self._workspaces[row.workspace_id] = replace(current, settings=row.settings)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except Unavailable as error:
                log.warning("firewall database is down", extra={"error_class": type(error).__name__})
            except Exception as error:
                # A bug must not end polling: the snapshot then ages and the plane closes by itself.
                log.error("firewall snapshot failed", extra={"error_class": type(error).__name__})
