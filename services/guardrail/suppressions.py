"""Suppressions: findings of false positives are no findings any more, workspace-wide, until that is taken back.

A suppression is a fingerprint under a rule. It travels with the change counter like a policy, so that every
replica knows it within a second; audit row and event are of the same transaction.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from services.common.clock import Clock
from services.common.errors import Conflict, Invalid, NotFound, Unavailable
from services.common.ids import new_id
from services.common.storage import Database, OutboxPublisher, bump, outbox_add
from services.guardrail import events
from services.guardrail.policies import is_id
from services.guardrail.ports import RecordedMatches
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage import suppressions
from services.guardrail.storage.suppressions import Suppression
from services.guardrail.storage.tables import counter, outbox

MAX_PER_WORKSPACE = 10_000


@dataclass(frozen=True, slots=True)
class _Found:
    match_id: str
    guardrail_id: str
    rule_id: str
    entity: str
    fingerprints: tuple[str, ...]


class Suppressions:
    """The use cases of suppressions."""

    def __init__(
        self,
        database: Database,
        snapshot: Snapshot,
        publisher: OutboxPublisher,
        recorded: RecordedMatches,
        clock: Clock,
    ) -> None:
        self._database = database
        self._snapshot = snapshot
        self._publisher = publisher
        self._recorded = recorded
        self._clock = clock

    async def change(
        self, workspace_id: str, actor_id: str, match_id: str, fingerprint: str | None, *, suppress: bool
    ) -> list[Suppression]:
        """Suppresses the findings of a match, or makes them findings again; by default all it has fingerprints of.

        Raises NotFound for an unknown match, Invalid for a fingerprint that is not the match's, Conflict when it
        has none (a limit or a judge fired: there is no finding to suppress), Unavailable without analytics.
        """
        found = await self._found(workspace_id, match_id)
        chosen = found.fingerprints
        if fingerprint is not None:
            if fingerprint not in chosen:
                raise Invalid("fingerprint: is not one of this match's", param="fingerprint")
            chosen = (fingerprint,)
        if not chosen:
            raise Conflict("the match has no fingerprints, so nothing of it can be suppressed", code="no_fingerprints")
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            revision = await bump(tx, counter)
            if suppress and await suppressions.living_count(tx, workspace_id) + len(chosen) > MAX_PER_WORKSPACE:
                raise Conflict(f"a workspace suppresses at most {MAX_PER_WORKSPACE} findings")
            items = []
            for digest in chosen:
                old = await suppressions.find_suppression(tx, workspace_id, found.rule_id, digest)
                if old is None and not suppress:
                    continue
                item = _item(found, workspace_id, actor_id, digest, now_us) if old is None or old.deleted else old
                items.append(replace(item, revision=revision, deleted=not suppress))
                await suppressions.put_suppression(tx, items[-1])
                config = events.suppression_of(
                    workspace_id, items[-1].id, found.rule_id, digest, revision, not suppress, self._clock
                )
                await outbox_add(tx, outbox, topic=events.CONFIG, key=items[-1].id, envelope=config)
            if items:
                verb = "guardrail_suppress" if suppress else "guardrail_unsuppress"
                audit = events.suppression_audit(
                    workspace_id, verb, actor_id, found.rule_id, match_id, len(items), self._clock
                )
                await outbox_add(tx, outbox, topic=events.AUDIT, key=workspace_id, envelope=audit)
        self._publisher.notify()
        # The change is committed: a database that fails just now must not turn it into an error.
        with contextlib.suppress(Unavailable):
            await self._snapshot.refresh()
        return items

    async def page(self, workspace_id: str, after: str, limit: int) -> list[Suppression]:
        """What is suppressed, by creation."""
        async with self._database.read() as conn:
            return await suppressions.suppression_page(conn, workspace_id, after, limit)

    async def _found(self, workspace_id: str, match_id: str) -> _Found:
        row = await self._recorded.match(workspace_id, match_id) if is_id(match_id) else None
        if row is None:
            raise NotFound("no such match")
        digests = row.get("fingerprints")
        return _Found(
            match_id,
            str(row.get("guardrail_id") or ""),
            str(row.get("rule_id") or ""),
            str(row.get("entity") or ""),
            tuple(str(digest) for digest in digests if digest) if isinstance(digests, list) else (),
        )


def _item(found: _Found, workspace_id: str, actor_id: str, digest: str, now_us: int) -> Suppression:
    return Suppression(
        id=new_id("sup"),
        workspace_id=workspace_id,
        guardrail_id=found.guardrail_id,
        rule_id=found.rule_id,
        fingerprint=digest,
        match_id=found.match_id,
        entity=found.entity,
        author_id=actor_id,
        created_at_us=now_us,
        revision=0,
    )


def shown(item: Suppression) -> dict[str, Any]:
    """A suppression as the API shows it. Times in Unix seconds."""
    return {
        "id": item.id,
        "guardrail_id": item.guardrail_id,
        "rule_id": item.rule_id,
        "fingerprint": item.fingerprint,
        "match_id": item.match_id,
        "entity": item.entity,
        "author_id": item.author_id,
        "created_time": item.created_at_us // 1_000_000,
    }
