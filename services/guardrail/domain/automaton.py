"""One native automaton over many patterns: which of them may end where in a text.

Vectorscan in byte mode and block mode, ends only. It answers candidates, never matches: a superset of what the
confirming patterns find. Without the library, or on a text too dense in candidates, the answer is None and the
caller reads the whole text with its confirming patterns, with the same result.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.guardrail.domain.databases import database

try:
    import hyperscan
except ImportError:  # the wheel exists for the platforms we ship; elsewhere the confirming engine works alone
    hyperscan = None  # type: ignore[assignment]

MAX_CANDIDATES = 100_000
"""Candidates of one scan; a text with more is read by the confirming patterns alone."""

Candidates = dict[int, list[int]]
"""Pattern number → ends of its candidates, rising."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What the automaton looks for: a shape's prefix over shadow bytes, or context words over spelled-out ones.

    A match of what it stands for begins in [end − `back`, end + `ahead`] of some candidate's end.
    """

    pattern: str = ""
    ignore_case: bool = False
    back: int = 0
    ahead: int = 0
    words: tuple[str, ...] = ()
    """Literals in small letters, one space for each stretch between words; then there is no pattern."""


def available() -> bool:
    """True when the native library is there."""
    return hyperscan is not None


def _stop(number: int, _start: int, _end: int, _flags: int, found: list[int]) -> bool:
    found.append(number)
    return True


class Automaton:
    """Immutable; any number of threads may scan at once, each with its own scratch space."""

    def __init__(self, patterns: Sequence[tuple[str, bool]]) -> None:
        """`patterns` are (expression, ignore case); a pattern's number is its place."""
        self._database: Any = database(
            [pattern.encode("ascii") for pattern, _ in patterns],
            [hyperscan.HS_FLAG_CASELESS if ignore_case else 0 for _, ignore_case in patterns],
        )
        self._local = threading.local()

    def scan(self, data: bytes) -> Candidates | None:
        """Candidates by pattern; None when there are too many to be of use."""
        found: Candidates = {}
        count = 0

        def on_match(number: int, _start: int, end: int, _flags: int, _context: object) -> bool | None:
            nonlocal count
            count += 1
            ends = found.get(number)
            if ends is None:
                found[number] = [end]
            else:
                ends.append(end)
            return count > MAX_CANDIDATES or None

        try:
            self._database.scan(data, match_event_handler=on_match, scratch=self._scratch())
        except hyperscan.ScanTerminated:
            return None
        return found

    def any(self, data: bytes) -> bool:
        """Whether there is a candidate at all."""
        found: list[int] = []
        try:
            self._database.scan(data, match_event_handler=_stop, context=found, scratch=self._scratch())
        except hyperscan.ScanTerminated:
            return True
        return bool(found)

    def furthest(self, data: bytes, wanted: frozenset[int]) -> int:
        """The last end of a candidate of one of the patterns, which may be reported in any order; 0 without any."""
        last = 0

        def on_match(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            nonlocal last
            if end > last and number in wanted:
                last = end

        self._database.scan(data, match_event_handler=on_match, scratch=self._scratch())
        return last

    def _scratch(self) -> Any:
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch
