"""Which relay keys name a policy: what a plane asks before it deletes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from orca.auth.v1 import auth_pb2
from services.common.errors import Conflict
from services.common.rpc import call

TIMEOUT_S = 5.0
LISTED_MAX = 20


class KeyNames(Protocol):
    """Raises Unavailable when auth cannot be asked: deleting then waits."""

    async def naming(self, workspace_id: str, policy_id: str) -> Sequence[tuple[str, str]]:
        """(key id, key name) of every living key that names the policy."""


async def refuse_while_named(keys: KeyNames, workspace_id: str, policy_id: str, *, noun: str) -> None:
    """Raises Conflict `<noun>_in_use` listing the keys that name the policy, Unavailable."""
    named = await keys.naming(workspace_id, policy_id)
    if named:
        listed = ", ".join(f"{name} ({key_id})" for key_id, name in named[:LISTED_MAX])
        more = f" and {len(named) - LISTED_MAX} more" if len(named) > LISTED_MAX else ""
        code = f"{noun.replace(' ', '_')}_in_use"
        raise Conflict(f"the {noun} is attached to keys: {listed}{more}", code=code)


class AuthKeyNames:
    """`KeyNames` of one plane, over auth's gRPC."""

    def __init__(self, stub: Any, plane: auth_pb2.Plane.ValueType) -> None:
        self._stub = stub
        self._plane = plane

    async def naming(self, workspace_id: str, policy_id: str) -> Sequence[tuple[str, str]]:
        """See `KeyNames`."""
        request = auth_pb2.KeysNamingRequest(workspace_id=workspace_id, plane=self._plane, policy_id=policy_id)
        answer = await call(self._stub.KeysNaming, request, timeout_s=TIMEOUT_S)
        return [(key.key_id, key.name) for key in answer.keys]
