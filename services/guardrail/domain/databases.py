"""Automata's databases, compiled once and kept: compiling all of them costs seconds of processor time, loading none.

Where they are kept is the process's to say (`keep_in`); without it each is compiled anew. What is loaded is what
would have been compiled: the key covers all expressions and flags, and the library refuses a database of another
version of itself or of another processor, which is then compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

try:
    import hyperscan
except ImportError:  # the wheel exists for the platforms we ship; elsewhere the confirming engines work alone
    hyperscan = None  # type: ignore[assignment]


class Store(Protocol):
    """Keeps bytes under a name. Never raises: what cannot be kept or read is not there."""

    def get(self, key: str) -> bytes | None:
        """What was kept, unharmed, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keeps it, if that is possible."""


_stores: list[Store] = []


def keep_in(store: Store | None) -> None:
    """From now on databases are kept there; None: nowhere."""
    _stores[:] = [] if store is None else [store]


def database(expressions: Sequence[bytes], flags: Sequence[int]) -> Any:
    """A block-mode database; an expression's number is its place. Raises hyperscan.error on a bad expression."""
    key = hashlib.sha256(repr((list(expressions), list(flags))).encode()).hexdigest()
    for store in _stores:
        kept = store.get(key)
        if kept is not None:
            try:
                return hyperscan.loadb(kept, mode=hyperscan.HS_MODE_BLOCK)
            except hyperscan.error:
                # Of another version or processor: compiled again, and kept in its place.
                pass
    made: Any = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    made.compile(
        expressions=list(expressions), ids=list(range(len(expressions))), flags=list(flags), elements=len(expressions)
    )
    for store in _stores:
        store.put(key, hyperscan.dumpb(made))
    return made
