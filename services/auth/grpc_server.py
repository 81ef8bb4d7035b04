"""auth.v1: what relays and management services ask."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Any

from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from services.auth.channels import ChannelBook
from services.auth.identity import Identity
from services.auth.records import fields_of, key_record, workspace_record
from services.auth.storage.store import Store
from services.auth.watch import Watchers, channel_changes, key_changes
from services.common.errors import NotFound

_COLUMNS = {auth_pb2.PLANE_GUARDRAIL: "guardrail_id", auth_pb2.PLANE_FIREWALL: "firewall_policy_id"}


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """Wire ↔ auth."""

    def __init__(self, store: Store, identity: Identity, book: ChannelBook, keys: Watchers, channels: Watchers) -> None:
        self._store = store
        self._identity = identity
        self._book = book
        self._keys = keys
        self._channels = channels

    def end_watches(self) -> None:
        """Ends every watch stream, and those that are opened later."""
        self._keys.close()
        self._channels.close()

    async def ResolveKey(self, request: Any, context: Any) -> auth_pb2.ResolveKeyResponse:
        """One key by hash, or by id within a workspace."""
        revision = await self._store.revision()
        if request.secret_hash:
            row = await self._store.key_by_hash(request.secret_hash)
        else:
            row = await self._store.key(request.workspace_id, request.key_id)
        workspace = await self._store.workspace(row.workspace_id) if row is not None else None
        if row is None or workspace is None:
            raise NotFound("no such key", code="invalid_api_key")
        return auth_pb2.ResolveKeyResponse(
            key=key_record(row), workspace=workspace_record(workspace), revision=revision
        )

    async def WatchKeys(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[auth_pb2.WatchKeysResponse]:
        """Snapshot, changes, heartbeats."""
        async for message in self._keys.serve(request_iterator, functools.partial(key_changes, self._store)):
            yield message

    async def WatchChannels(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[auth_pb2.WatchChannelsResponse]:
        """Snapshot, changes, heartbeats."""
        changes = functools.partial(channel_changes, self._store, self._book)
        async for message in self._channels.serve(request_iterator, changes):
            yield message

    async def Authenticate(self, request: Any, context: Any) -> auth_pb2.AuthenticateResponse:
        """The caller of a management call."""
        caller = await self._identity.authenticate(
            authorization=request.authorization,
            session=request.session,
            csrf_token=request.csrf_token,
            method=request.method,
            workspace_id=request.workspace_id,
            no_workspace=request.no_workspace,
        )
        return auth_pb2.AuthenticateResponse(
            user_id=caller.user.id,
            is_root=caller.user.is_root,
            workspace_id=caller.workspace_id,
            role=auth_pb2.Role.ValueType(caller.role),
            credential=caller.credential,
        )

    async def KeysNaming(self, request: Any, context: Any) -> auth_pb2.KeysNamingResponse:
        """Keys that name a policy."""
        column = _COLUMNS.get(request.plane)
        if column is None:
            raise NotFound("no such plane", param="plane")
        rows = await self._store.keys_naming(request.workspace_id, column, request.policy_id)
        return auth_pb2.KeysNamingResponse(
            keys=[auth_pb2.NamedKey(key_id=row.id, name=fields_of(row).name) for row in rows]
        )
