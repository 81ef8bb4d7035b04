"""Envelopes, records and a log for analytics' tests; everything in them is made up."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from orca.events.v1.events_pb2 import (
    ConfigChange,
    Envelope,
    FirewallEvaluation,
    GuardrailMatch,
    RequestCompleted,
    Spend,
)
from services.common.eventlog import topics
from services.common.eventlog.ports import ConsumedRecord, OutRecord, Rebalance, TopicPartition

# Rows expire some days after their own time, so tests tell of today.
NOW_US = int(time.time()) * 1_000_000 - 3_600_000_000
_ids = itertools.count(1)

TOPIC_OF = {
    "match": topics.MATCHES,
    "firewall": topics.FIREWALL,
    "request": topics.REQUESTS,
    "spend": topics.SPEND,
    "credit": topics.SPEND,
    "decision": topics.DECISIONS,
    "refusals": topics.DECISIONS,
    "capture": topics.CAPTURES,
    "anomaly": topics.ANOMALIES,
}


def envelope(at_s: float = 0, **fields: Any) -> Envelope:
    """An event `at_s` seconds after NOW_US; any field can be named."""
    defaults: dict[str, Any] = {
        "event_id": f"ev_{next(_ids):06d}",
        "occurred_at_unix_us": NOW_US + round(at_s * 1_000_000),
        "workspace_id": "ws_1",
        "key_id": "key_1",
        "request_id": "req_1",
        "run_id": "run_1",
        "environment": "prod",
        "schema_version": 1,
    }
    return Envelope(**{**defaults, **fields})


def match(at_s: float = 0, *, id: str, rule_id: str = "rule_1", action: str = "mask", **fields: Any) -> Envelope:
    """A masked e-mail address."""
    payload = GuardrailMatch(
        id=id, guardrail_id="gr_1", guardrail_name="tenant-baseline", guardrail_version=3, rule_id=rule_id,
        rule_type="pii", label="PII", action=action, stage="input", entity="email", count=2, detail="2 findings",
        matched=["someone@example.test"], fingerprints=["f1", "f2"], model="orca/echo",
    )  # fmt: skip
    return envelope(at_s, match=payload, **fields)


def firewall(at_s: float = 0, *, id: str, payload: Mapping[str, Any] | None = None, **fields: Any) -> Envelope:
    """An allowed call of the tool `search`."""
    values: dict[str, Any] = {
        "id": id, "tool_name": "search", "verdict": "allow", "surface": "response", "reason": "default verdict",
        "policy_id": "fp_1", "policy_name": "baseline", "policy_version": 2, "rule_id": "", "rule_label": "",
        "args_summary": '{"q":"…"}', "args_hash": "ab" * 32, "model": "orca/echo", **(payload or {}),
    }  # fmt: skip
    return envelope(at_s, firewall=FirewallEvaluation(**values), **fields)


def request(at_s: float = 0, *, payload: Mapping[str, Any] | None = None, **fields: Any) -> Envelope:
    """An answered chat completion."""
    values: dict[str, Any] = {
        "model": "orca/echo", "upstream_model": "echo", "channel_id": "ch_1", "endpoint": "/v1/chat/completions",
        "status_code": 200, "status": "ok", "input_tokens": 10, "output_tokens": 5, "cost_nano_usd": 1500,
        "latency_us": 2500, "upstream_us": 1500, "ip": "192.0.2.7", "tool_calls": 1, "finish_reasons": ["stop"],
        "attempts": 1, "replica_id": "relay-1", **(payload or {}),
    }  # fmt: skip
    return envelope(at_s, request=RequestCompleted(**values), **fields)


def spend(at_s: float = 0, *, settled: int = 1500, **fields: Any) -> Envelope:
    """The settlement of that request."""
    payload = Spend(
        account_id="key_1", reservation_nano_usd=9000, settled_nano_usd=settled, model="orca/echo", channel_id="ch_1",
        input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=1, attempt=1,
    )  # fmt: skip
    return envelope(at_s, spend=payload, **fields)


def config(entity: str, entity_id: str, version: int, fields_json: str, operation: str = "update") -> Envelope:
    """A change of configuration in `ws_1`."""
    change = ConfigChange(
        entity=entity, entity_id=entity_id, operation=operation, version=version, fields_json=fields_json
    )
    return envelope(key_id="", config=change)


class FakeLog:
    """Records in memory; one partition per topic is enough here. Refuses what it does not model."""

    def __init__(self) -> None:
        self.records: dict[str, list[bytes]] = {}
        self.sent: list[OutRecord] = []
        self.commits: dict[TopicPartition, int] = {}
        # Set by a poll that found nothing: all records before it are handled and committed.
        self.idle = asyncio.Event()

    def add(self, *envelopes: Envelope) -> None:
        for item in envelopes:
            self.add_raw(TOPIC_OF[item.WhichOneof("payload") or ""], item.SerializeToString())

    def add_raw(self, topic: str, value: bytes) -> None:
        self.records.setdefault(topic, []).append(value)

    def read(self, topic: str, first: int = 0, last: int | None = None) -> list[ConsumedRecord]:
        values = self.records.get(topic, [])
        stop = len(values) if last is None else last + 1
        return [
            ConsumedRecord(topic, 0, offset, b"k", values[offset], (), NOW_US // 1000)
            for offset in range(first, min(stop, len(values)))
        ]

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ensure_topics(self) -> None: ...

    def producer(self, producer_id: str) -> FakeProducer:
        del producer_id
        return FakeProducer(self)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> FakeConsumer:
        del group, on_revoked
        return FakeConsumer(self, topics, on_assigned)


class FakeProducer:
    def __init__(self, log: FakeLog) -> None:
        self._log = log

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: Sequence[OutRecord]) -> None:
        self._log.sent += records


class FakeConsumer:
    def __init__(self, log: FakeLog, topics: Sequence[str], on_assigned: Rebalance | None) -> None:
        self._log = log
        self._places = [TopicPartition(topic, 0) for topic in topics]
        self._next = dict.fromkeys(self._places, 0)
        self._on_assigned = on_assigned

    async def start(self) -> None:
        if self._on_assigned is not None:
            await self._on_assigned(self.assignment())

    async def stop(self) -> None: ...

    async def poll(self, max_records: int, timeout_s: float) -> list[ConsumedRecord]:
        del timeout_s
        found: list[ConsumedRecord] = []
        for place in self._places:
            found += self._log.read(place.topic, self._next[place])[: max_records - len(found)]
        for record in found:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if not found:
            self._log.idle.set()
            await asyncio.sleep(0.001)
        return found

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        self._log.commits.update(positions)

    async def committed(self, partition: TopicPartition) -> int | None:
        return self._log.commits.get(partition)

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        self._next[partition] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._places)

    def lag(self) -> int:
        return 0
