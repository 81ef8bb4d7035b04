"""A rolling restart under load: no request fails and no event is lost.

Two replicas each of relay, guardrail and firewall behind a small balancer, everything else once; tenants go on with the
official client, which repeats nothing. Every process is told to stop, drains, and is replaced, one after the other.
What the tenants were answered is then compared with the topics, the log feed, the provider and the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from orca.events.v1.events_pb2 import Envelope
from services.common.eventlog.topics import BY_NAME, REQUESTS, SPEND
from tests.e2e.conftest import Management
from tests.support.balancer import Balancer
from tests.support.cluster import Cluster
from tests.support.process import ADMIN_TOKEN
from tests.support.torture import log_counts
from tests.support.upstream import Upstream

TENANTS = 4
PAUSE_S = 0.1
SLOW_S = 3
PATIENCE_S = 60
# What the provider reports per answer, at 1 and 2 USD per million tokens.
COST_NANO_USD = 10 * 1_000 + 5 * 2_000
ORDER = ("auth", "guardrail", "firewall", "ledger", "analytics", "console", "relay")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    replicas = {"relay": 2, "guardrail": 2, "firewall": 2, "ledger": 2}
    running = Cluster(tmp_path, replicas, ORCA_DRAIN_DELAY_S="1")
    try:
        yield running.start()
    finally:
        running.stop()


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Upstream]:
    server = Upstream()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def make_key(management: Management, upstream: Upstream) -> dict[str, Any]:
    """A capped key under both planes: a mask on the way in and out, a rule about tool calls."""
    channel = {"name": "up", "base_url": upstream.base_url, "api_key": "sk-up", "models": ["acme/small"]}
    management.call("POST", "/api/channel", channel)
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "max_output_tokens": 1000}
    management.call("PUT", "/api/model/acme/small", price)
    rule = {"type": "pii", "stage": "both", "action": "mask", "entities": ["email"]}
    guardrail = management.call("POST", "/api/guardrail", {"name": "mask", "enabled": True, "rules": [rule]})
    rules = [{"tool_name_glob": "shell.*", "verdict": "deny", "priority": 1}]
    policy = management.call("POST", "/api/workspace/firewall/policies", {"name": "p", "enabled": True, "rules": rules})
    body = {
        "name": "tenant",
        "credit_limit_usd": "50",
        "guardrail_id": guardrail["id"],
        "firewall_policy_id": policy["id"],
    }
    key: dict[str, Any] = management.call("POST", "/api/token", body)
    return key


class Load:
    """Tenants that ask again and again until told to end; every other answer is streamed, one tenant's come late."""

    def __init__(self, url: str, key: str) -> None:
        self.answered: list[str] = []
        self.failures: list[str] = []
        self._client = openai.AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0, timeout=60)
        self._ending = asyncio.Event()
        self._progress = asyncio.Event()
        self._tenants: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tenants = [asyncio.create_task(self._tenant(number)) for number in range(TENANTS + 1)]

    async def answers(self, number: int) -> None:
        """Waits for so many further answers."""
        wanted = len(self.answered) + number
        while len(self.answered) < wanted:
            self._progress.clear()
            await asyncio.wait_for(self._progress.wait(), PATIENCE_S)

    async def end(self) -> None:
        self._ending.set()
        await asyncio.gather(*self._tenants)
        await self._client.close()

    async def _tenant(self, number: int) -> None:
        for turn in itertools.count():
            if self._ending.is_set():
                return
            try:
                late = number == TENANTS
                text = f"sleep:{SLOW_S}" if late else f"say:{number}.{turn} to jo@example.com"
                await self._ask(text, streamed=turn % 2 == 0)
                await asyncio.sleep(PAUSE_S)
            except (openai.OpenAIError, httpx.HTTPError) as error:
                body = getattr(error, "body", None)
                self.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {body or error}")

    async def _ask(self, text: str, *, streamed: bool) -> None:
        create = self._client.chat.completions.with_raw_response.create
        raw = await create(
            model="acme/small", messages=[{"role": "user", "content": text}], stream=streamed, max_tokens=100
        )
        answer: Any = raw.parse()
        if streamed:
            said = "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])
        else:
            said = answer.choices[0].message.content
        wanted = text.removeprefix("say:").replace("jo@example.com", "[EMAIL]")
        if said != wanted:
            self.failures.append(f"answered {said!r} instead of {wanted!r}")
        self.answered.append(raw.headers["x-orca-request-id"])
        self._progress.set()


