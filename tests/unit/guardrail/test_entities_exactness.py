"""The automaton loses nothing, and streams find what whole texts hold: over all entities, random texts and cuts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.guardrail.domain import automaton, entities
from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Outcome, Segment, Stage
from services.guardrail.domain.stream import StreamScanner
from tests.unit.guardrail.builders import fingerprint, guardrail, policy, rule
from tests.unit.guardrail.test_entities import FOUND, LEFT_ALONE, parse

ALL = list(entities.NAMES)
NUMBERS = sorted({number for texts in FOUND.values() for text in texts for number in parse(text)[1]})
SENTENCES = sorted(
    {parse(text)[0] for texts in FOUND.values() for text in texts} | {t for texts in LEFT_ALONE.values() for t in texts}
)
WORDS = sorted(
    {word for entity in entities.CATALOGUE.values() for word in entity.context.split("|")[:3] if word}
    | {"December", "mar", "AB", "order", "version", "[EMAIL]", "[SSN]", "https://", "eyJ", "www.", "@", "+", "http"}
)
JOINTS = [
    "\\n",
    "\\u003c",
    "\\",
    " ",
    "  ",
    ".",
    ", ",
    "-",
    "/",
    ":",
    "=",
    "_",
    "",
    "",
    "(",
    ")",
    "\n",
    "\u200b",
    "é",
    "日",
    "¹",
    "\x00",
    "٣",
    "5",
]

pieces = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.sampled_from(JOINTS),
    st.sampled_from(SENTENCES),
    st.text(max_size=3),
    st.text(alphabet="0123456789 -./()AB", max_size=20),
    st.builds(lambda s, n: s[: n % (len(s) + 1)], st.sampled_from(NUMBERS), st.integers(0, 99)),
)
texts = st.lists(pieces, max_size=14).map("".join)
spaced = st.lists(pieces, max_size=14).map(" ".join)
cut_lists = st.lists(st.integers(min_value=0, max_value=5000), max_size=30)
subsets = st.lists(st.sampled_from(ALL), min_size=1, max_size=8, unique=True)

EVERYTHING = guardrail(rule(entities=ALL, stage="both"))
NATIVE = CompiledPolicy(EVERYTHING, Stage.OUTPUT)
MASKING = policy(rule(entities=ALL, action="mask"), stage=Stage.OUTPUT)
PLAIN = CompiledPolicy(EVERYTHING, Stage.OUTPUT, native=False)


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def stream(compiled: CompiledPolicy, chunks: list[str]) -> str:
    scanner = StreamScanner(compiled)
    released = "".join(scanner.push("0.content", chunk) for chunk in chunks)
    return released + scanner.finish().get("0.content", "")


def whole(compiled: CompiledPolicy, text: str) -> str:
    return check(compiled, [Segment(text, role="assistant")], fingerprint).replacements.get(0, text)


def found(compiled: CompiledPolicy, text: str) -> list[tuple[str, int, int]]:
    return sorted((f.entity, f.start, f.end) for f in compiled.find(text, "assistant"))


@settings(max_examples=100, deadline=None)
@given(st.one_of(texts, spaced))
def test_the_automaton_and_the_confirming_engine_agree(text: str) -> None:
    assert found(NATIVE, text) == found(PLAIN, text)


BESIDE_A_MASK = (
    "+4940958+0.0.9.1", "12345678Z.0.0.0.1", "2.0.2.1:555-23-4567", "tel 5963557/b@e.co", "A123456(3).1@b.or",
    "010-145678:A123456(3)", "::1.00:1b:44:11:3a:b7", "001b.4411.3ab7+0.0.0.2", "Handy 1345678-http://0:",
    "+98172880,4532015112830366", "TVA FR40303265045 2 95109912611193", "4111111111111111-http://m/",
    "http://e/order 12345678Z", "http://e.d<C@l.om", "dni 12345678z.1234567T", "TIN 912701234:F1234567N",
)  # fmt: skip


@pytest.mark.parametrize("text", BESIDE_A_MASK)
def test_masking_leaves_nothing_to_mask_beside_a_mask(text: str) -> None:
    once = whole(MASKING, text)
    assert (whole(MASKING, once), "[" in once) == (once, True)


@settings(max_examples=200, deadline=None)
@given(st.one_of(texts, spaced))
def test_masking_is_idempotent(text: str) -> None:
    once = whole(MASKING, text)
    assert whole(MASKING, once) == once


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("3.5.7.0,4532015112830366,ok", "[IP],[CREDIT_CARD],ok"),
        ("+98172880,4532015112830366", "[PHONE],[CREDIT_CARD]"),
        ("TVA FR40303265045 2 rue", "TVA [EU_VAT] 2 rue"),
        ("ratio 0,4532015112830366", "ratio 0,4532015112830366"),
        ("http://x.com,bob@x.com", "http://x.com,[EMAIL]"),
        ('<a href="http://x.com:80">bob@x.com</a>', '<a href="http://x.com:80">[EMAIL]</a>'),
        ("https://user:pa,ss1@x.com/", "https://user:pa,ss1@x.com/"),
        (
            r'{"a": "x\nbob@x.com\n536-22-8145\nphone: 4155552671\t4111111111111111"}',
            r'{"a": "x\n[EMAIL]\n[SSN]\nphone: [PHONE]\t[CREDIT_CARD]"}',
        ),
        (r"\u003cbob@x.com\u003e and %22ann@x.com%22", r"\u003c[EMAIL]\u003e and %22[EMAIL]%22"),
    ],
)
def test_fields_and_escapes_are_read_apart(text: str, masked: str) -> None:
    without_urls = policy(rule(entities=[name for name in ALL if name != "url"]), stage=Stage.OUTPUT)
    assert whole(without_urls, text) == masked
    assert stream(without_urls, list(text)) == masked


@settings(max_examples=200, deadline=None)
@given(st.one_of(texts, spaced), subsets)
def test_what_the_automaton_holds_back_covers_what_the_confirming_engine_does(text: str, names: list[str]) -> None:
    data = NATIVE.view(text).shadow
    for native in (NATIVE, policy(rule(entities=names), stage=Stage.OUTPUT)):
        plain = CompiledPolicy(native.guardrail, Stage.OUTPUT, native=False)
        longest = max(finder.longest for finder in native.gate.finders.values())
        assert len(data) - longest - 2 <= native.gate.hold(data) <= plain.gate.hold(data)


@pytest.mark.parametrize("text", SENTENCES)
def test_they_agree_on_every_example(text: str) -> None:
    assert found(NATIVE, text) == found(PLAIN, text)


@settings(max_examples=100, deadline=None)
@given(st.one_of(texts, spaced), cut_lists)
def test_a_stream_of_every_entity_equals_the_whole_text(text: str, cuts: list[int]) -> None:
    assert stream(NATIVE, cut(text, cuts)) == whole(NATIVE, text)


@settings(max_examples=30, deadline=None)
@given(st.one_of(texts, spaced), cut_lists, subsets)
def test_a_stream_of_some_entities_equals_the_whole_text(text: str, cuts: list[int], names: list[str]) -> None:
    some = policy(rule(entities=names), stage=Stage.OUTPUT)
    assert stream(some, cut(text, cuts)) == whole(some, text)


@settings(max_examples=30, deadline=None)
@given(spaced, cut_lists)
@example("  BIC NEDSZAJJ, SWIFT: DEUTDEFF500 and more", [15, 16])
def test_without_the_automaton_a_stream_equals_the_whole_text(text: str, cuts: list[int]) -> None:
    assert stream(PLAIN, cut(text, cuts)) == whole(NATIVE, text)


@pytest.mark.parametrize("text", SENTENCES)
def test_character_by_character_equals_the_whole_text(text: str) -> None:
    assert stream(NATIVE, list(text)) == whole(NATIVE, text)


@settings(max_examples=60, deadline=None)
@given(st.one_of(texts, spaced))
def test_masking_everything_twice_changes_nothing(text: str) -> None:
    once = whole(NATIVE, text)
    assert whole(NATIVE, once) == once


@settings(max_examples=50, deadline=None)
@given(texts, cut_lists)
def test_nothing_of_a_blocked_match_is_released(text: str, cuts: list[int]) -> None:
    blocking = policy(rule(entities=ALL, action="block"), stage=Stage.OUTPUT)
    verdict = check(blocking, [Segment(text, role="assistant")], fingerprint)
    released = stream(blocking, cut(text, cuts))
    first = min((f.start for _, f in verdict.findings), default=len(text))
    assert text.startswith(released)
    assert len(released) <= first if verdict.outcome is Outcome.BLOCKED else released == text


@settings(max_examples=40, deadline=None)
@given(st.one_of(texts, spaced), st.integers(min_value=0, max_value=4))
def test_a_text_too_dense_in_candidates_is_read_whole_with_the_same_findings(text: str, most: int) -> None:
    usual = found(NATIVE, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automaton, "MAX_CANDIDATES", most)
        assert found(NATIVE, text) == usual
