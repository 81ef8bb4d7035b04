"""The scorer over one series' own past, causally: each bucket is scored from what came before it alone.

The past is kept per local day and slot of the day. A day's profile and noise are learned from the days before it;
the level moves with every bucket. Buckets without enough history have no score (NaN): that is a value, not a zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from services.analytics.domain.anomaly import decision, tail
from services.analytics.domain.anomaly.calendar import DAY_S, Ints, local_day
from services.analytics.domain.anomaly.level import Level
from services.analytics.domain.anomaly.noise import RESIDUAL_CAP, Tail, dispersion_of, tail_of
from services.analytics.domain.anomaly.profile import DAYS_PER_WEEK, WEEKS_MAX, Floats, Masks, learn

HISTORY_DAYS = WEEKS_MAX * DAYS_PER_WEEK
NOISE_DAYS = 28
TAIL_DAYS = 42
HABIT_DAYS = 28
# Without these many days of history nothing is scored: two daily rounds, or two weeks of daily values.
DAYS_MIN = 2
DAILY_DAYS_MIN = 14
DAILY_NOISE_DAYS = 180
SLOT_MIN_S = 300
SMOOTH_BELOW_S = 900
SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
# Relative to the profile's mean: noise that even the emptiest slot has.
QUIET_SHARE = 0.05
COST_FREEDOM = 12.0
# A deviation is remembered up to the one that would have fired.
REMEMBERED_Z = 4.2
# A slot of the week seen in few weeks or none: dispersion added to its own, and how much the level learns from it
# (a first weekend must not pull Monday's level down).
YOUNG_DISPERSION = 0.15
YOUNG_DECAY = 0.25
YOUNG_TRUST = (0.2, 0.7)
DAYS_LIMIT = 20_000
_SLOTS_S = (300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 28_800, 43_200)


class SpanTooLong(ValueError):
    """The history spans more days than a backtest takes."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Per bucket: expectation and z (NaN = insufficient history), and whether it is an anomaly."""

    expected: Floats
    z: Floats
    anomalous: Masks


def score(local_s: Ints, values: Floats, *, width_s: int, count: bool, floor: float = 0.0) -> Scored:
    """Scores values (NaN = missing) at ascending wall-clock seconds. Raises SpanTooLong."""
    if len(values) == 0:
        return Scored(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))
    run = _Run.of(local_s, values, width_s=width_s, count=count, floor=floor)
    for day in range(run.days):
        first, end = run.starts[day], run.starts[day + 1]
        if first < end:
            run.score_day(day, int(first), int(end))
    return Scored(run.expected, run.z, run.anomalous)


def slot_of(width_s: int) -> int:
    """The slot of the day that buckets of this width share, seconds; a whole day for daily and longer ones."""
    return next((slot for slot in _SLOTS_S if slot >= max(width_s, SLOT_MIN_S)), DAY_S)


