"""Answers that wait for a reviewer: held whole, released once to the same body, without the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from orca.guardrail.v1 import guardrail_pb2
from tests.unit.relay.pipeline.support import APPROVAL, Answered, Provider, Relay, channel, chat, completion
from tests.unit.relay.pipeline.test_streaming import call_delta, chunk, events, stream_of, usage_chunk

HEADER = {"X-Orca-Firewall-Approval": APPROVAL}
CALL = {"id": "c1", "type": "function", "function": {"name": "wait_pay", "arguments": '{"to": "a secret place"}'}}


def answers(message: dict[str, Any]) -> Any:
    async def handle(request: web.Request, body: Any) -> web.StreamResponse:
        return web.json_response(completion(message))

    return handle


def tool_calls(answered: Answered) -> Any:
    return answered.json["choices"][0]["message"]["tool_calls"]


async def test_a_held_answer_is_released_once_without_the_provider_and_judged_again() -> None:
    async with Provider(answers({"content": "paying", "tool_calls": [CALL]})) as provider:
        relay = Relay(channel(provider.url))
        first = await relay.call(body=chat())
        assert first.error == (400, "firewall_approval_pending")
        assert first.headers["x-orca-firewall-approval"] == APPROVAL
        spent = relay.journal.of("spend")
        assert [(item.settled_nano_usd, item.blocked_nano_usd > 0) for item in spent] == [(0, True)]
        waiting = await relay.call(body=chat(), headers=HEADER)
        assert waiting.error == (400, "firewall_approval_pending")
        relay.firewall.redeem_code = ""
        other = await relay.call(body=chat("another"), headers=HEADER)
        assert other.error == (400, "firewall_approval_mismatch")
        relay.guardrail.stages.add(guardrail_pb2.STAGE_OUTPUT)
        reordered = dict(reversed(chat().items()))
        released = await relay.call(body=reordered, headers=HEADER)
        assert released.status == 200
        assert released.json["choices"][0]["message"]["content"] == "paying"
        assert json.loads(tool_calls(released)[0]["function"]["arguments"]) == {"to": "a [MASK] place"}
        assert relay.firewall.redeemed == [False, True]
        again = await relay.call(body=chat(), headers=HEADER)
        assert again.error == (400, "firewall_approval_used")
    assert len(provider.bodies) == 1
    assert len(relay.journal.of("spend")) == 1
    assert [item.status for item in relay.journal.of("request")] == ["blocked", "blocked", "blocked", "ok", "blocked"]


async def test_an_answer_the_guardrail_refuses_by_now_is_not_used_up() -> None:
    async with Provider(answers({"content": "forbidden", "tool_calls": [CALL]})) as provider:
        relay = Relay(channel(provider.url))
        await relay.call(body=chat())
        relay.firewall.redeem_code = ""
        relay.guardrail.stages.add(guardrail_pb2.STAGE_OUTPUT)
        assert (await relay.call(body=chat(), headers=HEADER)).error == (400, "guardrail_blocked")
    assert relay.firewall.redeemed == [False]


async def test_a_streamed_answer_is_held_whole_and_released_as_a_stream() -> None:
    said = [{"role": "assistant", "content": "I will "}, {"content": "pay"}]
    called = [call_delta(0, "", id="c1", name="wait_pay"), call_delta(0, '{"a":'), call_delta(0, "1}")]
    deltas = [*said, *called]
    raw = events(*map(chunk, deltas), chunk({}, finish="tool_calls"), usage_chunk())
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        relay.firewall.may_refuse_output = True
        body = chat(stream=True, stream_options={"include_usage": True})
        first = await relay.call(body=body)
        assert first.text() == "I will pay"
        assert first.frames[-2]["error"]["code"] == "firewall_approval_pending"
        assert b"wait_pay" not in first.body
        relay.firewall.redeem_code = ""
        released = await relay.call(body=body, headers=HEADER)
    assert released.text() == "I will pay"
    calls = [c for f in released.frames[:-1] for x in f["choices"] for c in x["delta"].get("tool_calls") or ()]
    assert [(c["index"], c["function"]) for c in calls] == [(0, {"name": "wait_pay", "arguments": '{"a":1}'})]
    assert [x["finish_reason"] for f in released.frames[:-1] for x in f["choices"]] == [None, "tool_calls"]
    assert released.frames[-2]["usage"]["total_tokens"] == 8
    assert len(provider.bodies) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_too_large_to_hold_is_denied(stream: bool) -> None:
    text = "x" * (300 * 1024)
    raw = events(chunk({"content": text}), chunk(call_delta(0, "{}", id="c1", name="wait")), chunk({}, finish="stop"))
    handler = stream_of(raw) if stream else answers({"content": text, "tool_calls": [CALL]})
    async with Provider(handler) as provider:
        relay = Relay(channel(provider.url))
        relay.firewall.may_refuse_output = True
        refused = await relay.call(body=chat(stream=stream, max_tokens=1_000_000))
    error = refused.frames[-2]["error"] if stream else refused.json["error"]
    assert error["code"] == "firewall_blocked"
    assert "too large" in error["message"]
    assert relay.firewall.held is None


async def test_too_many_open_approvals_are_a_429() -> None:
    async with Provider(answers({"tool_calls": [CALL]})) as provider:
        relay = Relay(channel(provider.url))
        relay.firewall.too_many = True
        refused = await relay.call(body=chat())
    assert refused.error == (429, "too_many_approvals")
    assert relay.journal.of("spend")[0].settled_nano_usd == 0


@pytest.mark.parametrize(
    ("code", "expected"), [("not_found", (404, "not_found")), ("credit_limit_exceeded", (402, "credit_limit_exceeded"))]
)
async def test_refusals_of_a_release(code: str, expected: tuple[int, str]) -> None:
    async with Provider(answers({"tool_calls": [CALL]})) as provider:
        relay = Relay(channel(provider.url))
        await relay.call(body=chat())
        relay.firewall.redeem_code = code
        assert (await relay.call(body=chat(), headers=HEADER)).error == expected
        assert (await relay.call(body=chat(), headers={"X-Orca-Firewall-Approval": "nonsense"})).status == 404
    assert relay.firewall.redeemed == []
