"""Which service answers which path: the longest prefix decides, on whole path segments.

A path is judged decoded, as the services judge it. What two parties could read differently (dot segments, control
characters, backslashes, broken UTF-8, encoded slashes that would select another service) has no owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

SERVICES = ("auth", "guardrail", "firewall", "ledger", "analytics")
PATH_MAX_BYTES = 8192

ROUTES: Mapping[tuple[str, ...], str] = {
    ("api", "user"): "auth",
    ("api", "workspace"): "auth",
    ("api", "token"): "auth",
    ("api", "channel"): "auth",
    ("api", "model"): "auth",
    ("api", "audit"): "auth",
    ("api", "status"): "auth",
    ("api", "guardrail"): "guardrail",
    ("api", "guardrail", "match"): "analytics",
    # Analytics shows a match; what suppresses its finding is guardrail's.
    ("api", "guardrail", "match", "*", "mark_fp"): "guardrail",
    ("api", "workspace", "firewall"): "firewall",
    ("api", "workspace", "firewall", "events"): "analytics",
    ("api", "workspace", "firewall", "runs"): "analytics",
    ("api", "workspace", "firewall", "tools"): "analytics",
    ("api", "workspace", "firewall", "anomalies"): "analytics",
    ("api", "v1", "firewall"): "firewall",
    ("api", "ledger"): "ledger",
    ("api", "log"): "analytics",
    ("api", "analytics"): "analytics",
}
"""Owner by leading segments; `*` stands for any one segment."""

_DEPTH_MAX = max(map(len, ROUTES))
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE = _PATH_SAFE + "?"


def owner(path: str) -> str | None:
    """The service that owns a decoded path, None when nobody does."""
    return _owner(path.split("/"))


def owner_of_raw(raw_path: bytes) -> str | None:
    """The owner of a path as it came over the wire; None when it could be read in two ways."""
    if not raw_path.startswith(b"/") or len(raw_path) > PATH_MAX_BYTES:
        return None
    try:
        decoded = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if b"#" in raw_path or "\\" in decoded or any(ord(char) < 32 or ord(char) == 127 for char in decoded):
        return None
    segments = decoded.split("/")
    if "." in segments or ".." in segments:
        return None
    found = _owner(segments)
    # An encoded slash inside a segment must not select another service than the segment as a whole does.
    whole = _owner([unquote_to_bytes(segment).decode("utf-8") for segment in raw_path.split(b"/")])
    return found if found == whole else None


def wire_target(raw_path: bytes, query: bytes) -> bytes:
    """Path and query for the next hop: ASCII, with nothing encoded twice."""
    path = quote_from_bytes(raw_path, safe=_PATH_SAFE)
    asked = "?" + quote_from_bytes(query, safe=_QUERY_SAFE) if query else ""
    return (path + asked).encode("ascii")


def _owner(segments: Sequence[str]) -> str | None:
    if not segments or segments[0]:
        return None
    parts = tuple(segments[1 : _DEPTH_MAX + 1])
    for length in range(len(parts), 0, -1):
        for pattern, service in ROUTES.items():
            if len(pattern) == length and all(want in (have, "*") for want, have in zip(pattern, parts, strict=False)):
                return service
    return None
