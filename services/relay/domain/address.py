"""Whose address a request comes from, and whether a key accepts it.

The socket peer, or, when the peer is a trusted proxy, the right-most untrusted hop of `X-Forwarded-For`.
A header from an untrusted peer is never looked at; a hop that is no address ends the walk at the last
trusted one, so that garbage cannot be taken for an allowed address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOPS = 32


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses and CIDRs. Raises ValueError naming the entry."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def parse_address(text: str) -> Address | None:
    """An address as proxies write it: brackets, ports, zone ids and mapped IPv4 are undone."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def contains(networks: Iterable[Network], address: Address) -> bool:
    """The address lies in one of the networks."""
    return any(network.version == address.version and address in network for network in networks)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """The caller's address; None when the peer itself has none (a Unix socket)."""
    current = parse_address(peer)
    if current is None or not trusted or not contains(trusted, current):
        return current
    hops = [hop for line in forwarded_for for hop in line.split(",")]
    for hop in reversed(hops[-MAX_HOPS:]):
        address = parse_address(hop)
        if address is None:
            return current
        current = address
        if not contains(trusted, current):
            return current
    return current


def allowed(address: Address | None, networks: Sequence[Network]) -> bool:
    """A key without a list accepts any address; with one, only addresses in it."""
    return not networks or (address is not None and contains(networks, address))
