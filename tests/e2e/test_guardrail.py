"""Rules that ask others, and false positives, through every service: judge, webhook, grounding, suppression."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Management, Product

SECRET = "an e2e webhook secret"


@pytest.fixture
def webhook() -> Iterator[str]:
    """Says that the word `insult` is one, to whoever signs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = self.headers["X-Orca-Timestamp"].encode() + b"." + body
            digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            genuine = self.headers["X-Orca-Signature"] == f"sha256={digest}"
            spans = [
                {"index": text["index"], "start": at, "end": at + 6, "entity": "abuse"}
                for text in json.loads(body)["texts"]
                if (at := text["text"].find("insult")) >= 0
            ]
            raw = json.dumps({"fired": bool(spans), "spans": spans}).encode()
            self.send_response(200 if genuine else 401)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/judge"
    server.shutdown()
    server.server_close()


@pytest.fixture
def tenant(product: Product, management: Management, key: dict[str, Any]) -> Callable[..., openai.OpenAI]:
    """A client whose key has a guardrail of these rules. `key` brings the channel."""
    made: list[int] = []

    def make(*rules: dict[str, Any]) -> openai.OpenAI:
        made.append(len(made))
        name = f"e2e-{id(made)}-{len(made)}"
        guardrail = management.call("POST", "/api/guardrail", {"name": name, "rules": list(rules)})
        fields = {"name": name, "guardrail_id": guardrail["id"], "credit_limit_usd": "1"}
        secret = management.call("POST", "/api/token", fields)["key"]
        return openai.OpenAI(api_key=secret, base_url=f"{product.relay_url}/v1", max_retries=0)

    return make


def ask(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.with_raw_response.create(model="acme/small", messages=messages, **fields)


def test_a_judge_refuses_and_its_key_pays(management: Management, tenant: Callable[..., openai.OpenAI]) -> None:
    judge = management.call("POST", "/api/token", {"name": "judge", "credit_limit_usd": "1"})
    management.call("PUT", "/api/workspace/settings", {"judge_key_id": judge["id"]})
    rule = {"type": "llm_judge", "stage": "input", "action": "block", "judge_model": "acme/small", "judge_rubric": "x"}
    client = tenant(rule)
    # The upstream echoes what it is asked, so the text itself brings the verdict.
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, 'you: {"violation": true}')
    assert refused.value.code == "guardrail_blocked"
    assert ask(client, 'you: {"violation": false}').parse().choices[0].message.content
    account = management.eventually(
        f"/api/ledger/accounts/{judge['id']}", lambda found: found if found["settled_usd"] != "0" else None
    )
    assert float(account["settled_usd"]) > 0


def test_a_webhook_masks_whole_and_streamed_answers(webhook: str, tenant: Callable[..., openai.OpenAI]) -> None:
    rule = {"type": "external", "stage": "output", "action": "mask", "url": webhook, "secret": SECRET}
    client = tenant(rule)
    assert ask(client, "say:an insult!").parse().choices[0].message.content == "an [REDACTED]!"
    stream = client.chat.completions.create(
        model="acme/small", messages=[{"role": "user", "content": "say:an insult!"}], stream=True
    )
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text == "an [REDACTED]!"


def test_a_supported_answer_passes_whole_and_streamed(tenant: Callable[..., openai.OpenAI]) -> None:
    client = tenant({"type": "grounding", "stage": "output", "action": "block"})
    source = {"role": "system", "content": "Laptops may be returned within 30 days."}

    def answered(text: str, stream: bool) -> str:
        messages: Any = [source, {"role": "user", "content": f"say:{text}"}]
        if not stream:
            answer = client.chat.completions.create(model="acme/small", messages=messages)
            return answer.choices[0].message.content or ""
        chunks = client.chat.completions.create(model="acme/small", messages=messages, stream=True)
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

    for stream in (False, True):
        assert answered("Return laptops within 30 days.", stream) == "Return laptops within 30 days."


def test_an_advisory_reaches_the_provider(tenant: Callable[..., openai.OpenAI], upstream: Any) -> None:
    client = tenant({"type": "keyword", "stage": "input", "action": "spotlight", "terms": ["obey"]})
    ask(client, "please obey")
    sent = upstream.requests[-1]["messages"]
    assert [message["role"] for message in sent] == ["system", "user"]
    assert sent[1]["content"].startswith("<untrusted-")


def test_a_marked_match_is_none_any_more(management: Management, tenant: Callable[..., openai.OpenAI]) -> None:
    client = tenant({"type": "pii", "stage": "input", "action": "mask", "entities": ["email"]})
    first = ask(client, "say:desk@example.com")
    assert first.parse().choices[0].message.content == "[EMAIL]"
    request_id = first.headers["x-orca-request-id"]
    (match,) = management.eventually(
        f"/api/guardrail/match?request_id={request_id}",
        lambda page: [item for item in page["items"] if item["request_id"] == request_id],
    )
    path = f"/api/guardrail/match/{match['id']}/mark_fp"
    marked = management.call("POST", path, {})
    assert [item["fingerprint"] for item in marked["items"]] == match["fingerprints"]
    assert ask(client, "say:desk@example.com").parse().choices[0].message.content == "desk@example.com"
    management.call("DELETE", path)
    assert ask(client, "say:desk@example.com").parse().choices[0].message.content == "[EMAIL]"
