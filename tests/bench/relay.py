"""`make bench`: what the gateway adds to a call, against a native upstream measured bare in the same run.

nginx answers with a fixed chat completion; wrk drives it bare, then through Orca with a six-entity PII guardrail
and a firewall policy on. Prints requests/s, p50 and p99 per profile, concurrency and prompt size, the time to the
first streamed token, and memory per process. Numbers are for comparison within one run; nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.cluster import Cluster
from tests.support.process import ADMIN_TOKEN, Embedded, free_port

ENTITIES = ["email", "phone", "credit_card", "ssn", "ip", "iban"]
WORDS = "the quick brown fox jumps over the lazy dog while the band plays on and nobody counts the hours "
TTFT_CALLS = 100
CATCH_UP_S = 5

_NGINX = """
worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s; keepalive_requests 1000000; client_max_body_size 32m;
  client_body_buffer_size 1m;
  server {{
    listen 127.0.0.1:{port};
    location /plain/ {{ default_type application/json; return 200 '{plain}'; }}
    location /stream/ {{ default_type text/event-stream; return 200 '{stream}'; }}
  }}
}}
"""
_LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local file = io.open("{body}", "r"); wrk.body = file:read("*a"); file:close()
function done(summary, latency, requests)
  io.write(string.format("RESULT %f %f %f %d %d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Result:
    """One wrk run."""

    rps: float
    p50_ms: float
    p99_ms: float


def _answers() -> tuple[str, str]:
    plain = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 6, "total_tokens": 206},
    }  # fmt: skip
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    chunks = [
        {**base, "choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
        for word in WORDS.split()
    ]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**base, "choices": [], "usage": plain["usage"]})
    stream = "".join(f"data: {json.dumps(chunk)}\\n\\n" for chunk in chunks) + "data: [DONE]\\n\\n"
    return json.dumps(plain), stream.replace("\\n", "\n")


@contextmanager
def nginx(home: Path) -> Iterator[str]:
    """The upstream's base URL."""
    plain, stream = _answers()
    port = free_port()
    config = home / "nginx.conf"
    config.write_text(_NGINX.format(home=home, port=port, plain=plain, stream=stream.replace("$", "")))
    process = subprocess.Popen([_need("nginx"), "-c", str(config), "-p", str(home)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        sys.exit(f"make bench needs {program} (Debian: apt-get install nginx-light wrk)")
    return found


def body(size: int, *, stream: bool = False) -> dict[str, Any]:
    """A request whose prompt has about so many bytes."""
    text = (WORDS * (size // len(WORDS) + 1))[:size]
    return {
        "model": "bench/stream" if stream else "bench/small",
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }


def load(home: Path, url: str, key: str, payload: dict[str, Any], connections: int, seconds: int) -> Result:
    """One wrk run."""
    body_file, script = home / "body.json", home / "post.lua"
    body_file.write_text(json.dumps(payload))
    script.write_text(_LUA.format(key=key, body=body_file))
    command = [_need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+) (\d+)", out)
    if found is None or found[4] != "0":
        raise RuntimeError(f"the run had errors: {out}")
    return Result(float(found[1]), float(found[2]), float(found[3]))


def first_token_ms(url: str, key: str, payload: dict[str, Any], calls: int = TTFT_CALLS) -> tuple[float, float]:
    """(median, p95) of the time from sending a request to the first byte of the event stream's body, ms."""
    times = []
    with httpx.Client() as client:
        for _ in range(calls):
            begun = time.perf_counter()
            with client.stream("POST", url, json=payload, headers={"Authorization": f"Bearer {key}"}) as answer:
                first = None
                # Read to its end: closing early would be a client that leaves.
                for chunk in answer.iter_raw():
                    if first is None and b"content" in chunk:
                        first = time.perf_counter() - begun
                times.append((first or 0.0) * 1000)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.95) - 1]


def prepare(management_url: str, upstream: str) -> str:
    """Channels, prices, both policies and a capped key; its plaintext."""
    with httpx.Client(
        base_url=management_url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30
    ) as client:

        def call(method: str, path: str, payload: Any) -> Any:
            answer = client.request(method, path, json=payload)
            answer.raise_for_status()
            return answer.json()["data"]

        for name in ("plain", "stream"):
            model = "bench/small" if name == "plain" else "bench/stream"
            call(
                "POST",
                "/api/channel",
                {"name": name, "base_url": f"{upstream}/{name}", "api_key": "sk-x", "models": [model]},
            )
            call(
                "PUT",
                f"/api/model/{model}",
                {
                    "input_usd_per_mtok": "0.01",
                    "output_usd_per_mtok": "0.01",
                    "max_output_tokens": 1000,
                    "context_length": 200000,
                },
            )
        rule = {"type": "pii", "stage": "both", "action": "mask", "entities": ENTITIES}
        guardrail = call("POST", "/api/guardrail", {"name": "bench", "enabled": True, "rules": [rule]})
        rules = [{"tool_name_glob": f"tool{i}.*", "verdict": "deny", "priority": i} for i in range(10)]
        policy = call("POST", "/api/workspace/firewall/policies", {"name": "bench", "enabled": True, "rules": rules})
        key = call(
            "POST",
            "/api/token",
            {
                "name": "bench",
                "credit_limit_usd": "1000",
                "guardrail_id": guardrail["id"],
                "firewall_policy_id": policy["id"],
            },
        )
    return str(key["key"])


def memory_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """CPU time of a process and of the children it has, seconds."""
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if path.parent.name == str(pid) or fields[1] == str(pid):
                used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def tiers(cluster: Cluster, home: Path, key: str, seconds: int) -> None:
    """Prints what each process of a deployment costs per 1,000 requests, whole and streamed (docs/scaling.md)."""
    assert cluster.kafka is not None
    pids = {process.name: process.pid for process in cluster.processes.values()}
    pids |= {"postgresql": cluster.postgres.pid, "kafka": cluster.kafka.pid}

    def spent(work: Callable[[], float]) -> tuple[dict[str, float], float, float]:
        """(CPU seconds by process, seconds, what the work returned); consumers have time to catch up."""
        before, begun = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
        result = work()
        time.sleep(CATCH_UP_S)
        return {name: cpu_s(pid) - before[name] for name, pid in pids.items()}, time.monotonic() - begun, result

    used, lasted_s, _ = spent(lambda: 0.0)
    idle = {name: value / lasted_s for name, value in used.items()}
    print("distributed  idle, CPU seconds a second: " + ", ".join(f"{n} {v:.3f}" for n, v in idle.items()), flush=True)
    for kind in ("whole", "streamed"):
        payload, url = body(1_000, stream=kind == "streamed"), f"{cluster.relay_url}/v1/chat/completions"
        used, lasted_s, rps = spent(lambda p=payload, u=url: load(home, u, key, p, 16, seconds).rps)  # type: ignore[misc]
        cost = {n: (v - idle[n] * lasted_s) / (rps * seconds) * 1000 for n, v in used.items()}
        told = ", ".join(f"{name} {value:.2f}" for name, value in cost.items())
        print(f"distributed  {kind}: {rps:.0f} req/s; CPU seconds per 1,000 requests: {told}", flush=True)


def measure(name: str, home: Path, relay_url: str, key: str, bare_url: str, seconds: int) -> None:
    """Prints one profile's table."""
    url = f"{relay_url}/v1/chat/completions"
    for size in (1_000, 100_000):
        for connections in (1, 32):
            bare = load(home, f"{bare_url}/plain/chat/completions", "x", body(size), connections, max(1, seconds // 2))
            load(home, url, key, body(size), connections, 1)
            ours = load(home, url, key, body(size), connections, seconds)
            print(
                f"{name:12} {size:>7} B {connections:>3} conn  {ours.rps:>9.0f} req/s  p50 {ours.p50_ms:7.2f} ms  "
                f"p99 {ours.p99_ms:7.2f} ms  added {ours.p50_ms - bare.p50_ms:6.2f} ms  (bare {bare.rps:.0f} req/s)",
                flush=True,
            )
    first_token_ms(url, key, body(1_000, stream=True), 20)
    bare_first = first_token_ms(f"{bare_url}/stream/chat/completions", "x", body(1_000, stream=True))
    first = first_token_ms(url, key, body(1_000, stream=True))
    print(
        f"{name:12} streamed    first token p50 {first[0]:.2f} ms, p95 {first[1]:.2f} ms (bare {bare_first[0]:.2f} ms)"
    )


def main() -> None:
    """Runs both profiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--profile", choices=("embedded", "distributed", "both"), default="both")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)
        with nginx(home) as upstream:
            if args.profile in ("embedded", "both"):
                product = Embedded(home / "embedded")
                product.start()
                if len(cores) > 1:
                    # One core for the gateway; the load and the upstream have the others.
                    for task in Path(f"/proc/{product.pid}/task").iterdir():
                        os.sched_setaffinity(int(task.name), {cores[0]})
                key = prepare(product.management_url, upstream)
                measure("embedded", home, product.relay_url, key, upstream, args.seconds)
                print(f"embedded     memory {memory_mb(product.pid):.0f} MB (one core)")
                product.stop()
            if args.profile in ("distributed", "both"):
                cluster = Cluster(home / "cluster").start()
                key = prepare(cluster.management_url, upstream)
                # First, while nothing is left to catch up with.
                tiers(cluster, home, key, args.seconds)
                measure("distributed", home, cluster.relay_url, key, upstream, args.seconds)
                used = {process.name: f"{memory_mb(process.pid):.0f} MB" for process in cluster.processes.values()}
                print(f"distributed  memory {used}")
                cluster.stop()


if __name__ == "__main__":
    main()
