"""Bodies of auth's routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from services.common.http import Body

Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
Email = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=1024)]
RoleName = Literal["viewer", "developer", "admin", "owner"]


class Login(Body):
    """Credentials."""

    email: Annotated[str, StringConstraints(max_length=254)]
    password: Annotated[str, StringConstraints(max_length=1024)]


class SelfUpdate(Body):
    """Own account; a new password needs the old one."""

    name: Annotated[str, StringConstraints(max_length=128)] | None = None
    password: Password | None = None
    current_password: Annotated[str, StringConstraints(max_length=1024)] | None = None


class TokenCreate(Body):
    """A new access token."""

    name: Name = "token"


class WorkspaceCreate(Body):
    """A new workspace."""

    name: Name
    plan: Name = "standard"
    owner_email: Email | None = None


class WorkspaceUpdate(Body):
    """Name by an Admin, plan by a platform operator."""

    name: Name | None = None
    plan: Name | None = None


class MemberAdd(Body):
    """A member by e-mail; the password is needed for a new user."""

    email: Email
    role: RoleName
    password: Password | None = None


class MemberUpdate(Body):
    """A new role."""

    role: RoleName


class FailOpen(Body):
    """Which planes may be passed when unreachable."""

    guardrail: bool | None = None
    firewall: bool | None = None


class SettingsUpdate(Body):
    """Workspace settings; absent fields stay."""

    low_credit: Literal["clamp", "reject"] | None = None
    judge_key_id: Annotated[str, StringConstraints(max_length=128)] | None = None
    fail_open: FailOpen | None = None
    rpm_limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    tpm_limit: Annotated[int, Field(ge=0, le=2**53)] | None = None
    max_concurrency: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    log_retention_days: Annotated[int, Field(ge=1, le=180)] | None = None
    request_log_enabled: bool | None = None


class KeyUpdate(Body):
    """Writable fields of a key; ranges are judged by the domain, which names the field."""

    name: str | None = None
    status: str | None = None
    credit_limit_usd: str | int | float | None = None
    blocked_output_limit_usd: str | int | float | None = None
    model_limits_enabled: bool | None = None
    model_limits: list[str] | None = None
    allow_ips: list[str] | None = None
    expired_time: int | None = None
    environment: str | None = None
    guardrail_id: str | int | None = None
    firewall_policy_id: str | int | None = None
    is_firewall_gateway: bool | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_concurrency: int | None = None
    owner_user_id: str | None = None


class ChannelModelBody(Body):
    """A model and its name upstream."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00]+$")]
    upstream_id: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]


Model = ChannelModelBody | Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00]+$")]
FieldNames = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=128)]], Field(max_length=100)]


class ChannelUpdate(Body):
    """Fields of a channel; absent ones stay."""

    name: Name | None = None
    base_url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    api_key: Annotated[str, StringConstraints(max_length=8192, pattern=r"^[\x21-\x7e]*$")] | None = None
    models: Annotated[list[Model], Field(max_length=1000)] | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    weight: Annotated[int, Field(ge=0, le=1000)] | None = None
    enabled: bool | None = None
    timeout_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] | None = None
    extra_answer_fields: FieldNames | None = None
    extra_request_fields: FieldNames | None = None


class ChannelCreate(ChannelUpdate):
    """A new channel."""

    name: Name
    base_url: Annotated[str, StringConstraints(max_length=2048)]
    api_key: Annotated[str, StringConstraints(max_length=8192, pattern=r"^[\x21-\x7e]*$")] = ""
    models: Annotated[list[Model], Field(max_length=1000, default_factory=list)]


class PriceUpdate(Body):
    """A price override, USD per million tokens."""

    input_usd_per_mtok: str | int | float
    cached_input_usd_per_mtok: str | int | float | None = None
    output_usd_per_mtok: str | int | float
    usd_per_request: str | int | float | None = None
    context_length: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


Answer = dict[str, Any]
