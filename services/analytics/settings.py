"""Settings of analytics."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import OrcaSettings


class AnalyticsSettings(OrcaSettings):
    """What analytics needs beyond the shared settings."""

    analytics_flush_ms: int = Field(
        200, ge=10, le=1000, description="Least time between two writes of the feeds' tables, milliseconds."
    )
    analytics_flush_max_ms: int = Field(
        500, ge=10, le=1500, description="Most time between two writes under load, milliseconds."
    )
    analytics_flush_idle_ms: int = Field(
        5000,
        ge=10,
        le=30_000,
        description="Most time between two writes while nobody reads a feed, embedded profile only, milliseconds.",
    )
    analytics_query_timeout_s: float = Field(10.0, gt=0, le=300, description="Deadline of one feed query, seconds.")
    analytics_learning_hours: float = Field(
        24.0, ge=0, le=24 * 60, description="Hours before a key's new hosts and a workspace's new tool paths are news."
    )
    analytics_retention_days: int = Field(
        30, ge=1, le=180, description="Days that matches, requests, decisions and firewall events are kept."
    )
