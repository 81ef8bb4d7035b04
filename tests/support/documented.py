"""Holds answers of the management plane, or of a service, to the last field of the OpenAPI document it serves."""

from __future__ import annotations

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]


class Documented:
    """The served document. `check` raises on an answer that it does not tell."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.operations: dict[tuple[str, str], Draft202012Validator] = {}
        self.checked: set[tuple[str, str]] = set()
        self._paths: list[tuple[re.Pattern[str], str]] = []
        # Fixed segments before placeholders, as the services route them.
        for path in sorted(document["paths"], key=lambda path: [part.startswith("{") for part in path.split("/")]):
            parts = re.split(r"\{\w+\}", path)
            wide = ".+" if path.startswith("/api/model/") else "[^/]+"
            self._paths.append((re.compile(wide.join(map(re.escape, parts))), path))
            for method, operation in document["paths"][path].items():
                content = operation["responses"]["200"].get("content", {})
                schema = content.get("application/json", {}).get("schema")
                if schema is not None:
                    self.operations[method, path] = Draft202012Validator({**document, **schema})
        # One shape for all refusals, which the merged document alone tells.
        refused = document["components"]["schemas"].get("Error", {})
        self._error = Draft202012Validator({**document, **refused})

    def check(self, answer: httpx.Response) -> None:
        """One answer, if it is JSON of the management plane."""
        path = answer.request.url.path
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind != "application/json" or not path.startswith("/api/") or path.startswith("/api/openapi.json"):
            return
        if answer.status_code >= 400:
            self._error.validate(answer.json())
            return
        method = answer.request.method.lower()
        named = next((told for pattern, told in self._paths if pattern.fullmatch(path)), path)
        self.operations[method, named].validate(answer.json())
        self.checked.add((method, named))
