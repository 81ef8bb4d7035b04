"""Settlement throughput and lease latency on PostgreSQL, the hot workspace row, and the credit gate's cost.

    python -m tests.bench.ledger [--events 60000] [--keys 1000]

Prints; never fails on a number. One ledger process, one PostgreSQL on the same machine (fsync off, as in tests).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from orca.auth.v1.auth_pb2 import KeyRecord, WorkspaceRecord
from orca.events.v1.events_pb2 import Envelope, LeasePosition, Spend
from orca.ledger.v1 import ledger_pb2 as pb
from services.common.clock import SystemClock
from services.common.eventlog.ports import ConsumedRecord
from services.ledger.app import SPEND_BATCH_MAX
from services.ledger.storage.limits import set_workspace_limit
from services.relay.credit import LeaseCreditGate
from services.relay.ports import KeyEntry
from tests.support.clock import ManualClock
from tests.support.postgres import Postgres
from tests.unit.ledger.harness import Ledger, acquire, open_ledger

WORKSPACE = "ws_1"
CONCURRENCY = 32


def record(number: int, key: int, leases: dict[int, pb.AcquireResponse], used: dict[str, int]) -> ConsumedRecord:
    """A spend of 10 under the key's and its workspace's lease."""
    granted = leases[key]
    positions = []
    for lease_id in (granted.key_lease.lease_id, granted.workspace_lease.lease_id):
        used[lease_id] = used.get(lease_id, 0) + 10
        positions.append(
            LeasePosition(lease_id=lease_id, sequence=used[lease_id] // 10, running_total_nano_usd=used[lease_id])
        )
    spend = Spend(
        account_id=f"acc_{key}", reservation_nano_usd=1_000, settled_nano_usd=10, model="acme/small",
        key_lease=positions[0], workspace_lease=positions[1], input_tokens=100, output_tokens=20,
    )  # fmt: skip
    envelope = Envelope(
        event_id=f"evt_{number:026d}", workspace_id=WORKSPACE, key_id=f"key_{key}", request_id=f"req_{number:026d}",
        occurred_at_unix_us=1_700_000_000_000_000 + number, spend=spend,
    )  # fmt: skip
    return ConsumedRecord("orca.spend.v1", key % 8, number, b"", envelope.SerializeToString(), (), 0)


async def timed(calls: Sequence[Callable[[], Awaitable[Any]]]) -> tuple[float, list[float]]:
    """(seconds, latencies in ms) of the calls, CONCURRENCY at a time."""
    latencies: list[float] = []
    waiting = iter(calls)

    async def worker() -> None:
        for call in waiting:
            begun = time.perf_counter()
            await call()
            latencies.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return time.perf_counter() - begun, latencies


def show(name: str, seconds: float, latencies: list[float]) -> None:
    cuts = statistics.quantiles(latencies, n=100)
    rate = len(latencies) / seconds
    print(f"{name:<44} {rate:9.0f}/s   p50 {cuts[49]:6.2f} ms   p99 {cuts[98]:6.2f} ms")


async def leases(ledger: Ledger, keys: int) -> dict[int, pb.AcquireResponse]:
    """One lease pair per key, all in one workspace: the hot row. Prints the rate."""
    async with ledger.database.write() as tx:
        await set_workspace_limit(tx, ledger.clock, WORKSPACE, 10**15)
    granted: dict[int, pb.AcquireResponse] = {}

    def ask(number: int, attempt: str) -> Callable[[], Awaitable[Any]]:
        async def call() -> None:
            request = acquire(
                f"acq_{attempt}_{number}", minimum=10**6, wanted=10**6, limit=10**9, key_id=f"key_{number}",
                account_id=f"acc_{number}", workspace=(10**6, 4 * 10**6),
            )  # fmt: skip
            granted[number] = await ledger.servicer.Acquire(request, None)

        return call

    show(f"Acquire, first of {keys} keys (accounts made)", *await timed([ask(n, "a") for n in range(keys)]))
    show(f"Acquire, {keys} keys, one workspace row", *await timed([ask(n, "b") for n in range(keys)]))
    ids = [lease.key_lease.lease_id for lease in granted.values()]

    async def renew() -> None:
        reports = [pb.LeaseReport(lease_id=lease_id) for lease_id in ids]
        await ledger.servicer.Renew(pb.RenewRequest(replica_id="relay_1", leases=reports), None)

    show(f"Renew of {len(ids)} leases in one call", *await timed([renew] * 64))
    return granted


async def settlement(ledger: Ledger, granted: dict[int, pb.AcquireResponse], events: int) -> None:
    """Spends through the consumer's handler, in batches as it polls them."""
    used: dict[str, int] = {}
    records = [record(n, n % len(granted), granted, used) for n in range(events)]
    begun, cpu = time.perf_counter(), time.process_time()
    for start in range(0, events, SPEND_BATCH_MAX):
        await ledger.spend(records[start : start + SPEND_BATCH_MAX])
    seconds = time.perf_counter() - begun
    name = f"settlement, {len(granted)} keys, batches of {SPEND_BATCH_MAX}"
    cpu_us = (time.process_time() - cpu) / events * 1e6
    print(f"{name:<44} {events / seconds:9.0f}/s   {cpu_us:.0f} µs of this process's CPU an event")


async def gate(rounds: int) -> None:
    """Reserve and settle against leases that last: no ledger call."""
    clock = SystemClock()

    class Generous:
        async def Acquire(self, request: pb.AcquireRequest, timeout: float, metadata: Any) -> pb.AcquireResponse:
            def lease(account_id: str) -> pb.Lease:
                return pb.Lease(lease_id=account_id, account_id=account_id, granted_nano_usd=10**17, ttl_ms=600_000)

            return pb.AcquireResponse(
                key_lease=lease(request.key.account_id), workspace_lease=lease(request.workspace_id)
            )

    found = LeaseCreditGate(Generous(), "relay_1", clock)
    key = KeyRecord(
        key_id="key", workspace_id="ws", account_id="acc", version=1, enabled=True, credit_limit_nano_usd=10**18
    )
    entry = KeyEntry(key, WorkspaceRecord(workspace_id="ws"), ())
    each_us = 0.0
    for _ in ("warm-up", "measured"):
        begun = time.perf_counter()
        for _ in range(rounds):
            reservation = await found.reserve(entry, 1_000)
            await reservation.top_up(1_000)
            reservation.pending()
            reservation.settle(settled_nano_usd=10, unconfirmed_nano_usd=0, blocked_nano_usd=0, overrun_nano_usd=0)
        each_us = (time.perf_counter() - begun) / rounds * 1e6
    print(f"{'credit gate, reserve + pending + settle':<44} {each_us:9.1f} µs a request")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--keys", type=int, default=1_000)
    arguments = parser.parse_args()
    await gate(20_000)
    with tempfile.TemporaryDirectory() as home:
        postgres = Postgres(Path(home)).start()
        try:
            ledger = await open_ledger(postgres.create_database("bench"), ManualClock())
            granted = await leases(ledger, arguments.keys)
            await settlement(ledger, granted, arguments.events)
            await ledger.close()
        finally:
            postgres.stop()


if __name__ == "__main__":
    asyncio.run(main())
