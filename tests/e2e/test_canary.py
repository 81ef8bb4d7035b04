"""Marked secrets, prompts and matched values go through every path; no sink may hold any of them."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import openai

from tests.e2e.conftest import Management
from tests.support.process import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Embedded
from tests.support.upstream import Upstream

PROMPT = "canary-prompt-7f3a"
MASKED = "canary.masked.91bc@example.test"
BLOCKED = "canary-blocked-55de"
ANSWER = "canary-answer-c0de"
UPSTREAM_SECRET = "sk-canary-upstream-2b7e151628aed2a6"
WRONG_PASSWORD = "canary-password-4d4d"
BROKEN = "canary-broken-body-8a8a"


def chat(client: openai.OpenAI, text: str, **options: Any) -> None:
    """One completion, whatever becomes of it."""
    with contextlib.suppress(openai.APIError):
        answer: Any = client.chat.completions.create(
            model="acme/small", messages=[{"role": "user", "content": text}], **options
        )
        if options.get("stream"):
            list(answer)


def exercise(product: Embedded, management: Management, upstream: Upstream) -> str:
    """Drives every path that meets a marked value; returns the relay key."""
    channel = {"name": "c", "base_url": upstream.base_url, "api_key": UPSTREAM_SECRET, "models": ["acme/small"]}
    management.call("POST", "/api/channel", channel)
    rules = [
        {"type": "pii", "stage": "both", "action": "mask", "entities": ["email"]},
        {"type": "keyword", "stage": "both", "action": "block", "terms": [BLOCKED]},
    ]
    guardrail = management.call("POST", "/api/guardrail", {"name": "g", "enabled": True, "rules": rules})
    key = management.call("POST", "/api/token", {"name": "k", "guardrail_id": guardrail["id"]})
    client = openai.OpenAI(api_key=key["key"], base_url=f"{product.relay_url}/v1", max_retries=0)
    for stream in (False, True):
        chat(client, f"say:{ANSWER} {PROMPT} write to {MASKED}", stream=stream)
        chat(client, f"{PROMPT} {BLOCKED}", stream=stream)
        chat(client, f"cut {PROMPT} {MASKED}", stream=stream)
    chat(client, "status:500", user=PROMPT)
    chat(client, f"{PROMPT}", n="many")
    url = f"{product.relay_url}/v1/chat/completions"
    headers = {"Authorization": f"Bearer {key['key']}", "X-Request-Id": "mine"}
    httpx.post(url, content=f'{{"model": "{BROKEN}", '.encode(), headers=headers)
    httpx.post(url, json={"model": "acme/small"}, headers={"Authorization": f"Bearer {key['key']}x"})
    login = {"email": ADMIN_EMAIL, "password": WRONG_PASSWORD}
    httpx.post(f"{product.management_url}/api/user/login", json=login)
    management.call("POST", "/api/guardrail/test", {"rules": rules, "stage": "input", "text": f"{PROMPT} {MASKED}"})
    management.eventually("/api/log?limit=50", lambda page: len(page["items"]) >= 7)
    management.eventually("/api/guardrail/match?limit=50", lambda page: len(page["items"]) >= 4)
    return str(key["key"])


def feeds(management: Management) -> str:
    """Everything the management plane shows, as text."""
    paths = ("/api/log", "/api/guardrail/match", "/api/workspace/firewall/events", "/api/workspace/firewall/runs",
             "/api/audit", "/api/token", "/api/channel", "/api/guardrail", "/api/analytics/usage")  # fmt: skip
    return json.dumps([management.call("GET", path) for path in paths])


def test_no_sink_holds_a_marked_value(tmp_path: Path, upstream: Upstream) -> None:
    product = Embedded(tmp_path)
    product.start()
    management = Management(product.management_url)
    key = exercise(product, management, upstream)
    time.sleep(1)
    sinks = {"feeds": feeds(management).encode()}
    assert product.stop() == 0
    paths = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and "chdb" not in path.parts]
    paths += [tmp_path / "stdout", tmp_path / "stderr"]
    sinks |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in paths}
    assert {"state/events.db", "state/auth.db", "stderr"} <= sinks.keys()
    # The rule that an operator wrote holds its own term, in the guardrail's tables and the API alone.
    secrets = (PROMPT, MASKED, ANSWER, UPSTREAM_SECRET, WRONG_PASSWORD, BROKEN, key, ADMIN_TOKEN, ADMIN_PASSWORD)
    found = [(name, text) for name, data in sinks.items() for text in secrets if text.encode() in data]
    assert found == []
    elsewhere = [name for name in sinks if name != "feeds" and not name.startswith("state/guardrail.db")]
    assert [name for name in elsewhere if BLOCKED.encode() in sinks[name]] == []
