"""Keys and models over auth's watch streams.

Two bidirectional streams deliver a snapshot and then changes; each applied revision is acknowledged, so that
a management write can answer after every relay has it. Heartbeats keep the keys' snapshot young; its age
counts from the moment auth last read its database. Past the maximum age `peek` finds nothing, and `resolve`
answers only what auth itself confirms: 503 `auth_unavailable` while auth is down. Plaintext secrets are never
kept: lookups go by their HMAC.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from orca.auth.v1 import auth_pb2
from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from services.common.clock import Clock
from services.common.errors import OrcaError, Unauthorized, Unavailable
from services.common.rpc import call, translate
from services.relay.directory.keys import KeyTable
from services.relay.directory.models import ModelTable
from services.relay.ports import KeyEntry, ModelRoute

log = logging.getLogger("orca.relay.directory")

SILENCE_S = 5.0
"""Heartbeats come every 250 ms; a stream silent for this long is opened again."""
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 2.0
RESOLVE_TIMEOUT_S = 2.0
RESOLVE_ATTEMPTS = 3
RESOLVING_MAX = 256
NEGATIVE_TTL_S = 5.0
NEGATIVE_MAX = 10_000
USED_EVERY_S = 1.0
USED_MAX = 1_000
"""Keys that one message reports as used; more wait for the next."""


def _auth_unavailable() -> Unavailable:
    return Unavailable("keys cannot be checked now", code="auth_unavailable", retry_after_s=1)


def _unknown() -> Unauthorized:
    return Unauthorized("the API key is not valid", code="invalid_api_key")


class GrpcDirectory:
    """KeyDirectory and ModelDirectory of one relay replica."""

    def __init__(
        self,
        auth_stub: Any,
        pepper: bytes,
        replica_id: str,
        clock: Clock,
        max_age_s: float,
        on_key_change: Callable[[KeyRecord], None] | None = None,
    ) -> None:
        self._auth = auth_stub
        self._keyed = hmac.new(pepper, digestmod=hashlib.sha256)
        self._replica_id = replica_id
        self._clock = clock
        self._max_age_s = max_age_s
        self._on_key_change = on_key_change
        self._keys = KeyTable()
        self._models = ModelTable()
        self._young_at_s: float | None = None
        self._have_models = False
        self._resolving: dict[bytes, asyncio.Task[KeyEntry]] = {}
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self._used: set[str] = set()
        self._used_at_s = 0.0

    def on_key_change(self, listener: Callable[[KeyRecord], None]) -> None:
        """Calls the listener with every key record that arrives after the first snapshot, tombstones included."""
        self._on_key_change = listener

    async def start(self) -> None:
        """Opens both streams; does not wait for them."""
        self._tasks = [
            asyncio.create_task(self._follow(self._auth.WatchKeys, auth_pb2.WatchKeysRequest, _KeyFeed(self))),
            asyncio.create_task(
                self._follow(self._auth.WatchChannels, auth_pb2.WatchChannelsRequest, _ChannelFeed(self))
            ),
        ]

    async def stop(self) -> None:
        """Closes both streams."""
        running = [*self._tasks, *self._resolving.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._tasks = []

    def ready(self) -> dict[str, bool]:
        """Whether the snapshots are there and young."""
        return {"keys": self._young(), "models": self._have_models}

    def workspace_ids(self) -> tuple[str, ...]:
        """Workspaces of the snapshot."""
        return self._keys.workspace_ids()

    def by_id(self, key_id: str) -> KeyEntry | None:
        """The entry from the snapshot alone; None when absent or when the snapshot is too old."""
        return self._keys.by_id(key_id) if self._young() else None

    def workspace(self, workspace_id: str) -> WorkspaceRecord | None:
        """A workspace from the snapshot alone; None as above."""
        return self._keys.workspace(workspace_id) if self._young() else None

    def peek(self, secret: str) -> KeyEntry | None:
        """The entry from the snapshot alone; None when absent or when the snapshot is too old."""
        entry = self._keys.entries.get(self._digest(secret)) if self._young() else None
        if entry is not None:
            self._used.add(entry.key.key_id)
        return entry

    async def resolve(self, secret: str) -> KeyEntry:
        """The entry, asked of auth when the snapshot does not answer.

        Raises 401 `invalid_api_key` for an unknown key, 503 `auth_unavailable` when auth cannot tell.
        """
        digest = self._digest(secret)
        if self._young():
            entry = self._keys.entries.get(digest)
            if entry is not None:
                return entry
            if self._unknown.get(digest, 0.0) > self._clock.monotonic_s():
                raise _unknown()
        task = self._resolving.get(digest)
        if task is None:
            if len(self._resolving) >= RESOLVING_MAX:
                raise _auth_unavailable()
            task = asyncio.create_task(self._ask(digest))
            self._resolving[digest] = task
            task.add_done_callback(lambda done: self._resolved(digest, done))
        # A caller that leaves must not take the answer away from the others.
        return await asyncio.shield(task)

    def _resolved(self, digest: bytes, task: asyncio.Task[KeyEntry]) -> None:
        self._resolving.pop(digest, None)
        if not task.cancelled():
            task.exception()

    def models(self, workspace_id: str) -> Mapping[str, ModelRoute]:
        """All routes by full model id. Before the first snapshot: 503, for "no such model" would be a guess."""
        if not self._have_models:
            raise _auth_unavailable()
        return self._models.models(workspace_id)

    def find(self, workspace_id: str, model: str) -> ModelRoute | None:
        """By full id, or by bare id where that is unambiguous. Before the first snapshot: 503."""
        if not self._have_models:
            raise _auth_unavailable()
        return self._models.find(workspace_id, model)

    def _digest(self, secret: str) -> bytes:
        # A copy of the keyed state: the one-shot digest gives up the interpreter's lock, which costs more than hashing.
        keyed = self._keyed.copy()
        keyed.update(secret.encode("utf-8", "surrogatepass"))
        return keyed.digest()

    def _young(self) -> bool:
        at = self._young_at_s
        return at is not None and self._clock.monotonic_s() - at <= self._max_age_s

    async def _ask(self, digest: bytes) -> KeyEntry:
        request = auth_pb2.ResolveKeyRequest(secret_hash=digest)
        for _ in range(RESOLVE_ATTEMPTS):
            try:
                answer = await call(self._auth.ResolveKey, request, timeout_s=RESOLVE_TIMEOUT_S)
            except OrcaError as error:
                if error.status in (401, 404):
                    self._remember_unknown(digest)
                    raise _unknown() from None
                raise _auth_unavailable() from None
            if answer.key.deleted:
                self._remember_unknown(digest)
                raise _unknown()
            # An answer older than the stream could bring back a key that the stream has deleted since.
            if answer.revision >= self._keys.revision:
                self._keys.put_workspace(answer.workspace)
                self._keys.put_key(answer.key, answer.revision)
            held = self._keys.entries.get(digest)
            if held is not None:
                return held
        raise _auth_unavailable()

    def _remember_unknown(self, digest: bytes) -> None:
        self._unknown[digest] = self._clock.monotonic_s() + NEGATIVE_TTL_S
        self._unknown.move_to_end(digest)
        if len(self._unknown) > NEGATIVE_MAX:
            self._unknown.popitem(last=False)

    async def _follow(self, method: Any, request: Any, feed: _KeyFeed | _ChannelFeed) -> None:
        backoff_s = BACKOFF_MIN_S
        while True:
            stream = None
            try:
                stream = method()
                await stream.write(request(replica_id=self._replica_id, applied_revision=0))
                feed.begin()
                applied = 0
                while (message := await _next(stream)) is not grpc.aio.EOF:  # type: ignore[attr-defined]
                    backoff_s = BACKOFF_MIN_S
                    feed.apply(message)
                    report = feed.report()
                    if message.revision > applied or report:
                        applied = max(applied, message.revision)
                        await stream.write(request(replica_id=self._replica_id, applied_revision=applied, **report))
            except grpc.RpcError as error:
                log.info("watch stream ended", extra={"code": translate(error).code})
            except (TimeoutError, asyncio.InvalidStateError):
                log.info("watch stream ended", extra={"code": "silent"})
            except Exception as error:
                log.exception("watch stream failed", extra={"error_class": type(error).__name__})
            finally:
                if stream is not None:
                    stream.cancel()
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)


class _KeyFeed:
    """Applies WatchKeys messages: a snapshot is built aside and swapped in when complete."""

    def __init__(self, directory: GrpcDirectory) -> None:
        self._directory = directory
        self._building: KeyTable | None = None

    def begin(self) -> None:
        """A new stream starts with a snapshot."""
        self._building = KeyTable()

    def apply(self, message: auth_pb2.WatchKeysResponse) -> None:
        """One message."""
        d = self._directory
        table = self._building or d._keys
        for workspace in message.workspaces:
            table.put_workspace(workspace)
        for key in message.keys:
            table.put_key(key, message.revision)
            if self._building is None and d._on_key_change is not None:
                d._on_key_change(key)
        table.revision = max(table.revision, message.revision)
        if self._building is not None:
            if not message.snapshot_complete:
                return
            self._swap(self._building)
        d._young_at_s = d._clock.monotonic_s() - message.database_age_ms / 1000

    def report(self) -> dict[str, Any]:
        """Which keys were used since the last report, at most one report a second."""
        d = self._directory
        now_s = d._clock.monotonic_s()
        if not d._used or now_s - d._used_at_s < USED_EVERY_S:
            return {}
        d._used_at_s = now_s
        at = d._clock.now_us() // 1_000_000
        ids = [d._used.pop() for _ in range(min(len(d._used), USED_MAX))]
        return {"used": [auth_pb2.KeyUse(key_id=key_id, used_at_unix_s=at) for key_id in ids]}

    def _swap(self, table: KeyTable) -> None:
        d = self._directory
        before, self._building = d._keys, None
        table.adopt_newer(before)
        d._keys = table
        if d._on_key_change is None:
            return
        # What changed while the stream was down must reach the listener too.
        after = table.records()
        for key_id, record in before.records().items():
            now = after.get(key_id)
            if now is None:
                d._on_key_change(KeyRecord(key_id=key_id, account_id=record.account_id, deleted=True))
            elif now.version != record.version:
                d._on_key_change(now)


class _ChannelFeed:
    """Applies WatchChannels messages."""

    def __init__(self, directory: GrpcDirectory) -> None:
        self._directory = directory
        self._building: ModelTable | None = None

    def begin(self) -> None:
        """A new stream starts with a snapshot."""
        self._building = ModelTable()

    def apply(self, message: auth_pb2.WatchChannelsResponse) -> None:
        """One message."""
        d = self._directory
        table = self._building or d._models
        for channel in message.channels:
            table.put_channel(channel)
        for model in message.models:
            table.put_model(model)
        if self._building is not None and message.snapshot_complete:
            d._models, self._building = self._building, None
            d._have_models = True

    def report(self) -> dict[str, Any]:
        """Channels report nothing."""
        return {}


async def _next(stream: Any) -> Any:
    async with asyncio.timeout(SILENCE_S):
        return await stream.read()
