"""The support of an answer by its sources: what counts, what does not, and that its time is linear."""

from __future__ import annotations

import time

import pytest

from services.guardrail.domain.grounding import MAX_SOURCE, Sources, score, sentences_of
from services.guardrail.domain.model import Segment

SOURCE = (
    "Laptops may be returned within 30 days. The fee is 1,250.50 euros. Maria Keller runs the Berlin office.\n"
    "Version 2.4 ships in May; it needs 16 GB. Batteries are excluded. Phones are repaired in Porto by Tomas Reis."
)


def sources(*texts: str, role: str = "tool") -> Sources:
    return Sources([Segment(text, role=role) for text in texts])


@pytest.mark.parametrize(
    ("answer", "support"),
    [
        ("You may return your laptop within 30 days.", 1.0),
        ("You may return your laptop within 31 days.", 0.3),
        ("The fee is 1250.50 euros.", 1.0),
        ("Version 2.4 needs 16 GB.", 1.0),
        ("Version 2.5 needs 16 GB.", 0.3),
        ("Unicorns bake bread.", 0.0),
        ("Thanks, I hope this helps!", 1.0),
        ("Unicorns?", 1.0),
        ("Sydney", 0.0),
        ("", 1.0),
    ],
)
def test_an_answer_is_as_supported_as_its_sentences(answer: str, support: float) -> None:
    assert score(answer, sources(SOURCE)).value == support


def test_words_from_far_apart_do_not_support_one_claim() -> None:
    filler = " ".join(f"Paragraph about topic{number}." for number in range(9))
    far = f"Keller runs Berlin. {filler} Reis repairs phones."
    assert score("Keller repairs phones.", sources("Keller repairs phones.")).value == 1.0
    assert score("Keller repairs phones.", sources(far), strict=True).value < 0.7


def test_strict_judges_by_the_weakest_sentence_and_by_names() -> None:
    answer = "Laptops may be returned within 30 days. It is run by Hanna Vogel."
    lenient, strict = score(answer, sources(SOURCE)), score(answer, sources(SOURCE), strict=True)
    assert (lenient.value > 0.5, strict.value) == (True, 0.0)
    assert [answer[s.start : s.end] for s in strict.sentences if s.support == 0] == ["It is run by Hanna Vogel."]


def test_only_some_roles_are_sources() -> None:
    said = {role: sources(SOURCE, role=role).empty for role in ("system", "user", "tool", "assistant", "")}
    assert said == {"system": False, "user": False, "tool": False, "assistant": True, "": True}
    assert sources("Is the fee 99 euros?", role="user").empty
    with pytest.raises(ValueError, match="too large"):
        sources("x" * (MAX_SOURCE + 1))


def test_sentences_keep_their_numbers_and_their_places() -> None:
    text = "  It costs 1.5 euros. See v2.4! Really?\n\n- a list item\n全角です。次。"
    assert [text[start:end] for start, end in sentences_of(text)] == [
        "It costs 1.5 euros.", "See v2.4!", "Really?", "- a list item", "全角です。", "次。",
    ]  # fmt: skip


def test_time_grows_with_the_text_alone() -> None:
    taken = []
    for size in (2_000, 4_000, 8_000):
        sentence = "the quick brown fox jumps over lazy dogs near 7 rivers. "
        begun = time.perf_counter()
        assert score(sentence * size, sources(sentence * size)).value == 1.0
        taken.append(time.perf_counter() - begun)
    print("grounding, seconds for 2k, 4k and 8k sentences:", [round(s, 3) for s in taken])
