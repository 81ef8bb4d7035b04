"""What is admitted at save, and what is refused with the field's name."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.networks import parse_networks
from services.guardrail.domain.drafts import Limits, Refused, admit_rules, rule_json
from tests.unit.guardrail.builders import rule


def admit(*rules: Any) -> Any:
    return admit_rules(list(rules), lambda: "new")


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (rule(entities=["emial"]), "rules.0.entities.0"),
        (rule(entities=[]), "rules.0.entities"),
        (rule(entities="email"), "rules.0.entities"),
        (rule(entity_actions={"swift": "mask"}), "rules.0.entity_actions.swift"),
        (rule(entity_actions={"email": "drop"}), "rules.0.entity_actions.email"),
        (rule(stage="inbound"), "rules.0.stage"),
        (rule(action="delete"), "rules.0.action"),
        (rule(action="annotate"), "rules.0.action"),
        (rule(type="secrets", detectors=["nope"]), "rules.0.detectors.0"),
        (rule(type="llm_judge"), "rules.0.judge_model"),
        (rule(type="llm_judge", judge_model="m", judge_rubric=" "), "rules.0.judge_rubric"),
        (
            rule(type="llm_judge", judge_model="m", judge_rubric="r", judge_timeout_ms=60_000),
            "rules.0.judge_timeout_ms",
        ),
        (rule(type="grounding"), "rules.0.stage"),
        (rule(type="grounding", stage="output", threshold=1.5), "rules.0.threshold"),
        (rule(type="external", url="ftp://x/", secret="s" * 16), "rules.0.url"),
        (rule(type="external", url="https://u:p@x/", secret="s" * 16), "rules.0.url"),
        (rule(type="external", url="https:///x", secret="s" * 16), "rules.0.url"),
        (rule(type="external", url="https://x/", secret="short"), "rules.0.secret"),
        (rule(action="spotlight", stage="output"), "rules.0.action"),
        (rule(entity_actions={"email": "annotate"}), "rules.0.entity_actions.email"),
        (rule(type="nonsense"), "rules.0.type"),
        (rule(surprise=1), "rules.0.surprise"),
        (rule(enabled="yes"), "rules.0.enabled"),
        (rule(type="keyword", terms=[]), "rules.0.terms"),
        (rule(type="keyword", terms=[" "]), "rules.0.terms.0"),
        (rule(type="keyword", terms=[1]), "rules.0.terms.0"),
        (rule(type="regex", pattern=r"(a)\1"), "rules.0.pattern"),
        (rule(type="regex", pattern=r"(?=a)b"), "rules.0.pattern"),
        (rule(type="regex", pattern="(a"), "rules.0.pattern"),
        (rule(type="regex", pattern="a*"), "rules.0.pattern"),
        (rule(type="regex", pattern=r"\b"), "rules.0.pattern"),
        (rule(type="regex", pattern="a{5000}"), "rules.0.pattern"),
        (rule(type="regex", pattern="a", max_match=1025), "rules.0.max_match"),
        (rule(type="regex", pattern="a", mask_tag="low"), "rules.0.mask_tag"),
        (rule(type="max_chars", action="block"), "rules.0.limit"),
        (rule(type="max_chars", action="mask", limit=5), "rules.0.action"),
        (rule(type="max_chars", action="block", limit=True), "rules.0.limit"),
        (rule(custom_entities=[{"name": "Bad Name", "pattern": "x"}]), "rules.0.custom_entities.0.name"),
        (
            rule(custom_entities=[{"name": "x", "pattern": "x", "checksum": "md5"}]),
            "rules.0.custom_entities.0.checksum",
        ),
        (rule(id="unknown"), "rules.0.id"),
        (rule(roles=["user", "usr"]), "rules.0.roles.1"),
        ("text", "rules.0"),
    ],
)
def test_a_refusal_names_the_field(draft: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        admit(draft)
    assert refused.value.field == field


INTERNAL = (
    "10.1.2.3", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "169.254.169.254", "0.0.0.0", "[::1]",
    "[::ffff:10.1.2.3]", "[fd00::1]", "[fe80::1%25eth0]", "[64:ff9b::a01:203]", "192.168.7.7", "224.0.0.1",
    "localhost", "LOCALHOST.", "api.localhost", "10.1.2.3.",
)  # fmt: skip


@pytest.mark.parametrize("host", INTERNAL)
def test_a_webhook_at_an_internal_address_is_refused(host: str) -> None:
    draft = rule(type="external", url=f"https://{host}:8443/judge", secret="s" * 16)
    with pytest.raises(Refused) as refused:
        admit_rules([draft], lambda: "new", limits=Limits(dialled=()))
    assert (refused.value.field, "may not be dialled" in str(refused.value)) == ("rules.0.url", True)


def test_a_webhook_may_lie_in_an_allowed_range_or_at_a_public_address() -> None:
    limits = Limits(dialled=parse_networks("10.0.0.0/8,::1/128"))
    urls = [
        "http://10.1.2.3/", "https://10.1.2.3/", "http://[::1]/", "https://8.8.8.8/", "https://[2606:4700::1111]/",
        "http://judge.internal/", "https://localhost.example/", "https://1.example/",
    ]  # fmt: skip
    drafts = [rule(type="external", url=url, secret="s" * 16) for url in urls]
    assert [admitted.url for admitted in admit_rules(drafts, lambda: "new", limits=limits)] == urls
    with pytest.raises(Refused, match="may not be dialled"):
        admit_rules([rule(type="external", url="http://8.8.8.8/", secret="s" * 16)], lambda: "new", limits=limits)
    with pytest.raises(Refused, match="must be https"):
        admit_rules(
            [rule(type="external", url="http://a.example/", secret="s" * 16)], lambda: "n", limits=Limits(dialled=())
        )


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a)\1", "back-references are not available"),
        (r"(?=a)b", "look-around is not available"),
        ("a|", "matches the empty text"),
    ],
)
def test_a_pattern_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        admit(rule(type="regex", pattern=pattern))


def test_at_most_a_hundred_rules() -> None:
    assert len(admit(*[rule()] * 100)) == 100
    with pytest.raises(Refused):
        admit(*[rule()] * 101)


def test_aliases_are_stored_under_our_names() -> None:
    assert admit(rule(entities=["EMAIL_ADDRESS", "us_ssn"]))[0].entities == ("email", "ssn")


@pytest.mark.parametrize(
    "draft",
    [
        rule(custom_entities=[{"name": "badge", "pattern": r"B\d"}], entity_actions={"badge": "flag"}),
        rule(type="keyword", terms=["a"], whole_word=True, roles=["user"], label="x"),
        rule(type="regex", pattern="a+", mask_tag="[T_1]"),
        rule(type="max_chars", action="flag", limit=7, on_not_evaluated="block"),
    ],
)
def test_a_stored_rule_reads_back_equal(draft: dict[str, Any]) -> None:
    stored = admit(draft)[0]
    assert admit_rules([rule_json(stored)], lambda: "other", previous=(stored,)) == (stored,)


def test_rule_ids_are_stable_across_updates() -> None:
    numbers = iter("abcdefgh")
    first = admit_rules([rule(), rule(type="keyword", terms=["x"])], lambda: next(numbers))
    moved = [rule(type="keyword", terms=["x"]), rule(action="block"), rule(type="max_chars", action="flag", limit=1)]
    second = admit_rules(moved, lambda: next(numbers), previous=first)
    assert [item.id for item in first] == ["a", "b"]
    assert [item.id for item in second] == ["b", "c", "d"]
    third = admit_rules([rule(action="flag", id="c"), rule()], lambda: next(numbers), previous=second)
    assert [item.id for item in third] == ["c", "e"]
