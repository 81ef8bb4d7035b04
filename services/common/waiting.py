"""Coroutines that seldom wait: no task and no timer is made for one that ends without having waited for anything.

Most steps of a request answer at once in the embedded profile. There a task costs about 15 µs and a timer 7 µs, more
than what many of those steps do. Once something waits, everything is as with `asyncio.timeout` and `create_task`.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@types.coroutine
def _resumed(running: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """The rest of a coroutine that waits for something already."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = running.throw(error)
            else:
                awaited = running.send(sent)
    except StopIteration as ended:
        result: T = ended.value
        return result


async def within(timeout_s: float | None, running: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns. Raises TimeoutError when it waits too long, counted from its first wait."""
    try:
        awaited = running.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    async with asyncio.timeout(timeout_s):
        return await _resumed(running, awaited)


async def beside(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """What both return. The second runs while the first waits, after it where it does not; a failure of one, or a
    cancellation, ends both."""
    try:
        awaited = first.send(None)
    except StopIteration as ended:
        return ended.value, await second
    except BaseException:
        second.close()
        raise
    task = asyncio.create_task(second)
    try:
        return await _resumed(first, awaited), await task
    except BaseException:
        task.cancel()
        raise
