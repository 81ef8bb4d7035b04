"""The journal survives a kill at any byte: what was answered is published, what was open is settled as unknown."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from orca.events.v1.events_pb2 import Decision, Envelope, LeasePosition, Spend
from orca.ledger.v1.ledger_pb2 import AcquireRequest
from services.common.errors import Unavailable
from services.common.eventlog import topics
from services.common.eventlog.ports import LogUnavailable, OutRecord
from services.relay.journal import FileJournal
from services.relay.journal.frames import AnyFrame, Finished, Opened, encode, scan
from services.relay.journal.recovery import settle_lost
from services.relay.journal.segments import JournalLocked
from services.relay.journal.state import JournalState
from services.relay.ports import KeyEntry, OpenAttempt
from tests.support.clock import ManualClock

RESERVED = 100


@dataclass
class FakeProducer:
    """Keeps what it is sent; refuses while `down`."""

    down: bool = False
    sent: list[OutRecord] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: Sequence[OutRecord]) -> None:
        if self.down:
            raise LogUnavailable("down")
        self.sent += records

    def spends(self) -> dict[str, Spend]:
        """Spends by request, each once however often it was sent. Two different ones for one id fail."""
        found: dict[str, tuple[str, Spend]] = {}
        for record in self.sent:
            if record.topic == topics.SPEND:
                envelope = Envelope.FromString(record.value)
                known = found.setdefault(envelope.request_id, (envelope.event_id, envelope.spend))
                assert known == (envelope.event_id, envelope.spend)
        return {request_id: spend for request_id, (_, spend) in found.items()}


def spend_of(
    lease: str, *, settled: int = 0, unconfirmed: int = 0, blocked: int = 0, at: tuple[int, int] = (0, 0)
) -> Spend:
    position = LeasePosition(lease_id=lease, sequence=at[0], running_total_nano_usd=at[1])
    return Spend(
        account_id="acc", reservation_nano_usd=RESERVED, settled_nano_usd=settled, unconfirmed_nano_usd=unconfirmed,
        blocked_nano_usd=blocked, key_lease=position,
    )  # fmt: skip


def attempt(request_id: str, lease: str = "lease_1") -> OpenAttempt:
    envelope = Envelope(
        workspace_id="ws", key_id="key", request_id=request_id, spend=spend_of(lease, unconfirmed=RESERVED)
    )
    return OpenAttempt(request_id, 1, envelope)


def ended(request_id: str, settled: int, at: tuple[int, int]) -> list[tuple[str, bytes, Envelope]]:
    spend = Envelope(
        workspace_id="ws", key_id="key", request_id=request_id, spend=spend_of("lease_1", settled=settled, at=at)
    )
    decision = Envelope(workspace_id="ws", key_id="key", request_id=request_id, decision=Decision(outcome="allow"))
    return [(topics.DECISIONS, b"key", decision), (topics.SPEND, b"key", spend)]


def journal(path: Path, producer: FakeProducer, replica: str = "relay_2", bytes_max: int = 1 << 30) -> FileJournal:
    return FileJournal(path, producer, replica_id=replica, clock=ManualClock(), bytes_max=bytes_max)


async def history(path: Path) -> None:
    """A short life: one lease, two answered requests, one open, one acquire without an answer; then a kill."""
    first = journal(path, FakeProducer(down=True), "relay_1")
    await first.start()
    first.acquiring("acq_1", AcquireRequest(acquire_id="acq_1", replica_id="relay_1").SerializeToString())
    first.leased("acq_1", ["lease_1"], "relay_1")
    first.open_attempt(attempt("req_1"))
    first.open_attempt(attempt("req_2"))
    first.finish("req_1", ended("req_1", 30, (1, 30)))
    first.open_attempt(attempt("req_3"))
    first.finish("req_2", ended("req_2", 5, (2, 35)))
    first.acquiring("acq_2", AcquireRequest(acquire_id="acq_2", replica_id="relay_1").SerializeToString())
    await kill(first)


async def kill(journal: FileJournal) -> None:
    """Ends the process's tasks and lets go of the files, without a last word."""
    for task in (journal._ticking, journal._publisher._task):
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    journal._segments.close()


async def recovered(path: Path) -> tuple[FakeProducer, FileJournal]:
    """A successor that has published all there is, and was stopped."""
    producer = FakeProducer()
    successor = journal(path, producer)
    await successor.start()
    await successor.stop()
    return producer, successor


