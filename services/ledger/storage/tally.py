"""A batch of spends booked in memory: one change per account, one new position per lease.

What an account or a lease takes does not depend on the order of its spends as long as they fit the lease; where
they do not, they are booked one by one, in the batch's order, and the excess is an overrun of its event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.ledger.domain.model import Amounts, Kind, Lease, blocked_account
from services.ledger.domain.settlement import Spent, added_up, spend, spend_together, spend_unleased
from services.ledger.events import Movement
from services.ledger.storage.leases import close_movement
from services.ledger.storage.rows import lease_of

PARTS = ("settled", "unconfirmed", "blocked", "overrun")
PART_COLUMNS = (*PARTS, *(f"workspace_{name}" for name in PARTS), "blocked_counted")
"""An entry's columns for its parts on the key's, the workspace's and the refused answers' account."""


class Position(NamedTuple):
    """A lease's place after a spend."""

    lease_id: str
    running_total: int


class SpendEvent(NamedTuple):
    """One spend as consumed; amounts in nano-USD."""

    event_id: str
    workspace_id: str
    account_id: str
    key_id: str
    request_id: str
    model: str
    occurred_at_us: int
    estimated: bool
    spent: Spent
    key_lease: Position | None
    workspace_lease: Position | None
    blocked_lease: Position | None = None

    @property
    def positions(self) -> Iterable[Position]:
        """Its places under leases."""
        return (p for p in (self.key_lease, self.blocked_lease, self.workspace_lease) if p is not None)

    @property
    def accounts(self) -> list[tuple[Kind, str, Position | None]]:
        """The accounts it moves, each with its place there, None without a lease."""
        found = [
            (Kind.KEY, self.account_id, self.key_lease),
            (Kind.WORKSPACE, self.workspace_id, self.workspace_lease),
        ]
        if self.spent.blocked or self.blocked_lease is not None:
            found.append((Kind.BLOCKED, blocked_account(self.account_id), self.blocked_lease))
        return found


class Tally:
    """Books one batch."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        """`rows`: leases, locked."""
        self._rows = rows
        self._leases = {lease_id: lease_of(row) for lease_id, row in rows.items()}
        self._before = dict(self._leases)
        self._parts: dict[str, dict[Kind, Amounts]] = {}
        """Event id → what accounts took of it, where that is less than the event says."""
        self.changes: dict[tuple[Kind, str], Amounts] = {}
        self.overruns: list[Movement] = []

    def book(self, events: Sequence[SpendEvent]) -> list[tuple[str, dict[str, int]]]:
        """Books events of different ids; corrections of the entries of which an account took less than they say."""
        groups: dict[tuple[Kind, str, str], list[tuple[SpendEvent, int]]] = {}
        for event in events:
            for kind, account_id, position in event.accounts:
                lease_id, running_total = position or ("", 0)
                groups.setdefault((kind, account_id, lease_id), []).append((event, running_total))
        for (kind, account_id, lease_id), group in groups.items():
            change = self._on(kind, account_id, lease_id, group)
            known = self.changes.get((kind, account_id))
            self.changes[kind, account_id] = change if known is None else known + change
        return [(event.event_id, self._entry(event)) for event in events if event.event_id in self._parts]

    def _on(self, kind: Kind, account_id: str, lease_id: str, group: Sequence[tuple[SpendEvent, int]]) -> Amounts:
        """Books on one account, under one lease or none."""
        row = self._rows.get(lease_id)
        total = added_up(event.spent for event, _ in group)
        if row is None or row.account_id != account_id:
            return spend_unleased(kind, total)
        lease = self._leases[lease_id]
        together = spend_together(lease, total, max(running_total for _, running_total in group))
        if together is not None:
            self._leases[lease_id], change = together
            return change
        changes = Amounts()
        for event, running_total in group:
            lease, change = spend(lease, event.spent, running_total)
            changes += change
            excess = change.overrun - (event.spent.overrun if kind is not Kind.BLOCKED else 0)
            if excess:
                self.overruns.append(_overrun(kind, event, account_id, row, excess))
                self._parts.setdefault(event.event_id, {})[kind] = change
        self._leases[lease_id] = lease
        return changes

    def _entry(self, event: SpendEvent) -> dict[str, int]:
        parts = self._parts[event.event_id]

        def on(kind: Kind) -> Amounts:
            return parts.get(kind) or spend_unleased(kind, event.spent)

        return entry_parts(on(Kind.KEY), on(Kind.WORKSPACE), on(Kind.BLOCKED).settled)

    def changed(self) -> dict[str, Lease]:
        """Leases that moved."""
        return {lease_id: lease for lease_id, lease in self._leases.items() if lease != self._before[lease_id]}

    def closes(self, changed: Mapping[str, Lease]) -> list[Movement]:
        """Closes that waited for a missing spend and came through with this batch."""
        return [
            close_movement(self._rows[lease_id], self._before[lease_id], lease)
            for lease_id, lease in changed.items()
            if lease.returned != self._before[lease_id].returned
        ]


def entry_parts(key: Amounts, workspace: Amounts, counted: int) -> dict[str, int]:
    """An entry's columns for its parts on the three accounts."""
    values = [getattr(amounts, name) for amounts in (key, workspace) for name in PARTS]
    return dict(zip(PART_COLUMNS, [*values, counted], strict=True))


def _overrun(kind: Kind, event: SpendEvent, account_id: str, row: Any, excess: int) -> Movement:
    """Spend beyond what its lease still tied up: in the topic, since it depends on what came before it."""
    return Movement(
        "overrun",
        event.workspace_id,
        account_id,
        kind.value,
        amount=excess,
        key_id=event.key_id,
        lease_id=row.id,
        entry_id=event.event_id,
    )
