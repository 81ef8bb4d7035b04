"""What the pipeline needs of a provider: send one body, read one answer, stop it at any time.

Failures say what is known of the money: `NotSent` means that nothing reached the provider; `Interrupted`
that the request was sent and its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

MAX_ANSWER_BYTES = 32 * 1024 * 1024


class NotSent(Exception):
    """The provider could not be reached; the message is safe to show."""


class Interrupted(Exception):
    """The answer did not come, or not whole. `timed_out` tells a time-out from a broken connection."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send: a channel's address and credential, and its bounds in seconds."""

    base_url: str
    api_key: str
    total_s: float
    idle_s: float


class Answer(Protocol):
    """One answer being received."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def event_stream(self) -> bool:
        """The body is an event stream."""

    async def read(self) -> bytes:
        """The whole body, at most MAX_ANSWER_BYTES. Raises Interrupted."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, at most MAX_ANSWER_BYTES in total. Raises Interrupted."""

    def abort(self) -> None:
        """Stops the call at once and frees its connection; idempotent, harmless after the end."""


class Upstream(Protocol):
    """Sends chat completions."""

    async def send(self, target: Target, body: bytes) -> Answer:
        """Status and headers have arrived when this returns. Raises NotSent or Interrupted."""

    async def close(self) -> None:
        """Closes idle connections."""
