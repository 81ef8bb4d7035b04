"""What changed between two versions of a policy, field by field, rules by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def diff(before: Mapping[str, Any], after: Mapping[str, Any], fields: Iterable[str]) -> list[dict[str, Any]]:
    """`{path, before, after}` per difference in `fields` and in the rules; null on one side: added or removed."""
    changes = _changes("", before, after, fields)
    old = {rule["id"]: rule for rule in before.get("rules", [])}
    new = {rule["id"]: rule for rule in after.get("rules", [])}
    for rule_id in dict.fromkeys((*old, *new)):
        left, right = old.get(rule_id), new.get(rule_id)
        if left is None or right is None:
            changes.append({"path": f"rules.{rule_id}", "before": left, "after": right})
        else:
            changes += _changes(f"rules.{rule_id}.", left, right, dict.fromkeys((*left, *right)))
    return changes


def _changes(
    prefix: str, before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str]
) -> list[dict[str, Any]]:
    return [
        {"path": f"{prefix}{name}", "before": before.get(name), "after": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    ]
