"""What an autonomy level may do to the policies of one plane, the same in both: when it stands back, what undoing is.

A level manages only a policy that a level made and nobody edited since. What it touched is remembered, in the order
of the changes, as `{id, before: the policy as shown or null where the level made it, version: after the level}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAMES = ("Autonomy", *(f"Autonomy {number}" for number in range(2, 100)))
"""What a level's policy is called: the first of these that is free."""


def keeps(*, enabled: bool, managed: bool, replace: bool) -> bool:
    """Whether the present default stays: it is someone's own and in force, and was not to be replaced."""
    return enabled and not managed and not replace


def unedited(touched: Iterable[Mapping[str, Any]], policy_id: str, version: int) -> bool:
    """Whether a managed policy is still at the version that the level left, if the level touched it at all."""
    left = next((item["version"] for item in touched if item["id"] == policy_id), None)
    return left in (None, version)


def edited_since(touched: Iterable[Mapping[str, Any]], versions: Mapping[str, int]) -> bool:
    """Whether a touched policy changed since or is gone. `versions`: of those that live."""
    return any(versions.get(item["id"]) != item["version"] for item in touched)


def in_order_of_undoing(touched: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The former default last: whoever became one in between gives way to it."""
    return sorted(touched, key=lambda item: bool(item["before"] and item["before"]["is_default"]))


def followed(touched: Iterable[Mapping[str, Any]], versions: Mapping[str, int]) -> Sequence[dict[str, Any]]:
    """What the level before touched, now that its policies are as it left them under newer versions."""
    return [{**item, "version": versions.get(item["id"], item["version"])} for item in touched]
