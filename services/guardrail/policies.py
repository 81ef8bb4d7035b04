"""Writes of guardrails: each change, its history row, its audit row and its event are one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, Invalid, NotFound, Unavailable
from services.common.ids import new_id
from services.common.key_names import KeyNames, refuse_while_named
from services.common.policy_writes import PolicyWrites
from services.common.storage import Database, HistoryRow, OutboxPublisher, bump
from services.guardrail import events
from services.guardrail.domain.drafts import Limits, Refused, admit_rules
from services.guardrail.domain.model import Guardrail, Rule
from services.guardrail.sealing import SecretBox
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage import queries, rule_secrets
from services.guardrail.storage.queries import Stored
from services.guardrail.storage.tables import counter, outbox

MAX_PER_WORKSPACE = 500
ID_MAX = 128


class Policies:
    """The use cases of the management plane."""

    def __init__(
        self,
        database: Database,
        snapshot: Snapshot,
        publisher: OutboxPublisher,
        keys: KeyNames,
        clock: Clock,
        box: SecretBox,
        limits: Limits = Limits(),
    ) -> None:
        self._box = box
        self.limits = limits
        self.database = self._database = database
        self._writes = PolicyWrites(
            queries.guardrails,
            outbox,
            noun="guardrail",
            shown=shown,
            told=lambda policy, operation, actor_id: events.of_change(policy, operation, actor_id, clock),
        )
        self._snapshot = snapshot
        self._publisher = publisher
        self._keys = keys
        self.clock = self._clock = clock

    async def page(self, workspace_id: str, after: str, limit: int) -> list[Stored]:
        """Guardrails by creation."""
        async with self._database.read() as conn:
            return await queries.guardrails.page(conn, workspace_id, after, limit)

    async def get(self, workspace_id: str, guardrail_id: str) -> Stored:
        """Raises NotFound."""
        async with self._database.read() as conn:
            return await _found(conn, workspace_id, guardrail_id)

    async def create(self, workspace_id: str, actor_id: str, fields: Mapping[str, Any]) -> Stored:
        """A new guardrail. Raises Invalid naming the field, Conflict on a taken name."""
        guardrail = Guardrail(
            id=new_id("gr"),
            workspace_id=workspace_id,
            name=fields["name"],
            version=1,
            enabled=fields.get("enabled", True),
            is_default=fields.get("is_default", False),
            log_raw_content=fields.get("log_raw_content", False),
            rules=_rules(fields.get("rules") or [], (), self.limits),
        )
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            if await queries.guardrails.count(tx, workspace_id) >= MAX_PER_WORKSPACE:
                raise Conflict(f"a workspace has at most {MAX_PER_WORKSPACE} guardrails")
            stored = Stored(guardrail, now_us, now_us, revision, False)
            await self.write(tx, stored, "create", actor_id, new=True)
        await self.published()
        return stored

    async def update(self, workspace_id: str, guardrail_id: str, actor_id: str, fields: Mapping[str, Any]) -> Stored:
        """A partial update. Raises NotFound, Invalid, Conflict."""
        return await self._change(workspace_id, guardrail_id, actor_id, fields, "update")

    async def revert(self, workspace_id: str, guardrail_id: str, actor_id: str, version: int) -> Stored:
        """A new version with the content of an old one. Raises NotFound."""
        row = await self.version(workspace_id, guardrail_id, version)
        return await self._change(workspace_id, guardrail_id, actor_id, row.snapshot, "revert")

    async def delete(self, workspace_id: str, guardrail_id: str, actor_id: str) -> None:
        """Refused with Conflict while keys name the guardrail. Raises NotFound, Unavailable."""
        await self.get(workspace_id, guardrail_id)
        await refuse_while_named(self._keys, workspace_id, guardrail_id, noun="guardrail")
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            old = await _found(tx, workspace_id, guardrail_id)
            guardrail = replace(old.policy, version=old.policy.version + 1)
            stored = Stored(guardrail, old.created_at_us, now_us, revision, True)
            await self.write(tx, stored, "delete", actor_id)
            await rule_secrets.drop_secrets(tx, guardrail_id)
        await self.published()

    async def history(self, workspace_id: str, guardrail_id: str, before: int | None, limit: int) -> list[HistoryRow]:
        """Versions, newest first, a deleted guardrail's too. Raises NotFound."""
        async with self._database.read() as conn:
            rows = await queries.guardrails.history_page(conn, workspace_id, guardrail_id, before, limit)
            if not rows and not await queries.guardrails.history_page(conn, workspace_id, guardrail_id, None, 1):
                raise NotFound("no such guardrail")
        return rows

    async def version(self, workspace_id: str, guardrail_id: str, version: int) -> HistoryRow:
        """One version, a deleted guardrail's too. Raises NotFound."""
        async with self._database.read() as conn:
            row = await queries.guardrails.history_version(conn, workspace_id, guardrail_id, version)
            if row is None and not await queries.guardrails.history_page(conn, workspace_id, guardrail_id, None, 1):
                raise NotFound("no such guardrail")
        if row is None:
            raise NotFound(f"the guardrail has no version {version}")
        return row

    async def tokens(self, workspace_id: str, guardrail_id: str) -> list[tuple[str, str]]:
        """(key id, key name) of the keys that name it. Raises NotFound, Unavailable."""
        await self.get(workspace_id, guardrail_id)
        return list(await self._keys.naming(workspace_id, guardrail_id))

    async def named(self, workspace_id: str, guardrail_id: str) -> bool:
        """Whether keys name it. Raises Unavailable."""
        return bool(await self._keys.naming(workspace_id, guardrail_id))

    async def exists(self, workspace_id: str, guardrail_id: str) -> bool:
        """True when the workspace owns it, enabled or not."""
        async with self._database.read() as conn:
            return await queries.guardrails.find(conn, workspace_id, guardrail_id) is not None

    async def _change(
        self, workspace_id: str, guardrail_id: str, actor_id: str, fields: Mapping[str, Any], operation: str
    ) -> Stored:
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            old = await _found(tx, workspace_id, guardrail_id)
            before = old.policy
            rules = before.rules
            if fields.get("rules") is not None:
                reverting = operation == "revert"
                # Ids in a reverted version were this guardrail's own, whether or not its rules still exist.
                rules = (
                    queries.rules_from_json(list(fields["rules"]))
                    if reverting
                    else _rules(fields["rules"], before.rules, self.limits)
                )
            guardrail = replace(
                before,
                version=before.version + 1,
                name=fields.get("name", before.name),
                enabled=fields.get("enabled", before.enabled),
                is_default=fields.get("is_default", before.is_default),
                log_raw_content=fields.get("log_raw_content", before.log_raw_content),
                rules=rules,
            )
            stored = Stored(guardrail, old.created_at_us, now_us, revision, False)
            await self.write(tx, stored, operation, actor_id)
        await self.published()
        return stored

    async def write(
        self, tx: AsyncConnection, stored: Stored, operation: str, actor_id: str, *, new: bool = False
    ) -> None:
        """One row with its history, audit row and event, in a transaction of the caller's that raised the counter;
        `published` follows its commit. Raises Conflict, Invalid."""
        await self._writes.write(tx, stored, operation, actor_id, new=new)
        if not stored.deleted:
            await self._keep_secrets(tx, stored.policy)

    async def published(self) -> None:
        """A change was committed: tells the outbox and makes it effective here."""
        self._publisher.notify()
        # The change is committed: a database that fails just now must not turn it into an error.
        with contextlib.suppress(Unavailable):
            await self._snapshot.refresh()

    async def _keep_secrets(self, tx: AsyncConnection, guardrail: Guardrail) -> None:
        """Seals the secrets that the draft brought; every webhook must have one by then. Raises Invalid."""
        fresh = {rule.id: rule.secret for rule in guardrail.rules if rule.secret}
        known = (await rule_secrets.secrets_of(tx, [guardrail.id])).get(guardrail.id, {})
        for index, rule in enumerate(guardrail.rules):
            if rule.type == "external" and rule.id not in fresh and rule.id not in known:
                raise Invalid(f"rules.{index}.secret: is required", param=f"rules.{index}.secret")
        sealed = {rule_id: self._box.seal(rule_id, secret) for rule_id, secret in fresh.items()}
        await rule_secrets.put_secrets(tx, guardrail.id, sealed)


