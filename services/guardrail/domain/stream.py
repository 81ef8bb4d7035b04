"""Judges text while it grows: what is released is what the whole text would have become.

Per field a buffer holds what is not yet decided, plus released text that later decisions may look back on.
After each piece every finder reports what no continuation can change; text before the earliest undecided
position, moved left where it would cut a masked stretch, is released with its masks applied. A block releases
nothing from its start on and ends the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.guardrail.domain import folding
from services.guardrail.domain.engine import CompiledPolicy, findings_of
from services.guardrail.domain.model import Action, Block, Finding, Match, Outcome, RuleResult, Ruling
from services.guardrail.domain.tally import (
    NOTHING_SUPPRESSED,
    Fingerprint,
    Suppressed,
    Tally,
    block_of,
    refusal,
    unsuppressed,
)
from services.guardrail.domain.text import is_ignorable, partial_tag_start

LOOK_BEHIND = 256
"""Code points kept after their release: context words, boundaries, and mask tags cut by the buffer's start."""

_TRIM_STEP = 128
"""Code points by which a buffer may outgrow `LOOK_BEHIND` before it is cut, so that not every piece pays for it."""

MAX_FIELDS = 1024
"""Fields of one stream."""

OUTPUT_ROLE = "assistant"
"""Role that streamed text is judged under."""


class TooManyFields(ValueError):
    """The stream names more fields than `MAX_FIELDS`."""


@dataclass(slots=True)
class _Field:
    text: str = ""
    base: int = 0
    """Absolute position of `text[0]`."""
    released: int = 0
    """Absolute position up to which everything was released."""
    floor: int = 0
    """Absolute position before which no match of a gated finder may begin any more."""
    cursors: dict[int, int] = field(default_factory=dict)
    """Absolute, of the watches that have found something; the others go on at `floor`."""
    pending: list[Finding] = field(default_factory=list)
    """Decided mask and block findings that are not wholly released; absolute."""
    over: set[int] = field(default_factory=set)
    """Rules whose character limit was passed."""
    closed: bool = False


