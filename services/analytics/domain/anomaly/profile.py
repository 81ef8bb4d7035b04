"""What a slot of the week usually holds, learned from the last weeks.

For each slot: a weighted median over the same slot in up to 8 weeks, recent weeks weighted more, shrunk towards
the same time of day, which is shrunk towards the series' overall level, as long as history is short. Missing
observations are NaN. Shapes: S series, W weeks (index 0 is the most recent), K slots per week.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

WEEKS_MAX = 8
DAYS_PER_WEEK = 7
# A week counts this much of the week after it.
WEEK_DECAY = 0.85
# Pseudo-observations: how many weeks outweigh the time of day, how many days outweigh the overall level.
SLOT_PRIOR_WEEKS = 1.0
DAY_PRIOR_DAYS = 1.0
# Medians well above this many events per slot are trusted, medians below it give way to the mean.
SPARSE_BELOW = 3.0


@dataclass(frozen=True, slots=True)
class Profile:
    """`location[S, K]` per slot, `weeks[S, K]` observations behind each, `overall[S]`; NaN = nothing known."""

    location: Floats
    weeks: Floats
    overall: Floats


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Weighted median along the last axis; NaN values carry no weight; NaN when none is left."""
    weights = np.where(np.isnan(values), 0.0, weights)
    order = np.argsort(values, axis=-1)  # NaN sorts last
    ordered = np.take_along_axis(values, order, -1)
    cumulative = np.cumsum(np.take_along_axis(np.broadcast_to(weights, values.shape), order, -1), axis=-1)
    total = cumulative[..., -1:]
    middle = total / 2
    # The lower and the upper median are averaged, so that an even number of equal weights behaves as usual.
    lower = np.argmax(cumulative >= middle - 1e-12, axis=-1)[..., None]
    upper = np.argmax(cumulative > middle + 1e-12, axis=-1)[..., None]
    both = (np.take_along_axis(ordered, lower, -1) + np.take_along_axis(ordered, upper, -1)) / 2
    return np.asarray(np.where(total > 0, both, np.nan)[..., 0], dtype=np.float64)


def typical(values: Floats, weights: Floats) -> Floats:
    """Robust location along the last axis: the median where numbers are large, the mean where they are sparse.

    A median of 0 says nothing about a series with an event every other hour; anomalies are damped before they
    become history, so that the mean is safe there.
    """
    known = ~np.isnan(values)
    weight = np.where(known, weights, 0.0)
    total = weight.sum(axis=-1)
    mean = (np.where(known, values, 0.0) * weight).sum(axis=-1)
    mean = mean / np.maximum(total, 1e-12)
    median = weighted_median(values, weights)
    trust = median / (median + SPARSE_BELOW)
    return np.where(total > 0, trust * median + (1.0 - trust) * mean, np.nan)


def learn(history: Floats, *, slots_per_day: int) -> Profile:
    """The profile of `history[S, W, K]`; K is `slots_per_day` × 7, or `slots_per_day` = 0 for no daily pattern."""
    series, weeks, slots = history.shape
    weights = WEEK_DECAY ** np.arange(weeks, dtype=np.float64)
    by_slot = np.moveaxis(history, 1, -1)
    location = typical(by_slot, weights)
    counts = np.asarray((~np.isnan(by_slot)).sum(axis=-1), dtype=np.float64)
    flat = history.reshape(series, weeks * slots)
    overall = typical(flat, np.repeat(weights, slots))
    if slots_per_day == 0:
        prior = np.broadcast_to(overall[:, None], location.shape)
    else:
        prior = _time_of_day(history, slots_per_day, overall)
    blended = (counts * np.nan_to_num(location) + SLOT_PRIOR_WEEKS * prior) / (counts + SLOT_PRIOR_WEEKS)
    return Profile(np.where(np.isnan(overall)[:, None], np.nan, blended), counts, overall)


def _time_of_day(history: Floats, slots_per_day: int, overall: Floats) -> Floats:
    series, weeks, slots = history.shape
    days = slots // slots_per_day
    split = history.reshape(series, weeks, days, slots_per_day).transpose(0, 3, 1, 2)
    by_day = split.reshape(series, slots_per_day, weeks * days)
    weights = np.repeat(WEEK_DECAY ** np.arange(weeks, dtype=np.float64), days)
    location = typical(by_day, weights)
    counts = (~np.isnan(by_day)).sum(axis=-1)
    blended = (counts * np.nan_to_num(location) + DAY_PRIOR_DAYS * overall[:, None]) / (counts + DAY_PRIOR_DAYS)
    return np.tile(blended, (1, days))