@dataclass(slots=True)
class _Run:
    """Everything one pass remembers. `seen[day, slot]` are damped observations, `squares` signed errors."""

    values: Floats
    slots: Ints
    starts: Ints
    days: int
    slots_per_day: int
    width_s: int
    count: bool
    floor: float
    seen: Floats
    squares: Floats
    expected: Floats
    z: Floats
    deviation: Floats
    anomalous: Masks
    level: Level
    fired: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, local_s: Ints, values: Floats, *, width_s: int, count: bool, floor: float) -> _Run:
        slot_s = slot_of(width_s)
        per_day = DAY_S // slot_s
        number, second = local_day(local_s)
        days = int(number[-1] - number[0]) + 1
        if days > DAYS_LIMIT:
            raise SpanTooLong(f"the history spans {days} days; at most {DAYS_LIMIT} can be scored")
        size = len(values)
        return cls(
            values, second // slot_s, np.searchsorted(number, np.arange(number[0], number[0] + days + 1)), days,
            per_day, width_s, count, floor, np.full((days, per_day), np.nan), np.full((days, per_day), np.nan),
            np.full(size, np.nan), np.full(size, np.nan), np.full(size, np.nan), np.zeros(size, dtype=np.bool_),
            Level.for_width(width_s),
        )  # fmt: skip

    @property
    def daily(self) -> bool:
        return self.slots_per_day == 1

    def score_day(self, day: int, first: int, end: int) -> None:
        """Scores one day's buckets, then lets them become history."""
        history = self._history(day)
        known = int((~np.isnan(history)).any(axis=1).sum())
        if known < (DAILY_DAYS_MIN if self.daily else DAYS_MIN):
            for index in range(first, end):
                self._remember(day, int(self.slots[index]), float(self.values[index]))
            return
        weeks = history.reshape(WEEKS_MAX, DAYS_PER_WEEK * self.slots_per_day)[::-1]
        profile = learn(weeks[None], slots_per_day=0 if self.daily else self.slots_per_day)
        usual = profile.location[0, : self.slots_per_day]
        noisy = self.squares[max(0, day - (DAILY_NOISE_DAYS if self.daily else NOISE_DAYS)) : day]
        upper, lower = dispersion_of(noisy, self.slots_per_day)
        weeks_seen = profile.weeks[0, : self.slots_per_day]
        young = YOUNG_DISPERSION * YOUNG_DECAY**weeks_seen
        trust = np.array([*YOUNG_TRUST, 1.0])[np.minimum(weeks_seen, len(YOUNG_TRUST)).astype(np.int64)]
        spread_up, spread_down = self._walk(day, first, end, usual, upper + young, lower + young, trust)
        self._judge(day, first, end, spread_up, spread_down)

    def _history(self, day: int) -> Floats:
        """The last HISTORY_DAYS days, oldest first, smoothed across neighbours where slots are fine."""
        history = np.full((HISTORY_DAYS, self.slots_per_day), np.nan)
        held = min(day, HISTORY_DAYS)
        if held:
            history[HISTORY_DAYS - held :] = self.seen[day - held : day]
        return _smoothed(history) if DAY_S // self.slots_per_day <= SMOOTH_BELOW_S else history

    def _walk(
        self, day: int, first: int, end: int, usual: Floats, upper: Floats, lower: Floats, trust: Floats
    ) -> tuple[Floats, Floats]:
        """Expectation and spread of each bucket in turn; the level and the history learn from each, damped."""
        mean = float(usual.mean())
        spread = np.full((2, end - first), np.nan)
        for index in range(first, end):
            slot, value = int(self.slots[index]), float(self.values[index])
            factor = self.level.factor(mean)
            expected = max(float(usual[slot]) * factor, tail.EXPECTED_MIN)
            base = expected + QUIET_SHARE * mean * factor
            counting = expected if self.count else 0.0
            up, down = float(upper[slot]), float(lower[slot])
            above = math.sqrt(counting + up * base * base)
            below = math.sqrt(counting + down * base * base)
            self.expected[index] = expected
            spread[:, index - first] = above, below
            if math.isnan(value):
                continue
            error = value - expected
            square = (error * error - counting) / (base * base)
            cap = RESIDUAL_CAP**2 * (up if error > 0 else down)
            self.squares[day, slot] = math.copysign(max(min(square, cap), 1e-12), error)
            damped = min(max(value, expected - RESIDUAL_CAP * below), expected + RESIDUAL_CAP * above)
            self.level.update(damped, float(usual[slot]), float(trust[slot]))
            self._remember(day, slot, damped)
        return spread[0], spread[1]

    def _judge(self, day: int, first: int, end: int, above: Floats, below: Floats) -> None:
        values, expected = self.values[first:end], self.expected[first:end]
        error = values - expected
        deviation = np.where(error >= 0, error / above, error / below)
        past = self.deviation[self.starts[max(0, day - TAIL_DAYS)] : first]
        high, low = tail_of(past), tail_of(-past)
        model = _model_z(values, expected, above, below, count=self.count)
        with np.errstate(invalid="ignore"):
            z = np.where(error >= 0, np.minimum(model, high.z(deviation)), -np.minimum(-model, low.z(-deviation)))
            bar = float(decision.habit(self._episodes_per_week(day)))
            spike = decision.is_spike(values, expected, z, floor=self.floor, bar=1.0)
            drop = decision.is_drop(values, expected, z, floor=self.floor, bar=1.0)
            self.fired.append((day, decision.episodes(spike | drop)))
            if bar > 1.0:
                spike = decision.is_spike(values, expected, z, floor=self.floor, bar=bar)
                drop = decision.is_drop(values, expected, z, floor=self.floor, bar=bar)
        self.z[first:end] = z
        self.anomalous[first:end] = spike | drop
        self.deviation[first:end] = _clipped(deviation, high, low)

    def _episodes_per_week(self, day: int) -> float:
        recent = [count for when, count in self.fired if when >= day - HABIT_DAYS]
        self.fired = [(when, count) for when, count in self.fired if when >= day - HABIT_DAYS]
        return sum(recent) / max(len(recent) / DAYS_PER_WEEK, 2.0) if recent else 0.0

    def _remember(self, day: int, slot: int, value: float) -> None:
        """Several buckets of one slot (minutes) are averaged."""
        if not math.isnan(value):
            held = self.seen[day, slot]
            self.seen[day, slot] = value if math.isnan(held) else (held + value) / 2


def _model_z(values: Floats, expected: Floats, above: Floats, below: Floats, *, count: bool) -> Floats:
    """The z of the model's own tail: negative binomial for counts, t for amounts; 0 on the other side."""
    if count:
        upper = (above**2 - expected) / expected**2
        lower = (below**2 - expected) / expected**2
        high, low = tail.count_tail(values, expected, upper)[0], tail.count_lower_tail(values, expected, lower)[0]
    else:
        high = tail.cost_tail(values, expected, above, COST_FREEDOM)[0]
        low = tail.cost_tail(values, expected, below, COST_FREEDOM)[0]
    return np.where(values >= expected, np.maximum(high, 0.0), np.minimum(low, 0.0))


def _clipped(deviation: Floats, high: Tail, low: Tail) -> Floats:
    return np.clip(deviation, -low.deviation_of(REMEMBERED_Z), high.deviation_of(REMEMBERED_Z))


def _smoothed(history: Floats) -> Floats:
    """A short weighted average across neighbouring slots, ignoring what is missing."""
    flat = history.ravel()
    known = ~np.isnan(flat)
    total = np.convolve(np.where(known, flat, 0.0), SMOOTH, "same")
    weight = np.convolve(known.astype(np.float64), SMOOTH, "same")
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan).reshape(history.shape)
