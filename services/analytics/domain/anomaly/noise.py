"""How far off were past predictions: dispersion per time of day, and how heavy the tail beyond it is.

Dispersion is the squared relative error beyond counting noise (variance = expected + dispersion × expected²),
from quantiles, per side and time of day, shrunk towards all hours and towards a prior while there is little of it.
The tail beyond the upper tenth of past deviations is taken as exponential with the median excess: a score is
never more certain than the series' own past allows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from services.analytics.domain.anomaly.profile import Floats

DISPERSION_PRIOR = 0.1
# Medians and 80th percentiles of a squared standard normal.
_CHI2_50 = 0.4549
_CHI2_80 = 1.6424
RESIDUAL_CAP = 3.0
GROUPS = 24
GROUP_PRIOR_HOURS = 24
# Share of deviations of one side above which the tail begins, and that as a probability of both sides.
TAIL_FROM = 0.9
TAIL_SHARE = (1.0 - TAIL_FROM) / 2
TAIL_PRIOR_N = 50
TAIL_START_PRIOR = 1.7
TAIL_SCALE_PRIOR = 0.6
TAIL_SCALE_MIN = 0.35
QUANTILE_N_MIN = 4
TAIL_N_MIN = 20


@dataclass(frozen=True, slots=True)
class Tail:
    """Exponential tail of deviations (in standard deviations) from `start` on."""

    start: float
    scale: float

    def z(self, deviation: Floats) -> Floats:
        """The z of deviations of this side; without opinion (infinite) below the start."""
        log_p = math.log(TAIL_SHARE) - np.maximum(deviation - self.start, 0.0) / self.scale
        return np.where(deviation > self.start, -special.ndtri_exp(log_p), np.inf)

    def deviation_of(self, z: float) -> float:
        """The deviation that reaches this z."""
        return self.start + self.scale * max(0.0, math.log(TAIL_SHARE) - float(special.log_ndtr(-z)))


def tail_of(deviations: Floats) -> Tail:
    """The tail of one side's past deviations (positive values; others are ignored)."""
    values = deviations[deviations > 0]
    if len(values) < TAIL_N_MIN:
        return Tail(TAIL_START_PRIOR, TAIL_SCALE_PRIOR)
    start = float(np.quantile(values, TAIL_FROM))
    excess = values[values > start] - start
    scale = float(np.median(excess)) / math.log(2) if len(excess) else TAIL_SCALE_PRIOR
    weight = len(values) / (len(values) + TAIL_PRIOR_N)
    return Tail(
        weight * start + (1 - weight) * TAIL_START_PRIOR,
        max(weight * scale + (1 - weight) * TAIL_SCALE_PRIOR, TAIL_SCALE_MIN),
    )


def dispersion_of(squares: Floats, slots_per_day: int) -> tuple[Floats, Floats]:
    """Upper and lower dispersion per slot of the day, from `squares[days, slots_per_day]`.

    `squares` holds each prediction's squared relative error beyond counting noise, with the sign of the error;
    NaN where nothing was predicted.
    """
    groups = min(GROUPS, slots_per_day)
    grouped = squares[:, : groups * (slots_per_day // groups)].reshape(len(squares), groups, -1)
    rest = slots_per_day - groups * (slots_per_day // groups)
    sides: list[Floats] = []
    for sign in (1.0, -1.0):
        overall = _dispersion(sign * squares.ravel(), DISPERSION_PRIOR, float(slots_per_day))
        values = np.empty(groups)
        for group in range(groups):
            near = sorted({(group + step) % groups for step in (-1, 0, 1)})
            prior_n = GROUP_PRIOR_HOURS * slots_per_day / groups
            values[group] = _dispersion(sign * grouped[:, near].ravel(), overall, prior_n)
        side = np.repeat(values, slots_per_day // groups)
        sides.append(np.concatenate([side, np.repeat(side[-1:], rest)]))
    return sides[0], sides[1]


def _dispersion(squares: Floats, prior: float, prior_n: float) -> float:
    count = int((~np.isnan(squares)).sum())
    values = squares[squares > 0]
    if len(values) < QUANTILE_N_MIN:
        return prior
    middle, high = np.quantile(values, (0.5, 0.8))
    found = max(float(middle) / _CHI2_50, float(high) / _CHI2_80)
    # Where errors of this side are the exception (a sparse series exceeds its mean now and then), so is their size.
    found *= min(1.0, 2.0 * len(values) / count)
    return (count * found + prior_n * prior) / (count + prior_n)
