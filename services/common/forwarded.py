"""Whose address a request comes from. Pure.

The socket peer, or, when the peer is a trusted proxy, the right-most untrusted hop of `X-Forwarded-For`.
A header from an untrusted peer is never looked at; a hop that is no address ends the walk at the last
trusted one, so that garbage cannot be taken for an allowed address.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from services.common.networks import Address, Network, contains

MAX_HOPS = 32
PEERS_KEPT = 4096


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


# Peers come back; what they claim in headers, of any length, is not kept.
_peer_address = lru_cache(PEERS_KEPT)(parse_address)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """The caller's address; None when the peer itself has none (a Unix socket)."""
    current = _peer_address(peer)
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
