"""Asks a channel's upstream whether it answers, through the SSRF guard's rules."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx

from orca.auth.v1 import auth_pb2
from services.common.dialing import AddressRefused, GuardedResolver
from services.common.networks import parse_networks

TIMEOUT_S = 10.0


class ChannelProbe:
    """`GET /models` at the channel's base URL; the address dialled is the one that was checked."""

    def __init__(self, allow_cidrs: str) -> None:
        self._resolver = GuardedResolver(parse_networks(allow_cidrs))

    async def test(self, channel: auth_pb2.ChannelRecord) -> dict[str, Any]:
        """`{reachable, status_code?, reason?}`; the reason never holds the upstream's words."""
        parts = urlsplit(channel.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            self._resolver.check_literal(host)
            address = (await self._resolver.resolve(host, port))[0]["host"]
        except AddressRefused:
            return {"reachable": False, "reason": "the address is private; allow it in ORCA_UPSTREAM_ALLOW_CIDRS"}
        except (OSError, TimeoutError, ValueError):
            return {"reachable": False, "reason": "the host name does not resolve"}
        literal = f"[{address}]" if ":" in address else address
        url = f"{parts.scheme}://{literal}:{port}{parts.path.rstrip('/')}/models"
        headers = {"Host": parts.netloc, "Authorization": f"Bearer {channel.api_key}"}
        try:
            # The head is the answer: a body may be of any length, take any time, and be packed a thousandfold.
            async with (
                asyncio.timeout(TIMEOUT_S),
                httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
                client.stream("GET", url, headers=headers, extensions={"sni_hostname": host}) as answer,
            ):
                return {"reachable": True, "status_code": answer.status_code}
        except (httpx.HTTPError, TimeoutError) as error:
            return {"reachable": False, "reason": type(error).__name__}
