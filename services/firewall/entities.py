"""Redaction of what only the guardrail knows how to find: its entities, asked for by name.

The firewall keeps eight presets of its own; any other name in `sanitize.presets` is an entity of the guardrail, which
is asked when a rule is saved (does it exist?) and when such a rule decided a call. Without an answer nothing passes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import Invalid, Unavailable
from services.common.rpc import call
from services.firewall.domain.model import Rule, Verdict
from services.firewall.domain.outcome import EntityRedaction, Judgement
from services.firewall.domain.sanitize import PRESETS, document_text

TIMEOUT_S = 5.0
REDACTING_S_MAX = 10.0
"""All questions of one evaluation together."""
NAMES_MAX = 64
"""Names of one question; the rules of a policy may name more together."""
TEXTS_MAX = 1_000
"""Strings of one question; more are asked in turn."""


class Entities:
    """Over the guardrail's gRPC."""

    def __init__(self, guardrail: Any) -> None:
        self._guardrail = guardrail

    async def check(self, rules: Sequence[Rule]) -> None:
        """Raises Invalid naming the field of the first name that nobody can redact, Unavailable without an answer."""
        named = {name: field for field, name in _named(rules)}
        if not named:
            return
        names = list(named)
        for start in range(0, len(names), NAMES_MAX):
            unknown = (await self._ask(names[start : start + NAMES_MAX], ())).unknown
            if not unknown:
                continue
            field = named[unknown[0]]
            known = f"{', '.join(PRESETS)}, or the name of a guardrail entity"
            raise Invalid(f"{field}: must be one of {known}", param=field)

    async def redact(
        self, judgements: Sequence[Judgement], redactions: Sequence[EntityRedaction]
    ) -> tuple[Judgement, ...]:
        """The judgements with the entities out of their arguments too. Raises Unavailable, if only for taking long."""
        try:
            async with asyncio.timeout(REDACTING_S_MAX):
                return await self._redact(judgements, redactions)
        except TimeoutError:
            raise Unavailable("the guardrail took too long to redact", code="policy_unavailable") from None

    async def _redact(
        self, judgements: Sequence[Judgement], redactions: Sequence[EntityRedaction]
    ) -> tuple[Judgement, ...]:
        texts: dict[int, str] = {}
        for redaction in redactions:
            value = json.loads(redaction.arguments_json)
            for spec in redaction.specs:
                if spec.entities:
                    found = spec.strings(value)
                    value = spec.apply(value, dict(zip(found, await self._redacted(spec.entities, found), strict=True)))
            texts[redaction.index] = document_text(value)
        return tuple(
            replace(item, sanitized_arguments_json=texts[item.index])
            if item.verdict is Verdict.SANITIZE and item.index in texts
            else item
            for item in judgements
        )

    async def _redacted(self, entities: Sequence[str], texts: Sequence[str]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(texts), TEXTS_MAX):
            part = texts[start : start + TEXTS_MAX]
            answer = await self._ask(entities, part)
            if answer.unknown or len(answer.texts) != len(part):
                raise Unavailable("the guardrail cannot redact what a rule names", code="policy_unavailable")
            found += answer.texts
        return found

    async def _ask(self, entities: Sequence[str], texts: Sequence[str]) -> guardrail_pb2.RedactResponse:
        request = guardrail_pb2.RedactRequest(entities=entities, texts=texts)
        answer: guardrail_pb2.RedactResponse = await call(self._guardrail.Redact, request, timeout_s=TIMEOUT_S)
        return answer


def _named(rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    for index, rule in enumerate(rules):
        for place, name in enumerate(rule.sanitize.presets if rule.sanitize is not None else ()):
            if name not in PRESETS:
                yield f"rules.{index}.sanitize.presets.{place}", name
