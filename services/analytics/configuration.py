"""From `orca.config.v1`: workspaces' settings and suppressed findings, for retention, time zones, consent, hide_fp.

A retention that changes is written onto the rows that exist, so that a shorter one takes effect on them as well.
Bodies are kept only while the workspace's current consent version is the capture's own: unknown means none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orca.events.v1.events_pb2 import ConfigChange, Envelope
from services.analytics.events import CONFIG, CONFIG_GROUP
from services.analytics.ports import ColumnStore
from services.analytics.processors import Unprocessable, decode
from services.analytics.storage.workspaces import RETENTION_MAX_DAYS, Workspace, WorkspaceStore
from services.common.clock import Clock
from services.common.eventlog.engine import ConsumerLoop, Poison
from services.common.eventlog.ports import ConsumedRecord, EventLog

log = logging.getLogger("orca.analytics")

PERSONAL_TABLES = ("decisions", "matches", "firewall_events", "requests", "request_bodies", "anomalies")
BATCH_MAX = 200
SUPPRESSION_COLUMNS = ("workspace_id", "rule_id", "fingerprint", "deleted", "version")
RELOAD_S = 5.0


class Workspaces:
    """Current settings of all workspaces, in memory; other replicas' changes are seen after RELOAD_S."""

    def __init__(self, store: WorkspaceStore, clock: Clock, *, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_days = retention_days
        self._known: dict[str, Workspace] = {}
        self._loaded_s: float | None = None

    async def refresh(self) -> None:
        """Reads what changed elsewhere, when the last look is RELOAD_S old. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        if self._loaded_s is None or now_s - self._loaded_s >= RELOAD_S:
            self._known = dict(await self._store.all())
            self._loaded_s = now_s

    async def put(self, workspace: Workspace) -> bool:
        """Stores and applies a newer version. Raises Unavailable."""
        if await self._store.put(workspace):
            self._known[workspace.workspace_id] = workspace
            return True
        return False

    def retention_days(self, workspace_id: str) -> int:
        """How long rows that are written now are kept."""
        known = self._known.get(workspace_id)
        return min(known.retention_days if known else self._retention_days, RETENTION_MAX_DAYS)

    def zone(self, workspace_id: str) -> ZoneInfo:
        """Where the workspace's week is."""
        known = self._known.get(workspace_id)
        try:
            return ZoneInfo(known.time_zone if known else "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")

    def consents(self, workspace_id: str, consent_version: int) -> bool:
        """Whether a body captured under this consent may be kept."""
        known = self._known.get(workspace_id)
        return known is not None and 0 < consent_version == known.consent_version


class ConfigConsumer:
    """One member of the configuration group."""

    def __init__(self, event_log: EventLog, workspaces: Workspaces, store: ColumnStore, clock: Clock) -> None:
        self._workspaces = workspaces
        self._store = store
        self._loop = ConsumerLoop(event_log, CONFIG_GROUP, (CONFIG,), self.handle, clock, batch_max=BATCH_MAX)

    async def start(self) -> None:
        """Joins the group and starts reading."""
        await self._loop.start()

    async def stop(self) -> None:
        """Finishes the batch under way, then leaves."""
        await self._loop.stop()

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Applies changes; each is idempotent. Raises Poison, Unavailable."""
        suppressed: list[tuple[Any, ...]] = []
        for record in records:
            try:
                envelope = decode(record.value)
                change, fields = envelope.config, _fields(envelope.config)
            except Unprocessable as error:
                raise Poison(record, str(error)) from None
            if change.entity == "workspace" and change.operation != "delete":
                await self._workspace(envelope, fields)
            elif change.entity == "suppression":
                suppressed.append(_suppression(envelope, fields))
        if suppressed:
            columns = [list(column) for column in zip(*suppressed, strict=True)]
            first = records[0]
            token = f"{first.topic}:{first.partition}:{first.offset}+{len(records)}"
            await self._store.insert("suppressions", SUPPRESSION_COLUMNS, columns, token)

    async def _workspace(self, envelope: Envelope, fields: Mapping[str, Any]) -> None:
        workspace_id = envelope.workspace_id
        before = self._workspaces.retention_days(workspace_id)
        days = fields.get("log_retention_days")
        consent = fields.get("capture_consent_version")
        workspace = Workspace(
            workspace_id,
            envelope.config.version,
            str(fields.get("time_zone") or "UTC"),
            min(days, RETENTION_MAX_DAYS) if isinstance(days, int) and days > 0 else before,
            consent if isinstance(consent, int) and consent > 0 else 0,
        )
        if await self._workspaces.put(workspace) and workspace.retention_days != before:
            for table in PERSONAL_TABLES:
                await self._store.command(
                    f"ALTER TABLE {table} UPDATE retention_days = {{days:UInt16}} "
                    "WHERE workspace_id = {workspace_id:String} AND retention_days != {days:UInt16}",
                    {"days": workspace.retention_days, "workspace_id": workspace_id},
                )


def _fields(change: ConfigChange) -> Mapping[str, Any]:
    try:
        fields = json.loads(change.fields_json or "{}")
    except ValueError:
        raise Unprocessable("fields_json is not JSON") from None
    if not isinstance(fields, dict):
        raise Unprocessable("fields_json is not an object")
    return fields


def _suppression(envelope: Envelope, fields: Mapping[str, Any]) -> tuple[Any, ...]:
    change = envelope.config
    return (
        envelope.workspace_id, str(fields.get("rule_id", "")), str(fields.get("fingerprint", "")),
        change.operation == "delete", change.version,
    )  # fmt: skip
