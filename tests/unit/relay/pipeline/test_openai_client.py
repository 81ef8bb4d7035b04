"""The official client, unmodified, against the relay on a real socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import openai
import pytest

from tests.support.serving import serving
from tests.unit.relay.pipeline.support import SECRET, Relay


@contextlib.asynccontextmanager
async def client_of(relay: Relay) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of a running relay."""
    async with (
        serving(relay.app) as url,
        openai.AsyncOpenAI(api_key=SECRET, base_url=f"{url}/v1", max_retries=2) as client,
    ):
        yield client
    await relay.http.close()


MESSAGES = [{"role": "user", "content": "hello my friend"}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


async def test_chat_streams_tools_and_models() -> None:
    async with client_of(Relay()) as client:
        answer = await client.chat.completions.create(model="test/model", messages=MESSAGES, n=2)  # type: ignore
        assert [c.message.content for c in answer.choices] == ["hello my friend"] * 2
        stream = await client.chat.completions.create(
            model="model",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},  # type: ignore
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "hello my friend"
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == 6
        called = await client.chat.completions.create(
            model="test/model",
            messages=MESSAGES,
            tools=TOOLS,
            tool_choice="required",  # type: ignore
        )
        assert called.choices[0].message.tool_calls[0].function.name == "look"
        assert (await client.models.retrieve("test/model")).id == "test/model"
        assert [model.id async for model in client.models.list()] == ["test/model"]


async def test_refusals_are_the_clients_exceptions_and_are_not_retried() -> None:
    relay = Relay()
    async with client_of(relay) as client:
        with pytest.raises(openai.BadRequestError) as blocked:
            await client.chat.completions.create(
                model="test/model", messages=[{"role": "user", "content": "forbidden"}]
            )
        assert blocked.value.code == "guardrail_blocked"
        assert len(relay.guardrail.requests) == 1
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="no/such", messages=MESSAGES)  # type: ignore
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").models.list()
        relay.limiter.refuse = True
        with pytest.raises(openai.RateLimitError):
            await client.with_options(max_retries=0).chat.completions.create(model="test/model", messages=MESSAGES)  # type: ignore
