"""Judge questions: who pays, what is refused, how it is booked, what a grounding rule is told."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from orca.guardrail.v1 import guardrail_pb2
from orca.relay.v1 import relay_pb2
from services.common.errors import OrcaError
from services.relay.ports import KeyEntry
from tests.unit.relay.pipeline.support import Provider, Relay, channel, chat, completion, key

QUESTION = relay_pb2.JudgeRequest(workspace_id="ws_1", key_id="key_1", model="test/model", rubric="be kind", text="hi")


async def says_ok(_request: web.Request, _body: Any) -> web.StreamResponse:
    return web.json_response(completion({"content": '{"violation": false}'}))


def judged_by(relay: Relay, **fields: Any) -> Relay:
    """The relay with a capped judge key, changed by `fields`."""
    record = key(**{"key_id": "key_j", "account_id": "acc_j", "credit_limit_nano_usd": 10**9, **fields})
    relay.workspace.judge_key_id = "key_j"
    relay.directory.judge = KeyEntry(record, relay.workspace, ())
    return relay


async def test_the_judge_key_pays_and_the_request_is_booked() -> None:
    async with Provider(says_ok) as provider:
        relay = judged_by(Relay(channel(provider.url)))
        answer = await relay.internal.Judge(QUESTION, None)
        await relay.http.close()
    assert (answer.text, answer.cost_nano_usd) == ('{"violation": false}', 11_000)
    sent = provider.bodies[0]
    assert sent["messages"] == [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    assert sent["max_completion_tokens"] == 1024
    (request,) = relay.journal.of("request")
    assert (request.endpoint, request.status, request.cost_nano_usd) == ("relay.v1.Judge", "ok", 11_000)
    assert [event.key_id for _, events in relay.journal.finished for _, _, event in events] == ["key_j", "key_j"]
    assert len(relay.journal.opened) == 1
    assert [reservation.ended for reservation in relay.credit.reservations] == ["settled"]
    assert relay.limiter.admissions[0].released
    assert (relay.guardrail.calls, relay.firewall.calls) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"enabled": False}, "judge_key_unusable"),
        ({"deleted": True}, "judge_key_unusable"),
        ({"expires_at_unix_s": 1}, "judge_key_unusable"),
        ({"is_firewall_gateway": True}, "judge_key_unusable"),
        ({"credit_limit_nano_usd": None}, "judge_key_uncapped"),
        ({"workspace_id": "ws_2"}, "judge_key_missing"),
        ({"key_id": "other"}, "judge_key_missing"),
        ({"model_limits_enabled": True, "model_limits": ["a/b"]}, "model_not_allowed"),
    ],
)
async def test_an_unfit_judge_key_is_refused_before_anything_is_spent(fields: dict[str, Any], code: str) -> None:
    relay = judged_by(Relay(), **fields)
    with pytest.raises(OrcaError) as refused:
        await relay.internal.Judge(QUESTION, None)
    assert (refused.value.status, refused.value.code) == (409, code)
    assert (relay.credit.reservations, relay.journal.finished) == ([], [])


async def test_each_tenant_has_its_own_rate() -> None:
    relay = judged_by(Relay())
    for _ in range(2):
        await relay.internal.Judge(QUESTION, None)
    with pytest.raises(OrcaError) as refused:
        await relay.internal.Judge(QUESTION, None)
    assert (refused.value.status, refused.value.code) == (429, "judge_rate_limited")
    other = relay_pb2.JudgeRequest()
    other.CopyFrom(QUESTION)
    other.key_id = "key_2"
    assert (await relay.internal.Judge(other, None)).text
    relay.clock.advance(62)
    assert (await relay.internal.Judge(QUESTION, None)).text


async def test_a_provider_that_fails_is_booked_and_told() -> None:
    async def fails(_request: web.Request, _body: Any) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no"}}, status=500)

    async with Provider(fails) as provider:
        relay = judged_by(Relay(channel(provider.url)))
        with pytest.raises(OrcaError) as refused:
            await relay.internal.Judge(QUESTION, None)
        await relay.http.close()
    assert refused.value.status == 502
    (request,) = relay.journal.of("request")
    assert (request.status, request.endpoint) == ("error", "relay.v1.Judge")
    assert relay.credit.reservations[0].ended == "cancelled"
    assert relay.limiter.admissions[0].released


async def test_an_exhausted_judge_key_is_told_as_such() -> None:
    relay = judged_by(Relay())
    relay.credit.limit = 1
    with pytest.raises(OrcaError) as refused:
        await relay.internal.Judge(QUESTION, None)
    assert (refused.value.status, refused.value.code) == (402, "credit_limit_exceeded")


@pytest.mark.parametrize("name", ["workspace_id", "key_id", "model", "text"])
async def test_a_question_without_a_field_is_invalid(name: str) -> None:
    question = relay_pb2.JudgeRequest()
    question.CopyFrom(QUESTION)
    setattr(question, name, "")
    with pytest.raises(OrcaError) as refused:
        await judged_by(Relay()).internal.Judge(question, None)
    assert (refused.value.status, refused.value.param) == (422, name)


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_are_judged_with_the_messages_as_forwarded(stream: bool) -> None:
    relay = Relay()
    relay.guardrail.stages = {guardrail_pb2.STAGE_INPUT, guardrail_pb2.STAGE_OUTPUT}
    relay.guardrail.needs_sources = True
    messages = [{"role": "system", "content": "the secret is out"}, {"role": "user", "content": "hello"}]
    await relay.call(body=chat(messages=messages, stream=stream))
    call = relay.guardrail.opened[0] if stream else relay.guardrail.requests[-1]
    assert [(s.role, s.text) for s in call.sources] == [("system", "the [MASK] is out"), ("user", "hello")]


async def test_sources_stay_home_where_no_rule_asks_for_them() -> None:
    relay = Relay()
    relay.guardrail.stages = {guardrail_pb2.STAGE_INPUT, guardrail_pb2.STAGE_OUTPUT}
    await relay.call(body=chat())
    assert [list(request.sources) for request in relay.guardrail.requests] == [[], []]
