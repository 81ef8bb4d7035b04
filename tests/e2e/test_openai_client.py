"""The official `openai` client, unmodified, sync and async, against the running product in both profiles."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import PATIENCE, Management, Product
from tests.support.upstream import Upstream

USER = [{"role": "user", "content": "say:hello there"}]
TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": True}}


@pytest.fixture(scope="session")
def plain_key(management: Management, key: dict[str, Any]) -> dict[str, Any]:
    """An uncapped key without policies."""
    off = management.call("POST", "/api/guardrail", {"name": "off", "enabled": False, "rules": []})
    made: dict[str, Any] = management.call("POST", "/api/token", {"name": "plain", "guardrail_id": off["id"]})
    return made


@pytest.fixture(scope="session")
def plain(product: Product, plain_key: dict[str, Any]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=plain_key["key"], base_url=f"{product.relay_url}/v1", max_retries=0) as client:
        yield client


def ask(client: Any, text: str = "say:hello there", **options: Any) -> Any:
    return client.chat.completions.create(model="acme/small", messages=[{"role": "user", "content": text}], **options)


def test_chat(plain: openai.OpenAI) -> None:
    answer = ask(plain)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("hello there", "stop")
    assert (answer.model, answer.usage.total_tokens) == ("acme/small", 15)


def test_a_bare_model_id_works_where_it_is_unambiguous(plain: openai.OpenAI) -> None:
    assert plain.chat.completions.create(model="small", messages=USER).model == "acme/small"  # type: ignore[arg-type]


@pytest.mark.parametrize("include", [None, False, True])
def test_streams_report_usage_only_when_asked(plain: openai.OpenAI, include: bool | None) -> None:
    options = {} if include is None else {"stream_options": {"include_usage": include}}
    chunks = list(ask(plain, stream=True, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "hello there"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert [c.usage.total_tokens for c in chunks if c.usage] == ([15] if include else [])


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tool_calls_survive_whole(plain: openai.OpenAI, stream: bool) -> None:
    text = 'tool:lookup:{"q": "a"}|lookup:{"q": "b"}'
    answer = ask(plain, text, tools=[TOOL], parallel_tool_calls=True, stream=stream)
    calls: dict[int, list[str]] = {}
    if stream:
        for chunk in answer:
            for delta in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
                name_and_arguments = calls.setdefault(delta.index, ["", ""])
                name_and_arguments[0] += delta.function.name or ""
                name_and_arguments[1] += delta.function.arguments or ""
    else:
        for number, call in enumerate(answer.choices[0].message.tool_calls):
            calls[number] = [call.function.name, call.function.arguments]
    assert {n: (name, json.loads(arguments)) for n, (name, arguments) in calls.items()} == {
        0: ("lookup", {"q": "a"}),
        1: ("lookup", {"q": "b"}),
    }


def test_choices_stay_apart_in_a_stream(plain: openai.OpenAI) -> None:
    texts = {0: "", 1: ""}
    for chunk in ask(plain, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: "hello there", 1: "hello there"}


def test_what_the_caller_asks_for_reaches_the_provider(plain: openai.OpenAI, upstream: Upstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": "say:ok"}, image]
    plain.chat.completions.create(
        model="acme/small",
        messages=[{"role": "user", "content": content}],  # type: ignore[misc,list-item]
        response_format=SCHEMA,  # type: ignore[arg-type]
        seed=7,
        logprobs=True,
        top_logprobs=2,
        metadata={"a": "b"},
    )
    sent = upstream.requests[-1]
    assert sent["messages"] == [{"role": "user", "content": content}]
    assert (sent["model"], sent["response_format"], sent["seed"], sent["top_logprobs"]) == ("small", SCHEMA, 7, 2)
    assert upstream.headers[-1]["Authorization"] == "Bearer sk-upstream"


def test_logprobs_pass_where_no_output_rule_acts(plain: openai.OpenAI) -> None:
    assert ask(plain, logprobs=True).choices[0].logprobs.content[0].token == "x"


def test_models_are_those_of_the_key(client: openai.OpenAI, plain: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"acme/small", "orca/echo"}
    assert plain.models.retrieve("acme/small").id == "acme/small"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("acme/none")


def test_every_answer_has_an_id_and_echoes_the_callers(plain: openai.OpenAI) -> None:
    raw = plain.chat.completions.with_raw_response.create(
        model="acme/small",
        messages=USER,
        extra_headers={"X-Request-Id": "mine-1"},  # type: ignore[arg-type]
    )
    assert raw.headers["x-orca-request-id"].startswith("req_")
    assert raw.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, openai.BadRequestError, "upstream_rejected"),
        (401, openai.InternalServerError, "upstream_error"),
        (429, openai.RateLimitError, "upstream_rate_limited"),
        (500, openai.InternalServerError, "upstream_error"),
    ],
)
def test_a_failing_provider(plain: openai.OpenAI, status: int, error: type[openai.APIStatusError], code: str) -> None:
    with pytest.raises(error) as caught:
        ask(plain, f"status:{status}")
    assert caught.value.code == code


def test_a_client_side_timeout(plain: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        ask(plain.with_options(timeout=0.3), "sleep:3")


def test_a_cut_stream_is_an_error_after_what_was_delivered(plain: openai.OpenAI) -> None:
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in ask(plain, "cut this answer please", stream=True):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    assert not isinstance(caught.value, openai.APIConnectionError)
    assert (text, caught.value.code) == ("cut", "upstream_error")


def test_a_client_that_leaves_stops_the_provider(
    plain: openai.OpenAI, management: Management, upstream: Upstream
) -> None:
    before = upstream.cancelled
    with ask(plain, "slow", stream=True) as stream:
        request_id = stream.response.headers["x-orca-request-id"]
        next(iter(stream))
    begun = time.monotonic()
    while upstream.cancelled == before and time.monotonic() - begun < PATIENCE:
        time.sleep(0.02)
    print(f"the provider was stopped after {time.monotonic() - begun:.2f} s")
    assert upstream.cancelled > before
    (row,) = management.eventually(f"/api/log?request_id={request_id}", lambda page: page["items"])
    assert (row["status"], row["estimated"]) == ("cancelled", True)


def test_the_tenants_key_is_worth_nothing_on_the_management_plane(product: Product, key: dict[str, Any]) -> None:
    answer = httpx.get(f"{product.management_url}/api/token", headers={"Authorization": f"Bearer {key['key']}"})
    assert (answer.status_code, answer.json()["success"]) == (401, False)


def test_a_policy_refusal_is_not_retried(
    product: Product, key: dict[str, Any], upstream: Upstream, management: Management
) -> None:
    rule = {"type": "keyword", "stage": "input", "action": "block", "terms": ["forbidden word"]}
    guardrail = management.call("POST", "/api/guardrail", {"name": "blocking", "enabled": True, "rules": [rule]})
    blocked = management.call("POST", "/api/token", {"name": "blocked", "guardrail_id": guardrail["id"]})
    client = openai.OpenAI(api_key=blocked["key"], base_url=f"{product.relay_url}/v1", max_retries=3)
    before = len(upstream.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "a forbidden word")
    assert caught.value.code == "guardrail_blocked"
    assert caught.value.type == "orca_api_error"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "forbidden word" not in caught.value.message
    assert len(upstream.requests) == before


async def test_the_async_client(product: Product, plain_key: dict[str, Any]) -> None:
    url = f"{product.relay_url}/v1"
    async with openai.AsyncOpenAI(api_key=plain_key["key"], base_url=url, max_retries=0) as client:
        answer = await client.chat.completions.create(model="acme/small", messages=USER)  # type: ignore[arg-type]
        assert answer.choices[0].message.content == "hello there"
        stream = await client.chat.completions.create(model="acme/small", messages=USER, stream=True)  # type: ignore[call-overload]
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        assert text == "hello there"


def test_the_echo_model_shows_what_the_provider_would_see(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="orca/echo", messages=[{"role": "user", "content": "my ssn is 536-90-4399"}]
    )
    assert answer.choices[0].message.content == "my ssn is [SSN]"
    forced = client.chat.completions.create(
        model="orca/echo",
        messages=[{"role": "user", "content": "go"}],
        tools=[TOOL],  # type: ignore[list-item]
        tool_choice={"type": "function", "function": {"name": "lookup"}},
    )
    assert forced.choices[0].message.tool_calls[0].function.name == "lookup"  # type: ignore[index,union-attr]
