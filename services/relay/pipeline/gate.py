"""Checks 1 to 6, in the order of the specification; each raises the OrcaError with its stable code."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.common.clock import Clock
from services.common.errors import BadRequest, Forbidden, NotFound, OrcaError, Unauthorized, Unavailable
from services.common.forwarded import client_address
from services.common.money import format_usd
from services.common.networks import Network
from services.relay.domain.address import allowed
from services.relay.domain.capped_fields import unpriced_field
from services.relay.domain.identity import checked_id, run_identity
from services.relay.domain.model_access import model_allowed
from services.relay.domain.request import parse_body, shape_of, validate
from services.relay.domain.worst_case import WorstCase, clamped_limit, largest_output, worst_case
from services.relay.edge.incoming import Incoming
from services.relay.pipeline.exchange import Exchange, price_of
from services.relay.ports import CreditGate, Journal, KeyDirectory, ModelDirectory, ModelRoute, RateLimiter

MAX_SECRET_CHARS = 256
GROWTH_BYTES = 256
CLAMPS_MAX = 2
CLAMPED_HEADER = "X-Orca-Max-Tokens-Clamped"


def presented_secret(authorization: str) -> str:
    """The bearer credential. Raises 401 `invalid_api_key` when there is none."""
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not 0 < len(secret) <= MAX_SECRET_CHARS or not secret.isascii():
        raise Unauthorized("no valid API key was given in the Authorization header", code="invalid_api_key")
    return secret


class Gate:
    """Admits requests."""

    def __init__(
        self,
        keys: KeyDirectory,
        models: ModelDirectory,
        limiter: RateLimiter,
        credit: CreditGate,
        journal: Journal,
        clock: Clock,
        *,
        trusted_proxies: Sequence[Network] = (),
        max_body_bytes: int = 10 * 1024 * 1024,
    ) -> None:
        self._keys = keys
        self._models = models
        self._limiter = limiter
        self._credit = credit
        self._journal = journal
        self._clock = clock
        self._trusted = tuple(trusted_proxies)
        self._max_body_bytes = max_body_bytes

    async def identify(self, x: Exchange, incoming: Incoming) -> None:
        """Checks 1 and 2: the credential and the source address."""
        secret = presented_secret(incoming.headers.get("authorization", ""))
        entry = self._keys.peek(secret) or await self._keys.resolve(secret)
        x.entry = entry
        key = entry.key
        if key.deleted or entry.workspace.deleted:
            raise Unauthorized("the API key is not valid", code="invalid_api_key")
        if not key.enabled:
            raise Unauthorized("the API key is disabled", code="key_disabled")
        if 0 <= key.expires_at_unix_s <= self._clock.now_us() // 1_000_000:
            raise Unauthorized("the API key has expired", code="key_expired")
        source = client_address(incoming.peer, incoming.forwarded_for, self._trusted)
        x.address = str(source) if source is not None else ""
        if not allowed(source, entry.allow_networks):
            raise Forbidden("the API key does not accept requests from this address", code="access_denied")
        if key.is_firewall_gateway:
            raise Forbidden("a firewall gateway key cannot be used here", code="access_denied")

    async def admit(self, x: Exchange, incoming: Incoming) -> None:
        """Checks 1 to 5. On success the exchange holds a concurrency slot that its owner must release."""
        await self.identify(x, incoming)
        self._read_headers(x, incoming)
        body = parse_body(raw := await incoming.body(self._max_body_bytes, x.key.key.key_id))
        validate(body)
        x.body, x.body_bytes, x.raw_body = body, len(raw), raw
        if x.key.workspace.capture_consent_version:
            x.captured = [("request", raw.decode())]
        route = self._models.find(x.key.key.workspace_id, body["model"])
        x.capped = await self._credit.capped(x.key)
        if x.capped:
            self._refuse_unpriced(x, route)
        self._choose_model(x, route)
        self._journal.admit()
        x.admission = self._limiter.admit(x.key)
        x.shape = shape_of(body)
        x.stream = bool(body.get("stream"))
        x.include_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def _read_headers(self, x: Exchange, incoming: Incoming) -> None:
        x.client_request_id = checked_id(incoming.headers, "x-request-id")
        x.identity = run_identity(incoming.headers, x.request_id)
        x.approval_id = incoming.headers.get("x-orca-firewall-approval", "")

    def _refuse_unpriced(self, x: Exchange, route: ModelRoute | None) -> None:
        # A field is free to use only where every channel that may serve the request declares it.
        declared = [frozenset(channel.extra_request_fields) for channel, _ in route.channels] if route else []
        path = unpriced_field(x.body, frozenset.intersection(*declared) if declared else ())
        if path is not None:
            message = f"{path} has no known price and cannot be used by a capped key"
            raise BadRequest(message, code="unpriced_field", param=path, type="invalid_request_error")

    def _choose_model(self, x: Exchange, route: ModelRoute | None) -> None:
        """Check 4."""
        key, asked = x.key.key, x.body["model"]
        if not model_allowed(key.model_limits_enabled, key.model_limits, route.model_id if route else asked):
            raise Forbidden("the API key may not use this model", code="model_not_allowed", param="model")
        if route is None:
            raise NotFound("the model does not exist in this workspace", code="model_not_found", param="model")
        x.route, x.model, x.price = route, route.model_id, price_of(route.price)
        if x.capped and not x.price.priced:
            raise Forbidden("the model has no price and the API key is capped", code="model_price_error", param="model")

    async def visible(self, x: Exchange, model: str | None = None) -> list[ModelRoute]:
        """Models the key may use, or the one asked for; for a capped key these have prices."""
        key = x.key.key
        if model is not None:
            found = self._models.find(key.workspace_id, model)
            routes = [found] if found else []
        else:
            routes = list(self._models.models(key.workspace_id).values())
        try:
            capped = await self._credit.capped(x.key)
        except Unavailable:
            # Without the ledger a list that may be too long is better than none; nothing is spent by it.
            capped = key.HasField("credit_limit_nano_usd")
        return [
            route
            for route in routes
            if model_allowed(key.model_limits_enabled, key.model_limits, route.model_id)
            and (route.price.priced or not capped)
        ]

    async def reserve(self, x: Exchange) -> str | None:
        """Check 6, provisional: the caller's bytes. Returns the clamped limit for its header, if any.

        The limit is always sent for a capped key, so that the provider is bound by what was reserved.
        """
        case = worst_case(x.body_bytes, x.shape, x.price)
        if x.capped and not case.bounded:
            raise unbounded(x)
        x.limit = case.output_tokens if x.capped else None
        x.case = case
        try:
            x.reservation = await self._credit.reserve(x.key, case.amount_nano_usd)
            return None
        except OrcaError as refused:
            clampable = getattr(refused, "clampable_nano_usd", None)
            if refused.status != 402 or clampable is None:
                raise named(refused, x, case) from None
            if x.key.workspace.low_credit == "reject":
                raise named(refused, x, case) from None
            first = refused
        return await self._reserve_clamped(x, first, clampable)

    async def _reserve_clamped(self, x: Exchange, refused: OrcaError, clampable: int) -> str:
        """Lowers the output limit to what fits; the workspace's account may leave less than the key's did."""
        full = worst_case(x.body_bytes, x.shape, x.price)
        # What is sent is a little longer than what came: the limit, the upstream's model id, stream options.
        roomy = worst_case(x.body_bytes + GROWTH_BYTES, x.shape, x.price)
        for _ in range(CLAMPS_MAX):
            tokens = clamped_limit(clampable, roomy, x.shape, x.price)
            if tokens is None:
                break
            shape = dataclasses.replace(x.shape, output_limit=tokens)
            case = worst_case(x.body_bytes + GROWTH_BYTES, shape, x.price)
            try:
                x.reservation = await self._credit.reserve(x.key, case.amount_nano_usd)
            except OrcaError as again:
                refused, left = again, getattr(again, "clampable_nano_usd", None)
                if left is None or again.status != 402:
                    break
                clampable = left
                continue
            x.shape, x.limit, x.case = shape, tokens, case
            return str(tokens)
        raise named(refused, x, full)


def unbounded(x: Exchange) -> OrcaError:
    """A capped key needs a bound on what an answer and each part can cost; the message says what gives one."""
    missing = []
    if x.shape.output_limit is None and not x.price.max_output_tokens:
        missing.append("max_completion_tokens in the request, or the model's max_output_tokens")
    if x.shape.binary_parts and not x.price.context_length:
        missing.append("the model's context_length for parts that are no text")
    message = f"what the request can cost has no bound and the API key is capped; needed: {'; '.join(missing)}"
    return Forbidden(message, code="model_price_error", param="model")


def named(refused: OrcaError, x: Exchange, case: WorstCase) -> OrcaError:
    """The same refusal with a message that names the worst case, the remainder and what would fit.

    Where others' holds alone stand in the way (429), the remainder is what lies beside them."""
    left = getattr(refused, "remaining_nano_usd" if refused.status == 429 else "clampable_nano_usd", None)
    if refused.status != 402 and left is None:
        return refused
    message = f"{refused.message}; the request can cost up to {format_usd(case.amount_nano_usd)} USD"
    if left is not None:
        fits = largest_output(left, case, x.shape, x.price)
        message += f", {format_usd(max(0, left))} USD remain"
        message += f", the largest max_completion_tokens that fits is {fits}"
    return OrcaError(
        message,
        code=refused.code,
        status=refused.status,
        type="insufficient_quota",
        retry_after_s=refused.retry_after_s,
    )
