"""The pipeline over fakes: whole answers, checks in order, refusals and their books."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import Unavailable
from tests.unit.relay.pipeline.support import Provider, Relay, channel, chat, completion, price


def json_answer(*answers: Any) -> Any:
    """A handler that gives these (status, body) in turn, the last one for ever."""
    left = list(answers)

    async def handle(request: web.Request, body: Any) -> web.StreamResponse:
        status, payload = left.pop(0) if len(left) > 1 else left[0]
        return web.json_response(payload, status=status)

    return handle


async def test_echo_answers_and_books_exact_usage() -> None:
    relay = Relay()
    answered = await relay.call(body=chat("my secret plan"))
    assert answered.status == 200
    assert answered.json["choices"][0]["message"]["content"] == "my [MASK] plan"
    assert answered.json["model"] == "test/model"
    assert answered.headers["x-orca-request-id"].startswith("req_")
    spend = relay.journal.of("spend")[0]
    assert (spend.settled_nano_usd, spend.unconfirmed_nano_usd, spend.input_tokens, spend.output_tokens) == (
        9000, 0, 3, 3,
    )  # fmt: skip
    request = relay.journal.of("request")[0]
    assert (request.status, request.status_code, request.attempts, request.guardrail_id) == ("ok", 200, 1, "grd_1")
    assert [(d.plane, d.stage, d.outcome) for d in relay.journal.of("decision")] == [
        ("guardrail", "input", "mask"),
        ("firewall", "inbound", "allow"),
    ]
    assert [m.stage for m in relay.journal.of("match")] == ["input"]
    assert len(relay.journal.opened) == 1
    assert relay.limiter.admissions[0].released


@pytest.mark.parametrize(
    ("fields", "call", "error"),
    [
        ({}, {"secret": "nope"}, (401, "invalid_api_key")),
        ({"enabled": False}, {}, (401, "key_disabled")),
        ({"expires_at_unix_s": 5}, {}, (401, "key_expired")),
        ({"allow_ips": ["192.0.2.0/24"]}, {}, (403, "access_denied")),
        ({"allow_ips": ["192.0.2.0/24"]}, {"headers": {"x-forwarded-for": "192.0.2.1"}}, (403, "access_denied")),
        ({"is_firewall_gateway": True}, {}, (403, "access_denied")),
        ({}, {"body": b"{"}, (400, "invalid_request_error")),
        ({}, {"body": b'{"model":"a","model":"b"}'}, (400, "invalid_request_error")),
        ({}, {"body": {"messages": []}}, (400, "invalid_request_error")),
        ({}, {"body": chat(temperature=9)}, (400, "invalid_request_error")),
        ({}, {"body": b" " * 1_000_001}, (413, "request_too_large")),
        ({}, {"headers": {"x-orca-run-id": "x" * 129}}, (400, "invalid_request_error")),
        ({}, {"body": {**chat(), "model": "no/such"}}, (404, "model_not_found")),
        ({"model_limits_enabled": True}, {}, (403, "model_not_allowed")),
    ],
)
async def test_checks_one_to_five_are_counted_and_cost_nothing(fields: Any, call: Any, error: Any) -> None:
    relay = Relay(**fields)
    answered = await relay.call(**{"body": chat(), **call})
    assert answered.error == error
    assert relay.journal.refusals == [error[1]]
    assert relay.journal.finished == []
    assert relay.credit.reservations == []


async def test_a_trusted_proxy_names_the_caller() -> None:
    relay = Relay(allow_ips=["192.0.2.0/24"])
    headers = {"x-forwarded-for": "198.51.100.1, 192.0.2.1, 10.0.0.7"}
    assert (await relay.call(body=chat(), peer="10.0.0.1", headers=headers)).status == 200
    assert relay.journal.of("request")[0].ip == "192.0.2.1"


async def test_capped_keys_may_not_use_unpriced_fields_or_models() -> None:
    relay = Relay()
    relay.credit.limit = 10**12
    answered = await relay.call(body=chat(prediction={"type": "content", "content": "x"}))
    assert (answered.error, answered.json["error"]["param"]) == ((400, "unpriced_field"), "prediction")
    unpriced = Relay(record=price(priced=False))
    unpriced.credit.limit = 10**12
    assert (await unpriced.call(body=chat())).error == (403, "model_price_error")


async def test_a_capped_key_is_told_what_would_bound_its_request() -> None:
    unbounded = Relay(record=price(max_output_tokens=0, context_length=0))
    unbounded.credit.limit = 10**12
    answered = await unbounded.call(body=chat())
    assert answered.error == (403, "model_price_error")
    assert answered.json["error"]["message"].endswith(
        "needed: max_completion_tokens in the request, or the model's max_output_tokens"
    )
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    answered = await unbounded.call(body=chat(messages=image, max_completion_tokens=10))
    assert answered.error == (403, "model_price_error")
    assert answered.json["error"]["message"].endswith("needed: the model's context_length for parts that are no text")


async def test_rate_limit_says_when_to_retry() -> None:
    relay = Relay()
    relay.limiter.refuse = True
    answered = await relay.call(body=chat())
    assert answered.error == (429, "rate_limit_exceeded")
    assert answered.headers["retry-after"] == "2"


async def test_low_credit_clamps_or_refuses() -> None:
    relay = Relay()
    relay.credit.limit = 1_000_000
    async with Provider(json_answer((200, completion({"content": "ok"})))) as provider:
        relay.directory.routes["test/model"] = Relay(channel(provider.url)).directory.routes["test/model"]
        answered = await relay.call(body=chat(max_tokens=900))
    assert answered.status == 200
    clamped = int(answered.headers["x-orca-max-tokens-clamped"])
    assert 256 <= clamped < 500
    assert provider.bodies[0]["max_tokens"] == clamped
    tools = [{"type": "function", "function": {"name": "f"}}]
    refused = await relay.call(body=chat(max_tokens=900, tools=tools))
    assert refused.error == (402, "credit_limit_exceeded")
    assert refused.json["error"]["type"] == "insufficient_quota"
    assert "largest max_completion_tokens" in refused.json["error"]["message"]
    assert [d.plane for d in relay.journal.of("decision")][-1] == "credit"


async def test_an_input_block_reaches_no_provider_and_no_account() -> None:
    relay = Relay()
    answered = await relay.call(
        body=chat("forbidden", tools=[{"type": "function", "function": {"name": "inbound_deny"}}])
    )
    assert answered.error == (400, "guardrail_blocked")
    assert answered.json["error"]["type"] == "orca_api_error"
    assert (answered.headers["x-should-retry"], answered.headers["x-orca-skip-retry"]) == ("false", "true")
    assert [r.ended for r in relay.credit.reservations] == ["cancelled"]
    assert relay.journal.of("spend") == []
    assert relay.journal.of("request")[0].status == "blocked"


async def test_firewall_denies_advertised_tools() -> None:
    relay = Relay()
    answered = await relay.call(body=chat(tools=[{"type": "function", "function": {"name": "inbound_deny"}}]))
    assert answered.error == (400, "firewall_blocked")
    assert [e.verdict for e in relay.journal.of("firewall")] == ["deny"]


async def test_an_unreachable_plane_fails_closed_after_one_retry_or_open_by_choice() -> None:
    relay = Relay()
    relay.guardrail.error = Unavailable("down")
    answered = await relay.call(body=chat())
    assert answered.error == (503, "policy_unavailable")
    assert answered.headers["retry-after"] == "1"
    assert relay.guardrail.calls == 2
    relay.workspace.fail_open_guardrail = True
    assert (await relay.call(body=chat())).status == 200
    assert [d.fail_open for d in relay.journal.of("decision") if d.plane == "guardrail"][-2:] == [True, True]


async def test_lateness_never_fails_open() -> None:
    relay = Relay()
    relay.workspace.fail_open_guardrail = True
    relay.guardrail.delay = asyncio.Event()
    assert (await relay.call(body=chat())).error == (503, "policy_unavailable")


async def test_failover_before_the_first_byte_only() -> None:
    async with (
        Provider(json_answer((503, {}))) as down,
        Provider(json_answer((200, completion({"content": "ok"})))) as up,
    ):
        relay = Relay(
            channel("http://127.0.0.1:9/v1", channel_id="dead"),
            channel(down.url, channel_id="down", priority=1),
            channel(up.url, channel_id="up", priority=2, api_key="sk-up"),
        )
        answered = await relay.call(body=chat())
    assert answered.status == 200
    request = relay.journal.of("request")[0]
    assert (request.channel_id, request.attempts, request.upstream_model) == ("up", 3, "upstream-model")
    assert up.headers[0]["Authorization"] == "Bearer sk-up"
    assert [r.ended for r in relay.credit.reservations] == ["settled"]


async def test_private_addresses_are_not_dialled() -> None:
    relay = Relay(channel("http://10.1.2.3/v1"))
    assert (await relay.call(body=chat())).error == (502, "upstream_error")
    assert [r.ended for r in relay.credit.reservations] == ["cancelled"]


async def test_providers_refusals_are_told_apart() -> None:
    for status, expected in (
        (400, (400, "bad_thing")),
        (401, (502, "upstream_error")),
        (429, (429, "upstream_rate_limited")),
    ):
        body = {"error": {"message": "no", "code": "bad_thing"}}
        async with Provider(json_answer((status, body))) as provider:
            relay = Relay(channel(provider.url))
            assert (await relay.call(body=chat())).error == expected
        assert relay.journal.of("spend") == []


async def test_a_vocabulary_that_is_not_byte_level_is_reserved_by_its_factor() -> None:
    reserved = []
    for factor in (0, 1, 8):
        relay = Relay(record=price(tokens_per_byte=factor))
        assert (await relay.call(body=chat("x" * 1000, max_completion_tokens=1))).status == 200
        reserved.append(relay.credit.reservations[0].amount_nano_usd)
    assert reserved[0] == reserved[1]
    assert reserved[2] - reserved[1] > 7 * 1000 * 1000


FILTERED = {"error": {"message": "no", "code": "content_filter"}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (502, {}, (502, "upstream_error")),
        (504, {}, (502, "upstream_error")),
        (524, {}, (502, "upstream_error")),
        (408, {}, (502, "upstream_error")),
        (202, {}, (502, "upstream_error")),
        (400, FILTERED, (400, "content_filter")),
    ],
)
async def test_an_attempt_that_may_be_billed_stays_counted(status: int, body: Any, expected: tuple[int, str]) -> None:
    async with Provider(json_answer((status, body))) as provider:
        relay = Relay(channel(provider.url))
        assert (await relay.call(body=chat())).error == expected
    [spend] = relay.journal.of("spend")
    assert (spend.settled_nano_usd, spend.blocked_nano_usd, spend.estimated) == (0, 0, True)
    # The worst case of the bytes that were sent, which are fewer than those that came.
    assert 2_000_000 < spend.unconfirmed_nano_usd < spend.reservation_nano_usd


async def test_failover_past_an_attempt_that_may_be_billed_reserves_beside_it() -> None:
    async with (
        Provider(json_answer((504, {}))) as lost,
        Provider(json_answer((502, {}))) as gone,
        Provider(json_answer((200, completion({"content": "ok"})))) as up,
    ):
        relay = Relay(channel(lost.url), channel(gone.url, priority=1), channel(up.url, priority=2))
        relay.credit.limit = 10**9
        assert (await relay.call(body=chat())).status == 200
    [spend] = relay.journal.of("spend")
    one = spend.reservation_nano_usd // 3
    assert spend.reservation_nano_usd == 3 * one
    assert (spend.settled_nano_usd, spend.unconfirmed_nano_usd, spend.estimated) == (11_000, 2 * one, False)
    assert relay.journal.of("request")[0].cost_nano_usd == 11_000
    # A successor of a killed relay would count what all of them may cost.
    assert [a.envelope.spend.unconfirmed_nano_usd for a in relay.journal.opened] == [one, 2 * one, 3 * one]


async def test_credit_for_one_attempt_does_not_pay_for_a_second_that_may_be_billed_too() -> None:
    async with (
        Provider(json_answer((504, {}))) as lost,
        Provider(json_answer((200, completion({"content": "ok"})))) as up,
    ):
        relay = Relay(channel(lost.url), channel(up.url, priority=1))
        relay.credit.limit = 3_000_000
        assert (await relay.call(body=chat())).error == (402, "credit_limit_exceeded")
        assert not up.headers
    [spend] = relay.journal.of("spend")
    assert spend.settled_nano_usd == 0
    assert 2_000_000 < spend.unconfirmed_nano_usd <= spend.reservation_nano_usd


async def test_the_words_of_a_refusal_are_withheld_where_an_output_rule_would_judge_them() -> None:
    error = {"error": {"message": "the model saw a secret", "param": "a secret", "code": "a_secret"}}
    async with Provider(json_answer((400, error))) as provider:
        relay = Relay(channel(provider.url))
        told = await relay.call(body=chat())
        relay.guardrail.stages, relay.guardrail.flags_only = {guardrail_pb2.STAGE_OUTPUT}, True
        withheld = await relay.call(body=chat())
    assert told.json["error"]["message"] == "the model saw a secret"
    assert withheld.error == (400, "upstream_rejected")
    assert "secret" not in withheld.body.decode()


async def test_output_masks_blocks_and_withholds_logprobs() -> None:
    message = {"content": "a secret", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":"secret"}'}}]}  # fmt: skip
    async with Provider(
        json_answer((200, completion(message)), (200, completion({"content": "forbidden"})))
    ) as provider:
        relay = Relay(channel(provider.url))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = await relay.call(body=chat(logprobs=True))
        kept = answered.json["choices"][0]["message"]
        assert (kept["content"], kept["tool_calls"][0]["function"]["arguments"]) == ("a [MASK]", '{"a":"[MASK]"}')
        assert answered.headers["x-orca-logprobs"] == "withheld"
        blocked = await relay.call(body=chat())
    assert blocked.error == (400, "guardrail_blocked")
    spend = relay.journal.of("spend")[-1]
    assert (spend.settled_nano_usd, spend.blocked_nano_usd, spend.unconfirmed_nano_usd) == (0, 11_000, 0)
    assert relay.journal.of("request")[-1].blocked_nano_usd == 11_000


async def test_a_denied_call_denies_the_answer_and_sanitize_redacts() -> None:
    def calls(name: str) -> Any:
        return completion({"content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": name, "arguments": '{"a":"b"}'}}]})  # fmt: skip

    async with Provider(json_answer((200, calls("deny_me")), (200, calls("sanitize_me")))) as provider:
        relay = Relay(channel(provider.url))
        assert (await relay.call(body=chat())).error == (400, "firewall_blocked")
        answered = await relay.call(body=chat())
    arguments = answered.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert arguments == '{"a":"[redacted:x]"}'


async def test_the_blocked_limit_is_checked_when_the_answer_may_be_refused() -> None:
    relay = Relay()
    relay.credit.blocked_limit = 0
    assert (await relay.call(body=chat())).status == 200
    relay.guardrail.may_refuse_output = True
    refused = await relay.call(body=chat())
    assert refused.error == (402, "blocked_output_limit")
    assert "0 USD remain, the largest max_completion_tokens that fits is 0" in refused.json["error"]["message"]


async def test_nothing_runs_between_the_move_to_other_leases_and_the_attempts_record() -> None:
    relay = Relay()
    relay.guardrail.may_refuse_output = True
    assert (await relay.call(body=chat())).status == 200
    assert relay.timeline[0] == "recorded"


async def test_credit_that_others_hold_names_what_they_leave() -> None:
    relay = Relay()
    relay.credit.limit, relay.credit.beside_holds = 10**9, 0
    refused = await relay.call(body=chat())
    assert refused.error == (429, "credit_held")
    assert refused.headers["retry-after"] == "1"
    assert refused.json["error"]["type"] == "insufficient_quota"
    message = refused.json["error"]["message"]
    assert message.startswith("credit is held by other requests; the request can cost up to ")
    assert message.endswith(" USD, 0 USD remain, the largest max_completion_tokens that fits is 0")


async def test_usage_that_contradicts_itself_is_estimated_and_excess_is_overrun() -> None:
    bad = {"prompt_tokens": 5, "completion_tokens": -1, "total_tokens": 4}
    huge = {"prompt_tokens": 10**6, "completion_tokens": 0, "total_tokens": 10**6}
    async with Provider(
        json_answer((200, completion({"content": "x"}, bad)), (200, completion({"content": "x"}, huge)))
    ) as provider:
        relay = Relay(channel(provider.url))
        assert "usage" not in (await relay.call(body=chat())).json
        await relay.call(body=chat())
    estimated, overrun = relay.journal.of("spend")
    assert estimated.estimated
    assert estimated.settled_nano_usd + estimated.unconfirmed_nano_usd == estimated.reservation_nano_usd
    assert overrun.settled_nano_usd == overrun.reservation_nano_usd
    assert overrun.overrun_nano_usd == 10**9 - overrun.reservation_nano_usd


async def test_unlisted_answer_fields_are_dropped_unless_the_channel_lists_them() -> None:
    payload = completion({"content": "x", "weird": "a secret", "other": 1})
    async with Provider(json_answer((200, payload))) as provider:
        relay = Relay(channel(provider.url, extra_answer_fields=["weird"]))
        relay.guardrail.stages = {guardrail_pb2.STAGE_OUTPUT}
        answered = await relay.call(body=chat())
    message = answered.json["choices"][0]["message"]
    assert (message.get("weird"), "other" in message) == ("a [MASK]", False)


async def test_a_client_that_leaves_stops_the_provider_and_is_booked() -> None:
    leave, stopped = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request, body: Any) -> web.StreamResponse:
        leave.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    async with Provider(hang) as provider:
        relay = Relay(channel(provider.url))
        answered = await relay.call(body=chat(), leave=leave)
    assert answered.status == 0
    spend = relay.journal.of("spend")[0]
    assert (spend.settled_nano_usd, spend.unconfirmed_nano_usd) == (0, spend.reservation_nano_usd)
    assert relay.journal.of("request")[0].status == "cancelled"
    assert relay.limiter.admissions[0].released


async def test_models_and_approvals_and_unknown_routes() -> None:
    relay = Relay()
    listed = await relay.call("/v1/models", method="GET")
    assert [model["id"] for model in listed.json["data"]] == ["test/model"]
    assert (await relay.call("/v1/models/test/model", method="GET")).json["owned_by"] == "test"
    assert (await relay.call("/v1/models/no/such", method="GET")).error == (404, "model_not_found")
    approval = await relay.call("/v1/firewall/approvals/" + "a" * 24, method="GET")
    assert approval.json["state"] == "pending"
    assert (await relay.call("/v1/firewall/approvals/zz", method="GET")).error == (404, "not_found")
    assert (await relay.call("/nope")).error == (404, "not_found")
    assert (await relay.call("/v1/models")).error == (405, "method_not_allowed")
    assert (await relay.call("/readyz", method="GET")).json == {"status": "ok", "checks": {"keys": True}}


async def test_a_capped_key_is_shown_no_model_that_it_cannot_use() -> None:
    relay = Relay(record=price(priced=False))
    assert [model["id"] for model in (await relay.call("/v1/models", method="GET")).json["data"]] == ["test/model"]
    relay.credit.limit = 1
    assert (await relay.call("/v1/models", method="GET")).json["data"] == []
    assert (await relay.call("/v1/models/test/model", method="GET")).error == (404, "model_not_found")


async def test_run_identity_reaches_planes_and_events() -> None:
    relay = Relay()
    headers = {"x-orca-step-id": "s1", "x-request-id": "mine", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    tools = [{"type": "function", "function": {"name": "look"}}]
    answered = await relay.call(body=chat(tools=tools), headers=headers)
    assert answered.headers["x-request-id"] == "mine"
    context = relay.firewall.requests[0].context
    assert (context.run_id, context.step_id, context.model) == ("a" * 32, "s1", "test/model")
    keys = {topic: record_key for _, events in relay.journal.finished for topic, record_key, _ in events}
    assert keys["orca.firewall.v1"] == b"a" * 32
    assert keys["orca.spend.v1"] == b"key_1"
    assert relay.journal.of("request")[0].client_request_id == "mine"


async def test_the_body_sent_is_the_body_judged() -> None:
    async with Provider(json_answer((200, completion({"content": "ok"})))) as provider:
        relay = Relay(channel(provider.url, max_tokens_field="max_tokens"))
        relay.credit.limit = 10**12
        await relay.call(body=chat("ü secret", temperature=0.25))
        await relay.call(body=chat("ü secret", max_completion_tokens=7))
    sent = {"model": "upstream-model", "messages": [{"role": "user", "content": "ü [MASK]"}]}
    assert provider.bodies == [
        {**sent, "temperature": 0.25, "max_tokens": 1000},
        {**sent, "max_completion_tokens": 7, "max_tokens": 7},
    ]
    assert json.dumps(provider.bodies[0])
