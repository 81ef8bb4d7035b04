"""What changed between two versions of a policy. Its rules run by priority: their places in the list say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.common.diff import diff as changes_between

_FIELDS = ("name", "enabled", "is_default", "default_verdict", "shadow_mode")


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`{path, before, after}` per difference."""
    return changes_between(before, after, _FIELDS)
