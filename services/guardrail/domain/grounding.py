"""Whether an answer is supported by the request's sources: a deterministic score, sentence by sentence.

Sources are the request's system, developer, tool and function messages and what the user pasted; sentences of the
user that ask a question are no source, and neither is the assistant's own history. Source sentences are read in
windows of `WINDOW`, so that words from far apart do not support one claim together. Questions claim nothing.

A sentence's support is the weight of its terms that the best window holds, over the weight of all its terms
(words 1, names 2, numbers 3), scaled so that `ENOUGH` of the weight is full support. A number that no source
holds limits it to `WRONG_NUMBER`. The rule fires when the mean support, weighted by terms, is below the
threshold. `strict` asks for every sentence on its own, and for every name and number: one that no source holds
leaves its sentence unsupported.

Known misses: paraphrase without common words looks unsupported; a negation of a source looks supported.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.guardrail.domain.model import Segment

WINDOW = 3
ENOUGH = 0.6
WRONG_NUMBER = 0.3
MAX_SOURCE = 2_000_000
MAX_SENTENCES = 20_000
MIN_TERMS = 2
"""Sentences with fewer terms claim nothing, unless they name a number or are all there is."""
COMMON = 512
"""A term in more windows than this is taken as held by every window, which bounds the time of a sentence."""

SOURCE_ROLES = ("system", "developer", "tool", "function", "user")


def words(text: str) -> frozenset[str]:
    """The words of a long list."""
    return frozenset(text.split())


_SENTENCE = re.compile(r"[^.!?\n。！？]*(?:[.!?。！？]+(?=\s|$)|[.!?。！？]+(?=[^\s\d])|[.!?](?=\d)|\n|$)")
_ASKS = ("?", "？")
_TERM = re.compile(r"\d+(?:[.,:/]\d+)*%?|[^\W\d_]+(?:['’][^\W\d_]+)*")
_STOP = words(
    """
    a about above after again all also am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here
    hers him his how i if in into is it its itself just let me more most my no nor not now of off on once only
    or other our out over own please same she should so some such than that the their them then there these
    they this those through to too under until up us very was we were what when where which while who whom why
    will with would yes you your sure okay ok according based answer question context document provided
    however therefore thus happy glad help hope thank thanks welcome sorry assist der die das und ist ein eine
    zu von mit auf für den dem des im nicht es sich auch als an wie le la les un une des et est de du en que
    qui dans pour pas sur au aux el los las una y es por con para se il lo gli e è di che per non
    """
)
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ies", "ied", "es", "ed", "ly", "s", "e")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A claim of the answer with its support, 0 to 1."""

    start: int
    end: int
    terms: int
    support: float


@dataclass(frozen=True, slots=True)
class Score:
    """The support of one answer. `sentences` are those that claim something."""

    value: float
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class _Term:
    text: str
    weight: int


class Sources:
    """The request's sources, indexed once and shared by its choices."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        """Only roles that are sources count. Raises ValueError when they hold too much text."""
        self._windows: dict[str, list[int]] = {}
        self.empty = True
        size = number = 0
        for segment in segments:
            if segment.role not in SOURCE_ROLES:
                continue
            size += len(segment.text)
            if size > MAX_SOURCE:
                raise ValueError("the sources are too large")
            for start, end in sentences_of(segment.text):
                if segment.role == "user" and segment.text[start:end].endswith(_ASKS):
                    continue
                number += self._index(number, segment.text[start:end])
            number += WINDOW

    def _index(self, number: int, text: str) -> int:
        terms = {term.text for term in terms_of(text)}
        if not terms:
            return 0
        self.empty = False
        for term in terms:
            windows = self._windows.setdefault(term, [])
            if len(windows) <= COMMON:
                # A sentence belongs to every window that covers it.
                windows.extend(at for at in range(number - WINDOW + 1, number + 1) if not windows or at > windows[-1])
        return 1

    def support(self, terms: Sequence[_Term], strict: bool) -> float:
        """Of one sentence with those terms."""
        held: dict[int, int] = {}
        everywhere = 0
        missing = [term for term in terms if term.text not in self._windows]
        for term in terms:
            windows = self._windows.get(term.text, [])
            if len(windows) > COMMON:
                everywhere += term.weight
                continue
            for window in windows:
                held[window] = held.get(window, 0) + term.weight
        best = (max(held.values(), default=0) + everywhere) / sum(term.weight for term in terms)
        if strict and any(term.weight > 1 for term in missing):
            return 0.0
        support = min(1.0, best / (1.0 if strict else ENOUGH))
        return min(support, WRONG_NUMBER) if any(term.weight == 3 for term in missing) else support


def score(answer: str, sources: Sources, *, strict: bool = False) -> Score:
    """The support of an answer. One that claims nothing is fully supported. Time is linear in the answer."""
    judged: list[Sentence] = []
    short: list[Sentence] = []
    for start, end in sentences_of(answer):
        if answer[start:end].endswith(_ASKS):
            continue
        terms = list({term.text: term for term in terms_of(answer[start:end])}.values())
        if terms:
            claims = len(terms) >= MIN_TERMS or any(term.weight == 3 for term in terms)
            sentence = Sentence(start, end, len(terms), sources.support(terms, strict))
            (judged if claims else short).append(sentence)
    judged = judged or short
    if not judged:
        return Score(1.0, ())
    if strict:
        return Score(min(sentence.support for sentence in judged), tuple(judged))
    total = sum(sentence.terms for sentence in judged)
    return Score(sum(s.support * s.terms for s in judged) / total, tuple(judged))


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Spans of sentences, without the white space around them. At most `MAX_SENTENCES`; the last takes the rest."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE.finditer(text):
        # A full stop inside a number ends no sentence.
        if match.end() < len(text) and match.group()[-1:] in (".", "!", "?") and text[match.end()].isdigit():
            continue
        _append(spans, text, start, match.end())
        start = match.end()
        if len(spans) == MAX_SENTENCES - 1:
            break
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def terms_of(text: str) -> list[_Term]:
    """What a sentence claims: numbers, names (capitalised inside the sentence) and content words, stemmed."""
    terms: list[_Term] = []
    first = True
    for match in _TERM.finditer(unicodedata.normalize("NFKC", text)):
        word = match.group()
        if word[0].isdigit():
            terms.append(_Term(_number(word), 3))
        else:
            folded = word.casefold()
            stem = _stem(folded)
            if not {folded, stem} & _STOP and (len(folded) > 1 or not folded.isascii()):
                terms.append(_Term(stem, 2 if word[0].isupper() and not first else 1))
        first = False
    return terms


def _number(word: str) -> str:
    """Thousands separators do not count: `1,200` is `1200`."""
    return re.sub(r",(?=\d{3}(?:\D|$))", "", word)


def _stem(word: str) -> str:
    word = re.sub(r"['’]s?$", "", word)
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            stem = word[: -len(suffix)]
            return stem + "y" if suffix in ("ies", "ied") else stem
    return word
