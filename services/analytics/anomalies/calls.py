"""Anomalies of tool calls: loops, new hosts of a key, new transitions of a workspace."""

from __future__ import annotations

from services.analytics.domain.anomaly.episodes import Firing
from services.analytics.ports import ColumnStore

LOOP_CALLS = 10
LOOP_WINDOW_S = 60
# Two windows and the job's own delay: a loop across a minute's edge is seen whole.
LOOK_S = 125
FOUND_MAX = 1_000
LOOP_CALLS_MAX = 5_000
NEW_S = 180

_LOOPS = """
SELECT workspace_id, key_id, if(run_id != '', run_id, conversation_id) AS run, tool_name, args_hash,
    arraySort(groupArray({most:UInt32})(toUnixTimestamp64Micro(occurred_at))) AS times
FROM firewall_events
WHERE occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND tool_name != '' AND args_hash != ''
  AND run != ''
GROUP BY workspace_id, key_id, run, tool_name, args_hash
HAVING count() >= {calls:UInt32} LIMIT {found:UInt32}
"""
_HOSTS = """
SELECT workspace_id, key_id, host, toUnixTimestamp64Micro(min(first_seen)) AS first, sum(calls),
    any(began) FROM key_hosts INNER JOIN (
        SELECT workspace_id, key_id, toUnixTimestamp64Micro(min(first_seen)) AS began FROM key_hosts
        GROUP BY workspace_id, key_id
    ) AS learning USING (workspace_id, key_id)
WHERE host != ''
GROUP BY workspace_id, key_id, host
HAVING first >= {since:Int64} AND any(began) < first - {learning:Int64} LIMIT {found:UInt32}
"""
_PATHS = """
SELECT workspace_id, from_tool, to_tool, toUnixTimestamp64Micro(min(first_seen)) AS first, sum(calls),
    any(began) FROM tool_transitions INNER JOIN (
        SELECT workspace_id, toUnixTimestamp64Micro(min(first_seen)) AS began FROM tool_transitions
        GROUP BY workspace_id
    ) AS learning USING (workspace_id)
GROUP BY workspace_id, from_tool, to_tool
HAVING first >= {since:Int64} AND any(began) < first - {learning:Int64} LIMIT {found:UInt32}
"""


class Calls:
    """Looks at the calls of the last minutes."""

    def __init__(self, store: ColumnStore, *, learning_us: int) -> None:
        self._store = store
        self._learning_us = learning_us

    async def firings(self, now_us: int) -> list[Firing]:
        """What fires now. Raises StoreUnavailable."""
        return [*await self._loops(now_us), *await self._hosts(now_us), *await self._paths(now_us)]

    async def _loops(self, now_us: int) -> list[Firing]:
        parameters = {
            "since": now_us - LOOK_S * 1_000_000, "calls": LOOP_CALLS, "most": LOOP_CALLS_MAX, "found": FOUND_MAX,
        }  # fmt: skip
        found: list[Firing] = []
        for workspace_id, key_id, run, tool, args_hash, times in await self._store.query(_LOOPS, parameters):
            most = most_within(times, LOOP_WINDOW_S * 1_000_000)
            if most >= LOOP_CALLS:
                series = f"loop:{key_id}:{run}:{tool}:{args_hash}"
                found.append(
                    Firing(
                        workspace_id, "retry_loop", series, float(most), 0.0, 0.0, 0.0, 0, key_id, tool, run,
                        f"{most} equal calls within {LOOP_WINDOW_S} s",
                    )
                )  # fmt: skip
        return found

    async def _hosts(self, now_us: int) -> list[Firing]:
        rows = await self._store.query(_HOSTS, self._new(now_us))
        return [
            Firing(
                workspace_id, "novel_egress", f"host:{key_id}:{host}", float(calls), 0.0, 0.0, 0.0, 0, key_id,
                detail=f"first call of {host}",
            )
            for workspace_id, key_id, host, _, calls, _ in rows
        ]  # fmt: skip

    async def _paths(self, now_us: int) -> list[Firing]:
        rows = await self._store.query(_PATHS, self._new(now_us))
        return [
            Firing(
                workspace_id, "novel_path", f"path:{before}:{after}", float(calls), 0.0, 0.0, 0.0, 0,
                tool_name=after, detail=f"first transition {before} → {after}",
            )
            for workspace_id, before, after, _, calls, _ in rows
        ]  # fmt: skip

    def _new(self, now_us: int) -> dict[str, int]:
        return {"since": now_us - NEW_S * 1_000_000, "learning": self._learning_us, "found": FOUND_MAX}


def most_within(times_us: list[int], window_us: int) -> int:
    """The most of these ascending times that lie within one window."""
    most = first = 0
    for last, at_us in enumerate(times_us):
        while at_us - times_us[first] > window_us:
            first += 1
        most = max(most, last - first + 1)
    return most
