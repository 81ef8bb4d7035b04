"""A small HTTP balancer: sends each request to the next backend that says it is ready, and repeats nothing.

Like the ones in front of real deployments it keeps connections to its backends open, learns from `/readyz` who serves,
and moves on only where a connection could not be opened; a request that was sent is never sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, TCPConnector, web

POLL_S = 0.1
PROBE_S = 2.0
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Balancer:
    """Listens on a free port; `served` counts answers per backend."""

    def __init__(self, backends: list[str]) -> None:
        self.url = ""
        self.served: Counter[str] = Counter()
        self._backends = backends
        self._ready = dict.fromkeys(backends, False)
        self._turn = 0
        self._session: ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._probes: list[asyncio.Task[None]] = []

    async def start(self) -> Balancer:
        """Returns when it listens and every backend was probed once."""
        self._session = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=120))
        for backend in self._backends:
            await self._probe(backend)
        self._probes = [asyncio.create_task(self._watch(backend)) for backend in self._backends]
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        """Closes everything."""
        for probe in self._probes:
            probe.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _watch(self, backend: str) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            await self._probe(backend)

    async def _probe(self, backend: str) -> None:
        assert self._session is not None
        try:
            timeout = ClientTimeout(total=PROBE_S)
            async with self._session.get(f"{backend}/readyz", timeout=timeout) as answer:
                self._ready[backend] = answer.status == 200
        except (ClientError, TimeoutError):
            self._ready[backend] = False

    def _candidates(self) -> list[str]:
        ready = [backend for backend in self._backends if self._ready[backend]]
        self._turn += 1
        start = self._turn % max(1, len(ready))
        return ready[start:] + ready[:start]

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        body = await request.read()
        for backend in self._candidates():
            try:
                upstream = await self._session.request(
                    request.method, backend + request.path_qs, headers=headers, data=body
                )
            except ClientConnectorError:
                self._ready[backend] = False
                continue
            async with upstream:
                kept = {name: value for name, value in upstream.headers.items() if name.lower() not in HOP_BY_HOP}
                answer = web.StreamResponse(status=upstream.status, headers=kept)
                await answer.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                with contextlib.suppress(ConnectionError):
                    await answer.write_eof()
                self.served[backend] += 1
                return answer
        return web.json_response({"error": {"message": "no backend is ready", "code": "no_backend"}}, status=503)
