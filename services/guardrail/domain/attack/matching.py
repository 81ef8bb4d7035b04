"""Finds features: one automaton pass finds where their parts end, RE2 confirms the whole on a bounded window.

A pattern is parts with gaps between (`[^…]{0,n}`). Bounded gaps inside an automaton multiply its states, so only
the parts are compiled into it; a window is looked at where the parts end in order, near enough to each other.
Time is linear: every pattern's length is bounded by `MAX_SPAN`, and a part's occurrences are capped.
"""

from __future__ import annotations

import itertools
import re
import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol

import re2

from services.guardrail.domain.attack.feature import Feature
from services.guardrail.domain.attack.features import all_features
from services.guardrail.domain.databases import database

MAX_HITS = 400
"""Occurrences of one part considered in one text."""
MAX_CONFIRMED = 16
"""Windows of one phrase looked at in one text."""
PART = 80
"""Bytes that a part is taken to have at most."""
MAX_SPAN = 640
"""Bytes that a feature covers at most."""

_GAP = re.compile(r"(\[\^(?:\\.|[^\]])+\])\{0,(\d+)\}\??")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way in which a feature is said: its parts in order, each with the gap before it."""

    feature: Feature
    pattern: str
    parts: tuple[int, ...]
    gaps: tuple[int, ...]


class PartScanner(Protocol):
    """Reports where parts end."""

    def scan(self, data: bytes) -> Mapping[int, Sequence[int]]:
        """Ends by part, rising."""


class HyperscanParts:
    """All parts in one automaton; each thread has its own scratch space."""

    def __init__(self, parts: Sequence[str]) -> None:
        """Compiles; raises hyperscan.error on a bad part."""
        import hyperscan

        self._hyperscan = hyperscan
        self._database = database([part.encode() for part in parts], [0] * len(parts))
        self._local = threading.local()

    def scan(self, data: bytes) -> Mapping[int, Sequence[int]]:
        """See `PartScanner`."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = self._hyperscan.Scratch(self._database)
        ends: dict[int, list[int]] = {}
        self._database.scan(data, match_event_handler=_collect, context=ends, scratch=scratch)
        return ends


def _collect(part: int, _start: int, end: int, _flags: int, ends: Any) -> None:
    seen = ends.setdefault(part, [])
    if len(seen) < MAX_HITS and (not seen or seen[-1] != end):
        seen.append(end)


class Re2Parts:
    """One linear pass per part; of overlapping occurrences it reports the first."""

    def __init__(self, parts: Sequence[str]) -> None:
        """Compiles; raises re2.error on a bad part."""
        self._patterns = [_compiled(part) for part in parts]

    def scan(self, data: bytes) -> Mapping[int, Sequence[int]]:
        """See `PartScanner`."""
        ends = {}
        for number, pattern in enumerate(self._patterns):
            seen = [found.end() for found in pattern.finditer(data)][:MAX_HITS]
            if seen:
                ends[number] = seen
        return ends


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re2._Regexp[str]:
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode(), options)


def _top_level(pattern: str) -> list[tuple[int, str]]:
    """(position, token) outside of groups and classes; a class or an escape is one token."""
    out, depth, at = [], 0, 0
    while at < len(pattern):
        start = at
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[":
            at = _class_end(pattern, at)
        depth += (pattern[start] == "(") - (pattern[start] == ")")
        at += 1
        if not depth:
            out.append((start, pattern[start:at]))
    return out


def _class_end(pattern: str, at: int) -> int:
    at += 2 + (pattern[at + 1] == "^")
    while pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at


def alternatives(pattern: str) -> list[str]:
    """The pattern's top-level alternatives."""
    bars = [at for at, text in _top_level(pattern) if text == "|"]
    edges = [-1, *bars, len(pattern)]
    return [pattern[left + 1 : right] for left, right in itertools.pairwise(edges)]


def split(pattern: str) -> tuple[list[str], list[int]]:
    """The parts of one alternative, and the gap before each."""
    parts, gaps, start = [], [0], 0
    for at, token in _top_level(pattern):
        found = _GAP.match(pattern, at) if token.startswith("[^") else None
        if found is not None:
            parts.append(pattern[start:at])
            gaps.append(int(found.group(2)))
            start = found.end()
    parts.append(pattern[start:])
    if not parts[-1]:
        parts.pop()
        gaps.pop()
    return parts, gaps


@cache
def _phrases() -> tuple[tuple[str, ...], tuple[Phrase, ...]]:
    """The distinct parts, and every feature's phrases."""
    numbers: dict[str, int] = {}
    phrases = []
    for feature in all_features():
        for pattern in alternatives(feature.pattern):
            parts, gaps = split(pattern)
            placed = tuple(numbers.setdefault(part, len(numbers)) for part in parts)
            phrases.append(Phrase(feature, pattern, placed, tuple(gaps)))
    return tuple(numbers), tuple(phrases)


def parts() -> tuple[str, ...]:
    """Every part, in the order of the numbers that scanners report."""
    return _phrases()[0]


@cache
def _by_key() -> Mapping[int, tuple[int, ...]]:
    """Numbers of the phrases by their rarest part, so that a text is asked only about phrases it may hold."""
    phrases = _phrases()[1]
    uses = Counter(part for phrase in phrases for part in set(phrase.parts))
    keyed: dict[int, list[int]] = {}
    for number, phrase in enumerate(phrases):
        keyed.setdefault(min(phrase.parts, key=lambda part: uses[part]), []).append(number)
    return {part: tuple(numbers) for part, numbers in keyed.items()}


@cache
def shared_scanner() -> PartScanner:
    """The process's one automaton, compiled on first use."""
    try:
        return HyperscanParts(parts())
    except ImportError:
        return Re2Parts(parts())


def find(data: bytes, scanner: PartScanner | None = None) -> list[tuple[Feature, Span]]:
    """Features said in a normalised UTF-8 text, each with where."""
    ends = (scanner or shared_scanner()).scan(data)
    found: list[tuple[Feature, Span]] = []
    if not ends:
        return found
    phrases, keyed = _phrases()[1], _by_key()
    for number in sorted(number for part in ends for number in keyed.get(part, ())):
        phrase = phrases[number]
        if all(part in ends for part in phrase.parts):
            found.extend((phrase.feature, span) for span in _confirmed(data, ends, phrase))
    return found


def _confirmed(data: bytes, ends: Mapping[int, Sequence[int]], phrase: Phrase) -> list[Span]:
    spans: list[Span] = []
    pattern = _compiled(phrase.pattern)
    looked, done = 0, 0
    for end in ends[phrase.parts[0]]:
        if end <= done or looked >= MAX_CONFIRMED:
            continue
        last = _reach(ends, phrase, end)
        if last is None:
            continue
        looked += 1
        first = max(done, end - PART)
        found = pattern.search(data, first, min(len(data), first + MAX_SPAN, last + PART))
        if found is not None:
            spans.append(found.span())
            done = found.end()
    return spans


def _reach(ends: Mapping[int, Sequence[int]], phrase: Phrase, end: int) -> int | None:
    """The farthest end of the last part such that every part ends near enough to one before; None: there is none."""
    reached = [end]
    for part, gap in zip(phrase.parts[1:], phrase.gaps[1:], strict=True):
        near = ends[part]
        first = bisect_left(near, reached[0])
        last = bisect_right(near, reached[-1] + gap + PART)
        reached = list(near[first:last])
        if not reached:
            return None
    return reached[-1]
