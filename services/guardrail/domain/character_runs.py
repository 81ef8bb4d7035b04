"""Finds entities that are runs of characters around an anchor: e-mail addresses, URLs and tokens.

Under the contract of `finders`; time is linear, as each anchor reads at most its fixed longest match.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from services.guardrail.domain.automaton import Trigger
from services.guardrail.domain.finders import Scan
from services.guardrail.domain.guards import touches_tag
from services.guardrail.domain.shapes import Shape
from services.guardrail.domain.text import TextView

_LOCAL_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-\x81"
_ADDRESS_CHARS = _LOCAL_CHARS + b"@"
_DOMAIN = re.compile(rb"[A-Za-z0-9\x81.-]{3,254}")
_LABEL = re.compile(rb"[A-Za-z0-9\x81](?:[A-Za-z0-9\x81-]{0,61}[A-Za-z0-9\x81])?\Z")
_TOP_LEVEL = re.compile(rb"(?:[A-Za-z\x81]{2,24}|[Xx][Nn]--[A-Za-z0-9-]{2,59})\Z")
_NO_TOP_LEVEL = frozenset(
    b"png jpg jpeg gif svg webp ico bmp css js jsx tsx html htm json xml yaml yml toml txt log pdf csv exe dll jar war"
    b" class tar gz tgz zst whl deb rpm iso img bin bak tmp conf cfg ini lock service socket timer slice scope mount"
    b" target device path swap automount localdomain localhost".split()
)
"""Last labels that name files or units, none of which is a top-level domain."""

_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}")
_MAX_LOCAL = 64
_MAX_DOMAIN = 254
_AUTHORITY = re.compile(
    rb"://(?:[^\s/?#@<>\",;|')\\]{0,80}|[^\s/?#@<>\",;|')\\:]{0,64}:(?![0-9]{1,5}[,;|')\\])[^\s/?#@<>\"]{0,80})\Z"
)
"""A URL's user and password; what follows a host or port and a mark is another field."""

_NOT_A_PERSON = re.compile(rb"(?i)(?:message-id[\"']?\s?[:=]\s?[\"']?|msgid[=:]\s?|references:\s?)<?\Z")
_REMOTES = frozenset((b"git", b"hg", b"svn"))


class _AnchorFinder(ABC):
    """What both finders here share: the anchor says all that the automaton must know, and the text is read alone."""

    partials: tuple[str, ...] = ()
    behinds: tuple[tuple[str, bool], ...] = ()

    @abstractmethod
    def hold(self, data: bytes) -> int:
        """Where a match may begin that the text's end cuts off."""

    @abstractmethod
    def find_near(self, view: TextView, cursor: int, hold: int, ends: Sequence[Sequence[int]]) -> Scan:
        """Every match that begins before `hold`."""

    def reads_elsewhere(self, _view: TextView) -> bool:
        """See `BuiltIn`."""
        return False

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """See `Finder`."""
        hold = len(view.shadow) if final else self.hold(view.shadow)
        return self.find_near(view, cursor, hold, ())


class EmailFinder(_AnchorFinder):
    """Addresses around each `@`: at most 64 characters before it and 254 after it."""

    triggers: tuple[Trigger, ...] = (Trigger(r"[a-z0-9_%+'\x81-]@[a-z0-9\x81]", True, _MAX_LOCAL, 0),)
    longest = _MAX_LOCAL + 1 + _MAX_DOMAIN

    def hold(self, data: bytes) -> int:
        """Where an address may begin that the text's end cuts off."""
        return max(len(data.rstrip(_ADDRESS_CHARS)), len(data) - self.longest - 2)

    def find_near(self, view: TextView, cursor: int, hold: int, _ends: Sequence[Sequence[int]]) -> Scan:
        """Every address that begins before `hold`; the `@` is candidate enough."""
        data = view.shadow
        floor = view.to_shadow(cursor)
        hold = max(floor, hold)
        spans: list[tuple[int, int]] = []
        last_end = cursor
        at = data.find(b"@", floor)
        while at >= 0:
            start = _local_start(data, floor, at)
            if start >= hold:
                break
            end = _domain_end(data, at + 1) if start < at else None
            if end is not None and not _is_technical(data, start, at):
                spans.append(view.span(start, end))
                floor, last_end = end, spans[-1][1]
            at = data.find(b"@", max(at + 1, floor))
        held = view.from_shadow(hold)
        return Scan(spans, max(last_end, held), held)


