"""The audit chain: each row's hash covers its content and the hash before it, one chain per workspace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

GENESIS = "0" * 64


def row_hash(previous: str, content: Mapping[str, object]) -> str:
    """SHA-256, hex, over the previous hash and the canonical JSON of the content."""
    canonical = json.dumps(dict(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def first_break(rows: Iterable[tuple[str, str, Mapping[str, object]]]) -> int | None:
    """Index of the first (previous, hash, content) that does not fit; None when the chain is whole."""
    expected = GENESIS
    for index, (previous, stored, content) in enumerate(rows):
        if previous != expected or stored != row_hash(previous, content):
            return index
        expected = stored
    return None
