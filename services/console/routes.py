"""Which service answers which path: the longest prefix decides, on whole path segments."""

from __future__ import annotations

from collections.abc import Mapping

SERVICES = ("auth", "guardrail", "firewall", "ledger", "analytics")

ROUTES: Mapping[str, str] = {
    "/api/user": "auth",
    "/api/workspace": "auth",
    "/api/token": "auth",
    "/api/channel": "auth",
    "/api/model": "auth",
    "/api/audit": "auth",
    "/api/status": "auth",
    "/api/guardrail": "guardrail",
    "/api/guardrail/match": "analytics",
    "/api/workspace/firewall": "firewall",
    "/api/workspace/firewall/events": "analytics",
    "/api/workspace/firewall/runs": "analytics",
    "/api/workspace/firewall/tools": "analytics",
    "/api/workspace/firewall/anomalies": "analytics",
    "/api/v1/firewall": "firewall",
    "/api/ledger": "ledger",
    "/api/log": "analytics",
    "/api/analytics": "analytics",
}


def owner(path: str) -> str | None:
    """The service that owns a path, None when nobody does. Paths with dot segments belong to nobody."""
    segments = path.split("/")
    if "." in segments or ".." in segments:
        return None
    while segments:
        found = ROUTES.get("/".join(segments))
        if found is not None:
            return found
        segments.pop()
    return None
