"""Undoes disguises: look-alike letters, invisible characters, accents, digits for letters, letters set apart.

`normalise` maps back to the original's code points; further readings (leetspeak, decoded pieces) do not, they
stand for the stretch that they were read from.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from array import array
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import re2

MAX_READINGS = 12
"""Further readings of one text."""
MAX_DECODED = 4_096
"""Characters taken from one decoded piece."""

_INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufeff\uffa0"
)
_LOOK_ALIKES = dict(
    zip(
        "абвгеёзиіїјкмнорстухуԁԛѕһԝьαβγεηικνορτυχωϲϳıɡɑⅼℓ",
        "abbreezniijkmhopctyxydqshwbabyenikvoptuxwcjigall",
        strict=False,
    )
)
_TO_LATIN = str.maketrans(_LOOK_ALIKES)
_PIECES = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]")
_ASCII_LETTERS = re.compile(r"[a-z]")
_SIGNS = {
    "leet": re2.compile(r"[a-z][013457@$!|]+[a-z]"),
    "apart": re2.compile(r"(?:^|\s)\S(?:[ ._*/-]{1,2}\S){3,}[ ._*/-]"),
    "hex": re2.compile(r"[0-9a-f]{20}|(?:[0-9a-f]{2}[ :]){8}|\\x[0-9a-f]{2}"),
    "rot13": re2.compile(r"\b(?:gur|lbhe?|cebzcgf?|vtaber|vafgehpgvbaf?|flfgrz)\b"),
}
"""Cheap signs that a disguise is worth undoing, one linear pass each."""
_MIXED = re.compile(r"[^\W\d_]*[a-z][^\W\d_]*")
_LEET = str.maketrans("013457@$!|", "oieastasii")
_LEET_WORD = re.compile(r"(?<![\w@$])(?=[\w@$!|]*[a-z])(?=[a-z]*[013457@$!|]+[a-z])[a-z013457@$!|]{4,}")
_APART = re.compile(r"(?<!\w)(?:[^\W\d_][ .\-_*·/]{1,2}){4,}[^\W\d_](?!\w)")
_B64 = re.compile(r"[A-Za-z0-9+/_-]{16,8192}={0,2}")
_HEX = re.compile(r"(?:0x|\\x)?(?:[0-9a-fA-F]{2}[ :]?(?:\\x)?){12,4096}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}|[\w.+~-]){6,4096}")
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4}|&#\d{2,5};|&#x[0-9a-fA-F]{2,4};){4,2048}")
_COMMON = re.compile(r"(?i)\b(?:the|and|you|to|of|is|in|for|what|how|please|your|this|with|a)\b")
_ROT_COMMON = re.compile(
    r"(?i)\b(?:gur|naq|lbh|gb|bs|vf|va|sbe|jung|ubj|cyrnfr|lbhe|guvf|jvgu|vtaber|cerivbhf|flfgrz|cebzcg|nyy)\b"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text. `back` maps its code points to the original's; None: it stands for `span` whole."""

    text: str
    how: str
    back: array[int] | None
    span: tuple[int, int]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original the reading's [start, end) comes from."""
        if self.how:
            return self.span
        if self.back is None:
            return start, end
        return self.back[start], self.back[max(start, end - 1)] + 1


_MARKS = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033", '"'),
}


@lru_cache(maxsize=8192)
def _image(char: str) -> str:
    if char in _MARKS:
        return _MARKS[char]
    if char in _INVISIBLE or 0xE0000 <= ord(char) <= 0xE0FFF or 0xFE00 <= ord(char) <= 0xFE0F:
        return ""
    parts = unicodedata.normalize("NFKD", char)
    kept = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
    return unicodedata.normalize("NFC", kept).lower()


def plain(text: str) -> str:
    """The text as `normalise` writes it, for patterns that are to match it."""
    return "".join(map(_image, text))


