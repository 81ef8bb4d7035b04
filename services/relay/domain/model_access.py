"""Whether a key may use a model. An enabled, empty list means no model at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def glob_matches(pattern: str, model_id: str) -> bool:
    """`*` stands for any text, everything else for itself; case-sensitive, the whole id."""
    if "*" not in pattern:
        return pattern == model_id
    return _compiled(pattern).fullmatch(model_id) is not None


def model_allowed(limits_enabled: bool, limits: Sequence[str], model_id: str) -> bool:
    """The key's `model_limits` admit this full model id."""
    return not limits_enabled or any(glob_matches(pattern, model_id) for pattern in limits)
