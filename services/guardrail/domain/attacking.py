"""What `prompt_attack` rules find in texts: the scorer's assessment against each rule's sensitivity.

Names and object keys are no prose and are not read. A text longer than the scorer reads is not evaluated, which
the rule's own setting decides about.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.guardrail.domain.attack import scorer
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.json_text import Document
from services.guardrail.domain.model import Finding, Kind, Rule, Ruling, Segment

TYPE = "prompt_attack"


def attack_rules(policy: CompiledPolicy) -> tuple[tuple[int, Rule], ...]:
    """(index, rule) of the policy's rules of this type."""
    return tuple(pair for pair in policy.rules if pair[1].type == TYPE)


def attacks_in(rules: Sequence[tuple[int, Rule]], text: str, role: str) -> list[Finding]:
    """A finding per rule that reads the role and whose threshold the text's score reaches."""
    wanted = [(index, rule) for index, rule in rules if rule.applies_to(role)]
    if not wanted or not text:
        return []
    found = scorer.score(text, role)
    return [
        Finding(index, found.family, rule.action, *found.span, rule.mask_tag, note=", ".join(found.features))
        for index, rule in wanted
        if found.score >= scorer.THRESHOLDS[rule.sensitivity]
    ]


def attack_rulings(policy: CompiledPolicy, segments: Sequence[Segment]) -> list[Ruling]:
    """One ruling per rule on texts that are already out, as at the end of a stream."""
    rules = attack_rules(policy)
    if any(len(segment.text) > scorer.MAX_TEXT for segment in segments):
        return [Ruling(index, reason="too_large") for index, _ in rules]
    found = [(at, finding) for at, segment in enumerate(segments) for finding in _in_segment(rules, segment)]
    return [Ruling(index, tuple(pair for pair in found if pair[1].rule_index == index)) for index, _ in rules]


def _in_segment(rules: Sequence[tuple[int, Rule]], segment: Segment) -> list[Finding]:
    if segment.kind is Kind.TEXT:
        return attacks_in(rules, segment.text, segment.role)
    found: list[Finding] = []
    if segment.kind is Kind.JSON:
        try:
            document = Document(segment.text)
        except ValueError:
            return attacks_in(rules, segment.text, segment.role)

        def read(text: str) -> str:
            found.extend(attacks_in(rules, text, segment.role))
            return text

        document.rewrite(read)
    return found
