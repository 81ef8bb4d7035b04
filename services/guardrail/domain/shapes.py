"""The shapes of built-in entities: a small, bounded subset of regular expressions and what is derived from it.

Subset: ASCII literals and escapes, classes, `(?:…)`, `|`, `?`, `{m}`, `{m,n}`, `\\b`. Nothing is unbounded, so each
shape has a longest match. Derived are the shortest prefix an automaton looks for (`trigger`) and the pattern of
what the end of a growing text may cut off (`partial`), which is what makes streams exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

LOOK_AHEAD = 2
"""Characters after a match that a validator may look at."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """One character; empty: a word boundary."""

    text: str

    @property
    def pattern(self) -> str:
        return self.text or r"\b"

    @property
    def width(self) -> int:
        return 1 if self.text else 0


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Node
    low: int
    high: int

    @property
    def pattern(self) -> str:
        if (self.low, self.high) == (1, 1):
            return self.item.pattern
        inner = self.item.pattern if isinstance(self.item, _Atom) else f"(?:{self.item.pattern})"
        count = f"{{{self.low},{self.high}}}" if self.low != self.high else f"{{{self.low}}}"
        return f"{inner}{count}" if self.high else ""

    @property
    def width(self) -> int:
        return self.item.width * self.high


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: tuple[_Node, ...]

    @property
    def pattern(self) -> str:
        return "".join(f"(?:{i.pattern})" if isinstance(i, _Choice) else i.pattern for i in self.items)

    @property
    def width(self) -> int:
        return sum(item.width for item in self.items)


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[_Sequence, ...]

    @property
    def pattern(self) -> str:
        return "|".join(option.pattern for option in self.options)

    @property
    def width(self) -> int:
        return max(option.width for option in self.options)


_Node = _Atom | _Repeat | _Sequence | _Choice


class Shape:
    """One parsed shape."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Raises ValueError for what is outside the subset; shapes are ours, so that is a bug."""
        self.pattern = pattern
        self.ignore_case = ignore_case
        parser = _Parser(pattern)
        self._root = parser.choice()
        if parser.at != len(pattern):
            raise ValueError(f"unbalanced shape: {pattern}")
        self.longest = self._root.width

    @cached_property
    def _prefix(self) -> _Node:
        return _Choice(tuple(_shortest(option) for option in self._root.options))

    @cached_property
    def trigger(self) -> str:
        """Pattern of the shortest prefix after which a match is possible; every match begins with one."""
        return self._prefix.pattern

    @property
    def trigger_longest(self) -> int:
        """Longest trigger in characters: a match begins at most so many before a trigger's end.

        One more where a trigger ends with a word boundary, which an automaton sees one character late.
        """
        return self._prefix.width + 1

    @cached_property
    def partial(self) -> str:
        """RE2 pattern: from where it matches, a match may begin whose end or look-ahead the text lacks."""
        cut = "|".join(_cut_option(option) for option in self._root.options)
        body = rf"(?:(?:{cut})|(?:{self._root.pattern})(?s:.){{1,{LOOK_AHEAD}}})"
        return f"(?i:{body})" if self.ignore_case else body

    @cached_property
    def behind(self) -> str:
        """For automata: pattern of what `partial` stands for, read backwards from the text's end.

        It matches a little more: a whole match need not end where a word does.
        """
        cut = "|".join(
            _cut_backwards(option) + (r"\b" if _is_boundary(option.items[:1]) else "") for option in self._root.options
        )
        return rf"^(?:(?:{cut})|(?s:.){{1,{LOOK_AHEAD}}}{_backwards(self._root)})"


def _is_boundary(items: tuple[_Node, ...]) -> bool:
    return bool(items) and isinstance(items[0], _Atom) and not items[0].text


def _repeated(pattern: str, low: int, high: int) -> str:
    return f"(?:{pattern}){{{low},{high}}}" if high > 0 else ""


def _backwards(node: _Node) -> str:
    """Pattern of the node's matches read from their ends; boundaries are taken as given."""
    if isinstance(node, _Atom):
        return node.text
    if isinstance(node, _Repeat):
        return _repeated(_backwards(node.item), node.low, node.high)
    if isinstance(node, _Choice):
        return "(?:" + "|".join(map(_backwards, node.options)) + ")"
    return "".join(map(_backwards, reversed(node.items)))


