"""What a call does, as parsing its arguments shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.firewall.domain.model import SemanticKind


@dataclass(frozen=True, slots=True)
class Actions:
    """`certain` was seen; `possible` holds that and what a doubt could hide."""

    certain: frozenset[SemanticKind] = frozenset()
    possible: frozenset[SemanticKind] = frozenset()


def actions_of(value: Any) -> Actions:
    """No argument is parsed yet, and no rule may ask: drafts refuse `semantic_match`."""
    return Actions()
