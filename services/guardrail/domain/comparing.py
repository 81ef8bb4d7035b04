"""The ruling of a `grounding` rule: each choice of the answer compared with the request's sources."""

from __future__ import annotations

from collections.abc import Sequence

from services.guardrail.domain import grounding
from services.guardrail.domain.model import Rule, Ruling, Segment
from services.guardrail.domain.whole import Part, fired_at


def grounded(index: int, rule: Rule, parts: Sequence[Part], segments: Sequence[Segment]) -> Ruling:
    """Compares every choice with the sources; finds the sentences below the threshold of choices below it."""
    try:
        sources = grounding.Sources(segments)
    except ValueError:
        return Ruling(index, reason="too_large")
    if sources.empty:
        return Ruling(index, reason="no_sources")
    spans = []
    for part in parts:
        score = grounding.score(part.segment.text, sources, strict=rule.grounding_strict)
        if score.value < rule.threshold:
            spans += [(part.index, s.start, s.end, "") for s in score.sentences if s.support < rule.threshold]
    return fired_at(index, rule, spans)
