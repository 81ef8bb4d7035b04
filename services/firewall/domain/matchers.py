"""The matchers of a rule besides names and arguments, as an author sends them and as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.firewall.domain.egress import ENTRIES_MAX, ENTRY_CHARS_MAX, CompiledEgress
from services.firewall.domain.fields import Refused, flag, integer, one_of, only, text_of, texts
from services.firewall.domain.model import (
    CallSequence,
    CustomRedaction,
    Egress,
    Rate,
    Rule,
    Sanitize,
    SemanticKind,
    Step,
)
from services.firewall.domain.sanitize import CUSTOM_MAX, PATHS_MAX, PATTERN_MAX, PRESETS, CompiledSanitize

STEPS_MAX = 8
MIN_COUNT_MAX = 64
WINDOW_S_MAX = 30 * 86_400
CALLS_MAX = 1_000_000
_GLOB_MAX = 256


def admit_kinds(raw: Any, field: str) -> tuple[SemanticKind, ...]:
    """`{kinds: [...]}`, each once."""
    if raw is None:
        return ()
    only(raw, field, frozenset({"kinds"}), "semantic_match")
    kinds = texts(raw, field, "kinds", count=len(SemanticKind), most=64)
    known = tuple(SemanticKind)
    for index, kind in enumerate(kinds):
        if kind not in known:
            raise Refused(f"{field}.kinds.{index}", f"must be one of {', '.join(known)}")
    if not kinds:
        raise Refused(f"{field}.kinds", "must name at least one kind")
    return tuple(dict.fromkeys(map(SemanticKind, kinds)))


def admit_egress(raw: Any, field: str) -> Egress | None:
    """`{allow[], deny[], resolve_names}`, at least one list not empty."""
    if raw is None:
        return None
    only(raw, field, frozenset({"allow", "deny", "resolve_names"}), "egress")
    egress = Egress(
        texts(raw, field, "allow", count=ENTRIES_MAX, most=ENTRY_CHARS_MAX),
        texts(raw, field, "deny", count=ENTRIES_MAX, most=ENTRY_CHARS_MAX),
        flag(raw, field, "resolve_names", default=False),
    )
    if not egress.allow and not egress.deny:
        raise Refused(field, "must have an allow or a deny list")
    _compiles(lambda: CompiledEgress(egress), field)
    return egress


def admit_sequence(raw: Any, field: str) -> CallSequence | None:
    """`{window_seconds, steps: [{tool_name_glob, min_count, egress}]}`."""
    if raw is None:
        return None
    only(raw, field, frozenset({"window_seconds", "steps"}), "sequence")
    window = integer(raw, field, "window_seconds", least=1, most=WINDOW_S_MAX)
    steps = raw.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS_MAX:
        raise Refused(f"{field}.steps", f"must be a list of 1 to {STEPS_MAX} steps")
    return CallSequence(window, tuple(_step(item, f"{field}.steps.{index}") for index, item in enumerate(steps)))


def _step(raw: Any, field: str) -> Step:
    only(raw, field, frozenset({"tool_name_glob", "min_count", "egress"}), "a step")
    return Step(
        text_of(raw, field, "tool_name_glob", most=_GLOB_MAX) or "*",
        integer(raw, field, "min_count", least=1, most=MIN_COUNT_MAX, default=1),
        admit_egress(raw.get("egress"), f"{field}.egress"),
    )


def admit_rate(raw: Any, field: str) -> Rate | None:
    """`{max_calls, window_seconds, per, same}`."""
    if raw is None:
        return None
    only(raw, field, frozenset({"max_calls", "window_seconds", "per", "same"}), "rate")
    return Rate(
        integer(raw, field, "max_calls", least=0, most=CALLS_MAX),
        integer(raw, field, "window_seconds", least=1, most=WINDOW_S_MAX),
        one_of(raw, field, "per", ("run", "key", "workspace"), "run"),
        one_of(raw, field, "same", ("", "tool", "call"), ""),
    )


def admit_sanitize(raw: Any, field: str, *, needed: bool) -> Sanitize | None:
    """`{presets[], custom[], paths?}`; a sanitize rule that names nothing redacts every preset."""
    if raw is None:
        return Sanitize(PRESETS) if needed else None
    only(raw, field, frozenset({"presets", "custom", "paths"}), "sanitize")
    sanitize = Sanitize(
        texts(raw, field, "presets", count=len(PRESETS) * 16, most=64),
        _custom(raw.get("custom"), f"{field}.custom"),
        texts(raw, field, "paths", count=PATHS_MAX, most=256),
    )
    if not sanitize.presets and not sanitize.custom:
        raise Refused(f"{field}.presets", "must name a preset, unless custom has a pattern")
    _compiles(lambda: CompiledSanitize(sanitize), field)
    return sanitize


def _custom(raw: Any, field: str) -> tuple[CustomRedaction, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > CUSTOM_MAX:
        raise Refused(field, f"must be a list of at most {CUSTOM_MAX} patterns")
    found = []
    for index, item in enumerate(raw):
        entry: Mapping[str, Any] = {"pattern": item} if isinstance(item, str) else item
        only(entry, f"{field}.{index}", frozenset({"pattern", "name"}), "a custom pattern")
        pattern = text_of(entry, f"{field}.{index}", "pattern", most=PATTERN_MAX)
        found.append(CustomRedaction(pattern, text_of(entry, f"{field}.{index}", "name", most=64) or "custom"))
    return tuple(found)


def _compiles(build: Callable[[], object], field: str) -> None:
    try:
        build()
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise Refused(f"{field}.{name}", problem) from None


def matchers_json(rule: Rule) -> dict[str, Any]:
    """As stored and shown; null where not declared."""
    sequence, rate, sanitize = rule.sequence, rule.rate, rule.sanitize
    return {
        "semantic_match": {"kinds": [kind.value for kind in rule.semantic_match]} if rule.semantic_match else None,
        "egress": _egress_json(rule.egress),
        "sequence": None
        if sequence is None
        else {
            "window_seconds": sequence.window_seconds,
            "steps": [
                {
                    "tool_name_glob": step.tool_name_glob,
                    "min_count": step.min_count,
                    "egress": _egress_json(step.egress),
                }
                for step in sequence.steps
            ],
        },
        "rate": None
        if rate is None
        else {
            "max_calls": rate.max_calls,
            "window_seconds": rate.window_seconds,
            "per": rate.per,
            "same": rate.same or None,
        },
        "sanitize": None
        if sanitize is None
        else {
            "presets": list(sanitize.presets),
            "custom": [{"pattern": item.pattern, "name": item.name} for item in sanitize.custom],
            "paths": list(sanitize.paths),
        },
    }


def _egress_json(egress: Egress | None) -> dict[str, Any] | None:
    if egress is None:
        return None
    return {"allow": list(egress.allow), "deny": list(egress.deny), "resolve_names": egress.resolve_names}


def matchers_from_json(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Rule` from a stored rule."""
    kinds, sequence, rate = raw.get("semantic_match"), raw.get("sequence"), raw.get("rate")
    sanitize = raw.get("sanitize")
    return {
        "semantic_match": tuple(map(SemanticKind, kinds["kinds"])) if kinds else (),
        "egress": _egress_from(raw.get("egress")),
        "sequence": CallSequence(
            sequence["window_seconds"],
            tuple(
                Step(item["tool_name_glob"], item["min_count"], _egress_from(item["egress"]))
                for item in sequence["steps"]
            ),
        )
        if sequence
        else None,
        "rate": Rate(rate["max_calls"], rate["window_seconds"], rate["per"], rate["same"] or "") if rate else None,
        "sanitize": Sanitize(
            tuple(sanitize["presets"]),
            tuple(CustomRedaction(item["pattern"], item["name"]) for item in sanitize["custom"]),
            tuple(sanitize["paths"]),
        )
        if sanitize
        else None,
    }


def _egress_from(raw: Mapping[str, Any] | None) -> Egress | None:
    if raw is None:
        return None
    return Egress(tuple(raw["allow"]), tuple(raw["deny"]), raw["resolve_names"])
