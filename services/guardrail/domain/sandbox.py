"""Tries a draft on a text: what it would find, what would come out; with pieces, what a stream would release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Finding, Kind, Outcome, Rule, Segment
from services.guardrail.domain.stream import StreamScanner

_FIELD = "0.content"


@dataclass(frozen=True, slots=True)
class Trial:
    """Outcome of a trial. Offsets are code points of the given text; `released` has one entry per piece and a tail."""

    blocked: bool
    mutated: bool
    sanitized: str
    violations: tuple[tuple[Rule, Finding], ...]
    released: tuple[str, ...] | None


def attempt(policy: CompiledPolicy, text: str, chunks: Sequence[str] | None) -> Trial:
    """Judges the text whole, and streamed as well when it comes in pieces."""
    verdict = check(policy, [Segment(text, Kind.TEXT)], _no_fingerprint)
    rules = policy.guardrail.rules
    found = sorted((finding for _, finding in verdict.findings), key=lambda f: (f.start, f.end, f.rule_index))
    released = None if chunks is None else _stream(policy, chunks)
    blocked = verdict.outcome is Outcome.BLOCKED
    sanitized = "" if blocked else verdict.replacements.get(0, text)
    return Trial(
        blocked=blocked,
        mutated=verdict.outcome is Outcome.MASKED,
        sanitized=sanitized,
        violations=tuple((rules[finding.rule_index], finding) for finding in found),
        released=released,
    )


def _stream(policy: CompiledPolicy, chunks: Sequence[str]) -> tuple[str, ...]:
    scanner = StreamScanner(policy, role="")
    released = [scanner.push(_FIELD, chunk) for chunk in chunks]
    return (*released, scanner.finish().get(_FIELD, ""))


def _no_fingerprint(_text: str) -> str:
    return ""
