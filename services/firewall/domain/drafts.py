"""What a policy's author may write. Every refusal names the field; what is stored always compiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from services.firewall.domain.clauses import OPS, CompiledClause
from services.firewall.domain.fields import Refused, flag, integer, only, short, text_of
from services.firewall.domain.globs import stray_star
from services.firewall.domain.matchers import (
    admit_egress,
    admit_kinds,
    admit_rate,
    admit_sanitize,
    admit_sequence,
    matchers_from_json,
    matchers_json,
)
from services.firewall.domain.model import Clause, Rule, Surface, Verdict

__all__ = ["Refused", "admit_rules", "admit_verdict", "rule_from_json", "rule_json", "warnings"]

MAX_RULES = 500
MAX_CLAUSES = 32
LABEL_MAX = 128
NOTES_MAX = 2000
GLOB_MAX = 256
PRIORITY_MAX = 1_000_000
PRIORITY_DEFAULT = 100
CAP_COST_CENTS_MAX = 100_000_000

STAGES = ("", *(surface.value for surface in Surface))
DEFAULT_VERDICTS = (Verdict.ALLOW.value, Verdict.AUDIT.value, Verdict.DENY.value)
RULE_VERDICTS = (*DEFAULT_VERDICTS, Verdict.SANITIZE.value, Verdict.PENDING_APPROVAL.value, Verdict.CAP_COST.value)
_FIELDS = frozenset(item.name for item in fields(Rule))
_NEED_CALL = ("args_match", "semantic_match", "egress", "sequence")


def admit_verdict(value: Any, field: str, choices: tuple[str, ...] = DEFAULT_VERDICTS) -> Verdict:
    """One of the verdicts that may stand there; by default those of a policy's default. Raises Refused."""
    if isinstance(value, str) and value in choices:
        return Verdict(value)
    raise Refused(field, f"must be one of {', '.join(choices)}")


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
    only(raw, field, _FIELDS, "a rule")
    stage = text_of(raw, field, "stage", most=16)
    if stage not in STAGES:
        raise Refused(f"{field}.stage", f"must be one of {', '.join(STAGES[1:])}, or empty")
    if raw.get("verdict") is None:
        raise Refused(f"{field}.verdict", "is required")
    verdict = admit_verdict(raw["verdict"], f"{field}.verdict", RULE_VERDICTS)
    rule = Rule(
        id=text_of(raw, field, "id", most=64),
        verdict=verdict,
        priority=integer(raw, field, "priority", least=-PRIORITY_MAX, most=PRIORITY_MAX, default=PRIORITY_DEFAULT),
        label=text_of(raw, field, "label", most=LABEL_MAX).strip(),
        notes=text_of(raw, field, "notes", most=NOTES_MAX, lines=True),
        enabled=flag(raw, field, "enabled", default=True),
        stage=stage,
        tool_name_glob=text_of(raw, field, "tool_name_glob", most=GLOB_MAX) or "*",
        args_match=_clauses(raw.get("args_match"), f"{field}.args_match"),
        semantic_match=admit_kinds(raw.get("semantic_match"), f"{field}.semantic_match"),
        egress=admit_egress(raw.get("egress"), f"{field}.egress"),
        sequence=admit_sequence(raw.get("sequence"), f"{field}.sequence"),
        rate=admit_rate(raw.get("rate"), f"{field}.rate"),
        sanitize=admit_sanitize(raw.get("sanitize"), f"{field}.sanitize", needed=verdict is Verdict.SANITIZE),
        cap_cost_cents=_cap(raw, field),
    )
    _check_together(rule, field)
    return rule


def _cap(raw: Mapping[str, Any], field: str) -> int | None:
    if raw.get("cap_cost_cents") is None:
        return None
    return integer(raw, field, "cap_cost_cents", least=0, most=CAP_COST_CENTS_MAX)


