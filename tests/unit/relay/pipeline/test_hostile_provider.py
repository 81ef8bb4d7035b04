"""A provider, or a tenant, that says one thing to the planes and another to the other side."""

from __future__ import annotations

import base64
import tracemalloc
from typing import Any

import pytest

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import BadRequest
from services.relay.domain.chunks import MAX_HELD_DELTAS, StreamState, assemble
from services.relay.domain.data_text import text_of_data
from services.relay.domain.segments import (
    IMMUTABLE,
    MAX_PATH_CHARS,
    MAX_SEGMENTS,
    TEXT,
    UNSUPPORTED,
    collect_request,
)
from services.relay.pipeline.streaming import MAX_WAITING
from tests.unit.relay.pipeline.support import Provider, Relay, channel, chat, completion
from tests.unit.relay.pipeline.test_chat import json_answer
from tests.unit.relay.pipeline.test_streaming import call_delta, chunk, events, stream_of, usage_chunk

SMUGGLED = {"content": "a secret", "tool_calls": [{"id": "c", "function": {"name": "deny_me", "arguments": "{}"}}]}


async def test_the_form_of_a_choice_that_is_not_judged_does_not_pass() -> None:
    payload = completion({"content": "x"})
    payload["choices"][0]["delta"] = SMUGGLED
    raw = events(chunk({"role": "assistant"}, message=SMUGGLED), chunk({"content": "x"}), chunk({}, finish="stop"))
    async with Provider(json_answer((200, payload))) as whole, Provider(stream_of(raw)) as streamed:
        answered = await Relay(channel(whole.url)).call(body=chat())
        relayed = await Relay(channel(streamed.url)).call(body=chat(stream=True))
    assert answered.json["choices"] == completion({"content": "x"})["choices"]
    assert relayed.text() == "x"
    assert not any("message" in choice for frame in relayed.frames[:-1] for choice in frame["choices"])


@pytest.mark.parametrize("stream", [False, True])
async def test_both_forms_of_one_call_are_judged(stream: bool) -> None:
    call: dict[str, Any] = {"index": 0, "id": "c", "function": {"name": "fine", "arguments": "{}"}}
    call["custom"] = {"name": "deny_me", "input": "x"}
    raw = events(chunk({"tool_calls": [call]}), chunk({}, finish="tool_calls"))
    handler = stream_of(raw) if stream else json_answer((200, completion({"content": None, "tool_calls": [call]})))
    async with Provider(handler) as provider:
        answered = await Relay(channel(provider.url)).call(body=chat(stream=stream))
    assert answered.error == (400, "firewall_blocked")


async def test_a_tool_name_in_pieces_is_judged_and_sent_whole() -> None:
    def pieces(*names: str) -> Any:
        deltas = [chunk(call_delta(0, "", name=name)) for name in names]
        return stream_of(events(*deltas, chunk(call_delta(0, "{}")), chunk({}, finish="tool_calls")))

    async with Provider(pieces("deny", "_me")) as split, Provider(pieces("get_it", "get_it")) as repeated:
        denied = await Relay(channel(split.url)).call(body=chat(stream=True))
        passed = await Relay(channel(repeated.url)).call(body=chat(stream=True))
    assert denied.error == (400, "firewall_blocked")
    calls = [c["delta"]["tool_calls"] for f in passed.frames[:-1] for c in f["choices"] if "tool_calls" in c["delta"]]
    assert calls == [[{"index": 0, "function": {"name": "get_it", "arguments": "{}"}}]]


async def test_listed_fields_are_judged_at_every_depth() -> None:
    function = {"name": "f", "arguments": "{}", "weird": {"deep": "a secret"}}
    call: dict[str, Any] = {"id": "c", "type": "function", "weird": "a secret", "function": function}
    usage: dict[str, Any] = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "weird": "a secret"}
    async with Provider(json_answer((200, completion({"content": "x", "tool_calls": [call]}, usage)))) as provider:
        relay = Relay(channel(provider.url, extra_answer_fields=["weird"]))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = (await relay.call(body=chat())).json
    judged = answered["choices"][0]["message"]["tool_calls"][0]
    assert (judged["weird"], judged["function"]["weird"]) == ("a [MASK]", {"deep": "a [MASK]"})
    assert answered["usage"]["weird"] == "a [MASK]"


async def test_a_credential_that_the_provider_repeats_is_not_passed_on() -> None:
    error = {"error": {"message": "bad request with Bearer sk-upstream-1", "code": "x"}}
    async with Provider(json_answer((400, error))) as provider:
        answered = await Relay(channel(provider.url, api_key="sk-upstream-1")).call(body=chat())
    assert answered.error == (400, "upstream_rejected")
    assert "sk-upstream-1" not in answered.body.decode()


