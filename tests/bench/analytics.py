"""Ingestion and feeds of analytics, measured: `make bench-analytics`.

Events of a request's mix go through decoding, block building and insertion into chDB, views included, as the consumer
does it; then rows are generated straight into the tables and each feed is read as its endpoint reads it. Prints
events/s of one process, how old the newest event in a feed is at RATE requests a second, and p50/p95 per feed.
`ARGS="--rows 10000000"` is the full size.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orca.events.v1.events_pb2 import Envelope
from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.clickhouse.client import ClickHouseStore
from services.analytics.clickhouse.queries import Span
from services.analytics.configuration import Workspaces
from services.analytics.consumers import HELD_RECORDS_MAX, EventConsumer
from services.analytics.domain.feeds import FIREWALL_EVENTS, MATCHES, REQUESTS
from services.analytics.domain.run_ids import mint_run_id
from services.analytics.erasing import Erasures
from services.analytics.feeds import Feeds
from services.analytics.fresh import FreshReads
from services.analytics.settings import AnalyticsSettings
from services.analytics.storage.blocks import BlockStore
from services.analytics.storage.tables import MIGRATIONS
from services.analytics.storage.workspaces import WorkspaceStore
from services.analytics.writer import BlockWriter
from services.common.clock import SystemClock
from services.common.eventlog import topics
from services.common.eventlog.ports import ConsumedRecord, OutRecord, TopicPartition
from services.common.storage import Database
from tests.unit.analytics.builders import FakeLog, firewall, match, request, spend

PER_BATCH = 10_000
# As the consumer does when much is waiting.
FLUSH_BATCHES = HELD_RECORDS_MAX // PER_BATCH
WORKSPACES = 20
READS = 40
RATE = 1_000
FRESH_RUN_S = 15


def records(batch: int) -> list[ConsumedRecord]:
    """One polled batch: requests, spend, evaluations and matches of 2,500 requests."""
    found: list[ConsumedRecord] = []
    first = batch * (PER_BATCH // 4)
    makers = (
        (topics.REQUESTS, lambda n, **ids: request(0, **ids)),
        (topics.SPEND, lambda n, **ids: spend(0, **ids)),
        (topics.FIREWALL, lambda n, **ids: firewall(0, id=f"f_{n}", **ids)),
        (topics.MATCHES, lambda n, **ids: match(0, id=f"m_{n}", **ids)),
    )
    for offset in range(first, first + PER_BATCH // 4):
        ids = {
            "workspace_id": f"ws_{offset % WORKSPACES}", "key_id": f"key_{offset % 500}",
            "run_id": f"run_{offset // 5}", "request_id": f"req_{offset}", "producer_id": "relay",
            "producer_seq": offset + 1,
        }  # fmt: skip
        for topic, make in makers:
            value = make(offset, **ids).SerializeToString()
            found.append(ConsumedRecord(topic, 0, offset, b"", value, (), 0))
    return found


async def ingest(store: ClickHouseStore, database: Database, batches: int) -> None:
    clock = SystemClock()
    writer = BlockWriter(BlockStore(database, "bench", clock), store)
    workspaces = Workspaces(WorkspaceStore(database), clock, retention_days=30)
    consumer = EventConsumer(
        FakeLog(),
        writer,
        clock,
        flush_s=0,
        flush_max_s=0,
        flush_idle_s=5,
        workspaces=workspaces,
        erasures=Erasures(database, clock),
    )
    for topic in (topics.REQUESTS, topics.SPEND, topics.FIREWALL, topics.MATCHES):
        await writer.acquire(TopicPartition(topic, 0))
    decoded_s = written_s = 0.0
    begun_cpu_s = cpu_s = 0.0
    for number in range(batches):
        batch = records(number)
        begun_cpu_s = time.process_time()
        started = time.perf_counter()
        await consumer._hold(batch)
        decoded = time.perf_counter()
        if (number + 1) % FLUSH_BATCHES == 0 or number == batches - 1:
            await consumer._write()
        decoded_s += decoded - started
        written_s += time.perf_counter() - decoded
        cpu_s += time.process_time() - begun_cpu_s
    events = batches * PER_BATCH
    print(
        f"ingest: {events} events, {events / (decoded_s + written_s):,.0f} events/s in one process "
        f"(decoding {decoded_s / events * 1e6:.1f} µs, writing and views {written_s / events * 1e6:.1f} µs, "
        f"CPU {cpu_s / events * 1e6:.1f} µs an event)"
    )


async def generate(store: ClickHouseStore, rows: int) -> None:
    """Rows of 29 days straight into the tables, in chunks; roll-ups follow by their views. A run is five requests of
    one key; half of all runs are of one workspace."""
    run = "intDiv(number, 5)"
    common = (
        "concat('ev_', toString(number)), "
        "fromUnixTimestamp64Milli({now_ms:Int64}, 'UTC') - toIntervalMillisecond(number * {step:UInt64}), "
        f"concat('ws_', toString(if({run} % 20 < 10, 0, {run} % 20))), concat('key_', toString({run} % 500)), "
        f"'prod', concat('req_', toString(number)), concat('run_', toString({run})), 30, "
        f"concat('model_', toString({run} % 3))"
    )
    columns = "event_id, occurred_at, workspace_id, key_id, environment, request_id, run_id, retention_days, model"
    tables = {
        "requests": (
            ", status, status_code, input_tokens, output_tokens, cost_nano_usd",
            ", 'ok', 200, 10, 5, 1500",
        ),
        "spend": (
            ", kind, account_id, input_tokens, output_tokens, settled_nano_usd",
            f", 'spend', concat('key_', toString({run} % 500)), 10, 5, 1500",
        ),
        "firewall_events": (
            ", id, tool_name, verdict, surface, args_summary",
            ", concat('f_', toString(number)), concat('tool_', toString(number % 30)), "
            "if(number % 9 = 0, 'deny', 'allow'), 'response', concat('path=/data/', toString(number))",
        ),
        "matches": (
            ", id, rule_type, action, stage, entity, count, fingerprints",
            ", concat('m_', toString(number)), 'pii', 'mask', 'input', 'email', 1, ['f']",
        ),
    }
    now_ms = time.time_ns() // 1_000_000
    step = max(1, 29 * 86_400_000 // rows)
    chunk = 1_000_000
    for table, (names, values) in tables.items():
        for first in range(0, rows, chunk):
            count = min(chunk, rows - first)
            await store.command(
                f"INSERT INTO {table} ({columns}{names}) SELECT {common}{values} "
                "FROM numbers({first:UInt64}, {count:UInt64})",
                {"first": first, "count": count, "step": step, "now_ms": now_ms},
            )


def reads_of(reader: Feeds, workspace: str, rows: int) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Each feed as its endpoint reads it, over everything and narrowed."""
    everything: dict[str, Any] = {"cursor": None, "limit": 50}
    now_us = time.time_ns() // 1000
    always, week = Span(), Span(now_us - 7 * 86_400_000_000, now_us)
    # Some request, run and key of the middle of the past, in any workspace.
    middle = rows // 2 // 100 * 100 + (15 if workspace == "ws_3" else 0)
    middle += 5 * 13 if workspace == "ws_13" else 0
    run, old = middle // 5, Span(None, now_us - 14 * 86_400_000_000)
    key, request_id, none = f"key_{run % 500}", f"req_{middle}", ["none"]
    return {
        "log": lambda: reader.page(REQUESTS, workspace, {}, always, **everything),
        "log, two weeks back": lambda: reader.page(REQUESTS, workspace, {}, old, **everything),
        "log, one request": lambda: reader.page(
            REQUESTS, workspace, {"request_id": [request_id]}, always, **everything
        ),
        "log, one run": lambda: reader.page(REQUESTS, workspace, {"run_id": [f"run_{run}"]}, always, **everything),
        "log, key without events": lambda: reader.page(REQUESTS, workspace, {"key_id": none}, always, **everything),
        "log, status without events": lambda: reader.page(
            REQUESTS, workspace, {"status": ["blocked"]}, always, **everything
        ),
        "matches": lambda: reader.page(MATCHES, workspace, {}, always, **everything),
        "matches, hide_fp": lambda: reader.page(MATCHES, workspace, {"hide_fp": True}, always, **everything),
        "matches, one key": lambda: reader.page(MATCHES, workspace, {"key_id": [key]}, always, **everything),
        "matches, one id": lambda: reader.one(MATCHES, workspace, f"m_{middle}"),
        "matches, by request": lambda: reader.matches_by_request(workspace, {}, always, **everything),
        "matches, by request, old": lambda: reader.matches_by_request(workspace, {}, old, **everything),
        "events": lambda: reader.page(FIREWALL_EVENTS, workspace, {}, always, **everything),
        "events, tool": lambda: reader.page(
            FIREWALL_EVENTS, workspace, {"tool_name": ["tool_3"]}, always, **everything
        ),
        "events, tool without events": lambda: reader.page(
            FIREWALL_EVENTS, workspace, {"tool_name": none}, always, **everything
        ),
        "runs": lambda: reader.runs(workspace, {}, (), always, **everything),
        "runs, a week": lambda: reader.runs(workspace, {}, (), week, **everything),
        "runs, two weeks back": lambda: reader.runs(workspace, {}, (), old, **everything),
        "runs, one key": lambda: reader.runs(workspace, {"key_id": [key]}, (), always, **everything),
        "runs, denied": lambda: reader.runs(workspace, {}, ("deny",), always, **everything),
        "runs, tool without runs": lambda: reader.runs(workspace, {"tool_name": none}, (), always, **everything),
        "run": lambda: reader.run(workspace, mint_run_id(workspace, key, f"run_{run}")),
        "tools": lambda: reader.tools(workspace, {}, always, **everything),
        "tools, a week": lambda: reader.tools(workspace, {}, week, **everything),
        "tools, one key": lambda: reader.tools(workspace, {"key_id": [key]}, always, **everything),
        "usage by day": lambda: reader.usage(workspace, ["day"], {}, always, **everything),
        "usage by key, model": lambda: reader.usage(workspace, ["key", "model"], {}, always, **everything),
        "usage by key, model, a week": lambda: reader.usage(workspace, ["key", "model"], {}, week, **everything),
        "usage of one key": lambda: reader.usage(workspace, [], {"key_id": [key]}, always, **everything),
        "anomalies": lambda: reader.anomalies(workspace, {}, always, **everything),
    }


