"""JSON documents as text: leaf strings and numbers are judged, masks keep the document valid.

A document that does not parse is judged as plain text by the caller. Duplicate keys and the spelling of
numbers survive; a masked number becomes a string.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 128
"""Levels of nesting; deeper documents are not evaluated."""


class TooDeep(ValueError):
    """The document nests deeper than `MAX_DEPTH`."""


@dataclass(slots=True)
class Leaf:
    """A string or number of a document. `text` is what is judged; `replaced` makes it a string."""

    text: str
    is_number: bool
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class _Object:
    members: list[tuple[str, Any]]


class Document:
    """A parsed document; leaves in order of appearance."""

    def __init__(self, text: str) -> None:
        """Raises ValueError when `text` is not JSON, TooDeep when it nests too deep."""
        self.keys: list[str] = []
        self.leaves: list[Leaf] = []
        try:
            self._root = json.loads(
                text,
                object_pairs_hook=_Object,
                parse_int=self._number,
                parse_float=self._number,
                parse_constant=self._number,
            )
        except RecursionError:
            raise TooDeep("the document nests too deep") from None
        self._root = self._collect(self._root, 0)

    def _number(self, raw: str) -> Leaf:
        return Leaf(raw, True)

    def _collect(self, node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise TooDeep("the document nests too deep")
        if isinstance(node, str):
            node = Leaf(node, False)
        if isinstance(node, Leaf):
            self.leaves.append(node)
        elif isinstance(node, _Object):
            self.keys.extend(key for key, _ in node.members)
            return _Object([(key, self._collect(value, depth + 1)) for key, value in node.members])
        elif isinstance(node, list):
            return [self._collect(value, depth + 1) for value in node]
        return node

    def rewrite(self, mask: Callable[[str], str]) -> str | None:
        """The document with `mask` applied to each leaf's text; None when nothing changed."""
        changed = False
        for leaf in self.leaves:
            text = mask(leaf.text)
            if text != leaf.text:
                leaf.text, leaf.replaced, changed = text, True, True
        return _encode(self._root) if changed else None


def _encode(node: Any) -> str:
    if isinstance(node, Leaf):
        return node.text if node.is_number and not node.replaced else json.dumps(node.text, ensure_ascii=False)
    if isinstance(node, _Object):
        members = (f"{json.dumps(key, ensure_ascii=False)}: {_encode(value)}" for key, value in node.members)
        return "{" + ", ".join(members) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(_encode, node)) + "]"
    return json.dumps(node)
