"""Run identity from headers: ids of at most 128 printable characters; without a run id, the trace id of a
W3C `traceparent`, else the request's own id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import BadRequest

MAX_ID_CHARS = 128
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_HEADERS = {
    "run_id": "x-orca-run-id",
    "step_id": "x-orca-step-id",
    "parent_step_id": "x-orca-parent-step-id",
    "conversation_id": "x-orca-conversation-id",
}


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Ids a request carries; empty where the caller gave none."""

    run_id: str
    step_id: str = ""
    parent_step_id: str = ""
    conversation_id: str = ""


def checked_id(headers: Mapping[str, str], name: str) -> str:
    """A header that holds an id; raises 400 naming the header when it is too long or not printable ASCII."""
    value = headers.get(name, "")
    if not value:
        return ""
    if len(value) > MAX_ID_CHARS or not value.isascii() or not value.isprintable():
        message = f"header {name} must be at most {MAX_ID_CHARS} printable ASCII characters"
        raise BadRequest(message, code="invalid_request_error", param=name)
    return value


def trace_id(traceparent: str) -> str:
    """The trace id of a valid header, else empty."""
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None or match[1] == "ff" or not match[2].strip("0") or not match[3].strip("0"):
        return ""
    return match[2]


def run_identity(headers: Mapping[str, str], request_id: str) -> RunIdentity:
    """Identity of one request. Raises 400 for a malformed id."""
    ids = {field: checked_id(headers, header) for field, header in _HEADERS.items()}
    ids["run_id"] = ids["run_id"] or trace_id(headers.get("traceparent", "")) or request_id
    return RunIdentity(**ids)
