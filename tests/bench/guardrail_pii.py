"""Precision, recall and speed of the PII entities on generated corpora, beside Presidio's pattern recognizers.

    python -m tests.bench.guardrail_pii [--peers PYTHON] [--misses] [--lines N]

All entities are on at once. A finding is right when it overlaps a labelled span of its entity by half or more.
`--peers` names an interpreter with presidio-analyzer (the `bench` group); its recognizers run without a language
model, so without its context words, as it does by default for texts without any.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from services.guardrail.domain import entities, gate
from services.guardrail.domain.drafts import admit_rules
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Guardrail, Stage
from services.guardrail.domain.stream import StreamScanner
from tests.bench.pii_corpus import Document, negatives, positives
from tests.bench.pii_logs import lines

SEED = 2026
ROUNDS = 20
LOG_LINES = 400
PEER_TIMEOUT_S = 900

Span = tuple[str, int, int]


def compiled(names: Sequence[str]) -> CompiledPolicy:
    """A policy that flags those entities."""
    rules = admit_rules([{"type": "pii", "stage": "both", "action": "flag", "entities": list(names)}], lambda: "r1")
    return CompiledPolicy(Guardrail("g1", "w1", "bench", 1, rules=rules), Stage.OUTPUT)


def ours(documents: Sequence[Document]) -> list[list[Span]]:
    """What all entities find."""
    policy = compiled(entities.NAMES)
    return [[(f.entity, f.start, f.end) for f in policy.find(d.text, "user")] for d in documents]


def peers(python: str, documents: Sequence[Document]) -> tuple[list[list[Span]], float]:
    """What Presidio finds, under our names where it has one, and its seconds."""
    done = subprocess.run(
        [python, str(Path(__file__).with_name("pii_peer.py"))],
        input="".join(json.dumps(d.text) + "\n" for d in documents),
        capture_output=True,
        text=True,
        timeout=PEER_TIMEOUT_S,
        check=True,
    )
    *rows, seconds = done.stdout.splitlines()
    found = [[(entities.canonical(name) or name, start, end) for name, start, end in json.loads(row)] for row in rows]
    return found, float(seconds)


def _overlaps(one: Span, other: Span) -> bool:
    shared = min(one[2], other[2]) - max(one[1], other[1])
    return one[0] == other[0] and 2 * shared >= max(one[2] - one[1], other[2] - other[1])


class Score:
    """Counts per entity."""

    def __init__(self, documents: Sequence[Document], found: Sequence[Sequence[Span]]) -> None:
        self.hit: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.false: Counter[str] = Counter()
        self.false_kinds: Counter[tuple[str, str]] = Counter()
        self.errors: dict[str, list[str]] = defaultdict(list)
        for document, spans in zip(documents, found, strict=True):
            for label in document.spans:
                if any(_overlaps(label, span) for span in spans):
                    self.hit[label[0]] += 1
                else:
                    self.missed[label[0]] += 1
                    self.errors[label[0]].append(
                        f"missed {document.text[label[1] : label[2]]!r} in {document.text[:120]!r}"
                    )
            for span in spans:
                if not any(_overlaps(span, label) for label in document.spans):
                    self.false[span[0]] += 1
                    self.false_kinds[span[0], document.kind] += 1
                    self.errors[span[0]].append(
                        f"false {document.text[span[1] : span[2]]!r} in {document.text[:120]!r}"
                    )

    def of(self, name: str) -> tuple[float, float, float]:
        """(precision, recall, F1)."""
        hit, false, missed = self.hit[name], self.false[name], self.missed[name]
        precision = hit / (hit + false) if hit + false else 1.0
        recall = hit / (hit + missed) if hit + missed else 1.0
        return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def report(mine: Score, theirs: Score | None) -> None:
    """One line per entity."""
    print(f"{'entity':20} {'n':>5} {'P':>6} {'R':>6} {'F1':>6}" + ("   Presidio P, R, F1" if theirs else ""))
    for name in sorted(set(mine.hit) | set(mine.missed) | set(mine.false)):
        row = f"{name:20} {mine.hit[name] + mine.missed[name]:5} " + " ".join(f"{v:6.3f}" for v in mine.of(name))
        print(row + ("   " + " ".join(f"{v:6.3f}" for v in theirs.of(name)) if theirs else ""))


def _best(run: Callable[[], object], repeat: int = 5) -> float:
    best = float("inf")
    for _ in range(repeat):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


def _measure(label: str, policy: CompiledPolicy, prose: str, logs: str) -> None:
    for kind, text in (("prose", prose[:1_000_000]), ("logs", logs)):
        short = text[:200]
        few = partial(lambda short: [policy.find(short, "") for _ in range(200)], short)
        print(f"{label}, 200 bytes of {kind}: {_best(few) / 200 * 1e6:.1f} µs")
        print(f"{label}, 1 MB of {kind}: {_best(partial(policy.find, text, ''), 3) * 1e3:.1f} ms")
        # Long enough that no engine's cache has seen all of it.
        pieces = [text[at : at + 20] for at in range(0, 40_000, 20)]
        stream = partial(_stream, policy, pieces)
        print(f"{label}, a stream piece of 20 bytes of {kind}: {_best(stream) / len(pieces) * 1e6:.1f} µs")


def _stream(policy: CompiledPolicy, pieces: Sequence[str]) -> None:
    scanner = StreamScanner(policy)
    for piece in pieces:
        scanner.push("0.content", piece)


def speed(logs: Sequence[Document]) -> float:
    """Prints processor times; returns megabytes per second over logs with every entity on."""
    gate.warm()
    core = compiled(("email", "phone", "credit_card", "ssn", "ip", "iban"))
    everything = compiled(entities.NAMES)
    prose = "The report shows that revenue grew in the third quarter, and the team expects more growth next year. "
    log = "\n".join(d.text for d in logs)
    megabyte = (log * (1_000_000 // len(log) + 1))[:1_000_000]
    for label, policy in (("6 entities", core), (f"{len(entities.NAMES)} entities", everything)):
        _measure(label, policy, prose * 10_000, megabyte)
    return 1.0 / _best(lambda: everything.find(megabyte, ""), 3)


HOSTILE: tuple[str, ...] = (
    *(
        "4",
        "4 ",
        "4111 1111 1111 1111 ",
        "1.1.1.1 ",
        "a@",
        "a@b.co ",
        "tel 12 34 56 78 ",
        "+1 415-555-2671 ",
        "http://",
    ),
    *("http://a.b/(((((())))))) ", "eyJ.", "eyJhbGciOi-", "AB12 ", "DE12 3456 ", "::1 ", "a:", "ssn 123456789 ", "sk-"),
    *("id no tel dob pan ", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD ", "born 01.02.1990 ", "1\u200b", "[EMAIL]"),
    *("тел 8 912 345 67 89 ", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb "),
)
"""What texts made to be slow are made of."""


def hostile() -> None:
    """Prints processor time over texts of one repeated piece; four times the text should cost four times as much."""
    policy = compiled(entities.NAMES)
    for piece in HOSTILE:
        times = []
        for size in (50_000, 200_000):
            text = (piece * (size // len(piece) + 1))[:size]
            times.append(_best(partial(policy.find, text, ""), 1) * 1e3)
        print(f"{piece!r:52} 50 kB {times[0]:8.1f} ms, 200 kB {times[1]:8.1f} ms")


def main(arguments: Sequence[str]) -> None:
    """Prints everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--lines", type=int, default=LOG_LINES)
    options = parser.parse_args(arguments)
    rng = random.Random(SEED)
    documents = positives(rng, ROUNDS) + negatives(rng, 2 * ROUNDS)
    logs = lines(rng, options.lines)
    mine, mine_logs = Score(documents, ours(documents)), Score(logs, ours(logs))
    theirs = theirs_logs = None
    seconds = 0.0
    if options.peers:
        theirs = Score(documents, peers(options.peers, documents)[0])
        found, seconds = peers(options.peers, logs)
        theirs_logs = Score(logs, found)
    print(f"{len(documents)} documents")
    report(mine, theirs)
    size = sum(len(d.text) for d in logs)
    print(f"\n{len(logs)} log lines of 16 kinds, {size} bytes")
    report(mine_logs, theirs_logs)
    print("false positives on logs:", mine_logs.false.total(), end="")
    print(f"; Presidio {theirs_logs.false.total()}" if theirs_logs else "")
    if options.misses:
        for score in (mine, mine_logs):
            for name, errors in sorted(score.errors.items()):
                print(name, *errors[:6], sep="\n  ")
    hostile()
    rate = speed(logs)
    print(f"{rate:.1f} MB/s over logs, one core" + (f"; Presidio {size / 1e6 / seconds:.3f} MB/s" if seconds else ""))


if __name__ == "__main__":
    main(sys.argv[1:])
