"""The books against each other: raw rows, roll-ups, and what the ledger says.

Differences are exported as a metric and told to `orca doctor`. The ledger's reading is taken after the events' own,
so events on their way show as a small passing difference; one that stays is a fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import Gauge

from orca.ledger.v1 import ledger_pb2
from services.analytics.ports import RowSource
from services.common.errors import OrcaError
from services.common.tasks import end_task

log = logging.getLogger("orca.analytics")

EVERY_S = 300.0
ACCOUNTS_MAX = 50
DEADLINE_S = 5.0
DIFFERENCE = Gauge("orca_analytics_audit_difference", "Raw rows minus what stands elsewhere; 0 = equal.", ["book"])

# Compared in one statement, so that both sides are of about one moment.
_PAIRS: Mapping[str, tuple[str, str]] = {
    "requests": (
        "SELECT toInt64(count()) FROM requests WHERE toStartOfHour(occurred_at) >= {since}",
        "SELECT toInt64(sum(value)) FROM activity_hourly WHERE metric = 'requests' AND bucket >= {since}",
    ),
    "cost": (
        "SELECT toInt64(sum(settled_nano_usd)) FROM spend WHERE kind = 'spend' "
        "AND toStartOfHour(occurred_at) >= {since}",
        "SELECT toInt64(sum(value)) FROM activity_hourly WHERE metric = 'cost' AND bucket >= {since}",
    ),
    "calls": (
        "SELECT toInt64(countIf(tool_name != '')) FROM firewall_events WHERE toStartOfHour(occurred_at) >= {since}",
        "SELECT toInt64(sum(value)) FROM activity_hourly WHERE metric = 'calls' AND bucket >= {since}",
    ),
    "minutely_requests": (
        "SELECT toInt64(count()) FROM requests WHERE toStartOfHour(occurred_at) >= {since}",
        "SELECT toInt64(sum(value)) FROM activity_minutely WHERE metric = 'requests' "
        "AND toStartOfHour(bucket) >= {since}",
    ),
}
# Within every retention and both roll-ups' lives; erasures reach back further than a day only rarely.
_SINCE = "toStartOfHour(now('UTC') - INTERVAL 1 DAY)"
_ACCOUNTS = """
SELECT workspace_id, account_id, toInt64(sum(settled_nano_usd + unconfirmed_nano_usd)) FROM spend
WHERE kind = 'spend' AND account_id != '' GROUP BY workspace_id, account_id
ORDER BY max(occurred_at) DESC LIMIT {most:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """Differences by book; `ledger` is absent when the ledger could not be asked."""

    differences: Mapping[str, int]

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        return not any(self.differences.values())


class Auditor:
    """Compares every EVERY_S seconds, and on demand."""

    def __init__(self, store: RowSource, ledger: Any | None) -> None:
        self._store = store
        self._ledger = ledger
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the loop."""
        self._task = asyncio.create_task(self._run(), name="analytics-audit")

    async def stop(self) -> None:
        """Stops the loop."""
        await end_task(self._task)

    async def audit(self) -> Audit:
        """Compares now. Raises StoreUnavailable."""
        pairs = ", ".join(f"({raw}) - ({rolled})" for raw, rolled in _PAIRS.values()).replace("{since}", _SINCE)
        row = (await self._store.query(f"SELECT {pairs}", {}))[0]
        differences = dict(zip(_PAIRS, map(int, row), strict=True))
        ledger = await self._against_ledger()
        if ledger is not None:
            differences["ledger"] = ledger
        for book, difference in differences.items():
            DIFFERENCE.labels(book).set(difference)
        return Audit(differences)

    async def _against_ledger(self) -> int | None:
        """Absolute differences of the most recent accounts, summed. Settled and unconfirmed are taken together: what
        the ledger takes off a spend beyond its lease, it takes off the unconfirmed part first."""
        if self._ledger is None:
            return None
        rows = await self._store.query(_ACCOUNTS, {"most": ACCOUNTS_MAX})
        by_workspace: dict[str, dict[str, int]] = {}
        for workspace_id, account_id, spent in rows:
            by_workspace.setdefault(workspace_id, {})[account_id] = int(spent)
        difference = 0
        try:
            for workspace_id, accounts in by_workspace.items():
                answer = await self._ledger.Balance(
                    ledger_pb2.BalanceRequest(workspace_id=workspace_id, account_ids=list(accounts)),
                    timeout=DEADLINE_S,
                )
                for account in answer.accounts:
                    moved = await self._moved(workspace_id, account.account_id)
                    booked = account.settled_nano_usd + account.unconfirmed_nano_usd
                    difference += abs(accounts[account.account_id] + moved - booked)
        except OrcaError as error:
            log.warning("the ledger was not audited", extra={"error_class": type(error).__name__})
            return None
        return difference

    async def _moved(self, workspace_id: str, account_id: str) -> int:
        """What the ledger itself moved: redeemed answers up, spend beyond its lease down, reversed spend down. A
        reversed forfeit, which names its lease, was neither settled nor unconfirmed."""
        rows = await self._store.query(
            "SELECT toInt64(sumIf(amount_nano_usd, kind = 'redeem') - sumIf(amount_nano_usd, kind = 'overrun') "
            "- sumIf(amount_nano_usd, kind = 'reversal' AND lease_id = '')) "
            "FROM spend WHERE workspace_id = {workspace_id:String} AND account_id = {account_id:String}",
            {"workspace_id": workspace_id, "account_id": account_id},
        )
        return int(rows[0][0])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                found = await self.audit()
            except OrcaError as error:
                log.warning("the books were not compared", extra={"error_class": type(error).__name__})
                continue
            if not found.equal:
                log.error("the books differ", extra={"books": sorted(k for k, v in found.differences.items() if v)})
