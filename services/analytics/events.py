"""The topics analytics reads, and the table each one fills."""

from __future__ import annotations

from collections.abc import Mapping

from services.common.eventlog import topics

GROUP = "analytics"
CONFIG_GROUP = "analytics-config"
CONFIG = topics.CONFIG
ANOMALIES = topics.ANOMALIES
TABLES: Mapping[str, str] = {
    topics.DECISIONS: "decisions",
    topics.MATCHES: "matches",
    topics.FIREWALL: "firewall_events",
    topics.SPEND: "spend",
    topics.REQUESTS: "requests",
    topics.CAPTURES: "request_bodies",
    topics.ANOMALIES: "anomalies",
}
DEAD_LETTERS = topics.DLQ
