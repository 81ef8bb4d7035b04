"""A text as the finders read it: mask tags blanked out, digits normalised, zero-width characters removed.

Each derived form maps back to code points of the original exactly. Normalisation is local: a character's
image depends on itself and, when it takes no room, on the run it stands in, so a stream sees the same as the whole.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

BLANK = "\x00"
"""Stands for each character of a mask tag, so that nothing matches inside or across one."""

MAX_IGNORABLE = 2
"""Zero-width characters removed in a row; more of them end a number."""

MAX_TAG = 34
"""Code points of the longest mask tag, brackets included."""

_TAG = re.compile(r"\[[A-Z][A-Z0-9_]{1,31}\]")
_PARTIAL_TAG = re.compile(r"\[(?:[A-Z][A-Z0-9_]{0,31})?\Z")
_CODE_POINT = re.compile(rb"\\u[0-9A-Fa-f]{0,4}")
MAX_ESCAPE = 6
"""Characters of the longest escape."""

_IGNORABLE = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff"
)
_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


def _blank_escape(found: re.Match[bytes]) -> bytes:
    return b"\\".ljust(len(found.group()))


def is_ignorable(char: str) -> bool:
    """True for characters that take no room on the page."""
    return char in _IGNORABLE


OTHER, LETTER = 0x80, 0x81
"""Shadow bytes of characters that are no way of writing an ASCII one; letters of spaced scripts are told apart."""

_REMOVED = 0xFF
_SPACED_SCRIPTS = 0x0E00
"""Letters below are of scripts that put spaces between words; beyond, a letter may touch a number."""

_CODES = 0x110000
_SPELLED = bytes(ord(chr(byte).lower()) if byte < 0x80 and chr(byte).isalnum() else ord(" ") for byte in range(256))


@cache
def _images() -> npt.NDArray[np.uint8]:
    """Shadow byte of every code point: the ASCII character it is a way of writing, where there is one."""
    table = np.full(_CODES, OTHER, np.uint8)
    table[:0x80] = np.arange(0x80)
    for code in range(0x80, 0x20000):
        char = chr(code)
        digit = unicodedata.decimal(char, None)
        if digit is not None:
            table[code] = ord("0") + digit
        elif unicodedata.category(char) == "Zs":
            table[code] = ord(" ")
        elif char.isalpha() and (code < _SPACED_SCRIPTS or 0x1E00 <= code < 0x2000):
            base = unicodedata.normalize("NFKD", char)[0]
            table[code] = ord(base) if base.isascii() and base.isalpha() else LETTER
    for code in range(0xFF01, 0xFF5F):
        table[code] = code - 0xFEE0
    for char in _DASHES:
        table[ord(char)] = ord("-")
    for char in _IGNORABLE:
        table[ord(char)] = _REMOVED
    return table


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
    def _normalised(self) -> tuple[bytes, npt.NDArray[np.intp] | None]:
        if self.is_ascii:
            return self.blanked.encode("ascii"), None
        codes = np.frombuffer(self.blanked.encode("utf-32-le", "surrogatepass"), np.uint32)
        image = _images()[codes]
        removed = np.flatnonzero(image == _REMOVED)
        if not removed.size:
            return image.tobytes(), None
        keep = np.ones(image.size, np.bool_)
        run, previous = 0, -2
        for at in removed.tolist():
            run = run + 1 if at == previous + 1 else 1
            previous = at
            keep[at] = run > MAX_IGNORABLE
        image[removed] = OTHER
        return image[keep].tobytes(), np.flatnonzero(keep)

    @property
    def plain(self) -> bytes:
        """The normalised text, one byte per character that takes room on the page."""
        return self._normalised[0]

    @cached_property
    def shadow(self) -> bytes:
        """The same with a blank for what an escape such as `\\n` or `\\u003c` has behind its backslash.

        Text quoted in JSON, code or logs is full of them, and their letters touch what follows. What a character is
        depends on those before it alone.
        """
        data = self.plain
        if b"\\" not in data:
            return data
        data = data.replace(b"\\n", b"\\ ").replace(b"\\r", b"\\ ").replace(b"\\t", b"\\ ")
        return _CODE_POINT.sub(_blank_escape, data) if b"\\u" in data else data

    @cached_property
    def words(self) -> bytes:
        """The shadow in small letters after a space, with a space for all that is no letter or digit."""
        return b" " + self.shadow.translate(_SPELLED)

    @cached_property
    def has_other_letters(self) -> bool:
        """True when the text has characters that the shadow does not spell in ASCII."""
        return not self.is_ascii and (bytes([LETTER]) in self.shadow or bytes([OTHER]) in self.shadow)

    def to_shadow(self, index: int) -> int:
        """First shadow position at or after original position `index`."""
        back = self._normalised[1]
        return index if back is None else int(np.searchsorted(back, index))

    def from_shadow(self, index: int) -> int:
        """Original position of shadow position `index`; the text's length at the shadow's end."""
        back = self._normalised[1]
        if back is None:
            return index
        return int(back[index]) if index < len(back) else len(self.text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original span of the non-empty shadow span."""
        back = self._normalised[1]
        return (start, end) if back is None else (int(back[start]), int(back[end - 1]) + 1)

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
