"""Presidio's pattern recognizers over a list of texts, for comparison; run by an interpreter that has them.

Reads one JSON string per line from standard input, writes one JSON list of [entity, start, end] per line, then the
seconds spent.
"""

from __future__ import annotations

import json
import sys
import time

from presidio_analyzer import predefined_recognizers
from presidio_analyzer.pattern_recognizer import PatternRecognizer
from presidio_analyzer.predefined_recognizers import PhoneRecognizer


def recognizers() -> list:
    """Every predefined recognizer that works without a language model."""
    found = []
    for name in sorted(set(predefined_recognizers.__all__)):
        kind = getattr(predefined_recognizers, name)
        if isinstance(kind, type) and issubclass(kind, PatternRecognizer) and kind is not PatternRecognizer:
            try:
                found.append(kind())
            except (TypeError, ValueError, ImportError):
                continue
    return [*found, PhoneRecognizer()]


def main() -> None:
    """See the module."""
    texts = [json.loads(line) for line in sys.stdin]
    kinds = recognizers()
    started = time.perf_counter()
    for text in texts:
        results = []
        for kind in kinds:
            for item in kind.analyze(text, kind.supported_entities, None) or ():
                results.append([item.entity_type, item.start, item.end])
        print(json.dumps(results))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
