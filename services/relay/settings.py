"""The relay's settings."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import OrcaSettings


class RelaySettings(OrcaSettings):
    """What the data plane reads from the environment, beyond what every service does."""

    echo_model: bool = Field(False, description="Serve the built-in sample model orca/echo.")
    judge_rpm_per_key: int = Field(
        60, ge=1, le=1_000_000, description="Judge questions a minute on behalf of one tenant key, on each replica."
    )
    max_body_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Largest accepted request body, in bytes."
    )
    journal_max_bytes: int = Field(
        1 << 30, ge=1 << 20, le=1 << 40, description="Bound of the relay's journal, in bytes; half is kept for spend."
    )
