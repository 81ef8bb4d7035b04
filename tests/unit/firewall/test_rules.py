"""Whole rules: egress on its surfaces, counters, caps, redaction, levels and templates."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firewall.domain.counters import US_PER_S, CallContext, CounterAsk
from services.firewall.domain.drafts import admit_rules, rule_from_json, rule_json, warnings
from services.firewall.domain.engine import Call, CompiledPolicy
from services.firewall.domain.model import Policy, Sanitize, Surface, Verdict
from services.firewall.domain.presets import levels, presets, templates
from services.firewall.domain.sanitize import PRESETS, CompiledSanitize

AWS = "AKIA" + "Q3EGTXKJ7B2NPLMW"
RUN = CallContext("w", "k", "r1", run_id="run")


def policy(*rules: dict[str, Any], default: str = "audit", shadow: bool = False) -> CompiledPolicy:
    numbers = count()
    admitted = admit_rules(list(rules), lambda: f"rule{next(numbers)}")
    return CompiledPolicy(
        Policy("p", "w", "agents", default_verdict=Verdict(default), shadow_mode=shadow, rules=admitted)
    )


class Store:
    """Counter states, as the store keeps them."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.now_us = 1_000 * US_PER_S

    def run(self, compiled: CompiledPolicy, *calls: tuple[str, Any], surface: str = "mcp", **context: Any) -> list[str]:
        """The verdicts on the calls; time passes one second."""
        self.now_us += US_PER_S
        given_context = CallContext("w", **{"key_id": "k", "request_id": "r", "run_id": "run", **context})
        sent = [Call(tool, json.dumps(arguments)) for tool, arguments in calls]
        evaluation = compiled.evaluate(Surface(surface), sent, given_context)
        asked = {ask.key for ask in evaluation.asks}
        outcome = evaluation.decide(self.states, self.now_us)
        assert {write.key for write in outcome.writes} <= asked
        self.states.update({write.key: write.state for write in outcome.writes})
        return [item.verdict.value for item in outcome.judgements]


def verdicts(compiled: CompiledPolicy, tool: str, arguments: Any, surface: str = "response") -> list[tuple[str, str]]:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    found = compiled.judge(Surface(surface), [Call(tool, raw)])
    return [(item.surface.value if item.surface else "", item.verdict.value) for item in found]


def test_a_call_is_judged_once_and_once_per_destination() -> None:
    compiled = policy({"verdict": "deny", "egress": {"deny": ["private"]}}, default="allow")
    value = {"a": "https://example.com", "b": "http://10.0.0.1"}
    assert verdicts(compiled, "t", value) == [("response", "allow"), ("egress", "allow"), ("egress", "deny")]
    assert verdicts(compiled, "t", {"q": "hello"}) == [("response", "allow")]
    assert verdicts(compiled, "t", "{broken") == [("response", "allow"), ("egress", "deny")]
    assert compiled.may_refuse_output


def test_a_permission_with_egress_lets_a_call_through_only_when_every_destination_satisfies_it() -> None:
    compiled = policy({"verdict": "allow", "egress": {"allow": ["example.com"]}}, default="deny")
    assert verdicts(compiled, "t", {"u": "https://example.com"}) == [("response", "allow"), ("egress", "allow")]
    assert verdicts(compiled, "t", {"u": ["https://example.com", "https://other.example"]})[0] == ("response", "deny")
    assert verdicts(compiled, "t", {"q": "none"}) == [("response", "deny")]


def test_reported_destinations_count() -> None:
    compiled = policy({"verdict": "deny", "egress": {"allow": ["example.com"]}}, default="allow")
    found = compiled.judge(Surface.MCP, [Call("t", "{}", ("https://evil.example/x",))])
    assert [(item.destination, item.verdict.value) for item in found] == [("", "allow"), ("evil.example", "deny")]


def test_names_are_looked_up_only_where_a_rule_asks_and_its_list_admits_them() -> None:
    asking = policy({"verdict": "deny", "egress": {"allow": ["api.example.com"], "resolve_names": True}})
    calls = [Call("t", '{"a": "https://api.example.com", "b": "https://other.example"}')]
    assert asking.names_to_resolve(Surface.MCP, calls) == ("api.example.com",)
    assert policy({"verdict": "deny", "egress": {"deny": ["private"]}}).names_to_resolve(Surface.MCP, calls) == ()


def test_a_policy_without_stateful_rules_asks_for_no_counter() -> None:
    compiled = policy({"verdict": "deny", "semantic_match": {"kinds": ["destructive_shell"]}})
    assert (compiled.stateful, compiled.evaluate(Surface.MCP, [Call("t", "{}")], RUN).asks) == (False, ())


