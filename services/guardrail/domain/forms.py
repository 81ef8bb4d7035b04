"""Finds the built-in entities whose forms are bounded shapes: number formats with validator and context.

An entity has one or more forms; its matches are the leftmost, longest ones over all forms, none overlapping
another. What a form finds at a position depends on the characters from 64 before it to its shape's longest match
and `LOOK_AHEAD` more: that is its fixed `max_match`, the same in whole texts and in streams.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import re2

from services.guardrail.domain.automaton import Trigger
from services.guardrail.domain.context import Context
from services.guardrail.domain.finders import Scan, quiet_options
from services.guardrail.domain.shapes import LOOK_AHEAD, Shape
from services.guardrail.domain.text import TextView

Region = tuple[int, int]
"""Shadow positions [from, to) at which a match may begin."""

Accept = Callable[[TextView, int, int], int | None]
"""(text, start, end of the shape, in shadow positions) → end of the accepted entity, or None."""


def latin1_options() -> re2.Options:
    """RE2 options of patterns over shadow bytes."""
    options = quiet_options()
    options.encoding = re2.Options.Encoding.LATIN1
    return options


@dataclass(frozen=True)
class Form:
    """One way an entity is written: its shape, what accepts it, and the context that it needs, if any."""

    shape: Shape
    accept: Accept
    context: Context | None = None

    @cached_property
    def trigger(self) -> Trigger:
        """What the automaton looks for: the rarer of the two, the context's words where they are needed."""
        if self.context is not None:
            return self.context.trigger
        shape = self.shape
        return Trigger(shape.trigger, shape.ignore_case, shape.trigger_longest)

    @cached_property
    def near(self) -> re.Pattern[bytes]:
        """Confirms a candidate on its window; shapes are bounded, so its time is too.

        On windows of some dozen bytes the standard library's engine is ten times faster to call than RE2.
        """
        return re.compile(self.shape.pattern.encode("ascii"), re.IGNORECASE if self.shape.ignore_case else 0)

    @cached_property
    def whole(self) -> re2._Regexp:
        """Reads a whole text in linear time."""
        pattern = f"(?i:{self.shape.pattern})" if self.shape.ignore_case else self.shape.pattern
        return re2.compile(pattern.encode("ascii"), latin1_options())

    def judge(self, view: TextView, start: int, end: int) -> int | None:
        """End of the entity that the shape's match [start, end) holds."""
        accepted = self.accept(view, start, end)
        if accepted is None or (self.context is not None and not self.context.holds(view, start)):
            return None
        return accepted


@dataclass(slots=True)
class _Walk:
    """One form on its way through one text."""

    form: Form
    view: TextView
    regions: Sequence[Region]
    near: bool
    index: int = 0
    found: Region | None = None
    seen: int = field(default=-1)

    def first(self, at: int) -> Region | None:
        """The form's first match that begins at or after `at`; `at` never falls."""
        if self.found is not None and self.found[0] >= at:
            return self.found
        if self.found is None and self.seen >= 0:
            return None
        self.seen = at
        self.found = self._search(at)
        return self.found

    def rest(self) -> Iterator[Region]:
        """All of the form's matches, none overlapping another: what `first` finds when no other form interferes."""
        form, view, data = self.form, self.view, self.view.shadow
        search, context, accept = (form.near if self.near else form.whole).search, form.context, form.accept
        reach = form.shape.longest + LOOK_AHEAD if self.near else len(data)
        at = 0
        for low, high in self.regions:
            if low > at:
                at = low
            while at < high:
                match = search(data, at, high + reach)
                if match is None:
                    break
                start = match.start()
                if start >= high:
                    break
                end = accept(view, start, match.end())
                if end is None or (context is not None and not context.holds(view, start)):
                    at = start + 1
                else:
                    yield start, end
                    at = end

    def _search(self, at: int) -> Region | None:
        data, longest = self.view.shadow, self.form.shape.longest + LOOK_AHEAD
        while self.index < len(self.regions):
            low, high = self.regions[self.index]
            at = max(at, low)
            while at < high:
                match = (
                    self.form.near.search(data, at, high + longest) if self.near else self.form.whole.search(data, at)
                )
                if match is None or match.start() >= high:
                    break
                start = match.start()
                end = self.form.judge(self.view, start, match.end())
                if end is not None:
                    return start, end
                at = start + 1
            self.index += 1
        return None


