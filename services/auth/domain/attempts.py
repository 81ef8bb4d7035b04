"""Failed logins: how many an e-mail or an address may have before it has to wait. Bounded, in memory, per replica.

A try counts as failed from its begin until it is known to have succeeded, so that tries at the same time are not more
than the limit either. Sessions and access tokens of the user go on; only passwords are not tried meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict

FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 500
"""Many users may come from one address, so it has more; who tries one password on many names has no more than these."""
WINDOW_S = 300
NAMES_MAX = 10_000


class Attempts:
    """Counts failures by name in fixed windows that start with the first one."""

    def __init__(self, failures_max: int = FAILURES_MAX) -> None:
        self._max = failures_max
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_s(self, name: str, now_s: int) -> int:
        """Seconds until the next try; 0 = now."""
        count, since_s = self._failures.get(name, (0, now_s))
        return max(0, since_s + WINDOW_S - now_s) if count >= self._max else 0

    def begun(self, name: str, now_s: int) -> None:
        """One more try, a failure until `succeeded`; the oldest name is forgotten when there are too many."""
        count, since_s = self._failures.get(name, (0, now_s))
        if now_s - since_s >= WINDOW_S:
            count, since_s = 0, now_s
        self._failures[name] = (count + 1, since_s)
        if len(self._failures) > NAMES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, *, forgives: bool = True) -> None:
        """The password was right: its try was no failure, and with `forgives` those before it are forgotten."""
        count, since_s = self._failures.get(name, (0, 0))
        if forgives or count <= 1:
            self._failures.pop(name, None)
        else:
            self._failures[name] = (count - 1, since_s)
