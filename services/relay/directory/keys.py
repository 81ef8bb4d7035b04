"""The snapshot of keys: synchronous, fed with records, indexed by the secret's HMAC.

A tombstone removes; an older version never replaces a newer one; a key is usable once its workspace is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from services.relay.ports import KeyEntry

Networks = tuple[IPv4Network | IPv6Network, ...]
# Matches no client: a list whose entries cannot be read must not become "any address".
_NOWHERE: Networks = (IPv6Network("100::/128"),)


def networks(allow_ips: Iterable[str]) -> Networks:
    """The address list, parsed; empty means any. Unreadable entries match nothing."""
    listed = tuple(allow_ips)
    parsed: list[IPv4Network | IPv6Network] = []
    for text in listed:
        try:
            parsed.append(ip_network(text, strict=False))
        except ValueError:
            continue
    return tuple(parsed) if parsed or not listed else _NOWHERE


@dataclass(frozen=True, slots=True)
class _Known:
    record: KeyRecord
    networks: Networks
    revision: int


class KeyTable:
    """Keys and workspaces at one revision."""

    def __init__(self) -> None:
        self.entries: dict[bytes, KeyEntry] = {}
        self.revision = 0
        self._keys: dict[str, _Known] = {}
        self._workspaces: dict[str, WorkspaceRecord] = {}
        self._members: dict[str, set[str]] = {}

    def put_workspace(self, record: WorkspaceRecord) -> None:
        """Applies a workspace record, also to the entries of its keys."""
        held = self._workspaces.get(record.workspace_id)
        if held is not None and held.version > record.version:
            return
        self._workspaces[record.workspace_id] = record
        for key_id in self._members.get(record.workspace_id, ()):
            self._index(self._keys[key_id])

    def put_key(self, record: KeyRecord, revision: int = 0) -> KeyRecord | None:
        """Applies a key record; what it replaced, None when it was new or older than what is held."""
        held = self._keys.get(record.key_id)
        if held is not None:
            if held.record.version > record.version:
                return None
            self._forget(held)
        if not record.deleted:
            known = _Known(record, networks(record.allow_ips), revision)
            self._keys[record.key_id] = known
            self._members.setdefault(record.workspace_id, set()).add(record.key_id)
            self._index(known)
        return held.record if held is not None else None

    def adopt_newer(self, other: KeyTable) -> None:
        """Takes over keys that were resolved one by one after this table's revision."""
        for known in other._keys.values():
            if known.revision > self.revision:
                workspace = other._workspaces.get(known.record.workspace_id)
                if workspace is not None:
                    self.put_workspace(workspace)
                self.put_key(known.record, known.revision)

    def records(self) -> dict[str, KeyRecord]:
        """All keys by id."""
        return {key_id: known.record for key_id, known in self._keys.items()}

    def by_id(self, key_id: str) -> KeyEntry | None:
        """The key's entry, once its workspace is known."""
        known = self._keys.get(key_id)
        return None if known is None else self.entries.get(known.record.secret_hash)

    def workspace(self, workspace_id: str) -> WorkspaceRecord | None:
        """One workspace."""
        return self._workspaces.get(workspace_id)

    def workspace_ids(self) -> tuple[str, ...]:
        """All workspaces."""
        return tuple(self._workspaces)

    def _index(self, known: _Known) -> None:
        workspace = self._workspaces.get(known.record.workspace_id)
        if workspace is None or not known.record.secret_hash:
            return
        self.entries[known.record.secret_hash] = KeyEntry(known.record, workspace, known.networks)

    def _forget(self, known: _Known) -> None:
        record = known.record
        del self._keys[record.key_id]
        self._members[record.workspace_id].discard(record.key_id)
        entry = self.entries.get(record.secret_hash)
        if entry is not None and entry.key.key_id == record.key_id:
            del self.entries[record.secret_hash]
