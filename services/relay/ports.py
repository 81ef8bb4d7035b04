"""What the relay's request pipeline needs from the rest of the relay.

The pipeline (edge, checks, upstream) is written against these; journal, leases and snapshots implement
them. Every refusal is an `OrcaError` with its stable code; nothing here returns a partial result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from orca.auth.v1.auth_pb2 import ChannelRecord, KeyRecord, ModelRecord, WorkspaceRecord
from orca.events.v1.events_pb2 import Envelope, Spend


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as the snapshot holds it, with its address list parsed once."""

    key: KeyRecord
    workspace: WorkspaceRecord
    allow_networks: tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """One model of one workspace: its price and the channels that serve it, in failover order."""

    model_id: str
    price: ModelRecord
    channels: tuple[tuple[ChannelRecord, str], ...]
    """(channel, upstream model id); equal priorities are shuffled by weight per request by the caller."""


class KeyDirectory(Protocol):
    """Keys by presented secret; local, one RPC only for a key that the snapshot does not hold."""

    def peek(self, secret: str) -> KeyEntry | None:
        """The entry from the snapshot alone; None when absent or when the snapshot is too old."""

    async def resolve(self, secret: str) -> KeyEntry:
        """The entry. Unknown: 401 `invalid_api_key`; auth down or snapshot too old: 503 `auth_unavailable`."""


class WorkspaceKeys(Protocol):
    """Keys and workspaces by id, from the snapshot alone; nothing is found in one that is too old."""

    def by_id(self, key_id: str) -> KeyEntry | None:
        """A key that lives."""

    def workspace(self, workspace_id: str) -> WorkspaceRecord | None:
        """A workspace."""


class ModelDirectory(Protocol):
    """Models a workspace can reach."""

    def models(self, workspace_id: str) -> Mapping[str, ModelRoute]:
        """All routes by full model id."""

    def find(self, workspace_id: str, model: str) -> ModelRoute | None:
        """By full id, or by bare id where that is unambiguous."""


class Admission(Protocol):
    """One admitted request's hold on its key's concurrency."""

    def charge_tokens(self, tokens: int) -> None:
        """Counts tokens against the key's tokens per minute."""

    def release(self) -> None:
        """Frees the concurrency slot; idempotent."""


class RateLimiter(Protocol):
    """Per-key requests, tokens and concurrency on this replica."""

    def admit(self, entry: KeyEntry) -> Admission:
        """Raises 429 `rate_limit_exceeded` with `retry_after_s`."""


class Reservation(Protocol):
    """Credit reserved for one upstream attempt; ends in exactly one `settle` or `cancel`."""

    @property
    def amount_nano_usd(self) -> int:
        """Reserved now."""

    async def top_up(self, worst_case_nano_usd: int, beside_nano_usd: int = 0) -> None:
        """Raises the reservation to the recomputed worst case, beside what failed attempts may have cost: that stays
        set aside under its leases even when the rest does not fit. Raises 402, 429, 503."""

    async def cover_refusal(self, worst_case_nano_usd: int) -> None:
        """Sets the worst case aside on the key's blocked limit, until the end: what a refused answer costs is
        bounded across all replicas. 402 when blocked + what is in flight + this exceed it; 503 as `reserve`."""

    def cancel(self) -> None:
        """Nothing was sent upstream: gives everything back, no spend."""

    def settle(
        self, *, settled_nano_usd: int, unconfirmed_nano_usd: int, blocked_nano_usd: int, overrun_nano_usd: int
    ) -> Spend:
        """Ends the reservation; the Spend carries account, amounts and lease positions, the caller adds the rest."""


class CreditGate(Protocol):
    """Keeps leases on accounts and reserves from them."""

    async def capped(self, entry: KeyEntry) -> bool:
        """The key or its workspace has a limit. 503 `ledger_unavailable` when that is not known and cannot be asked."""

    async def reserve(self, entry: KeyEntry, worst_case_nano_usd: int) -> Reservation:
        """402 `credit_limit_exceeded` (key) / `quota_insufficient` (workspace), 429 `credit_held`,
        503 `ledger_unavailable`. For an uncapped key a reservation without leases. The 402's
        `CreditRefused.clampable_nano_usd` says what clamping may use."""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """Written before dispatch, so that a successor can settle what a killed relay left open."""

    request_id: str
    attempt: int
    envelope: Envelope
    """Spend envelope with the whole reservation as `unconfirmed`, lease positions included."""


class Journal(Protocol):
    """Durable local log of reservations and events; drained in order to the event log."""

    def admit(self) -> None:
        """503 `event_log_unavailable` when the journal is full."""

    def open_attempt(self, attempt: OpenAttempt) -> None:
        """One write; call before the upstream request is sent."""

    def finish(self, request_id: str, events: Sequence[tuple[str, bytes, Envelope]]) -> None:
        """One write with all events (topic, key, envelope) of a request, before its last byte; closes its attempts.
        The journal fills event_id, producer_id, producer_seq, occurred_at and schema_version where empty."""

    def refusal(self, entry: KeyEntry | None, code: str) -> None:
        """Counts a refusal at checks 1–5; flushed once a second as RefusalAggregate events."""
