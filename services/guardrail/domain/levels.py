"""The guardrail half of an autonomy level: which rules it sets."""

from __future__ import annotations

from typing import Any

from services.guardrail.domain.presets import presets

LEVELS = ("tight", "balanced", "permissive")

_SHIELD, _SECRETS = "pii_shield", "secrets_blocker"


def level_rules(level: str) -> list[dict[str, Any]] | None:
    """Rules of the level's default as an author would send them; None: the level has no default."""
    if level == "permissive":
        return None
    seeds = {preset["id"]: preset["rules"] for preset in presets()}
    shield: list[dict[str, Any]] = seeds[_SHIELD]
    if level == "balanced":
        return [{**rule, "action": "flag"} for rule in shield]
    fallback = [{"type": "secrets", "stage": "both", "action": "block", "label": "Secrets Blocker"}]
    return [*shield, *seeds.get(_SECRETS, fallback)]
