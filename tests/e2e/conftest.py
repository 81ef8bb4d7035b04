"""One running product per profile for the whole suite, driven through its public interfaces only."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from mcp.server.mcpserver import MCPServer

from tests.support.cluster import Cluster
from tests.support.documented import Documented
from tests.support.process import ADMIN_TOKEN, Embedded
from tests.support.serving import serving
from tests.support.upstream import Upstream

FEED_S = 2.0
PATIENCE = 10


Product = Embedded | Cluster


@pytest.fixture(scope="session", params=["embedded", "distributed"])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The same suite runs against one process, and against one per service over gRPC, PostgreSQL and Kafka."""
    home = tmp_path_factory.mktemp("orca")
    running: Product = Embedded(home) if request.param == "embedded" else Cluster(home)
    try:
        running.start()
        yield running
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Runs in a thread of its own, so that synchronous clients can call it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Upstream()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)


class Management:
    """The management plane with one credential. Every answer is held to the document that the plane serves."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self.documented = Documented(self._client.get("/api/openapi.json").json())

    def call(self, method: str, path: str, body: Any = None, status: int = 200, token: str = ADMIN_TOKEN) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        self.documented.check(answer)
        return answer.json().get("data")

    def eventually(self, path: str, found: Callable[[Any], Any]) -> Any:
        """Polls a feed until it shows; prints how long it took."""
        begun = time.monotonic()
        while time.monotonic() - begun < FEED_S * PATIENCE:
            if result := found(self.call("GET", path)):
                print(f"{path}: visible after {time.monotonic() - begun:.2f} s (promised {FEED_S} s)")
                return result
            time.sleep(0.05)
        raise AssertionError(f"{path} never showed it: {self.call('GET', path)}")


@pytest.fixture(scope="session")
def management(product: Product) -> Management:
    return Management(product.management_url)


@pytest.fixture(scope="session")
def key(management: Management, upstream: Upstream) -> dict[str, Any]:
    """A channel, both policies, and a key with every scope field."""
    management.call(
        "POST",
        "/api/channel",
        {"name": "up", "base_url": upstream.base_url, "api_key": "sk-upstream", "models": ["acme/small"]},
    )
    management.call(
        "PUT",
        "/api/model/acme/small",
        {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "max_output_tokens": 1000},
    )
    guardrail = management.call(
        "POST",
        "/api/guardrail",
        {
            "name": "tenant-baseline",
            "enabled": True,
            "is_default": True,
            "rules": [{"type": "pii", "stage": "input", "action": "mask", "entities": ["email", "ssn"]}],
        },
    )
    policy = management.call(
        "POST",
        "/api/workspace/firewall/policies",
        {
            "name": "agents",
            "enabled": True,
            "rules": [{"tool_name_glob": "shell.*", "verdict": "deny", "priority": 1, "label": "no shell"}],
        },
    )
    key: dict[str, Any] = management.call(
        "POST",
        "/api/token",
        {
            "name": "tenant",
            "credit_limit_usd": "1",
            "model_limits_enabled": True,
            "model_limits": ["acme/*", "orca/echo"],
            "allow_ips": ["127.0.0.1"],
            "expired_time": -1,
            "environment": "test",
            "guardrail_id": guardrail["id"],
            "firewall_policy_id": policy["id"],
            "rpm_limit": 0,
            "max_concurrency": 50,
        },
    )
    return key


@pytest.fixture(scope="session")
def client(product: Product, key: dict[str, Any]) -> openai.OpenAI:
    return openai.OpenAI(api_key=key["key"], base_url=f"{product.relay_url}/v1", max_retries=0)


@pytest.fixture(scope="session")
def files() -> Iterator[str]:
    """A real MCP server in a thread of its own."""
    server: MCPServer[Any] = MCPServer("files")

    @server.tool()
    def read(path: str) -> str:
        """Reads a file."""
        return f"content of {path}"

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    manager = serving(server.streamable_http_app(json_response=True))
    url = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
    yield f"{url}/mcp"
    asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
