"""Short ways to write catalogue rows."""

from __future__ import annotations

import re

from services.guardrail.domain.secrets.checks import is_random
from services.guardrail.domain.secrets.detector import (
    MAX_TOKEN,
    Anchor,
    Check,
    Detector,
    after_word,
    token_at,
)

GAP = (
    r"[\w.\- \t]{0,24}?[\"'`\]]{0,2}\)?[ \t]{0,6}(?:=>|:=|->|\|\||={1,3}|:|,|>|\bis\b|[ \t])"
    r"\s{0,8}(?:[\"'`(\[{=]|value|Bearer |Token |token |\\\"|f\"|b\"|[:=]|\s){0,8}"
)
"""Between a context word and its credential: the rest of a name, closing quotes, an assignment, an opening quote."""

_PART = re.compile(r"(\[(?:\\.|[^\]])+\]|\\.|[\w\-:/~%@#&;,'\"= ])(?:\{(\d+)(,\d*)?\})?(?![?*+])")
_MAX_LEAD = 14


def token(
    name: str, group: str, prefixes: str, body: str, form: str, check: Check | None = is_random, most: int = MAX_TOKEN
) -> Detector:
    """A token that begins with one of the space-separated literal `prefixes`, followed by `body`.

    Short prefixes take the first characters of the body into their anchor, so that ordinary words stop
    fewer times.
    """
    literals = prefixes.split(" ")
    anchors = tuple(Anchor(re.escape(literal) + (_lead(body) if len(literal) < 6 else "")) for literal in literals)
    pattern = "(?:" + "|".join(re.escape(literal) for literal in literals) + ")" + body
    return Detector(name, group, form, anchors, token_at(pattern, most, check), most)


def shaped(
    name: str, group: str, anchors: str, pattern: str, form: str, check: Check | None = is_random, most: int = MAX_TOKEN
) -> Detector:
    """A token that begins where one of the space-separated fixed-width anchor expressions does."""
    places = tuple(Anchor(expression) for expression in anchors.split(" "))
    return Detector(name, group, form, places, token_at(pattern, most, check), most)


def context(
    name: str, group: str, words: str, body: str, form: str, check: Check | None = is_random, most: int = MAX_TOKEN
) -> Detector:
    """A credential without a mark of its own, announced by one of the `|`-separated words."""
    literals = words.split("|")
    anchors = tuple(Anchor(re.escape(literal).replace(r"\-", "-"), caseless=True) for literal in literals)
    named = "(?:" + "|".join(re.escape(literal) for literal in literals) + ")"
    pattern = f"(?i:{named}){GAP}({body})"
    return Detector(name, group, form, anchors, after_word(pattern, most, check), most, announced=True)


def _lead(body: str) -> str:
    """The fixed-width beginning of a body, at most `_MAX_LEAD` wide."""
    out, width, at = "", 0, 0
    while width < _MAX_LEAD:
        part = _PART.match(body, at)
        if part is None:
            break
        count = min(int(part.group(2) or 1), _MAX_LEAD - width)
        if count:
            out += part.group(1) + (f"{{{count}}}" if count > 1 else "")
        width, at = width + count, part.end()
        if part.group(3):
            break
    return out
