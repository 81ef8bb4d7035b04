"""What auth's routes answer with, for the OpenAPI document; `records.py` and the routes make the objects.

The answers are not validated against these when they are sent: the fuzzing of all planes holds them to each other
(`tests/integration/management/test_fuzz.py`). Amounts are decimal strings in USD, times Unix seconds.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

RoleName = Literal["viewer", "developer", "admin", "owner"]


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Key(_Shown):
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


class ChannelModel(_Shown):
    """A model and its name upstream."""

    id: str
    upstream_id: str


class Channel(_Shown):
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


class ChannelTest(_Shown):
    """Whether a channel's upstream answered."""

    reachable: bool
    status_code: int = Field(default=0, description="Where it answered.")
    reason: str = Field(default="", description="Why it was not reached.")


class Model(_Shown):
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


class Workspace(_Shown):
    """A workspace."""

    id: str
    name: str
    plan: str
    created_time: int


class FailOpen(_Shown):
    """Which planes may be passed when unreachable."""

    guardrail: bool
    firewall: bool


class Consent(_Shown):
    """Who switched the capture of bodies on, and when."""

    version: int
    user_id: str
    time: int


class Settings(_Shown):
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


class Member(_Shown):
    """A user in a workspace."""

    user_id: str
    email: str
    name: str
    role: RoleName


class Membership(_Shown):
    """One of the caller's workspaces, and what the caller may do there."""

    id: str
    name: str
    role: RoleName
    permissions: list[str]


class User(_Shown):
    """The caller's own account."""

    id: str
    email: str
    name: str
    is_root: bool
    workspaces: list[Membership]


class Login(_Shown):
    """A session was opened; writes with it carry `csrf_token` in `X-CSRF-Token`."""

    user: User
    csrf_token: str


class AccessToken(_Shown):
    """An access token."""

    id: str
    name: str
    token: str = Field(description="In plaintext in the answer to its creation, masked everywhere else.")
    created_time: int


class AuditRow(_Shown):
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


Responses = dict[int | str, dict[str, Any]]


@cache
def shows(model: type[BaseModel]) -> Responses:
    """The `responses` of a route that answers with one object."""
    return _data(f"{model.__name__}Answer", model)


@cache
def pages(model: type[BaseModel]) -> Responses:
    """The `responses` of a route that answers with a page of objects."""
    page = create_model(f"{model.__name__}Page", items=(list[model], ...), next_cursor=(str | None, ...))  # type: ignore[valid-type]
    return _data(f"{model.__name__}PageAnswer", page)


def _data(name: str, model: type[BaseModel]) -> Responses:
    envelope = create_model(name, success=(Literal[True], ...), data=(model, ...))
    return {200: {"model": envelope, "description": model.__doc__ or "A page of the list."}}
