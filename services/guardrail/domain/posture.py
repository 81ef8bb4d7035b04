"""The guardrail half of an autonomy level: which rules it sets, and when it must stand back.

A level manages only a row that a level made and nobody edited since; an enabled default of anyone else stays.
"""

from __future__ import annotations

from typing import Any

from services.guardrail.domain.presets import presets

LEVELS = ("tight", "balanced", "permissive")
NAME = "Autonomy"

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


def keeps(*, enabled: bool, managed: bool, replace: bool) -> bool:
    """Whether the present default stays: it is someone's own and in force, and was not to be replaced."""
    return enabled and not managed and not replace