async def feeds(store: ClickHouseStore, rows: int, reads: int = READS) -> None:
    reader = Feeds(store)
    for workspace, share in (("ws_13", rows // 20), ("ws_0", rows // 2)):
        print(f"feeds over {rows:,} rows a table, of which the workspace has {share:,} (target p95 100 ms):")
        for name, read in reads_of(reader, workspace, rows).items():
            await read()
            times = []
            begun_cpu_s = time.process_time()
            for _ in range(reads):
                started = time.perf_counter()
                await read()
                times.append((time.perf_counter() - started) * 1000)
            times.sort()
            p95 = times[max(0, int(0.95 * reads) - 1)]
            cpu_ms = (time.process_time() - begun_cpu_s) / reads * 1000
            print(f"  {name:28} p50 {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms   CPU {cpu_ms:7.1f} ms")


async def freshness(store: ClickHouseStore, folder: Path) -> None:
    """From an event's moment until its feed shows it, at RATE requests a second, through the embedded log: as in the
    product, somebody reads, so that the consumer paces its writes."""
    clock = SystemClock()
    database = await Database.open(f"sqlite:///{folder}/fresh.db", service="analytics")
    await database.migrate(MIGRATIONS)
    log = SqliteEventLog(folder / "events.db", clock)
    await log.start()
    await log.ensure_topics()
    defaults = AnalyticsSettings()
    consumer = EventConsumer(
        log,
        BlockWriter(BlockStore(database, "fresh", clock), store),
        clock,
        flush_s=defaults.analytics_flush_ms / 1000,
        flush_max_s=defaults.analytics_flush_max_ms / 1000,
        flush_idle_s=defaults.analytics_flush_idle_ms / 1000,
        workspaces=Workspaces(WorkspaceStore(database), clock, retention_days=30),
        erasures=Erasures(database, clock),
    )
    await consumer.start()
    reader = Feeds(FreshReads(store, consumer.fresh))
    producing = asyncio.create_task(_produce(log))
    waits: list[float] = []
    while not producing.done():
        newest = await reader.page(REQUESTS, "ws_fresh", {}, Span(), cursor=None, limit=1)
        if newest.items:
            shown = datetime.fromisoformat(newest.items[0]["occurred_at"])
            # All events up to this one are shown; the next one is not, and is at least this old.
            waits.append((datetime.now(UTC) - shown).total_seconds())
        await asyncio.sleep(0.05)
    achieved = await producing
    await consumer.stop()
    await log.stop()
    await database.close()
    settled = sorted(waits[len(waits) // 5 :])
    if settled:
        print(
            f"freshness: at {achieved:,.0f} requests/s (4 events each) the newest request in its feed is "
            f"{statistics.median(settled):.2f} s old (median), {settled[int(0.95 * len(settled))]:.2f} s (p95), "
            f"{settled[-1]:.2f} s (worst of {len(settled)} looks); target 2 s"
        )


async def _produce(log: SqliteEventLog) -> float:
    """RATE requests a second for FRESH_RUN_S, in ten sends a second; returns what was achieved. Events are made before,
    since in the product other processes make them; only their moment is set."""
    made: list[tuple[str, Envelope]] = []
    for number in range(1, RATE * FRESH_RUN_S + 1):
        ids: dict[str, Any] = {
            "workspace_id": "ws_fresh", "key_id": f"key_{number % 50}", "run_id": f"run_{number // 5}",
            "request_id": f"req_{number}", "producer_id": "bench", "producer_seq": number,
        }  # fmt: skip
        made += [
            (topics.REQUESTS, request(**ids)), (topics.SPEND, spend(**ids)),
            (topics.FIREWALL, firewall(id=f"f_{number}", **ids)), (topics.MATCHES, match(id=f"m_{number}", **ids)),
        ]  # fmt: skip
    producer = log.producer("bench")
    await producer.start()
    begun_s = time.monotonic()
    per_send = 4 * RATE // 10
    for step, first in enumerate(range(0, len(made), per_send), 1):
        out: list[OutRecord] = []
        for topic, event in made[first : first + per_send]:
            event.occurred_at_unix_us = time.time_ns() // 1000
            out.append(OutRecord(topic, b"k", event.SerializeToString()))
        await producer.send(out)
        await asyncio.sleep(max(0.0, begun_s + step / 10 - time.monotonic()))
    return len(made) / 4 / (time.monotonic() - begun_s)


async def run(batches: int, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ClickHouseStore(url=None, path=Path(folder) / "chdb", query_timeout_s=120)
        await store.open()
        database = await Database.open(f"sqlite:///{folder}/analytics.db", service="analytics")
        await database.migrate(MIGRATIONS)
        await ingest(store, database, batches)
        await freshness(store, Path(folder))
        for table in ("requests", "firewall_events", "matches", "spend", "runs"):
            await store.command(f"TRUNCATE TABLE {table}")
        await generate(store, rows)
        await feeds(store, rows)
        await store.close()
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20, help="of 10,000 events")
    parser.add_argument("--rows", type=int, default=1_000_000, help="per table, for the feeds")
    args = parser.parse_args()
    asyncio.run(run(args.batches, args.rows))


if __name__ == "__main__":
    main()
