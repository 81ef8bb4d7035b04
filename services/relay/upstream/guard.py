"""The SSRF guard of channels' base URLs: addresses are checked after resolution and only those are dialled.

Anything that is not a public unicast address is refused unless it lies in `ORCA_UPSTREAM_ALLOW_CIDRS`;
addresses that embed an IPv4 address (mapped, 6to4, Teredo, NAT64) are judged by that one too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from services.relay.domain.address import Address, Network, contains

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
MAX_ADDRESSES = 16
RESOLVE_TIMEOUT_S = 5.0


class AddressRefused(OSError):
    """The name resolves to an address that channels may not dial."""


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def may_dial(address: Address, allowed: Sequence[Network]) -> bool:
    """The address is public, or explicitly allowed."""
    if contains(allowed, address):
        return True
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return may_dial(inner, allowed)
    return address.is_global and not address.is_multicast and not address.is_reserved


class GuardedResolver(AbstractResolver):
    """Resolves a name and returns only addresses that may be dialled; any other one refuses the name."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)

    def check_literal(self, host: str) -> None:
        """Refuses a host that is itself a forbidden address; names pass. The dialler skips resolvers for literals."""
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return
        if not may_dial(address, self._allowed):
            raise AddressRefused(f"{host} is not an address that channels may dial")

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
            if not may_dial(ip_address(dialled.partition("%")[0]), self._allowed):
                raise AddressRefused(f"{host} resolves to an address that channels may not dial")
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
