"""Console's settings: where the services' HTTP APIs are, in the distributed profile."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import OrcaSettings


class ConsoleSettings(OrcaSettings):
    """Base URLs of the services behind the entry point."""

    auth_url: str = Field("http://127.0.0.1:8091", description="Base URL of auth's HTTP API.")
    guardrail_url: str = Field("http://127.0.0.1:8092", description="Base URL of guardrail's HTTP API.")
    firewall_url: str = Field("http://127.0.0.1:8093", description="Base URL of firewall's HTTP API.")
    ledger_url: str = Field("http://127.0.0.1:8094", description="Base URL of ledger's HTTP API.")
    analytics_url: str = Field("http://127.0.0.1:8095", description="Base URL of analytics' HTTP API.")
    console_timeout_s: float = Field(60.0, gt=0, description="Deadline of one management call to its service.")
