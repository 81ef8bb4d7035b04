"""Many series at once, now: baselines from hourly history, trailing spans scored against them.

History is hourly and local: `history[S, 1344]`, the last complete hour last, NaN before a series began. Its first
column is the same hour of the week as the running hour, so that a profile's column 0 is the running hour and its
last column the hour before. Spans are scored against the expectation of exactly their minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from services.analytics.domain.anomaly import decision, tail
from services.analytics.domain.anomaly.backtest import COST_FREEDOM, QUIET_SHARE, YOUNG_DECAY, YOUNG_DISPERSION
from services.analytics.domain.anomaly.calendar import HOURS_PER_WEEK
from services.analytics.domain.anomaly.level import LEVEL_MAX, LEVEL_MIN, PRIOR_BUCKETS
from services.analytics.domain.anomaly.noise import (
    DISPERSION_PRIOR,
    TAIL_PRIOR_N,
    TAIL_SCALE_MIN,
    TAIL_SCALE_PRIOR,
    TAIL_SHARE,
    TAIL_START_PRIOR,
)
from services.analytics.domain.anomaly.profile import WEEKS_MAX, Floats, Masks, learn

# Scored every minute, spans of five minutes are about as many chances as if they did not overlap.
LEAST_Z = decision.rare(300)
HISTORY_HOURS = WEEKS_MAX * HOURS_PER_WEEK
HOURS_MIN = 48
NOISE_WEEKS = 4
NOISE_PRIOR_N = 24.0
LEVEL_HOURS = 48
FAST_HALF_LIFE_H = 3.0
SLOW_HALF_LIFE_H = 48.0
LEVEL_CAP = 3.0
DAY_LEVELS = (0.3, 3.0)
CHUNK = 2_000
SHORT_MIN = 5
LONG_MIN = 60
# Rates wander within the hour: what a short span has on top of the hour's dispersion, before it was measured.
SHORT_DISPERSION = 0.03
SHORT_PRIOR_HOURS = 4.0
SHORTS_PER_HOUR = 12
# A level below the profile may end any moment (a holiday does at midnight): it is followed by half.
LOW_LEVEL_POWER = 0.5
# The long span counts only while the short one shows that it still goes on.
STILL_GOING = 1.2
LONG_FLOOR = 2.0
_LN2 = math.log(2.0)


@dataclass(frozen=True, slots=True)
class Baselines:
    """Per series: hourly expectation now and in the hour before, noise, weeks of history; NaN = too little."""

    now: Floats
    before: Floats
    quiet: Floats
    dispersion: Floats
    tail_start: Floats
    tail_scale: Floats
    weeks: Floats
    short: Floats
    short_start: Floats
    short_scale: Floats

    def measured(self, fives: Floats) -> Baselines:
        """With the dispersion of 5-minute sums within their hours, from the last whole hours `fives[S, 12 × n]`."""
        dispersion = _short_dispersion(fives)
        start, scale = _short_tail(fives, dispersion)
        return replace(
            self, short=dispersion,
            short_start=np.maximum(start, self.tail_start), short_scale=np.maximum(scale, self.tail_scale),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scores:
    """Per series, of the span that says more: what was seen and expected, z and probability; NaN = no history."""

    observed: Floats
    expected: Floats
    z: Floats
    probability: Floats
    fired: Masks


def baselines(history: Floats, *, count: bool) -> Baselines:
    """Learns the series' baselines, in chunks that bound the memory."""
    parts = [_learn(history[start : start + CHUNK], count=count) for start in range(0, len(history), CHUNK)]
    names = [field.name for field in fields(Baselines)]
    return Baselines(*(np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]) for name in names))


def score(short: Floats, long: Floats, minute: int, base: Baselines, *, count: bool, floor: float | Floats) -> Scores:
    """Scores what the last 5 and 60 minutes held, `minute` minutes into the running hour (0: it just began)."""
    quick = _span(
        short, SHORT_MIN, minute, base, count=count, floor=floor, extra=base.short, start=base.short_start,
        scale=base.short_scale,
    )  # fmt: skip
    slow = _span(
        long, LONG_MIN, minute, base, count=count, floor=np.multiply(floor, LONG_FLOOR), extra=0.0,
        start=base.tail_start, scale=base.tail_scale,
    )  # fmt: skip
    going = short >= STILL_GOING * quick.expected
    slow_fired = slow.fired & going
    prefer = (slow_fired & ~quick.fired) | (slow_fired & (slow.z > quick.z))
    return Scores(
        np.where(prefer, slow.observed, quick.observed), np.where(prefer, slow.expected, quick.expected),
        np.where(prefer, slow.z, quick.z), np.where(prefer, slow.probability, quick.probability),
        quick.fired | slow_fired,
    )  # fmt: skip


