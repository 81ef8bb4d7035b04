"""The texts of a captured body, for replaying a draft over it: message contents, tool-call arguments, other strings.

Coarser than the relay's own walk: a captured body is read for what a draft would find, never forwarded.
"""

from __future__ import annotations

import json
from typing import Any

from services.guardrail.domain.model import Kind, Segment

MAX_DEPTH = 64
MAX_TEXTS = 20_000
ACTED = {"block": "blocked", "mask": "masked"}
"""What a rule's action made of a text; every other action only records."""
_STRENGTH = ("", "flagged", "masked", "blocked")
_SKIPPED = frozenset(("model", "role", "type", "id", "tool_call_id", "object", "finish_reason"))


def texts_of(body: str) -> list[Segment] | None:
    """The texts to judge; None when the body cannot be read."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    found: list[Segment] = []
    try:
        _walk(parsed, "", "", 0, found)
    except _TooMuch:
        return None
    return found


def stronger(one: str, other: str) -> str:
    """Of two of `flagged`, `masked`, `blocked` (empty: nothing) the one that decides."""
    return max(one, other, key=_STRENGTH.index)


class _TooMuch(Exception):
    """The body nests too deep or holds too many texts."""


def _walk(node: Any, key: str, role: str, depth: int, found: list[Segment]) -> None:
    if depth > MAX_DEPTH or len(found) > MAX_TEXTS:
        raise _TooMuch
    if isinstance(node, str):
        if node and key not in _SKIPPED:
            found.append(Segment(node, Kind.JSON if key == "arguments" else Kind.TEXT, role, key))
    elif isinstance(node, dict):
        named = node.get("role")
        role = named if isinstance(named, str) else role
        for name, value in node.items():
            _walk(value, name, role, depth + 1, found)
    elif isinstance(node, list):
        for value in node:
            _walk(value, key, role, depth + 1, found)
