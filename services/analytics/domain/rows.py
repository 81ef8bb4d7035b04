"""Columns of every table, in the order in which rows are written.

Times are Unix microseconds, money is nano-USD. The DDL is in
`clickhouse/migrations.py`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

EVENT_COLUMNS = (
    "event_id",
    "occurred_at",
    "workspace_id",
    "key_id",
    "owner_user_id",
    "environment",
    "request_id",
    "run_id",
    "step_id",
    "parent_step_id",
    "conversation_id",
    "retention_days",
)
POSITION_COLUMNS = ("_topic", "_partition", "_offset")

PAYLOAD_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "decisions": (
        "plane", "stage", "outcome", "code", "reason", "policy_id", "policy_name", "policy_version", "rule_id",
        "latency_us", "fail_open", "model", "not_evaluated", "dangling_policy", "count",
    ),
    "matches": (
        "id", "guardrail_id", "guardrail_name", "guardrail_version", "rule_id", "rule_type", "label", "action",
        "stage", "entity", "count", "detail", "matched", "fingerprints", "model",
    ),
    "firewall_events": (
        "id", "tool_name", "verdict", "surface", "reason", "policy_id", "policy_name", "policy_version", "rule_id",
        "rule_label", "args_summary", "args_hash", "destination", "shadow", "gap", "model", "approval_id",
        "previous_tool",
    ),
    "requests": (
        "model", "upstream_model", "channel_id", "endpoint", "stream", "status_code", "status", "error_code",
        "input_tokens", "cached_input_tokens", "output_tokens", "cost_nano_usd", "latency_us", "first_byte_us",
        "upstream_us", "ip", "client_request_id", "tool_calls", "finish_reasons", "attempts", "guardrail_id",
        "firewall_policy_id", "estimated", "blocked_nano_usd", "replica_id",
    ),
    "spend": (
        "kind", "account_id", "lease_id", "reservation_nano_usd", "settled_nano_usd", "unconfirmed_nano_usd",
        "blocked_nano_usd", "overrun_nano_usd", "amount_nano_usd", "estimated", "model", "channel_id",
        "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "attempt",
    ),
    "request_bodies": ("kind", "body", "truncated", "consent_version"),
    "anomalies": (
        "id", "kind", "series", "state", "observed", "expected", "score", "probability", "baseline_weeks",
        "tool_name", "detail",
    ),
}  # fmt: skip

COLUMNS: Mapping[str, tuple[str, ...]] = {
    table: (*EVENT_COLUMNS, *payload, *POSITION_COLUMNS) for table, payload in PAYLOAD_COLUMNS.items()
}
