"""The relay's pure rules."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.forwarded import client_address
from services.common.networks import parse_networks
from services.relay.domain.capped_fields import unpriced_field
from services.relay.domain.identity import trace_id
from services.relay.domain.model_access import glob_matches, model_allowed
from services.relay.domain.routing import failover_order
from services.relay.domain.segments import apply_replacements, collect_request
from services.relay.domain.settlement import Ending, settle_answered, settle_refused
from services.relay.domain.sse import EventTooLarge, SseParser
from services.relay.domain.usage import parse_usage
from services.relay.domain.worst_case import Price, Shape, Usage, clamped_limit, cost_of, worst_case

PRICE = Price(True, input=2_000, cached_input=1_000, output=8_000, request=7, context_length=1000, max_output_tokens=50)
amounts = st.integers(0, 10**6)


def shape(**fields: object) -> Shape:
    return Shape(**{"messages": 1, "tools": 0, "binary_parts": 0, "choices": 1, "output_limit": None,
                    "clampable": True, **fields})  # type: ignore[arg-type]  # fmt: skip


def test_worst_case_terms() -> None:
    price = Price(True, input=10**6, output=3 * 10**6, request=7, max_output_tokens=50)
    case = worst_case(100, shape(messages=2, tools=1, choices=2), price)
    assert (case.input_tokens, case.output_tokens, case.bounded) == (196, 50, True)
    assert case.amount_nano_usd == 196 + 2 * 50 * 3 + 7
    assert worst_case(10**6, shape(), PRICE).input_tokens == 1000
    assert not worst_case(1, shape(), Price(True)).bounded
    assert worst_case(1, shape(binary_parts=1), PRICE).input_tokens == 1000
    assert not worst_case(1, shape(binary_parts=1), Price(True, max_output_tokens=5)).bounded


@given(st.integers(0, 500), st.integers(0, 50), st.integers(0, 500))
def test_no_usage_within_the_bound_costs_more_than_the_worst_case(body: int, output: int, cached: int) -> None:
    case = worst_case(body, shape(), PRICE)
    usage = Usage(body, output, min(cached, body))
    assert cost_of(usage, PRICE) <= case.amount_nano_usd


@given(st.integers(0, 10**9))
def test_a_clamped_request_fits_what_is_left(available: int) -> None:
    price = Price(True, input=10**6, output=2 * 10**6, max_output_tokens=10_000)
    case = worst_case(500, shape(), price)
    tokens = clamped_limit(available, case, shape(), price)
    if tokens is not None:
        assert tokens >= 256
        assert worst_case(500, shape(output_limit=tokens), price).amount_nano_usd <= available
    assert clamped_limit(available, case, shape(clampable=False), price) is None


@given(amounts, amounts, amounts, amounts, st.booleans(), st.booleans())
def test_settlements_never_exceed_the_reservation(
    body: int, received: int, used: int, out: int, known: bool, refused: bool
) -> None:
    case = worst_case(body, shape(), PRICE)
    usage = Usage(used, out) if known else None
    settle = settle_refused if refused else settle_answered
    end = settle(Ending(case.amount_nano_usd, usage, body, received, case, 1, PRICE))
    assert min(end.settled, end.unconfirmed, end.blocked, end.overrun) >= 0
    assert end.settled + end.unconfirmed + end.blocked <= case.amount_nano_usd
    if known:
        assert end.settled + end.blocked + end.overrun == cost_of(Usage(used, out), PRICE)
    elif not refused:
        assert end.settled + end.unconfirmed == case.amount_nano_usd


@pytest.mark.parametrize(
    "raw",
    [
        None, {}, [], {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": True},
        {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 3},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
    ],
)  # fmt: skip
def test_usage_that_is_no_usage(raw: object) -> None:
    assert parse_usage(raw) is None


EVENTS = [b'{"a":"\xc3\xbc"}', b"two\nlines", b"x"]
STREAM = "".join(
    (":c\nid: 1\n" + "".join(f"data: {line}\n" for line in event.decode().split("\n")) + "\n") for event in EVENTS
)


@given(st.sampled_from(["\n", "\r", "\r\n"]), st.lists(st.integers(0, 80), max_size=8))
def test_sse_events_do_not_depend_on_cuts(newline: str, cuts: list[int]) -> None:
    raw = STREAM.replace("\n", newline).encode() + b"data: tail"
    parser = SseParser()
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    found = [event for a, b in itertools.pairwise(bounds) for event in parser.feed(raw[a:b])]
    assert found == EVENTS


def test_sse_events_are_bounded() -> None:
    for chunk in (b"data: " + b"x" * 100, b"data: xxxxxxx\n" * 10, b": xxxxxxxxxx\n" * 5, b"data:\n" * 20):
        with pytest.raises(EventTooLarge):
            SseParser(50).feed(chunk)
        with pytest.raises(EventTooLarge):
            parser = SseParser(50)
            for at in range(len(chunk)):
                parser.feed(chunk[at : at + 1])
    assert SseParser(50).feed(b"data: xxxxxxx\n\n" * 10) == [b"xxxxxxx"] * 10


def test_a_line_that_never_ends_is_read_once() -> None:
    # Looking at the line again with every byte would take hours.
    parser = SseParser()
    for _ in range(1_000_000):
        assert not parser.feed(b"x")


@pytest.mark.parametrize(
    ("peer", "hops", "expected"),
    [
        ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5", "10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, garbage"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("fd00::1", ["203.0.113.5:99"], "203.0.113.5"),
    ],
)
def test_the_right_most_untrusted_hop_is_the_caller(peer: str, hops: list[str], expected: str) -> None:
    trusted = parse_networks("10.0.0.0/8, fd00::/8")
    assert str(client_address(peer, hops, trusted)) == expected
    assert client_address("", hops, trusted) is None


def test_model_limits() -> None:
    assert glob_matches("openai/*", "openai/a/b")
    assert not glob_matches("openai/*", "xopenai/a")
    assert not glob_matches("a.c", "abc")
    assert model_allowed(False, [], "x")
    assert not model_allowed(True, [], "x")


def test_failover_order_is_priority_then_weight() -> None:
    routes = [("b", 1, 1), ("a", 0, 1), ("c", 1, 9), ("d", 1, 0)]
    order = failover_order(routes, lambda r: r[1], lambda r: r[2], lambda: 0.5)
    assert [name for name, _, _ in order] == ["a", "c", "b", "d"]


def test_trace_ids() -> None:
    assert trace_id(f"00-{'a' * 32}-{'b' * 16}-01") == "a" * 32
    for bad in ("", "00-xyz", f"ff-{'a' * 32}-{'b' * 16}-01", f"00-{'0' * 32}-{'b' * 16}-01"):
        assert trace_id(bad) == ""


def test_every_text_of_a_request_is_a_segment() -> None:
    body = {
        "model": "m",
        "user": "u1",
        "metadata": {"my key": "v1"},
        "messages": [
            {"role": "system", "content": "t1"},
            {"role": "user", "name": "n1", "content": [
                {"type": "text", "text": "t2"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "file", "file": {"filename": "f1", "file_data": "data:text/plain;base64,dDM="}},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "fn", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "t4"},
        ],
        "tools": [{"type": "function", "function": {"name": "fn", "description": "d1",
                   "parameters": {"type": "object", "properties": {"my_arg": {"type": "string", "enum": ["e1"]}},
                                  "required": ["my_arg"]}}}],
        "prediction": {"type": "content", "content": "p1"},
    }  # fmt: skip
    segments = collect_request(body)
    assert [(s.role, s.kind, s.text) for s in segments] == [
        ("", "text", "u1"), ("", "immutable", "my key"), ("", "text", "v1"),
        ("system", "text", "t1"), ("user", "immutable", "n1"), ("user", "text", "t2"),
        ("user", "unsupported", "image_url"), ("user", "text", "f1"), ("user", "text", "t3"),
        ("assistant", "immutable", "fn"), ("assistant", "json", '{"a":1}'), ("tool", "text", "t4"),
        ("", "immutable", "fn"), ("", "text", "d1"), ("", "immutable", "my_arg"), ("", "text", "e1"),
        ("", "immutable", "my_arg"), ("", "text", "p1"),
    ]  # fmt: skip
    assert apply_replacements(segments, [(8, "x"), (11, "y")])
    assert body["messages"][1]["content"][2]["file"]["file_data"] == "data:text/plain;base64,eA=="  # type: ignore
    assert body["messages"][3]["content"] == "y"  # type: ignore[index]
    assert not apply_replacements(segments, [(4, "x")])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"audio": {}}, "audio"), ({"audio": None}, None), ({"service_tier": "flex"}, "service_tier"),
        ({"modalities": ["text", "audio"]}, "modalities"), ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
         "messages[0].content[0].cache_control"),
        ({"metadata": {"x": {"y": 1}}, "store": True, "logit_bias": {"5": 1}, "stop": ["x"]}, None),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}", "x": {}}}]},
         "messages[0].function_call.x"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, None),
        ({"tool_choice": {"type": "function", "function": {"name": "f", "budget": 1}}}, "tool_choice.function.budget"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"x": 1}]}}},
         "tool_choice.allowed_tools.tools[0].x"),
        ({"function_call": {"name": "f", "x": 1}}, "function_call.x"), ({"function_call": "auto"}, None),
        ({"stream_options": {"include_usage": True, "include_obfuscation": False}}, None),
        ({"stream_options": {"search": True}}, "stream_options.search"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"x": {"y": 1}}}}}, None),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "x": 1}}},
         "response_format.json_schema.x"),
        ({"response_format": {"type": "text", "tools": []}}, "response_format.tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "n", "format": {"type": "grammar", "grammar": {"x": 1}}}}]},
         "tools[0].custom.format.grammar.x"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": {"y": 1}}}}]}, None),
        ({"user": {"search": True}}, "user"),
    ],
)  # fmt: skip
def test_unpriced_fields_are_named_by_path(fields: dict[str, object], path: str | None) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    assert unpriced_field(body) == path
    assert unpriced_field(body, ["messages.content.cache_control"]) == (None if path and "cache" in path else path)


CARD = 4111111111111111


def test_numbers_are_read_where_a_caller_may_put_any() -> None:
    schema = {"type": "integer", "default": CARD, "enum": [CARD, 7], "maximum": CARD, "minimum": 3, "maxItems": 2.0}
    body = {
        "model": "m", "max_tokens": 5, "temperature": 0.5, "seed": 12, "logit_bias": {"50256": -100}, "x": {"n": 5},
        "metadata": {"card": float(CARD), "big": 10**400, "small": 1e-07, "yes": True},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "t", "card": CARD}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    }  # fmt: skip
    segments = collect_request(body)
    numbers = [(s.path, s.text) for s in segments if s.kind == "text" and s.text != "t"]
    assert numbers == [
        ("x.n", "5"), ("metadata.card", str(CARD)), ("metadata.big", str(10**400)), ("metadata.small", "1e-07"),
        ("messages[0].content[0].card", str(CARD)), ("tools[0].function.parameters.default", str(CARD)),
        ("tools[0].function.parameters.enum[0]", str(CARD)), ("tools[0].function.parameters.enum[1]", "7"),
        ("tools[0].function.parameters.maximum", str(CARD)),
    ]  # fmt: skip
    assert [s.text for s in segments if s.kind == "immutable"] == [
        "50256",
        "x",
        "card",
        "big",
        "small",
        "yes",
        "card",
        "f",
    ]
    apply_replacements(segments, [(i, "[CARD]") for i, s in enumerate(segments) if s.text == str(CARD)])
    assert (schema["default"], schema["enum"]) == ("[CARD]", ["[CARD]", 7])


def test_an_id_is_only_exempt_where_the_api_gave_it_out() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ],
        "metadata": {"id": "123-45-6789"},
    }
    texts = [segment.text for segment in collect_request(body)]
    assert "123-45-6789" in texts
    assert "call_1" not in texts