def normalise(text: str) -> Reading:
    """Lower case, compatibility forms folded, accents and invisible characters gone, look-alikes read as Latin."""
    span = (0, len(text))
    if text.isascii():
        return Reading(text.lower(), "", None, span)
    out: list[str] = []
    back = array("q")
    for piece in _PIECES.finditer(text):
        at, run = piece.start(), piece.group()
        if run < "\x80":
            out.append(run.lower())
            back.extend(range(at, at + len(run)))
        else:
            image = _image(run)
            out.append(image)
            back.extend([at] * len(image))
    return Reading(_latin("".join(out)), "", back, span)


def _latin(text: str) -> str:
    """Look-alike letters inside words that have Latin letters too, read as these; not in texts of other scripts."""
    if _LOOK_ALIKES.keys().isdisjoint(text):
        return text
    letters = sum(map(str.isalpha, text))
    if len(_ASCII_LETTERS.findall(text)) * 4 < letters:
        return text
    return _MIXED.sub(lambda word: word.group().translate(_TO_LATIN), text)


def readings(text: str, plain_text: str) -> list[Reading]:
    """Other ways to read the text: tags, leetspeak, set-apart letters, one level of each common encoding."""
    whole = (0, len(text))
    found: list[Reading] = []
    data = plain_text.encode("utf-8", "replace")
    if not text.isascii():
        hidden = "".join(chr(ord(char) - 0xE0000) for char in text if 0xE0020 <= ord(char) <= 0xE007E)
        if hidden:
            found.append(Reading(hidden.lower(), "tag_characters", None, whole))
    if _shows("leet", data) and _LEET_WORD.search(plain_text):
        found.append(Reading(plain_text.translate(_LEET), "leetspeak", None, whole))
    if _shows("apart", data) and _APART.search(plain_text):
        joined = re.sub(
            r"(?<![^\W_][^\W_])(?<=[^\W_])[ .\-_*·/](?=[^\W_](?![^\W_]))", "", re.sub(r" {2,}", "\n", plain_text)
        )
        found.append(Reading(joined.replace("\n", " "), "spaced_letters", None, whole))
    for how, sign, pattern, decode in _DECODERS:
        if how == "hex" and not _shows("hex", data):
            continue
        if sign and not any(mark in text for mark in sign):
            continue
        for piece in pattern.finditer(text):
            if len(found) >= MAX_READINGS:
                return found
            decoded = decode(piece.group())
            if decoded is not None and _reads_as_text(decoded):
                shown = plain(decoded[:MAX_DECODED])
                found.append(Reading(shown, how, None, piece.span()))
    if _shows("rot13", data) and len(_ROT_COMMON.findall(text)) > len(_COMMON.findall(text)):
        found.append(Reading(codecs.encode(plain_text, "rot13"), "rot13", None, whole))
    return found[:MAX_READINGS]


def _shows(sign: str, data: bytes) -> bool:
    return _SIGNS[sign].search(data) is not None


def _reads_as_text(decoded: str) -> bool:
    letters = sum(char.isalpha() or char == " " for char in decoded)
    return len(decoded) >= 8 and " " in decoded.strip() and letters >= 0.8 * len(decoded) and decoded.isprintable()


def _base64(piece: str) -> str | None:
    body = piece.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        return raw.decode().replace("\n", " ").strip()
    except (binascii.Error, ValueError):
        return None


def _hex(piece: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ :]", "", piece)
    try:
        return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode().replace("\n", " ").strip()
    except ValueError:
        return None


def _percent(piece: str) -> str | None:
    return unquote(piece.replace("+", " "), errors="replace") if piece.count("%") >= 2 else None


def _escaped(piece: str) -> str:
    codes = re.findall(r"\\u([0-9a-fA-F]{4})|&#(\d+);|&#x([0-9a-fA-F]+);", piece)
    return "".join(chr(int(u or x, 16) if u or x else min(int(d), 0x10FFFF)) for u, d, x in codes)


_DECODERS = (
    ("base64", (), _B64, _base64),
    ("hex", (), _HEX, _hex),
    ("percent_encoding", ("%",), _PERCENT, _percent),
    ("escapes", ("\\u", "&#"), _ESCAPED, _escaped),
)
