"""Guardrail's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.common.settings import OrcaSettings


class GuardrailSettings(OrcaSettings):
    """What guardrail needs beyond the shared settings."""

    fingerprint_secret: SecretStr = Field(
        SecretStr(""),
        description="Key of match fingerprints, at least 32 characters; generated when embedded.",
    )
    automata_dir: str = Field(
        "~/.cache/orca",
        description="Directory of this user's that keeps compiled automata between starts, which saves seconds of"
        " processor time each; empty keeps none.",
    )
    rule_secret: SecretStr = Field(
        SecretStr(""),
        description="Key of webhook secrets at rest, 32 bytes in base64; unset = derived from the fingerprint key.",
    )
