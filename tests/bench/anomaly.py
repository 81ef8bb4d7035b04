"""Anomaly quality and speed, measured: `make bench-anomaly`.

Simulated tenants of five kinds live eight weeks of hourly history and then TEST_WEEKS minute by minute, with labelled
5× spikes of twelve minutes. The scorer is the service's own; episodes are opened and closed by the same rules. Prints
precision, recall, delay and false alerts per tenant-week, and how long 100,000 series take.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from services.analytics.domain.anomaly.live import HISTORY_HOURS, baselines, score

Floats = NDArray[np.float64]

KINDS = ("diurnal", "weekly", "bursty", "growing", "holiday")
TEST_WEEKS = 2
WEEK_MIN = 7 * 24 * 60
SPIKE_MIN = 12
SPIKE_FACTOR = 5.0
SPIKES_PER_WEEK = 3
EXPECTING = 30.0
FLOOR = 30.0
QUIET_MIN = 10
# Alerts this long after a spike are still about it: the long span looks back an hour.
AFTER_MIN = 60


@dataclass
class Tenant:
    kind: str
    rate: Floats
    seen: Floats
    spikes: list[int]


def tenant(kind: str, rng: np.random.Generator) -> Tenant:
    """Minutes of ten weeks: the rate per minute and what was seen, with spikes in the last weeks."""
    weeks = HISTORY_HOURS // 168 + TEST_WEEKS
    minute = np.arange(weeks * WEEK_MIN)
    hour = minute / 60 % 24
    day = minute // 1440 % 7
    base = float(np.exp(rng.uniform(np.log(3), np.log(60))))
    depth, peak = rng.uniform(0.5, 0.9), rng.uniform(9, 18)
    rate = base * (1 + depth * np.cos(2 * np.pi * (hour - peak) / 24))
    if kind in ("weekly", "growing", "holiday"):
        rate = np.where(day >= 5, rate * rng.uniform(0.15, 0.5), rate)
    if kind == "growing":
        rate = rate * 1.12 ** (minute / WEEK_MIN)
    if kind == "bursty":
        steps = rng.normal(0, 1, len(minute))
        keep, wave, value = np.exp(-1 / 20), np.empty(len(minute)), 0.0
        noise = steps * np.sqrt(1 - keep**2)
        for index in range(len(minute)):
            value = keep * value + noise[index]
            wave[index] = value
        rate = rate * np.exp(0.35 * wave - 0.06)
    daily = rng.gamma(100, 0.01, weeks * 7)
    rate = rate * daily[minute // 1440]
    if kind == "holiday":
        off = (weeks - TEST_WEEKS) * 7 + int(rng.integers(0, 5))
        rate = np.where(minute // 1440 == off, rate * 0.3, rate)
    seen = rng.poisson(rate * rng.gamma(20, 0.05, len(minute))).astype(np.float64)
    spikes: list[int] = []
    first = (weeks - TEST_WEEKS) * WEEK_MIN
    for index in range(TEST_WEEKS * SPIKES_PER_WEEK):
        window = TEST_WEEKS * WEEK_MIN // (TEST_WEEKS * SPIKES_PER_WEEK)
        at = first + index * window + int(rng.integers(120, window - 240))
        seen[at : at + SPIKE_MIN] = rng.poisson(SPIKE_FACTOR * rate[at : at + SPIKE_MIN])
        spikes.append(at)
    return Tenant(kind, rate, seen, spikes)


def fired(tenants: list[Tenant]) -> NDArray[np.bool_]:
    """Whether each tenant's series fires, per minute of the test weeks."""
    seen = np.stack([one.seen for one in tenants])
    total = np.concatenate([np.zeros((len(tenants), 1)), np.cumsum(seen, axis=1)], axis=1)
    hourly = seen.reshape(len(tenants), -1, 60).sum(axis=2)
    first = seen.shape[1] - TEST_WEEKS * WEEK_MIN
    flags = np.zeros((len(tenants), TEST_WEEKS * WEEK_MIN), dtype=np.bool_)
    past_alarm = np.zeros(hourly.shape, dtype=np.bool_)
    base = None
    for offset in range(TEST_WEEKS * WEEK_MIN):
        now = first + offset + 1  # the minute is over
        if base is None or now % 60 == 0:
            hour = now // 60
            history = hourly[:, hour - HISTORY_HOURS : hour].copy()
            history[past_alarm[:, hour - HISTORY_HOURS : hour]] = np.nan
            whole = hour * 60
            fives = seen[:, whole - 1440 : whole].reshape(len(tenants), -1, 5).sum(axis=2)
            base = baselines(history, count=True).measured(fives)
        result = score(
            total[:, now] - total[:, now - 5], total[:, now] - total[:, now - 60], now % 60, base,
            count=True, floor=FLOOR,
        )  # fmt: skip
        flags[:, offset] = result.fired
        past_alarm[result.fired, (now - 1) // 60] = True
    return flags


def episodes(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Starts and last firing minutes, joined over quiet stretches shorter than an episode's end."""
    found: list[list[int]] = []
    for minute in np.flatnonzero(flags):
        if found and minute - found[-1][1] < QUIET_MIN:
            found[-1][1] = int(minute)
        else:
            found.append([int(minute), int(minute)])
    return [(start, end) for start, end in found]


def quality(per_kind: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tenants = [tenant(kind, rng) for kind in KINDS for _ in range(per_kind)]
    flags = fired(tenants)
    first = len(tenants[0].seen) - TEST_WEEKS * WEEK_MIN
    print(f"{'kind':9} spikes recall precision delay_p50 delay_p95 false/tenant-week  (5x spikes of {SPIKE_MIN} min)")
    for kind in (*KINDS, "all"):
        hit = missed = false = alerts = 0
        delays: list[int] = []
        chosen = [(one, flag) for one, flag in zip(tenants, flags, strict=True) if kind in (one.kind, "all")]
        for one, flag in chosen:
            found = episodes(flag)
            alerts += len(found)
            spans = [(at - first, at - first + SPIKE_MIN + AFTER_MIN) for at in one.spikes]
            false += sum(1 for start, _ in found if not any(a <= start < b for a, b in spans))
            for at in one.spikes:
                if one.rate[at : at + 5].sum() < EXPECTING:
                    continue
                times = np.flatnonzero(flag[at - first : at - first + SPIKE_MIN])
                if len(times):
                    hit += 1
                    delays.append(int(times[0]) + 1)
                else:
                    missed += 1
        weeks = len(chosen) * TEST_WEEKS
        p50, p95 = np.percentile(delays, (50, 95)) if delays else (float("nan"),) * 2
        print(
            f"{kind:9} {hit + missed:6} {hit / max(hit + missed, 1):6.3f} {1 - false / max(alerts, 1):9.3f} "
            f"{p50:9.1f} {p95:9.1f} {false / weeks:17.3f}"
        )


def speed(series: int) -> None:
    rng = np.random.default_rng(7)
    history = rng.poisson(40.0, (2_000, HISTORY_HOURS)).astype(np.float64)
    started = time.perf_counter()
    base = baselines(history, count=True)
    learned = (time.perf_counter() - started) * series / len(history)
    repeat = -(-series // len(history))
    many = type(base)(
        *(np.tile(getattr(base, name), repeat)[:series] for name in (field.name for field in fields(base)))
    )
    short, long = rng.poisson(4.0, series).astype(float), rng.poisson(40.0, series).astype(float)
    started = time.perf_counter()
    score(short, long, 17, many, count=True, floor=FLOOR)
    scored = time.perf_counter() - started
    print(f"{series} series: scored in {scored:.2f} s (target < 5 s); baselines learned in {learned:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=12, help="per kind")
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    quality(args.tenants, args.seed)
    speed(args.series)


if __name__ == "__main__":
    main()
