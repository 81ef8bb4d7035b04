"""Admits a guardrail as an operator writes it: types, ranges, patterns, names. Raises `Refused` naming the field.

A rule type that this version does not evaluate is refused, so that no stored rule is ever skipped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.guardrail.domain.draft_fields import (
    MAX_CUSTOM,
    MAX_MATCH,
    MAX_TERMS,
    RULE_TYPES,
    Limits,
    action_of,
)
from services.guardrail.domain.model import Action, Rule
from services.guardrail.domain.reading import Reader, Refused

__all__ = ["MAX_CUSTOM", "MAX_MATCH", "MAX_TERMS", "Limits", "Refused", "admit_rules", "rule_json", "with_id"]

MAX_RULES = 100
MAX_LABEL = 128
MAX_ROLES = 16
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Roles that messages have."""

TYPES = tuple(RULE_TYPES)
STAGES = ("input", "output", "both")

_COMMON = frozenset(
    {"id", "type", "stage", "action", "label", "enabled", "roles", "on_not_evaluated", "on_unsupported_part"}
)


def admit_rules(
    raw: Any, new_rule_id: Callable[[], str], previous: Sequence[Rule] = (), limits: Limits = Limits()
) -> tuple[Rule, ...]:
    """The rules of a draft. A rule keeps its id when it names it, or when it equals, or stands in the place of,
    a previous one of its type."""
    if not isinstance(raw, list | tuple):
        raise Refused("rules", "must be a list")
    if len(raw) > MAX_RULES:
        raise Refused("rules", f"must have at most {MAX_RULES} items")
    drafts = [_admit(Reader(item, f"rules.{index}"), limits) for index, item in enumerate(raw)]
    return _with_ids(drafts, new_rule_id, previous)


def _with_ids(drafts: list[Rule], new_rule_id: Callable[[], str], previous: Sequence[Rule]) -> tuple[Rule, ...]:
    free = {rule.id: rule for rule in previous}
    ids: list[str | None] = [None] * len(drafts)
    for index, draft in enumerate(drafts):
        if draft.id:
            if draft.id not in free:
                raise Refused(f"rules.{index}.id", "is not a rule of this guardrail, or is used twice")
            ids[index] = draft.id
            del free[draft.id]
    for index, draft in enumerate(drafts):
        equal = next((rule for rule in free.values() if ids[index] is None and with_id(rule, "") == draft), None)
        if equal is not None:
            ids[index] = equal.id
            del free[equal.id]
    for index, draft in enumerate(drafts):
        there = previous[index] if index < len(previous) else None
        if ids[index] is None and there is not None and there.id in free and there.type == draft.type:
            ids[index] = there.id
            del free[there.id]
    return tuple(with_id(draft, known or new_rule_id()) for draft, known in zip(drafts, ids, strict=True))


def with_id(rule: Rule, rule_id: str) -> Rule:
    """The same rule under another id."""
    fields = {name: getattr(rule, name) for name in Rule.__slots__}
    return Rule(**{**fields, "id": rule_id})


def _admit(reader: Reader, limits: Limits) -> Rule:
    kind = reader.choice("type", TYPES)
    rule_type = RULE_TYPES[kind]
    reader.only(_COMMON | frozenset(rule_type.fields))
    stage = reader.choice("stage", STAGES)
    action = action_of(reader, reader.raw.get("action"), "action", stage, maskable=rule_type.maskable)
    common: dict[str, Any] = {
        "id": reader.text("id", "", most=64),
        "type": kind,
        "stage": stage,
        "action": action,
        "label": reader.text("label", "", most=MAX_LABEL),
        "enabled": reader.flag("enabled", True),
        "roles": _roles(reader),
        "on_not_evaluated": reader.choice(
            "on_not_evaluated", ("block", "pass"), "block" if action is Action.BLOCK else "pass"
        ),
        "on_unsupported_part": reader.choice("on_unsupported_part", ("block", "pass"), "pass"),
    }
    return Rule(**common, **rule_type.read(reader, stage, limits))


def _roles(reader: Reader) -> tuple[str, ...]:
    """Message roles. A name that no message can have would make a rule that never reads anything."""
    roles = reader.strings("roles", MAX_ROLES, 64)
    for index, role in enumerate(roles):
        if role not in ROLES:
            raise Refused(f"{reader.at('roles')}.{index}", f"must be one of {', '.join(ROLES)}")
    return tuple(dict.fromkeys(roles))


def rule_json(rule: Rule) -> dict[str, Any]:
    """The rule as stored and shown, without secrets; `admit_rules` reads it back."""
    common: dict[str, Any] = {
        "id": rule.id,
        "type": rule.type,
        "stage": rule.stage,
        "action": rule.action.value,
        "label": rule.label,
        "enabled": rule.enabled,
        "roles": list(rule.roles),
        "on_not_evaluated": rule.on_not_evaluated,
        "on_unsupported_part": rule.on_unsupported_part,
    }
    return common | RULE_TYPES[rule.type].show(rule)
