"""The audit chain: each row's hash covers its content and the hash before it, one chain per workspace.

Whoever changes, removes or inserts a row breaks the chain from there on. What a chain alone cannot show is that its
newest rows are missing: keep the head's hash elsewhere and compare.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GENESIS = "0" * 64
"""What the first row of a chain names as previous."""


@dataclass(frozen=True, slots=True)
class Link:
    """One row of a chain."""

    number: int
    previous: str
    hash: str
    content: Mapping[str, object]


def row_hash(previous: str, content: Mapping[str, object]) -> str:
    """SHA-256, hex, over the previous hash and the canonical JSON of the content."""
    canonical = json.dumps(dict(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def first_break(links: Sequence[Link]) -> str | None:
    """What is wrong with the first link that does not fit, in words; None when the chain is whole.

    The links are in order of their numbers. A chain that starts later than number 1 is judged from there on.
    """
    expected_number, expected_previous = None, None
    for link in links:
        if expected_number is not None and link.number != expected_number:
            return f"row {expected_number} is missing or out of order"
        if link.number == 1:
            expected_previous = GENESIS
        if expected_previous is not None and link.previous != expected_previous:
            return f"row {link.number} does not follow the row before it"
        if link.hash != row_hash(link.previous, link.content):
            return f"row {link.number} was changed"
        expected_number, expected_previous = link.number + 1, link.hash
    return None
