"""The backtest at first sight: shapes as public series have them, drawn anew, which no constant was chosen on.

Each shape lives SHAPES[…].weeks; labelled windows are put behind its first five weeks (a short one: its first week).
A window is found when a bucket in it is anomalous; buckets that are no more than an hour apart are one alert, and an
alert outside every window (and the hour after it) is false. `python -m tests.bench.anomaly_shapes [--seed N]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.domain.anomaly.backtest import score

Floats = NDArray[np.float64]
Rng = np.random.Generator
START_S = 1_757_894_400  # 2025-09-15 00:00, a Monday
DAY_S, WEEK_S = 86_400, 604_800
COUNT_FLOOR = 10.0
SERIES = 6
AFTER_S = 3_600

# What happens in a window: (duration in hours, factor on the usual); several are drawn per series.
Event = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """Means per bucket from hour of day and day of week, noise around them, and what goes wrong."""

    width_s: int
    count: bool
    mean: Callable[[Floats, Floats, Rng], Floats]
    noise: Callable[[Floats, Rng], Floats]
    events: tuple[Event, ...]
    weeks: float = 12
    lost: float = 0.0
    trend: float = 0.0


def _poisson(dispersion: float) -> Callable[[Floats, Rng], Floats]:
    return lambda mean, rng: rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, len(mean))).astype(np.float64)


def _wander(share: float, hours: float, width_s: int) -> Callable[[Floats, Rng], Floats]:
    """Amounts that drift around their mean and come back within so many hours."""

    def noisy(mean: Floats, rng: Rng) -> Floats:
        keep = float(np.exp(-width_s / 3600 / hours))
        steps, wave, value = rng.normal(0, np.sqrt(1 - keep**2), len(mean)), np.empty(len(mean)), 0.0
        for index, step in enumerate(steps):
            value = keep * value + step
            wave[index] = value
        return np.asarray(mean * np.maximum(1 + share * wave + rng.normal(0, share / 4, len(mean)), 0.0))

    return noisy


def _zeros(dispersion: float) -> Callable[[Floats, Rng], Floats]:
    plain = _poisson(dispersion)
    return lambda mean, rng: plain(mean, rng) * (rng.random(len(mean)) > 0.5)


def _taxi(hour: Floats, day: Floats, rng: Rng) -> Floats:
    work = 6 + 9 * np.exp(-(((hour - 8.5) / 2.5) ** 2)) + 14 * np.exp(-(((hour - 19) / 3.5) ** 2))
    free = 5 + 11 * np.exp(-(((hour - 14) / 5) ** 2)) + 12 * np.exp(-((((hour + 12) % 24 - 12) / 2.5) ** 2))
    return np.asarray(np.where(day >= 5, free, work) * rng.uniform(600, 1_100))


def _cpu(hour: Floats, day: Floats, rng: Rng) -> Floats:
    backup = (day == 6) & (hour >= 2) & (hour < 4)
    return np.asarray(np.where(backup, 70, 22 + 14 * np.exp(-(((hour - 13) / 4) ** 2)) * (day < 5)))


def _office(hour: Floats, day: Floats, rng: Rng) -> Floats:
    return np.asarray(rng.uniform(80, 400) * (0.15 + np.exp(-(((hour - 13.5) / 3.5) ** 2))) * np.where(day < 5, 1, 0.3))


def _nightly(hour: Floats, day: Floats, rng: Rng) -> Floats:
    return np.asarray(np.where(np.floor(hour) == 2, rng.uniform(200, 800), 0.3))


def _flat(level: float) -> Callable[[Floats, Floats, Rng], Floats]:
    return lambda hour, day, rng: np.full(len(hour), level) * rng.uniform(0.8, 1.2)


SHAPES = {
    "taxi rides, half-hourly": Shape(1800, True, _taxi, _wander(0.05, 4, 1800), ((5, 1.9), (14, 0.3), (3, 2.5))),
    "machine temperature": Shape(300, False, _flat(85), _wander(0.08, 30, 300), ((6, 0.2), (12, 0.4), (3, 1.7))),
    "cpu, weekly backup": Shape(300, False, _cpu, _wander(0.1, 1, 300), ((3, 3.0), (1, 4.0), (5, 0.1))),
    "nightly job": Shape(3600, True, _nightly, _poisson(0.05), ((24, 0.0), (24, 5.0), (24, 5.0))),
    "growth of 12 % a week": Shape(3600, True, _office, _poisson(0.03), ((2, 4.0), (6, 2.5), (8, 0.1)), trend=0.12),
    "decline of 10 % a week": Shape(3600, True, _office, _poisson(0.03), ((2, 4.0), (6, 2.5), (8, 0.1)), trend=-0.1),
    "holidays": Shape(3600, True, _office, _poisson(0.03), ((24, 0.2), (24, 0.2), (3, 4.0))),
    "level doubles for good": Shape(3600, True, _office, _poisson(0.03), ((10_000, 2.2),)),
    "hours missing": Shape(3600, True, _office, _poisson(0.05), ((2, 5.0), (4, 4.0), (4, 3.0)), lost=0.2),
    "half zeros, 5 minutes": Shape(300, True, _office, _zeros(0.3), ((1, 6.0), (2, 5.0), (1, 8.0))),
    "sparse, 5 minutes": Shape(300, True, _flat(0.4), _poisson(0.2), ((1, 12.0), (2, 8.0), (1, 12.0))),
    "ten days only": Shape(3600, True, _office, _poisson(0.03), ((2, 5.0),), weeks=10 / 7),
}


def draw(shape: Shape, rng: Rng) -> tuple[NDArray[np.int64], Floats, list[tuple[int, int]]]:
    """Times, values (NaN = missing) and labelled windows [begin, end) in seconds."""
    at = START_S + shape.width_s * np.arange(int(shape.weeks * WEEK_S / shape.width_s), dtype=np.int64)
    hour, day = (at - START_S) % DAY_S / 3600, (at - START_S) // DAY_S % 7
    mean = shape.mean(hour, day.astype(np.float64), rng) * (1 + shape.trend) ** ((at - START_S) / WEEK_S)
    quiet_s = 5 * WEEK_S if shape.weeks > 6 else WEEK_S
    room_s = (at[-1] - START_S - quiet_s) // len(shape.events)
    windows: list[tuple[int, int]] = []
    for number, (hours, factor) in enumerate(shape.events):
        begin = START_S + quiet_s + number * room_s + int(rng.uniform(0.05, 0.6) * room_s)
        # By day, where there is something to multiply; whole days begin at midnight.
        begin = begin // DAY_S * DAY_S + (0 if hours >= 24 else int(rng.uniform(9, 15)) * 3600)
        end = begin + int(hours * 3600)
        mean = np.where((at >= begin) & (at < end), mean * factor, mean)
        # A change for good is news for a day.
        windows.append((begin, min(end, begin + DAY_S)))
    values = shape.noise(mean, rng)
    values = np.round(values) if shape.count else values
    for index in np.flatnonzero(rng.random(len(at)) < shape.lost / 4):
        values[index : index + 4] = np.nan
    return at, values, windows


def judge(at: NDArray[np.int64], flags: NDArray[np.bool_], windows: list[tuple[int, int]]) -> tuple[int, int, int]:
    """Windows found, alerts within windows, false alerts."""
    times = at[flags]
    found = sum(bool(((times >= begin) & (times < end)).any()) for begin, end in windows)
    begins = times[np.diff(times, prepend=-WEEK_S) > AFTER_S]
    true = sum(any(begin <= moment < end + AFTER_S for begin, end in windows) for moment in begins)
    return found, true, len(begins) - true


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20_261)
    args = parser.parse_args()
    print(f"{'shape':26} windows recall precision false/week")
    sums = np.zeros(4)
    for number, (name, shape) in enumerate(SHAPES.items()):
        rng = np.random.default_rng(args.seed + number)
        row = np.zeros(4)
        for _ in range(SERIES):
            at, values, windows = draw(shape, rng)
            floor = COUNT_FLOOR if shape.count else 0.0
            flags = score(at, values, width_s=shape.width_s, count=shape.count, floor=floor).anomalous
            row += (len(windows), *judge(at, flags, windows))
        sums += row
        weeks = SERIES * shape.weeks
        print(
            f"{name:26} {row[0]:7.0f} {row[1] / row[0]:6.2f} {precision(row):9.2f} {row[3] / weeks:10.2f}", flush=True
        )
    print(f"{'all':26} {sums[0]:7.0f} {sums[1] / sums[0]:6.2f} {precision(sums):9.2f}")


def precision(row: Floats) -> float:
    """True alerts of all; 1 without any."""
    return float(row[2] / (row[2] + row[3])) if row[2] + row[3] else 1.0


if __name__ == "__main__":
    main()
