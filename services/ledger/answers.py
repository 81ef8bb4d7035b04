"""What the ledger's routes answer with, for the OpenAPI document. Amounts are decimal strings in USD."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.common.answers import Shown


class Amounts(Shown):
    """A credit account's amounts."""

    limit_usd: str | None = Field(description="Null = unlimited, as for what remains.")
    settled_usd: str
    held_usd: str
    unconfirmed_usd: str
    forfeited_usd: str
    blocked_usd: str
    remaining_usd: str | None


class Lease(Shown):
    """Credit held for one relay incarnation."""

    id: str
    replica_id: str
    state: str
    recalled: bool
    fence: int
    granted_usd: str
    reported_usd: str
    outstanding_usd: str
    expires_at: int = Field(description="Unix seconds.")


class Account(Amounts):
    """A credit account and its open leases."""

    frozen: Literal[True] = Field(default=True, description="Given while a spend record could not be booked.")
    leases: list[Lease]


class Unfrozen(Shown):
    """An account that goes on, and how many records stay unbooked."""

    account_id: str
    unbooked_records: int


class Entry(Shown):
    """One movement of an account."""

    id: str
    kind: str
    account_id: str
    key_id: str
    request_id: str
    model: str
    lease_id: str | None
    refers_to: str | None = Field(description="The entry that this one reverses.")
    occurred_at: float = Field(description="Unix seconds.")
    amount_usd: str
    settled_usd: str
    unconfirmed_usd: str
    blocked_usd: str
    overrun_usd: str
    estimated: bool
    reversed: bool


class Reversal(Shown):
    """What was given back."""

    entry_id: str
    reversed_usd: str
