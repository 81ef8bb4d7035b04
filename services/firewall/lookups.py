"""Addresses of host names, for rules with `resolve_names`: bounded in time, remembered briefly, failures too.

Only names that a rule's own allow-list admits are asked about, so that a look-up cannot carry data out.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from services.common.clock import Clock
from services.firewall.domain.egress import Lookups
from services.firewall.domain.hosts import Address

TIMEOUT_S = 0.2
REMEMBER_S = 30.0
NAMES_MAX = 4096
AT_ONCE_MAX = 32
ADDRESSES_MAX = 64

Resolve = Callable[[str], Awaitable[Sequence[Address]]]


async def system_addresses(name: str) -> Sequence[Address]:
    """What the host's resolver says. Raises OSError."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos[:ADDRESSES_MAX]]


class NameLookups:
    """A cache in front of a resolver."""

    def __init__(self, clock: Clock, resolve: Resolve = system_addresses) -> None:
        self._clock = clock
        self._resolve = resolve
        self._known: dict[str, tuple[float, Sequence[Address] | None]] = {}

    async def find(self, names: Sequence[str]) -> Lookups:
        """Addresses by name; None where the look-up failed or was late, or there were too many names."""
        now_s = self._clock.monotonic_s()
        missing = [name for name in names if self._known.get(name, (0.0, None))[0] <= now_s][:AT_ONCE_MAX]
        if missing:
            found = await asyncio.gather(*map(self._look_up, missing))
            if len(self._known) + len(missing) > NAMES_MAX:
                self._known.clear()
            self._known |= {name: (now_s + REMEMBER_S, item) for name, item in zip(missing, found, strict=True)}
        return {name: self._known[name][1] if name in self._known else None for name in names}

    async def _look_up(self, name: str) -> Sequence[Address] | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._resolve(name)
        except (OSError, TimeoutError, ValueError):
            return None
