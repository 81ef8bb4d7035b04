"""Every workspace's guardrails, compiled, and suppressions, in memory; `PolledSnapshot` keeps them current."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.storage import Database, PolledSnapshot
from services.guardrail.domain.resolution import CompiledGuardrail, Resolution, resolve
from services.guardrail.domain.tally import NOTHING_SUPPRESSED, Suppressed
from services.guardrail.sealing import SecretBox
from services.guardrail.storage import queries, rule_secrets, suppressions
from services.guardrail.storage.tables import counter

COMPILED_MAX = 4096
"""Compiled versions kept for streams that began under an older one."""


@dataclass(slots=True)
class Workspace:
    """The guardrails of one workspace; replaced whole on a change."""

    by_id: dict[str, CompiledGuardrail] = field(default_factory=dict)
    default: CompiledGuardrail | None = None


_EMPTY = Workspace()


@dataclass(frozen=True, slots=True)
class _Changes:
    guardrails: Sequence[queries.Stored]
    suppressions: Sequence[suppressions.Suppression]
    sealed: Mapping[str, Mapping[str, bytes]]


class Snapshot(PolledSnapshot[_Changes]):
    """Answers from memory."""

    def __init__(self, database: Database, clock: Clock, box: SecretBox, *, max_age_s: float) -> None:
        super().__init__(database, counter, clock, service="guardrail", max_age_s=max_age_s)
        self._box = box
        self._workspaces: dict[str, Workspace] = {}
        self._suppressed: dict[str, dict[str, frozenset[str]]] = {}
        self._compiled: OrderedDict[tuple[str, int], CompiledGuardrail] = OrderedDict()

    def resolve(self, workspace_id: str, guardrail_id: str) -> Resolution:
        """The guardrail that applies. Raises Unavailable when the snapshot is too old."""
        self.require()
        return resolve(self._workspaces.get(workspace_id, _EMPTY), guardrail_id)

    def version(self, guardrail_id: str, version: int) -> CompiledGuardrail | None:
        """One version, if it is still cached."""
        return self._compiled.get((guardrail_id, version))

    def suppressed(self, workspace_id: str) -> Suppressed:
        """Fingerprints marked as false positives in a workspace, by rule id."""
        return self._suppressed.get(workspace_id, NOTHING_SUPPRESSED)

    async def _read(self, conn: AsyncConnection, after: int, upto: int) -> _Changes:
        changed = await queries.guardrails.changed(conn, after, upto)
        return _Changes(
            changed,
            await suppressions.suppressions_since(conn, after, upto),
            await rule_secrets.secrets_of(conn, (stored.policy.id for stored in changed)),
        )

    def _suppress(self, changed: Sequence[suppressions.Suppression]) -> None:
        for item in changed:
            rules = dict(self._suppressed.get(item.workspace_id, {}))
            before = rules.pop(item.rule_id, frozenset())
            after = before - {item.fingerprint} if item.deleted else before | {item.fingerprint}
            if after:
                rules[item.rule_id] = after
            self._suppressed[item.workspace_id] = rules

    def _opened(self, sealed: Mapping[str, bytes]) -> dict[str, str]:
        opened = {rule_id: self._box.open(rule_id, value) for rule_id, value in sealed.items()}
        return {rule_id: secret for rule_id, secret in opened.items() if secret is not None}

    async def _apply(self, changes: _Changes) -> None:
        self._suppress(changes.suppressions)
        touched: dict[str, dict[str, CompiledGuardrail]] = {}
        for stored in changes.guardrails:
            guardrail = stored.policy
            current = self._workspaces.get(guardrail.workspace_id, _EMPTY)
            by_id = touched.setdefault(guardrail.workspace_id, dict(current.by_id))
            if stored.deleted:
                by_id.pop(guardrail.id, None)
            else:
                # Compiling many patterns takes milliseconds; requests go on meanwhile.
                compiled = await asyncio.to_thread(
                    CompiledGuardrail, guardrail, self._opened(changes.sealed.get(guardrail.id, {}))
                )
                by_id[guardrail.id] = compiled
                self._compiled[guardrail.id, guardrail.version] = compiled
        for workspace_id, by_id in touched.items():
            default = next((item for item in by_id.values() if item.guardrail.is_default), None)
            self._workspaces[workspace_id] = Workspace(by_id, default)
        while len(self._compiled) > COMPILED_MAX:
            self._compiled.popitem(last=False)
