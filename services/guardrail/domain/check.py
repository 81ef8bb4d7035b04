"""Judges all texts of one stage at once: every rule on the original text, then the fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.guardrail.domain import folding
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.json_text import Document, TooDeep
from services.guardrail.domain.model import Action, Block, Finding, Kind, Outcome, Rule, Segment, Verdict
from services.guardrail.domain.tally import Fingerprint, Tally, block_of, refusal


def check(policy: CompiledPolicy, segments: Sequence[Segment], fingerprint: Fingerprint) -> Verdict:
    """The verdict. A blocked one has no replacements; its matches still cover every segment."""
    return _Check(policy).run(segments, fingerprint)


class _Check:
    def __init__(self, policy: CompiledPolicy) -> None:
        self._policy = policy
        self._tally = Tally(policy)
        self._blocks: list[tuple[int, int, Block]] = []
        self._replacements: dict[int, str] = {}
        self._findings: list[tuple[int, Finding]] = []
        self._unread: list[str] = []

    def run(self, segments: Sequence[Segment], fingerprint: Fingerprint) -> Verdict:
        if self._policy.rules:
            for index, segment in enumerate(segments):
                self._segment(index, segment)
        block = min(self._blocks, key=lambda item: item[:2])[2] if self._blocks else None
        outcome = Outcome.BLOCKED if block else Outcome.MASKED if self._replacements else Outcome.PASSED
        return Verdict(
            outcome=outcome,
            replacements={} if block else self._replacements,
            results=self._tally.results(),
            matches=self._tally.matches(fingerprint),
            block=block,
            not_evaluated=tuple(dict.fromkeys(self._unread)),
            findings=tuple(self._findings),
        )

    def _segment(self, index: int, segment: Segment) -> None:
        if segment.kind is Kind.UNSUPPORTED:
            self._skip(index, segment, "unsupported_part")
        elif segment.kind is Kind.JSON:
            self._json(index, segment)
        else:
            text = self._text(index, segment.text, segment.role, mutable=segment.kind is Kind.TEXT, top=True)
            if text != segment.text:
                self._replacements[index] = text

    def _json(self, index: int, segment: Segment) -> None:
        try:
            document = Document(segment.text)
        except TooDeep:
            self._skip(index, segment, "too_large")
            return
        except ValueError:
            plain = Segment(segment.text, Kind.TEXT, segment.role, segment.path)
            self._segment(index, plain)
            return
        self._collect(index, self._policy.over_limit(len(segment.text), segment.role), segment.text)
        for key in document.keys:
            self._text(index, key, segment.role, mutable=False)
        rewritten = document.rewrite(lambda text: self._text(index, text, segment.role, mutable=True))
        if rewritten is not None:
            self._replacements[index] = rewritten

    def _text(self, index: int, text: str, role: str, *, mutable: bool, top: bool = False) -> str:
        """Judges one string; the masked string, or the string itself. `top`: it is the whole segment."""
        found = self._policy.find(text, role)
        if not found:
            return text
        if not top:
            found = [finding for finding in found if finding.tag]
        if not mutable:
            found = [_as_block(finding) for finding in found]
        if top:
            self._findings.extend((index, finding) for finding in found)
        self._collect(index, found, text)
        return folding.apply(text, folding.merge(found))

    def _collect(self, index: int, found: list[Finding], text: str) -> None:
        self._tally.add(found, text)
        block = folding.first_block(found)
        if block is not None:
            self._blocks.append((block.rule_index, index, block_of(self._policy, block)))

    def _skip(self, index: int, segment: Segment, reason: str) -> None:
        self._unread.append(segment.text if reason == "unsupported_part" and _is_label(segment.text) else reason)
        refusing: list[Rule] = self._tally.skip(segment.role, reason)
        if refusing:
            first = refusing[0]
            order = self._policy.guardrail.rules.index(first)
            self._blocks.append((order, index, refusal(self._policy, first, reason, f"{first.type}({reason})")))


def _as_block(finding: Finding) -> Finding:
    """What cannot be masked is refused instead."""
    if finding.action is not Action.MASK:
        return finding
    return replace(finding, action=Action.BLOCK)


def _is_label(text: str) -> bool:
    """A part's kind, such as `image`: short and plain, so that it may stand in a header."""
    return 0 < len(text) <= 32 and text.isascii() and text.replace("_", "").isalnum()