def _span(
    observed: Floats, minutes: int, minute: int, base: Baselines, *, count: bool, floor: float | Floats,
    extra: float | Floats, start: Floats, scale: Floats,
) -> Scores:  # fmt: skip
    inside = min(minute, minutes)
    expected = np.maximum((base.now * inside + base.before * (minutes - inside)) / 60.0, tail.EXPECTED_MIN)
    wide = expected + base.quiet * minutes / 60.0
    variance = (expected if count else 0.0) + (base.dispersion + extra) * wide * wide
    spread = np.sqrt(variance)
    if count:
        z, _ = tail.count_tail(observed, expected, (variance - expected) / expected**2)
    else:
        z, _ = tail.cost_tail(observed, expected, spread, COST_FREEDOM)
    deviation = (observed - expected) / spread
    beyond = math.log(TAIL_SHARE) - np.maximum(deviation - start, 0.0) / scale
    z = np.where(deviation > start, np.minimum(z, tail.z_of_log(beyond)), z)
    with np.errstate(invalid="ignore"):
        fired = decision.is_spike(observed, expected, z, floor=floor, bar=1.0, least=LEAST_Z)
    return Scores(observed, expected, z, tail.probability_of(z), fired & ~np.isnan(z))


def _learn(history: Floats, *, count: bool) -> Baselines:
    weeks = history.reshape(len(history), WEEKS_MAX, HOURS_PER_WEEK)[:, ::-1]
    profile = learn(weeks, slots_per_day=24)
    usual = profile.location
    mean = usual.mean(axis=1)
    factor = _level(history[:, -LEVEL_HOURS:], usual[:, -LEVEL_HOURS:], mean)
    dispersion, start, scale = _noise(history, usual, count=count)
    short_of_history = (~np.isnan(history)).sum(axis=1) < HOURS_MIN
    dispersion = dispersion + YOUNG_DISPERSION * YOUNG_DECAY ** profile.weeks[:, 0]
    now = np.where(short_of_history, np.nan, usual[:, 0] * factor)
    return Baselines(
        now, usual[:, -1] * factor, QUIET_SHARE * mean * factor, dispersion, start, scale, profile.weeks[:, 0],
        np.full(len(history), SHORT_DISPERSION),
        start,
        scale,
    )  # fmt: skip


def _level(seen: Floats, said: Floats, mean: Floats) -> Floats:
    """The same two windows as `level.py`, over the hours at hand."""
    known = ~np.isnan(seen)
    capped = np.where(known, np.minimum(seen, LEVEL_CAP * np.maximum(said, mean[:, None])), 0.0)
    age = np.arange(seen.shape[1] - 1, -1, -1, dtype=np.float64)
    prior = np.maximum(PRIOR_BUCKETS * mean, tail.EXPECTED_MIN)
    factors: list[Floats] = []
    for half_life in (SLOW_HALF_LIFE_H, FAST_HALF_LIFE_H):
        weight = 0.5 ** (age / half_life) * known
        pull = factors[0] if factors else 1.0
        factors.append(((capped * weight).sum(axis=1) + prior * pull) / ((said * weight).sum(axis=1) + prior))
    level = np.clip(factors[1], LEVEL_MIN, LEVEL_MAX)
    return np.where(level < 1.0, level**LOW_LEVEL_POWER, level)


