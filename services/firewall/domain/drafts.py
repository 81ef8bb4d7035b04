"""What a policy's author may write. Every refusal names the field; what is stored always compiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from services.firewall.domain.clauses import OPS, CompiledClause
from services.firewall.domain.globs import stray_star
from services.firewall.domain.model import Clause, Rule, Surface, Verdict

MAX_RULES = 500
MAX_CLAUSES = 32
LABEL_MAX = 128
NOTES_MAX = 2000
GLOB_MAX = 256
PRIORITY_MAX = 1_000_000
PRIORITY_DEFAULT = 100

STAGES = ("", *(surface.value for surface in Surface))
AVAILABLE_VERDICTS = (Verdict.ALLOW.value, Verdict.AUDIT.value, Verdict.DENY.value)
LATER_VERDICTS = ("sanitize", "pending_approval", "cap_cost")
LATER_FIELDS = ("semantic_match", "egress", "sequence", "rate", "sanitize", "cap_cost_cents")
_FIELDS = frozenset({item.name for item in fields(Rule)} | set(LATER_FIELDS))


class Refused(ValueError):
    """A field cannot be taken; the message begins with its path."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def admit_verdict(value: Any, field: str) -> Verdict:
    """A verdict that exists and is available. Raises Refused."""
    if value in AVAILABLE_VERDICTS and isinstance(value, str):
        return Verdict(value)
    if value in LATER_VERDICTS:
        raise Refused(field, f"{value} is not available yet")
    raise Refused(field, f"must be one of {', '.join(AVAILABLE_VERDICTS)}")


