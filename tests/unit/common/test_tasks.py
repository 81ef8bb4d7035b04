"""The end of background tasks."""

from __future__ import annotations

import asyncio

import pytest

from services.common.tasks import end_task


async def test_no_task_has_nothing_to_end() -> None:
    await end_task(None)


async def test_its_end_is_waited_for() -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_task(task)
    assert (task.cancelled(), done) == (True, ["cleaned up"])


async def test_a_task_that_failed_before_does_not_fail_its_owners_stop() -> None:
    async def work() -> None:
        raise ValueError("a bug")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_task(task)
    assert isinstance(task.exception(), ValueError)


async def test_a_cancelled_caller_is_cancelled() -> None:
    held = asyncio.Event()

    async def stubborn() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        await held.wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    caller = asyncio.create_task(end_task(task))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    held.set()
    await task
