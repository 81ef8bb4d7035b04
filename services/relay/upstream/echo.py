"""The sample model `orca/echo` behind the upstream port: no network, the same bytes a provider would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from services.common.clock import Clock
from services.common.ids import new_id
from services.relay.domain.echo import Echo
from services.relay.upstream.port import Answer, NotSent, Target, Upstream

ECHO_URL = "builtin:echo"


class EchoAnswer:
    """One echo answer."""

    status = 200

    def __init__(self, echo: Echo, stream: bool) -> None:
        self._echo = echo
        self.event_stream = stream
        self._stopped = False

    async def read(self) -> bytes:
        """The answer as one object."""
        return msgspec.json.encode(self._echo.whole())

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer word by word."""
        for chunk in self._echo.chunks():
            if self._stopped:
                return
            yield b"data: " + msgspec.json.encode(chunk) + b"\n\n"
            # Lets other requests run between words, as a network would.
            await asyncio.sleep(0)
        yield b"data: [DONE]\n\n"

    def abort(self) -> None:
        """Stops the stream."""
        self._stopped = True


class EchoUpstream:
    """Answers every request itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def send(self, target: Target, body: bytes) -> EchoAnswer:
        """The echo of a body that the relay wrote itself."""
        del target
        request = msgspec.json.decode(body)
        echo = Echo(request, answer_id=new_id("chatcmpl"), created=self._clock.now_us() // 1_000_000)
        return EchoAnswer(echo, bool(request.get("stream")))

    async def close(self) -> None:
        """Nothing to close."""


class Upstreams:
    """Chooses by base URL: the built-in model, where enabled, or HTTP."""

    def __init__(self, http: Upstream, echo: Upstream | None) -> None:
        self._http = http
        self._echo = echo

    async def send(self, target: Target, body: bytes) -> Answer:
        """Sends to whoever serves the target."""
        if target.base_url != ECHO_URL:
            return await self._http.send(target, body)
        if self._echo is None:
            raise NotSent("the sample model is switched off (ORCA_ECHO_MODEL)")
        return await self._echo.send(target, body)

    async def close(self) -> None:
        """Closes the HTTP side."""
        await self._http.close()
