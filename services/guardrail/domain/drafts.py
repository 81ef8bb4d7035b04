"""Admits a guardrail as an operator writes it: types, ranges, patterns, names. Raises `Refused` naming the field.

Rule types and actions that the specification names but this version does not evaluate are refused here, so
that no stored rule is ever skipped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.guardrail.domain import entities, secrets
from services.guardrail.domain.admission import check_pattern
from services.guardrail.domain.model import Action, CustomEntity, Rule

MAX_RULES = 100
MAX_TERMS = 1000
MAX_TERM = 256
MAX_MATCH = 1024
MAX_CUSTOM = 25
MAX_LABEL = 128
MAX_LIMIT = 100_000_000
MAX_ROLES = 16

TYPES = ("keyword", "regex", "pii", "secrets", "max_chars")
LATER_TYPES = ("prompt_attack", "llm_judge", "grounding", "external")
STAGES = ("input", "output", "both")
LATER_ACTIONS = ("annotate", "spotlight")

_COMMON = frozenset(
    {"id", "type", "stage", "action", "label", "enabled", "roles", "on_not_evaluated", "on_unsupported_part"}
)
_FIELDS: Mapping[str, frozenset[str]] = {
    "keyword": frozenset({"terms", "whole_word", "mask_tag"}),
    "regex": frozenset({"pattern", "mask_tag", "max_match"}),
    "pii": frozenset({"entities", "entity_actions", "custom_entities"}),
    "secrets": frozenset({"detectors"}),
    "max_chars": frozenset({"limit"}),
}
_TAG = re.compile(r"\[[A-Z][A-Z0-9_]{1,31}\]\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}\Z")


class Refused(ValueError):
    """A field is wrong; `field` is its path, e.g. `rules.0.pattern`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class _Reader:
    """Reads one object, naming the field in every refusal."""

    def __init__(self, raw: Any, path: str) -> None:
        if not isinstance(raw, Mapping):
            raise Refused(path, "must be an object")
        self.raw: Mapping[str, Any] = raw
        self.path = path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}"

    def only(self, allowed: frozenset[str]) -> None:
        for name in self.raw:
            if name not in allowed:
                raise Refused(self.at(str(name)), "unknown field")

    def text(self, name: str, default: str | None = None, *, most: int) -> str:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, str):
            raise Refused(self.at(name), "must be a string")
        if len(value) > most:
            raise Refused(self.at(name), f"must have at most {most} characters")
        if "\x00" in value or not _is_unicode(value):
            raise Refused(self.at(name), "must be text without NUL or lone surrogates")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        value = self.raw.get(name)
        value = default if value is None else value
        if value not in allowed or not isinstance(value, str):
            raise Refused(self.at(name), f"must be one of {', '.join(allowed)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise Refused(self.at(name), "must be true or false")
        return value

    def number(self, name: str, default: int | None, low: int, high: int) -> int:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Refused(self.at(name), f"must be a whole number from {low} to {high}")
        return value

    def list_of(self, name: str, most: int) -> list[Any]:
        value = self.raw.get(name)
        value = [] if value is None else value
        if not isinstance(value, list | tuple):
            raise Refused(self.at(name), "must be a list")
        if len(value) > most:
            raise Refused(self.at(name), f"must have at most {most} items")
        return list(value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def admit_rules(raw: Any, new_rule_id: Callable[[], str], previous: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """The rules of a draft. A rule keeps its id when it names it, or when it equals, or stands in the place of,
    a previous one of its type."""
    if not isinstance(raw, list | tuple):
        raise Refused("rules", "must be a list")
    if len(raw) > MAX_RULES:
        raise Refused("rules", f"must have at most {MAX_RULES} items")
    drafts = [_admit(_Reader(item, f"rules.{index}")) for index, item in enumerate(raw)]
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


def _admit(reader: _Reader) -> Rule:
    kind = reader.raw.get("type")
    if kind in LATER_TYPES:
        raise Refused(reader.at("type"), f"rules of type {kind} are not available yet")
    kind = reader.choice("type", TYPES)
    reader.only(_COMMON | _FIELDS[kind])
    action = _action(reader, reader.raw.get("action"), "action", maskable=kind != "max_chars")
    common: dict[str, Any] = {
        "id": reader.text("id", "", most=64),
        "type": kind,
        "stage": reader.choice("stage", STAGES),
        "action": action,
        "label": reader.text("label", "", most=MAX_LABEL),
        "enabled": reader.flag("enabled", True),
        "roles": _strings(reader, "roles", MAX_ROLES, 64),
        "on_not_evaluated": reader.choice(
            "on_not_evaluated", ("block", "pass"), "block" if action is Action.BLOCK else "pass"
        ),
        "on_unsupported_part": reader.choice("on_unsupported_part", ("block", "pass"), "pass"),
    }
    return Rule(**common, **_SPECIFIC[kind](reader))


def _action(reader: _Reader, value: Any, name: str, *, maskable: bool = True) -> Action:
    if value in LATER_ACTIONS:
        raise Refused(reader.at(name), f"the action {value} is not available yet")
    allowed = [action.value for action in Action if maskable or action is not Action.MASK]
    if not isinstance(value, str) or value not in allowed:
        raise Refused(reader.at(name), f"must be one of {', '.join(allowed)}")
    return Action(value)


def _strings(reader: _Reader, name: str, most: int, longest: int) -> tuple[str, ...]:
    items = reader.list_of(name, most)
    inner = _Reader({str(index): item for index, item in enumerate(items)}, reader.at(name))
    return tuple(inner.text(str(index), most=longest) for index in range(len(items)))


def _keyword(reader: _Reader) -> dict[str, Any]:
    terms = _strings(reader, "terms", MAX_TERMS, MAX_TERM)
    if not terms:
        raise Refused(reader.at("terms"), "must have at least one term")
    for index, term in enumerate(terms):
        if not term.strip():
            raise Refused(f"{reader.at('terms')}.{index}", "must not be blank")
    return {
        "terms": terms,
        "whole_word": reader.flag("whole_word", False),
        "mask_tag": _tag(reader, "mask_tag", "[REDACTED]"),
    }


def _regex(reader: _Reader) -> dict[str, Any]:
    return {
        "pattern": _pattern(reader),
        "mask_tag": _tag(reader, "mask_tag", "[REDACTED]"),
        "max_match": reader.number("max_match", 256, 1, MAX_MATCH),
    }


def _secrets(reader: _Reader) -> dict[str, Any]:
    named = _strings(reader, "detectors", len(secrets.NAMES), 64)
    for index, name in enumerate(named):
        if name not in secrets.NAMES:
            raise Refused(f"{reader.at('detectors')}.{index}", f"unknown detector {name!r}")
    return {"detectors": tuple(dict.fromkeys(named))}


def _max_chars(reader: _Reader) -> dict[str, Any]:
    return {"limit": reader.number("limit", None, 1, MAX_LIMIT)}


def _pii(reader: _Reader) -> dict[str, Any]:
    named = []
    for index, name in enumerate(_strings(reader, "entities", 200, 64)):
        known = entities.canonical(name)
        if known is None:
            raise Refused(f"{reader.at('entities')}.{index}", f"unknown entity {name!r}")
        named.append(known)
    raw_custom = reader.list_of("custom_entities", MAX_CUSTOM)
    custom = [_custom(_Reader(item, f"{reader.at('custom_entities')}.{i}")) for i, item in enumerate(raw_custom)]
    if not named and not custom:
        raise Refused(reader.at("entities"), "must name at least one entity")
    names = [entity.name for entity in custom]
    if len(set(names)) != len(names):
        raise Refused(reader.at("custom_entities"), "names must differ")
    actions = _Reader(reader.raw.get("entity_actions") or {}, reader.at("entity_actions"))
    known_actions: dict[str, Action] = {}
    for name, value in actions.raw.items():
        entity = entities.canonical(str(name)) or str(name)
        if entity not in named and entity not in names:
            raise Refused(actions.at(str(name)), "is not an entity of this rule")
        known_actions[entity] = _action(actions, value, str(name))
    return {
        "entities": tuple(dict.fromkeys(named)),
        "entity_actions": known_actions,
        "custom_entities": tuple(custom),
    }


def _custom(reader: _Reader) -> CustomEntity:
    reader.only(frozenset({"name", "pattern", "tag", "checksum"}))
    name = reader.text("name", most=31)
    if not _NAME.match(name) or entities.canonical(name):
        raise Refused(reader.at("name"), "must be a snake-case name that is not a built-in entity")
    checksum = reader.raw.get("checksum")
    if checksum not in (None, "luhn"):
        raise Refused(reader.at("checksum"), "must be luhn")
    default = f"[{name.upper()}]" if len(name) > 1 else "[REDACTED]"
    return CustomEntity(name, _pattern(reader), _tag(reader, "tag", default), checksum == "luhn")


def _pattern(reader: _Reader) -> str:
    pattern = reader.text("pattern", most=4096)
    refusal = check_pattern(pattern)
    if refusal is not None:
        raise Refused(reader.at("pattern"), refusal)
    return pattern


def _tag(reader: _Reader, name: str, default: str) -> str:
    tag = reader.text(name, default, most=64)
    tag = tag if tag.startswith("[") else f"[{tag}]"
    if not _TAG.match(tag):
        raise Refused(reader.at(name), "must be 2 to 32 capital letters, digits or _, brackets optional")
    return tag


_SPECIFIC: Mapping[str, Callable[[_Reader], dict[str, Any]]] = {
    "keyword": _keyword,
    "regex": _regex,
    "pii": _pii,
    "secrets": _secrets,
    "max_chars": _max_chars,
}


def rule_json(rule: Rule) -> dict[str, Any]:
    """The rule as stored and shown; `admit_rules` reads it back."""
    out: dict[str, Any] = {
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
    if rule.type == "keyword":
        out |= {"terms": list(rule.terms), "whole_word": rule.whole_word, "mask_tag": rule.mask_tag}
    elif rule.type == "regex":
        out |= {"pattern": rule.pattern, "mask_tag": rule.mask_tag, "max_match": rule.max_match}
    elif rule.type == "secrets":
        out |= {"detectors": list(rule.detectors)}
    elif rule.type == "max_chars":
        out |= {"limit": rule.limit}
    elif rule.type == "pii":
        out |= {
            "entities": list(rule.entities),
            "entity_actions": {name: action.value for name, action in rule.entity_actions.items()},
            "custom_entities": [
                {"name": c.name, "pattern": c.pattern, "tag": c.tag, "checksum": "luhn" if c.luhn else None}
                for c in rule.custom_entities
            ],
        }
    return out
