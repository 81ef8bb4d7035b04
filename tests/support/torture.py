"""A provider with a bill, tenants that abort at random, and someone who kills processes: parts of the torture test."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

from tests.support.cluster import Cluster

INPUT_NANO_PER_TOKEN = 1_000
OUTPUT_NANO_PER_TOKEN = 2_000
MAX_OUTPUT = 1_000
FORBIDDEN = "forbidden word"


class BillingProvider:
    """OpenAI-compatible. Bills a whole answer as soon as a request arrives, whatever becomes of it.

    A factor on its prices brings many keys to their caps within a short run.
    """

    def __init__(self, seed: int, price_factor: int = 1) -> None:
        self.bill: Counter[str] = Counter()
        self.input_nano, self.output_nano = INPUT_NANO_PER_TOKEN * price_factor, OUTPUT_NANO_PER_TOKEN * price_factor
        self.answers = 0
        self._draw = random.Random(seed)
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or MAX_OUTPUT
        output = self._draw.choice((limit, self._draw.randint(1, limit)))
        usage = {"prompt_tokens": len(raw) // 4, "completion_tokens": output}
        usage["total_tokens"] = usage["prompt_tokens"] + output
        self.bill[body["user"]] += usage["prompt_tokens"] * self.input_nano + output * self.output_nano
        self.answers += 1
        words = ["word"] * 20
        if "refuse me" in body["messages"][-1]["content"]:
            words[self._draw.randrange(20)] = FORBIDDEN
        if not body.get("stream"):
            await asyncio.sleep(self._draw.random() * 0.1)
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(words)},
                "finish_reason": "stop",
            }
            return web.json_response(_envelope("chat.completion", body, [choice], usage))
        try:
            return await self._stream(request, body, words, usage)
        except ConnectionError:
            # The relay was killed, or its client left; the bill stands.
            return web.Response()

    async def _stream(
        self, request: web.Request, body: dict[str, Any], words: list[str], usage: dict[str, int]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in words:
            delta = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
            await response.write(_frame(_envelope("chat.completion.chunk", body, [delta])))
            await asyncio.sleep(self._draw.random() * 0.01)
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await response.write(_frame(_envelope("chat.completion.chunk", body, [last])))
        await response.write(_frame(_envelope("chat.completion.chunk", body, [], usage)))
        await response.write(b"data: [DONE]\n\n")
        return response


def _envelope(kind: str, body: dict[str, Any], choices: list[Any], usage: Any = None) -> dict[str, Any]:
    found = {"id": "c", "object": kind, "created": 1_700_000_000, "model": body["model"], "choices": choices}
    return found | ({"usage": usage} if usage is not None else {})


def _frame(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


@dataclass
class Outcome:
    """What the tenants saw."""

    answered: list[str] = field(default_factory=list)
    """Request ids of answers whose last byte arrived."""
    codes: Counter[str] = field(default_factory=Counter)


class Tenants:
    """Concurrent clients of some keys, on all relays, streamed and not; some leave in the middle."""

    def __init__(self, urls: list[str], keys: list[dict[str, Any]], clients: int, seed: int) -> None:
        self._urls, self._keys, self._clients = urls, keys, clients
        self._draw = random.Random(seed)
        self.outcome = Outcome()

    async def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        connector = TCPConnector(limit=0, force_close=True)
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=20)) as session:
            await asyncio.gather(*(self._client(session, deadline) for _ in range(self._clients)))

    async def _client(self, session: ClientSession, deadline: float) -> None:
        while time.monotonic() < deadline:
            key = self._draw.choice(self._keys)
            try:
                async with asyncio.timeout(self._draw.choice((20, 20, 20, self._draw.random() * 0.2))):
                    await self._ask(session, key)
            except TimeoutError:
                self.outcome.codes["left"] += 1
            except (ClientError, OSError):
                self.outcome.codes["connection"] += 1
                await asyncio.sleep(0.2)

    async def _ask(self, session: ClientSession, key: dict[str, Any]) -> None:
        stream = self._draw.random() < 0.5
        text = "refuse me" if key["refused"] and self._draw.random() < 0.5 else "hello there"
        body = {
            "model": "acme/small",
            "messages": [{"role": "user", "content": text}],
            "user": key["id"],
            "stream": stream,
            "max_tokens": self._draw.choice((100, 400, MAX_OUTPUT)),
        }
        url = f"{self._draw.choice(self._urls)}/v1/chat/completions"
        async with session.post(url, json=body, headers={"Authorization": f"Bearer {key['key']}"}) as answer:
            raw = await answer.read()
            ok = answer.status == 200 and (not stream or (b"[DONE]" in raw and b'"error"' not in raw))
            if ok:
                self.outcome.answered.append(answer.headers["X-Orca-Request-Id"])
                self.outcome.codes["ok"] += 1
                return
        code = "stream_error"
        with suppress(ValueError, KeyError):
            code = json.loads(raw)["error"]["code"]
        self.outcome.codes[str(code)] += 1
        await asyncio.sleep(self._draw.random() * 0.3)


class Killer(threading.Thread):
    """Kills a random process every few seconds and starts it again; once, the broker too."""

    def __init__(self, cluster: Cluster, services: tuple[str, ...], pause_s: float, seed: int) -> None:
        super().__init__(name="killer")
        self._cluster, self._pause_s = cluster, pause_s
        self._victims = [process for process in cluster.processes.values() if process.service in services]
        self._draw = random.Random(seed)
        self._ending = threading.Event()
        self.kills: Counter[str] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error

    def _run(self) -> None:
        broker_at = self._draw.randint(2, 4)
        while not self._ending.wait(self._pause_s * (0.5 + self._draw.random())):
            if sum(self.kills.values()) == broker_at and self._cluster.kafka is not None and not self.kills["broker"]:
                self.kills["broker"] += 1
                self._cluster.kafka.kill()
                time.sleep(self._draw.random() * 2)
                self._cluster.kafka.start()
                continue
            victim = self._draw.choice(self._victims)
            victim.kill()
            self.kills[victim.service] += 1
            time.sleep(self._draw.random())
            victim.launch()
            victim.wait_ready()

    def end(self) -> None:
        self._ending.set()
        self.join(180)
        if self.error is not None:
            raise self.error


def log_counts(management: httpx.Client) -> Counter[tuple[str, str]]:
    """(request id, status) of all requests in the log feed, with how often each is there."""
    found: Counter[tuple[str, str]] = Counter()
    cursor = ""
    while True:
        answer = management.get("/api/log", params={"limit": 200, **({"cursor": cursor} if cursor else {})})
        answer.raise_for_status()
        page = answer.json()["data"]
        found.update((row["request_id"], row["status"]) for row in page["items"])
        if not page["next_cursor"]:
            return found
        cursor = page["next_cursor"]
