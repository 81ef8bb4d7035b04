"""Counter arithmetic against plain models: windows, chains and reservations."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.firewall.domain.counters import (
    RATE_POINTS_MAX,
    RESERVATION_S,
    RESERVATIONS_MAX,
    US_PER_S,
    CallContext,
    advance_chain,
    cap_key,
    count_call,
    counter_key,
    reserve,
    settle,
)


def test_scopes_are_tenant_safe() -> None:
    one = CallContext("w", "k1", "r1", run_id="run")
    other = CallContext("w", "k2", "r2", run_id="run")
    assert one.scope("run") != other.scope("run")
    assert one.scope("workspace") == other.scope("workspace")
    assert cap_key(one) != cap_key(other)
    assert CallContext("w", "k", "r1").scope("run") != CallContext("w", "k", "r2").scope("run")
    assert len(counter_key("rate", "x" * 99, "a")) <= 80


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_a_window_counts_exactly_what_a_list_would(gaps_s: list[int], window_s: int) -> None:
    state, times = "", []
    for now_s in itertools.accumulate(gaps_s, initial=1_000):
        times.append(now_s)
        count, state = count_call(state, now_s * US_PER_S, window_s)
        assert count == sum(1 for at in times if now_s - window_s < at <= now_s)


def test_a_long_window_stays_bounded_and_never_counts_less() -> None:
    state = ""
    for index in range(1_000):
        count, state = count_call(state, (1_000 + index) * US_PER_S, 500)
        assert count >= min(index + 1, 500)
    assert state.count("[") <= RATE_POINTS_MAX + 1


def test_an_unreadable_state_is_an_empty_one() -> None:
    assert count_call("nonsense", 5, 1)[0] == 1


def _model(calls: list[tuple[int, list[bool]]], window_s: int, needs: list[int]) -> bool:
    """Does some ordered choice of calls that ends with the last one form the chain inside the window?"""
    steps = [index for index, need in enumerate(needs) for _ in range(need)]
    last_at, last_takes = calls[-1]
    if not last_takes[steps[-1]]:
        return False
    for chosen in itertools.combinations(range(len(calls) - 1), len(steps) - 1):
        picked = [calls[index] for index in chosen]
        inside = all(last_at - at < window_s for at, _ in picked)
        if inside and all(takes[step] for (_, takes), step in zip(picked, steps, strict=False)):
            return True
    return False


@given(
    st.lists(st.tuples(st.integers(0, 6), st.lists(st.booleans(), min_size=2, max_size=2)), min_size=1, max_size=8),
    st.integers(1, 15),
    st.lists(st.integers(1, 2), min_size=2, max_size=2),
)
def test_a_chain_fires_exactly_when_its_calls_came_in_order_inside_the_window(
    raw: list[tuple[int, list[bool]]], window_s: int, needs: list[int]
) -> None:
    state, now_s = "", 1_000
    passed: list[tuple[int, list[bool]]] = []
    for gap_s, takes in raw:
        now_s += gap_s
        fires, after = advance_chain(state, now_s * US_PER_S, window_s, needs, takes)
        assert fires == _model([*passed, (now_s, takes)], window_s, needs)
        if not fires:
            # A call that was refused does not count.
            state = after
            passed.append((now_s, takes))


def test_reservations_fit_the_cap_or_change_nothing() -> None:
    fits, state = reserve("", 1, "a", 60, 100)
    assert fits
    assert reserve(state, 1, "b", 41, 100)[0] is False
    assert reserve(state, 1, "b", 40, 100)[0] is True
    # The same request again is one reservation.
    assert reserve(state, 1, "a", 100, 100)[0] is True
    settled = settle(state, 2, "a", 10)
    assert settled is not None
    assert settle(settled, 3, "a", 10) is None
    assert reserve(settled, 3, "b", 90, 100)[0] is True
    assert reserve(settled, 3, "b", 91, 100)[0] is False


def test_a_reservation_nobody_settles_counts_as_spent() -> None:
    state = reserve("", 1, "a", 60, 100)[1]
    late_us = RESERVATION_S * US_PER_S + 2
    assert settle(state, late_us, "a", 0) is None
    assert reserve(state, late_us, "b", 41, 100)[0] is False


def test_open_reservations_are_bounded() -> None:
    state = ""
    for index in range(RESERVATIONS_MAX + 10):
        state = reserve(state, index + 1, f"r{index}", 1, 10**9)[1]
    assert state.count("[") == RESERVATIONS_MAX
    assert reserve(state, 10**6, "x", 0, RESERVATIONS_MAX + 9)[0] is False
