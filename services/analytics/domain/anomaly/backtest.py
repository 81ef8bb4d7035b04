"""The scorer over one series' own past, causally: each bucket is scored from what came before it alone.

The past is kept per local day and slot of the day. A day's profile and noise are learned from the days before it;
the level moves with every bucket. Buckets without enough history have no score (NaN): that is a value, not a zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.analytics.domain.anomaly import decision, tail
from services.analytics.domain.anomaly.calendar import DAY_S, Ints, local_day
from services.analytics.domain.anomaly.level import Level
from services.analytics.domain.anomaly.noise import RESIDUAL_CAP, dispersion_of, tail_of
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
FEW_EVENTS = 3.0
# How much the level learns from what had to be clipped: a spike's aftermath must not look like a drop.
CLIPPED_TRUST = 0.4
# Relative to the profile's mean: noise that even the emptiest slot has.
QUIET_SHARE = 0.05
COST_FREEDOM = 12.0
# A slot of the week seen in few weeks or none: dispersion added to its own, and how much the level learns from it
# (a first weekend must not pull Monday's level down).
YOUNG_DISPERSION = 0.15
YOUNG_DECAY = 0.25
YOUNG_TRUST = (0.2, 0.7)
DAYS_LIMIT = 20_000
# A profile fits the days it was made of better than it fits others.
SEED_INFLATION = 1.5
# Buckets are scored alone and together with those of the last 5 and 60 minutes, the latter at least this many.
SPANS_S = (300, 3_600)
SPAN_BUCKETS_MIN = 3
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


def spans_of(width_s: int) -> Sequence[int]:
    """How many buckets are scored together, besides each alone; days are not."""
    if slot_of(width_s) == DAY_S:
        return ()
    short, long = SPANS_S[0] // width_s, max(SPANS_S[1] // width_s, SPAN_BUCKETS_MIN)
    return (short, long) if short > 1 else (long,)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """z per bucket; whether it fires, at the plain bar (row 0) and at the one that habit raised (row 1)."""

    z: Floats
    spikes: Masks
    drops: Masks


@dataclass(slots=True)
class _Run:
    """Everything one pass remembers. `seen[day, slot]` are damped observations, `squares` signed errors, `base` what
    dispersion is relative to, `young` the dispersion that a slot's few weeks added to it."""

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
    base: Floats
    young: Floats
    z: Floats
    anomalous: Masks
    level: Level
    spans: Sequence[int]
    rare: float
    seeded: bool = False
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
        expected, base, young, z = (np.full(size, np.nan) for _ in range(4))
        return cls(
            values, second // slot_s, np.searchsorted(number, np.arange(number[0], number[0] + days + 1)), days,
            per_day, width_s, count, floor, np.full((days, per_day), np.nan), np.full((days, per_day), np.nan),
            expected, base, young, z, np.zeros(size, dtype=np.bool_), Level.for_width(width_s), spans_of(width_s),
            decision.rare(width_s),
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
        if not self.seeded:
            self._seed(first, usual)
        noisy = self.squares[max(0, day - (DAILY_NOISE_DAYS if self.daily else NOISE_DAYS)) : day]
        upper, lower = dispersion_of(noisy, self.slots_per_day)
        weeks_seen = profile.weeks[0, : self.slots_per_day]
        young = YOUNG_DISPERSION * YOUNG_DECAY**weeks_seen
        trust = np.array([*YOUNG_TRUST, 1.0])[np.minimum(weeks_seen, len(YOUNG_TRUST)).astype(np.int64)]
        self.young[first:end] = young[self.slots[first:end]]
        self._walk(day, first, end, usual, upper + young, lower + young, trust)
        self._judge(day, first, end, upper, lower)

    def _seed(self, first: int, usual: Floats) -> None:
        """The noise of the days that were not scored, around the profile they make themselves: without it the first
        scored days would be judged by a guess."""
        self.seeded = True
        values, slots = self.values[:first], self.slots[:first]
        error = values - usual[slots]
        base = usual[slots] + QUIET_SHARE * float(usual.mean()) + tail.EXPECTED_MIN
        square = SEED_INFLATION * (error * error - (usual[slots] if self.count else 0.0)) / (base * base)
        days = np.searchsorted(self.starts, np.arange(first), side="right") - 1
        known = ~np.isnan(square)
        signed = np.copysign(np.maximum(square, 1e-12), error)
        self.squares[days[known], slots[known]] = signed[known]

    def _history(self, day: int) -> Floats:
        """The last HISTORY_DAYS days, oldest first, smoothed across neighbours where slots are fine."""
        history = np.full((HISTORY_DAYS, self.slots_per_day), np.nan)
        held = min(day, HISTORY_DAYS)
        if held:
            history[HISTORY_DAYS - held :] = self.seen[day - held : day]
        return _smoothed(history) if DAY_S // self.slots_per_day <= SMOOTH_BELOW_S else history

    def _walk(self, day: int, first: int, end: int, usual: Floats, upper: Floats, lower: Floats, trust: Floats) -> None:
        """Expectation and spread of each bucket in turn; the level and the history learn from each, damped."""
        mean = float(usual.mean())
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
            self.base[index] = base
            if math.isnan(value):
                continue
            error = value - expected
            square = (error * error - counting) / (base * base)
            cap = RESIDUAL_CAP**2 * (up if error > 0 else down)
            self.squares[day, slot] = math.copysign(max(min(square, cap), 1e-12), error)
            least, most = expected - RESIDUAL_CAP * below, expected + RESIDUAL_CAP * above
            # What is below the floor cannot be an anomaly, and few events are nothing to be damped: of a sparse
            # series, the mean would be lost with them.
            few = min(self.floor, FEW_EVENTS) if self.count else 0.0
            weight = float(trust[slot]) * (1.0 if least <= value <= most else CLIPPED_TRUST)
            self.level.update(min(max(value, least), max(most, few)), float(usual[slot]), weight)
            damped = min(max(value, least), max(most, self.floor))
            self._remember(day, slot, damped)

    def _judge(self, day: int, first: int, end: int, upper: Floats, lower: Floats) -> None:
        """Past and present are measured with today's knowledge of the noise: early days knew too little of it."""
        begin = int(self.starts[max(0, day - TAIL_DAYS)])
        slots = self.slots[begin:end]
        base = self.base[begin:end] ** 2
        counting = self.expected[begin:end] if self.count else 0.0
        doubt = np.sqrt(self.young[begin:end]) * self.base[begin:end]
        above, below = counting + upper[slots] * base, counting + lower[slots] * base
        rows = np.stack([self.values[begin:end], self.expected[begin:end], above, below, doubt])
        bars = (1.0, float(decision.habit(self._episodes_per_week(day))))
        today = first - begin
        own = self._evidence(rows, today, bars)
        spikes, drops, z = own.spikes, own.drops, own.z
        with np.errstate(invalid="ignore"):
            many = rows[0, today:] >= decision.SPIKE_BAR[0][0] * rows[1, today:]
            few = rows[0, today:] <= decision.DROP_RATIO_MAX * rows[1, today:]
        for buckets in self.spans:
            # Buckets that are each a little unusual are together very unusual. That counts for a bucket which points
            # the same way itself, so that an episode ends when its buckets do.
            span = self._evidence(trailing_sums(rows, buckets), today, bars)
            with np.errstate(invalid="ignore"):
                z = np.where((many & (span.z > z)) | (few & (span.z < z)), span.z, z)
            spikes, drops = spikes | (span.spikes & many), drops | (span.drops & few)
        fired = spikes | drops
        self.fired.append((day, decision.episodes(fired[0])))
        self.z[first:end] = z
        self.anomalous[first:end] = fired[1]

    def _evidence(self, rows: Floats, today: int, bars: tuple[float, float]) -> _Evidence:
        """From `today` on, judged by what was usual before. Rows: value, expectation, variance above and below,
        and the doubt about a young profile, which does not average out over buckets."""
        error = rows[0] - rows[1]
        above, below = np.sqrt(rows[2] + rows[4] ** 2), np.sqrt(rows[3] + rows[4] ** 2)
        deviation = np.where(error >= 0, error / above, error / below)
        high, low = tail_of(deviation[:today]), tail_of(-deviation[:today])
        values, expected, deviation = rows[0, today:], rows[1, today:], deviation[today:]
        model = _model_z(values, expected, above[today:], below[today:], count=self.count)
        with np.errstate(invalid="ignore"):
            z = np.where(deviation >= 0, np.minimum(model, high.z(deviation)), -np.minimum(-model, low.z(-deviation)))
            spikes = [
                decision.is_spike(values, expected, z, floor=self.floor, bar=bar, least=self.rare) for bar in bars
            ]
            drops = [decision.is_drop(values, expected, z, floor=self.floor, bar=bar) for bar in bars]
        return _Evidence(z, np.stack(spikes), np.stack(drops))

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


def trailing_sums(rows: Floats, buckets: int) -> Floats:
    """Sums of each column and the `buckets` - 1 before it; what lacks any row's value is left out, and is NaN."""
    known = ~np.isnan(rows).any(axis=0)
    total = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(np.where(known, rows, 0.0), axis=1)], axis=1)
    ends = np.arange(1, rows.shape[1] + 1)
    return np.where(known, total[:, ends] - total[:, np.maximum(ends - buckets, 0)], np.nan)


def _smoothed(history: Floats) -> Floats:
    """A short weighted average across neighbouring slots, ignoring what is missing."""
    flat = history.ravel()
    known = ~np.isnan(flat)
    total = np.convolve(np.where(known, flat, 0.0), SMOOTH, "same")
    weight = np.convolve(known.astype(np.float64), SMOOTH, "same")
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan).reshape(history.shape)
