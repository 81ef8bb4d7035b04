"""Topics, their partitions and retention. The spend topic is the ledger's source of truth: kept forever,
its partition count never changes."""

from __future__ import annotations

from dataclasses import dataclass

DECISIONS = "orca.decisions.v1"
MATCHES = "orca.matches.v1"
FIREWALL = "orca.firewall.v1"
SPEND = "orca.spend.v1"
CAPTURES = "orca.captures.v1"
REQUESTS = "orca.requests.v1"
CONFIG = "orca.config.v1"
AUDIT = "orca.audit.v1"
ANOMALIES = "orca.anomalies.v1"
DLQ = "orca.dlq.v1"

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as declared. `retention_ms` None = forever."""

    name: str
    partitions: int
    retention_ms: int | None
    compacted: bool = False


TOPICS = (
    Topic(DECISIONS, 8, 7 * _DAY_MS),
    Topic(MATCHES, 8, 7 * _DAY_MS),
    Topic(FIREWALL, 8, 7 * _DAY_MS),
    Topic(SPEND, 8, None),
    Topic(CAPTURES, 8, 2 * _DAY_MS),
    Topic(REQUESTS, 8, 7 * _DAY_MS),
    Topic(CONFIG, 4, None, compacted=True),
    Topic(AUDIT, 4, None),
    Topic(ANOMALIES, 4, 30 * _DAY_MS),
    Topic(DLQ, 4, 30 * _DAY_MS),
)
BY_NAME = {topic.name: topic for topic in TOPICS}
