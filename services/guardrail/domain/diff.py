"""What changed between two versions of a guardrail, field by field, rules by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIELDS = ("name", "enabled", "is_default", "log_raw_content")


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`{path, before, after}` per difference; a rule that was added or removed has null on one side."""
    changes = [
        {"path": name, "before": before.get(name), "after": after.get(name)}
        for name in _FIELDS
        if before.get(name) != after.get(name)
    ]
    old = {rule["id"]: rule for rule in before.get("rules", [])}
    new = {rule["id"]: rule for rule in after.get("rules", [])}
    for rule_id in dict.fromkeys((*old, *new)):
        left, right = old.get(rule_id), new.get(rule_id)
        if left is None or right is None:
            changes.append({"path": f"rules.{rule_id}", "before": left, "after": right})
            continue
        changes += [
            {"path": f"rules.{rule_id}.{name}", "before": left.get(name), "after": right.get(name)}
            for name in dict.fromkeys((*left, *right))
            if left.get(name) != right.get(name)
        ]
    order = ([rule for rule in old if rule in new], [rule for rule in new if rule in old])
    if order[0] != order[1]:
        changes.append({"path": "rules", "before": list(old), "after": list(new)})
    return changes
