"""Asks a channel's upstream whether it answers, through the SSRF guard's rules."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx

from orca.auth.v1 import auth_pb2

TIMEOUT_S = 10.0


class ChannelProbe:
    """`GET /models` at the channel's base URL; the address dialled is the one that was checked."""

    def __init__(self, allow_cidrs: str) -> None:
        self._allowed = [ipaddress.ip_network(item.strip()) for item in allow_cidrs.split(",") if item.strip()]

    async def test(self, channel: auth_pb2.ChannelRecord) -> dict[str, Any]:
        """`{reachable, status_code?, reason?}`; the reason never holds the upstream's words."""
        parts = urlsplit(channel.base_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            address = await self._resolve(host, port)
        except OSError:
            return {"reachable": False, "reason": "the host name does not resolve"}
        if address is None:
            return {"reachable": False, "reason": "the address is private; allow it in ORCA_UPSTREAM_ALLOW_CIDRS"}
        literal = f"[{address}]" if ":" in address else address
        url = f"{parts.scheme}://{literal}:{port}{parts.path.rstrip('/')}/models"
        headers = {"Host": parts.netloc, "Authorization": f"Bearer {channel.api_key}"}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
                answer = await client.get(url, headers=headers, extensions={"sni_hostname": host})
        except httpx.HTTPError as error:
            return {"reachable": False, "reason": type(error).__name__}
        return {"reachable": True, "status_code": answer.status_code}

    async def _resolve(self, host: str, port: int) -> str | None:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            address = ipaddress.ip_address(str(place[0]).partition("%")[0])
            allowed = any(address in network for network in self._allowed if network.version == address.version)
            if not (allowed or address.is_global):
                return None
        return str(found[0][4][0]) if found else None
