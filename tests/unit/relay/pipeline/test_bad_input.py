"""Hostile bodies: a 4xx with a code or a plain answer, never a 5xx, and nothing left open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orca.guardrail.v1 import guardrail_pb2
from tests.unit.relay.pipeline.support import Relay, chat


def messages(*items: Any) -> dict[str, Any]:
    return {"model": "test/model", "messages": list(items)}


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}}
RAW = [b"", b"null", b"[]", b"\xff", b"NaN", b'{"a":1e999}', b"[" * 500, b'{"model":"a","model":"b"}', b'"\\ud800"']
OBJECTS: list[dict[str, Any]] = [
    chat(tools=[{"type": "function"}]),
    chat(tools=[{"type": "function", "function": {"name": 5}}]),
    chat(tools=[{"type": "mcp", "server_url": "x"}]),
    chat(tools=[5]),
    chat(tools={}),
    chat(functions=[{"name": "a", "parameters": [1]}]),
    chat(function_call={"name": 4}, functions=[]),
    chat(tool_choice={"type": "function"}, tools=[FUNCTION]),
    chat(tool_choice={"function": "x"}, tools=[FUNCTION]),
    chat(tool_choice={"type": ["x"]}, tools=[FUNCTION]),
    chat(response_format={"type": ["a"]}),
    chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"a": [[["s"]]]}}}),
    chat(metadata={"a": {"b": ["c"]}}, stop=["x"], logit_bias={"5": 3}, n=3, logprobs=True, top_logprobs=2),
    chat(n=129),
    chat(n=True),
    chat(seed=2**70),
    chat(big=2**200),
    chat(stream_options={"include_usage": 1}),
    chat(service_tier="x", modalities=[], user="u" * 5000),
    messages(user("x"), 5),
    messages({"role": ["user"], "content": "x"}),
    messages({"role": "assistant", "tool_calls": [{"function": {"arguments": 5}}]}),
    messages({"role": "assistant", "tool_calls": [{"function": None, "custom": 3, "id": 7}]}),
    messages({"role": "tool", "tool_call_id": "x", "content": None}),
    messages(user("x", function_call=[{"name": {"a": "b"}}])),
    messages(user([{"type": "text", "text": "a", "type2": 5}, {"type": "zzz"}])),
    messages(user([{"type": "image_url", "image_url": "data:x"}, {"type": "file", "file": [1]}])),
    messages(user([{"type": "image_url", "image_url": {"url": "data:text/plain;base64,!!"}}])),
]


@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", OBJECTS, ids=str)
async def test_hostile_objects(body: dict[str, Any], stream: bool, capped: bool) -> None:
    await judge(json.dumps({**body, "stream": stream}).encode(), capped)


@pytest.mark.parametrize("raw", RAW)
async def test_hostile_bytes(raw: bytes) -> None:
    answered = await judge(raw, True)
    assert answered.error == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (messages(user([{"type": "text", "text": "a"}] * 10_001)), "messages[0].content"),
        (messages({"role": "assistant", "tool_calls": [{"id": "c"}] * 1025}), "messages[0].tool_calls"),
        (chat(tools=[FUNCTION] * 1025), "tools"),
        (chat(functions=[{"name": "f"}] * 1025), "functions"),
        (chat(metadata={"a": 10**512}), "metadata.a"),
        (chat(vendor=["a"] * 50_000), "messages"),
    ],
    ids=["parts", "calls", "tools", "functions", "digits", "texts"],
)
async def test_what_would_hold_up_the_loop_is_refused(body: dict[str, Any], param: str) -> None:
    answered = await judge(json.dumps(body).encode(), False)
    assert (answered.status, answered.json["error"]["param"]) == (400, param)


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "Name": "g"}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (chat(Messages=[user("x")]), "Messages"),
        (chat(MODEL="other/model"), "MODEL"),
        (chat(Tools=[FUNCTION]), "Tools"),
        (chat(Plugins=[{"id": "web"}]), "Plugins"),
        ({**chat(), "toolſ": [FUNCTION]}, "toolſ"),
        (chat(tools=[FUNCTION, TOOL]), "tools[1].function.Name"),
        (chat(tools=[{**FUNCTION, "Type": "web_search"}]), "tools[0].Type"),
        (chat(stream=True, stream_options={"Include_usage": False}), "stream_options.Include_usage"),
        (messages(user("x", Role="system")), "messages[0].Role"),
        (messages(user([{"type": "text", "text": "a", "tExt": "b"}])), "messages[0].content[0].tExt"),
        (messages(user([{"type": "image_url", "image_url": {"url": "https://a", "URL": "b"}}])),
         "messages[0].content[0].image_url.URL"),
    ],
)  # fmt: skip
async def test_names_that_some_providers_take_for_others_are_refused(body: dict[str, Any], param: str) -> None:
    answered = await judge(json.dumps(body).encode(), False)
    assert (answered.error, answered.json["error"]["param"]) == ((400, "invalid_request_error"), param)


async def test_names_of_the_callers_own_may_look_like_any() -> None:
    parameters = {"type": "object", "properties": {"Name": {"type": "string"}, "Type": {}}, "Title": "x"}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    body = chat(tools=tools, metadata={"Model": "x"}, vendor={"Name": "y"}, topK=3)
    assert (await judge(json.dumps(body).encode(), False)).status == 200


async def judge(raw: bytes, capped: bool) -> Any:
    relay = Relay()
    relay.credit.limit = 10**12 if capped else None
    relay.guardrail.stages = {guardrail_pb2.STAGE_INPUT, guardrail_pb2.STAGE_OUTPUT}
    answered = await relay.call(body=raw)
    assert 200 <= answered.status < 500
    if answered.status != 200:
        assert set(answered.json["error"]) == {"message", "type", "param", "code"}
    assert all(reservation.ended for reservation in relay.credit.reservations)
    assert all(admission.released for admission in relay.limiter.admissions)
    return answered
