"""Spares work: asks the process's automata once per text which built-in finders have a candidate at all.

The catalogue's automata are compiled once per process (`warm`), the words of context apart from the shapes, as
literals over the spelled-out text; every policy picks its own from the answer. A gate also knows, in one look,
from where on a growing text is undecided for any of its finders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

import re2

from services.guardrail.domain import automaton, entities, phones
from services.guardrail.domain.automaton import Automaton, Trigger
from services.guardrail.domain.context import CONTEXT
from services.guardrail.domain.finders import BuiltIn
from services.guardrail.domain.forms import latin1_options
from services.guardrail.domain.text import TextView

Ends = list[Sequence[int]]
"""Candidates' ends of one finder, per trigger."""

_Users = dict[int, list[tuple[int, int]]]
"""The automaton's pattern → (watch, trigger's place) of those that asked for it."""

_NOTHING: Mapping[int, Ends] = MappingProxyType({})
_CLUES = (
    r"[0-9@]|://|[Ww][Ww][Ww][.]|[Ee][Yy][Jj]|[Ss][Kk]-|[A-Z]{4}|[0-9A-Fa-f]{2}[:\-]|[0-9A-Fa-f]{4}[.]",
    "[0-9+(:@/]|[A-Z]{3}",
)
"""What every match of every built-in finder has in it, and what one may begin with besides the last word.

Text without the first kind holds no match, text without either is what most of most answers is.
"""

_OPENS = re.compile(rb"[0-9+(:@/]")
_SHORT_WORD, _MAX_WORDS = 4, 3
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MONTHS = frozenset(
    b"jan feb fev mar apr abr avr jun jul jui aug ago aou sep set oct okt ott out nov dec dez dic gen ene giu lug lut"
    b" kwi cze lip sie wrz paz lis gru sty may mai maj mag".split()
)
_LONGEST_WORD = 322
"""Held back of a word without an end; an address is no longer."""

_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.%'+-\x81"
_SPACED = re.compile(
    rb"(?:\b[A-Za-z]{1,3}[ \-]|\b(?i:jan|feb|fev|mar|ma|apr|abr|avr|jun|jul|jui|aug|ago|aou|sep|set|oct|okt|ott"
    rb"|out|nov|dec|dez|dic|gen|ene|giu|lug|lut|kwi|cze|lip|sie|wrz|paz|lis|gru|sty)[a-z]{0,7}\.? )[^ ]{0,3}\Z"
)


def _short_words(data: bytes, space: int) -> int:
    """Where the short words (or the month) before the last space begin, after which digits would be an identifier."""
    start = space + 1
    for _ in range(_MAX_WORDS):
        before = data.rfind(b" ", 0, space) + 1
        word = data[before:space]
        prefix = word.rstrip(_LETTERS + b".")
        letters = word[len(prefix) :]
        if not letters or (len(letters) > _SHORT_WORD and letters[:3].lower() not in _MONTHS):
            break
        start = before + len(prefix)
        if prefix or before == 0:
            break
        space = before - 1
    return start


@dataclass(frozen=True, slots=True)
class _Catalogue:
    shapes: Automaton
    words: Automaton
    clues: Automaton
    quiet: Automaton
    behinds: tuple[Automaton, Automaton]
    """Read backwards from a text's end; those that ignore case apart, as each kind compiles twice as fast alone."""
    behind_numbers: tuple[Mapping[str, int], Mapping[str, int]]
    shape_numbers: Mapping[Trigger, int]
    word_numbers: Mapping[str, int]


@cache
def _catalogue() -> _Catalogue:
    triggers = [trigger for name in entities.NAMES for trigger in entities.finder_of(name).triggers]
    shapes = list(dict.fromkeys(trigger for trigger in triggers if not trigger.words))
    words = sorted({word for trigger in triggers for word in trigger.words})
    behinds = sorted({behind for name in entities.NAMES for behind in entities.finder_of(name).behinds})
    cased, caseless = ([pattern for pattern, ignore in behinds if ignore is kind] for kind in (False, True))
    return _Catalogue(
        Automaton([(trigger.pattern, trigger.ignore_case) for trigger in shapes]),
        Automaton([(word, False) for word in words]),
        Automaton([(_CLUES[0], False)]),
        Automaton([("|".join(_CLUES), False)]),
        (Automaton([(pattern, False) for pattern in cased]), Automaton([(pattern, True) for pattern in caseless])),
        (
            {pattern: number for number, pattern in enumerate(cased)},
            {pattern: number for number, pattern in enumerate(caseless)},
        ),
        {trigger: number for number, trigger in enumerate(shapes)},
        {word: number for number, word in enumerate(words)},
    )


def warm() -> None:
    """Compiles the process's automata and numbering plans, about a second's work: at start-up, off the event loop."""
    phones.warm()
    if automaton.available():
        _catalogue()


