"""One trace from the caller's HTTP request over gRPC and the event log into the store, exported over OTLP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.process import ADMIN_TOKEN, Embedded

TRACE = "0af7651916cd43dd8448eb211c80319c"
WAIT_S = 60
CANARY = "canary-of-the-prompt"


class Collector:
    """Receives OTLP over HTTP; `spans` by trace id."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Any]] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            collector.spans.setdefault(span.trace_id.hex(), []).append(span)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.stop()


def test_one_trace_reaches_from_the_caller_to_the_store(collector: Collector, tmp_path: Path) -> None:
    product = Embedded(tmp_path, ORCA_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="200")
    product.start()
    bearer = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    created = httpx.post(f"{product.management_url}/api/token", json={"name": "traced"}, headers=bearer)
    answer = httpx.post(
        f"{product.relay_url}/v1/chat/completions",
        json={"model": "orca/echo", "messages": [{"role": "user", "content": CANARY}]},
        headers={
            "Authorization": f"Bearer {created.json()['data']['key']}",
            "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
        },
        timeout=20,
    )
    assert answer.status_code == 200
    wanted = {
        "POST /v1/chat/completions",
        "orca.guardrail.v1.GuardrailService/Check",
        "orca.firewall.v1.FirewallService/Evaluate",
        "chat echo",
        "process events",
        "INSERT requests",
    }
    begun = time.monotonic()
    while time.monotonic() - begun < WAIT_S:
        if wanted <= {span.name for span in collector.spans.get(TRACE, ())}:
            break
        time.sleep(0.05)
    print(f"the trace was complete after {time.monotonic() - begun:.2f} s")
    product.stop()
    spans = collector.spans[TRACE]
    assert wanted <= {span.name for span in spans}
    (call,) = [span for span in spans if span.name == "chat echo"]
    attributes = {pair.key: pair.value.string_value for pair in call.attributes}
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.request.model"] == "echo"
    (root,) = [span for span in spans if span.name == "POST /v1/chat/completions"]
    assert root.parent_span_id.hex() == "b7ad6b7169203331"
    assert CANARY not in str(spans)
