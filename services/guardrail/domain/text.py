"""A text as the finders read it: mask tags blanked out, digits normalised, zero-width characters removed.

Each derived form maps back to code points of the original exactly. Normalisation is local: a character's
image depends on itself and on at most two neighbours before it, so a stream sees the same as the whole.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from functools import cached_property, lru_cache

import re2

BLANK = "\x00"
"""Stands for each character of a mask tag, so that nothing matches inside or across one."""

MAX_IGNORABLE = 2
"""Zero-width characters removed in a row; more of them end a number."""

MAX_TAG = 34
"""Code points of the longest mask tag, brackets included."""

_TAG = re.compile(r"\[[A-Z][A-Z0-9_]{1,31}\]")
_PARTIAL_TAG = re.compile(r"\[(?:[A-Z][A-Z0-9_]{0,31})?\Z")
_DIGIT = re.compile(rb"[0-9]")
_NUMBER = re2.compile(r"[0-9](?:[ \-./()]{0,2}[0-9]){6}")
_IGNORABLE = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff"
)
_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


def is_ignorable(char: str) -> bool:
    """True for characters that take no room on the page."""
    return char in _IGNORABLE


@lru_cache(maxsize=4096)
def _image(char: str) -> str:
    """The one ASCII character that `char` is a way of writing, else `char` itself."""
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    code = ord(char)
    if 0xFF01 <= code <= 0xFF5E:
        return chr(code - 0xFEE0)
    if char in _DASHES:
        return "-"
    return " " if unicodedata.category(char) == "Zs" else char


def partial_tag_start(text: str) -> int:
    """Where a mask tag that the text's end cuts off may begin; the text's length when none may."""
    at = text.rfind("[", max(0, len(text) - MAX_TAG))
    if at >= 0 and _PARTIAL_TAG.match(text, at):
        return at
    return len(text)


class TextView:
    """One text in the forms that finders need, each built at most once."""

    def __init__(self, text: str, tags: frozenset[str]) -> None:
        """`tags` are the mask tags that count as such; other bracketed words are plain text."""
        self.text = text
        self.barriers: tuple[tuple[int, int], ...] = ()
        if "[" in text:
            self.barriers = tuple(m.span() for m in _TAG.finditer(text) if m.group() in tags)
        self.blanked = self._blank() if self.barriers else text
        self.is_ascii = text.isascii()

    def _blank(self) -> str:
        pieces: list[str] = []
        at = 0
        for start, end in self.barriers:
            pieces += (self.text[at:start], BLANK * (end - start))
            at = end
        return "".join((*pieces, self.text[at:]))

    @cached_property
    def _normalised(self) -> tuple[str, array[int] | None]:
        if self.is_ascii:
            return self.blanked, None
        out: list[str] = []
        back = array("q")
        run = 0
        for index, char in enumerate(self.blanked):
            if char in _IGNORABLE:
                run += 1
                if run <= MAX_IGNORABLE:
                    continue
            else:
                run = 0
            out.append(char if char < "\x80" else _image(char))
            back.append(index)
        return "".join(out), back

    @property
    def shadow(self) -> str:
        """The normalised text."""
        return self._normalised[0]

    @cached_property
    def shadow_bytes(self) -> bytes:
        """The shadow with one byte per code point; what is not ASCII reads as `?`."""
        return self.shadow.encode("ascii", "replace")

    @cached_property
    def has_digit(self) -> bool:
        """True when a number may be found at all: the one cheap question before every numeric entity."""
        return _DIGIT.search(self.shadow_bytes) is not None

    @cached_property
    def has_number(self) -> bool:
        """True when seven digits stand close together: the one scan before phones, cards and SSNs."""
        return self.has_digit and _NUMBER.search(self.shadow_bytes) is not None

    @cached_property
    def has_dotted(self) -> bool:
        """True when an IPv4 address is possible."""
        return self.has_digit and self.shadow_bytes.count(b".") >= 3

    @cached_property
    def has_colon(self) -> bool:
        """True when an IPv6 address is possible."""
        return self.shadow_bytes.count(b":") >= 2

    def to_shadow(self, index: int) -> int:
        """First shadow position at or after original position `index`."""
        back = self._normalised[1]
        return index if back is None else bisect_left(back, index)

    def from_shadow(self, index: int) -> int:
        """Original position of shadow position `index`; the text's length at the shadow's end."""
        back = self._normalised[1]
        if back is None:
            return index
        return back[index] if index < len(back) else len(self.text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original span of the non-empty shadow span."""
        back = self._normalised[1]
        return (start, end) if back is None else (back[start], back[end - 1] + 1)

    @cached_property
    def folded(self) -> tuple[str, array[int] | None]:
        """Case-folded text and, where folding may change lengths, each character's original position."""
        if self.is_ascii:
            return self.blanked.lower(), None
        folded = self.blanked.casefold()
        if len(folded) == len(self.blanked) and not any(len(c.casefold()) != 1 for c in set(self.blanked)):
            return folded, None
        out: list[str] = []
        back = array("q")
        for index, char in enumerate(self.blanked):
            image = char.casefold()
            out.append(image)
            back.extend([index] * len(image))
        return "".join(out), back

    @cached_property
    def utf8(self) -> bytes:
        """The blanked text in UTF-8; lone surrogates, which cannot match, read as `?`."""
        return self.blanked.encode("utf-8", "replace")