def admit_rules(raw: Any, new_rule_id: Callable[[], str], previous: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """Rules as an author sends them. A rule keeps its id when it names it, equals a previous one, or stands in the
    place of one with the same glob or label. Raises Refused."""
    if not isinstance(raw, list):
        raise Refused("rules", "must be a list")
    if len(raw) > MAX_RULES:
        raise Refused("rules", f"must have at most {MAX_RULES} rules")
    drafts = [_rule(item, f"rules.{index}") for index, item in enumerate(raw)]
    free = {rule.id: rule for rule in previous}
    ids: list[str] = [draft.id for draft in drafts]
    for index, rule_id in enumerate(ids):
        if rule_id and free.pop(rule_id, None) is None:
            raise Refused(f"rules.{index}.id", "is not a rule of this policy, or is used twice")
    for index, draft in enumerate(drafts):
        if not ids[index]:
            ids[index] = next((rule.id for rule in free.values() if replace(rule, id="") == draft), "")
            free.pop(ids[index], None)
    for index, draft in enumerate(drafts):
        there = previous[index] if index < len(previous) else None
        if not ids[index] and there is not None and there.id in free and _same_place(there, draft):
            ids[index] = there.id
            del free[there.id]
    return tuple(replace(draft, id=known or new_rule_id()) for draft, known in zip(drafts, ids, strict=True))


def _same_place(there: Rule, draft: Rule) -> bool:
    return there.tool_name_glob == draft.tool_name_glob or bool(draft.label and there.label == draft.label)


def _rule(raw: Any, field: str) -> Rule:
    if not isinstance(raw, Mapping):
        raise Refused(field, "must be an object")
    for name in raw:
        if name not in _FIELDS:
            raise Refused(f"{field}.{_short(name)}", "is not a field of a rule")
    for name in LATER_FIELDS:
        if raw.get(name) is not None:
            raise Refused(f"{field}.{name}", "is not available yet")
    stage = _text(raw, field, "stage", most=16)
    if stage not in STAGES:
        raise Refused(f"{field}.stage", f"must be one of {', '.join(STAGES[1:])}, or empty")
    if stage == Surface.INBOUND.value and raw.get("verdict") == Verdict.PENDING_APPROVAL.value:
        raise Refused(f"{field}.stage", "inbound cannot be combined with pending_approval")
    if "verdict" not in raw:
        raise Refused(f"{field}.verdict", "is required")
    verdict = admit_verdict(raw["verdict"], f"{field}.verdict")
    if stage == Surface.EGRESS.value:
        raise Refused(f"{field}.stage", "egress is not available yet")
    clauses = _clauses(raw.get("args_match"), f"{field}.args_match")
    if clauses and stage == Surface.INBOUND.value:
        raise Refused(f"{field}.args_match", "inbound shows no arguments")
    return Rule(
        id=_text(raw, field, "id", most=64),
        verdict=verdict,
        priority=_priority(raw.get("priority"), f"{field}.priority"),
        label=_text(raw, field, "label", most=LABEL_MAX).strip(),
        notes=_text(raw, field, "notes", most=NOTES_MAX, lines=True),
        enabled=_flag(raw.get("enabled"), f"{field}.enabled"),
        stage=stage,
        tool_name_glob=_text(raw, field, "tool_name_glob", most=GLOB_MAX) or "*",
        args_match=clauses,
    )


def _clauses(raw: Any, field: str) -> tuple[Clause, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, Mapping) or set(raw) != {"clauses"} or not isinstance(raw["clauses"], list):
        raise Refused(field, 'must be {"clauses": [{path, op, value}]}')
    if not 1 <= len(raw["clauses"]) <= MAX_CLAUSES:
        raise Refused(f"{field}.clauses", f"must have 1 to {MAX_CLAUSES} clauses")
    return tuple(_clause(item, f"{field}.clauses.{index}") for index, item in enumerate(raw["clauses"]))


def _clause(raw: Any, field: str) -> Clause:
    if not isinstance(raw, Mapping):
        raise Refused(field, "must be an object")
    for name in raw:
        if name not in ("path", "op", "value"):
            raise Refused(f"{field}.{_short(name)}", "is not a field of a clause")
    op = raw.get("op")
    if not isinstance(op, str) or op not in OPS:
        raise Refused(f"{field}.op", f"must be one of {', '.join(OPS)}")
    if op != "exists" and "value" not in raw:
        raise Refused(f"{field}.value", "is required")
    path = _text(raw, field, "path", most=1024)
    clause = Clause(path, op, raw.get("value"))
    try:
        CompiledClause(clause)
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise Refused(f"{field}.{name}", problem) from None
    return clause


def _text(raw: Mapping[str, Any], field: str, name: str, *, most: int, lines: bool = False) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise Refused(f"{field}.{name}", f"must be text of at most {most} characters")
    plain = value.replace("\n", " ").replace("\r", " ").replace("\t", " ") if lines else value
    if not plain.isprintable():
        raise Refused(f"{field}.{name}", "must be printable text")
    return value


def _priority(value: Any, field: str) -> int:
    if value is None:
        return PRIORITY_DEFAULT
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > PRIORITY_MAX:
        raise Refused(field, f"must be an integer from -{PRIORITY_MAX} to {PRIORITY_MAX}")
    return value


def _flag(value: Any, field: str) -> bool:
    if value is None:
        return True
    if not isinstance(value, bool):
        raise Refused(field, "must be true or false")
    return value


def _short(name: Any) -> str:
    text = str(name)[:64]
    return text if text.isprintable() else "?"


def warnings(rules: Sequence[Rule]) -> list[str]:
    """What was taken as written but may not mean what its author thinks."""
    return [
        f"rules.{index}.tool_name_glob: a star is a wildcard only in *, foo.*, *.exec and *.shell.*; "
        "elsewhere it stands for itself"
        for index, rule in enumerate(rules)
        if stray_star(rule.tool_name_glob)
    ]


def rule_json(rule: Rule) -> dict[str, Any]:
    """The rule as stored and shown."""
    return {
        "id": rule.id,
        "priority": rule.priority,
        "label": rule.label,
        "notes": rule.notes,
        "enabled": rule.enabled,
        "stage": rule.stage,
        "tool_name_glob": rule.tool_name_glob,
        "args_match": _clauses_json(rule.args_match),
        "verdict": rule.verdict.value,
    }


def _clauses_json(clauses: Sequence[Clause]) -> dict[str, Any] | None:
    if not clauses:
        return None
    return {"clauses": [{"path": item.path, "op": item.op, "value": item.value} for item in clauses]}


def rule_from_json(raw: Mapping[str, Any]) -> Rule:
    """A stored rule; it was admitted when written, so nothing is checked again."""
    clauses = (raw["args_match"] or {}).get("clauses", [])
    return Rule(
        id=raw["id"],
        verdict=Verdict(raw["verdict"]),
        priority=raw["priority"],
        label=raw["label"],
        notes=raw["notes"],
        enabled=raw["enabled"],
        stage=raw["stage"],
        tool_name_glob=raw["tool_name_glob"],
        args_match=tuple(Clause(item["path"], item["op"], item["value"]) for item in clauses),
    )
