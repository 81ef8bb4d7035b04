"""One relay request from its first byte to its last, as the stages share it. Owned by one task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orca.auth.v1.auth_pb2 import ChannelRecord, ModelRecord
from orca.common.v1.common_pb2 import PolicyRef, RequestContext
from orca.events.v1.events_pb2 import Envelope, Spend
from orca.guardrail.v1.guardrail_pb2 import OUTPUT_MODE_NONE, Segment
from services.relay.domain.identity import RunIdentity
from services.relay.domain.worst_case import Price, Shape, Usage, WorstCase
from services.relay.ports import Admission, KeyEntry, ModelRoute, Reservation
from services.relay.upstream.port import Answer

# Shared by all exchanges: none of them is changed, only replaced.
_NO_IDENTITY, _NO_PRICE, _NO_SHAPE = RunIdentity(""), Price(False), Shape(0, 0, 0, 1, None, False)


@dataclass(slots=True)
class Attempt:
    """One reservation and what was sent on it."""

    number: int
    reservation: Reservation
    case: WorstCase
    channel: ChannelRecord
    upstream_model: str
    body: bytes
    answer: Answer | None = None
    usage: Usage | None = None
    received_bytes: int = 0
    delivered_bytes: int = 0


@dataclass(slots=True)
class Exchange:
    """What is known of one request so far; fields are filled check by check."""

    request_id: str
    endpoint: str
    started_s: float
    entry: KeyEntry | None = None
    address: str = ""
    identity: RunIdentity = _NO_IDENTITY
    client_request_id: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    body_bytes: int = 0
    raw_body: bytes = b""
    """As it came, for the hash that a retry under an approval must repeat."""
    approval_id: str = ""
    """Approval the caller names, or empty."""
    model: str = ""
    route: ModelRoute | None = None
    price: Price = _NO_PRICE
    shape: Shape = _NO_SHAPE
    stream: bool = False
    include_usage: bool = False
    capped: bool = True
    limit: int | None = None
    """Output limit per choice to send upstream; None leaves the body as the caller wrote it."""
    admission: Admission | None = None
    reservation: Reservation | None = None
    case: WorstCase | None = None
    attempt: Attempt | None = None
    attempts: int = 0
    unknown_nano_usd: int = 0
    """Worst cases of failed attempts that may be billed: part of the reservation, unconfirmed at its end."""
    guardrail: PolicyRef = field(default_factory=PolicyRef)
    firewall: PolicyRef = field(default_factory=PolicyRef)
    output_mode: int = OUTPUT_MODE_NONE
    output_enforced: bool = False
    sources: list[Segment] = field(default_factory=list)
    """The request's messages as forwarded, where an output rule compares the answer with them."""
    may_refuse_output: bool = False
    cost_capped: bool = False
    events: list[tuple[str, bytes, Envelope]] = field(default_factory=list)
    spend: Spend | None = None
    first_byte_s: float | None = None
    upstream_s: float = 0.0
    tool_calls: int = 0
    finish_reasons: list[str] = field(default_factory=list)
    captured: list[tuple[str, str]] | None = None
    """(kind, text) of what is kept under the workspace's consent; None without one."""
    delivered: list[bytes] = field(default_factory=list)
    client_gone: bool = False
    finished: bool = False
    identified: Envelope | None = None
    """An envelope with the request's identity, made once."""
    told: RequestContext | None = None
    """What policy calls are told, made once."""

    @property
    def key(self) -> KeyEntry:
        """The key, known from check 1 on."""
        if self.entry is None:
            raise RuntimeError("no key was resolved yet")
        return self.entry

    def context(self) -> RequestContext:
        """What every policy call is told; call once check 5 is passed, the fields are final then."""
        if self.told is not None:
            return self.told
        record = self.key.key
        self.told = RequestContext(
            workspace_id=record.workspace_id,
            key_id=record.key_id,
            request_id=self.request_id,
            run_id=self.identity.run_id,
            step_id=self.identity.step_id,
            parent_step_id=self.identity.parent_step_id,
            conversation_id=self.identity.conversation_id,
            model=self.model,
            endpoint=self.endpoint,
            environment=record.environment,
            stream=self.stream,
        )
        return self.told


def price_of(record: ModelRecord) -> Price:
    """The domain's view of a price record."""
    return Price(
        priced=record.priced,
        input=record.input_nano_usd_per_mtok,
        cached_input=record.cached_input_nano_usd_per_mtok,
        output=record.output_nano_usd_per_mtok,
        request=record.request_nano_usd,
        max_input=record.max_input_nano_usd_per_mtok,
        max_output=record.max_output_nano_usd_per_mtok,
        context_length=record.context_length,
        max_output_tokens=record.max_output_tokens,
        tokens_per_byte=record.tokens_per_byte or 1,
    )
