"""Once a minute, on one replica: find, fold into episodes, tell. After a failure the next minute tries again."""

from __future__ import annotations

import asyncio
import logging

from prometheus_client import Counter, Histogram

from services.analytics.anomalies.calls import Calls
from services.analytics.anomalies.rates import Rates
from services.analytics.configuration import Workspaces
from services.analytics.storage.episodes import EpisodeStore
from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.storage import OutboxPublisher
from services.common.tasks import end_task

log = logging.getLogger("orca.analytics")

JOB = "anomalies"
MINUTE_S = 60
# Events of the minute are in their tables by then.
DELAY_S = 3

TOLD = Counter("orca_analytics_anomalies_total", "Anomaly episodes told, by state.", ["state"])
SECONDS = Histogram("orca_analytics_anomaly_seconds", "Duration of one minute's scoring.")


class AnomalyJob:
    """The loop and one minute of it."""

    def __init__(
        self, rates: Rates, calls: Calls, episodes: EpisodeStore, workspaces: Workspaces, publisher: OutboxPublisher,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._rates = rates
        self._calls = calls
        self._episodes = episodes
        self._workspaces = workspaces
        self._publisher = publisher
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the loop."""
        self._task = asyncio.create_task(self._run(), name="anomalies")

    async def stop(self) -> None:
        """Stops after the minute under way."""
        await end_task(self._task)

    async def minute(self) -> list[tuple[str, str]]:
        """One minute: what was told, as (series, state). Raises Unavailable."""
        await self._workspaces.refresh()
        now_us = self._clock.now_us()
        firings = [*await self._rates.firings(now_us // 1_000_000), *await self._calls.firings(now_us)]
        told = await self._episodes.apply(firings)
        for _, state in told:
            TOLD.labels(state).inc()
        if told:
            self._publisher.notify()
        return told

    async def _run(self) -> None:
        while True:
            now_s = self._clock.now_us() / 1_000_000
            await asyncio.sleep(MINUTE_S - (now_s - DELAY_S) % MINUTE_S)
            try:
                if await self._episodes.lead(JOB):
                    with SECONDS.time():
                        await self.minute()
            except Unavailable as error:
                log.warning("anomalies were not scored", extra={"error_class": type(error).__name__})
            except Exception as error:
                # Scoring is beside the point of ingestion: it must not take the service down.
                log.error("anomaly scoring failed", exc_info=error, extra={"error_class": type(error).__name__})
