"""Entities out of a text, each replaced by `[redacted:<name>]`: what the firewall asks for by name.

No policy, no context, no fold: the spans of the named finders, the longest first where they begin together, and
overlapping ones as the one that began first.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.guardrail.domain.entities import canonical, finder_of
from services.guardrail.domain.text import TextView

_NO_TAGS: frozenset[str] = frozenset()


def unknown(names: Sequence[str]) -> list[str]:
    """The names that are no entity."""
    return [name for name in names if canonical(name) is None]


def redact(text: str, names: Sequence[str]) -> str:
    """The text without these entities, under the names they were asked for. Every name is known."""
    view = TextView(text, _NO_TAGS)
    spans: list[tuple[int, int, str]] = []
    for name in names:
        entity = canonical(name)
        if entity is not None:
            spans += [(start, -end, name) for start, end in finder_of(entity).find(view, 0, True).spans]
    parts: list[str] = []
    at = 0
    for start, minus_end, name in sorted(spans):
        if -minus_end <= at:
            continue
        if start >= at:
            parts += [text[at:start], f"[redacted:{name}]"]
        # A span that begins inside another and ends behind it takes its rest along.
        at = -minus_end
    return "".join(parts) + text[at:]
