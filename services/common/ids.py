"""Identifiers: a readable prefix, 48 bits of milliseconds, 64 random bits, in hex.

Ids sort by creation time, which keeps index pages warm, and cannot be guessed from one another. Random bits are
fetched from the system a block at a time: a system call per id gives up the interpreter's lock, and on a busy
process getting it back costs far more than the id.
"""

from __future__ import annotations

import os
import time
from collections import deque

_BLOCK_BYTES = 8192
_ID_BYTES = 8
_pool: deque[bytes] = deque()


def _tail() -> bytes:
    # `pop` and `extend` are atomic, so threads never get the same bytes.
    try:
        return _pool.pop()
    except IndexError:
        block = os.urandom(_BLOCK_BYTES)
        _pool.extend(block[at : at + _ID_BYTES] for at in range(_ID_BYTES, _BLOCK_BYTES, _ID_BYTES))
        return block[:_ID_BYTES]


def new_id(prefix: str) -> str:
    """A fresh id such as `key_0192f0c1a2b3` + 16 random hex digits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_tail().hex()}"


# A child that inherited the block would mint its parent's ids.
os.register_at_fork(after_in_child=_pool.clear)