class StreamScanner:
    """The output of one request; single use, not shared between threads."""

    def __init__(
        self,
        policy: CompiledPolicy,
        role: str = OUTPUT_ROLE,
        *,
        fingerprint: Fingerprint | None = None,
        suppressed: Suppressed = NOTHING_SUPPRESSED,
    ) -> None:
        """`fingerprint` is needed where findings may be suppressed."""
        self._policy = policy
        self._role = role
        self._fingerprint = fingerprint
        self._suppressed = suppressed if fingerprint is not None else NOTHING_SUPPRESSED
        self._tally = Tally(policy)
        self._fields: dict[str, _Field] = {}
        self._masked = False
        self.block: Block | None = None

    def push(self, name: str, text: str, last: bool = False) -> str:
        """Takes the next piece of a field; returns what is safe now. Nothing follows a block.

        Raises TooManyFields.
        """
        state = self._fields.get(name)
        if state is None:
            if len(self._fields) >= MAX_FIELDS:
                raise TooManyFields(f"a stream has at most {MAX_FIELDS} fields")
            state = self._fields[name] = _Field()
        if self.block is not None or state.closed:
            return ""
        state.closed = last
        state.text += text
        return self._advance(state, last)

    def finish(self) -> dict[str, str]:
        """Ends every open field; returns their tails, empty ones left out."""
        tails: dict[str, str] = {}
        for name, state in self._fields.items():
            if not state.closed and self.block is None:
                state.closed = True
                tails[name] = self._advance(state, True)
        return {name: tail for name, tail in tails.items() if tail}

    def add(self, ruling: Ruling, texts: Sequence[str]) -> None:
        """Takes in, at the end, what a rule that reads whole texts concluded; `texts` by segment of the ruling.

        All is released by then: such a rule only records, or refuses because it could not be evaluated.
        """
        rule = self._policy.guardrail.rules[ruling.rule_index]
        if ruling.reason and self._tally.skip_rule(ruling.rule_index, ruling.reason) and self.block is None:
            self.block = refusal(self._policy, rule, ruling.reason, f"{rule.type}({ruling.reason})")
        for index, finding in ruling.findings:
            found = [finding]
            if self._suppressed and self._fingerprint is not None:
                found = unsuppressed(self._policy, found, texts[index], 0, self._fingerprint, self._suppressed)
            self._tally.add(found, texts[index])

    @property
    def outcome(self) -> Outcome:
        """The fold so far."""
        if self.block is not None:
            return Outcome.BLOCKED
        return Outcome.MASKED if self._masked else Outcome.PASSED

    def results(self) -> tuple[RuleResult, ...]:
        """One per applicable rule."""
        return self._tally.results()

    def matches(self, fingerprint: Fingerprint) -> tuple[Match, ...]:
        """One per fired rule and entity, so far."""
        return self._tally.matches(fingerprint)

    def _advance(self, state: _Field, final: bool) -> str:
        if not final and not state.pending:
            hold = self._policy.quiet_hold(state.text, max(0, state.floor - state.base), state.released - state.base)
            if hold is not None:
                state.floor = max(state.floor, state.base + hold[0])
                return self._release_clean(state, max(state.base + hold[1], state.released))
        # A tag that may still be completed hides what it covers, so nothing from its start on is visible yet.
        visible = len(state.text) if final else partial_tag_start(state.text)
        boundary = state.base + visible
        new: list[Finding] = []
        if self._policy.watches:
            text = state.text if visible == len(state.text) else state.text[:visible]
            boundary = self._scan(state, text, final, boundary, new)
        limits = self._limits(state) if self._policy.limits else []
        if not (new or limits or state.pending):
            return self._release_clean(state, max(boundary, state.released))
        self._tally.add(new + limits, state.text, state.base)
        state.pending += [finding for finding in new if finding.action in (Action.BLOCK, Action.MASK)]
        block = folding.first_block(state.pending + limits)
        if block is not None:
            self.block = block_of(self._policy, block)
            starts = [f.start for f in (*state.pending, *limits) if f.action is Action.BLOCK]
            boundary = min(boundary, *starts)
        return self._release(state, max(boundary, state.released))

    def _kept(self, found: list[Finding], state: _Field) -> list[Finding]:
        if not self._suppressed or self._fingerprint is None:
            return found
        return unsuppressed(self._policy, found, state.text, state.base, self._fingerprint, self._suppressed)

    def _scan(self, state: _Field, text: str, final: bool, boundary: int, new: list[Finding]) -> int:
        """Adds what the text newly decides to `new`; returns up to where everything is decided."""
        policy, base = self._policy, state.base
        view = policy.view(text)
        hold = len(view.shadow) if final else policy.gate.hold(view.shadow)
        floor = max(0, min(len(text), state.floor - base))
        cursors = {number: max(0, min(len(text), at - base)) for number, at in state.cursors.items()}
        for number in policy.gate.finders.keys() & cursors.keys():
            # A gated finder that found nothing since has been decided up to the floor all the same.
            cursors[number] = max(cursors[number], floor)
        boundary = min(boundary, max(state.floor, base + view.from_shadow(hold)))
        state.floor = boundary
        for number, scan in policy.scan(view, hold, final, floor, cursors):
            state.cursors[number] = max(state.cursors.get(number, 0), base + scan.cursor)
            boundary = min(boundary, base + scan.hold)
            if number in policy.gate.finders:
                # Without the automaton each finder says for itself from where on it is undecided.
                state.floor = min(state.floor, base + scan.hold)
            if scan.spans:
                spans = [(base + start, base + end) for start, end in scan.spans]
                found = findings_of(policy.watches[number].uses, spans, self._role, scan.labels)
                new += self._kept(found, state)
        return boundary

    def _limits(self, state: _Field) -> list[Finding]:
        passed = self._policy.over_limit(state.base + len(state.text), self._role)
        fresh = [finding for finding in passed if finding.rule_index not in state.over]
        state.over.update(finding.rule_index for finding in fresh)
        return fresh

    def _release(self, state: _Field, boundary: int) -> str:
        stretches = folding.merge(state.pending)
        boundary = folding.settle(boundary, ((start, end) for start, end, _ in stretches))
        ready = [(start - state.base, end - state.base, tag) for start, end, tag in stretches if end <= boundary]
        start, end = state.released - state.base, boundary - state.base
        text = folding.apply(state.text[start:end], [(s - start, e - start, tag) for s, e, tag in ready])
        self._masked = self._masked or bool(ready)
        state.pending = [finding for finding in state.pending if finding.end > boundary]
        state.released = boundary
        self._trim(state)
        return text

    def _release_clean(self, state: _Field, boundary: int) -> str:
        """The same where nothing is masked, which is what most pieces of most streams are."""
        text = state.text[state.released - state.base : boundary - state.base]
        state.released = boundary
        if boundary - state.base > LOOK_BEHIND + _TRIM_STEP:
            self._trim(state)
        return text

    def _trim(self, state: _Field) -> None:
        cut = state.released - state.base - LOOK_BEHIND
        # A run of zero-width characters is counted from its begin, so the buffer must not begin inside one.
        while 0 < cut < len(state.text) and is_ignorable(state.text[cut]):
            cut -= 1
        if cut > 0:
            state.text = state.text[cut:]
            state.base += cut
