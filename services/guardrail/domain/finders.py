"""Finders: what one keyword list, pattern or entity finds in a text, whole or still growing.

The one rule that makes streams exact: a finder reports a match only when no continuation of the text can
change it, and says from where on it cannot know yet (`Scan.hold`). The whole-text scan is the same function
with `final=True`. Time is linear: every match is bounded by a fixed length. All matches are reported, however many:
what is not reported is not masked, and there are at most as many as the text has characters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import re2

from services.guardrail.domain.automaton import Trigger
from services.guardrail.domain.text import TextView


@dataclass(frozen=True, slots=True)
class Label:
    """The entity of one span of a finder that knows several, its mask tag and its place among them."""

    entity: str
    tag: str
    order: int


@dataclass(frozen=True, slots=True)
class Scan:
    """Decided spans (original code points, by start), and where the next scan goes on.

    `cursor`: no match may begin before it any more. `hold`: a match may still begin there or later.
    """

    spans: list[tuple[int, int]]
    cursor: int
    hold: int
    labels: list[Label] | None = None
    """One per span, from a finder that finds more than one entity."""


class Finder(Protocol):
    """Anything that finds spans under the contract of this module."""

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """Spans that begin at or after `cursor`; all of them when `final`, else the decided ones."""


@runtime_checkable
class BuiltIn(Finder, Protocol):
    """A finder that an automaton can spare work: without candidates it finds nothing."""

    triggers: tuple[Trigger, ...]
    """What the automaton looks for on its behalf."""
    partials: tuple[str, ...]
    """RE2 patterns over shadow bytes of what the end of a growing text may cut off; empty with an own `hold`."""
    behinds: tuple[tuple[str, bool], ...]
    """The same for an automaton that reads backwards from the end: (expression, ignore case)."""
    longest: int
    """Its `max_match`: characters of its longest match and look-ahead."""

    def find_near(self, view: TextView, cursor: int, hold: int, ends: Sequence[Sequence[int]]) -> Scan:
        """Spans from candidates' ends per trigger; none begins at or after shadow position `hold`."""

    def hold(self, data: bytes) -> int:
        """Shadow position from which on a match may begin that the text's end cuts off."""

    def reads_elsewhere(self, view: TextView) -> bool:
        """True when a match is possible without a candidate."""


class KeywordFinder:
    """Case-folded literals, every occurrence."""

    def __init__(self, terms: tuple[str, ...], whole_word: bool) -> None:
        """`terms` as written; `whole_word` asks for no word character on either side."""
        self._terms = sorted({term.casefold() for term in terms})
        self._whole_word = whole_word
        self._longest = max(map(len, self._terms))

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """See `Finder`."""
        folded, back = view.folded
        start_at = cursor if back is None else bisect_left(back, cursor)
        size = len(folded)
        hold = size if final else max(start_at, self._first_partial(folded, start_at))
        spans: list[tuple[int, int]] = []
        for term in self._terms:
            at = folded.find(term, start_at)
            while 0 <= at < hold:
                end = at + len(term)
                if not self._whole_word or _is_whole_word(folded, at, end):
                    spans.append((at, end) if back is None else (back[at], back[end - 1] + 1))
                at = folded.find(term, at + 1)
        spans.sort()
        held = hold if back is None else (back[hold] if hold < size else len(view.text))
        return Scan(spans, held, held)

    def _first_partial(self, folded: str, start_at: int) -> int:
        """First position from which some term still lacks characters (or its right neighbour)."""
        size = len(folded)
        first = max(start_at, size - self._longest)
        for at in range(first, size):
            tail = folded[at:]
            if any(term.startswith(tail) and (self._whole_word or len(term) > len(tail)) for term in self._terms):
                return at
        return size


def _is_whole_word(text: str, start: int, end: int) -> bool:
    before = start > 0 and _is_word(text[start - 1]) and _is_word(text[start])
    after = end < len(text) and _is_word(text[end]) and _is_word(text[end - 1])
    return not before and not after


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


class RegexFinder:
    """An operator's RE2 pattern; a match is at most `max_match` UTF-8 bytes long, leftmost first.

    What counts is the match anchored at each start within its window, so that neither the text's length nor
    its cuts change the result.
    """

    _BLOCK = 4

    def __init__(self, pattern: str, max_match: int, check: Callable[[str], bool] | None = None) -> None:
        """`pattern` has passed `admission.check_pattern`; `check` judges a match's text."""
        self._re = re2.compile(pattern, quiet_options())
        self._max = max_match
        self._check = check

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """See `Finder`."""
        size = len(view.text)
        hold = size if final else max(cursor, size - self._max - 1)
        to_byte, to_point = _offsets(view)
        at = to_byte(cursor)
        walls = [(to_byte(start), to_byte(end)) for start, end in view.barriers]
        limit = to_byte(hold)
        spans: list[tuple[int, int]] = []
        last_end = cursor
        while at < limit:
            found = self._next(view.utf8, at, limit, walls)
            if found is None:
                break
            start, at = found
            span = (to_point(start), to_point(at))
            if self._check is not None and not self._check(view.text[span[0] : span[1]]):
                at = start + 1
                continue
            spans.append(span)
            last_end = span[1]
        return Scan(spans, max(last_end, hold), hold)

    def _next(self, data: bytes, at: int, limit: int, walls: list[tuple[int, int]]) -> tuple[int, int] | None:
        """The first match that begins in [at, limit), as byte span; none reaches into a wall."""
        while at < limit:
            index = bisect_right(walls, at, key=_second)
            wall = walls[index][0] if index < len(walls) else len(data)
            if at >= wall and index < len(walls):
                at = walls[index][1]
                continue
            window = min(at + self._BLOCK * self._max, wall)
            found = self._re.search(data, at, window)
            start = window if found is None else found.start()
            settled = window if window == wall else window - self._max
            if found is None or start > settled:
                at = max(at + 1, settled)
                continue
            if start >= limit:
                return None
            exact = self._re.match(data, start, min(start + self._max, wall))
            if exact is not None and exact.end() > start:
                return start, exact.end()
            at = start + 1
        return None


def _second(pair: tuple[int, int]) -> int:
    return pair[1]


def _offsets(view: TextView) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """(code point → byte, byte → code point). Each is linear in total when called with rising arguments."""
    if view.is_ascii:
        return _same, _same
    return _ToByte(view.blanked), _ToPoint(view.utf8)


def _same(index: int) -> int:
    return index


class _ToByte:
    def __init__(self, text: str) -> None:
        self._text, self._point, self._byte = text, 0, 0

    def __call__(self, point: int) -> int:
        if point < self._point:
            return self._byte - len(self._text[point : self._point].encode("utf-8", "replace"))
        self._byte += len(self._text[self._point : point].encode("utf-8", "replace"))
        self._point = point
        return self._byte


class _ToPoint:
    def __init__(self, data: bytes) -> None:
        self._data, self._byte, self._point = data, 0, 0

    def __call__(self, byte: int) -> int:
        if byte < self._byte:
            return self._point - len(self._data[byte : self._byte].decode("utf-8", "ignore"))
        self._point += len(self._data[self._byte : byte].decode("utf-8", "ignore"))
        self._byte = byte
        return self._point


def quiet_options() -> re2.Options:
    """RE2 options of every pattern: UTF-8, 8 MiB of automaton, nothing written to standard error."""
    options = re2.Options()
    options.log_errors = False
    options.never_nl = False
    options.max_mem = 8 << 20
    return options
