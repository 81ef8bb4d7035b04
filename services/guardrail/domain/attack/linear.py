"""A linear scorer over hashed words, pairs of words and the concepts they stand for, trained by this project.

The weights are a package file of 8-bit integers (`weights.bin`, written by `tests/bench/attack_training.py`),
read once, on first use. Without letters that form words the answer is neither way.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from services.guardrail.domain.attack.concepts import words

BITS = 16
SIZE = 1 << BITS
MAX_BYTES = 16_384
"""Beyond it the first half and the last half of that are read."""
REACH = 3
"""How many concepts after one it is paired with."""
NEAR = 8
"""Words between the two of a pair at most."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BASE = 0x100000001B3


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


def _hashes(data: bytes) -> npt.NDArray[np.uint64]:
    """A number for each word of normalised UTF-8 text, in order."""
    codes = np.frombuffer(data, np.uint8)
    word = np.zeros(len(codes) + 2, np.int8)
    word[1:-1] = ((codes >= 97) & (codes <= 122)) | (codes >= 128) | (codes == 39)
    edges = np.flatnonzero(np.diff(word))
    starts, ends = edges[::2], edges[1::2]
    up, down = _powers()
    with np.errstate(over="ignore"):
        sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(codes * up[: len(codes)], out=sums[1:])
        return (sums[ends] - sums[starts]) * down[starts]


@cache
def _concepts() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """(hash, concept) of the vocabulary's words, by hash."""
    vocabulary = words()
    hashes = np.array([_hashes(word.encode())[0] for word in vocabulary])
    order = np.argsort(hashes)
    return hashes[order], np.array(list(vocabulary.values()), np.int64)[order]


def _concepts_in(single: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(position, concept) of the words that have one."""
    known, concept = _concepts()
    at = np.minimum(np.searchsorted(known, single), len(known) - 1)
    positions = np.flatnonzero(known[at] == single)
    return positions, concept[at[positions]]


def _pairs(single: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(first, second) of the concepts that stand near each other; a concept alone has 0 for the second."""
    positions, concept = _concepts_in(single)
    firsts, seconds = [concept], [np.zeros(len(concept), np.int64)]
    for step in range(1, REACH + 1):
        near = positions[step:] - positions[:-step] <= NEAR
        firsts.append(concept[:-step][near])
        seconds.append(concept[step:][near])
    return np.concatenate(firsts), np.concatenate(seconds)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    with np.errstate(over="ignore"):
        return (values * _MULTIPLIER >> np.uint64(64 - BITS)).astype(np.int64)


def _of_pair(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return _mixed((first * 256 + second + (1 << 20)).astype(np.uint64))


def _shortened(data: bytes) -> bytes:
    return data if len(data) <= MAX_BYTES else data[: MAX_BYTES // 2 - 1] + b" " + data[-MAX_BYTES // 2 :]


def terms(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """(bucket, value) of the words, the pairs of neighbours, and the concepts of normalised UTF-8 text."""
    single = _hashes(_shortened(data))
    if not len(single):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    with np.errstate(over="ignore"):
        pair = single[:-1] * np.uint64(31) + single[1:] * np.uint64(1_000_003)
    worded = _mixed(np.concatenate((single, pair)))
    meant = _of_pair(*_pairs(single))
    values = np.empty(len(worded) + len(meant), np.float32)
    values[: len(worded)] = 1 / math.sqrt(len(worded))
    values[len(worded) :] = 1 / math.sqrt(max(1, len(meant)))
    return np.concatenate((worded, meant)), values


Weights = tuple[npt.NDArray[np.float32], float]
"""(weight by bucket, bias)"""


@cache
def shipped() -> Weights:
    """The package's weights. Raises FileNotFoundError where the package is incomplete."""
    raw = resources.files(__package__).joinpath("weights.bin").read_bytes()
    scale, bias = np.frombuffer(raw[:8], "<f4")
    return np.frombuffer(raw[8:], np.int8).astype(np.float32) * scale, float(bias)


def evidence(data: bytes, weights: Weights | None = None) -> float:
    """The log of the odds of an attack by its words alone; by the shipped weights unless others are given."""
    found, values = terms(data)
    if not len(found):
        return 0.0
    by_bucket, bias = weights or shipped()
    return float(by_bucket[found] @ values) + bias
