"""A sliding minute in one-second buckets: at most 61 numbers a window, whatever the limit."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60


class SlidingMinute:
    """Sum of what was added in the last 60 seconds, never less than the truth (a bucket leaves whole)."""

    __slots__ = ("_buckets", "total")

    def __init__(self) -> None:
        self.total = 0
        self._buckets: deque[list[int]] = deque()

    def add(self, now_s: float, amount: int) -> None:
        """Adds an amount at a time that never goes backwards."""
        second = int(now_s)
        if self._buckets and self._buckets[-1][0] == second:
            self._buckets[-1][1] += amount
        else:
            self._buckets.append([second, amount])
        self.total += amount

    def advance(self, now_s: float) -> None:
        """Forgets what is older than a minute."""
        while self._buckets and self._buckets[0][0] + WINDOW_S + 1 <= now_s:
            self.total -= self._buckets.popleft()[1]

    def wait_s(self, now_s: float, limit: int) -> float:
        """Seconds until the total is below the limit; 0 when it is."""
        total = self.total
        if total < limit:
            return 0.0
        for second, amount in self._buckets:
            total -= amount
            if total < limit:
                return max(0.0, second + WINDOW_S + 1 - now_s)
        return float(WINDOW_S)