def last_segment(path: Path) -> Path:
    return max(path.glob("*.journal"))


def frames_before(data: bytes, cut: int) -> list[AnyFrame]:
    return [frame for frame, end in scan(data) if end <= cut]


class TestKill:
    async def test_at_every_byte(self, tmp_path: Path) -> None:
        whole = tmp_path / "whole"
        await history(whole)
        segment = last_segment(whole)
        data = segment.read_bytes()
        frames = list(scan(data))
        assert len(frames) == 9 and frames[-1][1] == len(data)
        for cut in range(len(data) + 1):
            kept = frames_before(data, cut)
            path = tmp_path / f"cut_{cut}"
            shutil.copytree(whole, path)
            # A killed process leaves the rest of its segment's room as zeros.
            (path / segment.name).write_bytes(data[:cut] + bytes(64 * (cut % 2)))
            producer, successor = await recovered(path)
            self._check(kept, producer, successor)
            shutil.rmtree(path)

    async def test_with_its_segment_still_open(self, tmp_path: Path) -> None:
        copied = tmp_path / "copied"
        running = journal(tmp_path / "running", FakeProducer(down=True), "relay_1")
        await running.start()
        running.finish("req_1", ended("req_1", 30, (1, 30)))
        shutil.copytree(tmp_path / "running", copied)
        await kill(running)
        producer, _ = await recovered(copied)
        assert producer.spends() == {"req_1": spend_of("lease_1", settled=30, at=(1, 30))}
        assert sum(path.stat().st_size for path in copied.glob("*.journal")) < 10_000

    @staticmethod
    def _check(kept: list[AnyFrame], producer: FakeProducer, successor: FileJournal) -> None:
        opened = {frame.request_id for frame in kept if isinstance(frame, Opened)}
        finished = {frame.request_id for frame in kept if isinstance(frame, Finished)}
        spends = producer.spends()
        assert spends.keys() == opened
        for request_id in finished:
            assert spends[request_id].unconfirmed_nano_usd == 0
        for request_id in opened - finished:
            assert (spends[request_id].settled_nano_usd, spends[request_id].unconfirmed_nano_usd) == (0, RESERVED)
        used = sum(spend.settled_nano_usd + spend.unconfirmed_nano_usd for spend in spends.values())
        numbers = sorted(spend.key_lease.sequence for spend in spends.values())
        assert numbers == list(range(1, len(spends) + 1))
        if spends:
            assert max(spend.key_lease.running_total_nano_usd for spend in spends.values()) == used
        leases = {lease: total for orphans in successor.orphans() for lease, total in orphans.leases.items()}
        assert leases.get("lease_1", 0) == used

    async def test_a_second_kill_during_recovery_settles_nothing_twice(self, tmp_path: Path) -> None:
        await history(tmp_path)
        half = journal(tmp_path, FakeProducer(down=True), "relay_2")
        await half.start()
        await kill(half)
        producer, successor = await recovered(tmp_path)
        self._check_totals(producer, successor)

    async def test_what_was_published_already_may_come_again_but_never_different(self, tmp_path: Path) -> None:
        await history(tmp_path)
        producer = FakeProducer()
        for replica in ("relay_2", "relay_3", "relay_4"):
            successor = journal(tmp_path, producer, replica)
            await successor.start()
            await asyncio.sleep(0)
            await kill(successor)
        last = journal(tmp_path, producer, "relay_5")
        await last.start()
        await last.stop()
        self._check_totals(producer, last)

    @staticmethod
    def _check_totals(producer: FakeProducer, successor: FileJournal) -> None:
        spends = producer.spends()
        amounts = {name: (s.settled_nano_usd, s.unconfirmed_nano_usd) for name, s in spends.items()}
        assert amounts == {"req_1": (30, 0), "req_2": (5, 0), "req_3": (0, RESERVED)}
        finals = {(o.replica_id, lease): total for o in successor.orphans() for lease, total in o.leases.items()}
        assert finals == {("relay_1", "lease_1"): 135}
        asked = [AcquireRequest.FromString(raw).acquire_id for o in successor.orphans() for raw in o.acquires]
        assert asked == ["acq_2"]


