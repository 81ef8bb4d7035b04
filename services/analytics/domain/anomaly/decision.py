"""When is a score an anomaly? Evidence, effect and floor together.

A large effect needs less evidence than a small one, and below an absolute floor nothing fires: two events where
none were expected are improbable and uninteresting. A series whose past exceeded the rule again and again has that
habit: its bar rises with the number of its recent episodes per week. What may be wrong is alerts per week, not per
bucket, so that finer buckets need more evidence each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from services.analytics.domain.anomaly.profile import Floats, Masks

# (observed / expected, z needed there), interpolated over the logarithm of the ratio; below the first: never.
SPIKE_BAR = ((1.5, 4.7), (2.0, 4.3), (2.5, 3.5), (4.0, 3.2))
DROP_RATIO_MAX = 0.5
DROP_Z = 4.5
HABIT_FREE_PER_WEEK = 1.0
HABIT_STEP = 0.15
HABIT_MAX = 4.0

_LOG_RATIOS = np.log2([ratio for ratio, _ in SPIKE_BAR])
_BARS = np.array([bar for _, bar in SPIKE_BAR])


FALSE_PER_WEEK = 0.2
WEEK_S = 7 * 86_400


def rare(width_s: float) -> float:
    """The z that buckets of this width exceed by chance FALSE_PER_WEEK times a week."""
    return float(-special.ndtri(min(FALSE_PER_WEEK * width_s / WEEK_S, 0.5)))


def habit(episodes_per_week: float | Floats) -> float | Floats:
    """What the bar is multiplied with, given past episodes per week."""
    return np.minimum(1.0 + HABIT_STEP * np.maximum(episodes_per_week - HABIT_FREE_PER_WEEK, 0.0), HABIT_MAX)


def is_spike(
    observed: Floats, expected: Floats, z: Floats, *, floor: float | Floats, bar: float | Floats, least: float = 0.0
) -> Masks:
    """Unusually many, given z, the effect and the floor; `bar` multiplies the evidence needed, `least` bounds it."""
    ratio = np.maximum(observed, 0.0) / np.maximum(expected, 1e-9)
    needed = np.interp(np.log2(np.maximum(ratio, 1.0)), _LOG_RATIOS, _BARS)
    needed = np.maximum(needed, least) * bar
    return np.asarray((z > needed) & (ratio >= SPIKE_BAR[0][0]) & (observed >= floor))


def is_drop(observed: Floats, expected: Floats, z: Floats, *, floor: float | Floats, bar: float | Floats) -> Masks:
    """Unusually few (z is negative): at most half of an expectation that is above the floor."""
    return np.asarray((z < -DROP_Z * bar) & (observed <= DROP_RATIO_MAX * expected) & (expected >= floor))


def episodes(flags: NDArray[np.bool_]) -> int:
    """Runs of True."""
    return int((flags & ~np.concatenate([[False], flags[:-1]])).sum())
