"""How many bytes of request bodies a process holds at once, in all and, where callers are known, of one of them.

Each body is bounded, their number is not: without this, whoever sends many large ones at once has the process killed
for everybody. Small bodies are not counted, so that they pass whatever else is held.
"""

from __future__ import annotations

from services.common.errors import TooMany, Unavailable

SMALL_BYTES = 64 * 1024
_RETRY_S = 1.0


class BodyRoom:
    """Room for bodies. Owned by one event loop."""

    def __init__(self, total: int, share: int | None = None, small: int = SMALL_BYTES) -> None:
        """Bounds in bytes; `share`: one caller's part, None: no caller has one."""
        self._total = total
        self._share = share
        self._small = small
        self._held = 0
        self._owners: dict[str, int] = {}

    def enter(self) -> HeldBody:
        """A body that has not come yet."""
        return HeldBody(self)

    def _change(self, owner: str, before: int, after: int) -> int:
        """Bytes counted for a body that grew to `after`. Raises TooMany, Unavailable with nothing changed."""
        counted = after if after > self._small else 0
        extra = counted - before
        if not extra:
            return before
        mine = self._owners.get(owner, 0) + extra
        if extra > 0 and self._share is not None and mine > self._share:
            raise TooMany("too many large requests at once", retry_after_s=_RETRY_S)
        if extra > 0 and self._held + extra > self._total:
            raise Unavailable("too many large requests are under way", retry_after_s=_RETRY_S)
        self._held += extra
        if mine:
            self._owners[owner] = mine
        else:
            del self._owners[owner]
        return counted


class HeldBody:
    """One body's bytes, from its first to the end of its request."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._owner = ""
        self._counted = 0

    def grow(self, owner: str, size: int) -> None:
        """The owner's body has `size` bytes now. Raises TooMany, Unavailable."""
        self._owner = owner
        self._counted = self._room._change(owner, self._counted, size)

    def release(self) -> None:
        """The request has ended. Idempotent."""
        self._counted = self._room._change(self._owner, self._counted, 0)
