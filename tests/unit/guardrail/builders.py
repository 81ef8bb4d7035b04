"""Builders with defaults for guardrails, rules and verdicts."""

from __future__ import annotations

from typing import Any

from services.guardrail.domain.check import check
from services.guardrail.domain.drafts import admit_rules
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Guardrail, Kind, Segment, Stage, Verdict

CORE = ["email", "phone", "credit_card", "ssn", "ip", "iban"]


def rule(**fields: Any) -> dict[str, Any]:
    """A draft rule: PII of the six core entities, masked both ways, unless told otherwise."""
    base: dict[str, Any] = {"type": "pii", "stage": "both", "action": "mask"}
    if fields.get("type", "pii") == "pii":
        base["entities"] = CORE
    return {**base, **fields}


def guardrail(*rules: dict[str, Any], **fields: Any) -> Guardrail:
    """A guardrail with rules r1, r2, …"""
    names = iter(f"r{number}" for number in range(1, 1000))
    admitted = admit_rules(list(rules), lambda: next(names))
    return Guardrail(
        **{"id": "g1", "workspace_id": "w1", "name": "tenant-baseline", "version": 1, **fields}, rules=admitted
    )


def policy(*rules: dict[str, Any], stage: Stage = Stage.INPUT, **fields: Any) -> CompiledPolicy:
    """A compiled policy of those rules."""
    return CompiledPolicy(guardrail(*rules, **fields), stage)


def fingerprint(text: str) -> str:
    """A stand-in for the keyed digest."""
    return f"fp:{len(text)}"


def judge(text: str, *rules: dict[str, Any], kind: Kind = Kind.TEXT, role: str = "user", **fields: Any) -> Verdict:
    """The verdict on one text."""
    return check(policy(*rules, **fields), [Segment(text, kind, role)], fingerprint)


def masked(text: str, *rules: dict[str, Any]) -> str:
    """The text after masking."""
    return judge(text, *(rules or (rule(),))).replacements.get(0, text)
