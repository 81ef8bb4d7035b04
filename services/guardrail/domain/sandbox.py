"""Tries a draft on a text: what it would find, what would come out; with pieces, what a stream would release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.guardrail.domain.check import check
from services.guardrail.domain.comparing import grounded
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Finding, Kind, Outcome, Rule, Ruling, Segment, Stage
from services.guardrail.domain.stream import OUTPUT_ROLE, StreamScanner
from services.guardrail.domain.tally import Fingerprint
from services.guardrail.domain.whole import holds, readable, whole_rules

_FIELD = "0.content"


@dataclass(frozen=True, slots=True)
class Trial:
    """Outcome of a trial. Offsets are code points of the given text; `released` has one entry per piece and a tail."""

    blocked: bool
    mutated: bool
    sanitized: str
    violations: tuple[tuple[Rule, Finding], ...]
    released: tuple[str, ...] | None
    advisories: tuple[str, ...]
    not_evaluated: tuple[tuple[Rule, str], ...]


def attempt(
    policy: CompiledPolicy,
    text: str,
    chunks: Sequence[str] | None,
    fingerprint: Fingerprint,
    sources: Sequence[str] = (),
) -> Trial:
    """Judges the text whole, and streamed as well when it comes in pieces.

    `sources` are what grounding compares with. Nobody outside is asked: rules that would ask are listed as not
    evaluated and decide nothing here.
    """
    output = policy.stage is Stage.OUTPUT
    segment = Segment(text, Kind.TEXT, OUTPUT_ROLE if output else "user", _FIELD if output else "")
    rulings, missing = _rulings(policy, segment, sources)
    verdict = check(policy, [segment], fingerprint, rulings=rulings)
    rules = policy.guardrail.rules
    found = sorted((finding for _, finding in verdict.findings), key=lambda f: (f.start, f.end, f.rule_index))
    blocked = verdict.outcome is Outcome.BLOCKED
    sanitized = "" if blocked else verdict.replacements.get(0, text)
    released = None
    if chunks is not None:
        whole = output and holds(policy)
        released = (*[""] * len(chunks), sanitized) if whole else _stream(policy, chunks, segment.role)
    return Trial(
        blocked=blocked,
        mutated=verdict.outcome is Outcome.MASKED,
        sanitized=sanitized,
        violations=tuple((rules[finding.rule_index], finding) for finding in found),
        released=released,
        advisories=verdict.advisories,
        not_evaluated=missing,
    )


def _rulings(
    policy: CompiledPolicy, segment: Segment, sources: Sequence[str]
) -> tuple[list[Ruling], tuple[tuple[Rule, str], ...]]:
    rulings: list[Ruling] = []
    missing: list[tuple[Rule, str]] = []
    for index, rule in whole_rules(policy):
        parts = readable(rule, [segment])
        if rule.type != "grounding":
            missing.append((rule, "sandbox"))
        elif parts:
            ruling = grounded(index, rule, parts, [Segment(source, role="tool") for source in sources])
            if ruling.reason:
                missing.append((rule, ruling.reason))
            else:
                rulings.append(ruling)
    return rulings, tuple(missing)


def _stream(policy: CompiledPolicy, chunks: Sequence[str], role: str) -> tuple[str, ...]:
    scanner = StreamScanner(policy, role)
    released = [scanner.push(_FIELD, chunk) for chunk in chunks]
    return (*released, scanner.finish().get(_FIELD, ""))
