"""Every workspace's guardrails, compiled, in memory; kept current by polling the own database.

Fail closed: a snapshot that was never loaded, that is older than the maximum age while the database is down,
or that lags while the database answers, raises Unavailable rather than judging by an old policy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.storage import Database, read_counter
from services.common.telemetry import SNAPSHOT_READ
from services.guardrail.domain.resolution import CompiledGuardrail, Resolution, resolve
from services.guardrail.domain.tally import NOTHING_SUPPRESSED, Suppressed
from services.guardrail.sealing import SecretBox
from services.guardrail.storage import queries, rule_secrets, suppressions
from services.guardrail.storage.tables import counter

log = logging.getLogger("orca.guardrail")

POLL_S = 0.25
LAG_MAX_S = 5.0
COMPILED_MAX = 4096
"""Compiled versions kept for streams that began under an older one."""


@dataclass(slots=True)
class Workspace:
    """The guardrails of one workspace; replaced whole on a change."""

    by_id: dict[str, CompiledGuardrail] = field(default_factory=dict)
    default: CompiledGuardrail | None = None


_EMPTY = Workspace()


class Snapshot:
    """Answers from memory; `refresh` after a local write makes it effective at once."""

    def __init__(self, database: Database, clock: Clock, box: SecretBox, *, max_age_s: float) -> None:
        self._database = database
        self._box = box
        self._clock = clock
        self._max_age_s = max_age_s
        self._workspaces: dict[str, Workspace] = {}
        self._suppressed: dict[str, dict[str, frozenset[str]]] = {}
        self._compiled: OrderedDict[tuple[str, int], CompiledGuardrail] = OrderedDict()
        self._revision = 0
        self._read_at_s: float | None = None
        self._database_down = False
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads once, then polls. A database that is down at the start leaves the plane unavailable, not wrong."""
        with contextlib.suppress(Unavailable):
            await self.refresh()
        self._task = asyncio.create_task(self._poll(), name="guardrail-snapshot")

    async def stop(self) -> None:
        """Ends polling."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def ready(self) -> bool:
        """True while requests would be judged."""
        return self._fresh()

    def resolve(self, workspace_id: str, guardrail_id: str) -> Resolution:
        """The guardrail that applies. Raises Unavailable when the snapshot is too old."""
        if not self._fresh():
            raise Unavailable("the guardrail snapshot is out of date", code="policy_unavailable", retry_after_s=1.0)
        return resolve(self._workspaces.get(workspace_id, _EMPTY), guardrail_id)

    def version(self, guardrail_id: str, version: int) -> CompiledGuardrail | None:
        """One version, if it is still cached."""
        return self._compiled.get((guardrail_id, version))

    def suppressed(self, workspace_id: str) -> Suppressed:
        """Fingerprints marked as false positives in a workspace, by rule id."""
        return self._suppressed.get(workspace_id, NOTHING_SUPPRESSED)

    def _fresh(self) -> bool:
        if self._read_at_s is None:
            return False
        age_s = self._clock.monotonic_s() - self._read_at_s
        return age_s <= (self._max_age_s if self._database_down else LAG_MAX_S)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except Unavailable as error:
                log.warning("guardrail database is down", extra={"error_class": type(error).__name__})
            except Exception as error:
                # A bug must not end polling: the snapshot then ages and the plane closes by itself.
                log.error("guardrail snapshot failed", extra={"error_class": type(error).__name__})

    async def refresh(self) -> None:
        """Reads what changed. Raises Unavailable when the database is down."""
        async with self._lock:
            started_s = self._clock.monotonic_s()
            try:
                async with self._database.read() as conn:
                    # Revisions are committed in their order, so everything up to the counter is visible.
                    upto = await read_counter(conn, counter)
                    changed: list[queries.Stored] = []
                    changed_suppressions: list[suppressions.Suppression] = []
                    sealed: dict[str, dict[str, bytes]] = {}
                    if upto != self._revision:
                        changed = await queries.changed_since(conn, self._revision, upto)
                        changed_suppressions = await suppressions.suppressions_since(conn, self._revision, upto)
                        sealed = await rule_secrets.secrets_of(conn, (stored.guardrail.id for stored in changed))
            except Unavailable:
                self._database_down = True
                raise
            self._suppress(changed_suppressions)
            await self._apply(changed, sealed)
            self._revision = upto
            self._read_at_s = started_s
            SNAPSHOT_READ.labels("guardrail").set(self._clock.now_us() / 1_000_000)
            self._database_down = False

    def _suppress(self, changed: list[suppressions.Suppression]) -> None:
        for item in changed:
            rules = dict(self._suppressed.get(item.workspace_id, {}))
            before = rules.pop(item.rule_id, frozenset())
            after = before - {item.fingerprint} if item.deleted else before | {item.fingerprint}
            if after:
                rules[item.rule_id] = after
            self._suppressed[item.workspace_id] = rules

    def _opened(self, sealed: dict[str, bytes]) -> dict[str, str]:
        opened = {rule_id: self._box.open(rule_id, value) for rule_id, value in sealed.items()}
        return {rule_id: secret for rule_id, secret in opened.items() if secret is not None}

    async def _apply(self, changed: list[queries.Stored], sealed: dict[str, dict[str, bytes]]) -> None:
        touched: dict[str, dict[str, CompiledGuardrail]] = {}
        for stored in changed:
            guardrail = stored.guardrail
            current = self._workspaces.get(guardrail.workspace_id, _EMPTY)
            by_id = touched.setdefault(guardrail.workspace_id, dict(current.by_id))
            if stored.deleted:
                by_id.pop(guardrail.id, None)
            else:
                # Compiling many patterns takes milliseconds; requests go on meanwhile.
                compiled = await asyncio.to_thread(
                    CompiledGuardrail, guardrail, self._opened(sealed.get(guardrail.id, {}))
                )
                by_id[guardrail.id] = compiled
                self._compiled[guardrail.id, guardrail.version] = compiled
        for workspace_id, by_id in touched.items():
            default = next((item for item in by_id.values() if item.guardrail.is_default), None)
            self._workspaces[workspace_id] = Workspace(by_id, default)
        while len(self._compiled) > COMPILED_MAX:
            self._compiled.popitem(last=False)