def _cut_backwards(node: _Node) -> str:
    """Pattern of every beginning of the node's matches, none of them empty, read from its end."""
    if isinstance(node, _Atom):
        return node.text
    if isinstance(node, _Repeat):
        return _cut_backwards(node.item) + _repeated(_backwards(node.item), 0, node.high - 1)
    if isinstance(node, _Choice):
        return "(?:" + "|".join(map(_cut_backwards, node.options)) + ")"
    out = ""
    for item in reversed(node.items):
        if _is_boundary((item,)):
            continue
        out = f"(?:{out}{_backwards(item)}|{_cut_backwards(item)})" if out else _cut_backwards(item)
    return out


def _cut_option(option: _Sequence) -> str:
    lead = option.items[0] if option.items else None
    if isinstance(lead, _Atom) and not lead.text:
        return rf"\b{_cut(_Sequence(option.items[1:]))}"
    return _cut(option)


def _cut(node: _Node) -> str:
    """Pattern of every beginning of the node's matches, the whole ones included; boundaries are taken as given."""
    if isinstance(node, _Atom):
        return f"{node.text}?" if node.text else ""
    if isinstance(node, _Repeat):
        if isinstance(node.item, _Atom):
            return f"{node.item.pattern}{{0,{node.high}}}"
        return f"(?:{node.item.pattern}){{0,{max(node.high - 1, 0)}}}{_cut(node.item)}" if node.high else ""
    if isinstance(node, _Choice):
        return "(?:" + "|".join(_cut(option) for option in node.options) + ")"
    out = ""
    for item in reversed(node.items):
        if isinstance(item, _Atom) and not item.text:
            continue
        whole = f"(?:{item.pattern})"
        out = f"(?:{_cut(item)}|{whole}{out})" if out else _cut(item)
    return out


def _is_fixed(node: _Node) -> bool:
    return isinstance(node, _Atom) or (isinstance(node, _Repeat) and node.low == node.high)


def _shortest(option: _Sequence) -> _Sequence:
    """The sequence without what may be absent at its end; a boundary stays behind what has one length."""
    items = list(option.items)
    fixed = True
    while items:
        last = items[-1]
        if isinstance(last, _Atom) and not last.text:
            if fixed and len(items) > 1 and _is_fixed(items[-2]):
                break
            items.pop()
        elif isinstance(last, _Repeat) and last.low == 0:
            items.pop()
            fixed = False
        elif isinstance(last, _Repeat) and last.high > last.low:
            items[-1] = _Repeat(last.item, last.low, last.low)
            break
        elif isinstance(last, _Choice):
            items[-1] = _Choice(tuple(_shortest(inner) for inner in last.options))
            break
        else:
            break
    return _Sequence(tuple(items))


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def choice(self) -> _Choice:
        options = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            options.append(self._sequence())
        return _Choice(tuple(options))

    def _sequence(self) -> _Sequence:
        items: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._repeat(self._atom()))
        return _Sequence(tuple(items))

    def _atom(self) -> _Node:
        char = self._peek()
        if char == "(":
            if self.pattern[self.at : self.at + 3] != "(?:":
                raise ValueError(f"only (?:…) groups: {self.pattern}")
            self.at += 3
            inner = self.choice()
            if self._peek() != ")":
                raise ValueError(f"unbalanced shape: {self.pattern}")
            self.at += 1
            return inner
        if char == "[":
            end = self.pattern.index("]", self.at + 1) + 1
            while self.pattern[end - 2] == "\\":
                end = self.pattern.index("]", end) + 1
        elif char == "\\":
            end = self.at + 2
            if self.pattern[self.at + 1].isalnum():
                if self.pattern[self.at + 1] != "b":
                    raise ValueError(f"unknown escape: {self.pattern}")
                self.at = end
                return _Atom("")
        elif char in "*+?{}.^$":
            raise ValueError(f"outside the subset at {self.at}: {self.pattern}")
        else:
            end = self.at + 1
        text, self.at = self.pattern[self.at : end], end
        return _Atom(text)

    def _repeat(self, item: _Node) -> _Node:
        if self._peek() == "?":
            self.at += 1
            return _Repeat(item, 0, 1)
        if self._peek() != "{":
            return item
        end = self.pattern.index("}", self.at)
        low, _, high = self.pattern[self.at + 1 : end].partition(",")
        self.at = end + 1
        return _Repeat(item, int(low), int(high or low))
