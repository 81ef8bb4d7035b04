"""Coroutines that seldom wait."""

from __future__ import annotations

import asyncio

import pytest

from services.common.waiting import beside, within


async def at_once(value: str) -> str:
    return value


async def failing(error: Exception) -> str:
    raise error


async def forever(log: list[str]) -> str:
    try:
        await asyncio.Event().wait()
    finally:
        log.append("ended")
    return "never"


async def after(event: asyncio.Event, value: str) -> str:
    await event.wait()
    return value


async def setting(event: asyncio.Event, value: str) -> str:
    event.set()
    await asyncio.sleep(0)
    return value


class TestWithin:
    async def test_what_ends_at_once_needs_no_time(self) -> None:
        assert await within(0, at_once("a")) == "a"

    async def test_what_waits_is_awaited(self) -> None:
        event = asyncio.Event()
        assert await within(5, setting(event, "a")) == "a"
        assert await within(None, after(event, "b")) == "b"

    async def test_what_waits_too_long_is_ended(self) -> None:
        log: list[str] = []
        with pytest.raises(TimeoutError):
            await within(0.01, forever(log))
        assert log == ["ended"]

    async def test_a_cancellation_reaches_it(self) -> None:
        log: list[str] = []
        task = asyncio.create_task(within(None, forever(log)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["ended"]

    async def test_its_errors_are_raised(self) -> None:
        with pytest.raises(ValueError, match="wrong"):
            await within(1, failing(ValueError("wrong")))


class TestBeside:
    async def test_both_answer(self) -> None:
        assert await beside(at_once("a"), at_once("b")) == ("a", "b")

    async def test_the_second_runs_while_the_first_waits_for_it(self) -> None:
        event = asyncio.Event()
        assert await beside(after(event, "a"), setting(event, "b")) == ("a", "b")

    async def test_the_second_may_wait_longer(self) -> None:
        event = asyncio.Event()
        assert await beside(setting(event, "a"), after(event, "b")) == ("a", "b")

    async def test_a_failure_at_once_never_starts_the_second(self) -> None:
        log: list[str] = []
        with pytest.raises(ValueError, match="wrong"):
            await beside(failing(ValueError("wrong")), forever(log))
        assert log == []

    async def test_a_failure_ends_the_other(self) -> None:
        async def later() -> str:
            await asyncio.sleep(0)
            raise ValueError("wrong")

        log: list[str] = []
        with pytest.raises(ValueError, match="wrong"):
            await beside(later(), forever(log))
        await asyncio.sleep(0)
        assert log == ["ended"]

    async def test_a_cancellation_ends_both(self) -> None:
        log: list[str] = []
        task = asyncio.create_task(beside(forever(log), forever(log)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert log == ["ended", "ended"]
