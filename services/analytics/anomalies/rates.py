"""Rates and costs of all series in the last minutes, scored against their baselines.

A series is a workspace's or a key's request rate, cost, tokens or blocked rate, or the call rate of one tool in a
workspace. Only series above their floor need a baseline; it is learned once an hour and kept until the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from services.analytics.configuration import Workspaces
from services.analytics.domain.anomaly import live
from services.analytics.domain.anomaly.calendar import HOUR_S, Ints, local_seconds
from services.analytics.domain.anomaly.episodes import Firing
from services.analytics.domain.anomaly.live import HISTORY_HOURS, LONG_MIN, SHORT_MIN, Baselines
from services.analytics.domain.anomaly.profile import Floats
from services.analytics.ports import ColumnStore

MINUTE_S = 60
SERIES_MAX = 100_000
# Baselines learned in one minute; the largest series come first, the rest follow in the next minutes.
LEARN_MAX = 5_000
LEARN_CHUNK = 500
FIVES = 288


@dataclass(frozen=True, slots=True)
class Metric:
    """What a rate must reach in five minutes to be worth an alert, and how it is scored."""

    kind: str
    floor: float
    count: bool


METRICS: Mapping[str, Metric] = {
    "requests": Metric("rate_spike", 30.0, True),
    "blocked": Metric("rate_spike", 10.0, True),
    "calls": Metric("rate_spike", 30.0, True),
    "tokens": Metric("rate_spike", 20_000.0, False),
    # Nano-USD: five cents.
    "cost": Metric("burn_spike", 50_000_000.0, False),
}


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """`key_id` and `tool` are empty for a whole workspace."""

    workspace_id: str
    metric: str
    key_id: str = ""
    tool: str = ""

    @property
    def name(self) -> str:
        """Unique within the workspace."""
        if self.tool:
            return f"{self.metric}:tool:{self.tool}"
        return f"{self.metric}:key:{self.key_id}" if self.key_id else f"{self.metric}:workspace"


_OBSERVED = """
SELECT workspace_id, metric, key_id, tool, sumIf(value, bucket >= toDateTime({short:Int64}, 'UTC')), sum(value)
FROM activity_minutely
WHERE bucket >= toDateTime({long:Int64}, 'UTC') AND bucket < toDateTime({now:Int64}, 'UTC')
  AND has({metrics:Array(String)}, metric)
GROUP BY workspace_id, metric, key_id, tool LIMIT {most:UInt32}
"""


def _grouped(table: str, columns: Sequence[str], step: str) -> str:
    """Sums per step of chosen series, as two arrays per series; constants of this module only."""
    names = "".join(f", {column}" for column in columns)
    only = "".join(f" AND has({{{column}s:Array(String)}}, {column})" for column in columns)
    return (
        f"SELECT workspace_id, metric{names}, groupArray(at), groupArray(total) FROM ("  # noqa: S608
        f"SELECT workspace_id, metric{names}, toUnixTimestamp({step}) AS at, sum(value) AS total FROM {table} "
        "WHERE has({workspaces:Array(String)}, workspace_id) AND has({metrics:Array(String)}, metric) "
        "AND bucket >= toDateTime({since:Int64}, 'UTC') AND bucket < toDateTime({until:Int64}, 'UTC')"
        f"{only} GROUP BY workspace_id, metric{names}, at) GROUP BY workspace_id, metric{names}"
    )


_PAST_EPISODES = """
SELECT workspace_id, series, toUnixTimestamp(min(occurred_at)), toUnixTimestamp(max(occurred_at)) FROM anomalies
WHERE has({workspaces:Array(String)}, workspace_id) AND occurred_at >= toDateTime({since:Int64}, 'UTC')
  AND kind IN ('rate_spike', 'burn_spike')
