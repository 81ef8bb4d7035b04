"""Operating the distributed profile: a lost database restored by the runbook, and what `orca doctor` finds.

One deployment for the file: first it is well, then it loses its stores and is restored, then it is broken in ten ways
one after the other, each repaired where a later one would not show otherwise.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from services.common.eventlog.topics import CAPTURES, REQUESTS, SPEND
from tests.e2e.conftest import Management
from tests.e2e.test_operate import orca
from tests.support.certificates import Authority
from tests.support.cluster import Cluster
from tests.support.process import ADMIN_TOKEN, free_port
from tests.support.torture import log_counts

PATIENCE_S = 60
LAG = 10_001
BEFORE, AFTER = 5, 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("operated"), {"auth": 2})
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def key(cluster: Cluster) -> dict[str, Any]:
    made: dict[str, Any] = Management(cluster.management_url).call(
        "POST", "/api/token", {"name": "kept", "credit_limit_usd": "1"}
    )
    return made


def doctor(cluster: Cluster, *probed: str, **changed: str) -> tuple[int, list[str]]:
    """(exit code, faults) of the doctor with the ledger's environment, some of it changed."""
    environment = {k: v for k, v in cluster.processes["ledger-0"].environment.items() if k.startswith("ORCA_")}
    probes = [part for name in probed for part in ("--probe", cluster.processes[name].metrics_url)]
    done = orca("doctor", *probes, **{**environment, **changed})
    assert "secret" not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)["faults"]


def chat(cluster: Cluster, key: dict[str, Any]) -> str:
    """Asks the sample model; the request's id."""
    answer = httpx.post(
        f"{cluster.relay_url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key['key']}"},
        json={"model": "orca/echo", "messages": [{"role": "user", "content": "still here"}]},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "still here"
    return answer.headers["x-orca-request-id"]


