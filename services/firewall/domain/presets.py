"""Presets: named seeds of ordinary, editable rules. Those that need matchers not available yet are left out."""

from __future__ import annotations

from typing import Any


def presets() -> list[dict[str, Any]]:
    """Fresh copies: id, name, description and rules as `POST …/policies` takes them."""
    return [
        _preset(
            "no_shell",
            "No shell",
            "Denies tools that run commands.",
            [_deny("*.shell.*"), _deny("shell.*"), _deny("*.exec"), _deny("bash"), _deny("shell")],
        ),
        _preset(
            "no_metadata_service",
            "No cloud metadata",
            "Denies calls whose url is a cloud metadata address.",
            [_deny("*", args_match={"clauses": [{"path": "$..url", "op": "contains", "value": "169.254.169.254"}]})],
        ),
        _preset(
            "no_provider_tools",
            "No provider-run tools",
            "Denies tools that the model's provider would run out of Orca's sight.",
            [_deny("provider.*")],
        ),
        _preset(
            "watch_everything",
            "Watch everything",
            "Lets every call pass and flags it.",
            [{"tool_name_glob": "*", "verdict": "audit", "priority": 1000}],
        ),
    ]


def _deny(glob: str, **matchers: Any) -> dict[str, Any]:
    return {"tool_name_glob": glob, "verdict": "deny", "priority": 100, **matchers}


def _preset(preset_id: str, name: str, description: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": preset_id,
        "name": name,
        "description": description,
        "rules": [{"label": name, **rule} for rule in rules],
    }