@pytest.mark.parametrize(
    "code", ["guardrail_blocked", "firewall_approval_pending", "policy_unavailable", "credit_held"]
)
async def test_a_provider_does_not_speak_for_the_gateway(code: str) -> None:
    async with Provider(json_answer((400, {"error": {"message": "no", "code": code}}))) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat())
    assert answered.error == (400, "upstream_rejected")
    assert [(d.plane, d.code) for d in relay.journal.of("decision") if d.outcome == "refuse"] == [
        ("upstream", "upstream_rejected")
    ]


@pytest.mark.parametrize("finished", [False, True])
async def test_a_running_count_does_not_settle_a_cut_answer(finished: bool) -> None:
    running = {**chunk({"content": "word " * 50}), "usage": {"prompt_tokens": 1, "completion_tokens": 0}}
    rest = [chunk({}, finish="stop"), usage_chunk()] if finished else []
    async with Provider(stream_of(events(running, *rest, done=finished))) as provider:
        relay = Relay(channel(provider.url))
        await relay.call(body=chat(stream=True))
    spend = relay.journal.of("spend")[0]
    unconfirmed = 0 if finished else spend.reservation_nano_usd - spend.settled_nano_usd
    assert (spend.estimated, spend.unconfirmed_nano_usd) == (not finished, unconfirmed)
    assert unconfirmed > 0 or finished


@pytest.mark.parametrize("done", [False, True])
async def test_a_count_that_text_followed_settles_nothing(done: bool) -> None:
    early = {**chunk({"role": "assistant"}), "usage": {"prompt_tokens": 1, "completion_tokens": 0}}
    raw = events(early, chunk({"content": "word " * 50}), chunk({}, finish="stop"), done=done)
    async with Provider(stream_of(raw)) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(stream=True, stream_options={"include_usage": True}))
    spend = relay.journal.of("spend")[0]
    assert (spend.estimated, spend.output_tokens) == (True, 63)
    assert spend.settled_nano_usd + spend.unconfirmed_nano_usd == spend.reservation_nano_usd
    assert not any(frame.get("usage") for frame in answered.frames[:-1])


