"""A small JSONPath: `$`, `$.a.b`, `$.a[0].k`, `$['a key']`, `$..k` for any depth (once per path)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PATH_MAX = 256
STEPS_MAX = 32


@dataclass(frozen=True, slots=True)
class Step:
    """`child` and `deep` take a key, `index` a position."""

    kind: str
    key: str | int


_STEP = re.compile(r"\.\.(?P<deep>[^.\[\]'\"*\s]+)|\.(?P<child>[^.\[\]'\"*\s]+)|\[(?P<index>0|[1-9]\d{0,8})\]"
                   r"|\[(?P<quote>['\"])(?P<name>[^'\"\\]*)(?P=quote)\]")  # fmt: skip


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError with a message for the author."""
    if len(text) > PATH_MAX:
        raise ValueError(f"must have at most {PATH_MAX} characters")
    if not text.startswith("$"):
        raise ValueError("must start with $")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"cannot be read from character {at + 1}; use $.a.b, $.a[0].k, $['a key'] or $..k")
        steps.append(_step(match))
        at = match.end()
    if len(steps) > STEPS_MAX:
        raise ValueError(f"must have at most {STEPS_MAX} steps")
    if sum(step.kind == "deep" for step in steps) > 1:
        raise ValueError("may contain .. once")
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["deep"] is not None:
        return Step("deep", match["deep"])
    if match["child"] is not None:
        return Step("child", match["child"])
    if match["index"] is not None:
        return Step("index", int(match["index"]))
    return Step("child", match["name"])


def find(value: Any, steps: tuple[Step, ...]) -> list[Any]:
    """Every value the path leads to, in document order; at most one per node of the document."""
    found = [value]
    for step in steps:
        found = [item for holder in found for item in _follow(holder, step)]
        if not found:
            break
    return found


def _follow(holder: Any, step: Step) -> Iterator[Any]:
    if step.kind == "deep":
        yield from _anywhere(holder, step.key)
    elif step.kind == "child":
        if isinstance(holder, dict) and step.key in holder:
            yield holder[step.key]
    elif isinstance(holder, list) and isinstance(step.key, int) and step.key < len(holder):
        yield holder[step.key]


def _anywhere(value: Any, key: str | int) -> Iterator[Any]:
    pending = [value]
    while pending:
        holder = pending.pop()
        if isinstance(holder, dict):
            if key in holder:
                yield holder[key]
            pending.extend(reversed(list(holder.values())))
        elif isinstance(holder, list):
            pending.extend(reversed(holder))
