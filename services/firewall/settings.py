"""Firewall's settings."""

from __future__ import annotations

from services.common.settings import OrcaSettings


class FirewallSettings(OrcaSettings):
    """What firewall needs; so far the shared settings suffice."""
