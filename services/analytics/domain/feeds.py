"""What each feed shows and filters: field lists as data, from which SQL, OpenAPI and JSON follow.

Times are ISO-8601 UTC with microseconds, money is a decimal string (`…_usd`), durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from services.common.money import format_usd


class Kind(Enum):
    """How a column is read and shown."""

    PLAIN = "plain"
    TIME = "time"
    USD = "usd"
    MS = "ms"
    FLAG = "flag"


class Match(Enum):
    """What a filter's values are."""

    TEXT = "Array(String)"
    INT = "Array(Int64)"
    FLAG = "UInt8"
    HIDE_FP = "hide"


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an item, and the column behind it."""

    name: str
    column: str
    kind: Kind = Kind.PLAIN


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter, and the column it compares."""

    column: str
    match: Match = Match.TEXT


@dataclass(frozen=True, slots=True)
class Feed:
    """One table as a feed, newest first by (`occurred_at`, `id_column`)."""

    table: str
    id_column: str
    fields: tuple[Field, ...]
    filters: Mapping[str, Filter]

    def without(self, name: str) -> Feed:
        """The feed without one field."""
        fields = tuple(field for field in self.fields if field.name != name)
        return Feed(self.table, self.id_column, fields, self.filters)


def iso(unix_us: int) -> str:
    """`2026-01-31T12:00:00.000001Z` of Unix microseconds."""
    seconds, micros = divmod(unix_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def show(value: Any, kind: Kind) -> Any:
    """A column's value as the API shows it."""
    if kind is Kind.TIME:
        return iso(value)
    if kind is Kind.USD:
        return format_usd(value)
    if kind is Kind.MS:
        return value / 1000
    if kind is Kind.FLAG:
        return bool(value)
    return value


def item(fields: Sequence[Field], values: Sequence[Any]) -> dict[str, Any]:
    """One row as the API shows it."""
    return {field.name: show(value, field.kind) for field, value in zip(fields, values, strict=True)}


def _plain(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name) for name in names)


def _filters(*names: str, **others: Filter) -> Mapping[str, Filter]:
    return {**{name: Filter(name) for name in names}, **others}


OCCURRED = Field("occurred_at", "occurred_at", Kind.TIME)
_SHARED = ("key_id", "environment", "model", "run_id", "request_id", "conversation_id", "step_id")

MATCHES = Feed(
    "matches",
    "id",
    (
        Field("id", "id"),
        OCCURRED,
        *_plain(
            "key_id", "environment", "model", "request_id", "run_id", "guardrail_id", "guardrail_name",
            "guardrail_version", "rule_id", "rule_type", "label", "action", "stage", "entity", "count", "detail",
            "matched", "fingerprints",
        ),
    ),
    _filters(
        *_SHARED, "id", "guardrail_id", "guardrail_name", "rule_id", "rule_type", "label", "action", "stage", "entity",
        policy_id=Filter("guardrail_id"), hide_fp=Filter("fingerprints", Match.HIDE_FP),
    ),
)  # fmt: skip

FIREWALL_EVENTS = Feed(
    "firewall_events",
    "id",
    (
        Field("id", "id"),
        OCCURRED,
        *_plain(
            "key_id", "environment", "tool_name", "verdict", "surface", "reason", "policy_id", "policy_name",
            "policy_version", "rule_label", "rule_id", "args_summary", "args_hash", "destination",
        ),
        Field("shadow", "shadow", Kind.FLAG),
        Field("gap", "gap", Kind.FLAG),
        *_plain(
            "request_id", "run_id", "step_id", "parent_step_id", "conversation_id", "model", "approval_id",
        ),
    ),
    _filters(
        *_SHARED, "tool_name", "verdict", "surface", "policy_id", "policy_name", "rule_id", "rule_label",
        "destination", "args_hash", "approval_id", shadow=Filter("shadow", Match.FLAG), gap=Filter("gap", Match.FLAG),
    ),
)  # fmt: skip

REQUESTS = Feed(
    "requests",
    "event_id",
    (
        Field("id", "event_id"),
        OCCURRED,
        *_plain(
            "request_id", "key_id", "environment", "model", "upstream_model", "channel_id", "endpoint",
        ),
        Field("stream", "stream", Kind.FLAG),
        *_plain(
            "status", "status_code", "error_code", "input_tokens", "cached_input_tokens", "output_tokens",
        ),
        Field("cost_usd", "cost_nano_usd", Kind.USD),
        Field("blocked_usd", "blocked_nano_usd", Kind.USD),
        Field("estimated", "estimated", Kind.FLAG),
        Field("latency_ms", "latency_us", Kind.MS),
        Field("first_byte_ms", "first_byte_us", Kind.MS),
        Field("upstream_ms", "upstream_us", Kind.MS),
        *_plain(
            "ip", "client_request_id", "tool_calls", "finish_reasons", "attempts", "guardrail_id",
            "firewall_policy_id", "run_id", "step_id", "parent_step_id", "conversation_id",
        ),
    ),
    _filters(
        *_SHARED, "status", "error_code", "channel_id", "endpoint", "guardrail_id", "firewall_policy_id",
        "client_request_id", "ip", status_code=Filter("status_code", Match.INT),
        stream=Filter("stream", Match.FLAG),
    ),
)  # fmt: skip

CAPTURES = Feed(
    "request_bodies",
    "event_id",
    (
        Field("id", "event_id"),
        OCCURRED,
        *_plain("key_id", "environment", "request_id", "run_id", "kind", "body"),
        Field("truncated", "truncated", Kind.FLAG),
        Field("consent_version", "consent_version"),
    ),
    _filters("key_id", "environment", "request_id", "run_id", "kind"),
)

BY_TABLE: Mapping[str, Feed] = {
    **{feed.table: feed for feed in (MATCHES, FIREWALL_EVENTS, REQUESTS)}, "captures": CAPTURES,
}  # fmt: skip

ANOMALY_KINDS = ("rate_spike", "burn_spike", "retry_loop", "novel_egress", "novel_path")
ANOMALY_STATES = ("opened", "updated", "closed")

VERDICTS = ("allow", "audit", "deny", "sanitize", "pending_approval", "observe")
GROUPINGS: Mapping[str, str] = {
    "day": "toString(toDate(occurred_at, 'UTC'))",
    "key": "key_id",
    "model": "model",
    "environment": "environment",
}
