"""Finds every anchor of the catalogue in one pass over a text.

Hyperscan does it where it is available; the RE2 engine behind the same interface is the fallback and the
oracle that tests compare it with. Both report every occurrence, overlapping ones included.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import re2

from services.guardrail.domain.secrets.detector import Anchor

Hit = tuple[int, int]
"""(end, anchor number): sorts by where the anchor ends."""


class AnchorScanner(Protocol):
    """Reports where anchors end."""

    def scan(self, data: bytes) -> list[Hit]:
        """Every occurrence of every anchor, by end."""


class Re2Scanner:
    """One linear pass per anchor, so a slow one."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        """Compiles; raises re2.error on a bad expression."""
        options = re2.Options()
        options.log_errors = False
        options.encoding = re2.Options.Encoding.LATIN1
        flags = ("(?s)", "(?is)")
        self._patterns = [re2.compile((flags[a.caseless] + a.expression).encode(), options) for a in anchors]

    def scan(self, data: bytes) -> list[Hit]:
        """See `AnchorScanner`."""
        hits: list[Hit] = []
        for number, pattern in enumerate(self._patterns):
            found = pattern.search(data)
            while found is not None:
                hits.append((found.end(), number))
                found = pattern.search(data, found.start() + 1)
        hits.sort()
        return hits


class HyperscanScanner:
    """All anchors in one automaton; each thread has its own scratch space, so scans run side by side."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        """Compiles; raises hyperscan.error on a bad expression."""
        import hyperscan

        self._hyperscan = hyperscan
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        flags = [hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if a.caseless else 0) for a in anchors]
        self._database.compile(
            expressions=[anchor.expression.encode() for anchor in anchors],
            ids=list(range(len(anchors))),
            elements=len(anchors),
            flags=flags,
        )
        self._local = threading.local()

    def scan(self, data: bytes) -> list[Hit]:
        """See `AnchorScanner`."""
        hits: list[Hit] = []
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = self._hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=_collect, context=hits, scratch=scratch)
        hits.sort()
        return hits


def _collect(number: int, _start: int, end: int, _flags: int, hits: Any) -> None:
    hits.append((end, number))


def scanner(anchors: Sequence[Anchor]) -> AnchorScanner:
    """The fastest engine there is on this machine."""
    try:
        return HyperscanScanner(anchors)
    except ImportError:
        return Re2Scanner(anchors)