def books(cluster: Cluster, key: dict[str, Any]) -> tuple[set[str], Decimal]:
    """(requests in the log feed, what the key's account has settled)."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(base_url=cluster.management_url, headers=headers, timeout=30) as client:
        counts = log_counts(client)
        account = client.get(f"/api/ledger/accounts/{key['id']}").json()["data"]
    assert set(counts.values()) <= {1}, "a request is in the log twice"
    return {request_id for request_id, _ in counts}, Decimal(account["settled_usd"])


def await_books(cluster: Cluster, key: dict[str, Any], asked: set[str]) -> Decimal:
    """What is settled once every request is in the log and nothing moves any more."""
    begun, before = time.monotonic(), Decimal(-1)
    while time.monotonic() - begun < PATIENCE_S:
        shown, settled = books(cluster, key)
        if shown == asked and settled == before:
            return settled
        before = settled
        time.sleep(0.5)
    raise AssertionError(f"{len(shown)} of {len(asked)} requests are in the log")


def test_a_healthy_deployment_has_no_fault(cluster: Cluster, key: dict[str, Any]) -> None:
    chat(cluster, key)
    assert doctor(cluster, *cluster.processes) == (0, [])


@pytest.mark.timeout(300)
def test_lost_stores_are_restored_by_the_runbook(cluster: Cluster, key: dict[str, Any], tmp_path: Path) -> None:
    """The drill of docs/runbooks.md: what was asked after the backup is in the topics, and comes back from there."""
    asked = {chat(cluster, key) for _ in range(BEFORE)}
    asked |= books(cluster, key)[0]
    await_books(cluster, key, asked)
    cluster.postgres.dump("orca", tmp_path / "orca.sql")
    asked |= {chat(cluster, key) for _ in range(AFTER)}
    settled = await_books(cluster, key, asked)

    for process in cluster.processes.values():
        process.kill()
    cluster.postgres.drop_database("orca")
    shutil.rmtree(cluster.home / "analytics-0/chdb")

    cluster.postgres.create_database("orca")
    cluster.postgres.load(cluster.postgres.url("orca"), tmp_path / "orca.sql")
    environment = {k: v for k, v in cluster.processes["analytics-0"].environment.items() if k.startswith("ORCA_")}
    replayed = orca("replay", "analytics", **environment)
    assert replayed.returncode == 0, replayed.stderr
    cluster.start_processes()

    assert await_books(cluster, key, asked) == settled
    asked.add(chat(cluster, key))
    assert await_books(cluster, key, asked) > settled
    kept = Management(cluster.management_url).call("GET", f"/api/token/{key['id']}")
    assert kept["name"] == "kept"
    audit = httpx.get(
        f"{cluster.management_url}/api/audit", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30
    )
    (tmp_path / "audit.json").write_bytes(audit.content)
    assert orca("audit", "verify", str(tmp_path / "audit.json")).returncode == 0
    assert doctor(cluster, *cluster.processes) == (0, [])


def test_a_database_that_is_not_there(cluster: Cluster) -> None:
    url = f"postgresql://orca@127.0.0.1:{free_port()}/orca"
    code, faults = doctor(cluster, ORCA_DATABASE_URL=url)
    assert (code, [fault.partition(":")[0] for fault in faults]) == (1, ["database"])


def test_a_column_store_that_is_not_there(cluster: Cluster) -> None:
    code, faults = doctor(cluster, ORCA_CLICKHOUSE_URL=f"http://127.0.0.1:{free_port()}/orca")
    assert (code, [fault.partition(":")[0] for fault in faults]) == (1, ["clickhouse"])


def test_a_certificate_of_a_stranger(cluster: Cluster, tmp_path: Path) -> None:
    files = Authority().issue(tmp_path)
    code, faults = doctor(
        cluster,
        ORCA_TLS_CERT_FILE=str(files.cert),
        ORCA_TLS_KEY_FILE=str(files.key),
        ORCA_TLS_CA_FILE=str(files.ca),
    )
    services = ("auth", "guardrail", "firewall", "ledger", "analytics", "relay")
    assert code == 1
    assert [fault.partition(":")[0] for fault in faults] == [f"service.{name}" for name in services]


def test_a_plane_that_is_down(cluster: Cluster) -> None:
    guardrail = cluster.processes["guardrail-0"]
    assert guardrail.stop() == 0
    code, faults = doctor(cluster, "guardrail-0")
    assert code == 1
    assert [fault.partition(": ")[0] for fault in faults] == ["service.guardrail", f"probe.{guardrail.metrics_url}"]
    assert faults[0].startswith("service.guardrail: UNAVAILABLE")
    guardrail.launch()
    guardrail.wait_ready()


def test_a_broker_that_is_down(cluster: Cluster) -> None:
    assert cluster.kafka is not None
    cluster.kafka.kill()
    code, faults = doctor(cluster)
    assert (code, [fault.partition(":")[0] for fault in faults]) == (1, ["kafka"])
    cluster.kafka.start()


def produce(cluster: Cluster, topic: str, key: str, number: int = 1) -> None:
    """Records that nobody can read."""

    async def run() -> None:
        assert cluster.kafka is not None
        async with AIOKafkaProducer(bootstrap_servers=cluster.kafka.bootstrap, linger_ms=50) as producer:
            for _ in range(number):
                await producer.send(topic, b"\xff no event", key=key.encode())

    asyncio.run(run())


def eventually(cluster: Cluster, probed: str, named: str) -> None:
    """The doctor names the fault, and no other kind, before the time is over."""
    begun, faults = time.monotonic(), [""]
    while time.monotonic() - begun < PATIENCE_S:
        code, faults = doctor(cluster, probed)
        if any(named in fault for fault in faults):
            assert code == 1
            return
    raise AssertionError(f"{named} is not among {faults}")


def test_an_event_that_nobody_can_read(cluster: Cluster) -> None:
    produce(cluster, REQUESTS, "ws_made_up")
    eventually(cluster, "analytics-0", "dead_letters: 1 records in orca.dlq.v1")
    assert any(".dead_letters.analytics" in fault for fault in doctor(cluster, "analytics-0")[1])


def test_a_spend_that_cannot_be_booked(cluster: Cluster, key: dict[str, Any]) -> None:
    produce(cluster, SPEND, key["id"])
    eventually(cluster, "ledger-0", ".frozen_accounts: 1 accounts")


def test_a_consumer_that_is_far_behind(cluster: Cluster) -> None:
    assert cluster.processes["analytics-0"].stop() == 0
    produce(cluster, REQUESTS, "ws_made_up", LAG)
    eventually(cluster, "ledger-0", f"lag.analytics: {LAG} records behind")


def test_a_topic_that_is_missing(cluster: Cluster) -> None:
    async def delete() -> None:
        assert cluster.kafka is not None
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([CAPTURES])
        await admin.close()

    asyncio.run(delete())
    eventually(cluster, "ledger-0", f"kafka: topics missing: {CAPTURES}")
