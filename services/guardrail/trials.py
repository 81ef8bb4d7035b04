"""Trying drafts: on one text, on a labelled corpus, on captured requests. No upstream, no event, no cost.

Work is done in threads, in batches, so that the plane goes on answering; every trial is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from services.common.clock import Clock
from services.common.errors import Invalid, TooMany
from services.guardrail.domain import drafts
from services.guardrail.domain.captured import texts_of
from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.evaluation import Line, Report, read_corpus
from services.guardrail.domain.model import Guardrail, Outcome, Rule, Segment, Stage, Verdict
from services.guardrail.domain.reading import Refused
from services.guardrail.domain.sandbox import Trial, attempt
from services.guardrail.domain.whole import WHOLE_TYPES
from services.guardrail.plane import fingerprinter
from services.guardrail.policies import Policies, is_id
from services.guardrail.ports import RecordedMatches
from services.guardrail.scanning import run_scan, weight

BATCH_CHARS = 200_000
BATCH_LINES = 500
MAX_RUNNING = 4
"""Corpora and simulations under way at once, on one replica."""
SIMULATED_MAX = 5_000
CHANGES_MAX = 1_000
SIMULATION_S = 45.0
COUNTED_MAX = 50_000
MATCHES_MAX = 50_000
DAY_US = 86_400_000_000


@dataclass
class Simulation:
    """What a draft would have done to captured requests."""

    evaluated: int = 0
    not_evaluable: int = 0
    blocked: int = 0
    masked: int = 0
    matched: int = 0
    changed: int = 0
    truncated: bool = False
    changes: list[dict[str, Any]] = field(default_factory=list)


class Trials:
    """The use cases behind `/test`, `/evaluate` and `/simulate`."""

    def __init__(self, policies: Policies, recorded: RecordedMatches, clock: Clock, fingerprint_key: bytes) -> None:
        self._policies = policies
        self._recorded = recorded
        self._clock = clock
        self._key = fingerprint_key
        self._running = 0

    async def draft(
        self, workspace_id: str, rules: Sequence[Mapping[str, Any]] | None, guardrail_id: str | None
    ) -> Guardrail:
        """The guardrail to try: stored, or of a draft's rules. Raises Invalid, NotFound."""
        if (rules is None) == (guardrail_id is None):
            raise Invalid("rules: give either rules or guardrail_id", param="rules")
        if guardrail_id is not None:
            return (await self._policies.get(workspace_id, guardrail_id)).policy
        admitted = await asyncio.to_thread(_admitted, rules or [], self._policies.limits)
        return Guardrail("draft", workspace_id, "draft", 0, rules=admitted)

    async def test(
        self, guardrail: Guardrail, stage: Stage, text: str, chunks: Sequence[str] | None, sources: Sequence[str]
    ) -> Trial:
        """One text."""
        # A trial's text has no message of its own, so rules are tried as if they read every role.
        open_rules = tuple(replace(rule, roles=()) for rule in guardrail.rules)
        policy = await asyncio.to_thread(CompiledPolicy, replace(guardrail, rules=open_rules), stage)
        fingerprint = fingerprinter(self._key, guardrail.workspace_id)
        size = len(text) + sum(map(len, sources))
        work = lambda: attempt(policy, text, chunks, fingerprint, sources)  # noqa: E731
        return await run_scan(size, work, guardrail.workspace_id)

    def check_room(self) -> None:
        """Raises 429 while as many long trials run as may."""
        if self._running >= MAX_RUNNING:
            raise TooMany("too many evaluations are running", code="evaluations_busy", retry_after_s=5)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts a long trial while it runs. A stream that is never read never starts, so it takes no room."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def corpus(self, raw: Any) -> list[Line]:
        """A labelled corpus. Raises Invalid naming the line."""
        try:
            return await asyncio.to_thread(read_corpus, raw)
        except Refused as refused:
            raise Invalid(str(refused), param=refused.field) from None

    async def evaluate(self, guardrail: Guardrail, lines: Sequence[Line]) -> AsyncIterator[dict[str, Any]]:
        """Progress, and at the end the report."""
        open_rules = tuple(replace(rule, roles=()) for rule in guardrail.rules)
        guardrail = replace(guardrail, rules=open_rules)
        policies = {stage: await asyncio.to_thread(CompiledPolicy, guardrail, stage) for stage in Stage}
        report = Report()
        yield {"type": "progress", "done": 0, "total": len(lines)}
        for batch in _batches(lines):
            await asyncio.to_thread(report.judge, batch, policies)
            yield {"type": "progress", "done": report.lines, "total": len(lines)}
        skipped = [
            {"rule": rule.id, "type": rule.type, "reason": "sandbox"}
            for rule in guardrail.rules
            if rule.enabled and rule.type in WHOLE_TYPES
        ]
        yield {"type": "result", **report.shown(), "not_evaluated": skipped}

    async def simulate(self, guardrail: Guardrail, days: int) -> Simulation:
        """Replays the draft over captured bodies. Raises Unavailable when analytics cannot be asked."""
        since_us = self._clock.now_us() - days * DAY_US
        done_by_s = self._clock.monotonic_s() + SIMULATION_S
        policies = {stage: await asyncio.to_thread(CompiledPolicy, guardrail, stage) for stage in Stage}
        out = Simulation()
        then, out.truncated = await self._recorded.outcomes(guardrail.workspace_id, since_us, MATCHES_MAX)
        seen: set[str] = set()
        cursor = ""
        total = 0
        while True:
            try:
                rows, cursor = await self._recorded.captures(guardrail.workspace_id, since_us, cursor)
            except Invalid:
                # Analytics does not record captures: nothing can be replayed, and the answer says so.
                break
            for row in rows:
                total += 1
                await self._replay(row, policies, out, seen, then)
            out.truncated = out.truncated or total >= SIMULATED_MAX or self._clock.monotonic_s() > done_by_s
            if not cursor or total >= SIMULATED_MAX or self._clock.monotonic_s() > done_by_s:
                break
        requests = await self._recorded.request_count(guardrail.workspace_id, since_us, COUNTED_MAX)
        out.not_evaluable += max(0, requests - len(seen))
        return out

    async def _replay(
        self,
        row: Mapping[str, Any],
        policies: Mapping[Stage, CompiledPolicy],
        out: Simulation,
        seen: set[str],
        then: Mapping[tuple[str, str], str],
    ) -> None:
        kind, body = row.get("kind"), row.get("body")
        stage = {"request": Stage.INPUT, "response": Stage.OUTPUT}.get(str(kind))
        if stage is None:
            return
        request_id = str(row.get("request_id") or "")
        seen.add(request_id)
        before = then.get((request_id, stage.value), "passed")
        # An answer is captured as it was delivered: what was masked or blocked then is not there to be judged again.
        kept = stage is Stage.INPUT or before in ("passed", "flagged")
        readable = kept and isinstance(body, str) and not row.get("truncated")
        segments = texts_of(body) if readable and isinstance(body, str) else None
        if segments is None:
            out.not_evaluable += 1
            return
        out.evaluated += 1
        policy = policies[stage]
        fingerprint = fingerprinter(self._key, policy.guardrail.workspace_id)
        work = lambda: check(policy, _roles(segments, stage), fingerprint)  # noqa: E731
        verdict = await run_scan(weight(segments), work, policy.guardrail.workspace_id)
        _count(out, row, stage, before, verdict)


