"""What a slot of the week holds, and how it borrows from neighbours while history is short."""

from __future__ import annotations

import numpy as np
import pytest

from services.analytics.domain.anomaly.profile import learn, weighted_median

NAN = float("nan")


def test_a_weighted_median_ignores_what_is_missing() -> None:
    weights = np.array([1.0, 1.0, 1.0])
    values = np.array([[3.0, 1.0, 2.0], [NAN, 4.0, 8.0], [NAN, NAN, NAN]])
    assert weighted_median(values, weights) == pytest.approx([2.0, 6.0, NAN], nan_ok=True)
    assert weighted_median(values[:1], np.array([5.0, 1.0, 1.0])) == pytest.approx([3.0])


def week(monday: float, others: float) -> np.ndarray:
    """168 hours: Monday's are `monday`."""
    return np.concatenate([np.full(24, monday), np.full(144, others)])


def test_eight_equal_weeks_outweigh_the_time_of_day() -> None:
    history = np.stack([week(1000.0, 100.0)] * 8)[None]
    found = learn(history, slots_per_day=24)
    assert found.location[0, 0] == pytest.approx((8 * 1000 + 100) / 9, rel=0.01)
    assert found.location[0, 30] == pytest.approx(100, rel=0.01)
    assert found.weeks[0].tolist() == [8.0] * 168


def test_with_one_week_the_hour_of_the_day_counts_half() -> None:
    history = np.full((1, 8, 168), NAN)
    history[0, 0] = week(1000.0, 100.0)
    found = learn(history, slots_per_day=24)
    assert found.location[0, 0] == pytest.approx((1000 + 100) / 2, rel=0.05)
    assert found.weeks[0, 0] == 1


def test_an_hour_never_seen_is_the_hour_of_the_day() -> None:
    history = np.full((1, 8, 168), NAN)
    history[0, 0, :48] = np.tile(np.r_[np.full(12, 50.0), np.full(12, 500.0)], 2)
    found = learn(history, slots_per_day=24)
    assert found.location[0, 100] < 220 < 300 < found.location[0, 110]


def test_one_outlying_week_does_not_move_the_median() -> None:
    weeks = [week(1000.0, 100.0)] * 7
    history = np.stack([*weeks[:3], week(50_000.0, 100.0), *weeks[3:]])[None]
    assert learn(history, slots_per_day=24).location[0, 5] == pytest.approx(900, rel=0.03)


def test_recent_weeks_count_more() -> None:
    history = np.stack([np.full(168, 200.0)] * 4 + [np.full(168, 100.0)] * 4)[None]
    assert learn(history, slots_per_day=24).location[0, 0] == pytest.approx(200, rel=0.01)


def test_sparse_series_keep_their_mean() -> None:
    history = np.zeros((1, 8, 168))
    history[0, :, ::7] = 1.0
    assert learn(history, slots_per_day=24).location.mean() == pytest.approx(1 / 7, rel=0.05)


def test_nothing_known_is_a_value() -> None:
    found = learn(np.full((1, 8, 168), NAN), slots_per_day=24)
    assert np.isnan(found.location).all()
    assert found.weeks.sum() == 0
