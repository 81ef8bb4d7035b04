"""`sanitize`: secrets and personal data out of string values; the JSON around them stays as it was.

Each hit becomes `[redacted:<preset>]`. All patterns run in linear time (RE2); a check behind a pattern keeps numbers
that only look alike. Keys, numbers and structure are never touched.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from services.firewall.domain.model import Sanitize
from services.firewall.domain.paths import Step, parse_path

CUSTOM_MAX = 32
PATHS_MAX = 32
PATTERN_MAX = 1000
_ENTITY = re.compile(r"[a-z][a-z0-9_]{1,63}")
ENTITIES_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MEMORY_BYTES = 8 * 1024 * 1024
_SECRET_ENTROPY_BITS = 3.8

Check = Callable[[str], bool]
Change = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Finder:
    """The first group of `pattern` is what is replaced."""

    name: str
    pattern: Any
    check: Check

    def redact(self, text: str) -> str:
        def one(match: Any) -> str:
            secret = match.group(1)
            if not secret or not self.check(secret):
                return str(match.group(0))
            start, end = match.start(1) - match.start(0), match.end(1) - match.start(0)
            whole = match.group(0)
            return f"{whole[:start]}[redacted:{self.name}]{whole[end:]}"

        return str(self.pattern.sub(one, text))


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    return re2.compile(pattern, options)


def _any(_: str) -> bool:
    return True


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if index % 2 == 0 else sum(divmod(2 * digit, 10)) for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _ssn(text: str) -> bool:
    area, group, serial = re.split(r"[- ]", text)
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def _random_looking(text: str) -> bool:
    """Mixed case, a digit, and no hexadecimal digest."""
    if not (re.search(r"[a-z]", text) and re.search(r"[A-Z]", text) and re.search(r"\d", text)):
        return False
    total = len(text)
    entropy = -sum(count / total * math.log2(count / total) for count in Counter(text).values())
    return entropy >= _SECRET_ENTROPY_BITS


_ALL: dict[str, tuple[str, Check]] = {
    "aws_access_key": (
        r"(?:^|[^A-Za-z0-9])((?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA|ABIA|ACCA)[A-Z0-9]{16})\b", _any),
    "aws_secret_key": (r"(?:^|[^A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|=?$)", _random_looking),
    "anthropic_key": (r"(sk-ant-[A-Za-z0-9_-]{16,})", _any),
    "openai_key": (r"(?:^|[^A-Za-z0-9])(sk-[A-Za-z0-9_-]{20,})",
                   lambda text: not text.startswith(("sk-ant-", "sk-orca-"))),
    "bearer_token": (r"(?i)\bbearer[\s:=]+[\"']?([A-Za-z0-9._~+/=-]{8,})", lambda text: not text.isalpha()),
    "email": (r"([A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})", _any),
    "ssn_us": (r"(?:^|[^\d-])(\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4})\b", _ssn),
    "credit_card": (r"(?:^|[^\d.-])([2-6]\d{3}(?:[ -]?\d){9,15})\b", _luhn),
}  # fmt: skip
PRESETS = tuple(_ALL)
"""Presets redacted here, without asking another service."""

_FINDERS = {name: _Finder(name, _compile(pattern), check) for name, (pattern, check) in _ALL.items()}


class CompiledSanitize:
    """One rule's redaction. Raises ValueError with `presets.N:`, `custom.N.pattern:` or `paths.N:` in front."""

    __slots__ = ("_finders", "_paths", "entities")

    def __init__(self, sanitize: Sanitize) -> None:
        finders = []
        entities: dict[str, None] = {}
        for index, name in enumerate(sanitize.presets):
            if name in _FINDERS:
                finders.append(_FINDERS[name])
            elif _ENTITY.fullmatch(name) and len(entities) < ENTITIES_MAX:
                entities[name] = None
            else:
                known = f"{', '.join(PRESETS)}, or the name of a guardrail entity (at most {ENTITIES_MAX})"
                raise ValueError(f"presets.{index}: must be one of {known}")
        self.entities = tuple(entities)
        """Names that the guardrail must redact; the rest happens here."""
        for index, custom in enumerate(sanitize.custom):
            if not _NAME.fullmatch(custom.name):
                raise ValueError(f"custom.{index}.name: must have 1 to 64 letters, digits, dots, dashes or underscores")
            if not 1 <= len(custom.pattern) <= PATTERN_MAX:
                raise ValueError(f"custom.{index}.pattern: must have 1 to {PATTERN_MAX} characters")
            try:
                _compile(custom.pattern)
                pattern = _compile(f"({custom.pattern})")
            except (re2.error, UnicodeError):
                problem = "is not a regular expression that runs in linear time (RE2 syntax)"
                raise ValueError(f"custom.{index}.pattern: {problem}") from None
            finders.append(_Finder(custom.name, pattern, _any))
        self._finders = tuple(finders)
        paths = []
        for index, path in enumerate(sanitize.paths):
            try:
                paths.append(parse_path(path))
            except ValueError as error:
                raise ValueError(f"paths.{index}: {error}") from None
        self._paths: tuple[tuple[Step, ...], ...] = tuple(paths) or ((),)

    def redact(self, value: Any) -> Any:
        """A copy of the document, redacted where the paths lead."""
        return self._changed(value, self.redact_text)

    def strings(self, value: Any) -> list[str]:
        """Every string that the paths lead to, each once."""
        found: dict[str, None] = {}

        def keep(text: str) -> str:
            found[text] = None
            return text

        self._changed(value, keep)
        return list(found)

    def apply(self, value: Any, redacted: Mapping[str, str]) -> Any:
        """A copy of the document with strings replaced where the paths lead."""
        return self._changed(value, lambda text: redacted.get(text, text))

    def _changed(self, value: Any, change: Change) -> Any:
        for steps in self._paths:
            value = self._follow(value, steps, change)
        return value

    def _follow(self, value: Any, steps: Sequence[Step], change: Change) -> Any:
        if not steps:
            return _below(value, change)
        step, rest = steps[0], steps[1:]
        if step.kind == "deep":
            if isinstance(value, dict):
                return {
                    key: self._follow(self._follow(item, steps, change), rest, change)
                    if key == step.key
                    else self._follow(item, steps, change)
                    for key, item in value.items()
                }
            return [self._follow(item, steps, change) for item in value] if isinstance(value, list) else value
        if step.kind == "child" and isinstance(value, dict) and step.key in value:
            return {key: self._follow(item, rest, change) if key == step.key else item for key, item in value.items()}
        if step.kind == "index" and isinstance(value, list):
            return [self._follow(item, rest, change) if index == step.key else item for index, item in enumerate(value)]
        return value

    def redact_text(self, text: str) -> str:
        """One string value."""
        # RE2 reads UTF-8, which carries no lone surrogates; a string with one is redacted around it.
        plain = text.encode("utf-8", "replace").decode() if not text.isascii() else text
        found = plain
        for finder in self._finders:
            found = finder.redact(found)
        return text if found == plain else found


def _below(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _below(item, change) for key, item in value.items()}
    return [_below(item, change) for item in value] if isinstance(value, list) else value


def redact_call(value: Any, specs: Sequence[CompiledSanitize]) -> str:
    """The arguments as JSON text with every spec applied."""
    for spec in specs:
        value = spec.redact(value)
    return document_text(value)


def document_text(value: Any) -> str:
    """Arguments as JSON text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
