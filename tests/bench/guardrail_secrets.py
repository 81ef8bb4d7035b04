"""Precision and recall of the secrets catalogue against other scanners, on one generated corpus.

    python -m tests.bench.guardrail_secrets [--peers PYTHON] [--misses]

`--peers` names an interpreter that has the peers installed (requirements: the `bench` group). A finding is right
when it overlaps the document's credential; every finding elsewhere is a false positive, counted once per place.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.guardrail.domain.secrets import TAGS, SecretsFinder
from services.guardrail.domain.text import TextView
from tests.bench.secret_corpus import Document, positives
from tests.bench.secret_names import written
from tests.bench.secret_negatives import negatives

PER_KIND = 6
ROUNDS = 3
SEED = 2026
PEER_TIMEOUT_S = 600

Found = Mapping[int, Sequence[str]]
"""Document → texts that a scanner reports in it."""


def corpus(seed: int = SEED) -> list[Document]:
    """Credentials and hard negatives."""
    rng = random.Random(seed)
    return positives(rng, PER_KIND) + written(rng) + negatives(rng, ROUNDS)


def orca(documents: Sequence[Document]) -> Found:
    """This catalogue."""
    finder = SecretsFinder()
    out = {}
    for index, document in enumerate(documents):
        scan = finder.find(TextView(document.text, TAGS), 0, True)
        out[index] = [document.text[start:end] for start, end in scan.spans]
    return out


def peers(documents: Sequence[Document], python: str) -> dict[str, Found]:
    """The peers, each run once over the corpus laid out as files."""
    with tempfile.TemporaryDirectory() as folder:
        for index, document in enumerate(documents):
            Path(folder, f"{index}.{document.suffix}").write_text(document.text + "\n")
        script = Path(__file__).with_name("secret_peers.py")
        done = subprocess.run(
            [python, str(script), folder], capture_output=True, text=True, timeout=PEER_TIMEOUT_S, check=True
        )
    raw = json.loads(done.stdout.splitlines()[-1])
    return {name: {int(index): texts for index, texts in found.items()} for name, found in raw.items()}


def score(documents: Sequence[Document], found: Found) -> tuple[int, int, int, Counter[str], Counter[str]]:
    """(right, wrong, missed, misses by kind, false positives by kind)."""
    right = wrong = missed = 0
    misses: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for index, document in enumerate(documents):
        texts = {text.strip("\"'` ") for text in found.get(index, ())}
        hits = [text for text in texts if document.secret and (text in document.secret or document.secret in text)]
        elsewhere = len(texts) - len(hits)
        wrong += elsewhere
        if elsewhere:
            false[document.kind] += elsewhere
        if hits:
            right += 1
        elif document.secret:
            missed += 1
            misses[document.kind] += 1
    return right, wrong, missed, misses, false


def throughput() -> None:
    """Prints the cost of clean texts and of a megabyte."""
    finder = SecretsFinder()
    short = ("The quick brown fox jumps over the lazy dog, and version 1.2.3 of the task list is due on Monday. " * 3)[
        :200
    ]
    finder.find(TextView(short, TAGS), 0, True)
    for label, text, rounds in (("200 B", short, 2000), ("1 MB", short * 5000, 5), ("20 B", short[:20], 2000)):
        started = time.perf_counter()
        for _ in range(rounds):
            finder.find(TextView(text, TAGS), 0, True)
        print(f"clean text of {label}: {(time.perf_counter() - started) / rounds * 1e6:,.1f} us")


HOSTILE = (
    *("AKIA", "-----BEGIN PRIVATE KEY-----\n", "Comment: -----BEGIN PRIVATE KEY-----\n", "password=", "token ", "eyJ"),
    *("password = 'Xq3$hT9!pw' ", "secret_key api_key token password ", "postgres://a:b@", "https://a:bcdef1!@h.co "),
    *("Basic QWxhZGRpbjpvcGVuU2VzYW1l ", "curl -u a:b1c2d3 ", "pass ", "?key=", "auth = (", "authorization: "),
)
"""What texts made to be slow are made of."""


def hostile() -> None:
    """Prints processor time; four times the text should cost four times as much."""
    finder = SecretsFinder()
    for piece in HOSTILE:
        times = []
        for size in (50_000, 200_000):
            text = (piece * (size // len(piece) + 1))[:size]
            started = time.process_time()
            finder.find(TextView(text, TAGS), 0, True)
            times.append((time.process_time() - started) * 1e3)
        print(f"{piece!r:52} 50 kB {times[0]:8.1f} ms, 200 kB {times[1]:8.1f} ms")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one row per scanner, then where this one errs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="interpreter with detect-secrets, credsweeper and kingfisher")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args(arguments)
    documents = corpus(options.seed)
    results: dict[str, Found] = {"orca": orca(documents)}
    if options.peers:
        results |= peers(documents, options.peers)
    print(
        f"{sum(bool(d.secret) for d in documents)} credentials, {sum(not d.secret for d in documents)} hard negatives"
    )
    print(f"{'scanner':<18}{'precision':>10}{'recall':>8}{'F1':>8}{'false':>7}{'missed':>8}")
    for name, found in results.items():
        right, wrong, missed, misses, false = score(documents, found)
        precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"{name:<18}{precision:>10.3f}{recall:>8.3f}{f1:>8.3f}{wrong:>7}{missed:>8}")
        if name == "orca":
            own = (misses, false)
    print("missed:", dict(own[0]) or "none")
    print("false positives:", dict(own[1]) or "none")
    if options.misses:
        _print_errors(documents, results["orca"])
    hostile()
    throughput()


def _print_errors(documents: Sequence[Document], found: Found) -> None:
    seen: dict[str, int] = defaultdict(int)
    for index, document in enumerate(documents):
        texts = found.get(index, ())
        wrong = [
            text
            for text in texts
            if (text not in document.secret and document.secret not in text) or not document.secret
        ]
        if wrong or (document.secret and not texts):
            seen[document.kind] += 1
            if seen[document.kind] <= 2:
                print(document.kind, repr(document.text[:200]), texts)


if __name__ == "__main__":
    main(sys.argv[1:])
