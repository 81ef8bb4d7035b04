"""`egress`: lists of destinations, compiled once, and what each kind of verdict asks of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from services.firewall.domain.destinations import Destination
from services.firewall.domain.hosts import Address, Host, Network, host_of, is_private, read_host
from services.firewall.domain.model import Egress

ENTRIES_MAX = 1000
ENTRY_CHARS_MAX = 260

Lookups = Mapping[str, Sequence[Address] | None]
"""Name → addresses it has now; None or absent: the look-up failed."""


class HostList:
    """One list. Raises ValueError with the entry's position when one cannot be read."""

    __slots__ = ("_any", "_names", "_networks", "_private", "_suffixes", "empty")

    def __init__(self, entries: Sequence[str]) -> None:
        self.empty = not entries
        self._any = "*" in entries
        self._private = "private" in entries
        self._names: set[str] = set()
        self._suffixes: tuple[str, ...] = ()
        self._networks: tuple[Network, ...] = ()
        for index, entry in enumerate(entries):
            if entry not in ("*", "private"):
                try:
                    self._add(entry.strip())
                except ValueError as error:
                    raise ValueError(f"{index}: {error}") from None

    def _add(self, entry: str) -> None:
        if "/" in entry:
            try:
                self._networks += (ipaddress.ip_network(entry, strict=False),)
            except ValueError:
                raise ValueError("must be an address range such as 10.0.0.0/8") from None
            return
        suffix = entry.startswith("*.")
        host = read_host(entry[2:] if suffix else entry)
        if host is None or "*" in host.name or (suffix and host.address is not None):
            raise ValueError("must be a host name, *.example.com, an address, a range or private")
        if host.address is not None:
            self._networks += (ipaddress.ip_network(host.address),)
        elif suffix:
            self._suffixes += ("." + host.name,)
        else:
            self._names.add(host.name)

    def names(self, name: str) -> bool:
        """A host name that is listed."""
        return self._any or name in self._names or name.endswith(self._suffixes or ("\0",))

    def holds(self, address: Address) -> bool:
        """An address that is listed."""
        if self._any or (self._private and is_private(address)):
            return True
        return any(address in network for network in self._networks)

    def surely(self, destination: Destination) -> bool:
        """Listed beyond doubt: by its name or by its own address."""
        if self._any or (self._private and destination.private):
            return True
        host = destination.host
        if host is None:
            return False
        return self.holds(host.address) if host.address is not None else self.names(host.name)

    def perhaps(self, destination: Destination) -> bool:
        """Listed in any reading: also an address that the host hides."""
        host = destination.host
        return self.surely(destination) or (host is not None and any(map(self.holds, host.readings)))


class CompiledEgress:
    """Both lists. Raises ValueError with `allow.N:` or `deny.N:` in front."""

    __slots__ = ("_resolve", "allow", "deny")

    def __init__(self, egress: Egress) -> None:
        self._resolve = egress.resolve_names
        lists = []
        for name, entries in (("allow", egress.allow), ("deny", egress.deny)):
            try:
                lists.append(HostList(entries))
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        self.allow, self.deny = lists

    def admits(self, destination: Destination, lookups: Lookups) -> bool:
        """For allow and audit: in `allow`, not in `deny`, no doubt."""
        if destination.refused or not self.allow.surely(destination) or self.deny.perhaps(destination):
            return False
        return self._resolves_well(destination.host, lookups)

    def restricts(self, destination: Destination, lookups: Lookups) -> bool:
        """For the other verdicts: in `deny`, or outside a non-empty `allow`, or doubtful."""
        if destination.refused or self.deny.perhaps(destination):
            return True
        if self.allow.empty:
            return False
        return not self.allow.surely(destination) or not self._resolves_well(destination.host, lookups)

    def to_resolve(self, destination: Destination) -> str:
        """The name to look up before judging, if any: only one that a non-empty `allow` admits."""
        host = destination.host
        if not self._resolve or host is None or host.address is not None or destination.refused:
            return ""
        return host.name if not self.allow.empty and self.allow.names(host.name) else ""

    @property
    def resolves(self) -> bool:
        """Names may have to be looked up."""
        return self._resolve and not self.allow.empty

    def _resolves_well(self, host: Host | None, lookups: Lookups) -> bool:
        if not self._resolve or host is None or host.address is not None:
            return True
        addresses = lookups.get(host.name)
        if not addresses:
            return False
        for address in addresses:
            found = host_of(address)
            if any(map(self.deny.holds, found.readings)):
                return False
            # A public name that leads inside is the classic way around a list of names.
            if found.private and not any(map(self.allow.holds, found.readings)):
                return False
        return True
