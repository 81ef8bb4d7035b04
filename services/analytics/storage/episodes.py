"""Episodes and the lease of the minute job. An episode's step and its event are one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from orca.events.v1.events_pb2 import Anomaly, Envelope
from services.analytics.domain.anomaly.episodes import Episode, Firing, advance
from services.analytics.events import ANOMALIES
from services.analytics.storage.tables import EPISODES, JOB_LEASES, OUTBOX
from services.common.clock import Clock
from services.common.ids import new_id
from services.common.storage import Database, insert_for, outbox_add, upsert

LEASE_US = 150_000_000
KEPT_US = 90 * 86_400 * 1_000_000


class EpisodeStore:
    """The `episodes` and `job_leases` tables."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner

    async def lead(self, job: str) -> bool:
        """Whether this replica runs the job now; a lease that was not renewed is taken over. Raises Unavailable."""
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            statement = insert_for(tx)(JOB_LEASES).values(name=job, owner=self._owner, until_us=now_us + LEASE_US)
            free = sa.or_(JOB_LEASES.c.owner == self._owner, JOB_LEASES.c.until_us < now_us)
            changed = {"owner": self._owner, "until_us": now_us + LEASE_US}
            statement = statement.on_conflict_do_update(index_elements=["name"], set_=changed, where=free)
            return bool((await tx.execute(statement)).rowcount)

    async def apply(self, firings: Sequence[Firing]) -> list[tuple[str, str]]:
        """Advances all episodes by one minute; returns (series, state) of what is told. Raises Unavailable."""
        now_us = self._clock.now_us()
        fired: Mapping[tuple[str, str], Firing] = {(one.workspace_id, one.series): one for one in firings}
        told: list[tuple[str, str]] = []
        async with self._database.write() as tx:
            await tx.execute(EPISODES.delete().where(EPISODES.c.closed_at_us < now_us - KEPT_US))
            wanted = [one.series for one in fired.values()]
            where = sa.or_(EPISODES.c.closed_at_us.is_(None), EPISODES.c.series.in_(wanted))
            rows = (await tx.execute(sa.select(EPISODES).where(where))).all()
            known = {(row.workspace_id, row.series): _episode(row) for row in rows}
            for identity in sorted({*fired, *known}):
                firing, before = fired.get(identity), known.get(identity)
                after, state = advance(before, firing, now_us, new_id("an"))
                if after is None or after == before:
                    continue
                await upsert(tx, EPISODES, {name: getattr(after, name) for name in _FIELDS})
                if state is not None:
                    told.append((after.series, state))
                    envelope = _event(after, firing, state, now_us)
                    await outbox_add(tx, OUTBOX, topic=ANOMALIES, key=after.workspace_id, envelope=envelope)
        return told


_FIELDS = (
    "anomaly_id", "workspace_id", "kind", "series", "opened_at_us", "fired_at_us", "told_observed", "closed_at_us",
)  # fmt: skip


def _episode(row: sa.Row[tuple[object, ...]]) -> Episode:
    return Episode(**{name: getattr(row, name) for name in _FIELDS})


def _event(episode: Episode, firing: Firing | None, state: str, now_us: int) -> Envelope:
    anomaly = Anomaly(id=episode.anomaly_id, kind=episode.kind, series=episode.series, state=state,
                      observed=episode.told_observed)  # fmt: skip
    envelope = Envelope(
        event_id=new_id("ev"), occurred_at_unix_us=now_us, workspace_id=episode.workspace_id, schema_version=1
    )
    if firing is not None:
        envelope.key_id, envelope.run_id = firing.key_id, firing.run_id
        anomaly.observed, anomaly.expected, anomaly.score = firing.observed, firing.expected, firing.score
        anomaly.probability, anomaly.baseline_weeks = firing.probability, firing.baseline_weeks
        anomaly.tool_name, anomaly.detail = firing.tool_name, firing.detail
    envelope.anomaly.CopyFrom(anomaly)
    return envelope
