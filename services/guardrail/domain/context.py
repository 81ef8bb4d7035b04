"""Context words: what must stand before a number whose shape alone says little.

A word counts within `CONTEXT` characters before the match and none after it, whole, in any case; its parts may be
joined by any one character that is no letter or digit, or by none. A mask tag ends the context: a mask is shorter
than what it hides, and must not bring words into reach, nor make one whole that touched what it hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import product

from services.guardrail.domain.automaton import Trigger
from services.guardrail.domain.text import BLANK, TextView

CONTEXT = 48
"""Code points before a match in which a context word counts."""

_ENDINGS = ("", "s", "number", "no", "nr", "nummer")
"""What a word may end with and still be it: a plural, and names of fields such as `passportNumber`."""

_JOINED_SCRIPTS = "\u0590"
"""From Hebrew on, articles and possessives are written together with the word, or words with each other."""

_LONG_WORD, _MAX_ENDING = 5, 3
"""Greek and Cyrillic words of so many letters may have an ending of so many."""

_LETTER = re.compile(rb"[A-Za-z]")
_JOINT = re.compile("[^a-z0-9]+")


class Context:
    """Words of one entity. Latin ones are written without accents, as the shadow spells them."""

    def __init__(self, words: str) -> None:
        """`words` are separated by `|`; those of other scripts may stand among them."""
        parts = sorted(words.split("|"))
        self._latin = sorted({tuple(_JOINT.split(word.lower().strip("."))) for word in parts if word.isascii()})
        others = [word for word in parts if not word.isascii()]
        self._others = tuple(dict.fromkeys(form for word in others for form in (word, word.capitalize(), word.upper())))

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        words = "|".join("[^a-z0-9]?".join(parts) for parts in self._latin)
        return re.compile(
            f"(?<![a-z0-9\\x00])(?:{words})(?:{'|'.join(_ENDINGS)})(?![a-z0-9])".encode("ascii"), re.IGNORECASE
        )

    @cached_property
    def trigger(self) -> Trigger:
        """What the automaton looks for in place of the number: the words, as `TextView.words` spells them."""
        literals = [
            "".join(part + joint for part, joint in zip(parts, (*joints, ending), strict=True))
            for parts in self._latin
            for joints in product(("", " "), repeat=len(parts) - 1)
            for ending in _ENDINGS
        ]
        return Trigger(back=1, ahead=CONTEXT, words=tuple(sorted({f" {literal} " for literal in literals})))

    def holds(self, view: TextView, start: int) -> bool:
        """True when a word stands before shadow position `start`."""
        data = view.shadow
        low = max(0, start - CONTEXT)
        low = max(low, data.rfind(b"\x00", low, start) + 1)
        if _LETTER.search(data, low, start) and self._pattern.search(data, low, start):
            return True
        if not self._others or view.is_ascii:
            return False
        at = view.from_shadow(start)
        low = max(0, at - CONTEXT)
        low = max(low, view.blanked.rfind(BLANK, low, at) + 1)
        return any(
            _is_whole(view.blanked, word, hit) for word in self._others for hit in _all(view.blanked, word, low, at)
        )

    def elsewhere(self, view: TextView) -> Iterator[tuple[int, int]]:
        """Stretches of shadow positions in reach of words that the automaton does not see, as it reads bytes."""
        if not self._others or not view.has_other_letters:
            return
        for word in self._others:
            for found in _all(view.blanked, word, 0, len(view.blanked)):
                start = view.to_shadow(found)
                yield start, start + CONTEXT + 1


def _is_whole(text: str, word: str, found: int) -> bool:
    """Scripts whose words take endings or prefixes ask for less than whole ones; unspaced ones for nothing."""
    if word[0] >= _JOINED_SCRIPTS:
        return True
    end = found + len(word)
    rest = text[end : end + _MAX_ENDING + 1]
    ending = next((at for at, char in enumerate(rest) if not char.isalpha()), len(rest))
    before = text[max(0, found - 1) : found]
    return before != BLANK and not before.isalnum() and ending <= (_MAX_ENDING if len(word) >= _LONG_WORD else 0)


def _all(text: str, word: str, low: int, high: int) -> Iterator[int]:
    at = text.find(word, low, high)
    while at >= 0:
        yield at
        at = text.find(word, at + 1, high)
