"""Autonomy levels: a default policy here, a default guardrail there, observe mode, undone exactly.

The guardrail half is staged first; the transaction here decides; the guardrail is then told until it has answered
(`applying` is visible meanwhile). A level manages only rows that a level made and nobody edited since: an enabled
default that someone authored stays, unless it is to be replaced.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from orca.guardrail.v1 import guardrail_pb2
from services.common.clock import Clock
from services.common.errors import Conflict, Invalid, NotFound, OrcaError, Unavailable
from services.common.ids import new_id
from services.common.levels import NAMES, edited_since, followed, in_order_of_undoing, keeps, unedited
from services.common.rpc import call
from services.common.storage import Database, bump, outbox_add
from services.firewall import events
from services.firewall.domain.drafts import rule_from_json
from services.firewall.domain.model import Policy, Verdict
from services.firewall.domain.presets import levels
from services.firewall.policies import Policies, rules_of, shown
from services.firewall.storage import postures, queries
from services.firewall.storage.postures import ACTIVE, COMMIT, UNDO, UNDONE, Posture
from services.firewall.storage.queries import Stored, StoredSettings
from services.firewall.storage.tables import counter, outbox

log = logging.getLogger("orca.firewall")

GUARDRAIL_TIMEOUT_S = 5.0
PENDING_MAX = 100
_FIELDS = ("name", "enabled", "is_default", "shadow_mode")


@dataclass(slots=True)
class _Change:
    """One transaction's constants."""

    tx: AsyncConnection
    workspace_id: str
    actor_id: str
    revision: int
    now_us: int