def test_a_rate_counts_every_call_and_fires_beyond_its_bound() -> None:
    rate = {"max_calls": 2, "window_seconds": 10}
    compiled, store = policy({"verdict": "deny", "rate": rate}, default="allow"), Store()
    assert [store.run(compiled, ("t", {}))[0] for _ in range(4)] == ["allow", "allow", "deny", "deny"]
    assert store.run(compiled, ("t", {}), run_id="other") == ["allow"]
    assert store.run(compiled, ("t", {}), surface="response") == ["allow"]
    store.now_us += 20 * US_PER_S
    assert store.run(compiled, ("t", {})) == ["allow"]


@pytest.mark.parametrize(
    ("same", "expected"), [("call", ["allow", "allow", "deny"]), ("tool", ["allow", "deny", "deny"])]
)
def test_a_rate_may_count_identical_calls_or_tools(same: str, expected: list[str]) -> None:
    rate = {"max_calls": 1, "window_seconds": 99, "per": "key", "same": same}
    compiled, store = policy({"verdict": "deny", "rate": rate}, default="allow"), Store()
    assert [store.run(compiled, ("t", {"a": a}))[0] for a in (1, 2, 1)] == expected
    assert store.run(compiled, ("other", {"a": 1})) == ["allow"]


def test_a_sequence_fires_on_the_call_that_completes_it_and_counts_calls_that_passed() -> None:
    steps = [{"tool_name_glob": "read.*", "min_count": 2}, {"tool_name_glob": "send.*", "egress": {"deny": ["*"]}}]
    rule = {"verdict": "deny", "tool_name_glob": "send.*", "sequence": {"window_seconds": 60, "steps": steps}}
    compiled, store = policy(rule, default="allow"), Store()
    out = ("send.x", {"url": "https://example.com"})
    assert store.run(compiled, out) == ["allow"]
    assert [store.run(compiled, ("read.a", {})) for _ in range(2)] == [["allow"], ["allow"]]
    assert store.run(compiled, ("send.x", {"q": "nowhere"})) == ["allow"]
    assert [store.run(compiled, out) for _ in range(2)] == [["deny"], ["deny"]]
    assert store.run(compiled, out, run_id="other") == ["allow"]
    assert Store().run(compiled, ("read.a", {}), ("read.b", {}), out, surface="response") == ["allow", "allow", "deny"]


def test_a_refused_answer_leaves_no_step_behind() -> None:
    rule = {"verdict": "deny", "tool_name_glob": "b", "sequence": {"window_seconds": 60, "steps": [{"tool_name_glob": "a"}, {"tool_name_glob": "b"}]}}  # fmt: skip # noqa: E501
    compiled, store = policy({"verdict": "deny", "tool_name_glob": "bad"}, rule, default="allow"), Store()
    assert store.run(compiled, ("a", {}), ("bad", {}), surface="response") == ["allow", "deny"]
    assert store.run(compiled, ("b", {}), surface="response") == ["allow"]


def test_a_cap_reserves_the_worst_case_of_a_request_with_or_without_tools() -> None:
    compiled, store = policy({"verdict": "cap_cost", "cap_cost_cents": 10, "label": "cap"}), Store()
    cent = 10_000_000
    assert store.run(compiled, surface="inbound", request_id="a", worst_case_nano_usd=6 * cent) == []
    assert store.run(compiled, surface="inbound", request_id="b", worst_case_nano_usd=5 * cent) == ["deny"]
    assert store.run(compiled, ("t", {}), surface="inbound", request_id="c", worst_case_nano_usd=4 * cent) == ["audit"]
    assert store.run(compiled, surface="inbound", request_id="d", run_id="other", worst_case_nano_usd=10 * cent) == []
    refused = compiled.evaluate(Surface.INBOUND, [], CallContext("w", "k", "r", "", 11 * cent)).decide({}, 1)
    assert [(item.index, item.reason) for item in refused.judgements] == [(-1, 'request denied by cost cap "cap"')]
    assert refused.writes == ()


def test_a_shadowed_policy_counts_and_lets_pass() -> None:
    rules = ({"verdict": "deny", "rate": {"max_calls": 1, "window_seconds": 60}},)
    compiled, store = policy(*rules, shadow=True), Store()
    assert [store.run(compiled, ("t", {})) for _ in range(2)] == [["audit"], ["audit"]]
    shadowed = policy({"verdict": "sanitize"}, shadow=True).judge(Surface.MCP, [Call("t", json.dumps({"k": AWS}))])[0]
    assert (shadowed.verdict.value, shadowed.shadow, shadowed.sanitized_arguments_json) == ("audit", True, "")


