"""Background tasks: how one is ended."""

from __future__ import annotations

import asyncio
from typing import Any


async def end_task(task: asyncio.Task[Any] | None) -> None:
    """Cancels the task, if there is one, and waits until it is over.

    Whatever stopped it before does not keep its owner from closing the rest: asyncio reports an error that nobody
    asked for. A cancellation of the caller goes through.
    """
    if task is not None:
        task.cancel()
        await asyncio.wait((task,))