class FormFinder:
    """One entity of several forms; see `Finder` and `BuiltIn`."""

    def __init__(self, *forms: Form) -> None:
        self._forms = forms
        self.triggers: tuple[Trigger, ...] = tuple(form.trigger for form in forms)
        self.partials: tuple[str, ...] = tuple(form.shape.partial for form in forms)
        self.behinds: tuple[tuple[str, bool], ...] = tuple(
            (form.shape.behind, form.shape.ignore_case) for form in forms
        )
        self.longest = max(form.shape.longest for form in forms) + LOOK_AHEAD

    def find(self, view: TextView, cursor: int, final: bool) -> Scan:
        """Reads the whole text with the confirming patterns alone: the fallback, and the automaton's oracle."""
        size = len(view.shadow)
        low = view.to_shadow(cursor)
        hold = size if final else max(low, self.hold(view.shadow))
        walks = [_Walk(form, view, ((low, hold),), False) for form in self._forms]
        return self._scan(view, walks, cursor, low, hold)

    def find_near(self, view: TextView, cursor: int, hold: int, ends: Sequence[Sequence[int]]) -> Scan:
        """The same from candidates: `ends` per trigger; no match begins at or after shadow position `hold`."""
        low = view.to_shadow(cursor)
        hold = max(low, hold)
        walks = []
        for form, found in zip(self._forms, ends, strict=True):
            trigger = form.trigger
            regions = [(end - trigger.back, end + trigger.ahead + 1) for end in found]
            if form.context is not None:
                regions += form.context.elsewhere(view)
            if regions:
                walks.append(_Walk(form, view, _merged(regions, low, hold), True))
        return self._scan(view, walks, cursor, low, hold)

    def reads_elsewhere(self, view: TextView) -> bool:
        """True when a match is possible without a candidate: context words of other scripts."""
        return any(
            form.context is not None and next(form.context.elsewhere(view), None) is not None for form in self._forms
        )

    @staticmethod
    def _scan(view: TextView, walks: list[_Walk], cursor: int, at: int, hold: int) -> Scan:
        spans: list[tuple[int, int]] = []
        last_end = cursor
        if len(walks) == 1:
            spans = [view.span(*only) for only in walks[0].rest()]
            last_end = spans[-1][1] if spans else cursor
            walks = []
        while walks:
            found = [first for walk in walks if (first := walk.first(at)) is not None]
            if not found:
                break
            start, end = min(found, key=_leftmost_longest)
            if start >= hold:
                break
            spans.append(view.span(start, end))
            at, last_end = end, spans[-1][1]
        held = view.from_shadow(hold)
        return Scan(spans, max(last_end, held), held)

    @cached_property
    def _partial(self) -> re2._Regexp:
        return re2.compile(rf"(?:{'|'.join(self.partials)})\z".encode("ascii"), latin1_options())

    def hold(self, data: bytes) -> int:
        """See `BuiltIn`."""
        found = self._partial.search(data, max(0, len(data) - self.longest - 1))
        return len(data) if found is None else int(found.start())


def _leftmost_longest(span: Region) -> Region:
    return span[0], -span[1]


def _merged(regions: list[Region], low: int, high: int) -> list[Region]:
    """The regions' union within [low, high), by start."""
    merged: list[Region] = []
    last_start, last_end = 0, -1
    for start, end in sorted(regions):
        if start < low:
            start = low
        if end > high:
            end = high
        if start >= end:
            continue
        if start > last_end:
            if last_end >= 0:
                merged.append((last_start, last_end))
            last_start, last_end = start, end
        elif end > last_end:
            last_end = end
    if last_end >= 0:
        merged.append((last_start, last_end))
    return merged
