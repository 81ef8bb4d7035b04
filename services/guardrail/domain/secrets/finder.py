"""The catalogue as one finder: anchors in one pass, confirmations on bounded windows, the most specific stands.

Exact on streams: a credential holds no white space (private keys apart, which say themselves whether they are
complete), so it is decided once white space or `max_match` more bytes follow, and where it stands is all that
later text could change. Each finding depends on at most `LOOK_BACK` code points before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from services.guardrail.domain.finders import Label, Scan
from services.guardrail.domain.secrets import (
    assignments,
    automaton,
    cloud,
    code_hosts,
    platforms,
    records,
    saas,
    services,
    structured,
)
from services.guardrail.domain.secrets.detector import BEFORE, CONTEXT, Anchor, Detector
from services.guardrail.domain.text import TextView

LOOK_BACK = CONTEXT + 2 * BEFORE
"""Code points before a credential that may matter: its context, a name's beginning, what it may lie within."""

CATALOGUE: tuple[Detector, ...] = (
    *code_hosts.ROWS,
    *services.ROWS,
    *cloud.ROWS,
    *saas.ROWS,
    *platforms.ROWS,
    *structured.ROWS,
    *records.ROWS,
    *assignments.ROWS,
)
NAMES: tuple[str, ...] = tuple(row.name for row in CATALOGUE)
TAGS = frozenset(row.tag for row in CATALOGUE)

_KEY_LINE = b"-----BEGIN "
_WHITE = b" \t\n\r\x0b\x0c\x00"

_NOT_WHITE = bytes(byte for byte in range(256) if byte not in _WHITE)
_BLANKS = tuple(bytes([byte]) for byte in _WHITE)

Candidate = tuple[int, int, int, int]
"""(start, end, rank, catalogue place)"""


@cache
def _anchors() -> tuple[tuple[Anchor, ...], tuple[tuple[int, ...], ...]]:
    """Every anchor once, and the catalogue places that it leads to."""
    places: dict[Anchor, list[int]] = {}
    for place, row in enumerate(CATALOGUE):
        for anchor in row.anchors:
            places.setdefault(anchor, []).append(place)
    return tuple(places), tuple(tuple(dict.fromkeys(value)) for value in places.values())


def anchors() -> tuple[Anchor, ...]:
    """Every anchor of the catalogue, in the order of the numbers that scanners report."""
    return _anchors()[0]


@cache
def shared_scanner() -> automaton.AnchorScanner:
    """The process's one automaton, compiled on first use."""
    return automaton.scanner(_anchors()[0])


def warm() -> None:
    """Compiles the automaton, some 100 ms of work, once per process."""
    shared_scanner()


class SecretsFinder:
    """Finds the credentials of some of the catalogue's detectors."""

    def __init__(self, names: Iterable[str] = NAMES, scanner: automaton.AnchorScanner | None = None) -> None:
        """`names` are detectors of the catalogue; raises KeyError for others."""
        wanted = {_PLACE[name] for name in names}
        anchors, places = _anchors()
        self._scanner = scanner or shared_scanner()
        self._widths = [anchor.width for anchor in anchors]
        self._widest = max(self._widths) + 1
        self._reach = LOOK_BACK + self._widest
        self._rows = [tuple(place for place in group if place in wanted) for group in places]
        self._labels = [Label(row.name, row.tag, order) for order, row in enumerate(CATALOGUE)]

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """See `Finder`; each span has its label."""
        data = view.plain
        size = len(data)
        start_at = view.to_shadow(cursor)
        first = max(0, start_at - self._reach)
        hits = self._scanner.scan(data[first:] if first else data)
        hold = size if final else max(start_at, self._tail(data))
        if not hits:
            held = view.from_shadow(hold)
            return Scan([], held, held, [])
        places = [(first + end - self._widths[number], first + end, number) for end, number in hits]
        if not final:
            hold = max(start_at, min(hold, self._undecided(data, places)))
        found = self._candidates(data, places)
        if not final:
            hold = max(start_at, _settled(found, hold))
        kept = _resolve(found, start_at, hold)
        held = view.from_shadow(hold)
        spans = [view.span(start, end) for start, end, _, _ in kept]
        return Scan(spans, held, held, [self._labels[place] for _, _, _, place in kept])

    def quiet_hold(self, text: str, undecided: int) -> int | None:
        """Where an anchor may still be incomplete in a text without any that could matter from `undecided` on.

        None when there is one, or a character outside ASCII.
        """
        near = text[max(0, undecided - self._reach) :]
        if not near.isascii():
            return None
        data = near.encode("ascii")
        if self._scanner.scan(data):
            return None
        return len(text) - len(data) + self._tail(data)

    def _tail(self, data: bytes) -> int:
        """From where an anchor may still be incomplete: the last run, or a private key's first line."""
        floor = max(0, len(data) - self._widest)
        opened = data.rfind(_KEY_LINE, floor)
        if opened >= 0 and data.find(b"-----", opened + len(_KEY_LINE)) < 0:
            return opened
        return max(floor, len(data.rstrip(_NOT_WHITE)))

    def _undecided(self, data: bytes, places: Sequence[tuple[int, int, int]]) -> int:
        """The first position at which text to come may complete or undo a finding."""
        size = len(data)
        run = max(data.rfind(blank) for blank in _BLANKS) + 1
        earliest = size
        for start, end, number in places:
            for place in self._rows[number]:
                row = CATALOGUE[place]
                if row.pending is not None:
                    if row.pending(data, start, end):
                        earliest = min(earliest, start)
                elif row.announced:
                    if size <= end + CONTEXT + row.max_match:
                        earliest = min(earliest, max(run, end))
                elif start >= run and size <= start + row.max_match:
                    earliest = min(earliest, start)
        return earliest

    def _candidates(self, data: bytes, places: Sequence[tuple[int, int, int]]) -> list[Candidate]:
        found: set[Candidate] = set()
        for start, end, number in places:
            for place in self._rows[number]:
                row = CATALOGUE[place]
                span = row.locate(data, start, end)
                if span is not None:
                    found.add((*span, row.rank, place))
        return sorted(found)


_PLACE = {name: place for place, name in enumerate(NAMES)}


def _settled(found: Sequence[Candidate], hold: int) -> int:
    """`hold`, moved left past every finding that something undecided may still override."""
    for start, end, rank, _ in reversed(found):
        if rank and start < hold < end:
            hold = start
    return hold


def _resolve(found: Sequence[Candidate], start_at: int, hold: int) -> list[Candidate]:
    """Candidates within bounds that no more specific one, begun at most `BEFORE` earlier, overlaps."""
    kept = []
    for index, one in enumerate(found):
        start, end, _, _ = one
        if start < start_at or start >= hold:
            continue
        if not any(_beats(other, one) for other in _near(found, index, start, end)):
            kept.append(one)
    return kept


def _near(found: Sequence[Candidate], index: int, start: int, end: int) -> Iterable[Candidate]:
    """Other candidates that overlap [start, end) and begin at most `BEFORE` before it."""
    at = index - 1
    while at >= 0 and found[at][0] >= start - BEFORE:
        if found[at][1] > start:
            yield found[at]
        at -= 1
    at = index + 1
    while at < len(found) and found[at][0] < end:
        yield found[at]
        at += 1


def _beats(other: Candidate, one: Candidate) -> bool:
    """A lower rank wins; of equals at one place the longer, then the one listed first."""
    if other[2] != one[2]:
        return other[2] < one[2]
    return other[0] == one[0] and (-other[1], other[3]) < (-one[1], one[3])
