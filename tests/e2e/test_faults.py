"""Faults by killing the real process: what was answered is kept, what was cut is settled, nothing is stranded."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import Management
from tests.support.process import Embedded
from tests.support.upstream import Upstream


@pytest.fixture
def own(tmp_path: Path, upstream: Upstream) -> Iterator[tuple[Embedded, Management, dict[str, Any]]]:
    """A product of this test's own, with a channel and a capped key."""
    product = Embedded(tmp_path)
    product.start()
    management = Management(product.management_url)
    channel = {"name": "up", "base_url": upstream.base_url, "api_key": "sk-upstream", "models": ["acme/small"]}
    management.call("POST", "/api/channel", channel)
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "max_output_tokens": 1000, "context_length": 8000}
    management.call("PUT", "/api/model/acme/small", price)
    key = management.call("POST", "/api/token", {"name": "capped", "credit_limit_usd": "1"})
    yield product, management, key
    product.stop()


def client_of(product: Embedded, key: dict[str, Any]) -> openai.OpenAI:
    return openai.OpenAI(api_key=key["key"], base_url=f"{product.relay_url}/v1", max_retries=0)


def ask(client: openai.OpenAI, text: str, **options: Any) -> Any:
    return client.chat.completions.create(model="acme/small", messages=[{"role": "user", "content": text}], **options)


def test_answered_requests_survive_kill_9_and_a_cut_one_is_settled_as_unknown(
    own: tuple[Embedded, Management, dict[str, Any]],
) -> None:
    product, management, key = own
    client = client_of(product, key)
    answered = [
        client.chat.completions.with_raw_response.create(
            model="acme/small", messages=[{"role": "user", "content": "say:hi"}]
        ).headers["x-orca-request-id"]
        for _ in range(20)
    ]

    def cut_off() -> None:
        with contextlib.suppress(openai.APIError):
            ask(client, "sleep:30")

    cut = threading.Thread(target=cut_off)
    cut.start()
    time.sleep(0.5)
    product.stop(signal.SIGKILL)
    cut.join(10)
    product.start()
    rows = management.eventually("/api/log?limit=100", lambda page: page["items"] if len(page["items"]) >= 21 else None)
    assert sorted(row["request_id"] for row in rows if row["status"] == "ok") == sorted(answered)
    assert [row["status"] for row in rows if row["request_id"] not in answered] == ["lost"]
    account = management.eventually(
        f"/api/ledger/accounts/{key['id']}",
        lambda a: a if a["held_usd"] == "0" and a["unconfirmed_usd"] != "0" else None,
    )
    # 20 answers of 10 input and 5 output tokens, at 1 and 2 dollars a million.
    assert account["settled_usd"] == "0.0004"


def test_a_clean_stop_waits_for_what_is_in_flight_and_leaves_nothing_held(
    own: tuple[Embedded, Management, dict[str, Any]],
) -> None:
    product, management, key = own
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(ask(client_of(product, key), "sleep:1.5")))
    asking.start()
    time.sleep(0.5)
    assert product.stop() == 0
    asking.join(10)
    assert answers[0].choices[0].message.content == "sleep:1.5"
    product.start()
    account = management.call("GET", f"/api/ledger/accounts/{key['id']}")
    assert (account["held_usd"], account["unconfirmed_usd"], account["settled_usd"]) == ("0", "0", "0.00002")


def test_a_dead_channel_is_passed_over(own: tuple[Embedded, Management, dict[str, Any]]) -> None:
    product, management, key = own
    dead = {
        "name": "dead",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "x",
        "models": ["acme/small"],
        "priority": -1,
    }
    management.call("POST", "/api/channel", dead)
    assert ask(client_of(product, key), "say:over").choices[0].message.content == "over"


def test_a_cap_holds_under_concurrency(own: tuple[Embedded, Management, dict[str, Any]]) -> None:
    product, management, _ = own
    # Each answer costs 20 µ$; the worst case is some 2 m$, so the cap admits a few at once and dozens in all.
    key = management.call("POST", "/api/token", {"name": "small", "credit_limit_usd": "0.01"})
    codes: list[str] = []

    def tenant() -> None:
        client = client_of(product, key)
        for _ in range(10):
            try:
                ask(client, "say:x", max_tokens=1000)
                codes.append("ok")
            except openai.APIStatusError as error:
                codes.append(str(error.code))

    threads = [threading.Thread(target=tenant) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert set(codes) <= {"ok", "credit_held", "credit_limit_exceeded"}
    settled = codes.count("ok") * 20_000
    account = management.eventually(f"/api/ledger/accounts/{key['id']}", lambda a: a if a["held_usd"] == "0" else None)
    print(f"{codes.count('ok')} answered, {len(codes) - codes.count('ok')} refused: {account}")
    assert round(float(account["settled_usd"]) * 1e9) == settled
    assert settled <= 10_000_000


def test_a_stopped_product_says_so(tmp_path: Path) -> None:
    product = Embedded(tmp_path)
    product.start()
    assert product.stop() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{product.relay_url}/readyz")
