"""`args_match`: conditions on a call's arguments, compiled once per policy version."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

import re2

from services.firewall.domain.arguments import canonical_json, deeper_than
from services.firewall.domain.model import Clause
from services.firewall.domain.paths import find, parse_path

OPS = ("eq", "contains", "regex", "in", "cidr_match", "gt", "lt", "exists")
REGEX_MAX = 1000
VALUES_MAX = 1000
TEXT_MAX = 4096
VALUE_DEPTH_MAX = 16
_NUMBER_CHARS = 400
_REGEX_MEMORY_BYTES = 8 * 1024 * 1024

Test = Callable[[Any], bool]


class CompiledClause:
    """One clause. A missing path makes it false, except for `exists: false`, which asks for just that."""

    __slots__ = ("_absent", "_steps", "_test")

    def __init__(self, clause: Clause) -> None:
        """Raises ValueError with `path:` or `value:` in front of what is wrong."""
        try:
            self._steps = parse_path(clause.path)
        except ValueError as error:
            raise ValueError(f"path: {error}") from None
        self._absent = clause.op == "exists" and clause.value is False
        try:
            self._test = _compile(clause.op, clause.value)
        except ValueError as error:
            raise ValueError(f"value: {error}") from None

    def holds(self, value: Any, *, every: bool) -> bool:
        """Several values at one path: any of them is enough, or with `every` all must satisfy the clause."""
        found = find(value, self._steps)
        if self._absent:
            return not found
        if not found:
            return False
        return all(map(self._test, found)) if every else any(map(self._test, found))


def _compile(op: str, value: Any) -> Test:
    if op == "eq":
        _scalar_or_document(value)
        return lambda found: _equal(found, value)
    if op == "contains":
        return _contains(value)
    if op == "in":
        return _in(value)
    if op == "regex":
        return _regex(value)
    if op == "cidr_match":
        return _cidr(value)
    if op in ("gt", "lt"):
        return _compare(op, value)
    if op == "exists":
        if value not in (None, True, False) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            raise ValueError("must be true or false")
        return lambda found: True
    raise ValueError(f"unknown op {op}")


def _scalar_or_document(value: Any) -> None:
    if deeper_than(value, VALUE_DEPTH_MAX):
        raise ValueError(f"must nest at most {VALUE_DEPTH_MAX} deep")
    if len(canonical_json(value)) > TEXT_MAX:
        raise ValueError(f"must have at most {TEXT_MAX} characters")


def _contains(value: Any) -> Test:
    _scalar_or_document(value)

    def test(found: Any) -> bool:
        if isinstance(found, str):
            return isinstance(value, str) and value in found
        if isinstance(found, list):
            return any(_equal(item, value) for item in found)
        return isinstance(found, dict) and isinstance(value, str) and value in found

    return test


def _in(value: Any) -> Test:
    if not isinstance(value, list) or not 1 <= len(value) <= VALUES_MAX:
        raise ValueError(f"must be a list of 1 to {VALUES_MAX} values")
    for item in value:
        _scalar_or_document(item)
    return lambda found: any(_equal(found, item) for item in value)


def _regex(value: Any) -> Test:
    if not isinstance(value, str) or not 1 <= len(value) <= REGEX_MAX:
        raise ValueError(f"must be a regular expression of 1 to {REGEX_MAX} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY_BYTES
    try:
        pattern = re2.compile(value, options)
    except (re2.error, UnicodeError):
        raise ValueError("is not a regular expression that runs in linear time (RE2 syntax)") from None

    def test(found: Any) -> bool:
        text = found if isinstance(found, str) else canonical_json(found)
        # Lone surrogates cannot be carried by UTF-8; each becomes one replacement character.
        return pattern.search(text.encode("utf-8", "replace").decode()) is not None

    return test


def _cidr(value: Any) -> Test:
    texts = value if isinstance(value, list) else [value]
    if not 1 <= len(texts) <= VALUES_MAX or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"must be an address range such as 10.0.0.0/8, or a list of at most {VALUES_MAX}")
    try:
        networks = [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError:
        raise ValueError("must be an address range such as 10.0.0.0/8") from None
    return lambda found: isinstance(found, str) and _inside(found, networks)


def _inside(text: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        address = ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        mapped = address.ipv4_mapped
        return any(mapped in network or address in network for network in networks)
    return any(address in network for network in networks)


def _compare(op: str, value: Any) -> Test:
    bound = _number(value)
    if bound is None:
        raise ValueError("must be a number")

    def test(found: Any) -> bool:
        number = _number(found)
        if number is None:
            return False
        return number > bound if op == "gt" else number < bound

    return test


def _equal(left: Any, right: Any) -> bool:
    """JSON equality; a number equals the string that spells it."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    first, second = _number(left), _number(right)
    if first is not None and second is not None and (isinstance(left, str) is False or isinstance(right, str) is False):
        return first == second
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, dict)):
        return canonical_json(left) == canonical_json(right)
    return bool(left == right)


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str) or len(value) > _NUMBER_CHARS:
        return None
    text = value.strip()
    # `float` also reads "nan", "inf", "1_000" and digits of other scripts; JSON numbers have none of these.
    if not text.isascii() or not text.lstrip("+-").replace(".", "", 1)[:1].isdigit() or "_" in text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) != float("inf") else None