def _short_dispersion(fives: Floats) -> Floats:
    """Excess variance of 5-minute sums around their hour's mean, per squared mean; upper quartile over the hours."""
    hours = fives.reshape(len(fives), -1, SHORTS_PER_HOUR)
    mean = hours.mean(axis=2)
    # A steep hour varies without being bursty: differences of neighbours do not see its slope.
    step = np.diff(hours, axis=2)
    variance = (step**2).mean(axis=2) / 2.0
    # Neighbours of a slow wave are alike, so half of the plain variance is believed as well.
    variance = np.maximum(variance, hours.var(axis=2) / 2.0)
    share = np.where(mean > 0, (variance - mean) / np.maximum(mean, 1e-9) ** 2, np.nan)
    busy = mean >= np.maximum(1.0, 0.2 * mean.mean(axis=1, keepdims=True))
    share = np.where(busy, np.maximum(share, 0.0), np.nan)
    share.sort(axis=1)
    number = (~np.isnan(share)).sum(axis=1)
    index = np.clip((0.75 * number).astype(np.int64), 0, share.shape[1] - 1)
    found = np.where(number > 0, share[np.arange(len(share)), index], 0.0)
    weight = number / (number + SHORT_PRIOR_HOURS)
    return np.asarray(weight * np.nan_to_num(found) + (1 - weight) * SHORT_DISPERSION)


def _noise(history: Floats, usual: Floats, *, count: bool) -> tuple[Floats, Floats, Floats]:
    """Upper dispersion and tail of the last weeks around the profile, each day at the level of the day before."""
    hours = NOISE_WEEKS * HOURS_PER_WEEK
    seen = history[:, -hours:].reshape(len(history), -1, 24)
    said = np.tile(usual, (1, NOISE_WEEKS)).reshape(seen.shape)
    known = ~np.isnan(seen)
    said_known = np.maximum(np.where(known, said, 0.0).sum(axis=2), tail.EXPECTED_MIN)
    day = np.clip(np.where(known, seen, 0.0).sum(axis=2) / said_known, *DAY_LEVELS)[:, :, None]
    day = np.concatenate([np.ones_like(day[:, :1]), day[:, :-1]], axis=1)
    expected = said * np.where(day < 1.0, day**LOW_LEVEL_POWER, day)
    wide = expected + QUIET_SHARE * usual.mean(axis=1)[:, None, None]
    counting = expected if count else np.zeros_like(expected)
    error = seen - expected
    squares = np.where(error > 0, (error**2 - counting) / np.maximum(wide**2, 1e-12), np.nan)
    squares = squares.reshape(len(history), -1)
    middle, high, number = _quantiles(squares, 0.5, 0.8)
    found = np.maximum(middle / 0.4549, high / 1.6424)
    total = known.sum(axis=(1, 2))
    weight = np.where(number >= 4, total / (total + NOISE_PRIOR_N), 0.0)
    dispersion = weight * found + (1 - weight) * DISPERSION_PRIOR
    spread = np.sqrt(np.maximum(counting + dispersion[:, None, None] * wide**2, 1e-12))
    start, scale = _tail((error / spread).reshape(len(history), -1))
    return dispersion, start, scale


def _quantiles(values: Floats, first: float, second: float) -> tuple[Floats, Floats, Floats]:
    """Two quantiles of each row's positive values (0 where there is none), and how many these are."""
    positive = np.where(values > 0, values, np.inf)
    positive.sort(axis=1)
    number = np.isfinite(positive).sum(axis=1)
    rows = np.arange(len(values))
    found = []
    for share in (first, second):
        index = np.clip(np.ceil(share * number).astype(np.int64) - 1, 0, values.shape[1] - 1)
        found.append(np.where(number > 0, positive[rows, index], 0.0))
    return found[0], found[1], number.astype(np.float64)


def _short_tail(fives: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
    """Where the tail of 5-minute sums around their hour's mean begins, and its scale."""
    hours = fives.reshape(len(fives), -1, SHORTS_PER_HOUR)
    mean = np.maximum(hours.mean(axis=2, keepdims=True), tail.EXPECTED_MIN)
    deviation = (hours - mean) / np.sqrt(mean + dispersion[:, None, None] * mean**2)
    return _tail(deviation.reshape(len(fives), -1))


def _tail(deviation: Floats) -> tuple[Floats, Floats]:
    """Start and scale of each row's upper tail, as `noise.tail_of` has them."""
    start, further, number = _quantiles(deviation, 0.9, 0.95)
    weight = number / (number + TAIL_PRIOR_N)
    scale = weight * (further - start) / _LN2 + (1 - weight) * TAIL_SCALE_PRIOR
    return weight * start + (1 - weight) * TAIL_START_PRIOR, np.maximum(scale, TAIL_SCALE_MIN)
