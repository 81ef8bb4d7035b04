"""The level: how the last hours compare to what the weekly profile says, so that growth and drift move along.

Two exponential windows of (what was seen) / (what the profile says), the fast one pulled towards the slow one and
that one towards 1. What is seen is clipped to a few deviations around the expectation before it counts, so that a
spike hardly moves the level and a lasting change is followed within hours.
"""

from __future__ import annotations

from dataclasses import dataclass

FAST_HALF_LIFE_S = 3 * 3_600.0
SLOW_HALF_LIFE_S = 48 * 3_600.0
# Days and longer buckets see few observations: half-lives in buckets.
FAST_HALF_LIFE_BUCKETS = 2.0
PRIOR_BUCKETS = 2.0
LEVEL_MIN = 0.05
LEVEL_MAX = 20.0


@dataclass(slots=True)
class Level:
    """State of one series; sums of clipped observations and of the profile, decayed."""

    decay_fast: float
    decay_slow: float
    seen_fast: float = 0.0
    said_fast: float = 0.0
    seen_slow: float = 0.0
    said_slow: float = 0.0

    @classmethod
    def for_width(cls, width_s: float) -> Level:
        """The state of a series with buckets of this width."""
        fast = max(FAST_HALF_LIFE_S / width_s, FAST_HALF_LIFE_BUCKETS)
        slow = max(SLOW_HALF_LIFE_S / width_s, 4 * FAST_HALF_LIFE_BUCKETS)
        return cls(0.5 ** (1 / fast), 0.5 ** (1 / slow))

    def factor(self, mean: float) -> float:
        """What to multiply the profile with; `mean` is the profile's own mean per bucket."""
        prior = PRIOR_BUCKETS * mean
        if prior <= 0:
            return 1.0
        slow = (self.seen_slow + prior) / (self.said_slow + prior)
        fast = (self.seen_fast + prior * slow) / (self.said_fast + prior)
        return min(max(fast, LEVEL_MIN), LEVEL_MAX)

    def update(self, seen: float, said: float, trust: float = 1.0) -> None:
        """Takes one clipped observation and the profile's value for it; `trust` is the weight of both."""
        seen, said = trust * seen, trust * said
        self.seen_fast = self.decay_fast * self.seen_fast + seen
        self.said_fast = self.decay_fast * self.said_fast + said
        self.seen_slow = self.decay_slow * self.seen_slow + seen
        self.said_slow = self.decay_slow * self.said_slow + said
