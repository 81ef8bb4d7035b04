"""How much a text looks like an attack on the model that will read it, and why.

Local and deterministic: features (`features`) in the text and in its other readings (`normal`), weighed by where
they stand (`standing`), raised in tool results; a small linear scorer (`linear`) adds what wording alone suggests.
Evidence counts together only within `WINDOW` bytes, so a long text is not suspicious for being long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.guardrail.domain.attack import linear
from services.guardrail.domain.attack.feature import EXTRACTION, HIJACK, IN_TOOL_RESULTS, JAILBREAK, SUPPORTING, Feature
from services.guardrail.domain.attack.matching import find
from services.guardrail.domain.attack.normal import Reading, normalise, readings
from services.guardrail.domain.attack.standing import Standing

WINDOW = 2_400
"""Bytes of text within which evidence adds up."""
MAX_TEXT = 1_000_000
"""Characters read; the caller reports longer texts as not evaluated."""
MAX_FEATURES = 8
"""Feature names in an explanation."""

THRESHOLDS = {"low": 0.75, "medium": 0.5, "high": 0.35}
"""Score from which a rule of that sensitivity fires."""

FAMILIES = (HIJACK, JAILBREAK, EXTRACTION)

_SUPPORT_ALONE = 0.25
"""What supporting features come to without any other."""
_WORDING = 0.3
"""How far the wording's log-odds move the features' log-odds."""
_AGAINST = 4.0
_FOR = 2.5
"""Bounds of the wording's log-odds."""
_BASE_RATE = 0.3
_CERTAIN = 0.995
_TOOL_POWER = 1.5
_ENCODED_POWER = 1.35


@dataclass(frozen=True, slots=True)
class Assessment:
    """`score` from 0 to 1; `features` by weight, names only; `span` in code points of the text; `family` it is of."""

    score: float
    features: tuple[str, ...]
    span: tuple[int, int]
    family: str = ""


@dataclass(frozen=True, slots=True)
class _Evidence:
    name: str
    family: str
    weight: float
    start: int
    end: int


def warm() -> None:
    """Builds what the first call would build: a second or two of work, once per process."""
    score("warm up", "")
    find(b"warm up")


NOTHING = Assessment(0.0, (), (0, 0))


def score(text: str, role: str = "", weights: linear.Weights | None = None) -> Assessment:
    """The assessment of one text of a message role. Time is linear in the text.

    `weights` stand in for the linear scorer's shipped ones.
    """
    if len(text) < 8:
        return NOTHING
    first = normalise(text)
    best = _assess(first, role, weights)
    for reading in readings(text, first.text):
        found = _assess(reading, role, weights)
        if found.score > best.score:
            best = found
    return best


def _assess(reading: Reading, role: str, weights: linear.Weights | None) -> Assessment:
    data = reading.text.encode("utf-8", "replace")
    evidence = _evidence(data, role)
    if not evidence:
        return NOTHING
    total, used = _strongest(evidence)
    if total > _SUPPORT_ALONE:
        total = _raised(total, role, reading)
        total = _combined(total, linear.evidence(data, weights))
    used = sorted(used, key=lambda one: (-one.weight, one.name))
    names = list(dict.fromkeys(one.name for one in used))[:MAX_FEATURES]
    if reading.how:
        names.append(f"encoded_{reading.how}")
    start = len(data[: min(one.start for one in used)].decode("utf-8", "ignore"))
    end = len(data[: max(one.end for one in used)].decode("utf-8", "ignore"))
    return Assessment(round(total, 4), tuple(names), reading.origin(start, max(end, start + 1)), _family(used))


def _raised(total: float, role: str, reading: Reading) -> float:
    """More in what a tool returned, and in what was hidden."""
    if role == "tool":
        total = 1 - (1 - total) ** _TOOL_POWER
    return 1 - (1 - total) ** _ENCODED_POWER if reading.how else total


def _combined(total: float, worded: float) -> float:
    """The features' strength with its odds moved by the wording's; wording alone never makes an attack."""
    strength = min(total, _CERTAIN)
    log_odds = math.log(strength / (1 - strength)) + _BASE_RATE + _WORDING * max(-_AGAINST, min(_FOR, worded))
    return 1 / (1 + math.exp(-log_odds))


def _evidence(data: bytes, role: str) -> list[_Evidence]:
    found = [pair for pair in find(data) if role == "tool" or pair[0].name not in IN_TOOL_RESULTS]
    if not found:
        return []
    standing = Standing(data)
    out = []
    for feature, (start, end) in found:
        weight = feature.weight * standing.factor(feature, start, end)
        out.append(_Evidence(_intent(feature), feature.family, weight, start, end))
    return sorted(out, key=lambda one: one.start)


def _intent(feature: Feature) -> str:
    """The feature's name without its language, so that one sentence counts once."""
    head, _, tail = feature.name.rpartition("_")
    return head if len(tail) == 2 and head in _LOCALISED else feature.name


def _kind(name: str) -> str:
    """What counts once: ways to say the same thing to the model are no separate evidence."""
    return name.split("_", 1)[0] if name.startswith(("override_", "extract_", "crime_", "new_")) else name


_LOCALISED = frozenset(
    (
        "override_instructions",
        "extract_prompt",
        "without_limits",
        "told_is_dropped",
        "only_these_words",
        "answers_as",
        "complies_with_all",
        "given_before",
        "verbatim",
        "secret_kept",
    )
)


def _strongest(evidence: Sequence[_Evidence]) -> tuple[float, list[_Evidence]]:
    """The window whose distinct features convince most."""
    best, chosen = 0.0, [evidence[0]]
    for index, one in enumerate(evidence):
        if index and evidence[index - 1].start == one.start:
            continue
        strongest: dict[str, _Evidence] = {}
        for other in evidence[index : index + 64]:
            if other.end > one.start + WINDOW:
                continue
            kept = strongest.get(_kind(other.name))
            if kept is None or other.weight > kept.weight:
                strongest[_kind(other.name)] = other
        left = 1.0
        for other in strongest.values():
            left *= 1 - other.weight
        if all(other.name in SUPPORTING for other in strongest.values()):
            left = max(left, 1 - _SUPPORT_ALONE)
        if 1 - left > best:
            best, chosen = 1 - left, list(strongest.values())
    return best, chosen


def _family(used: Sequence[_Evidence]) -> str:
    sums = dict.fromkeys(FAMILIES, 0.0)
    for one in used:
        sums[one.family] += one.weight
    return max(FAMILIES, key=lambda family: sums[family])
