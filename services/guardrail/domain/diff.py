"""What changed between two versions of a guardrail; the order of its rules too, since it decides between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.common.diff import diff as changes_between

_FIELDS = ("name", "enabled", "is_default", "log_raw_content")


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`{path, before, after}` per difference; `rules` when those that stayed changed places."""
    changes = changes_between(before, after, _FIELDS)
    old, new = ([rule["id"] for rule in side.get("rules", [])] for side in (before, after))
    if [rule for rule in old if rule in new] != [rule for rule in new if rule in old]:
        changes.append({"path": "rules", "before": old, "after": new})
    return changes
