"""Detection of generated attacks, each family judged by a scorer that was not trained on it, and its cost.

    python -m tests.bench.guardrail_attacks [--corpus FILE]

Per family: the share found at each sensitivity with weights fitted without it, and with the shipped weights; then
the held-out sets. `--corpus` adds a JSONL file of {"text", "label": "attack"|"benign"} lines, judged with the shipped
weights.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from services.guardrail.domain.attack import linear
from services.guardrail.domain.attack.scorer import THRESHOLDS, score
from tests.bench.attack_corpus import ATTACKS, Prompt, attacks, disguised, ordinary
from tests.bench.attack_training import fit, training_set

HELD_OUT = Path(__file__).with_name("heldout")
"""Labelled texts written by hand for judging; no weights are fitted to them."""
SEED = 77
LEVELS = tuple(THRESHOLDS)


def shares(prompts: Sequence[Prompt], weights: linear.Weights | None = None) -> dict[str, float]:
    """Share of the prompts that reach each sensitivity's threshold."""
    scores = [score(prompt.text, prompt.role, weights).score for prompt in prompts]
    return {level: sum(value >= THRESHOLDS[level] for value in scores) / max(1, len(scores)) for level in LEVELS}


def row(name: str, values: dict[str, float]) -> str:
    """One line of the table."""
    return f"{name:<32}" + "".join(f"{values[level]:>9.3f}" for level in LEVELS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path)
    options, _ = parser.parse_known_args(arguments)
    rng = random.Random(SEED)
    asked, everyday, hidden = attacks(rng, 12), ordinary(rng, 12), disguised(rng, 300)
    print(f"{'':<32}" + "".join(f"{level:>9}" for level in LEVELS))
    by_want: dict[str, list[dict[str, float]]] = {}
    for family, (wants, _) in ATTACKS.items():
        weights = fit([prompt for prompt in training_set() if prompt.family != family])
        values = shares([prompt for prompt in asked if prompt.family == family], weights)
        by_want.setdefault(wants, []).append(values)
        print(row(f"{wants}: {family}", values))
    for wants, rows in by_want.items():
        print(row(f"unseen {wants}", {level: sum(values[level] for values in rows) / len(rows) for level in LEVELS}))
    print(row("shipped: attacks", shares(asked)))
    print(row("shipped: disguised", shares(hidden)))
    print(row("false positives: ordinary", shares(everyday)))
    for kind in sorted({prompt.family for prompt in everyday}):
        print(row(f"  {kind}", shares([prompt for prompt in everyday if prompt.family == kind])))
    for corpus in [*sorted(HELD_OUT.glob("*.jsonl")), *([options.corpus] if options.corpus else [])]:
        judged(corpus)
    cost()


def judged(corpus: Path) -> None:
    """Prints the shares of a labelled corpus, by label."""
    lines = [json.loads(line) for line in corpus.read_text().splitlines() if line.strip()]
    for label in ("attack", "benign"):
        prompts = [
            Prompt(line["text"], "", label, line.get("role", "user")) for line in lines if line["label"] == label
        ]
        print(row(f"{corpus.stem}: {label} ({len(prompts)})", shares(prompts)))


def cost() -> None:
    """Prints the time for ordinary text of growing size, so that a bend would show."""
    base = " ".join(prompt.text for prompt in ordinary(random.Random(1), 2))
    score(base[:100])
    for size in (200, 2_000, 20_000, 200_000):
        text = (base * (size // len(base) + 1))[:size]
        rounds = max(2, 40_000 // size)
        started = time.perf_counter()
        for _ in range(rounds):
            score(text)
        print(f"{size:>8} characters: {(time.perf_counter() - started) / rounds * 1e6:>10,.0f} us")


if __name__ == "__main__":
    main()
