"""Pushes keys, workspaces, channels and prices to relays, and knows what each relay has applied.

A local write notifies at once; other replicas are noticed by polling the revision every 250 ms, which is also
the heartbeat. `settled` lets a management write wait until every connected relay has acknowledged it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from orca.auth.v1 import auth_pb2
from services.auth.channels import ChannelBook
from services.auth.records import key_record, workspace_record
from services.auth.storage.store import Store
from services.auth.storage.tables import CHANNELS, KEYS, PRICES, WORKSPACES
from services.common.errors import Unavailable

HEARTBEAT_S = 0.25
SETTLE_S = 0.5
CHUNK = 500
USED_MAX = 1000


class Watchers:
    """Connected relays and their acknowledged revisions."""

    def __init__(self, used: Callable[[Mapping[str, int]], Awaitable[None]] | None = None) -> None:
        """`used` is told when keys were last used (key id → Unix seconds), as relays report it."""
        self._used = used
        self._applied: dict[object, int] = {}
        self._wakes: set[asyncio.Event] = set()
        self._acknowledged = asyncio.Condition()
        self._closed = False

    def close(self) -> None:
        """Ends all streams in order; relays open them again elsewhere."""
        self._closed = True
        self.notify()

    def notify(self) -> None:
        """A change was committed here."""
        for wake in self._wakes:
            wake.set()

    async def settled(self, revision: int) -> None:
        """Waits until all connected relays have applied the revision, at most SETTLE_S."""
        self.notify()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S), self._acknowledged:
                await self._acknowledged.wait_for(
                    lambda: all(applied >= revision for applied in self._applied.values())
                )

    async def _listen(self, watcher: object, requests: AsyncIterator[Any]) -> None:
        async for request in requests:
            async with self._acknowledged:
                self._applied[watcher] = max(self._applied.get(watcher, 0), request.applied_revision)
                self._acknowledged.notify_all()
            if self._used is not None and request.used:
                with contextlib.suppress(Unavailable):
                    await self._used({use.key_id: use.used_at_unix_s for use in request.used[:USED_MAX]})

    async def serve(
        self, requests: AsyncIterator[Any], changes: Callable[[int | None], Awaitable[list[Any]]]
    ) -> AsyncIterator[Any]:
        """Snapshot (`changes(None)`), then changes and heartbeats, until the relay leaves."""
        watcher = object()
        wake = asyncio.Event()
        self._wakes.add(wake)
        listener = asyncio.create_task(self._listen(watcher, requests))
        try:
            revision: int | None = None
            while not (self._closed or listener.done()):
                wake.clear()
                with contextlib.suppress(Unavailable):
                    for message in await changes(revision):
                        revision = max(revision or 0, message.revision)
                        yield message
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await wake.wait()
        finally:
            listener.cancel()
            self._wakes.discard(wake)
            async with self._acknowledged:
                self._applied.pop(watcher, None)
                self._acknowledged.notify_all()


class Settling:
    """What a management write does after its commit: publish the event, wait until connected relays have it."""

    def __init__(self, notify: Callable[[], None], *watchers: Watchers) -> None:
        self.notify = notify
        self._watchers = watchers

    async def __call__(self, revision: int) -> None:
        """Waits for all connected relays, at most SETTLE_S."""
        self.notify()
        await asyncio.gather(*(watchers.settled(revision) for watchers in self._watchers))


async def key_changes(store: Store, revision: int | None) -> list[auth_pb2.WatchKeysResponse]:
    """Messages that bring a relay from a revision (None: nothing) to now; a heartbeat when there are none."""
    now = await store.revision()
    if revision is not None and now == revision:
        return [auth_pb2.WatchKeysResponse(revision=now)]
    keys = [key_record(row) for row in await store.changed_since(KEYS, revision or 0)]
    workspaces = [workspace_record(row) for row in await store.changed_since(WORKSPACES, revision or 0)]
    messages = [
        auth_pb2.WatchKeysResponse(keys=keys[start : start + CHUNK]) for start in range(0, len(keys) - CHUNK, CHUNK)
    ]
    rest = keys[len(messages) * CHUNK :]
    messages.append(
        auth_pb2.WatchKeysResponse(keys=rest, workspaces=workspaces, revision=now, snapshot_complete=revision is None)
    )
    return messages


async def channel_changes(
    store: Store, book: ChannelBook, revision: int | None
) -> list[auth_pb2.WatchChannelsResponse]:
    """Same for channels and models. A change in a workspace re-sends that workspace's models."""
    now = await store.revision()
    if revision is not None and now == revision:
        return [auth_pb2.WatchChannelsResponse(revision=now)]
    since = revision or 0
    rows = await store.changed_since(CHANNELS, since)
    touched = {row.workspace_id for row in rows}
    touched |= {row.workspace_id for row in await store.changed_since(PRICES, since)}
    touched |= {row.id for row in await store.changed_since(WORKSPACES, since) if not row.deleted}
    channels = [book.record(row) for row in rows]
    if revision is None:
        channels += book.builtin()
    models = [record for workspace_id in sorted(touched) for record in await book.models(workspace_id)]
    return [
        auth_pb2.WatchChannelsResponse(
            channels=channels, models=models, revision=now, snapshot_complete=revision is None
        )
    ]