def _check_together(rule: Rule, field: str) -> None:
    """Combinations that could never match, or that say two things."""
    if rule.stage == Surface.INBOUND.value:
        if rule.verdict is Verdict.PENDING_APPROVAL:
            raise Refused(f"{field}.stage", "inbound cannot be combined with pending_approval")
        for name in _NEED_CALL:
            if getattr(rule, name):
                raise Refused(f"{field}.{name}", "inbound shows no arguments and no calls")
    if rule.stage == Surface.EGRESS.value:
        if rule.egress is None:
            raise Refused(f"{field}.egress", "is required at stage egress")
        if rule.sequence is not None:
            raise Refused(f"{field}.sequence", "counts calls, so stage must not be egress")
    if rule.verdict is Verdict.CAP_COST:
        if rule.cap_cost_cents is None:
            raise Refused(f"{field}.cap_cost_cents", "is required with cap_cost")
        if rule.stage in (Surface.RESPONSE.value, Surface.EGRESS.value):
            raise Refused(f"{field}.stage", "cap_cost holds at inbound and mcp")
        for name in (*_NEED_CALL, "rate"):
            if getattr(rule, name):
                raise Refused(f"{field}.{name}", "cannot be combined with cap_cost")
    elif rule.cap_cost_cents is not None:
        raise Refused(f"{field}.cap_cost_cents", "needs the verdict cap_cost")
    if rule.sanitize is not None and rule.verdict is not Verdict.SANITIZE:
        raise Refused(f"{field}.sanitize", "needs the verdict sanitize")


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
            raise Refused(f"{field}.{short(name)}", "is not a field of a clause")
    op = raw.get("op")
    if not isinstance(op, str) or op not in OPS:
        raise Refused(f"{field}.op", f"must be one of {', '.join(OPS)}")
    if op != "exists" and "value" not in raw:
        raise Refused(f"{field}.value", "is required")
    path = text_of(raw, field, "path", most=1024)
    clause = Clause(path, op, raw.get("value"))
    try:
        CompiledClause(clause)
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise Refused(f"{field}.{name}", problem) from None
    return clause


def warnings(rules: Sequence[Rule], default_verdict: Verdict = Verdict.AUDIT) -> list[str]:
    """What was taken as written but may not mean what its author thinks."""
    found = []
    restricted = default_verdict is Verdict.DENY or any(_limits(rule) for rule in rules)
    for index, rule in enumerate(rules):
        if stray_star(rule.tool_name_glob):
            found.append(
                f"rules.{index}.tool_name_glob: a star is a wildcard only in *, foo.*, *.exec and *.shell.*; "
                "elsewhere it stands for itself"
            )
        if rule.egress is None or not rule.permitting or not rule.enabled:
            continue
        if not rule.egress.allow:
            found.append(
                f"rules.{index}.egress: with an empty allow list a rule with verdict {rule.verdict.value} never matches"
            )
        elif not restricted or rule.stage == Surface.EGRESS.value:
            found.append(
                f"rules.{index}.egress.allow: this list restricts nothing, because destinations outside it pass "
                "anyway; to restrict, use a deny rule with egress.allow"
            )
    return found


def _limits(rule: Rule) -> bool:
    """A restriction of where calls may go."""
    return rule.enabled and rule.verdict.restricting and rule.egress is not None


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
        **matchers_json(rule),
        "verdict": rule.verdict.value,
        "cap_cost_cents": rule.cap_cost_cents,
    }


def _clauses_json(clauses: Sequence[Clause]) -> dict[str, Any] | None:
    if not clauses:
        return None
    return {"clauses": [{"path": item.path, "op": item.op, "value": item.value} for item in clauses]}


def rule_from_json(raw: Mapping[str, Any]) -> Rule:
    """A stored rule; it was admitted when written, so nothing is checked again. Fields it lacks are younger than it."""
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
        cap_cost_cents=raw.get("cap_cost_cents"),
        **matchers_from_json(raw),
    )
