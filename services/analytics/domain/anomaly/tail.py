"""Tail probabilities: how unlikely is an observation, given what was expected?

Counts are negative binomial with variance `expected + dispersion × expected²` (Poisson when dispersion is 0);
costs are a Student t around the expectation. Both are reported as a z (the standard normal quantile of the tail)
and as a probability, and both work on whole arrays. Far tails are computed in logarithms, so z never saturates
before Z_MAX.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

Z_MAX = 38.0
DISPERSION_MIN = 1e-9
EXPECTED_MIN = 1e-6
_SMALL = 1e-290


def count_tail(observed: Floats, expected: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
    """z and P(X ≥ observed) of counts; observed may be fractional (the distribution is continued)."""
    mean = np.maximum(expected, EXPECTED_MIN)
    shape = 1.0 / np.maximum(dispersion, DISPERSION_MIN)
    success = mean / (mean + shape)
    # P(X ≥ k) = I_p(k, r) for p = mean / (mean + r); k = 0 has probability one.
    k = np.maximum(observed, 1e-12)
    probability = np.where(observed <= 0, 1.0, special.betainc(k, shape, success))
    z = -special.ndtri(np.clip(probability, _SMALL, 1.0))
    far = probability < _SMALL
    if np.any(far):
        z = np.where(far, _far_count_z(k, mean, shape), z)
    return np.clip(z, -Z_MAX, Z_MAX), np.clip(probability, 0.0, 1.0)


def count_lower_tail(observed: Floats, expected: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
    """z (negative when unusually few) and P(X ≤ observed) of counts."""
    mean = np.maximum(expected, EXPECTED_MIN)
    shape = 1.0 / np.maximum(dispersion, DISPERSION_MIN)
    probability = special.betainc(shape, np.maximum(observed, 0.0) + 1.0, shape / (mean + shape))
    return np.clip(special.ndtri(np.clip(probability, _SMALL, 1.0)), -Z_MAX, Z_MAX), np.clip(probability, 0.0, 1.0)


def cost_tail(observed: Floats, expected: Floats, scale: Floats, freedom: float) -> tuple[Floats, Floats]:
    """z (signed) and P(X ≥ observed) of amounts, Student t with `freedom` degrees around the expectation."""
    t = (observed - expected) / np.maximum(scale, EXPECTED_MIN)
    upper = special.stdtr(freedom, -np.abs(t))
    z = np.sign(t) * -special.ndtri(np.clip(upper, _SMALL, 0.5))
    return np.clip(z, -Z_MAX, Z_MAX), np.where(t >= 0, upper, 1.0 - upper)


def z_of_log(log_probability: Floats) -> Floats:
    """The z of a tail probability given as a logarithm."""
    z = -special.ndtri_exp(np.minimum(log_probability, -1e-12))
    return np.asarray(np.clip(z, -Z_MAX, Z_MAX), dtype=np.float64)


def probability_of(z: Floats) -> Floats:
    """The upper tail probability of a z."""
    return np.asarray(special.ndtr(-z), dtype=np.float64)


def _far_count_z(k: Floats, mean: Floats, shape: Floats) -> Floats:
    """z beyond what doubles hold, from the deviance of the negative binomial (a saddle-point bound)."""
    deviance = k * np.log(np.maximum(k, 1e-12) / mean) - (k + shape) * np.log((k + shape) / (mean + shape))
    return np.sqrt(np.maximum(2.0 * deviance, 0.0))
