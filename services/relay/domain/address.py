"""Whether a key accepts the address that a request comes from."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.networks import Address, Network, contains


def allowed(address: Address | None, networks: Sequence[Network]) -> bool:
    """A key without a list accepts any address; with one, only addresses in it."""
    return not networks or (address is not None and contains(networks, address))
