"""Rules that read whole texts: which they are, which texts they read, what their conclusion does.

`llm_judge` and `external` ask others; `grounding` compares an answer with the request's sources. They run beside
the local rules. On output a rule that may change or refuse the answer holds it back until it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Action, Finding, Kind, Rule, Ruling, Segment

WHOLE_TYPES = frozenset(("llm_judge", "grounding", "external"))
HOLDING_TYPES = WHOLE_TYPES | {"prompt_attack"}
MAX_TEXT = 1_000_000
"""Characters that one rule of these types reads in one request; more is `too_large`."""
MAX_PARTS = 4_096
"""Texts that one rule of these types reads in one request."""


@dataclass(frozen=True, slots=True)
class Part:
    """A text to judge and the segment it is."""

    index: int
    segment: Segment


def whole_rules(policy: CompiledPolicy) -> tuple[tuple[int, Rule], ...]:
    """(index, rule) of the policy's rules that read whole texts."""
    return tuple(pair for pair in policy.rules if pair[1].type in WHOLE_TYPES)


def holds(policy: CompiledPolicy) -> bool:
    """An output rule needs the whole answer before any of it may go out."""
    return any(rule.type in HOLDING_TYPES and rule.action in (Action.BLOCK, Action.MASK) for _, rule in policy.rules)


def needs_sources(policy: CompiledPolicy) -> bool:
    """An output rule compares the answer with the request."""
    return any(rule.type == "grounding" for _, rule in policy.rules)


def readable(rule: Rule, segments: Sequence[Segment]) -> list[Part]:
    """The texts a rule reads. Names and object keys are no prose, parts without text are reported elsewhere.

    `grounding` reads what the model says (`content`), not its reasoning, its refusals or its calls.
    """
    kinds = (Kind.TEXT,) if rule.type == "grounding" else (Kind.TEXT, Kind.JSON)
    return [
        Part(index, segment)
        for index, segment in enumerate(segments)
        if segment.kind in kinds
        and segment.text
        and rule.applies_to(segment.role)
        and (rule.type != "grounding" or is_content(segment.path))
    ]


def is_content(path: str) -> bool:
    """The path is a message's content: `0.content` in a stream, `choices[0].message.content`, or a plain text's."""
    return not path or path.endswith(".content") or path == "content"


def choice_of(path: str) -> str:
    """What tells the choices of an answer apart: `0` of `0.content` and of `choices[0].message.content`."""
    if path.startswith("choices["):
        return path[len("choices[") :].partition("]")[0]
    head = path.partition(".")[0]
    return head if head.isdigit() else ""


def too_large(parts: Sequence[Part]) -> bool:
    """More text than a rule of these types reads."""
    return len(parts) > MAX_PARTS or sum(len(part.segment.text) for part in parts) > MAX_TEXT


def fired(index: int, rule: Rule, parts: Sequence[Part], entity: str = "") -> Ruling:
    """The rule fired on those texts as wholes."""
    return Ruling(
        index,
        tuple(
            (part.index, Finding(index, entity, rule.action, 0, len(part.segment.text), rule.mask_tag))
            for part in parts
        ),
    )


def fired_at(index: int, rule: Rule, spans: Sequence[tuple[int, int, int, str]]) -> Ruling:
    """The rule fired on (segment, start, end, entity) spans."""
    return Ruling(
        index,
        tuple((at, Finding(index, entity, rule.action, start, end, rule.mask_tag)) for at, start, end, entity in spans),
    )
