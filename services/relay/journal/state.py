"""What the journal's frames add up to: open attempts, leases and acquires. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.relay.journal.frames import (
    Acquiring,
    AnyFrame,
    Carried,
    Finished,
    Leased,
    LeaseMark,
    Opened,
    Released,
    Spent,
)


class JournalState:
    """Fold of a journal. Requests, attempts and leases that ended take no room."""

    def __init__(self, replica_id: str = "") -> None:
        self.replica_id = replica_id
        self.open: dict[str, dict[int, bytes]] = {}
        self.leases: dict[str, LeaseMark] = {}
        self.acquires: dict[str, bytes] = {}

    def apply(self, frame: AnyFrame) -> None:
        """Moves on by one frame."""
        match frame:
            case Finished():
                self.finished(frame.request_id, frame.spent)
            case Opened():
                self.open.setdefault(frame.request_id, {})[frame.attempt] = frame.envelope
            case Acquiring():
                self.acquires[frame.acquire_id] = frame.request
            case Leased():
                self.acquires.pop(frame.acquire_id, None)
                for lease_id in frame.lease_ids:
                    self.leases.setdefault(lease_id, LeaseMark(frame.replica_id))
            case Released():
                for lease_id in frame.lease_ids:
                    self.leases.pop(lease_id, None)
            case Carried():
                self.replica_id = frame.replica_id
                self.open = {request_id: dict(attempts) for request_id, attempts in frame.open.items()}
                self.leases = dict(frame.leases)
                self.acquires = dict(frame.acquires)

    def finished(self, request_id: str, spent: Iterable[Spent]) -> None:
        """A request ended with these spends."""
        self.open.pop(request_id, None)
        for lease_id, sequence, amount in spent:
            self.record(lease_id, sequence, amount)

    def record(self, lease_id: str, sequence: int, amount: int) -> None:
        """Counts one spend under a lease."""
        mark = self.leases.get(lease_id)
        if mark is None:
            mark = self.leases[lease_id] = LeaseMark(self.replica_id)
        mark.total += amount
        mark.beyond.append(sequence)
        while mark.contiguous + 1 in mark.beyond:
            mark.contiguous += 1
            mark.beyond.remove(mark.contiguous)

    def next_sequence(self, lease_id: str) -> int:
        """The lowest number no recorded spend of the lease has: a lost spend's own, or the next."""
        mark = self.leases.get(lease_id)
        return mark.contiguous + 1 if mark is not None else 1

    def recorded(self, lease_id: str) -> int:
        """How many spends of the lease are recorded."""
        mark = self.leases.get(lease_id)
        return mark.contiguous + len(mark.beyond) if mark is not None else 0

    def carried(self, replica_id: str) -> Carried:
        """The state as the head of a new segment."""
        return Carried(replica_id, self.open, self.leases, self.acquires)
