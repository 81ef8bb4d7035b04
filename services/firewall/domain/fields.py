"""Reading single fields of what an author sent. Every refusal names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(ValueError):
    """A field cannot be taken; the message begins with its path."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def only(raw: Any, field: str, known: frozenset[str], what: str) -> Mapping[str, Any]:
    """An object with no other fields than the known ones."""
    if not isinstance(raw, Mapping):
        raise Refused(field, "must be an object")
    for name in raw:
        if name not in known:
            raise Refused(f"{field}.{short(name)}", f"is not a field of {what}")
    return raw


def text_of(raw: Mapping[str, Any], field: str, name: str, *, most: int, lines: bool = False) -> str:
    """Printable text; absent and null are empty."""
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise Refused(f"{field}.{name}", f"must be text of at most {most} characters")
    plain = value.replace("\n", " ").replace("\r", " ").replace("\t", " ") if lines else value
    if not plain.isprintable():
        raise Refused(f"{field}.{name}", "must be printable text")
    return value


def integer(raw: Mapping[str, Any], field: str, name: str, *, least: int, most: int, default: int | None = None) -> int:
    """An integer within bounds; required unless there is a default."""
    value = raw.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise Refused(f"{field}.{name}", "is required")
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"{field}.{name}", f"must be an integer from {least} to {most}")
    return value


def flag(raw: Mapping[str, Any], field: str, name: str, *, default: bool) -> bool:
    """True or false."""
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Refused(f"{field}.{name}", "must be true or false")
    return value


def texts(raw: Mapping[str, Any], field: str, name: str, *, count: int, most: int) -> tuple[str, ...]:
    """A list of texts; absent and null are the empty list."""
    value = raw.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > count:
        raise Refused(f"{field}.{name}", f"must be a list of at most {count} texts")
    for index, item in enumerate(value):
        if not isinstance(item, str) or not 1 <= len(item) <= most or not item.isprintable():
            raise Refused(f"{field}.{name}.{index}", f"must be printable text of 1 to {most} characters")
    return tuple(value)


def one_of(raw: Mapping[str, Any], field: str, name: str, choices: tuple[str, ...], default: str) -> str:
    """One of a few words."""
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in choices:
        raise Refused(f"{field}.{name}", f"must be one of {', '.join(filter(None, choices))}")
    return value


def short(name: Any) -> str:
    """A field's name for a message."""
    text = str(name)[:64]
    return text if text.isprintable() else "?"
