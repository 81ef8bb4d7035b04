"""Every path has the owner the architecture gives it, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.routes import SERVICES, owner, owner_of_raw, wire_target


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/user/login", "auth"),
        ("/api/workspace", "auth"),
        ("/api/workspace/firewalls", "auth"),
        ("/api/token/key_1/successor", "auth"),
        ("/api/channel", "auth"),
        ("/api/model/openai/gpt", "auth"),
        ("/api/audit", "auth"),
        ("/api/status", "auth"),
        ("/api/guardrail/g1/history", "guardrail"),
        ("/api/guardrail/matches", "guardrail"),
        ("/api/guardrail/match", "analytics"),
        ("/api/guardrail/match/m1", "analytics"),
        ("/api/guardrail/match/m1/mark_fp", "guardrail"),
        ("/api/workspace/firewall/policies/p1", "firewall"),
        ("/api/workspace/firewall/events", "analytics"),
        ("/api/workspace/firewall/runs/r1", "analytics"),
        ("/api/workspace/firewall/tools", "analytics"),
        ("/api/workspace/firewall/anomalies", "analytics"),
        ("/api/v1/firewall/evaluate", "firewall"),
        ("/api/ledger/accounts/k", "ledger"),
        ("/api/log", "analytics"),
        ("/api/analytics/usage", "analytics"),
        ("/api/tokens", None),
        ("/api", None),
        ("/api/v1", None),
        ("/v1/chat/completions", None),
        ("api/token", None),
        ("//api/token", None),
    ],
)
def test_the_longest_match_on_whole_segments_decides(path: str, service: str | None) -> None:
    assert owner(path) == service


@pytest.mark.parametrize(
    ("raw", "service"),
    [
        (b"/api/model/openai%2Fgpt", "auth"),
        (b"/api/%74oken", "auth"),
        (b"/api/token/%C3%A9", "auth"),
        (b"/api/guardrail%2Fmatch", None),
        (b"/api%2Ftoken", None),
        (b"/api/workspace/firewall%2Fevents", None),
        (b"/api/guardrail/match/a%2Fmark_fp", None),
        (b"/api/token/../ledger", None),
        (b"/api/token/%2e%2E/ledger", None),
        (b"/api/token/..%2Fledger", None),
        (b"/api/token/./x", None),
        (b"/api/token/..\\ledger", None),
        (b"/api/token/%00", None),
        (b"/api/token/\x00", None),
        (b"/api/token/%0d%0ax", None),
        (b"/api/token/%ff", None),
        (b"/api/token/\xff", None),
        (b"", None),
        (b"*", None),
    ],
)
def test_what_two_parties_could_read_differently_has_no_owner(raw: bytes, service: str | None) -> None:
    assert owner_of_raw(raw) == service


@given(st.binary(max_size=40))
def test_any_bytes_get_an_answer(tail: bytes) -> None:
    assert owner_of_raw(b"/api/guardrail/" + tail) in (*SERVICES, None)


def test_the_next_hop_gets_ascii_and_no_second_encoding() -> None:
    assert wire_target(b"/api/model/a%2Fb/\xc3\xa9 x", b"q=%20&r=\xff") == b"/api/model/a%2Fb/%C3%A9%20x?q=%20&r=%FF"
    assert wire_target(b"/api/log", b"") == b"/api/log"
