"""Judges all texts of one stage at once: every rule on the original text, then the fold.

Rules that read whole texts elsewhere (`domain/whole.py`) hand in their rulings between `scan` and `verdict`;
what they found folds like any other finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from services.guardrail.domain import folding
from services.guardrail.domain.advice import Advice
from services.guardrail.domain.attack import scorer
from services.guardrail.domain.attacking import attack_rules, attacks_in
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.json_text import Document, TooDeep
from services.guardrail.domain.model import Action, Block, Finding, Kind, Outcome, Rule, Ruling, Segment, Verdict
from services.guardrail.domain.tally import (
    NOTHING_SUPPRESSED,
    Fingerprint,
    Suppressed,
    Tally,
    block_of,
    refusal,
    unsuppressed,
)

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")
"""Keys that are names of fields and say nothing."""


def check(
    policy: CompiledPolicy,
    segments: Sequence[Segment],
    fingerprint: Fingerprint,
    *,
    rulings: Iterable[Ruling] = (),
    suppressed: Suppressed = NOTHING_SUPPRESSED,
) -> Verdict:
    """The verdict. A blocked one has no replacements; its matches still cover every segment."""
    judged = Check(policy, segments, fingerprint, suppressed)
    judged.scan()
    for ruling in rulings:
        judged.add(ruling)
    return judged.verdict()


class Check:
    """One stage of one request: `scan`, then `add` for each ruling, then `verdict`. Owned by one caller."""

    def __init__(
        self,
        policy: CompiledPolicy,
        segments: Sequence[Segment],
        fingerprint: Fingerprint,
        suppressed: Suppressed = NOTHING_SUPPRESSED,
    ) -> None:
        self._policy = policy
        self._segments = segments
        self._fingerprint = fingerprint
        self._suppressed = suppressed
        self._tally = Tally(policy)
        self._attack_rules = attack_rules(policy)
        self._advice = Advice(policy, fingerprint)
        self._blocks: list[tuple[int, int, Block]] = []
        self._found: dict[int, list[Finding]] = {}
        """Findings in whole segments; what they do to the text is decided at the end."""
        self._rewritten: dict[int, str] = {}
        """JSON documents with their masks applied."""
        self._unread: list[str] = []
        self._stopped = False

    def scan(self) -> None:
        """Runs the local rules. No I/O; the only part whose time depends on the text."""
        if self._policy.rules:
            for index, segment in enumerate(self._segments):
                if self._stopped:
                    return
                self._segment(index, segment)

    def stop(self) -> None:
        """Ends a scan in another thread at the next text or finder: nobody waits for its verdict."""
        self._stopped = True

    def _is_stopped(self) -> bool:
        return self._stopped

    def add(self, ruling: Ruling) -> None:
        """Takes in what a rule that reads whole texts concluded."""
        if ruling.reason:
            rule = self._policy.guardrail.rules[ruling.rule_index]
            if self._tally.skip_rule(ruling.rule_index, ruling.reason):
                shown = f"{rule.type}({ruling.reason})"
                self._blocks.append((ruling.rule_index, 0, refusal(self._policy, rule, ruling.reason, shown)))
        for index, finding in ruling.findings:
            segment = self._segments[index]
            for kept in self._kept([finding], segment.text):
                self._whole(index, segment, kept)

    def _whole(self, index: int, segment: Segment, finding: Finding) -> None:
        if segment.kind is Kind.JSON and finding.action is Action.MASK:
            try:
                document = Document(self._rewritten.get(index, segment.text))
            except (TooDeep, ValueError):
                finding = finding._replace(action=Action.BLOCK)
            else:
                if all(_PLAIN_KEY.fullmatch(key) for key in document.keys):
                    self._rewritten[index] = document.rewrite(lambda _text: finding.tag) or segment.text
                else:
                    # The rule condemned the whole text, and a key that says something cannot be masked.
                    finding = finding._replace(action=Action.BLOCK)
        elif segment.kind is Kind.IMMUTABLE:
            finding = _as_block(finding)
        self._collect(index, [finding], segment.text)
        if segment.kind is not Kind.JSON:
            self._found.setdefault(index, []).append(finding)

    def verdict(self) -> Verdict:
        """The fold over everything found."""
        block = min(self._blocks, key=lambda item: item[:2])[2] if self._blocks else None
        replacements = {} if block else self._replacements()
        outcome = Outcome.BLOCKED if block else Outcome.MASKED if replacements else Outcome.PASSED
        return Verdict(
            outcome=outcome,
            replacements=replacements,
            results=self._tally.results(),
            matches=self._tally.matches(self._fingerprint),
            block=block,
            not_evaluated=tuple(dict.fromkeys(self._unread)),
            advisories=() if block else self._advice.messages(),
            findings=tuple((index, finding) for index in sorted(self._found) for finding in self._found[index]),
        )

    def _replacements(self) -> dict[int, str]:
        texts = dict(self._rewritten)
        for index, found in self._found.items():
            segment = self._segments[index]
            if segment.kind is Kind.IMMUTABLE:
                continue
            masked = folding.apply(segment.text, folding.merge(found))
            masked = self._advice.delimited(found, segment, masked)
            if masked != segment.text:
                texts[index] = masked
        return texts

    def _segment(self, index: int, segment: Segment) -> None:
        if segment.kind is Kind.UNSUPPORTED:
            self._skip(index, segment, "unsupported_part")
        elif segment.kind is Kind.JSON:
            self._json(index, segment)
        else:
            self._top(index, segment)

    def _top(self, index: int, segment: Segment) -> None:
        found = self._policy.find(segment.text, segment.role, self._is_stopped)
        if segment.kind is not Kind.IMMUTABLE:
            found += self._attacks(index, segment.text, segment.role)
        found = self._kept(found, segment.text)
        if segment.kind is Kind.IMMUTABLE:
            found = [_as_block(finding) for finding in found]
        if found:
            self._found[index] = found
            self._collect(index, found, segment.text)

    def _json(self, index: int, segment: Segment) -> None:
        try:
            document = Document(segment.text)
        except TooDeep:
            self._skip(index, segment, "too_large")
            return
        except ValueError:
            self._top(index, segment)
            return
        self._collect(index, self._policy.over_limit(len(segment.text), segment.role), segment.text)
        for key in document.keys:
            self._inner(index, key, segment.role, mutable=False)
        rewritten = document.rewrite(lambda text: self._inner(index, text, segment.role, mutable=True))
        if rewritten is not None:
            self._rewritten[index] = rewritten

    def _inner(self, index: int, text: str, role: str, *, mutable: bool) -> str:
        """Judges one string inside a document; the masked string, or the string itself."""
        if self._stopped:
            return text
        found = [finding for finding in self._policy.find(text, role) if finding.tag]
        if mutable:
            found += self._attacks(index, text, role)
        found = self._kept(found, text)
        if not found:
            return text
        if not mutable:
            found = [_as_block(finding) for finding in found]
        self._collect(index, found, text)
        return folding.apply(text, folding.merge(found))

    def _attacks(self, index: int, text: str, role: str) -> list[Finding]:
        if not self._attack_rules:
            return []
        if len(text) <= scorer.MAX_TEXT:
            return attacks_in(self._attack_rules, text, role)
        for number, rule in self._attack_rules:
            if rule.applies_to(role) and self._tally.skip_rule(number, "too_large"):
                self._blocks.append(
                    (number, index, refusal(self._policy, rule, "too_large", f"{rule.type}(too_large)"))
                )
        return []

    def _kept(self, found: list[Finding], text: str) -> list[Finding]:
        if not found or not self._suppressed:
            return found
        return unsuppressed(self._policy, found, text, 0, self._fingerprint, self._suppressed)

    def _collect(self, index: int, found: list[Finding], text: str) -> None:
        self._tally.add(found, text)
        self._advice.note(found, self._segments[index])
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
    return finding._replace(action=Action.BLOCK)


def _is_label(text: str) -> bool:
    """A part's kind, such as `image`: short and plain, so that it may stand in a header."""
    return 0 < len(text) <= 32 and text.isascii() and text.replace("_", "").isalnum()