def test_the_asks_are_sorted_and_each_once() -> None:
    compiled = policy({"verdict": "deny", "rate": {"max_calls": 1, "window_seconds": 60}})
    asks = compiled.evaluate(Surface.MCP, [Call("a", "{}"), Call("b", "{}")], RUN).asks
    assert len(asks) == 1
    assert isinstance(asks[0], CounterAsk)


def test_sanitize_redacts_inside_strings_and_keeps_the_document() -> None:
    compiled = policy({"verdict": "sanitize", "sanitize": {"presets": ["aws_access_key", "email"], "paths": ["$.a"]}})
    value = {"a": [f"key {AWS}", {"m": "to a@b.com"}], "b": "c@d.org", "n": 4111111111111111}
    judgement = compiled.judge(Surface.MCP, [Call("srv.t", json.dumps(value))])[0]
    assert json.loads(judgement.sanitized_arguments_json) == {
        "a": ["key [redacted:aws_access_key]", {"m": "to [redacted:email]"}],
        "b": "c@d.org",
        "n": 4111111111111111,
    }
    assert judgement.args_hash == compiled.judge(Surface.MCP, [Call("other.t", json.dumps(value))])[0].args_hash


@pytest.mark.parametrize(
    ("preset", "secret", "other"),
    [
        ("aws_access_key", AWS, "AKIASHORT"),
        ("aws_secret_key", "wJa1rXUtnFEMI/K7MDENG+bPxRfiCYzzzAKEYq9Z", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("openai_key", "sk-proj-" + "aB3" * 9, "sk-short"),
        ("anthropic_key", "sk-ant-api03-" + "aB3" * 9, "sk-ant-"),
        ("bearer_token", "eyJhbGciOi.J9x.y", ""),
        ("email", "ana@example.com", "ana@example"),
        ("ssn_us", "123-45-6789", "666-45-6789"),
        ("credit_card", "4111 1111 1111 1111", "4111 1111 1111 1112"),
    ],
)
def test_presets_redact_what_they_name_and_nothing_alike(preset: str, secret: str, other: str) -> None:
    spec = CompiledSanitize(Sanitize((preset,)))
    before, after = ("Authorization: Bearer ", "") if preset == "bearer_token" else ("x ", " y")
    assert spec.redact(f"{before}{secret}{after}") == f"{before}[redacted:{preset}]{after}"
    assert spec.redact(f"x {other} y") == f"x {other} y"


@given(st.recursive(st.text(max_size=30) | st.integers() | st.none(), lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=4), i, max_size=3)))  # fmt: skip # noqa: E501
def test_redaction_never_raises_and_is_settled_after_one_round(value: Any) -> None:
    spec = CompiledSanitize(Sanitize(PRESETS))
    once = spec.redact(value)
    assert spec.redact(once) == once


def test_levels_templates_and_presets_compile_and_survive_storage() -> None:
    whole = [raw for raw in levels().values() if raw] + [item["policy"] for item in templates()]
    for raw in [*whole, *presets()]:
        rules = admit_rules(raw["rules"], (f"r{n}" for n in count()).__next__)
        assert tuple(rule_from_json(json.loads(json.dumps(rule_json(rule)))) for rule in rules) == rules
        CompiledPolicy(Policy("p", "w", "x", rules=rules))
    assert set(levels()) == {"tight", "balanced", "permissive"}


def test_an_allow_list_that_restricts_nothing_is_warned_about() -> None:
    rules = admit_rules([{"verdict": "allow", "egress": {"allow": ["example.com"]}}], iter("ab").__next__)
    assert [text.split(":")[0] for text in warnings(rules, Verdict.AUDIT)] == ["rules.0.egress.allow"]
    assert warnings(rules, Verdict.DENY) == []
    denying = admit_rules([{"verdict": "deny", "egress": {"allow": ["example.com"]}}], iter("ab").__next__)
    assert warnings(denying, Verdict.AUDIT) == []
    empty = admit_rules([{"verdict": "allow", "egress": {"deny": ["private"]}}], iter("ab").__next__)
    assert [text.split(":")[0] for text in warnings(empty, Verdict.DENY)] == ["rules.0.egress"]


def test_a_restriction_knows_a_name_that_only_looks_like_its_own() -> None:
    compiled = policy({"verdict": "deny", "tool_name_glob": "bash"}, {"verdict": "allow", "tool_name_glob": "ok"}, default="deny")  # fmt: skip # noqa: E501
    assert [verdicts(compiled, name, {})[0][1] for name in ("b\u0430sh", "b\u200bash", "\uff42ash", "\u043ek", "ok")] == ["deny"] * 4 + ["allow"]  # fmt: skip # noqa: E501
