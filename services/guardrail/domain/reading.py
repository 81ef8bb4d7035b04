"""Reads an operator's JSON, naming the field in every refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MAX_FIELD = 200
"""Characters of a field's path in a refusal."""


class Refused(ValueError):
    """A field is wrong; `field` is its path, e.g. `rules.0.pattern`."""

    def __init__(self, field: str, reason: str) -> None:
        # A field may be named by the caller: cut, and without what no answer can carry.
        self.field = field[:MAX_FIELD].encode("utf-8", "backslashreplace").decode()
        super().__init__(f"{self.field}: {reason}")


class Reader:
    """Reads one object, naming the field in every refusal."""

    def __init__(self, raw: Any, path: str) -> None:
        if not isinstance(raw, Mapping):
            raise Refused(path, "must be an object")
        self.raw: Mapping[str, Any] = raw
        self.path = path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}"

    def only(self, allowed: frozenset[str]) -> None:
        for name in self.raw:
            if name not in allowed:
                raise Refused(self.at(str(name)), "unknown field")

    def text(self, name: str, default: str | None = None, *, most: int) -> str:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, str):
            raise Refused(self.at(name), "must be a string")
        if len(value) > most:
            raise Refused(self.at(name), f"must have at most {most} characters")
        if "\x00" in value or not _is_unicode(value):
            raise Refused(self.at(name), "must be text without NUL or lone surrogates")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        value = self.raw.get(name)
        value = default if value is None else value
        if value not in allowed or not isinstance(value, str):
            raise Refused(self.at(name), f"must be one of {', '.join(allowed)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise Refused(self.at(name), "must be true or false")
        return value

    def number(self, name: str, default: int | None, low: int, high: int) -> int:
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Refused(self.at(name), f"must be a whole number from {low} to {high}")
        return value

    def ratio(self, name: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.raw.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused(self.at(name), "must be a number from 0 to 1")
        if not 0 <= value <= 1:
            raise Refused(self.at(name), "must be a number from 0 to 1")
        return float(value)

    def strings(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """A list of texts."""
        items = self.list_of(name, most)
        inner = Reader({str(index): item for index, item in enumerate(items)}, self.at(name))
        return tuple(inner.text(str(index), most=longest) for index in range(len(items)))

    def list_of(self, name: str, most: int) -> list[Any]:
        value = self.raw.get(name)
        value = [] if value is None else value
        if not isinstance(value, list | tuple):
            raise Refused(self.at(name), "must be a list")
        if len(value) > most:
            raise Refused(self.at(name), f"must have at most {most} items")
        return list(value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