class Gate:
    """The built-in finders of one policy; immutable, shared between threads."""

    def __init__(self, finders: Mapping[int, BuiltIn], *, native: bool = True) -> None:
        """`finders` by watch number; `native=False` reads with the confirming patterns alone."""
        self.finders = dict(finders)
        self._native = native and automaton.available() and bool(finders)
        self._shapes: _Users = {}
        self._words: _Users = {}
        if self._native:
            self._index()
        self._partials = sorted({partial for finder in self.finders.values() for partial in finder.partials})
        self._own = [finder for finder in self.finders.values() if not finder.partials]
        self._longest = max((finder.longest for finder in self.finders.values() if finder.partials), default=0) + 1

    def _index(self) -> None:
        catalogue = _catalogue()
        for number, finder in self.finders.items():
            for place, trigger in enumerate(finder.triggers):
                for word in trigger.words:
                    self._words.setdefault(catalogue.word_numbers[word], []).append((number, place))
                if not trigger.words:
                    self._shapes.setdefault(catalogue.shape_numbers[trigger], []).append((number, place))

    @cached_property
    def _partial(self) -> re2._Regexp:
        return re2.compile(rf"(?:{'|'.join(self._partials)})\z".encode("ascii"), latin1_options())

    @cached_property
    def _behinds(self) -> tuple[tuple[Automaton, frozenset[int]], ...]:
        catalogue = _catalogue()
        mine = {behind for finder in self.finders.values() for behind in finder.behinds}
        return tuple(
            (scanner, frozenset(numbers[pattern] for pattern, ignore in mine if ignore is kind))
            for scanner, numbers, kind in zip(catalogue.behinds, catalogue.behind_numbers, (False, True), strict=True)
        )

    def candidates(self, view: TextView, low: int, hold: int) -> Mapping[int, Ends] | None:
        """Candidates per watch of matches that begin at shadow position `low` or later, none for watches without.

        None when the whole text must be read. `hold`: where matches are undecided, so that none is asked for.
        """
        data = view.shadow
        if not self._native:
            return None
        catalogue = _catalogue()
        if low >= hold or not catalogue.clues.any(data[low:] if low else data):
            return _NOTHING
        found: dict[int, Ends] = {}
        # A shape is read from the character before it on, a word from the one before the context's begin.
        from_shape, from_word = max(0, low - 1), max(0, low - CONTEXT - 1)
        if not (
            self._collect(found, catalogue.shapes, data[from_shape:] if from_shape else data, self._shapes, from_shape)
            and self._collect(found, catalogue.words, view.words[from_word:], self._words, from_word - 1)
        ):
            return None
        if view.has_other_letters:
            for number, finder in self.finders.items():
                if number not in found and finder.reads_elsewhere(view):
                    found[number] = [()] * len(finder.triggers)
        return found

    def _collect(self, found: dict[int, Ends], scanner: Automaton, data: bytes, users: _Users, shift: int) -> bool:
        """Adds what a scanner finds, `shift` further right than it says; False when that is too much."""
        hits = scanner.scan(data) if users else {}
        if hits is None:
            return False
        for pattern, ends in hits.items():
            mine = users.get(pattern, ())
            shifted = [end + shift for end in ends] if mine and shift else ends
            for number, place in mine:
                self._add(found, number, place, shifted)
        return True

    def _add(self, found: dict[int, Ends], number: int, place: int, ends: Sequence[int]) -> None:
        mine = found.get(number)
        if mine is None:
            mine = found[number] = [()] * len(self.finders[number].triggers)
        mine[place] = [*mine[place], *ends] if mine[place] else ends

    def quiet_hold(self, data: bytes) -> int | None:
        """`hold` of a text without any clue, so without candidates; None when it has one, or is not read natively."""
        if not self._native or _catalogue().quiet.any(data):
            return None
        size = len(data)
        space = data.rfind(b" ", max(0, size - 4))
        if space >= 0:
            return _short_words(data, space)
        return max(0, size - _LONGEST_WORD, len(data.rstrip(_WORD)))

    def hold(self, data: bytes) -> int:
        """Shadow position from which on a match of any finder may begin that the text's end cuts off."""
        size = len(data)
        hold = size
        for finder in self._own:
            hold = min(hold, finder.hold(data))
        if not self._partials:
            return hold
        low = max(0, size - self._longest)
        if not _OPENS.search(data, low) and not _SPACED.search(data, max(0, size - 16)):
            # Without a digit or opening mark nearby only the last word can be the begin of anything.
            return min(hold, max(low, len(data.rstrip(_WORD))))
        if not self._native:
            found = self._partial.search(data, low)
            return hold if found is None else min(hold, int(found.start()))
        tail = data[low:][::-1]
        return min(hold, size - max(scanner.furthest(tail, wanted) for scanner, wanted in self._behinds if wanted))


def gated(finders: Iterable[tuple[int, object]]) -> dict[int, BuiltIn]:
    """Those of the numbered finders that a gate can spare work."""
    return {number: finder for number, finder in finders if isinstance(finder, BuiltIn)}
