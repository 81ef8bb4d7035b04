"""Trains the linear scorer's weights and writes the package file.

    python -m tests.bench.attack_training

Logistic regression over hashed words, pairs and concepts with an L2 penalty, by L-BFGS: deterministic. Fitted to
texts written for it (`written/`), and, with less weight, to generated ones; never to `heldout/`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from services.guardrail.domain.attack import linear
from services.guardrail.domain.attack.normal import normalise
from tests.bench.attack_corpus import Prompt, attacks, ordinary

SEED = 11
PER_TEMPLATE = 6
GENERATED_WEIGHT = 0.2
PENALTY = 3e-5
STEPS = 200
TARGET = Path(linear.__file__).with_name("weights.bin")
WRITTEN = Path(__file__).with_name("written")


def read(corpus: Path) -> list[Prompt]:
    """The texts of a labelled file; an attack wants something, its `wants` is never empty."""
    lines = (json.loads(line) for line in corpus.read_text().splitlines() if line.strip())
    return [
        Prompt(
            line["text"],
            f"{corpus.stem}: {line['family']}",
            line.get("want", "attack") if line["label"] == "attack" else "",
            line.get("role", "user"),
        )
        for line in lines
    ]


def written() -> list[Prompt]:
    """The texts written for training."""
    return [prompt for corpus in sorted(WRITTEN.glob("*.jsonl")) for prompt in read(corpus)]


def training_set(seed: int = SEED) -> list[Prompt]:
    """The corpus that weights are fitted to."""
    rng = random.Random(seed)
    return written() + attacks(rng, PER_TEMPLATE) + ordinary(rng, PER_TEMPLATE)


def _weighted(prompts: Sequence[Prompt], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What each text counts: generated ones less, attacks as much as all the rest, together 1."""
    counts = np.array([1.0 if ": " in prompt.family else GENERATED_WEIGHT for prompt in prompts])
    for label in (0, 1):
        counts[wanted == label] /= 2 * counts[wanted == label].sum()
    return counts


@cache
def _terms(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    return linear.terms(normalise(text).text.encode())


def fit(prompts: Sequence[Prompt]) -> linear.Weights:
    """(weight by bucket, bias)."""
    rows, columns, values = [], [], []
    for row, prompt in enumerate(prompts):
        found, value = _terms(prompt.text)
        rows += [row] * len(found)
        columns += found.tolist()
        values += value.tolist()
    full = csr_matrix((values, (rows, columns)), shape=(len(prompts), linear.SIZE))
    used = np.unique(full.indices)
    matrix = full[:, used]
    wanted = np.array([bool(prompt.wants) for prompt in prompts], np.float64)
    counts, sign = _weighted(prompts, wanted), 2 * wanted - 1

    def loss(point: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, bias = point[:-1], point[-1]
        margin = sign * (matrix @ weights + bias)
        pull = -sign * counts / (1 + np.exp(np.minimum(margin, 50)))
        value = (counts * np.logaddexp(0, -margin)).sum() + PENALTY / 2 * (weights @ weights)
        return float(value), np.append(matrix.T @ pull + PENALTY * weights, pull.sum())

    best = minimize(loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    weights = np.zeros(linear.SIZE, np.float32)
    weights[used] = best[:-1]
    return weights, float(best[-1])


def packed(weights: npt.NDArray[np.float32], bias: float) -> bytes:
    """Scale and bias as little-endian floats, then one signed byte per bucket."""
    scale = float(np.abs(weights).max()) / 127 or 1.0
    head = np.array([scale, bias], "<f4").tobytes()
    return head + np.clip(np.rint(weights / scale), -127, 127).astype(np.int8).tobytes()


def main() -> None:
    """Writes the weights."""
    TARGET.write_bytes(packed(*fit(training_set())))
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
