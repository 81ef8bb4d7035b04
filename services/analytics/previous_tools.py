"""Which tool did a run call before this one? Filled into `firewall_events` so that transitions can be rolled up.

A run's evaluations are one partition's, in order, so the answer for a block follows from what was stored before its
first offset alone: a block that is sent again gets the same values. The cache only saves the question.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from services.analytics.domain.blocks import Block
from services.analytics.domain.rows import COLUMNS
from services.analytics.ports import ColumnStore

CALLS = "firewall_events"
RUNS_MAX = 50_000
# A run that rested longer starts anew; bounds the part of the table that is read.
LOOKBACK_US = 3_600_000_000

Run = tuple[str, str, str]

_NAMES = tuple(COLUMNS[CALLS].index(name) for name in ("workspace_id", "key_id", "run_id"))
_TOOL = COLUMNS[CALLS].index("tool_name")
_OCCURRED = COLUMNS[CALLS].index("occurred_at")
_SQL = """
SELECT workspace_id, key_id, run_id, argMax(tool_name, _offset),
    toUnixTimestamp64Micro(argMax(occurred_at, _offset)) FROM firewall_events
WHERE has({workspaces:Array(String)}, workspace_id) AND has({runs:Array(String)}, run_id) AND tool_name != ''
  AND occurred_at >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
  AND _partition = {partition:Int32} AND _offset < {first:Int64}
GROUP BY workspace_id, key_id, run_id
"""
Last = tuple[str, int]
"""A run's last tool, and when it was called."""


class PreviousTools:
    """The last tool of recent runs."""

    def __init__(self, store: ColumnStore) -> None:
        self._store = store
        self._last: OrderedDict[Run, Last] = OrderedDict()

    async def before(self, block: Block) -> tuple[list[str], Mapping[Run, Last]]:
        """The tool before each of the block's rows, and what to `learn` once the block is stored."""
        runs: list[Run] = list(zip(*(block.values[index] for index in _NAMES), strict=True))
        occurred_us, tools = block.values[_OCCURRED], block.values[_TOOL]
        since_us = max(0, min(occurred_us) - LOOKBACK_US)
        last = {run: self._last[run] for run in set(runs) if run in self._last}
        unknown = [run for run in dict.fromkeys(runs) if run[2] and run not in last]
        if unknown:
            parameters = {
                "workspaces": sorted({run[0] for run in unknown}), "runs": sorted({run[2] for run in unknown}),
                "since_us": since_us, "partition": block.bounds.partition, "first": block.bounds.first,
            }  # fmt: skip
            for workspace_id, key_id, run_id, tool, at_us in await self._store.query(_SQL, parameters):
                last[(workspace_id, key_id, run_id)] = (tool, at_us)
        found: list[str] = []
        for run, now_us, called in zip(runs, occurred_us, tools, strict=True):
            if not run[2]:
                found.append("")
                continue
            tool, at_us = last.get(run, ("", 0))
            found.append(tool if now_us - at_us <= LOOKBACK_US else "")
            if called:
                last[run] = (called, now_us)
        return found, last

    def learn(self, last: Mapping[Run, Last]) -> None:
        """Remembers what a stored block ended with."""
        for run, seen in last.items():
            self._last[run] = seen
            self._last.move_to_end(run)
        while len(self._last) > RUNS_MAX:
            self._last.popitem(last=False)

    def forget(self) -> None:
        """A partition went to another member, which writes on behind this cache's back."""
        self._last.clear()
