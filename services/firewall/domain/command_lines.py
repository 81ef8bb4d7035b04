"""Arguments that only together are a command line: lists, a program with its options, variables that run code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from services.firewall.domain.shapes import nested, plain_key
from services.firewall.domain.shell_model import LOADED, RUN_LATER

DEPTH_MAX = 8


def command_lines(value: Any, depth: int) -> Iterator[str]:
    """Argument lists as the command line they are: `["rm", "-rf", "/"]`, `{"command": "rm", "args": [...]}`."""
    if depth > DEPTH_MAX:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        inner = nested(value)
        if inner is not None and not isinstance(inner, str):
            yield from command_lines(inner, depth + 1)
    elif isinstance(value, list):
        words = [str(item) for item in value if isinstance(item, (str, int, float)) and not isinstance(item, bool)]
        if len(words) == len(value) and 2 <= len(words) <= 64:
            yield shlex.join(words)
        for item in value[:64]:
            if not isinstance(item, str):
                yield from command_lines(item, depth + 1)
    elif isinstance(value, dict):
        plain = {plain_key(key): item for key, item in value.items()}
        program = next(
            (
                plain[key]
                for key in ("command", "cmd", "program", "executable", "binary", "exe", "tool", "bin", "name")
                if isinstance(plain.get(key), str)
            ),
            None,
        )
        for key, item in value.items():
            if key in RUN_LATER or key in LOADED:
                yield f"{key}={shlex.quote(str(item))} true"
        rest = next(
            (
                plain[key]
                for key in ("args", "arguments", "argv", "params", "parameters", "flags", "options")
                if plain.get(key)
            ),
            None,
        )
        words = next((plain[key] for key in ("command", "cmd", "entrypoint") if isinstance(plain.get(key), list)), [])
        if program is None and words and isinstance(rest, list):
            yield shlex.join([str(item) for item in (*words[:64], *rest[:64])])
        if program is not None and isinstance(rest, list) and all(isinstance(item, str) for item in rest):
            yield f"{program} {shlex.join(rest[:64])}"
        elif program is not None and isinstance(rest, str):
            yield f"{program} {rest}"
        for item in value.values():
            if not isinstance(item, str) or item[:1] in ("[", "{"):
                yield from command_lines(item, depth + 1)
