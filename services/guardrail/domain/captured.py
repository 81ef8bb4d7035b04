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
    """The texts to judge; None when the body cannot be read. A streamed answer's pieces are joined per field."""
    try:
        if body.startswith("data:"):
            return _streamed(body)
        parsed = json.loads(body)
        if not isinstance(parsed, dict):
            return None
        found: list[Segment] = []
        _walk(parsed, "", "", 0, found)
    except (ValueError, RecursionError, _TooMuch):
        return None
    return found


def _streamed(body: str) -> list[Segment]:
    """Of the frames that the relay writes: one `data:` line each, pieces of a choice under `delta`."""
    pieces: dict[tuple[str, ...], list[str]] = {}
    for line in body.split("\n"):
        if not line.startswith("data: {"):
            continue
        choices = json.loads(line[len("data: ") :]).get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                _join(choice.get("delta"), (str(choice.get("index")),), pieces)
    return [
        Segment("".join(texts), Kind.JSON if path[-1] == "arguments" else Kind.TEXT, "assistant", path[-1])
        for path, texts in pieces.items()
    ]


def _join(node: Any, path: tuple[str, ...], pieces: dict[tuple[str, ...], list[str]]) -> None:
    """Appends each string to the others of its place; elements of lists are told apart by their `index`."""
    if len(path) > MAX_DEPTH or len(pieces) > MAX_TEXTS:
        raise _TooMuch
    if isinstance(node, str) and node and path[-1] not in _SKIPPED:
        pieces.setdefault(path, []).append(node)
    elif isinstance(node, dict):
        for name, value in node.items():
            _join(value, (*path, name), pieces)
    elif isinstance(node, list):
        for at, value in enumerate(node):
            _join(value, (*path, str(value.get("index", at)) if isinstance(value, dict) else str(at)), pieces)


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