GROUP BY workspace_id, series, id LIMIT 100000
"""


class Rates:
    """Scores all series; keeps their baselines for the running hour."""

    def __init__(self, store: ColumnStore, workspaces: Workspaces) -> None:
        self._store = store
        self._workspaces = workspaces
        self._hour = -1
        self._baselines: dict[Series, Baselines] = {}

    async def firings(self, now_s: int) -> list[Firing]:
        """What fires at this minute's start. Raises StoreUnavailable."""
        now_s -= now_s % MINUTE_S
        if now_s // HOUR_S != self._hour:
            self._hour, self._baselines = now_s // HOUR_S, {}
        observed = await self._observed(now_s)
        busy = {series: seen for series, seen in observed.items() if _scored(series, seen)}
        missing = sorted((one for one in busy if one not in self._baselines), key=lambda one: -busy[one][1])
        for start in range(0, min(len(missing), LEARN_MAX), LEARN_CHUNK):
            await self._learn(missing[start : start + LEARN_CHUNK], now_s)
        found: list[Firing] = []
        for count in (True, False):
            chosen = [one for one in busy if one in self._baselines and METRICS[one.metric].count is count]
            found += self._score(chosen, busy, observed, now_s, count=count)
        return found

    def _score(
        self, chosen: Sequence[Series], busy: Mapping[Series, tuple[float, float]],
        observed: Mapping[Series, tuple[float, float]], now_s: int, *, count: bool,
    ) -> list[Firing]:  # fmt: skip
        if not chosen:
            return []
        base = _stacked([self._baselines[series] for series in chosen])
        short = np.array([busy[series][0] for series in chosen])
        long = np.array([busy[series][1] for series in chosen])
        floor = np.array([METRICS[series.metric].floor for series in chosen])
        scores = live.score(short, long, now_s % HOUR_S // MINUTE_S, base, count=count, floor=floor)
        found: list[Firing] = []
        for index in np.flatnonzero(scores.fired).tolist():
            series = chosen[index]
            key_id, tool = _top(series, observed)
            found.append(
                Firing(
                    series.workspace_id, METRICS[series.metric].kind, series.name, float(scores.observed[index]),
                    float(scores.expected[index]), float(scores.z[index]), float(scores.probability[index]),
                    int(base.weeks[index]), key_id, tool,
                )
            )  # fmt: skip
        return found

    async def _observed(self, now_s: int) -> dict[Series, tuple[float, float]]:
        rows = await self._store.query(
            _OBSERVED,
            {"short": now_s - SHORT_MIN * MINUTE_S, "long": now_s - LONG_MIN * MINUTE_S, "now": now_s,
             "metrics": list(METRICS), "most": SERIES_MAX},
        )  # fmt: skip
        found: defaultdict[Series, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for workspace_id, metric, key_id, tool, short, long in rows:
            names = (
                [Series(workspace_id, metric, tool=tool)] if metric == "calls"
                else [Series(workspace_id, metric), Series(workspace_id, metric, key_id)]
            )  # fmt: skip
            for series in names:
                found[series][0] += float(short)
                found[series][1] += float(long)
            if metric == "calls" and key_id:
                # Kept for naming a key's top tool only; not a series of its own.
                found[Series(workspace_id, metric, key_id, tool)][0] += float(short)
        return {series: (seen[0], seen[1]) for series, seen in found.items()}

    async def _learn(self, wanted: Sequence[Series], now_s: int) -> None:
        """Baselines of these series from the hours before the running one. Sparse answers are zeros."""
        hour_s = now_s - now_s % HOUR_S
        history = await self._history(wanted, hour_s)
        day_s = hour_s - FIVES * SHORT_MIN * MINUTE_S
        fives = np.zeros((len(wanted), FIVES))
        index = {series: row for row, series in enumerate(wanted)}
        async for series, times, totals in self._read(
            "activity_minutely", "toStartOfFiveMinutes(bucket)", wanted, day_s, hour_s
        ):
            fives[index[series], (np.array(times) - day_s) // (SHORT_MIN * MINUTE_S)] = totals
        for count in (True, False):
            rows = [row for row, series in enumerate(wanted) if METRICS[series.metric].count is count]
            if rows:
                learned = live.baselines(history[rows], count=count).measured(fives[rows])
                for position, row in enumerate(rows):
                    self._baselines[wanted[row]] = _one(learned, position)

    async def _history(self, wanted: Sequence[Series], hour_s: int) -> Floats:
        # An extra hour on either side covers changes to and from summer time.
        since = hour_s - (HISTORY_HOURS + 2) * HOUR_S
        history = np.full((len(wanted), HISTORY_HOURS), np.nan)
        index = {series: row for row, series in enumerate(wanted)}
        async for series, times, totals in self._read("activity_hourly", "bucket", wanted, since, hour_s):
            place = self._hours_ago(series, np.array(times, dtype=np.int64), hour_s)
            inside = (place >= 0) & (place < HISTORY_HOURS)
            row = history[index[series]]
            # From its first event on, an hour without a row is an hour without events.
            row[max(0, int(place.min())) :] = 0.0
            np.add.at(row, place[inside], np.array(totals, dtype=np.float64)[inside])
        parameters = {"workspaces": sorted({series.workspace_id for series in wanted}), "since": since}
        named = {(series.workspace_id, series.name): series for series in wanted}
        for workspace_id, name, first, last in await self._store.query(_PAST_EPISODES, parameters):
            damped = named.get((workspace_id, name))
            if damped is not None:
                hours = np.arange(first - first % HOUR_S, last + 1, HOUR_S, dtype=np.int64)
                place = self._hours_ago(damped, hours, hour_s)
                history[index[damped], place[(place >= 0) & (place < HISTORY_HOURS)]] = np.nan
        return history

    def _hours_ago(self, series: Series, at_s: Ints, hour_s: int) -> Ints:
        """Column of each hour, by wall clock: the last complete hour is the last column."""
        zone = self._workspaces.zone(series.workspace_id)
        now = local_seconds(np.array([hour_s], dtype=np.int64), zone)[0]
        return np.asarray(HISTORY_HOURS + (local_seconds(at_s, zone) - now) // HOUR_S)

    async def _read(
        self, table: str, step: str, wanted: Sequence[Series], since: int, until: int
    ) -> AsyncIterator[tuple[Series, Sequence[int], Sequence[int]]]:
        """(series, times, totals) of wanted series, one query per shape of series."""
        for columns in ((), ("key_id",), ("tool",)):
            shaped = {series for series in wanted if _shape(series) == columns}
            if not shaped:
                continue
            parameters = {
                "workspaces": sorted({series.workspace_id for series in shaped}),
                "metrics": sorted({series.metric for series in shaped}), "since": since, "until": until,
                **{f"{column}s": sorted({getattr(series, column) for series in shaped}) for column in columns},
            }  # fmt: skip
            for row in await self._store.query(_grouped(table, columns, step), parameters):
                series = Series(row[0], row[1], **dict(zip(columns, row[2:-2], strict=True)))
                if series in shaped:
                    yield series, row[-2], row[-1]


def _scored(series: Series, seen: tuple[float, float]) -> bool:
    floor = METRICS[series.metric].floor
    return not (series.key_id and series.tool) and (seen[0] >= floor or seen[1] >= live.LONG_FLOOR * floor)


def _shape(series: Series) -> tuple[str, ...]:
    if series.tool:
        return ("tool",)
    return ("key_id",) if series.key_id else ()


def _top(series: Series, observed: Mapping[Series, tuple[float, float]]) -> tuple[str, str]:
    """The key and tool that contribute most to the series now, as far as it does not name them itself."""

    def largest(candidates: Iterable[Series]) -> Series | None:
        return max(candidates, key=lambda one: (observed[one][0], one), default=None)

    mine = [one for one in observed if one.workspace_id == series.workspace_id and one.key_id]
    key_id = series.key_id
    if not key_id:
        of_metric = largest(
            one for one in mine if one.metric == series.metric and (not series.tool or one.tool == series.tool)
        )
        key_id = of_metric.key_id if of_metric else ""
    tool = series.tool
    if not tool:
        of_key = largest(one for one in mine if one.metric == "calls" and one.key_id == key_id)
        tool = of_key.tool if of_key else ""
    return key_id, tool


_NAMES = tuple(field.name for field in fields(Baselines))


def _stacked(parts: Sequence[Baselines]) -> Baselines:
    return Baselines(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))


def _one(learned: Baselines, position: int) -> Baselines:
    return Baselines(*(getattr(learned, name)[position : position + 1] for name in _NAMES))