def _after(verdict: Verdict) -> str:
    if verdict.outcome in (Outcome.BLOCKED, Outcome.MASKED):
        return str(verdict.outcome.value)
    return "flagged" if verdict.matches else "passed"


def _count(out: Simulation, row: Mapping[str, Any], stage: Stage, before: str, verdict: Verdict) -> None:
    after = _after(verdict)
    out.blocked += after == "blocked"
    out.masked += after == "masked"
    out.matched += bool(verdict.matches)
    if after == before:
        return
    out.changed += 1
    if len(out.changes) >= CHANGES_MAX:
        out.truncated = True
        return
    out.changes.append(
        {
            "request_id": str(row.get("request_id") or ""),
            "occurred_at": row.get("occurred_at"),
            "stage": stage.value,
            "before": before,
            "after": after,
            "matches": [
                {"rule": m.rule.id, "type": m.rule.type, "entity": m.entity, "action": m.action.value, "count": m.count}
                for m in verdict.matches
            ],
        }
    )


def _roles(segments: Sequence[Segment], stage: Stage) -> list[Segment]:
    if stage is Stage.INPUT:
        return list(segments)
    return [replace(segment, role=segment.role or "assistant") for segment in segments]


def _batches(lines: Sequence[Line]) -> list[list[Line]]:
    batches: list[list[Line]] = []
    size = BATCH_CHARS
    for line in lines:
        if size >= BATCH_CHARS or len(batches[-1]) >= BATCH_LINES:
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line.text)
    return batches


def _admitted(raw: Sequence[Mapping[str, Any]], limits: drafts.Limits) -> tuple[Rule, ...]:
    """A draft's rules; ids are taken as given, or numbered. Raises Invalid."""
    numbers = iter(range(1, drafts.MAX_RULES + 1))
    try:
        bare = [{name: value for name, value in rule.items() if name != "id"} for rule in raw]
        admitted = drafts.admit_rules(bare, lambda: f"rule_{next(numbers)}", limits=limits)
    except Refused as refused:
        raise Invalid(str(refused), param=refused.field) from None
    given = [str(rule["id"]) if is_id(str(rule.get("id") or "")) else None for rule in raw]
    return tuple(
        rule if rule_id is None else drafts.with_id(rule, rule_id)
        for rule, rule_id in zip(admitted, given, strict=True)
    )
