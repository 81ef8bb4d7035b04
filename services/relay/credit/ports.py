"""What the credit gate needs of the journal, and the refusal it raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.common.errors import OrcaError


class CreditRefused(OrcaError):
    """402: the worst case does not fit what is left. 429 `credit_held`: other requests' holds alone stand in the way.

    `remaining_nano_usd`: limit − settled − unconfirmed − forfeited − held of the refusing account;
    `clampable_nano_usd`: the same without held, which a lowered output limit may use.
    """

    default_status = 402
    default_code = "credit_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        remaining_nano_usd: int,
        clampable_nano_usd: int,
        status: int = 402,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, type="insufficient_quota", retry_after_s=retry_after_s)
        self.remaining_nano_usd = remaining_nano_usd
        self.clampable_nano_usd = clampable_nano_usd


@dataclass(frozen=True, slots=True)
class Orphans:
    """What a predecessor of this relay left open at the ledger."""

    replica_id: str
    leases: Mapping[str, int] = field(default_factory=dict)
    """Lease id → final used, nano-USD, after its open attempts were settled."""
    acquires: Sequence[bytes] = ()
    """Serialised AcquireRequests whose answer it may never have seen."""


class LeaseLog(Protocol):
    """Remembers leases across a kill. Raises Unavailable when it cannot write."""

    def acquiring(self, acquire_id: str, request: bytes) -> None:
        """Before an AcquireRequest is sent for the first time."""

    def leased(self, acquire_id: str, lease_ids: Sequence[str], replica_id: str) -> None:
        """Its answer came, with these leases (none: refused)."""

    def released(self, lease_ids: Sequence[str]) -> None:
        """The ledger has closed these leases."""

    def recorded(self, lease_id: str) -> int:
        """How many spends under the lease are in the journal."""


class NullLeaseLog:
    """Remembers nothing, takes every spend as recorded; for tests without a journal."""

    def acquiring(self, acquire_id: str, request: bytes) -> None:
        """Nothing."""

    def leased(self, acquire_id: str, lease_ids: Sequence[str], replica_id: str) -> None:
        """Nothing."""

    def released(self, lease_ids: Sequence[str]) -> None:
        """Nothing."""

    def recorded(self, lease_id: str) -> int:
        """More than any lease has."""
        return 1 << 62
