"""A stream's released text equals the whole text's masks, however it is cut."""

from __future__ import annotations

import itertools

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.guardrail.domain.check import check
from services.guardrail.domain.model import Outcome, Segment, Stage
from services.guardrail.domain.stream import StreamScanner
from tests.unit.guardrail.builders import CORE, fingerprint, policy, rule

FRAGMENTS = (
    "bob@example.com",
    "4111 1111 1111 1111",
    "4111111111111111",
    "378282246310005",
    "123-45-6789",
    "ssn",
    "123456789",
    "+1 415-555-2671",
    "(212) 555-0100",
    "call",
    "2125550100",
    "10.0.0.1",
    "2001:db8::8a2e:370:7334",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "４１１１ 1111 1111 1111",
    "4\u200b111\u200b\u200b1111\u200b\u200b\u200b1111 1111",
    "[EMAIL]",
    "[CREDIT_",
    "CARD]",
    "[PHONE]",
    "secret",
    "Straße",
    "sECret",
    "foo-bar-baz",
    "bcd",
    "é",
    "😀",
    " ",
    ".",
    ",",
    "-",
    "@",
    "[",
    "]",
    ":",
    "\n",
    "1",
    "5",
    "a",
    "\u200b",
    "\x00",
    "nhs 943 476 5919",
    "AKIAABCDEFGHIJKLMNOP",
)

RULES = (
    rule(entities=[*CORE, "uk_nhs", "aws_access_key", "mac_address", "es_nif"]),
    rule(type="keyword", terms=["secret", "STRASSE", "bcd", "abc", "aa"]),
    rule(type="keyword", terms=["foo-bar", "call"], whole_word=True, mask_tag="WORD"),
    rule(type="regex", pattern=r"foo.*?baz|\bx[a-z]+$|^start|\d+-\d+", max_match=24, mask_tag="RX"),
    rule(type="regex", pattern=r"(?i)é+|[😀-😂]\s?\S", max_match=9),
    rule(action="flag", entities=["email"]),
)

texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=25).map("".join)
longer = st.lists(st.sampled_from(FRAGMENTS), min_size=60, max_size=160).map("".join)


def pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


cut_lists = st.lists(st.integers(min_value=0, max_value=5000), max_size=40)
MASKING = policy(*RULES, stage=Stage.OUTPUT)
BLOCKING = policy(*RULES[1:], rule(action="block", entities=["ssn", "credit_card"]), stage=Stage.OUTPUT)


def run(scanner: StreamScanner, chunks: list[str]) -> str:
    released = "".join(scanner.push("0.content", chunk) for chunk in chunks)
    return released + scanner.finish().get("0.content", "")


def assert_equal(text: str, chunks: list[str]) -> None:
    whole = check(MASKING, [Segment(text, role="assistant")], fingerprint)
    scanner = StreamScanner(MASKING)
    assert run(scanner, chunks) == whole.replacements.get(0, text)
    assert scanner.outcome == whole.outcome
    assert scanner.results() == whole.results
    counts = [(match.rule.id, match.entity, match.count) for match in scanner.matches(fingerprint)]
    assert sorted(counts) == sorted((match.rule.id, match.entity, match.count) for match in whole.matches)


@settings(max_examples=400, deadline=None)
@given(texts, cut_lists)
@example("call 2125550100", [3, 8, 12])
@example("AKIAABCDEFGHIJKLMNOP;4111 1111 1111 1111", [21])
def test_released_text_equals_the_whole_texts_masks(text: str, cuts: list[int]) -> None:
    assert_equal(text, pieces(text, cuts))


@settings(max_examples=60, deadline=None)
@given(longer, cut_lists)
def test_long_streams_equal_the_whole_text(text: str, cuts: list[int]) -> None:
    assert_equal(text, pieces(text, cuts))


@settings(max_examples=60, deadline=None)
@given(texts)
def test_character_by_character_equals_the_whole_text(text: str) -> None:
    assert_equal(text, list(text))


@settings(max_examples=300, deadline=None)
@given(texts, cut_lists)
def test_nothing_of_a_blocked_match_is_released(text: str, cuts: list[int]) -> None:
    whole = check(BLOCKING, [Segment(text, role="assistant")], fingerprint)
    scanner = StreamScanner(BLOCKING)
    released = run(scanner, pieces(text, cuts))
    assert (scanner.outcome is Outcome.BLOCKED) == (whole.outcome is Outcome.BLOCKED)
    if whole.outcome is Outcome.BLOCKED:
        first = min(f.start for _, f in whole.findings if f.action.value == "block")
        clean = check(policy(*RULES[1:], stage=Stage.OUTPUT), [Segment(text, role="assistant")], fingerprint)
        assert clean.replacements.get(0, text).startswith(released)
        assert len(released) <= first + 40 * text.count(" ") + 400
        masks = StreamScanner(policy(*RULES[1:], rule(entities=["ssn", "credit_card"]), stage=Stage.OUTPUT))
        assert run(masks, [text]).startswith(released) or released == ""


def test_clean_text_flows() -> None:
    scanner = StreamScanner(policy(rule(), stage=Stage.OUTPUT))
    assert [scanner.push("0.content", chunk) for chunk in ("Hello ", "there, ", "my friend. ")] == [
        "Hello ",
        "there, ",
        "my friend. ",
    ]


def test_max_chars_blocks_when_it_is_passed() -> None:
    scanner = StreamScanner(policy(rule(type="max_chars", action="block", limit=5), stage=Stage.OUTPUT))
    assert [scanner.push("0.content", chunk) for chunk in ("abc", "de", "f", "g")] == ["abc", "de", "", ""]
    assert scanner.block is not None
    assert scanner.block.message == 'request blocked by guardrail "tenant-baseline": max_chars(5)'


def test_fields_are_judged_apart() -> None:
    scanner = StreamScanner(policy(rule(), stage=Stage.OUTPUT))
    scanner.push("0.content", "bob@exam")
    scanner.push("1.content", "ple.com")
    assert scanner.finish() == {"0.content": "bob@exam", "1.content": "ple.com"}


def test_a_field_that_ends_is_released_in_full() -> None:
    scanner = StreamScanner(policy(rule(), stage=Stage.OUTPUT))
    assert scanner.push("0.content", "bob@example.com", last=True) == "[EMAIL]"
    assert scanner.finish() == {}
