"""Identifiers: a readable prefix, 48 bits of milliseconds, 64 random bits, in hex.

Ids sort by creation time, which keeps index pages warm, and cannot be guessed from one another.
"""

from __future__ import annotations

import os
import time


def new_id(prefix: str) -> str:
    """A fresh id such as `key_0192f0c1a2b3` + 16 random hex digits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(8).hex()}"
