"""Firewall's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.common.settings import OrcaSettings


class FirewallSettings(OrcaSettings):
    """What firewall needs beyond the shared settings."""

    firewall_secret: SecretStr = Field(
        SecretStr(""),
        description="Key for held answers, MCP credentials and webhook secrets: 32 bytes in base64; "
        "generated when embedded.",
    )
