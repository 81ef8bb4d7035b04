"""What a credential detector is: where to look, what shape to accept, and what else must hold.

A detector never reads more than `CONTEXT` code points before the credential, one after it, and `max_match` of
it, so a finding depends on nothing farther away and streams decide as whole texts do. Times are linear: the
automaton reports where an anchor stands, and every confirmation looks at a bounded window.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import re2

CONTEXT = 48
"""From the beginning of a context word to the beginning of the credential it announces, at most."""

BEFORE = 16
"""Looked at before a context word."""

MAX_TOKEN = 256
"""Default `max_match`: bytes of a credential at most."""

Check = Callable[[bytes], bool]
"""Judges the credential's bytes."""

Locate = Callable[[bytes, int, int], tuple[int, int] | None]
"""(text, anchor start, anchor end) → span of the credential."""

Pending = Callable[[bytes, int, int], bool]
"""(text, anchor start, anchor end) → whether more text could still change what is found there."""

_CREDENTIAL = re.compile(rb"(?i)key|tok|secret|pass|pwd|auth|cred|\bpat\b|_pat|bearer|dsn|sid|ssws")
_COUNTED = re.compile(r"\[(?:\\.|[^\]])+\](?:\{(\d+)\})?|\\.|.")
_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_\x00")
_HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A fixed-width expression that stands where a credential, or the word announcing it, begins."""

    expression: str
    caseless: bool = False

    @property
    def width(self) -> int:
        """Bytes that the expression matches, always the same number."""
        return sum(int(part.group(1) or 1) for part in _COUNTED.finditer(self.expression))


@dataclass(frozen=True, slots=True)
class Detector:
    """One catalogue row. `name` is the finding's entity; `form` says what the provider publishes.

    `rank`: -1 for key blocks, 0 for a provider's own format, 1 for general structures, 2 for assignments judged
    by entropy; where findings overlap the lower rank stands. `announced`: the anchor is a context word, the
    credential follows. `pending` is there where a credential may hold white space.
    """

    name: str
    group: str
    form: str
    anchors: tuple[Anchor, ...]
    locate: Locate
    max_match: int = MAX_TOKEN
    rank: int = 0
    announced: bool = False
    pending: Pending | None = None

    @property
    def tag(self) -> str:
        """Mask tag."""
        return f"[{self.name.upper()}]"


def opens(data: bytes, start: int) -> bool:
    """True when a token may begin at `start`: no word character before it, bar the end of an escape."""
    if start == 0 or data[start - 1] not in _WORD:
        return True
    before = data[start - 1]
    if before in b"nrt" and start >= 2 and data[start - 2] == 0x5C:
        return True
    return start >= 3 and data[start - 3] == 0x25 and before in _HEX and data[start - 2] in _HEX


def closes(data: bytes, end: int) -> bool:
    """True when a token may end at `end`: no word character follows."""
    return end >= len(data) or data[end] not in _WORD


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re2._Regexp[str]:
    """The pattern over bytes, compiled on first use."""
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode(), options)


def token_at(pattern: str, max_match: int, check: Check | None) -> Locate:
    """Locates a token that begins with its anchor; group 1, if there is one, is the credential."""

    def locate(data: bytes, start: int, _end: int) -> tuple[int, int] | None:
        if not opens(data, start):
            return None
        found = compiled(pattern).match(data, start, start + max_match)
        if found is None:
            return None
        end: int = found.end()
        if not closes(data, end) or (check is not None and not check(data[start:end])):
            return None
        return start, end

    return locate


def after_word(pattern: str, max_match: int, check: Check | None) -> Locate:
    """Locates a credential (group 1) that follows its context word."""

    def locate(data: bytes, start: int, _end: int) -> tuple[int, int] | None:
        found = compiled(pattern).match(data, start, start + CONTEXT + max_match)
        if found is None:
            return None
        first, last = found.span(1)
        if first - start > CONTEXT or _CREDENTIAL.search(data, max(0, start - BEFORE), first) is None:
            return None
        if not opens(data, first) or not closes(data, last):
            return None
        if check is not None and not check(data[first:last]):
            return None
        return first, last

    return locate
