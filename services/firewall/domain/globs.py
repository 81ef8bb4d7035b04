"""Tool name globs: `*`, `foo.*`, `*.exec`, `*.shell.*`; anything else is an exact name. Case-sensitive.

A star stands for any text, dots and nothing included; in any other place it is an ordinary character.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glob:
    """A parsed glob: an exact name, or what a name must begin with, end with or contain."""

    kind: str
    text: str

    def matches(self, name: str) -> bool:
        """True when the whole name matches."""
        kind = self.kind
        if kind == "exact":
            return name == self.text
        if kind == "prefix":
            return name.startswith(self.text)
        if kind == "suffix":
            return name.endswith(self.text)
        return self.text in name


def parse_glob(pattern: str) -> Glob:
    """The glob behind its text. Every text is a glob; see `stray_star` for those that surprise."""
    if pattern == "*":
        return Glob("contains", "")
    head, tail = pattern.startswith("*."), pattern.endswith(".*")
    if head and tail:
        # `*.*` is one dot between two stars.
        return Glob("contains", pattern[1:-1] or ".")
    if head and len(pattern) > 2:
        return Glob("suffix", pattern[1:])
    if tail and len(pattern) > 2:
        return Glob("prefix", pattern[:-1])
    return Glob("exact", pattern)


def stray_star(pattern: str) -> bool:
    """True when a star of the pattern is an ordinary character, which its author hardly meant."""
    return "*" in parse_glob(pattern).text
