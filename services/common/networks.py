"""Addresses that a process may dial when a tenant or an operator names the destination. Pure.

Anything that is not a public unicast address is refused unless it lies in an allowed range; addresses that
embed an IPv4 address (mapped, 6to4, Teredo, NAT64) are judged by that one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses and CIDRs. Raises ValueError naming the entry."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def contains(networks: Iterable[Network], address: Address) -> bool:
    """The address lies in one of the networks."""
    return any(network.version == address.version and address in network for network in networks)


def may_dial(address: Address, allowed: Sequence[Network], *, public: bool = True) -> bool:
    """The address is in an allowed range or, with `public`, on the public Internet."""
    if contains(allowed, address):
        return True
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return may_dial(inner, allowed, public=public)
    return public and address.is_global and not address.is_multicast and not address.is_reserved


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
