"""What rules find, what folding makes of it, and what the verdict says."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.guardrail.domain.check import check
from services.guardrail.domain.model import Action, Kind, Outcome, Segment, Status
from tests.unit.guardrail.builders import fingerprint, judge, masked, policy, rule
from tests.unit.guardrail.test_stream import FRAGMENTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail bob.smith+x@example.co.uk.", "mail [EMAIL]."),
        ("<bob@example.com>, x_y@a-b.org!", "<[EMAIL]>, [EMAIL]!"),
        ("card 4111 1111 1111 1111, 4111-1111-1111-1111", "card [CREDIT_CARD], [CREDIT_CARD]"),
        ("378282246310005 and 30569309025904", "[CREDIT_CARD] and [CREDIT_CARD]"),
        ("order 12 4111 1111 1111 1111 7", "order 12 [CREDIT_CARD] 7"),
        ("ssn 123-45-6789", "ssn [SSN]"),
        ("my ssn is 123456789", "my ssn is [SSN]"),
        ("(212) 555-0100 or +1 415-555-2671", "[PHONE] or [PHONE]"),
        ("+44 20 7946 0958; +49 30 1234567", "[PHONE]; [PHONE]"),
        ("call me on 2125550100", "call me on [PHONE]"),
        ("phone 020 7946 0958", "phone [PHONE]"),
        ("ip 10.0.0.1, [::1] 2001:db8::8a2e:370:7334.", "ip [IP], [[IP]] [IP]."),
        ("DE89 3704 0044 0532 0130 00 please", "[IBAN] please"),
        ("gb82west12345698765432", "[IBAN]"),
        ("４１１１ 1111 1111 1111", "[CREDIT_CARD]"),
        ("4\u200b111111111111111", "[CREDIT_CARD]"),
        ("é😀 bob@example.com é", "é😀 [EMAIL] é"),
    ],
)
def test_entities_are_masked_by_their_tags(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "000-12-3456 666-12-3456 900-12-3456",
        "order 123456789",
        "1.2.3.4.5 and 999.1.1.1 and 3.14159",
        "2024-01-02 10:11:12",
        "DE89 3704 0044 0532 0130 01",
        "a@b and @example.com and foo@localhost",
        "std::abc::def fe::Add dead::beef",
        "invoice 2125550100 total 020 7946 0958",
        "0.4111111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_lookalikes_are_left_alone(text: str) -> None:
    assert masked(text) == text


def test_keywords_fold_case_and_respect_words() -> None:
    keyword = rule(type="keyword", terms=["STRASSE", "cat"], whole_word=True)
    assert masked("Die Straße, a Cat, concatenate cat_ (cat)", keyword) == (
        "Die [REDACTED], a [REDACTED], concatenate cat_ ([REDACTED])"
    )


def test_no_match_is_left_unmasked_however_many_there_are() -> None:
    text = "ab " * 12_000
    assert masked(text, rule(type="keyword", terms=["ab"], mask_tag="X1")) == "[X1] " * 12_000
    assert masked(text, rule(type="regex", pattern="ab", mask_tag="X1")) == "[X1] " * 12_000


def test_overlapping_keywords_mask_their_union() -> None:
    assert masked("xabcdx", rule(type="keyword", terms=["abc", "bcd"])) == "x[REDACTED]x"


def test_regex_uses_its_tag_and_is_bounded_by_max_match() -> None:
    bounded = rule(type="regex", pattern=r"a+b", max_match=4, mask_tag="AB")
    assert masked("aaaaaab", bounded) == "aaa[AB]"


def test_a_regex_does_not_reach_across_a_mask_tag() -> None:
    assert masked("foo [EMAIL] bar", rule(type="regex", pattern=r"foo.*bar|EMAIL")) == "foo [EMAIL] bar"


def test_overlaps_merge_under_the_earliest_then_longest_then_highest_rule() -> None:
    late = rule(type="regex", pattern="bcdef", mask_tag="LATE")
    early = rule(type="regex", pattern="abc", mask_tag="EARLY")
    long = rule(type="regex", pattern="abcd", mask_tag="LONG")
    same = rule(type="regex", pattern="abcd", mask_tag="SAME")
    assert masked("xabcdefx", late, early) == "x[EARLY]x"
    assert masked("xabcdefx", late, early, long, same) == "x[LONG]x"


def test_a_block_wins_and_names_policy_rule_and_entity() -> None:
    verdict = judge("bob@example.com 123-45-6789", rule(entity_actions={"ssn": "block"}))
    assert verdict.outcome is Outcome.BLOCKED
    assert verdict.replacements == {}
    assert verdict.block is not None
    assert verdict.block.message == 'request blocked by guardrail "tenant-baseline": pii(ssn)'
    assert [(match.entity, match.action, match.count) for match in verdict.matches] == [
        ("email", Action.MASK, 1),
        ("ssn", Action.BLOCK, 1),
    ]


def test_flags_only_record() -> None:
    verdict = judge("bob@example.com", rule(action="flag"))
    assert (verdict.outcome, verdict.replacements, verdict.results[0].status) == (Outcome.PASSED, {}, Status.FIRED)


def test_matched_text_is_kept_only_under_log_raw_content() -> None:
    text = "bob@example.com bob@example.com eve@example.com"
    hidden = judge(text, rule()).matches[0]
    shown = judge(text, rule(), log_raw_content=True).matches[0]
    assert (hidden.matched, hidden.count, len(hidden.fingerprints)) == ((), 3, 2)
    assert shown.matched == ("bob@example.com", "eve@example.com")


def test_fingerprints_are_bounded() -> None:
    text = " ".join(f"user{number}@example.com" for number in range(40))
    match = judge(text, rule()).matches[0]
    assert (match.count, len(match.fingerprints)) == (40, 16)


def test_roles_limit_a_rule() -> None:
    only_user = rule(roles=["user"])
    assert judge("a@example.com", only_user, role="user").outcome is Outcome.MASKED
    assert judge("a@example.com", only_user, role="system").outcome is Outcome.PASSED


def test_max_chars_counts_code_points() -> None:
    limit = rule(type="max_chars", action="block", limit=3)
    assert judge("é😀a", limit).outcome is Outcome.PASSED
    blocked = judge("é😀ab", limit).block
    assert blocked is not None
    assert blocked.message == 'request blocked by guardrail "tenant-baseline": max_chars(3)'


def test_custom_entities_have_tag_and_checksum() -> None:
    custom = rule(
        entities=[],
        custom_entities=[
            {"name": "badge", "pattern": r"B-\d{4}", "checksum": "luhn"},
            {"name": "desk", "pattern": r"D\d"},
        ],
    )
    assert masked("B-1230 B-1231 D7", custom) == "[BADGE] B-1231 [DESK]"


def test_json_stays_json_and_masked_numbers_become_strings() -> None:
    document = (
        '{"card": 4111111111111111, "n": 1.50, "list": ["bob@example.com", null, true], "e": "\\u0062@example.com"}'
    )
    verdict = judge(document, rule(), kind=Kind.JSON)
    assert json.loads(verdict.replacements[0]) == {
        "card": "[CREDIT_CARD]",
        "n": 1.5,
        "list": ["[EMAIL]", None, True],
        "e": "[EMAIL]",
    }
    assert '"n": 1.50' in verdict.replacements[0]


def test_a_match_in_a_json_key_blocks() -> None:
    assert judge('{"bob@example.com": 1}', rule(), kind=Kind.JSON).outcome is Outcome.BLOCKED


def test_malformed_json_is_judged_as_text() -> None:
    assert judge('{"a": "bob@example.com"', rule(), kind=Kind.JSON).replacements == {0: '{"a": "[EMAIL]"'}


def test_json_that_nests_too_deep_is_not_evaluated() -> None:
    deep = "[" * 5000 + "]" * 5000
    passed = judge(deep, rule(), kind=Kind.JSON)
    assert [(result.status, result.reason) for result in passed.results] == [(Status.NOT_EVALUATED, "too_large")]
    assert (passed.outcome, passed.not_evaluated) == (Outcome.PASSED, ("too_large",))
    assert judge(deep, rule(action="block"), kind=Kind.JSON).outcome is Outcome.BLOCKED


def test_an_immutable_name_is_blocked_instead_of_masked() -> None:
    assert judge("bob@example.com", rule(), kind=Kind.IMMUTABLE).outcome is Outcome.BLOCKED
    assert judge("bob@example.com", rule(action="flag"), kind=Kind.IMMUTABLE).outcome is Outcome.PASSED


def test_unsupported_parts_end_as_not_evaluated() -> None:
    passed = judge("image", rule(action="block"), kind=Kind.UNSUPPORTED)
    assert [(result.status, result.reason) for result in passed.results] == [(Status.NOT_EVALUATED, "unsupported_part")]
    assert (passed.outcome, passed.not_evaluated) == (Outcome.PASSED, ("image",))
    refused = judge("image", rule(on_unsupported_part="block"), kind=Kind.UNSUPPORTED)
    assert refused.block is not None
    assert refused.block.message == 'request blocked by guardrail "tenant-baseline": pii(unsupported_part)'


def test_replacements_name_their_segments() -> None:
    verdict = check(policy(rule()), [Segment("clean"), Segment("a@example.com")], fingerprint)
    assert verdict.replacements == {1: "[EMAIL]"}


def test_disabled_rules_and_other_stages_do_not_apply() -> None:
    verdict = judge("a@example.com", rule(enabled=False), rule(stage="output"))
    assert (verdict.outcome, verdict.results) == (Outcome.PASSED, ())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(" ".join))
@example("call bob@example.com bob@example.com bob@example.com 2125550100")
def test_masking_with_built_in_rules_is_idempotent(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_findings_lie_inside_the_text(before: str, text: str) -> None:
    whole = before + text
    for _, finding in judge(whole, rule(action="flag")).findings:
        assert 0 <= finding.start < finding.end <= len(whole)
