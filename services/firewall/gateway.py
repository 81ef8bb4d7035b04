"""Who calls the gateway routes: a key with `is_firewall_gateway`, and the key it acts for.

Asked of auth on every call, so that a revoked key stops at once. An access token is no key and a key is no
access token: either fails on the other's routes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from orca.auth.v1 import auth_pb2
from services.common.clock import Clock
from services.common.errors import Forbidden, NotFound, Unauthorized, Unavailable
from services.common.networks import contains, parse_networks
from services.common.rpc import call

AUTH_TIMEOUT_S = 5.0
SECRET_CHARS_MAX = 256
ID_CHARS_MAX = 64
PEPPER_MIN = 32


@dataclass(frozen=True, slots=True)
class Actor:
    """Whose policy, counters, events and run a call is about; `gateway_key_id` made it."""

    workspace_id: str
    key_id: str
    account_id: str
    owner_user_id: str
    environment: str
    firewall_policy_id: str
    guardrail_id: str
    gateway_key_id: str


class Gateway:
    """Resolves credentials of gateway calls. Raises ValueError when the pepper is missing."""

    def __init__(self, auth: Any, pepper: str, clock: Clock) -> None:
        if len(pepper) < PEPPER_MIN:
            raise ValueError(f"ORCA_KEY_PEPPER must be set and have at least {PEPPER_MIN} characters")
        self._auth = auth
        self._pepper = pepper.encode()
        self._clock = clock

    async def actor(self, key: auth_pb2.KeyRecord, acts_for: str | None) -> Actor:
        """The key that an admitted gateway key acts for. Raises NotFound or Unavailable."""
        if not acts_for or acts_for == key.key_id:
            return _actor(key, key.key_id)
        named = await self._named(key.workspace_id, acts_for)
        return _actor(named, key.key_id)

    async def admitted(self, authorization: str, address: str) -> auth_pb2.KeyRecord:
        """The gateway key of a call. Raises Unauthorized, Forbidden or Unavailable."""
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not 0 < len(secret) <= SECRET_CHARS_MAX or not secret.isascii():
            raise Unauthorized("a firewall gateway key is needed in the Authorization header")
        digest = hmac.digest(self._pepper, secret.encode(), "sha256")
        try:
            answer = await self._resolve(auth_pb2.ResolveKeyRequest(secret_hash=digest))
        except NotFound:
            raise Unauthorized("the key is not valid", code="invalid_api_key") from None
        key: auth_pb2.KeyRecord = answer.key
        if key.deleted or answer.workspace.deleted:
            raise Unauthorized("the key is not valid", code="invalid_api_key")
        if not key.enabled:
            raise Unauthorized("the key is disabled", code="key_disabled")
        if self._expired(key):
            raise Unauthorized("the key has expired", code="key_expired")
        if not _allowed(key, address):
            raise Forbidden("the key does not accept requests from this address", code="access_denied")
        if not key.is_firewall_gateway:
            raise Forbidden("this needs a firewall gateway key", code="gateway_key_required")
        return key

    async def _named(self, workspace_id: str, key_id: str) -> auth_pb2.KeyRecord:
        missing = NotFound("key_id: no such enabled key in this workspace", param="key_id")
        if len(key_id) > ID_CHARS_MAX or not (key_id.isascii() and key_id.isprintable()):
            raise missing
        try:
            answer = await self._resolve(auth_pb2.ResolveKeyRequest(workspace_id=workspace_id, key_id=key_id))
        except NotFound:
            raise missing from None
        key: auth_pb2.KeyRecord = answer.key
        if key.deleted or not key.enabled or self._expired(key) or key.workspace_id != workspace_id:
            raise missing
        return key

    async def _resolve(self, request: auth_pb2.ResolveKeyRequest) -> auth_pb2.ResolveKeyResponse:
        try:
            answer: auth_pb2.ResolveKeyResponse = await call(self._auth.ResolveKey, request, timeout_s=AUTH_TIMEOUT_S)
        except Unavailable:
            raise Unavailable("keys cannot be checked now", code="auth_unavailable", retry_after_s=1.0) from None
        return answer

    def _expired(self, key: auth_pb2.KeyRecord) -> bool:
        return 0 <= key.expires_at_unix_s <= self._clock.now_us() // 1_000_000


def client_address(header: Callable[[str], str | None], peer: str) -> str:
    """The caller's address: the last hop, which the console wrote, else the socket's peer."""
    forwarded = header("x-forwarded-for")
    return forwarded.rpartition(",")[2].strip() if forwarded else peer


def _allowed(key: auth_pb2.KeyRecord, address: str) -> bool:
    if not key.allow_ips:
        return True
    try:
        source = ip_address(address)
        mapped = getattr(source, "ipv4_mapped", None)
        return contains(parse_networks(",".join(key.allow_ips)), mapped or source)
    except ValueError:
        return False


def _actor(key: auth_pb2.KeyRecord, gateway_key_id: str) -> Actor:
    return Actor(
        workspace_id=key.workspace_id,
        key_id=key.key_id,
        account_id=key.account_id,
        owner_user_id=key.owner_user_id,
        environment=key.environment,
        firewall_policy_id=key.firewall_policy_id,
        guardrail_id=key.guardrail_id,
        gateway_key_id=gateway_key_id,
    )
