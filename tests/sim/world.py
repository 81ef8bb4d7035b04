"""A seeded world of relays, a ledger, a log and a provider whose bill is the oracle.

A run is a list of operations, each with its own random numbers, so that a failing run shrinks by dropping
operations. Faults: kills (with and without the disk), disks that come back as they were a while ago, lost and repeated
calls, cut-off relays, records that are published twice, redelivered or late, clocks that run at different speeds, and
lost answers of the provider.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from orca.events.v1.events_pb2 import Envelope
from services.common.errors import OrcaError
from services.common.eventlog.ports import ConsumedRecord
from services.ledger.domain.model import Account, Kind
from services.relay.journal.frames import Finished, Opened
from services.relay.ports import KeyEntry
from tests.sim.ledgers import SimLedger, spend_record
from tests.sim.relays import Disk, Network, Relay, Request
from tests.support.clock import ManualClock
from tests.unit.ledger.harness import GRACE_S, TTL_S

WORKSPACE = "ws"
PARTITIONS = 2
Op = tuple[str, float, float, float]

MENU = (
    ("request", 40),
    ("step", 60),
    ("publish", 18),
    ("deliver", 18),
    ("round", 10),
    ("advance", 5),
    ("crash", 2),
    ("lose", 1),
    ("rewind", 2),
    ("restart", 8),
    ("cut", 2),
    ("limit", 2),
    ("sweep", 1),
    ("stop", 1),
)


class Violated(AssertionError):
    """An invariant does not hold."""


def plan(seed: int, length: int = 80) -> list[Op]:
    """The operations of a seed."""
    draw = random.Random(seed)
    names, weights = zip(*MENU, strict=True)
    return [(name, draw.random(), draw.random(), draw.random()) for name in draw.choices(names, weights, k=length)]


@dataclass
class Key:
    """One key, its limits as they are now and as high as they ever were, and what the provider billed for it."""

    number: int
    cap: int | None
    blocked: int | None
    version: int = 1
    cap_max: int | None = None
    blocked_max: int | None = None
    billed: int = 0

    def entry(self) -> KeyEntry:
        record = KeyRecord(
            key_id=f"key_{self.number}",
            workspace_id=WORKSPACE,
            account_id=f"acc_{self.number}",
            version=self.version,
            enabled=True,
        )
        if self.cap is not None:
            record.credit_limit_nano_usd = self.cap
        if self.blocked is not None:
            record.blocked_output_limit_nano_usd = self.blocked
        return KeyEntry(record, WorkspaceRecord(workspace_id=WORKSPACE), ())


@dataclass
class World:
    """Everything, and the invariants."""

    ledger: SimLedger
    ledger_clock: ManualClock
    seed: int
    relays: dict[int, Relay | None] = field(default_factory=dict)
    disks: dict[int, Disk] = field(default_factory=dict)
    networks: dict[int, Network] = field(default_factory=dict)
    clocks: dict[int, tuple[ManualClock, float]] = field(default_factory=dict)
    incarnations: int = 0
    requests: int = 0
    disks_lost: int = 0
    refused_any: bool = False
    log: list[list[ConsumedRecord]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    delivered: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    async def run(self, ops: Sequence[Op]) -> None:
        """Runs the operations, then lets every fault end; checks all along. Raises Violated."""
        draw = random.Random(self.seed ^ 0xC0FFEE)
        self.keys = [
            Key(n, cap, blocked, cap_max=cap, blocked_max=cap if blocked is None else blocked)
            for n, (cap, blocked) in enumerate(
                (draw.randint(300, 900), draw.choice((None, 0, draw.randint(50, 500)))) for _ in range(2)
            )
        ]
        self.workspace_limit = draw.choice((None, draw.randint(500, 1_500)))
        await self.ledger.limit_workspace(WORKSPACE, self.workspace_limit)
        for number in range(3):
            self.disks[number] = Disk()
            self.clocks[number] = (ManualClock(), draw.uniform(0.97, 1.03))
            self.networks[number] = Network(self.ledger, draw.random)
            self._start(number)
        for op in ops:
            await self._do(op)
            for relay in self._running():
                # A killed process goes on with nothing; an answer lost before the kill is the network's doing.
                await relay.gate.refilled()
            await self.check()
        await self._calm()
        await self._check_calm()

    async def _do(self, op: Op) -> None:
        name, first, second, third = op
        number = int(first * 3)
        relay = self.relays[number]
        match name:
            case "request" if relay is not None:
                await self._request(relay, self.keys[int(second * 2)], third)
            case "step":
                busy = [(relay, request) for relay in self._running() for request in relay.requests]
                if busy:
                    await self._step(*busy[int(second * len(busy))])
            case "publish":
                self._publish(number, 1 + int(second * 8), twice=third < 0.2)
            case "deliver":
                late = int(first * 2 * PARTITIONS)
                await self._deliver(1 + int(second * 8), back=int(third * 6), late=late)
            case "round" if relay is not None:
                await _tolerated(relay.gate.round())
            case "advance":
                self._advance(0.1 + second**4 * (TTL_S if third < 0.9 else 2 * GRACE_S))
            case "crash" | "lose" if relay is not None:
                # Everything that was in flight here ends where it is.
                self.relays[number] = None
                if name == "lose":
                    self.disks[number] = Disk()
                    self.disks_lost += 1
            case "rewind" if relay is not None:
                while relay.requests:
                    await self._step(relay, relay.requests[0])
                await relay.gate.refilled()
                self._publish(number, len(self.disks[number].frames), twice=False)
                await self._deliver(sum(map(len, self.log)), back=0, late=int(third * PARTITIONS))
                self._rewind(number, second)
                self._start(number)
                await _tolerated(next(r for r in self._running() if r.disk is self.disks[number]).gate.round())
            case "restart" if relay is None:
                self._start(number)
            case "cut":
                self.networks[number].cut = second < 0.35
            case "limit":
                self._limit(self.keys[int(second * 2)], third)
            case "sweep":
                await self.ledger.sweep()
            case "stop" if relay is not None and not relay.requests:
                await relay.gate.stop(grace_s=0)
                self.relays[number] = None
            case _:
                pass

    def _rewind(self, number: int, chance: float) -> None:
        """The disk comes back without its end, as from a copy: all of it published, no request of it under way.

        Its successor then believes in less use than there was. Only running totals tell: of each lease the last
        spend has been delivered, an earlier one (of another key, in another partition) may still be on its way.
        """
        disk = self.disks[number]
        delivered = [r for log, end in zip(self.log, self.delivered, strict=True) for r in log[:end]]
        told = totals(Envelope.FromString(record.value) for record in delivered)
        known = totals(disk.spends())
        kept = at = len(disk.frames)
        open_: set[str] = set()
        while at > int(len(disk.frames) * chance):
            frame = disk.frames[at - 1]
            if isinstance(frame, Finished):
                if any(told.get(lease_id, 0) < known[lease_id] for lease_id in totals(Disk([frame]).spends())):
                    break
                open_.add(frame.request_id)
            elif isinstance(frame, Opened) and frame.request_id in open_:
                open_.discard(frame.request_id)
            else:
                break
            at -= 1
            kept = kept if open_ else at
        del disk.frames[kept:]
        disk.published = kept

    def _start(self, number: int) -> None:
        self.incarnations += 1
        name, clock = f"relay{number}", self.clocks[number][0]
        self.relays[number] = Relay(name, self.incarnations, self.disks[number], self.networks[number], clock)

    async def _request(self, relay: Relay, key: Key, chance: float) -> None:
        draw = random.Random(chance)
        self.requests += 1
        worst = draw.randint(1, 150)
        request = Request(
            f"req_{self.requests}",
            key.entry(),
            worst,
            draw.choice((worst, draw.randint(0, worst), draw.randint(0, worst))),
            draw.random() < 0.3,
            draw.random(),
        )
        try:
            request.reservation = await relay.gate.reserve(request.entry, worst)
        except OrcaError:
            return
        relay.requests.append(request)

    async def _step(self, relay: Relay, request: Request) -> None:
        """The next stage of a request: sent, then answered, refused, cut off or unknown."""
        reservation = request.reservation
        assert reservation is not None
        if not request.sent:
            try:
                await reservation.top_up(request.worst + int(request.fate * 20))
                if request.refuse:
                    await reservation.cover_refusal(request.worst)
            except OrcaError:
                reservation.cancel()
                relay.requests.remove(request)
                return
            pending = self._envelope(request)
            pending.spend.CopyFrom(reservation.pending())
            relay.journal.open_attempt(request.request_id, pending)
            request.sent = True
            # The provider works from here on, whatever becomes of the relay.
            self._key(request).billed += request.cost
            self.refused_any |= request.refuse
            return
        ended = self._envelope(request)
        rest = reservation.amount_nano_usd - request.cost
        if request.refuse:
            amounts = (0, 0, request.cost)
        elif request.fate < 0.1:
            amounts = (0, reservation.amount_nano_usd, 0)
        elif request.fate < 0.25:
            amounts = (request.cost, int(rest * request.fate), 0)
        else:
            amounts = (request.cost, 0, 0)
        ended.spend.CopyFrom(
            reservation.settle(
                settled_nano_usd=amounts[0],
                unconfirmed_nano_usd=amounts[1],
                blocked_nano_usd=amounts[2],
                overrun_nano_usd=0,
            )
        )
        relay.journal.finish(request.request_id, ended)
        relay.requests.remove(request)

    def _key(self, request: Request) -> Key:
        return next(key for key in self.keys if f"key_{key.number}" == request.entry.key.key_id)

    def _envelope(self, request: Request) -> Envelope:
        key = request.entry.key
        return Envelope(workspace_id=WORKSPACE, key_id=key.key_id, request_id=request.request_id)

    def _limit(self, key: Key, chance: float) -> None:
        """Another cap; what was granted under a higher one may still be spent."""
        key.cap = int((key.cap or 0) * (0.5 + chance * 0.7))
        key.version += 1
        key.cap_max = max(key.cap_max or 0, key.cap)
        key.blocked_max = max(key.blocked_max or 0, key.cap if key.blocked is None else key.blocked)
        for relay in self.relays.values():
            if relay is not None:
                relay.gate.key_changed(key.entry().key)

    def _publish(self, number: int, count: int, *, twice: bool) -> None:
        disk = self.disks[number]
        start = disk.published
        for _ in range(count):
            for envelope in Disk(disk.frames[disk.published : disk.published + 1]).spends():
                self._append(envelope)
            disk.published = min(len(disk.frames), disk.published + 1)
        if twice:
            # The producer was killed before it noted what was published.
            disk.published = start

    def _append(self, envelope: Envelope) -> None:
        partition = int(envelope.key_id[-1]) % PARTITIONS
        self.log[partition].append(spend_record(envelope, partition, len(self.log[partition])))

    async def _deliver(self, count: int, *, back: int, late: int = PARTITIONS) -> None:
        """`late`: the partition, if there is one of this number, that lags behind."""
        records = []
        for partition in (p for p in range(PARTITIONS) if p != late):
            at = max(0, self.delivered[partition] - back)
            records += self.log[partition][at : at + count]
            self.delivered[partition] = max(self.delivered[partition], min(len(self.log[partition]), at + count))
        if records:
            await self.ledger.settle(records)

    def _advance(self, seconds: float) -> None:
        self.ledger_clock.advance(seconds)
        for clock, speed in self.clocks.values():
            clock.advance(seconds * speed)

    async def check(self) -> None:
        """Never over: accounts within their limits, the provider's bill within cap and blocked limit."""
        accounts = await self.ledger.accounts()
        for key in self.keys:
            self._within(accounts.get(f"acc_{key.number}"), key.cap_max, f"key {key.number}")
            self._within(accounts.get(f"acc_{key.number}:blocked"), key.blocked_max, f"refused of key {key.number}")
            bound = (key.cap_max or 0) + ((key.blocked_max or 0) if self.refused_any else 0)
            if key.billed > bound:
                raise Violated(f"the provider billed {key.billed} for key {key.number}, more than {bound}")
        self._within(accounts.get(WORKSPACE), self.workspace_limit, "workspace")

    @staticmethod
    def _within(account: Account | None, limit: int | None, name: str) -> None:
        if account is None or limit is None:
            return
        amounts = account.amounts
        counted = amounts.settled + amounts.held + amounts.unconfirmed + amounts.forfeited
        if counted + (amounts.blocked if account.kind is Kind.WORKSPACE else 0) > limit:
            raise Violated(f"{name}: {amounts} exceeds {limit}")
        if min(amounts.held, amounts.settled, amounts.unconfirmed, amounts.forfeited, amounts.blocked) < 0:
            raise Violated(f"{name}: {amounts} has a negative amount")
        if amounts.overrun:
            raise Violated(f"{name}: {amounts} has an overrun though the provider kept to every bound")

    async def _calm(self) -> None:
        """All faults end: relays come back, finish, publish and stop cleanly; lost disks' leases run out."""
        for number, network in self.networks.items():
            network.draw, network.cut = None, False
            if self.relays[number] is None:
                self._start(number)
        for relay in self._running():
            while relay.requests:
                await self._step(relay, relay.requests[0])
        self._advance(5)
        for _ in range(3):
            for relay in self._running():
                await relay.gate.round()
        for relay in self._running():
            await relay.gate.stop(grace_s=0)
        for number in self.relays:
            self._publish(number, len(self.disks[number].frames), twice=False)
        while any(self.delivered[p] < len(self.log[p]) for p in range(PARTITIONS)):
            await self._deliver(50, back=0)

    def _running(self) -> Iterator[Relay]:
        return (relay for relay in self.relays.values() if relay is not None)

    async def _check_calm(self) -> None:
        await self.check()
        if self.disks_lost:
            # What a lost disk knew is held until it is forfeited, and never given back by a guess.
            self._advance(TTL_S + GRACE_S + 1)
            await self.ledger.sweep()
            await self.check()
        accounts = await self.ledger.accounts()
        for account_id, account in accounts.items():
            amounts = account.amounts
            if amounts.held:
                raise Violated(f"{account_id}: {amounts.held} is stranded after a clean stop")
            if amounts.forfeited and not self.disks_lost:
                raise Violated(f"{account_id}: {amounts.forfeited} was forfeited though no disk was lost")
        self._check_bill(accounts)

    def _check_bill(self, accounts: Mapping[str, Account]) -> None:
        for key in self.keys:
            account = accounts.get(f"acc_{key.number}", Account(Kind.KEY, None))
            refused = accounts.get(f"acc_{key.number}:blocked", Account(Kind.BLOCKED, None))
            amounts = account.amounts
            booked = amounts.settled + amounts.blocked
            most = booked + amounts.unconfirmed + amounts.forfeited + refused.amounts.forfeited
            if not booked <= key.billed <= most + amounts.overrun:
                raise Violated(f"key {key.number} was billed {key.billed}, booked {booked}, at most {most}")


def totals(spends: Iterable[Envelope]) -> dict[str, int]:
    """The highest running total of each lease that these spends name."""
    found: dict[str, int] = {}
    for envelope in spends:
        spend = envelope.spend
        for position in (spend.key_lease, spend.blocked_lease, spend.workspace_lease):
            if position.lease_id:
                total = max(found.get(position.lease_id, 0), position.running_total_nano_usd)
                found[position.lease_id] = total
    return found


async def _tolerated(call: Awaitable[None]) -> None:
    """The background's errors are logged and tried again."""
    with contextlib.suppress(OrcaError):
        await call
