"""Work that is due now and then: each chore runs every `EVERY_S`, on every replica, and is safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from services.common.errors import OrcaError
from services.common.tasks import end_task

log = logging.getLogger("orca.firewall")

EVERY_S = 5.0

Chore = Callable[[], Awaitable[None]]


class Housekeeping:
    """Runs chores until stopped."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = tuple(chores)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts."""
        self._task = asyncio.create_task(self._run(), name="firewall-housekeeping")

    async def stop(self) -> None:
        """Stops between chores or within one; each is a transaction."""
        await end_task(self._task)

    async def _run(self) -> None:
        while True:
            for chore in self._chores:
                try:
                    await chore()
                except OrcaError as error:
                    log.warning("a chore failed", extra={"code": error.code})
                except Exception as error:
                    # A bug in one chore must not end the others.
                    log.error("a chore failed", extra={"error_class": type(error).__name__})
            await asyncio.sleep(EVERY_S)
