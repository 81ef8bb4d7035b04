"""A relay of the simulation: the real credit gate over a journal model that uses the real fold and recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orca.events.v1.events_pb2 import Envelope
from services.common.errors import RpcUnavailable
from services.common.eventlog import topics
from services.relay.credit import LeaseCreditGate, Orphans
from services.relay.credit.reservation import LeaseReservation
from services.relay.journal.frames import Acquiring, AnyFrame, Finished, Leased, Opened, Released
from services.relay.journal.recovery import settle_lost, spent_of
from services.relay.journal.state import JournalState
from services.relay.ports import KeyEntry
from tests.sim.ledgers import SimLedger
from tests.support.clock import ManualClock


@dataclass
class Disk:
    """What survives a kill: frames in order, and how many were published."""

    frames: list[AnyFrame] = field(default_factory=list)
    published: int = 0

    def spends(self) -> list[Envelope]:
        """All spends in order."""
        found = []
        for frame in self.frames:
            if isinstance(frame, Finished):
                found += [Envelope.FromString(raw) for topic, _, _, raw in frame.records if topic == topics.SPEND]
        return found


class SimJournal:
    """Journal and LeaseLog on a disk that only a test can lose."""

    def __init__(self, disk: Disk, replica_id: str) -> None:
        self._disk = disk
        self._replica_id = replica_id
        self._events = 0
        self._state = JournalState(replica_id)
        for frame in disk.frames:
            self._state.apply(frame)
        for frame in settle_lost(self._state, self._stamp):
            disk.frames.append(frame)

    def orphans(self) -> list[Orphans]:
        """What predecessors left open, as FileJournal tells it."""
        by_replica: dict[str, dict[str, int]] = {}
        for lease_id, mark in self._state.leases.items():
            if mark.replica_id != self._replica_id:
                by_replica.setdefault(mark.replica_id, {})[lease_id] = mark.total
        orphans = [Orphans(replica, leases) for replica, leases in by_replica.items()]
        if self._state.acquires:
            orphans.append(Orphans(self._replica_id, {}, tuple(self._state.acquires.values())))
        return orphans

    def open_attempt(self, request_id: str, envelope: Envelope) -> None:
        envelope.event_id = f"spend_{request_id}"
        self._write(Opened(request_id, 1, envelope.SerializeToString()))

    def finish(self, request_id: str, envelope: Envelope | None) -> None:
        if envelope is None:
            self._write(Finished(request_id, [], []))
            return
        envelope.event_id = f"spend_{request_id}"
        record = (topics.SPEND, envelope.key_id.encode(), "spend", envelope.SerializeToString())
        self._write(Finished(request_id, [record], spent_of(envelope.spend)))

    def acquiring(self, acquire_id: str, request: bytes) -> None:
        self._write(Acquiring(acquire_id, request))

    def leased(self, acquire_id: str, lease_ids: Sequence[str], replica_id: str) -> None:
        self._write(Leased(acquire_id, list(lease_ids), replica_id))

    def released(self, lease_ids: Sequence[str]) -> None:
        self._write(Released(list(lease_ids)))

    def recorded(self, lease_id: str) -> int:
        return self._state.recorded(lease_id)

    def _write(self, frame: AnyFrame) -> None:
        self._disk.frames.append(frame)
        self._state.apply(frame)

    def _stamp(self, envelope: Envelope) -> None:
        self._events += 1
        envelope.event_id = envelope.event_id or f"{self._replica_id}_{self._events}"


@dataclass
class Network:
    """A relay's way to the ledger; `draw` decides each call's fate (0–1), None: no faults."""

    ledger: SimLedger
    draw: Callable[[], float] | None = None
    cut: bool = False

    def __getattr__(self, name: str) -> Any:
        async def method(request: Any, timeout: float, metadata: Any) -> Any:
            del timeout, metadata
            if self.cut:
                raise RpcUnavailable("lost")
            fate = self.draw() if self.draw is not None else 1.0
            if fate < 0.06:
                raise RpcUnavailable("lost")
            answer = await self.ledger.rpc(name, request)
            if fate < 0.12:
                raise RpcUnavailable("lost")
            if fate < 0.2:
                answer = await self.ledger.rpc(name, request)
            return answer

        return method


@dataclass
class Request:
    """One request under way at a relay."""

    request_id: str
    entry: KeyEntry
    worst: int
    cost: int
    refuse: bool
    fate: float
    reservation: LeaseReservation | None = None
    sent: bool = False


class Relay:
    """One incarnation."""

    def __init__(self, name: str, number: int, disk: Disk, network: Network, clock: ManualClock) -> None:
        self.replica_id = f"{name}_{number}"
        self.disk = disk
        self.network = network
        self.clock = clock
        self.journal = SimJournal(disk, self.replica_id)
        self.gate = LeaseCreditGate(network, self.replica_id, clock, lease_log=self.journal, wait_s=0)
        self.gate.adopt(self.journal.orphans())
        self.requests: list[Request] = []
