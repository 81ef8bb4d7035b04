"""Folding findings of one text: blocks win, masks apply to the union of their spans, flags only record.

Overlapping spans merge under the tag of the earliest-starting, then longest, then highest-listed rule.
Spans that merely touch stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.guardrail.domain.model import Action, Finding


def first_block(findings: Iterable[Finding]) -> Finding | None:
    """The finding that a refusal names: of the highest-listed rule, then the earliest."""
    blocks = [finding for finding in findings if finding.action is Action.BLOCK]
    return min(blocks, key=lambda f: (f.rule_index, f.start, -f.end, f.order), default=None)


def merge(findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    """(start, end, tag) of every masked stretch, by start, none overlapping another."""
    masks = sorted(
        (f for f in findings if f.action is Action.MASK),
        key=lambda f: (f.start, f.start - f.end, f.rule_index, f.order),
    )
    merged: list[tuple[int, int, str]] = []
    for finding in masks:
        if merged and finding.start < merged[-1][1]:
            start, end, tag = merged[-1]
            merged[-1] = (start, max(end, finding.end), tag)
        else:
            merged.append((finding.start, finding.end, finding.tag))
    return merged


def apply(text: str, stretches: Sequence[tuple[int, int, str]]) -> str:
    """The text with each stretch replaced by its tag."""
    pieces: list[str] = []
    at = 0
    for start, end, tag in stretches:
        pieces += (text[at:start], tag)
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def settle(boundary: int, spans: Iterable[tuple[int, int]]) -> int:
    """The largest position at or before `boundary` that cuts none of the spans."""
    for start, end in sorted(spans, key=lambda span: span[1], reverse=True):
        if start < boundary < end:
            boundary = start
    return boundary
