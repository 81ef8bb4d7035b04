"""Run ids: an opaque name for the triple workspace, key and run."""

from __future__ import annotations

import base64
import binascii
import json

PREFIX = "run_"
ID_MAX = 2048


def mint_run_id(workspace_id: str, key_id: str, run_id: str) -> str:
    """The public id of a run."""
    text = json.dumps([workspace_id, key_id, run_id], separators=(",", ":"), ensure_ascii=False)
    return PREFIX + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_run_id(public_id: str, workspace_id: str) -> tuple[str, str] | None:
    """Key and run of a public id; None when it was not minted for this workspace."""
    if not public_id.startswith(PREFIX) or len(public_id) > ID_MAX:
        return None
    body = public_id[len(PREFIX) :]
    try:
        triple = json.loads(base64.b64decode(body.encode("ascii") + b"=" * (-len(body) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(triple, list) or len(triple) != 3 or not all(isinstance(part, str) for part in triple):
        return None
    if triple[0] != workspace_id:
        return None
    return triple[1], triple[2]
