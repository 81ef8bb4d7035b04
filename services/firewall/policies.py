"""Writes of policies and settings: each change, its history row, its audit row and its event are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import count as counting
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, Invalid, NotFound, Unavailable
from services.common.ids import new_id
from services.common.key_names import KeyNames, refuse_while_named
from services.common.policy_writes import PolicyWrites
from services.common.storage import Database, HistoryRow, OutboxPublisher, bump, outbox_add
from services.firewall import events
from services.firewall.domain.drafts import Refused, admit_rules, admit_verdict, rule_from_json, rule_json, warnings
from services.firewall.domain.model import Policy, Rule, Settings, Verdict
from services.firewall.entities import Entities
from services.firewall.snapshot import Snapshot
from services.firewall.storage import queries
from services.firewall.storage.queries import Stored, StoredSettings
from services.firewall.storage.tables import counter, outbox

MAX_PER_WORKSPACE = 500
NAME_MAX = 64
_PLAIN = ("name", "enabled", "is_default", "shadow_mode")


class Policies:
    """The use cases of the management plane."""

    def __init__(
        self,
        database: Database,
        snapshot: Snapshot,
        publisher: OutboxPublisher,
        keys: KeyNames,
        entities: Entities,
        clock: Clock,
    ) -> None:
        self._entities = entities
        self._database = database
        self._writes = PolicyWrites(
            queries.policies,
            outbox,
            noun="firewall policy",
            shown=shown,
            told=lambda policy, operation, actor_id: events.of_change(policy, operation, actor_id, clock),
        )
        self._snapshot = snapshot
        self._publisher = publisher
        self._keys = keys
        self._clock = clock

    async def page(self, workspace_id: str, after: str, limit: int) -> list[Stored]:
        """Policies by creation."""
        async with self._database.read() as conn:
            return await queries.policies.page(conn, workspace_id, after, limit)

    async def get(self, workspace_id: str, policy_id: str) -> Stored:
        """Raises NotFound."""
        async with self._database.read() as conn:
            return await _found(conn, workspace_id, policy_id)

    async def create(self, workspace_id: str, actor_id: str, fields: Mapping[str, Any]) -> Stored:
        """A new policy. Raises Invalid naming the field, Conflict on a taken name."""
        rules = await self.admitted(fields.get("rules", []))
        policy = _changed(Policy(new_id("fp"), workspace_id, ""), fields, rules)
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            if await queries.policies.count(tx, workspace_id) >= MAX_PER_WORKSPACE:
                raise Conflict(f"a workspace has at most {MAX_PER_WORKSPACE} firewall policies")
            stored = Stored(policy, now_us, now_us, revision)
            await self.write(tx, stored, "create", actor_id, new=True)
        await self.published()
        return stored

    async def admitted(self, raw: Any, previous: tuple[Rule, ...] = ()) -> tuple[Rule, ...]:
        """Rules that can run. Raises Invalid naming the field, Unavailable when entities cannot be checked."""
        rules = rules_of(raw, previous)
        await self._entities.check(rules)
        return rules

    async def update(self, workspace_id: str, policy_id: str, actor_id: str, fields: Mapping[str, Any]) -> Stored:
        """A partial update. Raises NotFound, Invalid, Conflict."""
        if "rules" in fields:
            # Before the transaction, which must not wait for another service.
            await self.admitted(fields["rules"], (await self.get(workspace_id, policy_id)).policy.rules)

        def change(policy: Policy) -> Policy:
            rules = rules_of(fields["rules"], policy.rules) if "rules" in fields else policy.rules
            return _changed(policy, fields, rules)

        return await self._change(workspace_id, policy_id, actor_id, change, "update")

    async def revert(self, workspace_id: str, policy_id: str, actor_id: str, version: int) -> Stored:
        """A new version with the content of an old one. Raises NotFound, Conflict."""
        row = await self.version(workspace_id, policy_id, version)
        # Its rule ids were this policy's own, whether or not those rules still exist.
        rules = tuple(map(rule_from_json, row.snapshot["rules"]))
        return await self._change(
            workspace_id, policy_id, actor_id, lambda policy: _changed(policy, row.snapshot, rules), "revert"
        )

    async def delete(self, workspace_id: str, policy_id: str, actor_id: str) -> None:
        """Refused with Conflict while keys name the policy. Raises NotFound, Unavailable."""
        await self.get(workspace_id, policy_id)
        await refuse_while_named(self._keys, workspace_id, policy_id, noun="firewall policy")
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            old = await _found(tx, workspace_id, policy_id)
            policy = replace(old.policy, version=old.policy.version + 1)
            await self.write(tx, Stored(policy, old.created_at_us, now_us, revision, True), "delete", actor_id)
        await self.published()

    async def history(self, workspace_id: str, policy_id: str, before: int | None, limit: int) -> list[HistoryRow]:
        """Versions, newest first, a deleted policy's too. Raises NotFound."""
        async with self._database.read() as conn:
            rows = await queries.policies.history_page(conn, workspace_id, policy_id, before, limit)
            if not rows:
                await _known(conn, workspace_id, policy_id)
            return rows

    async def version(self, workspace_id: str, policy_id: str, version: int) -> HistoryRow:
        """One version, a deleted policy's too. Raises NotFound."""
        async with self._database.read() as conn:
            row = await queries.policies.history_version(conn, workspace_id, policy_id, version)
            if row is None:
                await _known(conn, workspace_id, policy_id)
        if row is None:
            raise NotFound(f"the firewall policy has no version {version}")
        return row

    async def exists(self, workspace_id: str, policy_id: str) -> bool:
        """True when the workspace owns it, enabled or not."""
        async with self._database.read() as conn:
            return await queries.policies.find(conn, workspace_id, policy_id) is not None

    async def settings(self, workspace_id: str) -> StoredSettings:
        """The workspace's settings, or the defaults."""
        async with self._database.read() as conn:
            return await queries.read_settings(conn, workspace_id)

    async def update_settings(self, workspace_id: str, actor_id: str, fields: Mapping[str, Any]) -> StoredSettings:
        """A partial update of values that were checked already; the webhook secret is sealed. Raises Invalid."""
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            old = await queries.read_settings(tx, workspace_id)
            plain = {name: value for name, value in fields.items() if not name.startswith("webhook_")}
            settings: Settings = replace(old.settings, **plain)
            url = fields.get("webhook_url", old.webhook_url)
            secret = fields.get("webhook_secret", old.webhook_secret)
            if url and secret is None:
                message = "webhook_secret: is required with webhook_url, since deliveries are signed"
                raise Invalid(message, param="webhook_secret")
            stored = StoredSettings(workspace_id, settings, old.version + 1, url or "", secret)
            await self.write_settings(tx, stored, fields, actor_id, revision)
        await self.published()
        return stored

    async def write_settings(
        self, tx: AsyncConnection, stored: StoredSettings, changed: Iterable[str], actor_id: str, revision: int
    ) -> None:
        """Settings with their audit row and event, in a transaction of the caller's that raised the counter."""
        workspace_id, settings = stored.workspace_id, stored.settings
        await queries.put_settings(tx, stored, revision, self._clock.now_us())
        audit = events.settings_audit(workspace_id, settings, changed, actor_id, self._clock)
        await outbox_add(tx, outbox, topic=events.AUDIT, key=workspace_id, envelope=audit)
        config = events.settings_config(workspace_id, settings, stored.version, self._clock)
        await outbox_add(tx, outbox, topic=events.CONFIG, key=workspace_id, envelope=config)

    async def write(
        self, tx: AsyncConnection, stored: Stored, operation: str, actor_id: str, *, new: bool = False
    ) -> None:
        """One row with its history, audit row and event, in a transaction of the caller's that raised the counter;
        `published` follows its commit. Raises Conflict."""
        await self._writes.write(tx, stored, operation, actor_id, new=new)

    async def published(self) -> None:
        """A change was committed: tells the outbox and makes it effective here."""
        self._publisher.notify()
        # The change is committed: should the database fail now, the poller catches up or the plane closes.
        with suppress(Unavailable):
            await self._snapshot.refresh()

    async def named(self, workspace_id: str, policy_id: str) -> bool:
        """Whether keys name it. Raises Unavailable."""
        return bool(await self._keys.naming(workspace_id, policy_id))

    async def _change(
        self, workspace_id: str, policy_id: str, actor_id: str, change: Callable[[Policy], Policy], operation: str
    ) -> Stored:
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            old = await _found(tx, workspace_id, policy_id)
            policy = replace(change(old.policy), version=old.policy.version + 1)
            stored = Stored(policy, old.created_at_us, now_us, revision)
            await self.write(tx, stored, operation, actor_id)
        await self.published()
        return stored


