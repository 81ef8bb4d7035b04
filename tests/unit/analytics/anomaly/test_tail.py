"""Tails against the distributions they claim to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from services.analytics.domain.anomaly import tail


def of(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("observed", "expected", "dispersion"), [(10, 3, 0.5), (200, 100, 0.02), (0, 5, 0.1), (7, 7, 1)]
)
def test_counts_follow_the_negative_binomial(observed: int, expected: float, dispersion: float) -> None:
    shape = 1 / dispersion
    model = stats.nbinom(shape, shape / (shape + expected))
    z, p = tail.count_tail(of(observed), of(expected), of(dispersion))
    assert p[0] == pytest.approx(model.sf(observed - 1), rel=1e-9)
    assert z[0] == pytest.approx(stats.norm.isf(p[0]), rel=1e-9, abs=1e-9) or p[0] == 1.0
    low_z, low_p = tail.count_lower_tail(of(observed), of(expected), of(dispersion))
    assert low_p[0] == pytest.approx(model.cdf(observed), rel=1e-9)
    assert low_z[0] == pytest.approx(stats.norm.ppf(low_p[0]), rel=1e-9)


def test_counts_without_dispersion_are_poisson() -> None:
    _, p = tail.count_tail(of(12), of(4.0), of(0.0))
    assert p[0] == pytest.approx(stats.poisson(4.0).sf(11), rel=1e-5)


def test_z_keeps_rising_where_probabilities_underflow() -> None:
    z, p = tail.count_tail(of(1e4, 2e4, 1e6), of(100.0, 100.0, 100.0), of(0.001, 0.001, 0.001))
    assert 30 < z[0] <= z[1] <= z[2] == tail.Z_MAX
    assert p[2] == 0.0


def test_costs_follow_a_t_on_both_sides() -> None:
    z, p = tail.cost_tail(of(16.0, 4.0, 10.0), of(10.0, 10.0, 10.0), of(2.0, 2.0, 2.0), 12.0)
    assert p == pytest.approx([stats.t(12).sf(3), stats.t(12).sf(-3), 0.5])
    assert z == pytest.approx([stats.norm.isf(p[0]), -stats.norm.isf(p[0]), 0.0])
    assert math.isfinite(tail.cost_tail(of(1e12), of(1.0), of(0.0), 12.0)[0][0])