def _local_start(data: bytes, floor: int, at: int) -> int:
    """Where the local part before the `@` at `at` begins; `at` when there is none."""
    low = max(floor, at - _MAX_LOCAL)
    start = low + len(data[low:at].rstrip(_LOCAL_CHARS))
    if start == at or data[at - 1] == 0x2E:
        return at
    doubled = data.rfind(b"..", start, at)
    start = doubled + 2 if doubled >= 0 else start
    while start < at and data[start] in b".%+'-":
        start += 3 if _ENCODED.match(data, start, at - 1) else 1
    return start


def _domain_end(data: bytes, start: int) -> int | None:
    """End of the longest plausible domain at `start`: two labels at least, the last one a top-level domain."""
    found = _DOMAIN.match(data, start)
    if found is None:
        return None
    labels: list[bytes] = []
    for label in found.group().split(b"."):
        if not _LABEL.match(label):
            # A hyphen that closes the last label belongs to the sentence, not to the domain.
            trimmed = label.rstrip(b"-")
            if trimmed and _LABEL.match(trimmed):
                labels.append(trimmed)
            break
        labels.append(label)
    while len(labels) > 1 and not _TOP_LEVEL.match(labels[-1]):
        labels.pop()
    if len(labels) < 2 or labels[-1].lower() in _NO_TOP_LEVEL:
        return None
    end = start + len(b".".join(labels))
    if data[end : end + 1] in (b"(", b"[") and len(labels[-1]) > 3:
        # A product of matrices and a call, such as `w@x.reshape(3)`.
        return None
    return end


def _is_technical(data: bytes, start: int, at: int) -> bool:
    """True for a password in a URL, a repository's remote, a message's id: written alike, but no address."""
    if data[start:at].lower() in _REMOTES or touches_tag(data, start, start):
        return True
    left = data[max(0, start - 96) : start]
    return _AUTHORITY.search(left) is not None or _NOT_A_PERSON.search(left) is not None


class RunFinder(_AnchorFinder):
    """A prefix and the run of characters after it, at most `longest` together; `accept` judges and trims."""

    def __init__(
        self, prefix: str, chars: bytes, longest: int, accept: Callable[[bytes, int, int], int | None]
    ) -> None:
        """`prefix` is a shape of at most 16 characters, all of them in `chars`."""
        shape = Shape(prefix, ignore_case=True)
        self.longest = longest
        self.triggers: tuple[Trigger, ...] = (Trigger(shape.trigger, True, shape.trigger_longest, 0),)
        self._chars, self._accept = chars, accept
        self._prefix = re.compile(prefix.encode("ascii"), re.IGNORECASE)
        self._cut = re.compile(rf"(?:{shape.partial})\Z".encode("ascii"))
        self._run = re.compile(b"[" + re.escape(chars) + b"]*")

    def hold(self, data: bytes) -> int:
        """Where a run may begin that the text's end cuts off."""
        size = len(data)
        run = max(len(data.rstrip(self._chars)), size - self.longest - 1)
        if run == size:
            return size
        found = self._prefix.search(data, run) or self._cut.search(data, max(run, size - 16))
        return size if found is None else found.start()

    def find_near(self, view: TextView, cursor: int, hold: int, _ends: Sequence[Sequence[int]]) -> Scan:
        """Every run that begins before `hold`."""
        data = view.shadow
        at = view.to_shadow(cursor)
        hold = max(at, hold)
        spans: list[tuple[int, int]] = []
        last_end = cursor
        run_end = 0
        while at < hold:
            prefix = self._prefix.search(data, at)
            if prefix is None or prefix.start() >= hold:
                break
            start = prefix.start()
            if start >= run_end:
                # One run is measured once, however many prefixes are in it.
                run = self._run.match(data, start)
                run_end = start if run is None else run.end()
            end = self._accept(data, start, min(run_end, start + self.longest))
            if end is None:
                at = start + 1
                continue
            spans.append(view.span(start, end))
            at, last_end = end, spans[-1][1]
        held = view.from_shadow(hold)
        return Scan(spans, max(last_end, held), held)
