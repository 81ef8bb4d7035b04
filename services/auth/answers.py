"""What auth's routes answer with, for the OpenAPI document; `records.py` and the routes make the objects.

Amounts are decimal strings in USD, times Unix seconds.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from services.common.answers import Shown

RoleName = Literal["viewer", "developer", "admin", "owner"]


class Key(Shown):
    """A relay key."""

    id: str
    name: str
    key: str = Field(description="In plaintext in the answer to its creation, masked everywhere else.")
    status: Literal["enabled", "disabled", "expired", "exhausted"]
    created_time: int
    accessed_time: int | None = Field(description="Last use; null: never used.")
    credit_limit_usd: str = Field(description="Lifetime cap; 0 = unlimited.")
    used_usd: str | None = Field(description="Null, as the other amounts, while the ledger is down.")
    held_usd: str | None
    blocked_usd: str | None
    remaining_usd: str | None = Field(description="Null also for an unlimited key.")
    model_limits_enabled: bool
    model_limits: list[str] = Field(description="Model ids and globs; enabled and empty = no model at all.")
    blocked_output_limit_usd: str | None = Field(description="What refused answers may cost; null = the credit limit.")
    account_id: str = Field(description="The credit account, shared with predecessors and successors.")
    owner_user_id: str | None
    allow_ips: list[str] = Field(description="Addresses and CIDRs; empty = any.")
    expired_time: int = Field(description="-1 = never.")
    environment: str
    guardrail_id: str | None = Field(description="Null = the workspace's default.")
    firewall_policy_id: str | None = Field(description="Null = the workspace's default.")
    is_firewall_gateway: bool
    rpm_limit: int = Field(description="0 = the workspace's default, as for the other limits.")
    tpm_limit: int
    max_concurrency: int


class ChannelModel(Shown):
    """A model and its name upstream."""

    id: str
    upstream_id: str


class Channel(Shown):
    """An upstream channel; its credential is in no answer."""

    id: str
    name: str
    created_time: int
    base_url: str
    models: list[ChannelModel]
    priority: int = Field(description="Lower numbers are tried first.")
    weight: int
    enabled: bool
    timeout_ms: int | None
    max_tokens_field: str
    extra_answer_fields: list[str]
    extra_request_fields: list[str]


class ChannelTest(Shown):
    """Whether a channel's upstream answered."""

    reachable: bool
    status_code: int = Field(default=0, description="Where it answered.")
    reason: str = Field(default="", description="Why it was not reached.")


class Model(Shown):
    """A model's price and bounds, null where none is known."""

    id: str
    priced: bool
    source: Literal["library", "override", "builtin"] | None
    input_usd_per_mtok: str | None
    cached_input_usd_per_mtok: str | None
    output_usd_per_mtok: str | None
    usd_per_request: str | None
    context_length: int | None
    max_output_tokens: int | None
    tokens_per_byte: int | None


class Workspace(Shown):
    """A workspace."""

    id: str
    name: str
    plan: str
    created_time: int


class FailOpen(Shown):
    """Which planes may be passed when unreachable."""

    guardrail: bool
    firewall: bool


class Consent(Shown):
    """Who switched the capture of bodies on, and when."""

    version: int
    user_id: str
    time: int


class Settings(Shown):
    """A workspace's settings."""

    low_credit: Literal["clamp", "reject"]
    judge_key_id: str | None
    fail_open: FailOpen
    rpm_limit: int
    tpm_limit: int
    max_concurrency: int
    time_zone: str
    log_retention_days: int
    request_log_enabled: bool
    capture_bodies: bool
    capture_consent: Consent | None


class Member(Shown):
    """A user in a workspace."""

    user_id: str
    email: str
    name: str
    role: RoleName


class Membership(Shown):
    """One of the caller's workspaces, and what the caller may do there."""

    id: str
    name: str
    role: RoleName
    permissions: list[str]


class User(Shown):
    """The caller's own account."""

    id: str
    email: str
    name: str
    is_root: bool
    workspaces: list[Membership]


class Login(Shown):
    """A session was opened; writes with it carry `csrf_token` in `X-CSRF-Token`."""

    user: User
    csrf_token: str


class AccessToken(Shown):
    """An access token."""

    id: str
    name: str
    token: str = Field(description="In plaintext in the answer to its creation, masked everywhere else.")
    created_time: int


class AuditRow(Shown):
    """One row of the workspace's hash chain."""

    id: str
    occurred_at_us: int
    workspace_id: str
    actor_id: str
    verb: str
    target_type: str
    target_id: str
    metadata: dict[str, Any]
    service: str
    number: int
    previous: str
    hash: str


class Status(Shown):
    """That the plane is up."""

    name: Literal["orca"]
    status: Literal["ok"]
