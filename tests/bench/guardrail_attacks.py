"""Detection of generated attacks, each family judged by a scorer that was not trained on it, and its cost.

    python -m tests.bench.guardrail_attacks [--corpus FILE]

Per generated family: the share found at each sensitivity with weights fitted without it; then the texts written for
training, a tenth of their families at a time, with weights fitted without these; then the held-out set and the
shipped weights. `--corpus` adds a JSONL file of {"text", "label": "attack"|"benign"} lines, judged with the shipped
weights.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

from services.guardrail.domain.attack import linear
from services.guardrail.domain.attack.scorer import THRESHOLDS, score
from tests.bench.attack_corpus import ATTACKS, Prompt, attacks, disguised, ordinary
from tests.bench.attack_training import fit, read, training_set, written

HELD_OUT = Path(__file__).with_name("heldout")
"""Labelled texts written for judging; no weights are fitted to them."""
SEED = 77
FOLDS = 10
LEVELS = tuple(THRESHOLDS)


def shares(prompts: Sequence[Prompt], weights: linear.Weights | None = None) -> dict[str, float]:
    """Share of the prompts that reach each sensitivity's threshold."""
    scores = [score(prompt.text, prompt.role, weights).score for prompt in prompts]
    return {level: sum(value >= THRESHOLDS[level] for value in scores) / max(1, len(scores)) for level in LEVELS}


def row(name: str, values: dict[str, float]) -> str:
    """One line of the table."""
    return f"{name:<40}" + "".join(f"{values[level]:>9.3f}" for level in LEVELS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path)
    options, _ = parser.parse_known_args(arguments)
    rng = random.Random(SEED)
    asked, everyday, hidden = attacks(rng, 12), ordinary(rng, 12), disguised(rng, 300)
    print(f"{'':<40}" + "".join(f"{level:>9}" for level in LEVELS))
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
    families_left_out()
    for corpus in [*sorted(HELD_OUT.glob("*.jsonl")), *([options.corpus] if options.corpus else [])]:
        by_wish(corpus.stem, read(corpus))
    cost()


def families_left_out() -> None:
    """Prints what is found of the written families by weights that were fitted without them."""
    whole, families = training_set(), sorted({prompt.family for prompt in written()})
    random.Random(SEED).shuffle(families)
    rows: dict[str, list[dict[str, float]]] = {}
    for fold in range(FOLDS):
        hidden = set(families[fold::FOLDS])
        weights = fit([prompt for prompt in whole if prompt.family not in hidden])
        for prompt in whole:
            if prompt.family in hidden:
                rows.setdefault(prompt.wants or "ordinary", []).append(shares([prompt], weights))
    for name, found in sorted(rows.items()):
        means = {level: sum(values[level] for values in found) / len(found) for level in LEVELS}
        print(row(f"written, unseen: {name} ({len(found)})", means))


def by_wish(name: str, prompts: Sequence[Prompt]) -> None:
    """Prints the shares of a labelled corpus with the shipped weights: by wish, all attacks, and the ordinary ones."""
    for wants in sorted({prompt.wants for prompt in prompts}):
        chosen = [prompt for prompt in prompts if prompt.wants == wants]
        print(row(f"{name}: {wants or 'ordinary'} ({len(chosen)})", shares(chosen)))
    hits = [prompt for prompt in prompts if prompt.wants]
    if hits:
        print(row(f"{name}: all attacks ({len(hits)})", shares(hits)))


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
