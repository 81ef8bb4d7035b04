"""LocalRateLimiter: rpm, tpm and concurrency per credit account, so that a successor shares its predecessor's.

No I/O and no waiting: a key at its limits is refused at once and never delays another. In any 60 seconds no
more than `rpm` requests are admitted; tokens are charged when known, so one request may pass the token limit
and the next ones pay for it.
"""

from __future__ import annotations

from collections import OrderedDict

from services.common.clock import Clock
from services.common.errors import TooMany
from services.relay.limits.window import SlidingMinute
from services.relay.ports import KeyEntry

ACCOUNTS_MAX = 100_000
_EVICTIONS_PER_ADMISSION = 4
_CONCURRENCY_RETRY_S = 1.0


class _Usage:
    __slots__ = ("in_flight", "requests", "tokens")

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = SlidingMinute()
        self.tokens = SlidingMinute()


class LocalAdmission:
    """One admitted request."""

    __slots__ = ("_clock", "_released", "_usage")

    def __init__(self, usage: _Usage, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock
        self._released = False

    def charge_tokens(self, tokens: int) -> None:
        """Counts tokens against the account's tokens per minute; negative counts are ignored."""
        if tokens > 0:
            now_s = self._clock.monotonic_s()
            self._usage.tokens.advance(now_s)
            self._usage.tokens.add(now_s, tokens)

    def release(self) -> None:
        """Frees the concurrency slot; idempotent."""
        if not self._released:
            self._released = True
            self._usage.in_flight -= 1


class LocalRateLimiter:
    """Limits of this replica, all in memory; accounts at rest are forgotten beyond `accounts_max`."""

    def __init__(self, clock: Clock, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._clock = clock
        self._accounts_max = accounts_max
        self._accounts: OrderedDict[str, _Usage] = OrderedDict()

    def admit(self, entry: KeyEntry) -> LocalAdmission:
        """Takes a slot. Raises 429 `rate_limit_exceeded` with `retry_after_s`; a refused request counts nowhere."""
        now_s = self._clock.monotonic_s()
        key, workspace = entry.key, entry.workspace
        usage = self._usage(key.account_id or key.key_id)
        concurrency = key.max_concurrency or workspace.max_concurrency
        if concurrency and usage.in_flight >= concurrency:
            raise _refused("the key's requests in flight are at their limit", _CONCURRENCY_RETRY_S)
        usage.requests.advance(now_s)
        usage.tokens.advance(now_s)
        rpm = key.rpm_limit or workspace.rpm_limit
        if rpm and (wait_s := usage.requests.wait_s(now_s, rpm)):
            raise _refused("the key's requests per minute are used up", wait_s)
        tpm = key.tpm_limit or workspace.tpm_limit
        if tpm and (wait_s := usage.tokens.wait_s(now_s, tpm)):
            raise _refused("the key's tokens per minute are used up", wait_s)
        usage.requests.add(now_s, 1)
        usage.in_flight += 1
        return LocalAdmission(usage, self._clock)

    def _usage(self, account_id: str) -> _Usage:
        usage = self._accounts.get(account_id)
        if usage is None:
            usage = self._accounts[account_id] = _Usage()
            self._evict()
        else:
            self._accounts.move_to_end(account_id)
        return usage

    def _evict(self) -> None:
        # Accounts with work in flight or a count that still matters are kept, at the other end of the queue.
        now_s = self._clock.monotonic_s()
        for _ in range(_EVICTIONS_PER_ADMISSION):
            if len(self._accounts) <= self._accounts_max:
                return
            account_id, usage = next(iter(self._accounts.items()))
            usage.requests.advance(now_s)
            usage.tokens.advance(now_s)
            if usage.in_flight or usage.requests.total or usage.tokens.total:
                self._accounts.move_to_end(account_id)
            else:
                del self._accounts[account_id]


def _refused(message: str, wait_s: float) -> TooMany:
    return TooMany(message, code="rate_limit_exceeded", type="rate_limit_error", retry_after_s=max(1.0, wait_s))
