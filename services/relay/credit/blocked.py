"""What refused answers cost a key so far, as this relay knows it.

The ledger's figure comes with grants and balances; it lags behind the spends of this relay, so those are added
for a while: counting one twice refuses a little early, missing one would pass the limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from orca.auth.v1.auth_pb2 import KeyRecord

LAG_S = 10.0
"""A spend is taken to be in the ledger's figure after this long."""


class BlockedAccount:
    """One key account's refused answers. Nano-USD."""

    __slots__ = ("_clock_s", "_recent", "_recent_total", "in_flight", "known", "known_at_s", "last_use_s")

    def __init__(self) -> None:
        self.known: int | None = None
        self.known_at_s = 0.0
        self.last_use_s = 0.0
        self.in_flight = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._recent_total = 0
        self._clock_s = 0.0

    def add(self, amount: int) -> None:
        """An answer was refused here."""
        if amount:
            self._recent.append((self._clock_s, amount))
            self._recent_total += amount

    def learn(self, known: int, now_s: float) -> None:
        """The ledger's figure."""
        self.known = known
        self.known_at_s = now_s
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Forgets spends that the ledger's figure includes by now: those older than the lag when it was read."""
        self._clock_s = max(self._clock_s, now_s)
        while self._recent and self._recent[0][0] + LAG_S < self.known_at_s:
            self._recent_total -= self._recent.popleft()[1]

    def fits(self, limit: int | None, worst_case: int) -> bool:
        """blocked + in flight + this worst case ≤ the limit (None = no limit)."""
        return limit is None or (self.known or 0) + self._recent_total + self.in_flight + worst_case <= limit


def blocked_limit(key: KeyRecord) -> int | None:
    """Ceiling on refused answers' cost: its own, else the credit limit, else none."""
    if key.HasField("blocked_output_limit_nano_usd"):
        return key.blocked_output_limit_nano_usd
    return key.credit_limit_nano_usd if key.HasField("credit_limit_nano_usd") else None


class BlockedBook:
    """Blocked accounts in use, with their workspaces."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[str, BlockedAccount]] = {}

    def account(self, workspace_id: str, account_id: str, now_s: float) -> BlockedAccount:
        """The account, made when first used."""
        found = self._accounts.get(account_id)
        if found is None:
            found = self._accounts[account_id] = (workspace_id, BlockedAccount())
        found[1].tick(now_s)
        found[1].last_use_s = now_s
        return found[1]

    def learn(self, account_id: str, known: int, now_s: float) -> None:
        """The ledger's figure for an account, if it is still in use."""
        if account_id in self._accounts:
            self._accounts[account_id][1].learn(known, now_s)

    def active(self, now_s: float, within_s: float) -> Mapping[str, list[str]]:
        """Accounts whose figure is worth refreshing, by workspace."""
        by_workspace: dict[str, list[str]] = {}
        for account_id, (workspace_id, account) in self._accounts.items():
            if account.known is not None and now_s - account.last_use_s < within_s:
                by_workspace.setdefault(workspace_id, []).append(account_id)
        return by_workspace

    def forget_idle(self, now_s: float, idle_s: float) -> None:
        """Drops accounts that nobody used for a while."""
        idle = [a for a, (_, b) in self._accounts.items() if not b.in_flight and now_s - b.last_use_s >= idle_s]
        for account_id in idle:
            del self._accounts[account_id]
