"""Envelopes → columns: pure functions, a batch at a time; no I/O, no clock.

A column is filled by one pass over the batch, so that no object is made per event. Raises Unprocessable for what can
never become a row; the message names the field, never its content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from orca.events.v1.events_pb2 import Envelope
from services.analytics.domain.blocks import Records
from services.analytics.domain.rows import EVENT_COLUMNS, PAYLOAD_COLUMNS
from services.common.eventlog.ports import ConsumedRecord

# Outside these years a time is a bug of its producer, and would open table partitions of its own.
OCCURRED_MIN_US = 1_577_836_800_000_000  # 2020-01-01
OCCURRED_MAX_US = 4_102_444_800_000_000  # 2100-01-01

BODIES = "request_bodies"
OCCURRED = EVENT_COLUMNS.index("occurred_at")
WORKSPACE = EVENT_COLUMNS.index("workspace_id")

Values = list[Any]
Source = Callable[[Sequence[Envelope], Sequence[Any]], Values]
"""Fills a column from envelopes and their payloads."""


class Unprocessable(Exception):
    """A record that can never become a row."""


def decode(value: bytes) -> Envelope:
    """The envelope of a record. Raises Unprocessable."""
    try:
        return Envelope.FromString(value)
    except DecodeError:
        raise Unprocessable("not an envelope") from None


def collect(
    table: str,
    batch: Sequence[ConsumedRecord],
    retention_days: Callable[[str], int],
    consents: Callable[[str, int], bool],
) -> Records:
    """Consecutive records of one partition, decoded. Raises Unprocessable; `culprit` finds the record."""
    envelopes = [decode(record.value) for record in batch]
    kept = [True] * len(batch)
    if table == BODIES:
        # A body without the workspace's current consent is not kept, whoever captured it.
        kept = [consents(envelope.workspace_id, envelope.capture.consent_version) for envelope in envelopes]
    values = columns(table, envelopes, retention_days)
    return Records(
        [record.offset for record in batch], list(map(attrgetter("producer_id"), envelopes)),
        list(map(attrgetter("producer_seq"), envelopes)), list(values[OCCURRED]), kept, values,
    )  # fmt: skip


def culprit(table: str, batch: Sequence[ConsumedRecord]) -> tuple[ConsumedRecord, str] | None:
    """The first record that can never become a row, and why; None when all can."""
    for record in batch:
        try:
            columns(table, [decode(record.value)], lambda _: 0)
        except Unprocessable as error:
            return record, str(error)
    return None


def columns(table: str, envelopes: Sequence[Envelope], retention_days: Callable[[str], int]) -> list[Values]:
    """The table's columns for envelopes read from its topic, without the position's. Raises Unprocessable."""
    kinds = [envelope.WhichOneof("payload") or "none" for envelope in envelopes]
    for kind in set(kinds):
        if kind not in _SOURCES or table not in _SOURCES[kind]:
            raise Unprocessable(f"payload {kind} does not belong to {table}")
    common = [list(map(get, envelopes)) for get in _COMMON]
    occurred_us, workspaces = common[OCCURRED], common[WORKSPACE]
    if not all(workspaces):
        raise Unprocessable("workspace_id is empty")
    if occurred_us and not OCCURRED_MIN_US <= min(occurred_us) <= max(occurred_us) < OCCURRED_MAX_US:
        raise Unprocessable("occurred_at is out of range")
    days = {workspace_id: retention_days(workspace_id) for workspace_id in set(workspaces)}
    payload: list[Values] = [[] for _ in PAYLOAD_COLUMNS[table]]
    at = 0
    for kind, group in groupby(kinds):
        run = envelopes[at : (at := at + len(list(group)))]
        messages = list(map(attrgetter(kind), run))
        for column, source in zip(payload, _SOURCES[kind][table], strict=True):
            column += source(run, messages)
    return [*common, [days[workspace_id] for workspace_id in workspaces], *payload]


_COMMON = tuple(
    map(
        attrgetter,
        ("event_id", "occurred_at_unix_us", "workspace_id", "key_id", "owner_user_id", "environment", "request_id",
         "run_id", "step_id", "parent_step_id", "conversation_id"),
    )
)  # fmt: skip


def _field(name: str) -> Source:
    get = attrgetter(name)
    return lambda _, messages: list(map(get, messages))


def _lists(name: str) -> Source:
    get = attrgetter(name)
    return lambda _, messages: [list(get(message)) for message in messages]


def _always(value: Any) -> Source:
    return lambda envelopes, _: [value] * len(envelopes)


def _own_id(envelopes: Sequence[Envelope], messages: Sequence[Any]) -> Values:
    return [message.id or envelope.event_id for envelope, message in zip(envelopes, messages, strict=True)]


def _sources(table: str, special: Mapping[str, Source] = {}, otherwise: Source | None = None) -> tuple[Source, ...]:
    """A source per column of the table: the special one, else the payload's field of that name."""
    return tuple(special.get(name) or otherwise or _field(name) for name in PAYLOAD_COLUMNS[table])


_NONE, _ZERO, _FALSE = _always(""), _always(0), _always(False)
_SOURCES: Mapping[str, Mapping[str, tuple[Source, ...]]] = {
    "decision": {
        "decisions": _sources("decisions", {"not_evaluated": _lists("not_evaluated"), "count": _always(1)}),
    },
    "refusals": {
        "decisions": _sources(
            "decisions",
            {
                "plane": _always("relay"), "outcome": _always("refuse"), "code": _field("code"),
                "count": _field("count"), "policy_version": _ZERO, "latency_us": _ZERO, "fail_open": _FALSE,
                "dangling_policy": _FALSE, "not_evaluated": _always([]),
            },
            _NONE,
        ),
    },
    "match": {
        "matches": _sources(
            "matches", {"id": _own_id, "matched": _lists("matched"), "fingerprints": _lists("fingerprints")}
        ),
    },
    # The writer knows the tool before each call.
    "firewall": {"firewall_events": _sources("firewall_events", {"id": _own_id, "previous_tool": _NONE})},
    "request": {"requests": _sources("requests", {"finish_reasons": _lists("finish_reasons")})},
    "spend": {
        "spend": _sources(
            "spend", {"kind": _always("spend"), "lease_id": _field("key_lease.lease_id"), "amount_nano_usd": _ZERO}
        ),
    },
    "credit": {
        "spend": _sources(
            "spend",
            {
                **{name: _field(name) for name in ("kind", "account_id", "lease_id", "amount_nano_usd")},
                "estimated": _FALSE, "model": _NONE, "channel_id": _NONE,
            },
            _ZERO,
        ),
    },
    "capture": {"request_bodies": _sources("request_bodies")},
    "anomaly": {"anomalies": _sources("anomalies")},
}  # fmt: skip
