"""Expansions whose outcome is a matter of text alone: slices and replacements, braces, `$'…'` escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.firewall.domain.places import UNKNOWN

PIECE_MAX = 8_192
"""Characters parsed at once."""
_SIMPLE_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}
_ANSI = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_LIST_COMMAND = re.compile(r"(^|[;&|(]\s*)\{([\w./-]+(?:,[^\s{},;|&]*)+)\}")
_BRACES = re.compile(r"^(.*?)\{([^{}]*,[^{}]*)\}(.*)$", re.DOTALL)


def sliced(value: str, rest: str) -> str:
    """`${name…}` with what follows the name; UNKNOWN where a pattern decides."""
    cut = re.match(r"^:\s*(-?\d+)(?::\s*(-?\d+))?$", rest)
    if cut is not None:
        start = int(cut[1])
        end = None if cut[2] is None else (start + int(cut[2]) if int(cut[2]) >= 0 else int(cut[2]))
        return value[start:end]
    swap = re.match(r"^(//?)((?:\\.|[^/])*)(?:/(.*))?$", rest, re.DOTALL)
    if swap is not None:
        return value.replace(swap[2], swap[3] or "", -1 if swap[1] == "//" else 1)
    if rest in ("^^", "^"):
        return value.upper()
    if rest in (",,", ","):
        return value.lower()
    if rest[0] in "#%" and not re.search(r"[*?\[]", rest):
        part = rest.lstrip("#%")
        return value.removeprefix(part) if rest[0] == "#" else value.removesuffix(part)
    # A trimmed blank is still a blank: `${IFS%??}`.
    return " " if value == " " else UNKNOWN if re.search(r"[*?\[]", rest) and value != " " else value


def braced(text: str, depth: int) -> Iterator[str]:
    """`{a,b}` as the words it makes, bounded."""
    match = _BRACES.match(text) if depth < 4 and "{" in text else None
    if match is None:
        yield text
        return
    for choice in match[2].split(",")[:16]:
        yield from braced(f"{match[1]}{choice}{match[3]}", depth + 1)


def unescape_ansi(text: str) -> str:
    """`$'…'` and `printf` escapes."""

    def one(match: re.Match[str]) -> str:
        if match[4]:
            return chr(int(match[4], 8) & 0xFF)
        digits = match[1] or match[2] or match[3]
        if digits:
            number = int(digits, 16)
            return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else UNKNOWN
        if match[5]:
            return chr(ord(match[5]) & 0x1F)
        return _SIMPLE_ESCAPES.get(match[6], match[6])

    return _ANSI.sub(one, text)


def pieces(text: str) -> Iterator[str]:
    """The text in parts that end where a line or a word does: recovering from errors takes time that grows with the
    square of the length, and tenants write the text."""
    at = 0
    while len(text) - at > PIECE_MAX:
        window = text[at : at + PIECE_MAX]
        end = max(window.rfind("\n"), 0) or max(window.rfind(" "), 0) or PIECE_MAX - 1
        yield window[: end + 1]
        at += end + 1
    yield text[at:]


def opened_lists(text: str) -> str:
    """`{rm,-rf,/}` is a command to a shell, though the grammar takes it for a broken block."""
    return _LIST_COMMAND.sub(lambda match: match[1] + match[2].replace(",", " "), text)