def shown(stored: Stored) -> dict[str, Any]:
    """A policy as the API shows it. Times in Unix seconds."""
    policy = stored.policy
    return {
        "id": policy.id,
        "name": policy.name,
        "enabled": policy.enabled,
        "is_default": policy.is_default,
        "default_verdict": policy.default_verdict.value,
        "shadow_mode": policy.shadow_mode,
        "rules": list(map(rule_json, policy.rules)),
        "version": policy.version,
        "created_time": stored.created_at_us // 1_000_000,
        "updated_time": stored.updated_at_us // 1_000_000,
    }


def policy_warnings(policy: Policy) -> list[str]:
    """What the author should look at again."""
    return warnings(policy.rules, policy.default_verdict)


def checked_name(name: str) -> str:
    """A name that a policy may have. Raises Invalid."""
    name = name.strip()
    if not name or len(name) > NAME_MAX:
        raise Invalid(f"name: must have 1 to {NAME_MAX} characters", param="name")
    if not name.isprintable():
        raise Invalid("name: must be printable text", param="name")
    return name


def rules_of(raw: Any, previous: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Admitted rules. Raises Invalid naming the field."""
    try:
        return admit_rules(raw, rule_ids(), previous)
    except Refused as refused:
        raise Invalid(str(refused), param=refused.field) from None


def verdict_of(raw: Any) -> Verdict:
    """An admitted default verdict. Raises Invalid."""
    try:
        return admit_verdict(raw, "default_verdict")
    except Refused as refused:
        raise Invalid(str(refused), param=refused.field) from None


def rule_ids() -> Callable[[], str]:
    """Mints ids that sort in the order they are asked for, since rules of equal priority run in order of id."""
    numbers = counting()

    def mint() -> str:
        fresh = new_id("rule")
        return f"{fresh[:17]}{next(numbers):04x}{fresh[21:]}"

    return mint


def _changed(policy: Policy, fields: Mapping[str, Any], rules: tuple[Rule, ...]) -> Policy:
    plain = {name: fields[name] for name in _PLAIN if name in fields}
    verdict = verdict_of(fields["default_verdict"]) if "default_verdict" in fields else policy.default_verdict
    return replace(policy, **plain, default_verdict=verdict, rules=rules)


async def _found(conn: AsyncConnection, workspace_id: str, policy_id: str) -> Stored:
    stored = await queries.policies.find(conn, workspace_id, policy_id)
    if stored is None:
        raise NotFound("no such firewall policy")
    return stored


async def _known(conn: AsyncConnection, workspace_id: str, policy_id: str) -> None:
    """Raises NotFound for a policy that never was."""
    if not await queries.policies.history_page(conn, workspace_id, policy_id, None, 1):
        raise NotFound("no such firewall policy")