@pytest.mark.parametrize("stream", [False, True])
async def test_an_index_of_null_is_no_index(stream: bool) -> None:
    calls = [{"index": None, "function": {"name": name, "arguments": "{}"}} for name in ("fine", "deny_me")]
    if stream:
        deltas = [{**chunk({"tool_calls": [call]})} for call in [*calls, {**calls[0], "index": 0}]]
        for delta in deltas:
            delta["choices"][0]["index"] = None
        handler = stream_of(events(*deltas, chunk({}, finish="tool_calls")))
    else:
        payload = completion({"content": None, "tool_calls": calls})
        payload["choices"][0]["index"] = None
        handler = json_answer((200, payload))
    async with Provider(handler) as provider:
        answered = await Relay(channel(provider.url)).call(body=chat(stream=stream))
    assert answered.error == (400, "firewall_blocked")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_tokens_of_a_redacted_call_do_not_pass_beside_it(stream: bool) -> None:
    tokens = {"content": [{"token": "jo@example.com", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
    call = {"index": 0, "id": "c", "function": {"name": "sanitize_me", "arguments": '{"a":"jo@example.com"}'}}
    payload = completion({"content": None, "tool_calls": [call]})
    payload["choices"][0]["logprobs"] = tokens
    raw = events(chunk({"tool_calls": [call]}, logprobs=tokens), chunk({}, finish="tool_calls"))
    async with Provider(stream_of(raw) if stream else json_answer((200, payload))) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.stages = set()
        answered = await relay.call(body=chat(stream=stream, logprobs=True))
    assert (answered.status, b"jo@example.com" in answered.body, b"redacted" in answered.body) == (200, False, True)


def test_long_names_do_not_multiply_with_the_texts_below_them() -> None:
    deep: Any = ["x"] * 2000
    for _ in range(50):
        deep = {"k" * 1000: [deep]}
    body = chat(metadata={"n" * 50_000: ["x"] * 2000, "deep": deep})
    tracemalloc.start()
    segments = collect_request(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [s.text for s in segments].count("x") == 4000
    assert max(len(s.path) for s in segments) <= MAX_PATH_CHARS + 16
    assert peak < 16 * 1024 * 1024


def test_many_pieces_are_joined_in_linear_time() -> None:
    count = 100_000
    call = {"tool_calls": [{"index": 0, "function": {"arguments": "x" * 100}}]}
    message, inexact = assemble([call] * count + [{"annotations": [{}]}] * count)
    assert len(message["tool_calls"][0]["function"]["arguments"]) == 100 * count
    assert (len(message["annotations"]), inexact) == (count, False)


def test_pieces_of_a_held_answer_are_not_kept_without_end() -> None:
    state, many = StreamState(), 3 * MAX_HELD_DELTAS
    for number in range(many):
        for index, name in ((0, "f"), (5, "g")):
            head = {"id": f"call_{index}", "function": {"name": name, "arguments": ""}} if not number else {}
            state.hold(0, {"tool_calls": [{"index": index, "function": {"arguments": "x"}, **head}]}, ["tool_calls"])
    assert len(state.choices[0].held) <= MAX_HELD_DELTAS
    [(choice, message)] = state.assembled()
    assert (choice, state.choices[0].inexact) == (0, True)
    assert [(c["id"], c["function"]["name"], len(c["function"]["arguments"])) for c in message["tool_calls"]] == [
        ("call_0", "f", many - 1), ("call_5", "g", many - 1)
    ]  # fmt: skip


async def test_chunks_without_content_are_not_kept_without_end() -> None:
    raw = events(*[chunk({"role": "assistant"})] * 12 * MAX_WAITING, chunk({"content": "x"}), chunk({}, finish="stop"))
    async with Provider(stream_of(raw)) as provider:
        answered = await Relay(channel(provider.url)).call(body=chat(stream=True))
    assert answered.text() == "x"
    # What one read brings along with the content goes out with it.
    assert len(answered.frames) < 4 * MAX_WAITING


SAID = "card 4111 1111 1111 1111 ü"
_B64 = base64.b64encode(SAID.encode()).decode()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"data:text/plain;base64,{_B64}", TEXT),
        (f"data:text/plain;name=a.txt;base64,{_B64.rstrip('=')}", TEXT),
        (f"data:application/x-yaml;base64,{_B64[:8]}\n{_B64[8:]}", TEXT),
        (f"DATA:image/svg+xml; BASE64,{_B64}", TEXT),
        (f"data:;base64,{_B64}", TEXT),
        ("data:text/plain,card%204111%201111%201111%201111%20%C3%BC", IMMUTABLE),
        ("data:,card 4111 1111 1111 1111 ü", IMMUTABLE),
        (f"data:text/plain;charset=utf-16;base64,{base64.b64encode(SAID.encode('utf-16')).decode()}", IMMUTABLE),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_text_in_data_urls_is_read_however_it_is_spelt(url: str, kind: str, wrapped: bool) -> None:
    part = {"type": "image_url", "image_url": {"url": url} if wrapped else url}
    segments = collect_request({"model": "m", "messages": [{"role": "user", "content": [part]}]})
    assert [(s.kind, s.text) for s in segments] == [(kind, SAID)]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (_B64, [SAID]),
        (f"data:application/octet-stream;base64,{_B64}", [SAID]),
        (f"data:application/pdf;name=a.txt;base64,{_B64}", [SAID]),
        ("plain words, 4111 1111 1111 1111", ["plain words, 4111 1111 1111 1111"]),
        (base64.b64encode(SAID.encode() * 500).decode(), [SAID * 500]),
        (base64.b64encode(b"\x89PNG\r\n" * 50).decode(), []),
        (base64.b64encode(SAID.encode() * 500 + b"\xff").decode(), []),
        (base64.b64encode(b"%PDF-1.4 1111 of text").decode(), []),
        ("data:application/pdf;base64", []),
        ("", []),
    ],
)
def test_a_file_that_is_text_is_read_whatever_it_is_declared_as(data: str, texts: list[str]) -> None:
    part = {"type": "file", "file": {"file_data": data}}
    segments = collect_request({"model": "m", "messages": [{"role": "user", "content": [part]}]})
    assert [(s.kind, s.text) for s in segments] == [*((IMMUTABLE, text) for text in texts), (UNSUPPORTED, "file")]


def test_the_last_text_that_fits_is_read_and_the_next_refused() -> None:
    data = {"type": "image_url", "image_url": f"data:text/plain;base64,{_B64}"}

    def collected(texts: int) -> list[Any]:
        body = chat(metadata={"t": ["x"] * texts})
        body["messages"] = [{"role": "user", "content": [data]}]
        return collect_request({"metadata": body["metadata"], **body})

    segments = collected(MAX_SEGMENTS - 2)
    assert (len(segments), segments[-1].text) == (MAX_SEGMENTS, SAID)
    with pytest.raises(BadRequest) as refused:
        collected(MAX_SEGMENTS - 1)
    assert refused.value.param == "messages"


def test_what_is_no_text_stays_unsupported() -> None:
    assert text_of_data(f"data:image/png;base64,{_B64}") is None
    part = {"type": "image_url", "image_url": f"data:image/png;base64,{_B64}"}
    segments = collect_request({"model": "m", "messages": [{"role": "user", "content": [part]}]})
    assert [s.kind for s in segments] == [UNSUPPORTED]
