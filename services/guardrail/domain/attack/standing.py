"""What a feature weighs where it stands: quoted, discussed, asked about, forbidden, or to be prevented."""

from __future__ import annotations

import re
from bisect import bisect_right

from services.guardrail.domain.attack.feature import EXTRACTION, HIJACK, Feature

_QUOTED = re.compile(
    rb"```.*?(?:```|\Z)|`[^`\n]{1,400}`|\"[^\"\n]{1,600}\"|(?<![\w'])'[^'\n]{1,400}'(?!\w)|"
    rb"(?:^|\n)[ \t]*>[^\n]*|<code>.*?</code>",
    re.S,
)
_DISCUSSED = re.compile(
    rb"\b(?:prevent|detect|mitigat|defend|protect|guard against|filter out|block|classif|explain what|what is an?|"
    rb"what are|example of|examples of|difference between|research|paper|talk|article|blog|owasp|red[- ]team|"
    rb"write a (?:test|regex|policy|rule))"
    rb"\w*[^.\n]{0,60}\b(?:prompt[- ]injection|injection attack|jail ?break|prompt leak|system prompt|adversarial)"
    rb"|\b(?:chat[- ]template|prompt format|tokeni[sz]er|special tokens?)\b"
)
_ASKED = re.compile(
    rb"\b(?:how (?:can|do|did|would|should|could|to)|why (?:do|does|did|is|are|would|should)|what (?:does|do|did)|"
    rb"when (?:do|does))\b[^.!?\n,;:]{0,70}\Z"
)
"""A question about doing it, right before what is asked about."""
_DENIED = re.compile(
    rb"\b(?:never|not|n't|cannot|without|avoid|prevents?|refuses? to|from|against)\b[^.!?\n,;:]{0,12}\Z"
)
"""What is forbidden, as when a prompt is written for another model."""
_PROTECTIVE = re.compile(
    rb"\b(?:prevent|stop\b|report\b|detect|protect|recogni[sz]e|avoid|remov|defend|defen[cs]e|secure\b|mitigat|staff|"
    rb"train(?:ing)? |aware|signs|victim|treat(?:y|ment)|dispose|history|banned|bans|defus|police|law|investigat|"
    rb"documentary|convicted|arrest|news)"
)
"""Words of those who want a crime not to happen."""
_CRIME = frozenset(("crime_howto", "crime_then_howto", "harm_request", "fiction_with_harm"))
_AROUND = 120
"""Bytes before and after a feature that say how it is meant."""
_WHOLE = 0.8
"""A quotation that is that much of the text quotes nothing."""
_QUOTE_FACTOR = 0.5
_DISCUSSION_FACTOR = 0.6
_PROTECTIVE_FACTOR = 0.5
_DENIED_FACTOR = 0.3


class Standing:
    """What surrounds the features of one normalised text."""

    def __init__(self, data: bytes) -> None:
        """Reads the text once."""
        spans = [found.span() for found in _QUOTED.finditer(data)]
        self._data = data
        self._quoted = [span for span in spans if span[1] - span[0] < _WHOLE * len(data)]
        self._starts = [start for start, _ in self._quoted]
        self._discussed = _DISCUSSION_FACTOR if _DISCUSSED.search(data) else 1.0

    def factor(self, feature: Feature, start: int, end: int) -> float:
        """From 0 to 1: what is left of the weight of a feature found at [start, end)."""
        return self._discussed * self._quotation(start) * self._meant(feature, start, end)

    def _quotation(self, start: int) -> float:
        """Halved where it begins inside a quotation."""
        at = bisect_right(self._starts, start) - 1
        inside = at >= 0 and start < self._quoted[at][1]
        return _QUOTE_FACTOR if inside else 1.0

    def _meant(self, feature: Feature, start: int, end: int) -> float:
        if feature.name in _CRIME:
            near = self._data[max(0, start - _AROUND) : end + _AROUND]
            return _PROTECTIVE_FACTOR if _PROTECTIVE.search(near) else 1.0
        before = self._data[max(0, start - _AROUND) : start]
        if (feature.family == HIJACK or feature.name.startswith("secret_")) and _ASKED.search(before):
            return _DISCUSSION_FACTOR
        if feature.family == EXTRACTION and _DENIED.search(before):
            return _DENIED_FACTOR
        return 1.0
