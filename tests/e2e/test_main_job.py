"""The product's main job, through its public interfaces only: HTTP and the official client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Management, Product
from tests.support.cluster import Cluster
from tests.support.process import ADMIN_EMAIL, ADMIN_PASSWORD, Embedded
from tests.support.upstream import Upstream


def test_the_first_start_prints_a_way_in(product: Product) -> None:
    if isinstance(product, Cluster):
        return
    begun = time.monotonic()
    while "curl " not in product.output and time.monotonic() - begun < 20:
        time.sleep(0.05)
    assert f"{product.relay_url}/v1" in product.output
    assert "sk-orca-" in product.output


def test_an_administrator_logs_in(product: Product) -> None:
    login = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    assert httpx.post(f"{product.management_url}/api/user/login", json=login).status_code == 200


def test_a_masked_completion_is_seen_in_every_feed(
    client: openai.OpenAI, management: Management, upstream: Upstream, key: dict[str, Any]
) -> None:
    scope = {name: key[name] for name in ("guardrail_id", "firewall_policy_id")}
    own = management.call("POST", "/api/token", {"name": "main job", "credit_limit_usd": "1", **scope})
    raw = client.with_options(api_key=own["key"]).chat.completions.with_raw_response.create(
        model="acme/small",
        messages=[{"role": "user", "content": "say:write to jo@example.com"}],
        tools=[{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}],
        extra_headers={"X-Orca-Run-Id": "run-1"},
    )
    answer = raw.parse()
    request_id = raw.headers["x-orca-request-id"]
    assert answer.choices[0].message.content == "write to [EMAIL]"
    assert upstream.requests[-1]["messages"][0]["content"] == "say:write to [EMAIL]"

    def mine(page: Any) -> Any:
        return [item for item in page["items"] if item.get("request_id") == request_id]

    (match,) = management.eventually(f"/api/guardrail/match?request_id={request_id}", mine)
    assert (match["entity"], match["action"], match["count"]) == ("email", "mask", 1)
    (event,) = management.eventually(f"/api/workspace/firewall/events?request_id={request_id}", mine)
    assert (event["tool_name"], event["verdict"], event["surface"]) == ("lookup", "audit", "inbound")
    management.eventually(
        "/api/workspace/firewall/runs", lambda page: [run for run in page["items"] if run["run_id"] == "run-1"]
    )
    management.eventually("/api/log", mine)
    account = management.eventually(
        f"/api/ledger/accounts/{own['id']}", lambda account: account if account["settled_usd"] != "0" else None
    )
    assert account["settled_usd"] == "0.00002"


def test_a_capped_key_uses_a_well_known_model_without_saying_a_limit(
    product: Product, management: Management, upstream: Upstream
) -> None:
    channel = {"name": "known", "base_url": upstream.base_url, "models": ["openai/gpt-4o-mini"]}
    management.call("POST", "/api/channel", channel)
    capped = management.call("POST", "/api/token", {"name": "known", "credit_limit_usd": "0.5"})
    client = openai.OpenAI(api_key=capped["key"], base_url=f"{product.relay_url}/v1", max_retries=0)
    answer = client.chat.completions.create(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "say:hello"}]
    )
    assert answer.choices[0].message.content == "hello"
    # The model's longest answer, which was reserved, is also what the provider is held to.
    assert upstream.requests[-1]["max_completion_tokens"] == 16_384


def test_a_stream_arrives_with_and_without_usage(client: openai.OpenAI) -> None:
    for include in (False, True):
        options: Any = {"stream_options": {"include_usage": True}} if include else {}
        chunks = list(
            client.chat.completions.create(
                model="acme/small", messages=[{"role": "user", "content": "say:hello"}], stream=True, **options
            )
        )
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert (text, any(chunk.usage for chunk in chunks)) == ("hello", include)


def test_tools_and_choices_survive(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="acme/small", n=2, messages=[{"role": "user", "content": 'tool:a:{"x":1}|b:{}'}]
    )
    names = [[call.function.name for call in choice.message.tool_calls or ()] for choice in answer.choices]  # type: ignore[union-attr]
    assert names == [["a", "b"], ["a", "b"]]


def test_a_denied_tool_call_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="acme/small", messages=[{"role": "user", "content": 'tool:shell.run:{"cmd":"ls"}'}]
        )
    assert caught.value.code == "firewall_blocked"


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("other/x", openai.PermissionDeniedError, "model_not_allowed"),
        ("acme/none", openai.NotFoundError, "model_not_found"),
    ],
)
def test_refusals_have_their_exception_class(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == code


def test_an_unknown_key_is_401(product: Product) -> None:
    stranger = openai.OpenAI(api_key="sk-orca-unknown", base_url=f"{product.relay_url}/v1", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.models.list()
    assert caught.value.code == "invalid_api_key"


def test_disabling_a_key_acts_on_its_next_request(
    product: Product, management: Management, client: openai.OpenAI
) -> None:
    key = management.call("POST", "/api/token", {"name": "short"})
    tenant = openai.OpenAI(api_key=key["key"], base_url=f"{product.relay_url}/v1", max_retries=0)
    tenant.chat.completions.create(model="orca/echo", messages=[{"role": "user", "content": "hi"}])
    management.call("PUT", f"/api/token/{key['id']}", {"status": "disabled"})
    with pytest.raises(openai.AuthenticationError) as caught:
        tenant.chat.completions.create(model="orca/echo", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "key_disabled"


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    first = Embedded(tmp_path).start()
    management = Management(first.management_url)
    key = management.call("POST", "/api/token", {"name": "kept"})
    assert first.stop() == 0
    second = first.start()
    assert management.call("GET", f"/api/token/{key['id']}")["name"] == "kept"
    assert second.stop() == 0


def test_bodies_are_kept_under_consent_alone(
    client: openai.OpenAI, management: Management, key: dict[str, Any]
) -> None:
    def ask() -> str:
        raw = client.chat.completions.with_raw_response.create(
            model="acme/small", messages=[{"role": "user", "content": "say:recorded"}]
        )
        return str(raw.headers["x-orca-request-id"])

    before = ask()
    settings = management.call("PUT", "/api/workspace/settings", {"capture_bodies": True})
    assert (settings["capture_bodies"], settings["capture_consent"]["version"]) == (True, 1)
    # Analytics learns of a consent from the log; what comes before that is not kept.
    rule = {"type": "keyword", "stage": "input", "action": "block", "terms": ["recorded"]}
    begun = time.monotonic()
    while time.monotonic() - begun < 20:
        during = ask()
        tried = management.call("POST", "/api/guardrail/simulate", {"rules": [rule], "days": 1})
        if tried["summary"]["evaluated"]:
            break
        time.sleep(0.5)
    assert tried["summary"]["evaluated"] >= 1
    assert tried["not_evaluable"] >= 1
    assert before not in {item["request_id"] for item in tried["items"]}
    off = management.call("PUT", "/api/workspace/settings", {"capture_bodies": False})
    assert (off["capture_bodies"], off["capture_consent"]) == (False, None)
    assert during
