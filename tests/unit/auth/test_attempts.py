"""Failed logins are counted by name, in windows, in bounded memory."""

from __future__ import annotations

from services.auth.domain.attempts import FAILURES_MAX, NAMES_MAX, WINDOW_S, Attempts


def test_a_name_waits_after_its_failures_and_no_other_does() -> None:
    attempts = Attempts()
    for second in range(FAILURES_MAX):
        assert attempts.wait_s("a", second) == 0
        attempts.begun("a", second)
    now_s = FAILURES_MAX
    assert (attempts.wait_s("a", now_s), attempts.wait_s("b", now_s)) == (WINDOW_S - now_s, 0)
    assert attempts.wait_s("a", WINDOW_S) == 0


def test_success_and_time_start_afresh() -> None:
    attempts = Attempts()
    for _ in range(FAILURES_MAX - 1):
        attempts.begun("a", 0)
        attempts.begun("b", 0)
    attempts.succeeded("a")
    attempts.begun("a", 1)
    attempts.begun("b", WINDOW_S)
    assert (attempts.wait_s("a", 1), attempts.wait_s("b", WINDOW_S)) == (0, 0)


def test_memory_is_bounded_and_the_oldest_name_is_forgotten() -> None:
    attempts = Attempts()
    for _ in range(FAILURES_MAX):
        attempts.begun("first", 0)
    for number in range(NAMES_MAX):
        attempts.begun(str(number), 0)
    assert attempts.wait_s("first", 0) == 0


def test_a_success_is_taken_back_alone_where_it_forgives_nothing() -> None:
    attempts = Attempts()
    for _ in range(FAILURES_MAX):
        attempts.begun("a", 0)
    attempts.succeeded("a", forgives=False)
    assert attempts.wait_s("a", 0) == 0
    attempts.begun("a", 0)
    assert attempts.wait_s("a", 0) == WINDOW_S
