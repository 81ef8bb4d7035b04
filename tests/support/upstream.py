"""An OpenAI-compatible upstream on loopback that records what it received and answers as told.

The last user message steers it: `say:<text>` answers the text, `tool:<name>:<json>` calls a tool,
`status:<code>` fails, `sleep:<seconds>` waits before it answers, `slow` streams forever until the client leaves,
`cut` breaks off in the middle of a stream. Anything else is echoed.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web


class Upstream:
    """Starts on a free port; `requests` holds every body, `cancelled` counts clients that left."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        text = _last_user_text(body)
        if text.startswith("status:"):
            return web.json_response({"error": {"message": "upstream says no"}}, status=int(text[7:]))
        if text.startswith("sleep:"):
            await asyncio.sleep(float(text[6:]))
        choices = [_choice(index, text, body) for index in range(body.get("n") or 1)]
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not body.get("stream"):
            return web.json_response(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 1_700_000_000,
                    "model": body["model"],
                    "choices": choices,
                    "usage": usage,
                }
            )
        return await self._stream(request, body, choices, usage, text=text)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], choices: list[Any], usage: Any, *, text: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def frame(chunk_choices: list[Any], **extra: Any) -> None:
            chunk = {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": body["model"],
                "choices": chunk_choices,
                **extra,
            }
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

        try:
            while text == "slow":
                await frame([{"index": 0, "delta": {"content": "tick "}, "finish_reason": None}])
                await asyncio.sleep(0.02)
            for choice in choices:
                for number, delta in enumerate(_deltas(choice["message"])):
                    if text.startswith("cut") and number == 2 and request.transport is not None:
                        request.transport.abort()
                    await frame([{"index": choice["index"], "delta": delta, "finish_reason": None}])
                await frame([{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}])
            if (body.get("stream_options") or {}).get("include_usage"):
                await frame([], usage=usage)
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        return response


def _last_user_text(body: dict[str, Any]) -> str:
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content)
    return ""


def _choice(index: int, text: str, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text.removeprefix("say:")}
    finish = "stop"
    if text.startswith("tool:"):
        calls = []
        for number, part in enumerate(text[5:].split("|")):
            name, _, arguments = part.partition(":")
            calls.append(
                {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
            )
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        finish = "tool_calls"
    choice = {"index": index, "message": message, "finish_reason": finish}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": [{"token": "x", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
    return choice


def _deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text = message.get("content") or ""
    deltas += [{"content": text[start : start + 3]} for start in range(0, len(text), 3)]
    for number, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        deltas.append(
            {"tool_calls": [{"index": number, **call, "function": {"name": function["name"], "arguments": ""}}]}
        )
        arguments = function["arguments"]
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": arguments[start : start + 4]}}]}
            for start in range(0, len(arguments), 4)
        ]
    return deltas