class Postures:
    """The use cases."""

    def __init__(self, database: Database, policies: Policies, guardrail: Any, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._guardrail = guardrail
        self._clock = clock

    async def current(self, workspace_id: str) -> dict[str, Any]:
        """The level in force, and whether the guardrail has yet to follow."""
        async with self._database.read() as conn:
            posture = await postures.latest(conn, workspace_id)
            undoing = await postures.undone_pending(conn, workspace_id)
        if posture is None:
            return {"level": None, "applying": undoing}
        return {**posture_shown(posture), "applying": bool(posture.pending) or undoing}

    async def apply(self, workspace_id: str, actor_id: str, level: str, *, replacing: bool) -> dict[str, Any]:
        """Applies a level. Raises Invalid, Conflict, or Unavailable with nothing changed."""
        if level not in levels():
            raise Invalid(f"level: must be one of {', '.join(levels())}", param="level")
        posture = Posture(new_id("st"), workspace_id, level, replacing, actor_id, created_at_us=self._clock.now_us())
        staged = await call(self._guardrail.StagePosture, _stage(posture), timeout_s=GUARDRAIL_TIMEOUT_S)
        posture = replace(posture, guardrail_kept=staged.kept, pending=COMMIT)
        async with self._database.write() as tx:
            change = _Change(tx, workspace_id, actor_id, await bump(tx, counter), self._clock.now_us())
            posture = await self._apply(change, posture)
            await postures.put(tx, posture)
            metadata = {"level": level, "replace": replacing, "policy_kept": posture.kept}
            await self._audit(change, "firewall_autonomy_apply", metadata)
        await self._policies.published()
        await self._tell(posture)
        return await self.current(workspace_id)

    async def _apply(self, change: _Change, posture: Posture) -> Posture:
        default = await queries.policies.other_default(change.tx, change.workspace_id, "")
        managed = await self._managed(change)
        settings = await self._observe(change, posture.level == "permissive")
        posture = replace(posture, settings=settings, managed_id=managed.policy.id if managed else "")
        if default is not None:
            untouched = managed is not None and managed.policy.id == default.policy.id
            if keeps(enabled=default.policy.enabled, managed=untouched, replace=posture.replacing):
                return replace(posture, kept=True)
        raw = levels()[posture.level]
        touched: list[dict[str, Any]] = []
        if default is not None and (raw is None or managed is None or managed.policy.id != default.policy.id):
            demoted = replace(default.policy, is_default=False, version=default.policy.version + 1)
            await self._put(change, default, demoted, "update")
            touched.append({"id": demoted.id, "before": shown(default), "version": demoted.version})
        if raw is None:
            return replace(posture, touched=tuple(touched))
        policy, before = await self._manage(change, managed, raw)
        touched.append({"id": policy.id, "before": before, "version": policy.version})
        return replace(posture, touched=tuple(touched), managed_id=policy.id)

    async def _manage(
        self, change: _Change, managed: Stored | None, raw: dict[str, Any]
    ) -> tuple[Policy, dict[str, Any] | None]:
        verdict = Verdict(raw["default_verdict"])
        if managed is None:
            policy = Policy(
                new_id("fp"),
                change.workspace_id,
                await self._free_name(change),
                is_default=True,
                default_verdict=verdict,
                rules=rules_of(raw["rules"], ()),
            )
            stored = Stored(policy, change.now_us, change.now_us, change.revision)
            await self._policies.write(change.tx, stored, "create", change.actor_id, new=True)
            return policy, None
        old = managed.policy
        policy = replace(
            old,
            enabled=True,
            is_default=True,
            shadow_mode=False,
            default_verdict=verdict,
            rules=rules_of(raw["rules"], old.rules),
            version=old.version + 1,
        )
        await self._put(change, managed, policy, "update")
        return policy, shown(managed)

    async def _put(self, change: _Change, old: Stored, policy: Policy, operation: str, *, gone: bool = False) -> None:
        stored = Stored(policy, old.created_at_us, change.now_us, change.revision, gone)
        await self._policies.write(change.tx, stored, operation, change.actor_id)

    async def _managed(self, change: _Change) -> Stored | None:
        """The row that a level made, unless someone edited it since."""
        last = await postures.latest(change.tx, change.workspace_id)
        if last is None or not last.managed_id:
            return None
        row = await queries.policies.find(change.tx, change.workspace_id, last.managed_id)
        return row if row is not None and unedited(last.touched, row.policy.id, row.policy.version) else None

    async def _observe(self, change: _Change, on: bool) -> dict[str, Any]:
        old = await queries.read_settings(change.tx, change.workspace_id)
        if old.settings.observe_mode != on:
            await self._put_settings(change, old, on)
        return {"before": old.settings.observe_mode, "after": on}

    async def _put_settings(self, change: _Change, old: StoredSettings, observe_mode: bool) -> None:
        stored = replace(old, settings=replace(old.settings, observe_mode=observe_mode), version=old.version + 1)
        await self._policies.write_settings(change.tx, stored, ("observe_mode",), change.actor_id, change.revision)

    async def _free_name(self, change: _Change) -> str:
        for name in NAMES:
            if not await queries.policies.name_taken(change.tx, change.workspace_id, name, ""):
                return name
        raise Conflict("too many firewall policies are named like the level's")

    async def undo(self, workspace_id: str, actor_id: str, *, force: bool) -> dict[str, Any]:
        """Restores the state before the last level. Raises NotFound, Conflict, Unavailable."""
        async with self._database.read() as conn:
            last = await postures.latest(conn, workspace_id)
        if last is None:
            raise NotFound("no autonomy level was applied")
        if last.pending and not await self._tell(last):
            raise Conflict("the last level is still being applied; try again", code="posture_applying")
        check = _undo(last, actor_id, force=force, check_only=True)
        await call(self._guardrail.UndoPosture, check, timeout_s=GUARDRAIL_TIMEOUT_S)
        made = [item["id"] for item in last.touched if item["before"] is None]
        attached = {policy_id for policy_id in made if await self._policies.named(workspace_id, policy_id)}
        async with self._database.write() as tx:
            change = _Change(tx, workspace_id, actor_id, await bump(tx, counter), self._clock.now_us())
            # Read again under the counter's lock: another replica may have undone it meanwhile.
            found = await postures.find(tx, last.stage_id)
            if found is None or found.state != ACTIVE:
                raise Conflict("the level was undone already")
            await self._restore_all(change, found, attached, force=force)
            undone = replace(found, state=UNDONE, pending=UNDO, actor_id=actor_id)
            await postures.put(tx, undone)
            await self._audit(change, "firewall_autonomy_undo", {"level": found.level, "force": force})
        await self._policies.published()
        await self._tell(undone)
        return await self.current(workspace_id)

    async def _restore_all(self, change: _Change, posture: Posture, attached: set[str], *, force: bool) -> None:
        rows = {
            item["id"]: await queries.policies.find(change.tx, change.workspace_id, item["id"])
            for item in posture.touched
        }
        settings = await queries.read_settings(change.tx, change.workspace_id)
        living = {row_id: row.policy.version for row_id, row in rows.items() if row is not None}
        changed = settings.settings.observe_mode != posture.settings["after"]
        if (changed or edited_since(posture.touched, living)) and not force:
            raise Conflict("managed rows were changed since the level was applied", code="posture_changed")
        versions: dict[str, int] = {}
        for item in in_order_of_undoing(posture.touched):
            row = rows[item["id"]]
            if row is not None:
                versions[item["id"]] = await self._restore(change, row, item["before"], item["id"] in attached)
        if settings.settings.observe_mode != posture.settings["before"]:
            await self._put_settings(change, settings, posture.settings["before"])
        await self._follow(change, posture, versions)

    async def _restore(self, change: _Change, row: Stored, before: dict[str, Any] | None, attached: bool) -> int:
        old = row.policy
        fresh = replace(old, is_default=False, version=old.version + 1)
        if before is None:
            # Keys may have been attached to it meanwhile, and must not be left dangling.
            await self._put(change, row, fresh, "update" if attached else "delete", gone=not attached)
            return fresh.version
        fields = {name: before[name] for name in _FIELDS}
        rules = tuple(map(rule_from_json, before["rules"]))
        verdict = Verdict(before["default_verdict"])
        fresh = replace(fresh, **fields, default_verdict=verdict, rules=rules)
        await self._put(change, row, fresh, "revert")
        return fresh.version

    async def _follow(self, change: _Change, undone: Posture, versions: dict[str, int]) -> None:
        """The level before is in force again: its rows are as it left them, under newer versions."""
        await postures.put(change.tx, replace(undone, state=UNDONE))
        last = await postures.latest(change.tx, change.workspace_id)
        if last is not None:
            await postures.put(change.tx, replace(last, touched=followed(last.touched, versions)))

    async def finish(self) -> None:
        """Tells the guardrail what it has not heard yet: the chore behind `applying`."""
        async with self._database.read() as conn:
            waiting = await postures.pending(conn, PENDING_MAX)
        for posture in waiting:
            await self._tell(posture)

    async def _tell(self, posture: Posture) -> bool:
        """One attempt; False when the guardrail did not answer."""
        try:
            if posture.pending == COMMIT:
                request = guardrail_pb2.CommitPostureRequest(stage=_stage(posture), actor_id=posture.actor_id)
                done = await call(self._guardrail.CommitPosture, request, timeout_s=GUARDRAIL_TIMEOUT_S)
                told = {"guardrail_kept": done.kept, "guardrail_id": done.guardrail_id}
            else:
                # It was decided: what changed in the guardrail after the check gives way.
                undo = _undo(posture, posture.actor_id, force=True)
                await call(self._guardrail.UndoPosture, undo, timeout_s=GUARDRAIL_TIMEOUT_S)
                told = {}
        except OrcaError as error:
            if not isinstance(error, Unavailable):
                log.error("a level cannot be applied", extra={"code": error.code, "stage_id": posture.stage_id})
            return False
        async with self._database.write() as tx:
            latest = await postures.find(tx, posture.stage_id)
            if latest is not None and latest.pending == posture.pending:
                await postures.put(tx, replace(latest, pending="", **told))
        return True

    async def _audit(self, change: _Change, verb: str, metadata: dict[str, Any]) -> None:
        target = ("firewall_posture", change.workspace_id)
        audit = events.audit_row(change.workspace_id, change.actor_id, verb, *target, metadata, self._clock)
        await outbox_add(change.tx, outbox, topic=events.AUDIT, key=change.workspace_id, envelope=audit)


def posture_shown(posture: Posture) -> dict[str, Any]:
    """A level as the API shows it. `policy` and `guardrail`: `applied`, `kept`, or `none` for a level without."""
    none = "none" if posture.level == "permissive" else "applied"
    return {
        "level": posture.level,
        "policy": "kept" if posture.kept else none,
        "guardrail": "kept" if posture.guardrail_kept else none,
        "policy_id": None if posture.kept or none == "none" else posture.managed_id or None,
        "guardrail_id": posture.guardrail_id or None if none == "applied" else None,
        "observe_mode": posture.level == "permissive",
        "applied_time": posture.created_at_us // 1_000_000,
    }


def _stage(posture: Posture) -> guardrail_pb2.StagePostureRequest:
    return guardrail_pb2.StagePostureRequest(
        workspace_id=posture.workspace_id,
        stage_id=posture.stage_id,
        level=posture.level,
        replace=posture.replacing,
    )


def _undo(
    posture: Posture, actor_id: str, *, force: bool, check_only: bool = False
) -> guardrail_pb2.UndoPostureRequest:
    return guardrail_pb2.UndoPostureRequest(
        workspace_id=posture.workspace_id,
        stage_id=posture.stage_id,
        actor_id=actor_id,
        force=force,
        check_only=check_only,
    )
