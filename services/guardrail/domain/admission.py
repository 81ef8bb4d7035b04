"""Which operator's pattern is accepted: RE2 syntax, bounded automaton, no empty match; a refusal says why."""

from __future__ import annotations

import re2

from services.guardrail.domain.finders import quiet_options

MAX_PATTERN = 2048
"""Characters of one pattern."""

_PROBES = ("", "a", "0", " a 0\n", "aA_0-.\té")
"""Texts on which a pattern that can match nothing at all gives itself away."""


def check_pattern(pattern: str) -> str | None:
    """Why the pattern is refused; None when it is accepted."""
    if not pattern:
        return "the pattern is empty"
    if len(pattern) > MAX_PATTERN:
        return f"the pattern is longer than {MAX_PATTERN} characters"
    try:
        compiled = re2.compile(pattern, quiet_options())
    except (re2.error, UnicodeError) as error:
        return f"not a linear-time (RE2) pattern: {_reason(error)}"
    for probe in _PROBES:
        found = compiled.search(probe.encode())
        if found is not None and found.end() == found.start():
            return "the pattern matches the empty text"
    return None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else "malformed"
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if "(?=" in text or "(?!" in text or "(?<" in text:
        return f"{text} (look-around is not available)"
    if "escape sequence" in text:
        return f"{text} (back-references are not available)"
    return text
