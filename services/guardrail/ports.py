"""What guardrail needs from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class NotEvaluated(Exception):
    """A rule could not be evaluated; `reason` is the stable word that results and events show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Question:
    """One text for a judge model, and on whose behalf."""

    workspace_id: str
    key_id: str
    request_id: str
    rule_id: str
    model: str
    rubric: str
    text: str


class JudgeModel(Protocol):
    """Asks a model. Raises NotEvaluated: `timeout`, `dependency_down`, `rate_limited`, `judge_refused`."""

    async def ask(self, question: Question, timeout_s: float) -> str:
        """The model's words."""


class Webhook(Protocol):
    """Asks an operator's webhook. Raises NotEvaluated: `timeout`, `dependency_down`, `address_refused`."""

    async def ask(self, url: str, secret: str, body: bytes, timeout_s: float) -> bytes:
        """The body of a 2xx answer."""


class RecordedMatches(Protocol):
    """Recorded events, as analytics keeps them. Raises Unavailable."""

    async def match(self, workspace_id: str, match_id: str) -> Mapping[str, Any] | None:
        """One row of the match feed; matched text is never part of it."""

    async def captures(self, workspace_id: str, since_us: int, cursor: str) -> tuple[Sequence[Mapping[str, Any]], str]:
        """A page of captured request bodies, oldest first, and where the next one begins (empty: no next)."""

    async def outcomes(self, workspace_id: str, since_us: int, most: int) -> tuple[Mapping[tuple[str, str], str], bool]:
        """What rules did then, by (request id, stage): `blocked`, `masked` or `flagged`; absent: nothing fired.
        Read from at most `most` matches, latest first; True when there are more."""

    async def request_count(self, workspace_id: str, since_us: int, most: int) -> int:
        """Requests since then, counted up to `most`."""
