"""A call's arguments: read strictly, hashed in canonical form, summarised without values.

What two parsers could read differently (duplicate keys, too long, too deep, not JSON) is `invalid`, and a
rule then decides on the safe side.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

BYTES_MAX = 256 * 1024
DEPTH_MAX = 64

SUMMARY_MAX = 1024
"""Characters of a summary."""
_EXACT = 2**53
_SUMMARY_KEYS = 24
_SUMMARY_KEY_CHARS = 48
_SUMMARY_DEPTH = 3


class _Unreadable(ValueError):
    """Readers could disagree about this document."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments as judged. `value` is meaningless when invalid."""

    value: Any
    invalid: str
    sha256: str
    summary: str

    @property
    def valid(self) -> bool:
        """True when every reader sees the same document."""
        return not self.invalid


def read_arguments(raw: str) -> Arguments:
    """Arguments from the text the model gave; no text at all is an empty object.

    Unreadable arguments are hashed as they came.
    """
    text = raw if raw.strip() else "{}"
    encoded = text.encode("utf-8", "surrogatepass")
    try:
        if len(encoded) > BYTES_MAX:
            raise _Unreadable(f"longer than {BYTES_MAX // 1024} KiB")
        value = _DECODER.decode(text)
        # Counting brackets is cheap and settles nearly every call; brackets inside strings only cost the walk.
        if text.count("{") + text.count("[") > DEPTH_MAX and deeper_than(value, DEPTH_MAX):
            raise _Unreadable(f"nested deeper than {DEPTH_MAX}")
        canonical = _ENCODER.encode(value).encode("utf-8", "surrogatepass")
    except _Unreadable as error:
        return _unreadable(encoded, str(error))
    except RecursionError:
        return _unreadable(encoded, f"nested deeper than {DEPTH_MAX}")
    except ValueError:
        return _unreadable(encoded, "not valid JSON")
    return Arguments(value, "", hashlib.sha256(canonical).hexdigest(), summarise(value))


def _unreadable(encoded: bytes, why: str) -> Arguments:
    return Arguments(None, why, hashlib.sha256(encoded).hexdigest(), f"unreadable({why}, {len(encoded)} bytes)")


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, whole floats as integers: equal documents give equal text."""
    return _ENCODER.encode(_whole(value))


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unreadable("duplicate keys")
    return found


def _finite(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise _Unreadable("a number is out of range")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _no_constant(text: str) -> Any:
    raise _Unreadable("not valid JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def deeper_than(value: Any, limit: int) -> bool:
    """True when a list or object sits inside more than `limit - 1` others."""
    level = [value]
    for _ in range(limit):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ())
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def summarise(value: Any) -> str:
    """Keys, types and lengths, never values: `{cmd: string(12), env: {HOME: string(5)}}`. Capped."""
    text = _shape(value, 0)
    return text if len(text) <= SUMMARY_MAX else text[: SUMMARY_MAX - 1] + "…"


def _shape(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        if depth >= _SUMMARY_DEPTH:
            return f"object({len(value)})"
        shown = [f"{_key(key)}: {_shape(value[key], depth + 1)}" for key in list(value)[:_SUMMARY_KEYS]]
        if len(value) > _SUMMARY_KEYS:
            shown.append(f"{len(value) - _SUMMARY_KEYS} more")
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, list):
        return f"array({len(value)})"
    if isinstance(value, str):
        return f"string({len(value)})"
    if isinstance(value, bool):
        return "boolean"
    return "null" if value is None else "number"


def _key(key: str) -> str:
    if len(key) <= _SUMMARY_KEY_CHARS and key.isprintable():
        return key
    # A key is chosen by whoever wrote the tool's schema, but the model may invent others: keep it short and plain.
    plain = "".join(char if char.isprintable() else "�" for char in key[:_SUMMARY_KEY_CHARS])
    return plain if len(key) <= _SUMMARY_KEY_CHARS else plain + "…"
