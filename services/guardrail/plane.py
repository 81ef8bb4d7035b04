"""The verdict on one stage of one request: local rules and whole-text rules side by side, then the fold.

Long texts are scanned in a thread (the engines release the GIL), so that one request's megabyte does not stop
the others. A policy is an immutable value taken once per call: a swap in between changes nothing under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from services.guardrail.domain.attacking import attack_rules, attack_rulings
from services.guardrail.domain.check import Check
from services.guardrail.domain.model import Block, Match, Outcome, RuleResult, Segment, Stage, Verdict
from services.guardrail.domain.resolution import CompiledGuardrail
from services.guardrail.domain.stream import OUTPUT_ROLE, StreamScanner, TooManyFields
from services.guardrail.domain.tally import Fingerprint, Suppressed
from services.guardrail.domain.whole import holds, whole_rules
from services.guardrail.rulings import Asker, Case, Rulings
from services.guardrail.scanning import run_scan, weight

HELD_MAX = 16 * 1024 * 1024
"""Characters of one answer that are held for a rule that reads it whole."""
MAX_FIELDS = 1024
_FINGERPRINT_HEX = 32


def fingerprinter(key: bytes, workspace_id: str) -> Fingerprint:
    """Keyed digests of matched substrings; they differ between workspaces."""
    scoped = b""

    def fingerprint(text: str) -> str:
        nonlocal scoped
        # Most texts have no match, and so need no digest at all.
        scoped = scoped or hmac.new(key, workspace_id.encode(), hashlib.sha256).digest()
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(scoped, data, hashlib.sha256).hexdigest()[:_FINGERPRINT_HEX]

    return fingerprint


@dataclass(frozen=True, slots=True)
class Frame:
    """What a call is judged under: the policy, its workspace's digests and suppressions, the asker."""

    guardrail: CompiledGuardrail
    fingerprint: Fingerprint
    suppressed: Suppressed
    asker: Asker

    @property
    def owner(self) -> str:
        """Whose scans these are."""
        return self.asker.key_id or self.guardrail.guardrail.workspace_id


async def judge(
    frame: Frame, rulings: Rulings, stage: Stage, segments: Sequence[Segment], sources: Sequence[Segment] = ()
) -> Verdict:
    """The verdict on all texts of one stage."""
    policy = frame.guardrail.at(stage)
    judged = Check(policy, segments, frame.fingerprint, frame.suppressed)
    asked: asyncio.Task[list] | None = None  # type: ignore[type-arg]
    if whole_rules(policy):
        asked = asyncio.create_task(rulings.run(Case(frame.guardrail, stage, segments, sources, frame.asker)))
    try:
        await run_scan(weight(segments), judged.scan, frame.owner)
        for ruling in await asked if asked is not None else ():
            judged.add(ruling)
    except BaseException:
        judged.stop()
        if asked is not None:
            asked.cancel()
        raise
    return judged.verdict()


@dataclass(frozen=True, slots=True)
class Released:
    """What a step of a stream lets out: (field, text, ended) pieces; `ended` ends the stream."""

    pieces: tuple[tuple[str, str, bool], ...] = ()
    block: Block | None = None
    ended: bool = False


class StreamJudge:
    """One streamed answer. Text flows as it becomes safe, or is held where a rule needs all of it."""

    def __init__(self, frame: Frame, rulings: Rulings, sources: Sequence[Segment]) -> None:
        self._frame = frame
        self._rulings = rulings
        self._sources = sources
        policy = frame.guardrail.output
        self._holds = holds(policy)
        self._keeps = self._holds or bool(whole_rules(policy) or attack_rules(policy))
        self._scanner = StreamScanner(policy, fingerprint=frame.fingerprint, suppressed=frame.suppressed)
        self._texts: dict[str, list[str]] = {}
        self._size = 0
        self._verdict: Verdict | None = None

    async def push(self, pieces: Sequence[tuple[str, str, bool]]) -> Released:
        """Takes pieces in order. Raises TooManyFields."""
        out: list[tuple[str, str, bool]] = []
        for name, text, last in pieces:
            self._keep(name, text)
            if self._holds:
                continue
            safe = await run_scan(len(text), lambda: self._scanner.push(name, text, last), self._frame.owner)  # noqa: B023
            if safe or last:
                out.append((name, safe, last))
            if self._scanner.block is not None:
                return Released(tuple(out), self._scanner.block, ended=True)
        return Released(tuple(out))

    def _keep(self, name: str, text: str) -> None:
        if not self._keeps:
            return
        if name not in self._texts and len(self._texts) >= MAX_FIELDS:
            raise TooManyFields(f"a stream has at most {MAX_FIELDS} fields")
        self._size += len(text)
        if self._size > HELD_MAX:
            raise TooManyFields(f"an answer that is held has at most {HELD_MAX} characters")
        self._texts.setdefault(name, []).append(text)

    async def end(self) -> Released:
        """The tail, or all that was held."""
        segments = [Segment("".join(parts), role=OUTPUT_ROLE, path=name) for name, parts in self._texts.items()]
        if self._holds:
            verdict = await judge(self._frame, self._rulings, Stage.OUTPUT, segments, self._sources)
            self._verdict = verdict
            if verdict.block is not None:
                return Released(block=verdict.block, ended=True)
            texts = [verdict.replacements.get(index, segment.text) for index, segment in enumerate(segments)]
            return Released(tuple((s.path, text, True) for s, text in zip(segments, texts, strict=True)), ended=True)
        tails = tuple((name, text, True) for name, text in self._scanner.finish().items())
        if self._keeps and self._scanner.block is None:
            case = Case(self._frame.guardrail, Stage.OUTPUT, segments, self._sources, self._frame.asker)
            policy = self._frame.guardrail.output
            attacks = await run_scan(self._size, lambda: attack_rulings(policy, segments), self._frame.owner)
            for ruling in (*attacks, *await self._rulings.run(case)):
                self._scanner.add(ruling, [segment.text for segment in segments])
        return Released(tails, self._scanner.block, ended=True)

    @property
    def outcome(self) -> Outcome:
        """The fold, once ended."""
        return self._scanner.outcome if self._verdict is None else self._verdict.outcome

    def results(self) -> tuple[RuleResult, ...]:
        """One per applicable rule, once ended."""
        return self._scanner.results() if self._verdict is None else self._verdict.results

    def matches(self) -> tuple[Match, ...]:
        """One per fired rule and entity, once ended."""
        return self._scanner.matches(self._frame.fingerprint) if self._verdict is None else self._verdict.matches
