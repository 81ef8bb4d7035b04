"""What guardrail needs from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class KeyNames(Protocol):
    """Which relay keys name a guardrail. Raises Unavailable when auth cannot be asked: deleting then waits."""

    async def naming(self, workspace_id: str, guardrail_id: str) -> Sequence[tuple[str, str]]:
        """(key id, key name) of every living key."""
