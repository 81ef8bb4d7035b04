"""Precision, recall and F1 of a policy on a labelled corpus, overall and per category, with the misses.

A finding hits a labelled span of its entity when they overlap by at least half of the longer one; each span is hit
once. Every other finding is a false alarm, every span without one is missed. A line with a label counts under the
category `attack`: it is predicted as one when any rule fires.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.guardrail.domain import entities
from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Finding, Segment, Stage
from services.guardrail.domain.reading import Refused

MAX_LINES = 50_000
MAX_SPANS = 1_000
MAX_MISSES = 1_000
ATTACK = "attack"
LABELS = ("attack", "benign")
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled entity; code points, end exclusive."""

    entity: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a corpus: either spans or a label."""

    number: int
    stage: Stage
    text: str
    spans: tuple[Span, ...] | None
    is_attack: bool = False


def read_corpus(raw: Any) -> list[Line]:
    """Lines of a JSONL text, or of a list of objects. Raises Refused naming the line."""
    if isinstance(raw, str):
        rows = [(number, row) for number, row in enumerate(raw.splitlines(), 1) if row.strip()]
    elif isinstance(raw, list):
        rows = list(enumerate(raw, 1))
    else:
        raise Refused("corpus", "must be JSONL text or a list of objects")
    if not 0 < len(rows) <= MAX_LINES:
        raise Refused("corpus", f"must have 1 to {MAX_LINES} lines")
    return [_line(number, row) for number, row in rows]


def _line(number: int, row: Any) -> Line:
    where = f"corpus.{number}"
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            raise Refused(where, "is not JSON") from None
    if not isinstance(row, Mapping) or not isinstance(text := row.get("text"), str):
        raise Refused(f"{where}.text", "must be a string")
    stage = row.get("stage", "input")
    if stage not in ("input", "output"):
        raise Refused(f"{where}.stage", "must be input or output")
    spans, label = row.get("spans"), row.get("label")
    if (spans is None) == (label is None):
        raise Refused(where, "must have either spans or a label")
    if label is not None:
        if label not in LABELS:
            raise Refused(f"{where}.label", f"must be one of {', '.join(LABELS)}")
        return Line(number, Stage(stage), text, None, label == ATTACK)
    if not isinstance(spans, list) or len(spans) > MAX_SPANS:
        raise Refused(f"{where}.spans", f"must be a list of at most {MAX_SPANS} spans")
    return Line(number, Stage(stage), text, tuple(_span(f"{where}.spans", span, text) for span in spans))


def _span(where: str, raw: Any, text: str) -> Span:
    if not isinstance(raw, Mapping) or not isinstance(name := raw.get("entity"), str):
        raise Refused(where, "must hold objects with entity, start and end")
    start, end = raw.get("start"), raw.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise Refused(where, "start and end must be code points of the text")
    return Span(entities.canonical(name) or name, start, end)


@dataclass(slots=True)
class Counts:
    """Of one category."""

    hit: int = 0
    false_alarm: int = 0
    missed: int = 0

    def shown(self) -> dict[str, Any]:
        """With the rates; one without a denominator is null."""
        precision = _rate(self.hit, self.false_alarm)
        recall = _rate(self.hit, self.missed)
        f1 = _rate(2 * self.hit, self.false_alarm + self.missed)
        return {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "true_positives": self.hit,
            "false_positives": self.false_alarm,
            "false_negatives": self.missed,
        }


def _rate(part: int, rest: int) -> float | None:
    return None if part + rest == 0 else round(part / (part + rest), 6)


@dataclass(slots=True)
class Report:
    """Grows line by line; owned by one caller."""

    categories: dict[str, Counts] = field(default_factory=dict)
    misses: list[dict[str, Any]] = field(default_factory=list)
    lines: int = 0
    miss_count: int = 0

    def judge(self, lines: Sequence[Line], policies: Mapping[Stage, CompiledPolicy]) -> None:
        """Judges lines and counts."""
        for line in lines:
            self.lines += 1
            verdict = check(policies[line.stage], [Segment(line.text)], _no_fingerprint)
            found = [finding for _, finding in verdict.findings]
            if line.spans is None:
                self._label(line, bool(found))
            else:
                self._spans(line, line.spans, found, policies[line.stage])

    def _label(self, line: Line, fired: bool) -> None:
        counts = self._of(ATTACK)
        counts.hit += line.is_attack and fired
        if line.is_attack and not fired:
            counts.missed += 1
            self._miss(line, "missed", ATTACK, 0, len(line.text))
        elif fired and not line.is_attack:
            counts.false_alarm += 1
            self._miss(line, "false_alarm", ATTACK, 0, len(line.text))

    def _spans(self, line: Line, spans: Sequence[Span], found: Iterable[Finding], policy: CompiledPolicy) -> None:
        left = list(spans)
        rules = policy.guardrail.rules
        named = {(f.entity or rules[f.rule_index].type, f.start, f.end) for f in found}
        for entity, start, end in sorted(named):
            hit = next((span for span in left if span.entity == entity and _overlaps(span, start, end)), None)
            if hit is not None:
                left.remove(hit)
                self._of(entity).hit += 1
            else:
                self._of(entity).false_alarm += 1
                self._miss(line, "false_alarm", entity, start, end)
        for span in left:
            self._of(span.entity).missed += 1
            self._miss(line, "missed", span.entity, span.start, span.end)

    def _of(self, category: str) -> Counts:
        return self.categories.setdefault(category, Counts())

    def _miss(self, line: Line, kind: str, category: str, start: int, end: int) -> None:
        self.miss_count += 1
        if len(self.misses) < MAX_MISSES:
            self.misses.append({"line": line.number, "kind": kind, "category": category, "start": start, "end": end})

    def shown(self) -> dict[str, Any]:
        """The whole report."""
        total = Counts()
        for counts in self.categories.values():
            total.hit += counts.hit
            total.false_alarm += counts.false_alarm
            total.missed += counts.missed
        return {
            "lines": self.lines,
            "overall": total.shown(),
            "categories": {name: counts.shown() for name, counts in sorted(self.categories.items())},
            "misses": self.misses,
            "misses_truncated": self.miss_count > len(self.misses),
        }


def _overlaps(span: Span, start: int, end: int) -> bool:
    shared = min(span.end, end) - max(span.start, start)
    return shared >= _HALF * max(span.end - span.start, end - start)


def _no_fingerprint(_text: str) -> str:
    return ""
