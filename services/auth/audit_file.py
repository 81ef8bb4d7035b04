"""Checks saved answers of `GET /api/audit` without a running instance: `orca audit verify FILE`.

A file holds one or more JSON documents: answers of the route, in any order, or single rows. Pages may overlap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.auth.domain.audit import Link, first_break
from services.common.errors import Invalid

_BLANK = re.compile(r"\s*")
_CHAIN_FIELDS = ("number", "previous", "hash")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one workspace's chain."""

    workspace_id: str
    first: int
    last: int
    head: str
    problem: str | None


def verify(text: str) -> list[Verdict]:
    """A verdict for each workspace in the file. Raises Invalid when it is no audit log."""
    chains: dict[str, dict[int, Link]] = {}
    problems: dict[str, str] = {}
    for row in _rows(text):
        link = _link(row)
        workspace_id = str(row.get("workspace_id", ""))
        chain = chains.setdefault(workspace_id, {})
        if chain.setdefault(link.number, link) != link:
            problems.setdefault(workspace_id, f"row {link.number} is there twice and differs")
    if not chains:
        raise Invalid("the file holds no audit rows")
    verdicts = []
    for workspace_id, chain in sorted(chains.items()):
        links = [chain[number] for number in sorted(chain)]
        problem = problems.get(workspace_id) or first_break(links)
        verdicts.append(Verdict(workspace_id, links[0].number, links[-1].number, links[-1].hash, problem))
    return verdicts


def _rows(text: str) -> Iterator[Mapping[str, Any]]:
    decoder, position = json.JSONDecoder(), 0
    while (begun := _BLANK.match(text, position).end()) < len(text):  # type: ignore[union-attr]  # matches the empty text
        try:
            document, position = decoder.raw_decode(text, begun)
        except (ValueError, RecursionError):
            raise Invalid(f"the file is not JSON at character {begun}") from None
        yield from _of(document)


def _of(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, list):
        for item in document:
            yield from _of(item)
    elif isinstance(document, dict) and isinstance(document.get("data"), dict):
        yield from _of(document["data"])
    elif isinstance(document, dict) and isinstance(document.get("items"), list):
        yield from _of(document["items"])
    elif isinstance(document, dict):
        yield document


def _link(row: Mapping[str, Any]) -> Link:
    number, previous, stored = (row.get(name) for name in _CHAIN_FIELDS)
    if not isinstance(number, int) or not isinstance(previous, str) or not isinstance(stored, str):
        raise Invalid("a row without number, previous and hash is no audit row")
    content = {name: value for name, value in row.items() if name not in _CHAIN_FIELDS}
    return Link(number, previous, stored, content)
