"""Globs, paths, clauses, arguments, engine and resolution, without a process."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firewall.domain.arguments import BYTES_MAX, DEPTH_MAX, SUMMARY_MAX, canonical_json, read_arguments
from services.firewall.domain.clauses import CompiledClause
from services.firewall.domain.drafts import Refused, admit_rules, rule_from_json, rule_json, warnings
from services.firewall.domain.engine import Call, CompiledPolicy, CompiledRule, strictest
from services.firewall.domain.globs import parse_glob, stray_star
from services.firewall.domain.model import Clause, Policy, Rule, Settings, Surface, Verdict
from services.firewall.domain.paths import find, parse_path
from services.firewall.domain.resolution import Resolution, Workspace, resolve

NAMES = st.text(alphabet="abAB.*_-é", max_size=12)
WORDS = st.text(alphabet="abAB._-é", min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def rule(rule_id: str = "r", verdict: str = "deny", **fields: Any) -> Rule:
    clauses = tuple(Clause(*clause) for clause in fields.pop("clauses", ()))
    return Rule(rule_id, Verdict(verdict), args_match=clauses, **fields)


def policy(*rules: Rule, default: str = "audit", **fields: Any) -> CompiledPolicy:
    return CompiledPolicy(Policy("p", "w", "agents", default_verdict=Verdict(default), rules=rules, **fields))


def verdict(compiled: CompiledPolicy, tool: str, arguments: str = "{}", surface: str = "response") -> str:
    return compiled.judge(Surface(surface), [Call(tool, arguments)])[0].verdict.value


@given(NAMES)
def test_a_star_matches_every_name(name: str) -> None:
    assert parse_glob("*").matches(name)


@given(WORDS, NAMES)
def test_a_text_without_stars_matches_itself_only(pattern: str, name: str) -> None:
    assert parse_glob(pattern).matches(name) == (name == pattern)


@given(WORDS, NAMES, st.sampled_from(["{}.*", "*.{}", "*.{}.*"]))
def test_wildcard_forms_agree_with_fnmatch_case_sensitively(word: str, name: str, form: str) -> None:
    pattern = form.format(word)
    assert parse_glob(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


@given(NAMES)
def test_every_text_is_a_glob(pattern: str) -> None:
    parse_glob(pattern).matches("any")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("foo.*", "foo.bar.baz", True),
        ("foo.*", "foo", False),
        ("foo.*", "Foo.bar", False),
        ("*.exec", "a.exec", True),
        ("*.exec", "exec", False),
        ("*.shell.*", "a.shell.b", True),
        ("*.shell.*", "shell.b", False),
        ("*.*", "a.b", True),
        ("*.*", "ab", False),
        ("foo*", "foobar", False),
        ("foo*", "foo*", True),
    ],
)
def test_glob_examples(pattern: str, name: str, expected: bool) -> None:
    assert parse_glob(pattern).matches(name) is expected


def test_a_star_that_is_no_wildcard_is_warned_about() -> None:
    assert [stray_star(p) for p in ("*", "a.*", "*.a", "*.a.*", "a", "a*", "*a", "a.*.b")] == [False] * 5 + [True] * 3
    assert [text.split(":")[0] for text in warnings([rule(), rule(tool_name_glob="a*")])] == ["rules.1.tool_name_glob"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [{"a": {"b": 1}, "l": [{"k": 2}, {"k": [{"k": 3}]}], "x y": 4}]),
        ("$.a.b", [1]),
        ("$.l[0].k", [2]),
        ("$.l[9]", []),
        ("$['x y']", [4]),
        ("$..k", [2, [{"k": 3}], 3]),
        ("$.a.b.c", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    document = {"a": {"b": 1}, "l": [{"k": 2}, {"k": [{"k": 3}]}], "x y": 4}
    assert find(document, parse_path(path)) == found


@pytest.mark.parametrize("path", ["", "a", "$.", "$a", "$[*]", "$..a..b", "$[-1]", "$" + ".a" * 33, "$." + "a" * 300])
def test_paths_that_cannot_be_read_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|may"):
        parse_path(path)


@pytest.mark.parametrize(
    ("op", "value", "found", "expected"),
    [
        ("eq", 5, "5", True),
        ("eq", 5, 5.0, True),
        ("eq", 1, True, False),
        ("eq", "5", "5.0", False),
        ("eq", {"a": 1}, {"a": 1.0}, True),
        ("contains", "rm", "x rm y", True),
        ("contains", "rm", ["rm", "-rf"], True),
        ("contains", "rm", {"rm": 1}, True),
        ("contains", 1, "1", False),
        ("regex", "^a+$", "aaa", True),
        ("regex", '"k":1', {"k": 1}, True),
        ("in", ["a", 3], "3", True),
        ("in", ["a"], "b", False),
        ("cidr_match", "10.0.0.0/8", "10.1.2.3", True),
        ("cidr_match", ["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        ("cidr_match", "fc00::/7", "[fd00::1]", True),
        ("cidr_match", "10.0.0.0/8", "example.com", False),
        ("gt", 10, "11", True),
        ("gt", 10, "nan", False),
        ("gt", 10, True, False),
        ("lt", "10.5", 10, True),
        ("exists", None, None, True),
        ("exists", False, 1, False),
    ],
)
def test_operators(op: str, value: Any, found: Any, expected: bool) -> None:
    assert CompiledClause(Clause("$.k", op, value)).holds({"k": found}, every=False) is expected


def test_a_missing_path_is_false_except_when_asked_for() -> None:
    assert [CompiledClause(Clause("$.k", op, value)).holds({}, every=False) for op, value in (("eq", None), ("exists", True), ("exists", False))] == [False, False, True]  # fmt: skip # noqa: E501


@given(JSON)
def test_equal_documents_have_equal_hashes_however_they_are_written(value: Any) -> None:
    document = {"b": value, "a": 1.0}
    spaced = json.dumps({"a": 1, "b": value}, indent=2, ensure_ascii=False)
    first, second = read_arguments(json.dumps(document)), read_arguments(spaced)
    assert (first.valid, first.sha256) == (True, second.sha256)


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    read_arguments(text)
    read_arguments('{"a":' + text)


def test_the_hash_is_that_of_the_canonical_text() -> None:
    assert read_arguments(' {"b": 2.0, "a": "é"} ').sha256 == hashlib.sha256('{"a":"é","b":2}'.encode()).hexdigest()
    assert read_arguments("") == read_arguments("{}")


@pytest.mark.parametrize(
    "raw",
    ["{", "nope", '{"a":1,"a":1}', '{"a":NaN}', '{"a":1e999}', '{"a":"' + "x" * BYTES_MAX + '"}',
     "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), "[" * 100_000],
)  # fmt: skip
def test_what_readers_could_disagree_about_falls_on_the_safe_side(raw: str) -> None:
    clauses = [("$.never", "eq", "there")]
    assert not read_arguments(raw).valid
    assert verdict(policy(rule(verdict="allow"), default="deny"), "t", raw) == "deny"
    assert verdict(policy(rule(verdict="deny", clauses=clauses), default="allow"), "t", raw) == "deny"
    held = policy(rule(verdict="pending_approval", clauses=clauses), default="allow")
    assert verdict(held, "t", raw) == "pending_approval"
    assert verdict(policy(rule(verdict="sanitize", clauses=clauses), default="allow"), "t", raw) == "deny"
    assert verdict(policy(rule(verdict="audit", clauses=clauses), default="allow"), "t", raw) == "allow"
    assert verdict(policy(rule(verdict="deny", tool_name_glob="other"), default="allow"), "t", raw) == "allow"


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert read_arguments("[" * DEPTH_MAX + "]" * DEPTH_MAX).valid


@given(JSON)
def test_a_summary_is_bounded(value: Any) -> None:
    assert len(read_arguments(json.dumps({"k": value, "long" * 50: [value] * 50})).summary) <= SUMMARY_MAX


def test_a_summary_has_keys_and_shapes_and_never_values() -> None:
    raw = '{"cmd":"rm -rf /secret","n":4711,"flag":true,"none":null,"list":[1,2],"deep":{"in":{"x":{"y":"v"}}}}'
    assert read_arguments(raw).summary == (
        "{cmd: string(14), n: number, flag: boolean, none: null, list: array(2), deep: {in: {x: object(1)}}}"
    )


def test_lower_priority_runs_first_and_ids_settle_ties() -> None:
    compiled = policy(rule("b", "deny"), rule("a", "allow"), rule("c", "audit", priority=200))
    assert verdict(compiled, "t") == "allow"
    assert verdict(policy(rule("a", "allow"), rule("z", "deny", priority=-1)), "t") == "deny"
    assert verdict(policy(rule("a", "deny", enabled=False), default="allow"), "t") == "allow"


def test_a_permission_needs_every_value_of_its_path_and_a_restriction_one() -> None:
    raw = '{"a":{"url":"ok"},"b":{"url":"bad"}}'
    assert verdict(policy(rule(verdict="allow", clauses=[("$..url", "eq", "ok")]), default="deny"), "t", raw) == "deny"
    assert verdict(policy(rule(verdict="deny", clauses=[("$..url", "eq", "bad")]), default="allow"), "t", raw) == "deny"


def test_an_empty_stage_is_every_surface_where_all_matchers_have_data() -> None:
    assert rule().surfaces == {Surface.INBOUND, Surface.RESPONSE, Surface.MCP}
    assert rule(clauses=[("$", "exists", True)]).surfaces == {Surface.RESPONSE, Surface.MCP}
    assert rule(stage="mcp").surfaces == {Surface.MCP}
    assert verdict(policy(rule(stage="response"), default="allow"), "t", "", "inbound") == "allow"


def test_on_mcp_a_restriction_knows_the_bare_name_and_a_permission_does_not() -> None:
    assert CompiledRule(rule(verdict="deny", tool_name_glob="run")).names("srv.run", Surface.MCP)
    assert not CompiledRule(rule(verdict="deny", tool_name_glob="run")).names("srv.run", Surface.RESPONSE)
    assert not CompiledRule(rule(verdict="allow", tool_name_glob="run")).names("srv.run", Surface.MCP)


def test_a_denying_default_spares_on_inbound_what_a_rule_may_let_through_later() -> None:
    compiled = policy(rule(verdict="allow", tool_name_glob="ok.*", clauses=[("$.a", "eq", 1)]), default="deny")
    assert [verdict(compiled, tool, "", "inbound") for tool in ("ok.x", "other")] == ["allow", "deny"]
    assert [verdict(compiled, "ok.x", raw) for raw in ('{"a":1}', '{"a":2}')] == ["allow", "deny"]
    off = policy(rule(verdict="allow", tool_name_glob="ok.*", enabled=False), default="deny")
    assert verdict(off, "ok.x", "", "inbound") == "deny"
    only_mcp = policy(rule(verdict="allow", tool_name_glob="ok.*", stage="mcp"), default="deny")
    assert verdict(only_mcp, "ok.x", "", "inbound") == "deny"


def test_shadow_mode_audits_what_it_would_refuse() -> None:
    compiled = policy(rule(label="no"), shadow_mode=True)
    judgement = compiled.judge(Surface.RESPONSE, [Call("t", "{}")])[0]
    assert (judgement.verdict, judgement.shadow, judgement.reason) == (
        Verdict.AUDIT, True, '[shadow] would deny — tool "t" denied by rule "no"',
    )  # fmt: skip
    assert not compiled.may_refuse_output
    assert policy(rule()).may_refuse_output
    assert policy(default="deny").may_refuse_output
    assert not policy(rule(stage="inbound")).may_refuse_output


def test_the_strictest_verdict_holds() -> None:
    compiled = policy(rule("a", "deny", tool_name_glob="d"), rule("b", "allow", tool_name_glob="a"))
    judgements = compiled.judge(Surface.RESPONSE, [Call("a"), Call("x"), Call("d"), Call("a")])
    assert [item.verdict.value for item in judgements] == ["allow", "audit", "deny", "allow"]
    assert strictest(judgements) is judgements[2]
    assert strictest([]) is None
    order = ["deny", "pending_approval", "sanitize", "audit", "allow"]
    assert sorted(order, key=lambda name: -Verdict(name).strictness) == order


def test_the_resolution_table() -> None:
    on, off = policy(), policy(enabled=False)
    default, default_off = policy(is_default=True), policy(is_default=True, enabled=False)
    full = Workspace({"on": on, "off": off}, default, Settings(observe_mode=True))
    bare = Workspace({"off": off}, default_off, Settings(observe_mode=True))
    assert resolve(full, "on") == Resolution(on)
    assert resolve(full, "off") == Resolution(default)
    assert resolve(full, "") == resolve(full, "0") == Resolution(default)
    assert resolve(full, "gone") == Resolution(default, dangling=True)
    assert resolve(bare, "off") == Resolution(None, observe=True)
    assert resolve(bare, "gone") == Resolution(None, dangling=True, observe=True)
    assert resolve(Workspace(), "") == Resolution(None)


@pytest.mark.parametrize(
    ("raw", "field", "problem"),
    [
        ({"verdict": "pending_approval", "stage": "inbound"}, "rules.0.stage", "cannot be combined"),
        ({"verdict": "cap_cost"}, "rules.0.cap_cost_cents", "required"),
        ({"verdict": "cap_cost", "cap_cost_cents": 1, "stage": "egress", "egress": {"deny": ["private"]}},
         "rules.0.stage", "inbound and mcp"),
        ({"verdict": "cap_cost", "cap_cost_cents": 1, "rate": {"max_calls": 1, "window_seconds": 1}},
         "rules.0.rate", "cannot be combined"),
        ({"verdict": "deny", "cap_cost_cents": 1}, "rules.0.cap_cost_cents", "needs the verdict"),
        ({"verdict": "deny", "sanitize": {"presets": ["email"]}}, "rules.0.sanitize", "needs the verdict"),
        ({"verdict": "sanitize", "sanitize": {"presets": ["No such"]}}, "rules.0.sanitize.presets.0", "must be one of"),
        ({"verdict": "sanitize", "sanitize": {"custom": ["("]}}, "rules.0.sanitize.custom.0.pattern", "linear time"),
        ({"verdict": "sanitize", "sanitize": {"presets": []}}, "rules.0.sanitize.presets", "must name"),
        ({"verdict": "sanitize", "sanitize": {"presets": ["email"], "paths": ["x"]}}, "rules.0.sanitize.paths.0", "$"),
        ({"verdict": "explode"}, "rules.0.verdict", "must be one of"),
        ({"verdict": ["deny"]}, "rules.0.verdict", "must be one of"),
        ({}, "rules.0.verdict", "required"),
        ({"verdict": "deny", "stage": "egress"}, "rules.0.egress", "is required"),
        ({"verdict": "deny", "stage": "inbound", "egress": {"deny": ["private"]}}, "rules.0.egress", "inbound"),
        ({"verdict": "deny", "egress": {}}, "rules.0.egress", "must have"),
        ({"verdict": "deny", "egress": {"deny": ["a b"]}}, "rules.0.egress.deny.0", "must be"),
        ({"verdict": "deny", "egress": {"allow": ["10.0.0.0/99"]}}, "rules.0.egress.allow.0", "range"),
        ({"verdict": "deny", "egress": {"alow": ["x"]}}, "rules.0.egress.alow", "not a field"),
        ({"verdict": "deny", "rate": {"window_seconds": 1}}, "rules.0.rate.max_calls", "required"),
        ({"verdict": "deny", "rate": {"max_calls": 1, "window_seconds": 0}}, "rules.0.rate.window_seconds", "integer"),
        ({"verdict": "deny", "rate": {"max_calls": 1, "window_seconds": 1, "per": "tool"}}, "rules.0.rate.per",
        "one of"),
        ({"verdict": "deny", "sequence": {"window_seconds": 9, "steps": []}}, "rules.0.sequence.steps", "1 to"),
        ({"verdict": "deny", "sequence": {"window_seconds": 9, "steps": [{"min_count": 0}]}},
         "rules.0.sequence.steps.0.min_count", "integer"),
        ({"verdict": "deny", "stage": "x"}, "rules.0.stage", "must be one of"),
        ({"verdict": "deny", "other": 1}, "rules.0.other", "not a field"),
        ({"verdict": "deny", "priority": True}, "rules.0.priority", "integer"),
        ({"verdict": "deny", "enabled": 1}, "rules.0.enabled", "true or false"),
        ({"verdict": "deny", "label": "\ud800"}, "rules.0.label", "printable"),
        ({"verdict": "deny", "id": "stranger"}, "rules.0.id", "not a rule of this policy"),
        ({"verdict": "deny", "args_match": []}, "rules.0.args_match", "must be"),
        ({"verdict": "deny", "args_match": {"clauses": [{"path": "$", "op": "like", "value": 1}]}},
         "rules.0.args_match.clauses.0.op", "must be one of"),
        ({"verdict": "deny", "args_match": {"clauses": [{"path": "x", "op": "eq", "value": 1}]}},
         "rules.0.args_match.clauses.0.path", "must start"),
        ({"verdict": "deny", "args_match": {"clauses": [{"path": "$", "op": "regex", "value": "(?=a)"}]}},
         "rules.0.args_match.clauses.0.value", "linear time"),
        ({"verdict": "deny", "stage": "inbound", "args_match": {"clauses": [{"path": "$", "op": "exists"}]}},
         "rules.0.args_match", "no arguments"),
    ],
)  # fmt: skip
def test_drafts_that_are_refused_name_the_field(raw: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        admit_rules([raw], lambda: "new")
    assert refused.value.field == field
    assert problem in str(refused.value)


def test_rules_keep_their_ids_and_survive_storage() -> None:
    numbers = iter("abcdef")
    raw: list[dict[str, Any]] = [{"verdict": "deny", "tool_name_glob": "x"}, {"verdict": "allow", "tool_name_glob": "y",
           "args_match": {"clauses": [{"path": "$.k", "op": "eq", "value": {"a": [1]}}]}}]  # fmt: skip
    first = admit_rules(raw, lambda: next(numbers))
    assert tuple(rule_from_json(json.loads(json.dumps(rule_json(item)))) for item in first) == first
    swapped = admit_rules([raw[1], {**raw[0], "id": first[0].id}], lambda: next(numbers), first)
    assert [item.id for item in swapped] == ["b", "a"]
    changed = admit_rules([{**raw[0], "verdict": "audit"}], lambda: next(numbers), first)
    assert [item.id for item in changed] == ["a"]
    assert [item.id for item in admit_rules([{"verdict": "deny"}], lambda: next(numbers), first)] == ["c"]


def test_canonical_json_sorts_and_makes_whole_floats_integers() -> None:
    assert canonical_json({"b": [1.0, 1.5], "a": None}) == '{"a":null,"b":[1,1.5]}'