def shown(stored: Stored) -> dict[str, Any]:
    """A guardrail as the API shows it. Times in Unix seconds."""
    guardrail = stored.policy
    return {
        "id": guardrail.id,
        "name": guardrail.name,
        "enabled": guardrail.enabled,
        "is_default": guardrail.is_default,
        "log_raw_content": guardrail.log_raw_content,
        "rules": queries.rules_to_json(guardrail.rules),
        "version": guardrail.version,
        "created_time": stored.created_at_us // 1_000_000,
        "updated_time": stored.updated_at_us // 1_000_000,
    }


def is_id(text: str) -> bool:
    """The text may be an id of ours; anything else is not looked up, since not every store takes every character."""
    return 0 < len(text) <= ID_MAX and text.isascii() and text.isprintable()


async def _found(conn: AsyncConnection, workspace_id: str, guardrail_id: str) -> Stored:
    stored = await queries.guardrails.find(conn, workspace_id, guardrail_id)
    if stored is None:
        raise NotFound("no such guardrail")
    return stored


def admitted_rules(raw: Any, previous: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Rules of our own making. Raises Invalid."""
    return _rules(raw, previous, Limits())


def _rules(raw: Any, previous: tuple[Rule, ...], limits: Limits) -> tuple[Rule, ...]:
    try:
        return admit_rules(raw, lambda: new_id("rule"), previous, limits)
    except Refused as refused:
        raise Invalid(str(refused), param=refused.field) from None