class TestDamage:
    async def test_a_flipped_bit_ends_the_segment_there(self, tmp_path: Path) -> None:
        await history(tmp_path)
        data = last_segment(tmp_path).read_bytes()
        frames = list(scan(data))
        for at in range(len(data)):
            for bit in (0, 3, 7):
                damaged = bytearray(data)
                damaged[at] ^= 1 << bit
                kept = [frame for frame, _ in scan(bytes(damaged))]
                assert kept == [frame for frame, end in frames if end <= at], (at, bit)

    async def test_a_fold_of_every_prefix_settles_each_open_request_once(self, tmp_path: Path) -> None:
        await history(tmp_path)
        frames = [frame for frame, _ in scan(last_segment(tmp_path).read_bytes())]
        for count in range(len(frames) + 1):
            state = JournalState("relay_1")
            for frame in frames[:count]:
                state.apply(frame)
            open_before = set(state.open)
            lost = settle_lost(state, lambda envelope: None)
            assert {frame.request_id for frame in lost} == open_before
            assert state.open == {} and settle_lost(state, lambda envelope: None) == []

    async def test_an_unreadable_checkpoint_repeats_and_loses_nothing(self, tmp_path: Path) -> None:
        await history(tmp_path)
        (tmp_path / "published").write_bytes(b"not a checkpoint, but long enough")
        producer, _ = await recovered(tmp_path)
        assert producer.spends().keys() == {"req_1", "req_2", "req_3"}


class TestBounds:
    async def test_full_is_503_and_what_was_admitted_still_ends(self, tmp_path: Path) -> None:
        kept = journal(tmp_path, FakeProducer(down=True), bytes_max=4_000)
        await kept.start()
        count = 0
        with pytest.raises(Unavailable) as refused:
            while True:
                kept.admit()
                kept.open_attempt(attempt(f"req_{count}"))
                count += 1
        assert refused.value.code == "event_log_unavailable"
        assert 0 < count < 40
        for number in range(count):
            kept.finish(f"req_{number}", ended(f"req_{number}", 1, (number + 1, number + 1)))
        await kill(kept)
        producer, _ = await recovered(tmp_path)
        assert {name: s.settled_nano_usd for name, s in producer.spends().items()} == {
            f"req_{number}": 1 for number in range(count)
        }

    async def test_only_refusal_aggregates_are_shed(self, tmp_path: Path) -> None:
        producer = FakeProducer(down=True)
        kept = journal(tmp_path, producer, bytes_max=2_000)
        await kept.start()
        kept.open_attempt(attempt("req_1"))
        filler = 0
        while True:
            try:
                kept.admit()
            except Unavailable:
                break
            filler += 1
            kept.finish(f"fill_{filler}", ended(f"fill_{filler}", 0, (0, 0)))
        entry = KeyEntry(KeyRecord(key_id="key", workspace_id="ws"), WorkspaceRecord(), ())
        kept.refusal(entry, "invalid_request_error")
        kept._flush_refusals(2**40)
        kept.finish("req_1", ended("req_1", 7, (1, 7)))
        producer.down = False
        await kept.stop()
        sent = [Envelope.FromString(record.value).WhichOneof("payload") for record in producer.sent]
        assert "refusals" not in sent
        assert producer.spends()["req_1"].settled_nano_usd == 7

    async def test_one_process_per_directory(self, tmp_path: Path) -> None:
        first = journal(tmp_path, FakeProducer())
        await first.start()
        with pytest.raises(JournalLocked):
            await journal(tmp_path, FakeProducer()).start()
        await first.stop()

    async def test_events_go_out_in_order(self, tmp_path: Path) -> None:
        producer = FakeProducer()
        kept = journal(tmp_path, producer)
        await kept.start()
        for number in range(50):
            kept.open_attempt(attempt(f"req_{number}"))
            kept.finish(f"req_{number}", ended(f"req_{number}", 1, (number + 1, number + 1)))
        await kept.stop()
        sequences = [Envelope.FromString(record.value).producer_seq for record in producer.sent]
        assert len(sequences) == 100 and sequences == sorted(sequences)

    def test_a_frame_is_what_was_encoded(self) -> None:
        frame = Finished("req", [("topic", b"key", "spend", b"value")], [("lease", 1, 5)])
        assert [found for found, _ in scan(encode(frame))] == [frame]