async def restart_each(cluster: Cluster, load: Load) -> list[str]:
    """Stops and replaces every process in turn; says how long each took. Each must end with status 0."""
    told = []
    for process in sorted(cluster.processes.values(), key=lambda process: ORDER.index(process.service)):
        begun, answered = time.monotonic(), len(load.answered)
        assert await asyncio.to_thread(process.stop) == 0, process.errors[-2000:]
        drained_s = time.monotonic() - begun
        process.launch()
        await asyncio.to_thread(process.wait_ready)
        told.append(
            f"{process.name}: drained in {drained_s:.1f} s, replaced in {time.monotonic() - begun:.1f} s, "
            f"{len(load.answered) - answered} answers, failures so far: {len(load.failures)}"
        )
        # The new one takes its share before the next one goes.
        await load.answers(4 * TENANTS)
    return told


async def records(bootstrap: str, topic: str) -> list[Envelope]:
    """Everything in a topic."""
    partitions = [TopicPartition(topic, number) for number in range(BY_NAME[topic].partitions)]
    found = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False) as consumer:
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += [Envelope.FromString(record.value) for record in batch]
    return found


@pytest.mark.timeout(400)
async def test_no_request_fails_and_no_event_is_lost(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    management = Management(cluster.management_url)
    async with provider() as upstream:
        key = make_key(management, upstream)
        balancer = await Balancer(cluster.relay_urls).start()
        load = Load(balancer.url, key["key"])
        try:
            load.start()
            told = await restart_each(cluster, load)
        finally:
            await load.end()
            await balancer.stop()
    with capsys.disabled():
        print("\n" + "\n".join(told))
        print(f"{len(load.answered)} answers, {len(load.failures)} failures, {dict(balancer.served)}")
    assert load.failures == []
    assert cluster.kafka is not None
    asked = Counter(load.answered)
    assert set(asked.values()) == {1}
    # A relay journals a request's events before its last byte, and they reach the topics a moment later.
    begun = time.monotonic()
    while True:
        requests = await records(cluster.kafka.bootstrap, REQUESTS)
        if len(requests) >= len(asked) or time.monotonic() - begun > PATIENCE_S:
            break
        await asyncio.sleep(0.2)
    assert Counter(event.request_id for event in requests) == asked
    assert {event.request.status for event in requests} == {"ok"}
    settled = [event for event in await records(cluster.kafka.bootstrap, SPEND) if event.HasField("spend")]
    assert Counter(event.request_id for event in settled) == asked
    assert {event.spend.settled_nano_usd for event in settled} == {COST_NANO_USD}
    assert len(upstream.requests) == len(asked)
    await asyncio.to_thread(check_projections, cluster, management, key, asked)


def check_projections(cluster: Cluster, management: Management, key: dict[str, Any], asked: Counter[str]) -> None:
    """The log feed has every answer once, and the ledger has booked every one."""
    begun = time.monotonic()
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    wanted = {(request_id, "ok"): 1 for request_id in asked}
    cost = Decimal(COST_NANO_USD * len(asked)) / 10**9
    with httpx.Client(base_url=cluster.management_url, headers=headers, timeout=30) as client:
        while True:
            shown = log_counts(client)
            booked = Decimal(management.call("GET", f"/api/ledger/accounts/{key['id']}")["settled_usd"])
            if (dict(shown) == wanted and booked == cost) or time.monotonic() - begun > PATIENCE_S:
                break
            time.sleep(0.5)
    assert dict(shown) == wanted
    assert booked == cost
