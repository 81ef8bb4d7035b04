"""Provider usage: taken only when it is consistent. Negative, fractional or contradictory usage is no usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.relay.domain.worst_case import Usage

MAX_TOKENS = 2**40


def _count(source: Mapping[str, Any], name: str) -> int | None:
    """A token count; 0 when absent, None when it is not one."""
    value = source.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        return None
    return value


def _detail(usage: Mapping[str, Any], name: str, field: str) -> int | None:
    details = usage.get(name)
    if details is None:
        return 0
    return _count(details, field) if isinstance(details, Mapping) else None


def parse_usage(raw: Any) -> Usage | None:
    """Usage of a `usage` object, None when it is absent or not to be believed."""
    if not isinstance(raw, Mapping) or "prompt_tokens" not in raw:
        return None
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    total = _count(raw, "total_tokens")
    cached = _detail(raw, "prompt_tokens_details", "cached_tokens")
    reasoning = _detail(raw, "completion_tokens_details", "reasoning_tokens")
    if prompt is None or completion is None or total is None or cached is None or reasoning is None:
        return None
    if cached > prompt or reasoning > completion:
        return None
    if raw.get("total_tokens") is not None and total != prompt + completion:
        return None
    return Usage(prompt, completion, cached, reasoning)
