"""Many series at once: spans against exactly their minutes, too little history as a value, bursts that are usual."""

from __future__ import annotations

import numpy as np
import pytest

from services.analytics.domain.anomaly.episodes import QUIET_CLOSES_US, Episode, Firing, advance
from services.analytics.domain.anomaly.live import HISTORY_HOURS, Baselines, baselines, score


def steady(rate: float, *, series: int = 1, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate, (series, HISTORY_HOURS)).astype(np.float64)


def of(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_span_is_compared_with_exactly_its_minutes() -> None:
    """The running hour expects ten times the hour before; two minutes into it, the span holds both."""
    history = steady(600)
    history[0, ::168] = 6000
    base = baselines(history, count=True)
    expected = [float(score(of(0), of(0), minute, base, count=True, floor=30.0).expected[0]) for minute in (0, 2, 5)]
    before, now = float(base.before[0]) / 12, float(base.now[0]) / 12
    assert expected == pytest.approx([before, before * 3 / 5 + now * 2 / 5, now], rel=1e-6)
    assert now > 5 * before


@pytest.mark.parametrize(
    ("short", "long", "fires"), [(50, 600, False), (250, 800, True), (90, 1500, True), (40, 1500, False)]
)
def test_either_span_fires_and_the_long_one_only_while_it_goes_on(short: float, long: float, fires: bool) -> None:
    base = baselines(steady(600), count=True)
    assert score(of(short), of(long), 30, base, count=True, floor=30.0).fired.tolist() == [fires]


def test_too_little_history_is_a_value_and_never_fires() -> None:
    history = steady(600, series=2)
    history[0, :-47] = np.nan
    scores = score(of(5000, 50), of(5000, 600), 30, baselines(history, count=True), count=True, floor=30.0)
    assert np.isnan(scores.z).tolist() == [True, False]
    assert scores.fired.tolist() == [False, False]


def test_series_do_not_see_each_other() -> None:
    history = np.concatenate([steady(60), steady(6000, seed=2)])
    together, alone = baselines(history, count=True), baselines(history[:1], count=True)
    for name in Baselines.__slots__:
        assert getattr(together, name)[0] == pytest.approx(getattr(alone, name)[0])


def test_a_series_that_bursts_every_hour_needs_more() -> None:
    base = baselines(steady(600), count=True)
    rng = np.random.default_rng(4)
    calm = base.measured(rng.poisson(50, (1, 288)).astype(np.float64))
    bursty = base.measured(rng.poisson(50 * rng.lognormal(-0.2, 0.7, (1, 288))).astype(np.float64))
    z = [float(score(of(170), of(720), 30, one, count=True, floor=30.0).z[0]) for one in (calm, bursty)]
    assert z[0] > 5 > 3 > z[1]


FIRING = Firing("ws_1", "rate_spike", "requests:workspace", 100.0, 20.0, 6.0, 1e-9, 5)
OPEN = Episode("an_1", "ws_1", "rate_spike", "requests:workspace", 10, 10, 100.0)


def test_an_episode_opens_updates_and_closes() -> None:
    opened = advance(None, FIRING, 10, "an_1")
    assert opened == (OPEN, "opened")
    assert advance(OPEN, FIRING, 20, "x") == (Episode("an_1", "ws_1", "rate_spike", OPEN.series, 10, 20, 100.0), None)
    grown = Firing("ws_1", "rate_spike", "requests:workspace", 150.0, 20.0, 8.0, 1e-12, 5)
    assert advance(OPEN, grown, 20, "x") == (
        Episode("an_1", "ws_1", "rate_spike", OPEN.series, 10, 20, 150.0),
        "updated",
    )
    assert advance(OPEN, None, 10 + QUIET_CLOSES_US - 1, "x") == (OPEN, None)
    closed, state = advance(OPEN, None, 10 + QUIET_CLOSES_US, "x")
    assert (closed and closed.closed_at_us, state) == (10 + QUIET_CLOSES_US, "closed")
    assert advance(closed, None, 10**12, "x") == (closed, None)
    assert advance(closed, FIRING, 10**12, "an_2")[1] == "opened"
    assert advance(None, None, 10, "x") == (None, None)
