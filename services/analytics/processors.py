"""Envelope → row: pure functions, one per payload; no I/O, no clock.

Raises Unprocessable for what can never become a row; the message names the field, never its content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from orca.events.v1.events_pb2 import Envelope
from services.analytics.domain.rows import Row

# Outside these years a time is a bug of its producer, and would open table partitions of its own.
OCCURRED_MIN_US = 1_577_836_800_000_000  # 2020-01-01
OCCURRED_MAX_US = 4_102_444_800_000_000  # 2100-01-01

Values = tuple[Any, ...]


class Unprocessable(Exception):
    """A record that can never become a row."""


def decode(value: bytes) -> Envelope:
    """The envelope of a record. Raises Unprocessable."""
    try:
        return Envelope.FromString(value)
    except DecodeError:
        raise Unprocessable("not an envelope") from None


def process(envelope: Envelope, table: str, retention_days: int) -> Row:
    """The row of an envelope read from the table's topic. Raises Unprocessable."""
    kind = envelope.WhichOneof("payload")
    found = _PROCESSORS.get(kind or "")
    if found is None or found[0] != table:
        raise Unprocessable(f"payload {kind or 'none'} does not belong to {table}")
    if not envelope.workspace_id:
        raise Unprocessable("workspace_id is empty")
    if not OCCURRED_MIN_US <= envelope.occurred_at_unix_us < OCCURRED_MAX_US:
        raise Unprocessable("occurred_at is out of range")
    common = (
        envelope.event_id,
        envelope.occurred_at_unix_us,
        envelope.workspace_id,
        envelope.key_id,
        envelope.owner_user_id,
        envelope.environment,
        envelope.request_id,
        envelope.run_id,
        envelope.step_id,
        envelope.parent_step_id,
        envelope.conversation_id,
        retention_days,
    )
    return Row(table, envelope.occurred_at_unix_us, common + found[1](envelope))


def _decision(envelope: Envelope) -> Values:
    it = envelope.decision
    return (
        it.plane, it.stage, it.outcome, it.code, it.reason, it.policy_id, it.policy_name, it.policy_version,
        it.rule_id, it.latency_us, it.fail_open, it.model, list(it.not_evaluated), it.dangling_policy, 1,
    )  # fmt: skip


def _refusals(envelope: Envelope) -> Values:
    it = envelope.refusals
    return ("relay", "", "refuse", it.code, "", "", "", 0, "", 0, False, "", [], False, it.count)


def _match(envelope: Envelope) -> Values:
    it = envelope.match
    return (
        it.id or envelope.event_id, it.guardrail_id, it.guardrail_name, it.guardrail_version, it.rule_id,
        it.rule_type, it.label, it.action, it.stage, it.entity, it.count, it.detail, list(it.matched),
        list(it.fingerprints), it.model,
    )  # fmt: skip


def _firewall(envelope: Envelope) -> Values:
    it = envelope.firewall
    return (
        it.id or envelope.event_id, it.tool_name, it.verdict, it.surface, it.reason, it.policy_id, it.policy_name,
        it.policy_version, it.rule_id, it.rule_label, it.args_summary, it.args_hash, it.destination, it.shadow,
        it.gap, it.model, it.approval_id, "",  # the writer knows the tool before it
    )  # fmt: skip


def _request(envelope: Envelope) -> Values:
    it = envelope.request
    return (
        it.model, it.upstream_model, it.channel_id, it.endpoint, it.stream, it.status_code, it.status, it.error_code,
        it.input_tokens, it.cached_input_tokens, it.output_tokens, it.cost_nano_usd, it.latency_us, it.first_byte_us,
        it.upstream_us, it.ip, it.client_request_id, it.tool_calls, list(it.finish_reasons), it.attempts,
        it.guardrail_id, it.firewall_policy_id, it.estimated, it.blocked_nano_usd, it.replica_id,
    )  # fmt: skip


def _spend(envelope: Envelope) -> Values:
    it = envelope.spend
    return (
        "spend", it.account_id, it.key_lease.lease_id, it.reservation_nano_usd, it.settled_nano_usd,
        it.unconfirmed_nano_usd, it.blocked_nano_usd, it.overrun_nano_usd, 0, it.estimated, it.model, it.channel_id,
        it.input_tokens, it.cached_input_tokens, it.output_tokens, it.reasoning_tokens, it.attempt,
    )  # fmt: skip


def _credit(envelope: Envelope) -> Values:
    it = envelope.credit
    zero = (0, 0, 0, 0, 0)
    return (it.kind, it.account_id, it.lease_id, *zero, it.amount_nano_usd, False, "", "", 0, 0, 0, 0, 0)


def _capture(envelope: Envelope) -> Values:
    it = envelope.capture
    return (it.kind, it.body, it.truncated, it.consent_version)


def _anomaly(envelope: Envelope) -> Values:
    it = envelope.anomaly
    return (
        it.id, it.kind, it.series, it.state, it.observed, it.expected, it.score, it.probability, it.baseline_weeks,
        it.tool_name, it.detail,
    )  # fmt: skip


_PROCESSORS: Mapping[str, tuple[str, Callable[[Envelope], Values]]] = {
    "decision": ("decisions", _decision),
    "refusals": ("decisions", _refusals),
    "match": ("matches", _match),
    "firewall": ("firewall_events", _firewall),
    "request": ("requests", _request),
    "spend": ("spend", _spend),
    "credit": ("spend", _credit),
    "capture": ("request_bodies", _capture),
    "anomaly": ("anomalies", _anomaly),
}
