"""Bodies of auth's routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from services.auth.domain.keys import INT_MAX, NAME_MAX, TIME_MAX
from services.common import http

_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's texts cannot hold a zero character."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=128, pattern=_NO_NUL)]
Email = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=1024)]
OldPassword = Annotated[str, StringConstraints(max_length=1024)]
RoleName = Literal["viewer", "developer", "admin", "owner"]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Amount = str | int | float


class Body(http.Body):
    """Strict: a number in quotes is no number. Partial updates read only the fields that were sent, so their
    defaults here are never used, and null is a value only where the type says so.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


class Login(Body):
    """Credentials."""

    email: Annotated[str, StringConstraints(max_length=254, pattern=_NO_NUL)]
    password: OldPassword


class SelfUpdate(Body):
    """Own account; a new password needs the old one."""

    name: Text | None = None
    password: Password | None = None
    current_password: OldPassword | None = None


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

    name: Name = ""
    plan: Name = ""


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

    guardrail: bool = False
    firewall: bool = False


class SettingsUpdate(Body):
    """Workspace settings; absent fields stay."""

    low_credit: Literal["clamp", "reject"] = "clamp"
    judge_key_id: Text | None = None
    fail_open: FailOpen = FailOpen()
    rpm_limit: Count = 0
    tpm_limit: Annotated[int, Field(ge=0, le=2**53)] = 0
    max_concurrency: Count = 0
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    log_retention_days: Annotated[int, Field(ge=1, le=36_500, description="Days; at most 180 are kept.")] = 30
    request_log_enabled: bool = True
    capture_bodies: Annotated[
        bool, Field(description="Keep bodies and tool arguments; switching it on is recorded as consent.")
    ] = False


def _told(**schema: Any) -> WithJsonSchema:
    """What the document tells of a field that the domain judges, so that the message is the domain's."""
    return WithJsonSchema(schema)


_Limit = Annotated[int, _told(type="integer", minimum=0, maximum=INT_MAX)]
_KeyName = Annotated[str, _told(type="string", minLength=1, maxLength=NAME_MAX)]


class KeyUpdate(Body):
    """Writable fields of a key; ranges are judged by the domain, which names the field."""

    name: _KeyName = ""
    status: Annotated[str, _told(type="string", enum=["enabled", "disabled"])] = ""
    credit_limit_usd: Annotated[Amount | None, Field(description="Lifetime cap; 0 or null = unlimited.")] = None
    blocked_output_limit_usd: Annotated[Amount | None, Field(description="Null = the credit limit.")] = None
    model_limits_enabled: bool = False
    model_limits: list[str] = Field(default_factory=list, description="Model ids and globs.")
    allow_ips: list[str] = Field(default_factory=list, description="Addresses and CIDRs; empty = any.")
    expired_time: Annotated[int, _told(type="integer", minimum=-1, maximum=TIME_MAX)] = -1
    environment: str | None = None
    guardrail_id: str | int | None = Field(None, description="Null or 0 = the workspace's default.")
    firewall_policy_id: str | int | None = Field(None, description="Null or 0 = the workspace's default.")
    is_firewall_gateway: bool = False
    rpm_limit: _Limit = 0
    tpm_limit: Annotated[int, _told(type="integer", minimum=0, maximum=TIME_MAX)] = 0
    max_concurrency: _Limit = 0
    owner_user_id: str | None = None


class KeyCreate(KeyUpdate):
    """A new key."""

    name: _KeyName


class Successor(Body):
    """A key's successor: everything but its name is its predecessor's."""

    name: str = ""


class ChannelModelBody(Body):
    """A model and its name upstream."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00]+$")]
    upstream_id: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]


Model = ChannelModelBody | Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00]+$")]
FieldNames = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_NO_NUL)]], Field(max_length=100)
]


class ChannelUpdate(Body):
    """Fields of a channel; absent ones stay."""

    name: Name = ""
    base_url: Annotated[str, StringConstraints(max_length=2048)] = ""
    api_key: Annotated[str, StringConstraints(max_length=8192, pattern=r"^[\x21-\x7e]*$")] = ""
    models: Annotated[list[Model], Field(max_length=1000)] = Field(default_factory=list)
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    enabled: bool = True
    timeout_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    extra_answer_fields: FieldNames = Field(default_factory=list)
    extra_request_fields: FieldNames = Field(default_factory=list)


class ChannelCreate(ChannelUpdate):
    """A new channel."""

    name: Name
    base_url: Annotated[str, StringConstraints(max_length=2048)]


TOKENS_PER_BYTE_MAX = 64


class PriceUpdate(Body):
    """A price override, USD per million tokens."""

    input_usd_per_mtok: Amount
    cached_input_usd_per_mtok: Amount | None = None
    output_usd_per_mtok: Amount
    usd_per_request: Amount | None = None
    context_length: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    tokens_per_byte: Annotated[int, Field(ge=1, le=TOKENS_PER_BYTE_MAX)] | None = None
