"""The SSRF guard of every outbound call whose destination a tenant or operator names.

Names are resolved here, every address is checked, and only checked addresses are handed to the dialler, so
that what was checked is what is dialled. Callers follow no redirect without asking again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from services.common.networks import Network, may_dial

MAX_ADDRESSES = 16
RESOLVE_TIMEOUT_S = 5.0


class AddressRefused(OSError):
    """The name resolves to an address that may not be dialled."""


class GuardedResolver(AbstractResolver):
    """Resolves a name and returns only addresses that may be dialled; any other one refuses the name."""

    def __init__(self, allowed: Sequence[Network], *, public: bool = True) -> None:
        """`allowed`: private ranges that may be dialled; `public=False` allows those alone."""
        self._allowed = tuple(allowed)
        self._public = public

    def check_literal(self, host: str) -> None:
        """Refuses a host that is itself a forbidden address; names pass. The dialler skips resolvers for literals."""
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return
        if not may_dial(address, self._allowed, public=self._public):
            raise AddressRefused(f"{host} is not an address that may be dialled")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Checked addresses of a name. Raises OSError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for found, _, proto, _, address in infos[:MAX_ADDRESSES]:
            dialled = str(address[0])
            if not may_dial(ip_address(dialled.partition("%")[0]), self._allowed, public=self._public):
                raise AddressRefused(f"{host} resolves to an address that may not be dialled")
            results.append(
                ResolveResult(
                    hostname=host, host=dialled, port=port, family=found, proto=proto, flags=socket.AI_NUMERICHOST
                )
            )
        if not results:
            raise OSError(f"{host} has no address")
        return results

    async def close(self) -> None:
        """Nothing to close."""
