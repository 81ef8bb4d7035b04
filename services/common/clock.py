"""Time as an argument: domain code never reads a clock, edges receive one."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations."""

    def now_us(self) -> int:
        """Unix microseconds."""

    def monotonic_s(self) -> float:
        """Seconds that never go backwards; differences only."""


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Unix microseconds."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary point."""
        return time.monotonic()
