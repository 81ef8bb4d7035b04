"""Streamed answers over a real loopback provider: order, holding, masks, refusals, cuts, disconnects."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import Unavailable
from tests.unit.relay.pipeline.support import Provider, Relay, channel, chat

USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def chunk(delta: Any, index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **fields}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def usage_chunk() -> dict[str, Any]:
    return {**chunk({}), "choices": [], "usage": USAGE}


def events(*payloads: Any, done: bool = True, newline: str = "\n") -> bytes:
    data = "".join(f": ping{newline}data: {json.dumps(p)}{newline}{newline}" for p in payloads)
    return (data + (f"data: [DONE]{newline}{newline}" if done else "")).encode()


def stream_of(raw: bytes, size: int = 10**6) -> Any:
    """A handler that streams these bytes in pieces of this size."""

    async def handle(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for start in range(0, len(raw), size):
            await response.write(raw[start : start + size])
        return response

    return handle


def call_delta(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": head.pop("name")} if "name" in head else {})}
    return {"tool_calls": [{"index": index, "function": function, **head}]}


async def test_echo_streams_word_by_word_and_strips_usage_unless_asked() -> None:
    relay = Relay()
    answered = await relay.call(body=chat("one two three", stream=True))
    assert answered.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answered.text() == "one two three"
    contents = [c["choices"][0]["delta"].get("content") for c in answered.frames[:-1]]
    assert contents == ["", "one ", "two ", "three", None]
    assert answered.frames[-2]["choices"][0]["finish_reason"] == "stop"
    assert answered.frames[-1] == "[DONE]"
    assert not any("usage" in c for c in answered.frames[:-1])
    assert relay.journal.of("spend")[0].settled_nano_usd == 9000
    asked = await relay.call(body=chat("one two three", stream=True, stream_options={"include_usage": True}))
    assert asked.frames[-2]["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert asked.frames[0]["usage"] is None


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_masks_are_the_same_however_the_stream_is_cut(size: int, newline: str) -> None:
    pieces = ["a se", "cr", "et wor", "d ü", " end"]
    raw = events(
        chunk({"role": "assistant", "content": ""}),
        *[chunk({"content": piece}) for piece in pieces],
        chunk({}, finish="stop"),
        usage_chunk(),
        newline=newline,
    )
    async with Provider(stream_of(raw, size)) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = await relay.call(body=chat(stream=True))
    assert provider.bodies[0]["stream_options"] == {"include_usage": True}
    assert answered.text() == "a [MASK] word ü end"
    assert relay.journal.of("request")[0].finish_reasons == ["stop"]
    assert relay.journal.of("spend")[0].settled_nano_usd == 11_000


async def test_choices_are_kept_apart_and_logprobs_pass_without_output_rules() -> None:
    logprobs: dict[str, Any] = {
        "content": [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}],
        "refusal": None,
    }
    raw = events(
        chunk({"role": "assistant", "content": "x"}, 0, logprobs=logprobs),
        chunk({"role": "assistant", "content": "y"}, 1),
        chunk({}, 0, "stop"),
        chunk({}, 1, "length"),
    )
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(stream=True, n=2, logprobs=True))
    assert (answered.text(index=0), answered.text(index=1)) == ("x", "y")
    assert answered.frames[0]["choices"][0]["logprobs"] == logprobs
    finishes = {
        c["index"]: c["finish_reason"] for f in answered.frames[:-1] for c in f["choices"] if c["finish_reason"]
    }
    assert finishes == {0: "stop", 1: "length"}
    spend = relay.journal.of("spend")[0]
    assert spend.estimated
    assert spend.settled_nano_usd + spend.unconfirmed_nano_usd == spend.reservation_nano_usd


async def test_tool_calls_are_held_until_judged_and_released_as_they_came() -> None:
    deltas = [
        {"role": "assistant", "content": None},
        call_delta(0, "", id="c0", type="function", name="look"),
        call_delta(1, "", id="c1", type="function", name="find"),
        call_delta(0, '{"a":'),
        call_delta(1, "{}"),
        call_delta(0, "1}"),
    ]
    raw = events(*map(chunk, deltas), chunk({}, finish="tool_calls"), usage_chunk())
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(stream=True))
    sent = [c["choices"][0]["delta"] for c in answered.frames[:-1]]
    assert [delta for delta in sent if "tool_calls" in delta] == deltas[1:]
    judged = relay.firewall.requests[-1].calls
    assert [(c.tool_name, c.arguments_json, c.call_id) for c in judged] == [
        ("look", '{"a":1}', "c0"),
        ("find", "{}", "c1"),
    ]
    assert relay.journal.of("request")[0].tool_calls == 2


async def test_a_denied_call_before_any_text_is_a_plain_refusal() -> None:
    raw = events(
        chunk({"role": "assistant", "content": None}),
        chunk(call_delta(0, "{}", id="c0", type="function", name="deny_me")),
        chunk({}, finish="tool_calls"),
        usage_chunk(),
    )
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(stream=True))
    assert answered.error == (400, "firewall_blocked")
    spend = relay.journal.of("spend")[0]
    assert (spend.settled_nano_usd, spend.blocked_nano_usd) == (0, 11_000)


async def test_redacted_and_masked_arguments_replace_the_held_deltas() -> None:
    raw = events(
        chunk({"role": "assistant", "content": "hi "}),
        chunk(call_delta(0, '{"a":"sec', id="c0", type="function", name="look")),
        chunk(call_delta(0, 'ret"}')),
        chunk({}, finish="tool_calls"),
    )
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = await relay.call(body=chat(stream=True))
    calls = [
        c["choices"][0]["delta"]["tool_calls"] for c in answered.frames[:-1] if "tool_calls" in c["choices"][0]["delta"]
    ]
    assert calls == [
        [{"index": 0, "id": "c0", "type": "function", "function": {"name": "look", "arguments": '{"a":"[MASK]"}'}}]
    ]


async def test_a_block_after_delivered_text_ends_in_an_error_frame() -> None:
    raw = events(chunk({"content": "fine so "}), chunk({"content": "far forbidden "}), chunk({}, finish="stop"))
    async with Provider(stream_of(raw, 60)) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = await relay.call(body=chat(stream=True))
    assert answered.status == 200
    assert answered.frames[-2]["error"]["code"] == "guardrail_blocked"
    assert answered.frames[-1] == "[DONE]"
    assert b"forbidden" not in answered.body
    spend = relay.journal.of("spend")[0]
    assert spend.settled_nano_usd > 0
    assert spend.settled_nano_usd + spend.blocked_nano_usd == spend.reservation_nano_usd
    assert relay.journal.of("request")[0].status == "blocked"


@pytest.mark.parametrize(
    "raw",
    [
        events(chunk({"content": "half "}), done=False),
        events(chunk({"content": "half "}), {"error": {"message": "sk-provider-detail"}}),
        events(chunk({"content": "half "}), done=False) + b"data: {not json}\n\n",
    ],
)
async def test_a_cut_stream_is_an_error_frame_estimated_and_unconfirmed(raw: bytes) -> None:
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(stream=True))
    last = answered.frames[-2]
    assert last["error"]["code"] == "upstream_error"
    assert b"sk-provider-detail" not in answered.body
    assert answered.frames[-1] == "[DONE]"
    spend = relay.journal.of("spend")[0]
    assert spend.settled_nano_usd + spend.unconfirmed_nano_usd == spend.reservation_nano_usd


async def test_the_guardrail_failing_before_the_first_piece_may_open() -> None:
    raw = events(chunk({"content": "a secret"}), chunk({}, finish="stop"))
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.error = Unavailable("down")
        relay.workspace.fail_open_guardrail = True
        relay.servers[0].close()
        answered = await relay.call(body=chat(stream=True))
        assert answered.text() == "a secret"
        assert [d.fail_open for d in relay.journal.of("decision") if d.plane == "guardrail"] == [True, True]
        relay.workspace.fail_open_guardrail = False
        assert (await relay.call(body=chat(stream=True))).error == (503, "policy_unavailable")


async def test_a_client_that_leaves_a_stream_stops_the_provider() -> None:
    stopped = asyncio.Event()

    async def endless(request: web.Request, body: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await response.write(events(chunk({"content": "word "}), done=False))
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return response

    async def leave(sent: int, gone: asyncio.Event) -> None:
        if sent == 2:
            gone.set()

    async with Provider(endless) as provider:
        relay = Relay(channel(provider.url))
        await relay.call(body=chat(stream=True), on_send=leave)
        relay_request = relay.journal.of("request")[0]
    assert (relay_request.status, relay_request.estimated) == ("cancelled", True)
    spend = relay.journal.of("spend")[0]
    assert 0 < spend.settled_nano_usd < spend.reservation_nano_usd
    assert spend.settled_nano_usd + spend.unconfirmed_nano_usd == spend.reservation_nano_usd


async def test_echo_calls_the_chosen_tool() -> None:
    relay = Relay()
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"properties": {"q": {}}}}}]
    choice = {"type": "function", "function": {"name": "look"}}
    answered = await relay.call(body=chat("go there", stream=True, tools=tools, tool_choice=choice))
    arguments = "".join(
        call["function"]["arguments"]
        for frame in answered.frames[:-1]
        for call in frame["choices"][0]["delta"].get("tool_calls", ())
    )
    assert json.loads(arguments) == {"q": "go there"}
    assert answered.frames[-2]["choices"][0]["finish_reason"] == "tool_calls"
