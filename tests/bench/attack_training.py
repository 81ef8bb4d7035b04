"""Trains the linear scorer's weights on generated text and writes the package file.

    python -m tests.bench.attack_training

Logistic regression over hashed words and pairs, by full-batch gradient steps with an L2 penalty: deterministic.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.guardrail.domain.attack import linear
from services.guardrail.domain.attack.normal import normalise
from tests.bench.attack_corpus import Prompt, attacks, ordinary

SEED = 11
PER_TEMPLATE = 40
STEPS = 300
RATE = 4.0
PENALTY = 2e-4
TARGET = Path(linear.__file__).with_name("weights.bin")


def training_set(seed: int = SEED) -> list[Prompt]:
    """The corpus that weights are fitted to."""
    rng = random.Random(seed)
    return attacks(rng, PER_TEMPLATE) + ordinary(rng, PER_TEMPLATE)


def fit(prompts: Sequence[Prompt]) -> linear.Weights:
    """(weight by bucket, bias)."""
    rows, columns, values = [], [], []
    for row, prompt in enumerate(prompts):
        found = linear.buckets(normalise(prompt.text).text.encode())
        rows += [row] * len(found)
        columns += found.tolist()
        values += [1 / math.sqrt(max(1, len(found)))] * len(found)
    matrix = csr_matrix((values, (rows, columns)), shape=(len(prompts), linear.SIZE), dtype=np.float32)
    wanted = np.array([bool(prompt.wants) for prompt in prompts], np.float32)
    balance = np.where(wanted > 0, len(wanted) / (2 * wanted.sum()), len(wanted) / (2 * (1 - wanted).sum()))
    weights, bias = np.zeros(linear.SIZE, np.float32), 0.0
    for _ in range(STEPS):
        off = (1 / (1 + np.exp(-(matrix @ weights + bias))) - wanted) * balance
        weights -= RATE * (matrix.T @ off / len(wanted) + PENALTY * weights)
        bias -= RATE * float(off.mean())
    return weights, bias


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
