"""Applies and undoes the guardrail half of an autonomy level, as ordinary, editable, versioned rows.

The firewall's commit decides; until then a stage governs nothing. Everything here is idempotent by stage id, since
the firewall repeats a call until it was answered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.errors import Conflict, Invalid, NotFound
from services.common.ids import new_id
from services.common.levels import NAMES, edited_since, followed, in_order_of_undoing, keeps, unedited
from services.common.storage import bump
from services.guardrail.domain.levels import LEVELS, level_rules
from services.guardrail.domain.model import Guardrail
from services.guardrail.policies import Policies, admitted_rules, shown
from services.guardrail.storage import postures, queries
from services.guardrail.storage.postures import ACTIVE, STAGED, UNDONE, Posture
from services.guardrail.storage.queries import Stored
from services.guardrail.storage.tables import counter

STAGE_S = 60
_FIELDS = ("name", "enabled", "is_default", "log_raw_content")


class Postures:
    """The use cases."""

    def __init__(self, policies: Policies) -> None:
        self._database = policies.database
        self._policies = policies
        self._clock = policies.clock

    async def stage(self, workspace_id: str, stage_id: str, level: str, *, replacing: bool) -> bool:
        """Announces a level; whether an authored default would be kept. Raises Invalid."""
        if level not in LEVELS:
            raise Invalid(f"level: must be one of {', '.join(LEVELS)}", param="level")
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            await postures.drop_undecided(tx, now_us - STAGE_S * 1_000_000)
            default = await queries.guardrails.other_default(tx, workspace_id, "")
            kept = await self._keeps(tx, workspace_id, default, replacing=replacing)
            if await postures.find(tx, workspace_id, stage_id) is None:
                await postures.put(tx, Posture(stage_id, workspace_id, STAGED, kept, "", [], now_us))
        return kept

    async def _keeps(self, tx: AsyncConnection, workspace_id: str, default: Stored | None, *, replacing: bool) -> bool:
        if default is None:
            return False
        row = default.policy
        managed = await self._managed(tx, workspace_id)
        untouched = managed is not None and managed.policy.id == row.id
        return keeps(enabled=row.enabled, managed=untouched, replace=replacing)

    async def _managed(self, tx: AsyncConnection, workspace_id: str) -> Stored | None:
        """The row that a level made, unless someone edited it since."""
        last = await postures.latest(tx, workspace_id)
        if last is None or not last.managed_id:
            return None
        row = await queries.guardrails.find(tx, workspace_id, last.managed_id)
        return row if row is not None and unedited(last.touched, row.policy.id, row.policy.version) else None

    async def commit(self, workspace_id: str, stage_id: str, level: str, actor_id: str, *, replacing: bool) -> Posture:
        """Activates the level. Raises Invalid, Conflict on a bound."""
        if level not in LEVELS:
            raise Invalid(f"level: must be one of {', '.join(LEVELS)}", param="level")
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            known = await postures.find(tx, workspace_id, stage_id)
            if known is not None and known.state != STAGED:
                return known
            default = await queries.guardrails.other_default(tx, workspace_id, "")
            managed = await self._managed(tx, workspace_id)
            done = Posture(stage_id, workspace_id, ACTIVE, False, managed.policy.id if managed else "", [], now_us)
            if await self._keeps(tx, workspace_id, default, replacing=replacing):
                done = replace(done, kept=True)
            else:
                done = await self._apply(tx, done, level, actor_id, default, managed, revision)
            await postures.put(tx, done)
        await self._policies.published()
        return done

    async def _apply(
        self,
        tx: AsyncConnection,
        posture: Posture,
        level: str,
        actor_id: str,
        default: Stored | None,
        managed: Stored | None,
        revision: int,
    ) -> Posture:
        now_us = posture.created_at_us
        touched: list[dict[str, Any]] = []
        raw = level_rules(level)
        if default is not None and (raw is None or managed is None or default.policy.id != managed.policy.id):
            row = default.policy
            demoted = replace(row, is_default=False, version=row.version + 1)
            stored = Stored(demoted, default.created_at_us, now_us, revision)
            await self._policies.write(tx, stored, "update", actor_id)
            touched.append({"id": row.id, "before": shown(default), "version": demoted.version})
        if raw is None:
            return replace(posture, touched=touched)
        if managed is None:
            name = await self._free_name(tx, posture.workspace_id)
            row = Guardrail(new_id("gr"), posture.workspace_id, name, 1, is_default=True, rules=admitted_rules(raw, ()))
            await self._policies.write(tx, Stored(row, now_us, now_us, revision), "create", actor_id, new=True)
            before = None
        else:
            old = managed.policy
            rules = admitted_rules(raw, old.rules)
            row = replace(old, is_default=True, enabled=True, rules=rules, version=old.version + 1)
            await self._policies.write(tx, Stored(row, managed.created_at_us, now_us, revision), "update", actor_id)
            before = shown(managed)
        touched.append({"id": row.id, "before": before, "version": row.version})
        return replace(posture, touched=touched, managed_id=row.id)

    async def _free_name(self, tx: AsyncConnection, workspace_id: str) -> str:
        for name in NAMES:
            if not await queries.guardrails.name_taken(tx, workspace_id, name, ""):
                return name
        raise Conflict("too many guardrails are named like the level's")

    async def undo(self, workspace_id: str, stage_id: str, actor_id: str, *, force: bool, check_only: bool) -> None:
        """Restores what the level changed. Raises NotFound, Conflict when a row changed since."""
        now_us = self._clock.now_us()
        async with self._database.read() as conn:
            known = await postures.find(conn, workspace_id, stage_id)
        made = [item["id"] for item in known.touched if item["before"] is None] if known is not None else []
        attached = {row_id for row_id in made if await self._policies.named(workspace_id, row_id)}
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            posture = await postures.find(tx, workspace_id, stage_id)
            if posture is None or posture.state == STAGED:
                raise NotFound("no such level was applied")
            if posture.state == UNDONE:
                return
            rows = {item["id"]: await queries.guardrails.find(tx, workspace_id, item["id"]) for item in posture.touched}
            living = {row_id: row.policy.version for row_id, row in rows.items() if row is not None}
            if edited_since(posture.touched, living) and not force:
                raise Conflict("the guardrail was changed since the level was applied", code="posture_changed")
            if check_only:
                return
            versions = {}
            for item in in_order_of_undoing(posture.touched):
                row = rows[item["id"]]
                if row is not None:
                    before = item["before"]
                    gone = before is None and item["id"] not in attached
                    fresh = _former(row.policy, before)
                    restored = Stored(fresh, row.created_at_us, now_us, revision, gone)
                    operation = "delete" if gone else "update" if before is None else "revert"
                    await self._policies.write(tx, restored, operation, actor_id)
                    versions[item["id"]] = fresh.version
            await postures.put(tx, replace(posture, state=UNDONE))
            await self._follow(tx, workspace_id, versions)
        await self._policies.published()

    async def _follow(self, tx: AsyncConnection, workspace_id: str, versions: dict[str, int]) -> None:
        """The level before is in force again: its rows are as it left them, under newer versions."""
        last = await postures.latest(tx, workspace_id)
        if last is not None:
            await postures.put(tx, replace(last, touched=followed(last.touched, versions)))


def _former(row: Guardrail, before: dict[str, Any] | None) -> Guardrail:
    """The row as it was; one that the level made and keys name by now is only no default any more."""
    fresh = replace(row, is_default=False, version=row.version + 1)
    if before is None:
        return fresh
    fields = {name: before[name] for name in _FIELDS}
    return replace(fresh, **fields, rules=queries.rules_from_json(before["rules"]))
