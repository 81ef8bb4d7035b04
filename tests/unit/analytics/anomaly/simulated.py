"""Made-up series: a weekly rhythm with counting noise, reproducible by seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MONDAY_S = 1_704_067_200  # 2024-01-01 00:00, a Monday
WEEK_S = 604_800


def times(weeks: float, width_s: int) -> NDArray[np.int64]:
    return MONDAY_S + width_s * np.arange(int(weeks * WEEK_S / width_s), dtype=np.int64)


def rhythm(at_s: NDArray[np.int64], *, weekend: float = 0.4) -> NDArray[np.float64]:
    """Mean 1 or so: a day's wave, quieter weekends."""
    second = (at_s - MONDAY_S) % WEEK_S
    wave = 1.0 - 0.8 * np.cos(2 * np.pi * (second % 86_400) / 86_400)
    return np.where(second >= 5 * 86_400, weekend, 1.0) * wave


def counts(
    at_s: NDArray[np.int64], mean: float, *, seed: int = 1, dispersion: float = 0.01, growth_per_week: float = 0.0
) -> NDArray[np.float64]:
    """Negative binomial counts around the rhythm."""
    rng = np.random.default_rng(seed)
    expected = mean * rhythm(at_s) * (1 + growth_per_week) ** ((at_s - at_s[0]) / WEEK_S)
    drawn: NDArray[np.float64] = rng.poisson(expected * rng.gamma(1 / dispersion, dispersion, len(at_s))).astype(float)
    return drawn
