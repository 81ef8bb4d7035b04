"""A linear scorer over hashed words and pairs of words, trained on text that this project generates.

The weights are a package file of 8-bit integers (`weights.bin`, written by `tests/bench/attack_training.py`),
read once, on first use. Without letters that form words the answer is the middle.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

BITS = 15
SIZE = 1 << BITS
MAX_BYTES = 16_384
"""Beyond it the first half and the last half of that are read."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BASE = 0x100000001B3
_MIDDLE = 0.5


@cache
def _powers() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Powers of the base and of its inverse modulo 2^64."""
    size = MAX_BYTES + 1
    inverse = pow(_BASE, -1, 1 << 64)
    up, down = np.ones(size, np.uint64), np.ones(size, np.uint64)
    with np.errstate(over="ignore"):
        up[1:] = np.cumprod(np.full(size - 1, _BASE, np.uint64))
        down[1:] = np.cumprod(np.full(size - 1, inverse, np.uint64))
    return up, down


def buckets(data: bytes) -> npt.NDArray[np.int64]:
    """Buckets of the words and of the pairs of neighbours in normalised UTF-8 text, in order, with repeats."""
    if len(data) > MAX_BYTES:
        data = data[: MAX_BYTES // 2 - 1] + b" " + data[-MAX_BYTES // 2 :]
    codes = np.frombuffer(data, np.uint8)
    word = ((codes >= 97) & (codes <= 122)) | (codes >= 128) | (codes == 39)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], word, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return np.empty(0, np.int64)
    up, down = _powers()
    with np.errstate(over="ignore"):
        sums = np.concatenate(([np.uint64(0)], np.cumsum(codes.astype(np.uint64) * up[: len(codes)])))
        single = (sums[ends] - sums[starts]) * down[starts]
        pair = single[:-1] * np.uint64(31) + single[1:] * np.uint64(1_000_003)
        mixed = np.concatenate((single, pair)) * _MULTIPLIER
    return (mixed >> np.uint64(64 - BITS)).astype(np.int64)


Weights = tuple[npt.NDArray[np.float32], float]
"""(weight by bucket, bias)"""


@cache
def shipped() -> Weights:
    """The package's weights. Raises FileNotFoundError where the package is incomplete."""
    raw = resources.files(__package__).joinpath("weights.bin").read_bytes()
    scale, bias = np.frombuffer(raw[:8], "<f4")
    return np.frombuffer(raw[8:], np.int8).astype(np.float32) * scale, float(bias)


def probability(data: bytes, weights: Weights | None = None) -> float:
    """How likely an attack is by its words alone, from 0 to 1; by the shipped weights unless others are given."""
    found = buckets(data)
    if not len(found):
        return _MIDDLE
    by_bucket, bias = weights or shipped()
    total = float(by_bucket[found].sum()) / math.sqrt(len(found)) + bias
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
