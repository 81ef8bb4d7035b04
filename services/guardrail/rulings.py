"""Runs the rules that read whole texts, all at once, beside the local rules; each ends in a ruling, always.

A rule's own time-out bounds its question, the policy deadline less a margin bounds them all. At most
`MAX_OPEN` questions are open per replica; beyond that a rule ends as not evaluated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.guardrail.domain import asking
from services.guardrail.domain.comparing import grounded
from services.guardrail.domain.model import Rule, Ruling, Segment, Stage
from services.guardrail.domain.resolution import CompiledGuardrail
from services.guardrail.domain.whole import Part, choice_of, fired, fired_at, readable, too_large, whole_rules
from services.guardrail.ports import JudgeModel, NotEvaluated, Question, Webhook

log = logging.getLogger("orca.guardrail")

MARGIN_MS = 500
"""What the policy deadline keeps for everything else."""
MAX_OPEN = 512
MAX_CHOICES = 16
"""Choices of one answer that a judge is asked about, each on its own."""
INLINE_MAX = 20_000
"""Characters compared on the event loop; more go to a thread."""


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a question is asked."""

    key_id: str
    request_id: str
    model: str

    def shown(self) -> Mapping[str, str]:
        """As a webhook sees it."""
        return {"key_id": self.key_id, "request_id": self.request_id, "model": self.model}


@dataclass(frozen=True, slots=True)
class Case:
    """The texts of one stage, and for answers the request's messages."""

    guardrail: CompiledGuardrail
    stage: Stage
    segments: Sequence[Segment]
    sources: Sequence[Segment]
    asker: Asker


class Rulings:
    """Asks judges and webhooks, and compares answers with their sources."""

    def __init__(self, judge: JudgeModel, webhook: Webhook, *, deadline_ms: int) -> None:
        self._judge = judge
        self._webhook = webhook
        self._longest_ms = max(1, deadline_ms - MARGIN_MS)
        self._open = asyncio.Semaphore(MAX_OPEN)

    async def run(self, case: Case) -> list[Ruling]:
        """One ruling per rule that has a text to read. Never raises for what others do."""
        waiting = []
        for index, rule in whole_rules(case.guardrail.at(case.stage)):
            parts = readable(rule, case.segments)
            if parts:
                waiting.append(self._ruling(case, index, rule, parts))
        return list(await asyncio.gather(*waiting)) if waiting else []

    async def _ruling(self, case: Case, index: int, rule: Rule, parts: list[Part]) -> Ruling:
        if too_large(parts):
            return Ruling(index, reason="too_large")
        if self._open.locked():
            return Ruling(index, reason="overloaded")
        try:
            async with self._open:
                if rule.type == "grounding":
                    return await self._grounded(case, index, rule, parts)
                timeout_s = min(rule.timeout_ms or self._longest_ms, self._longest_ms) / 1000
                async with asyncio.timeout(timeout_s):
                    ask = self._judged if rule.type == "llm_judge" else self._external
                    return await ask(case, index, rule, parts, timeout_s)
        except NotEvaluated as error:
            return Ruling(index, reason=error.reason)
        except TimeoutError:
            return Ruling(index, reason="timeout")
        except Exception as error:
            # A bug in one rule must end as that rule's missing evaluation, which its own setting decides about.
            log.error("rule failed", extra={"error_class": type(error).__name__, "rule_type": rule.type})
            return Ruling(index, reason="internal_error")

    async def _judged(self, case: Case, index: int, rule: Rule, parts: list[Part], timeout_s: float) -> Ruling:
        """Input is one question; each choice of an answer is one of its own."""
        groups: dict[str, list[Part]] = {}
        for part in parts:
            group = choice_of(part.segment.path) if case.stage is Stage.OUTPUT else ""
            groups.setdefault(group, []).append(part)
        if len(groups) > MAX_CHOICES:
            raise NotEvaluated("too_large")
        answers = await asyncio.gather(*(self._ask(case, rule, asked, timeout_s) for asked in groups.values()))
        found: list[Part] = []
        for answer, asked in zip(answers, groups.values(), strict=True):
            if answer is None:
                raise NotEvaluated("bad_answer")
            found += asked if answer else []
        return fired(index, rule, found)

    async def _ask(self, case: Case, rule: Rule, parts: list[Part], timeout_s: float) -> bool | None:
        question = Question(
            workspace_id=case.guardrail.guardrail.workspace_id,
            key_id=case.asker.key_id,
            request_id=case.asker.request_id,
            rule_id=rule.id,
            model=rule.judge_model,
            rubric=asking.judge_system(rule),
            text=asking.judge_user([part.segment.text for part in parts]),
        )
        return asking.judge_said(await self._judge.ask(question, timeout_s))

    async def _external(self, case: Case, index: int, rule: Rule, parts: list[Part], timeout_s: float) -> Ruling:
        body = asking.webhook_question(case.guardrail.guardrail, rule, case.stage, case.asker.shown(), parts)
        secret = case.guardrail.secrets.get(rule.id)
        if secret is None:
            raise NotEvaluated("secret_missing")
        said = asking.webhook_said(await self._webhook.ask(rule.url, secret, body, timeout_s), parts)
        if said is None:
            raise NotEvaluated("bad_answer")
        if not said.fired:
            return Ruling(index)
        if not said.spans:
            return fired(index, rule, parts, said.entity)
        return fired_at(index, rule, [(parts[at].index, start, end, name) for at, start, end, name in said.spans])

    async def _grounded(self, case: Case, index: int, rule: Rule, parts: list[Part]) -> Ruling:
        size = sum(len(part.segment.text) for part in parts) + sum(len(source.text) for source in case.sources)
        if size <= INLINE_MAX:
            return grounded(index, rule, parts, case.sources)
        async with asyncio.timeout(self._longest_ms / 1000):
            return await asyncio.to_thread(grounded, index, rule, parts, case.sources)
