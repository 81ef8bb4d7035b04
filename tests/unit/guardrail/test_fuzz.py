"""All finders at once, on texts put together from pieces of everything they find."""

from __future__ import annotations

import random

import pytest

from services.guardrail.domain import entities
from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Outcome, Segment, Stage
from services.guardrail.domain.stream import StreamScanner
from tests.bench.secret_corpus import positives
from tests.unit.guardrail.builders import fingerprint, policy, rule
from tests.unit.guardrail.test_entities import FOUND, LEFT_ALONE, parse

EVERYTHING = ({"entities": list(entities.NAMES)}, {"type": "secrets"})
MASKING = policy(*(rule(**fields) for fields in EVERYTHING), stage=Stage.OUTPUT)
BLOCKING = policy(*(rule(action="block", **fields) for fields in EVERYTHING), stage=Stage.OUTPUT)
WHOLE = [
    *(parse(text)[0] for texts in FOUND.values() for text in texts),
    *(text for texts in LEFT_ALONE.values() for text in texts),
    *(document.text for document in positives(random.Random(1), 1) if len(document.text) < 300),
]
_SPOKEN = (
    "the in a to of report shows revenue May march Jan pass token key is at for RSS MRA IT BE no id dob ssn card tel"
    " password: secret= ( [ - . , 1 22 333 4111 DE89 sk- www. http :// @ + é 電話 \u200b"
)
WORDS = (*_SPOKEN.split(" "), "\n")


def made_up(source: random.Random) -> str:
    """Up to a dozen pieces: whole examples, halves of them, words that announce or begin one, single characters."""
    parts = []
    for _ in range(source.randint(1, 12)):
        choice = source.random()
        if choice < 0.3:
            text = source.choice(WHOLE)
            cut = source.randint(0, len(text))
            parts.append(source.choice((text, text, text[:cut], text[cut:])))
        elif choice < 0.9:
            parts.append(source.choice(WORDS) + source.choice((" ", " ", "")))
        else:
            parts.append(source.choice("ab1 2-.:/@+([\n"))
    return "".join(parts)


def streamed(rules: CompiledPolicy, text: str, source: random.Random) -> tuple[str, StreamScanner]:
    scanner, out, at = StreamScanner(rules), [], 0
    size = source.choice((1, 3, 20, 60))
    while at < len(text):
        end = at + (size if source.random() < 0.7 else source.randint(1, 40))
        out.append(scanner.push("0", text[at:end]))
        at = end
    return "".join(out) + scanner.finish().get("0", ""), scanner


@pytest.mark.parametrize("seed", range(40))
def test_streams_equal_whole_texts_and_masking_leaves_nothing(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(5):
        text = made_up(source)
        masked = check(MASKING, [Segment(text, role="assistant")], fingerprint).replacements.get(0, text)
        assert streamed(MASKING, text, source)[0] == masked
        again = check(MASKING, [Segment(masked, role="assistant")], fingerprint).replacements.get(0, masked)
        assert again == masked


@pytest.mark.parametrize("seed", range(20))
def test_nothing_of_a_blocked_match_is_released(seed: int) -> None:
    source = random.Random(1000 + seed)
    for _ in range(5):
        text = made_up(source)
        first = min((finding.start for finding in BLOCKING.find(text, "assistant")), default=len(text))
        released, scanner = streamed(BLOCKING, text, source)
        assert text.startswith(released)
        assert len(released) <= first
        assert (scanner.outcome is Outcome.BLOCKED) == (first < len(text))
