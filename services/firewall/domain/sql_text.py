"""SQL text to statements, under every reading a dialect gives its quotes and comments.

Nothing is judged here: a statement comes with a mask in which strings and quoted names are blank, so that a keyword
found in the mask is a keyword.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

STATEMENTS_MAX = 200
INJECTIONS_MAX = 3
_BREAKS_OUT = re.compile(r"(?<!')'(?!')[\s)]*;")

_EXECUTABLE = re.compile(r"/\*[!+M]!?\d*(.*?)\*/", re.DOTALL)
_OPENED = re.compile(r"/\*[!+M]!?\d*")
_PLAIN = re.compile(r"[^;'\"`\[\-#/$]+")
_DOLLAR = re.compile(r"\$(\w*)\$")


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` without comments, `mask` of the same length with quoted parts blank, `bodies` of dollar quotes."""

    text: str
    mask: str
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    backslash: bool
    bare_dashes: bool
    hash_comments: bool


def executable(text: str) -> str:
    """The text with comments that some database runs opened."""
    # Behind the last end of a comment none can close, and looking for it again and again would take for ever.
    head, end, tail = text.rpartition("*/")
    return _EXECUTABLE.sub(lambda match: f" {match[1]} ", head + end) + _OPENED.sub(" ", tail)


def statements(text: str) -> list[Statement]:
    """Every statement of every reading, each once; of a text that `executable` gave."""
    plain = text
    choices = itertools.product(
        (False, True) if "\\" in plain else (False,),
        (True, False) if re.search(r"--[^\s-]", plain) else (True,),
        (False, True) if "#" in plain else (False,),
    )
    found: dict[str, Statement] = {}
    for backslash, bare, hashes in choices:
        for item in _split(plain, _Reading(backslash, bare, hashes), 0):
            found.setdefault(item.text, item)
            if len(found) >= STATEMENTS_MAX:
                return list(found.values())
    for tail in _injected(plain):
        for item in _split(tail, _Reading(False, True, False), 0):
            found.setdefault(item.text, item)
    return list(found.values())[:STATEMENTS_MAX]


def _injected(text: str) -> Iterator[str]:
    """What follows a quote that closes somebody else's string and ends their statement; its own last string may end
    in theirs."""
    for count, match in enumerate(_BREAKS_OUT.finditer(text)):
        if count >= INJECTIONS_MAX:
            return
        tail = text[match.end() :]
        yield tail + "'" if tail.count("'") % 2 else tail


def _split(text: str, reading: _Reading, retries: int) -> Iterator[Statement]:
    parts: list[str] = []
    mask: list[str] = []
    bodies: list[str] = []
    at, end = 0, len(text)
    while at < end:
        run = _PLAIN.match(text, at)
        if run is not None:
            parts.append(run[0])
            mask.append(run[0])
            at = run.end()
            continue
        char = text[at]
        if char == ";":
            yield _statement(parts, mask, bodies)
            parts, mask, bodies = [], [], []
            at += 1
            continue
        stop = _quoted(text, at, reading) if char in "'\"`[" else None
        if stop == -1:
            # A quote that never closes: part of a larger text, such as an injected fragment. Read on without it.
            if retries < 3:
                yield from _split(text[:at] + " " + text[at + 1 :], reading, retries + 1)
            stop = end
        if stop is not None:
            parts.append(text[at:stop])
            mask.append(char + " " * (stop - at - 1))
            at = stop
            continue
        skipped = _comment(text, at, reading)
        if skipped:
            parts.append(" ")
            mask.append(" ")
            at = skipped
            continue
        dollar = _DOLLAR.match(text, at) if char == "$" else None
        if dollar is not None:
            close = text.find(dollar[0], dollar.end())
            stop = close if close >= 0 else end
            bodies.append(text[dollar.end() : stop])
            whole = text[at : stop + len(dollar[0])]
            parts.append(whole)
            mask.append(" " * len(whole))
            at += len(whole)
            continue
        parts.append(char)
        mask.append(char)
        at += 1
    yield _statement(parts, mask, bodies)


def _statement(parts: list[str], mask: list[str], bodies: list[str]) -> Statement:
    return Statement("".join(parts).strip(), "".join(mask).strip().upper(), tuple(bodies))


def _quoted(text: str, at: int, reading: _Reading) -> int | None:
    """Where the quoted part ends; None when none begins, -1 when it never ends."""
    char = text[at]
    if char == "[":
        # T-SQL names; an array index or a bracketed list is no quote.
        match = re.compile(r"\[[A-Za-z_][\w .-]*\]").match(text, at)
        return match.end() if match is not None else None
    index = at + 1
    while index < len(text):
        if text[index] == "\\" and reading.backslash:
            index += 2
            continue
        if text[index] == char:
            if text[index + 1 : index + 2] == char:
                index += 2
                continue
            return index + 1
        index += 1
    return -1


def _comment(text: str, at: int, reading: _Reading) -> int:
    """Where the comment that begins here ends; 0 when none does."""
    if text.startswith("--", at) and (reading.bare_dashes or text[at + 2 : at + 3].isspace() or at + 2 >= len(text)):
        end = text.find("\n", at)
        return end if end >= 0 else len(text)
    if text[at] == "#" and reading.hash_comments:
        end = text.find("\n", at)
        return end if end >= 0 else len(text)
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        return end + 2 if end >= 0 else len(text)
    return 0
