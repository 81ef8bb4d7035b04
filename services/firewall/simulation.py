"""A draft policy against recorded calls: what would have been decided otherwise, call by call.

Arguments come from captures, which exist only with the workspace's consent: a call whose arguments were not
captured is counted as not evaluable, never guessed. Counters run along in memory, in the order of the events; cost
caps count nothing, since events carry no cost.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orca.analytics.v1 import analytics_pb2
from services.common.clock import Clock
from services.common.errors import TooMany
from services.common.rpc import call
from services.firewall.domain.arguments import read_arguments
from services.firewall.domain.counters import CallContext
from services.firewall.domain.engine import Call, CompiledPolicy, Judgement
from services.firewall.domain.model import CALL_SURFACES, Surface, Verdict

TIMEOUT_S = 10.0
EVENTS_MAX = 20_000
EVENTS_PER_PAGE = 5_000
CAPTURES_PER_PAGE = 200
CAPTURED_BYTES_MAX = 64 * 1024 * 1024
DIFFERENCES_MAX = 1_000
COUNTERS_MAX = 100_000
SLICE = 200
AT_ONCE_MAX = 2
DAY_US = 86_400 * 1_000_000
_NO_ARGUMENTS = read_arguments("").sha256

Row = Mapping[str, Any]


@dataclass(slots=True)
class Simulation:
    """What came out. `truncated`: there were more events than are looked at."""

    days: int
    evaluated: int = 0
    not_evaluable: int = 0
    truncated: bool = False
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        changed = sum(self.changes.values())
        return {
            "days": self.days,
            "evaluated": self.evaluated,
            "not_evaluable": self.not_evaluable,
            "changed": changed,
            "unchanged": self.evaluated - changed,
            "truncated": self.truncated,
            "changes": [
                {"before": before, "after": after, "count": count}
                for (before, after), count in sorted(self.changes.items())
            ],
            "items": self.differences,
        }


class Simulator:
    """Reads analytics and replays."""

    def __init__(self, analytics: Any, clock: Clock) -> None:
        self._analytics = analytics
        self._clock = clock
        self._running = 0

    async def run(self, workspace_id: str, policy: CompiledPolicy, days: int) -> Simulation:
        """Raises TooMany while others run, Unavailable when analytics cannot be asked."""
        if self._running >= AT_ONCE_MAX:
            raise TooMany("other simulations are running; try again")
        self._running += 1
        try:
            return await self._run(workspace_id, policy, days)
        finally:
            self._running -= 1

    async def _run(self, workspace_id: str, policy: CompiledPolicy, days: int) -> Simulation:
        since_us = self._clock.now_us() - days * DAY_US
        done = Simulation(days)
        events: list[Row] = []
        cursor = ""
        while len(events) < EVENTS_MAX:
            rows, cursor = await self._page(workspace_id, "firewall_events", since_us, EVENTS_PER_PAGE, cursor, {})
            events += rows
            if not cursor:
                break
        done.truncated = bool(cursor) or len(events) > EVENTS_MAX
        events = events[:EVENTS_MAX]
        captured = await self._captured(workspace_id, since_us) if events else {}
        replay = _Replay(policy, workspace_id, captured, _reached(events), done)
        calls = [event for event in events if event["surface"] != Surface.EGRESS.value]
        for start in range(0, len(calls), SLICE):
            await asyncio.to_thread(replay.take, calls[start : start + SLICE])
        return done

    async def _captured(self, workspace_id: str, since_us: int) -> dict[tuple[str, str], str]:
        """Arguments by (request, hash), as far as the bound goes."""
        found: dict[tuple[str, str], str] = {}
        size, cursor = 0, ""
        while size < CAPTURED_BYTES_MAX:
            rows, cursor = await self._page(
                workspace_id, "captures", since_us, CAPTURES_PER_PAGE, cursor, {"kind": "tool_arguments"}
            )
            for row in rows:
                if not row["truncated"]:
                    found[row["request_id"], read_arguments(row["body"]).sha256] = row["body"]
                    size += len(row["body"])
            if not cursor:
                break
        return found

    async def _page(
        self, workspace_id: str, table: str, since_us: int, limit: int, cursor: str, filters: Mapping[str, str]
    ) -> tuple[list[Row], str]:
        request = analytics_pb2.QueryRequest(
            workspace_id=workspace_id, table=table, since_unix_us=since_us, limit=limit, cursor=cursor, filters=filters
        )
        answer = await call(self._analytics.Query, request, timeout_s=TIMEOUT_S)
        return [json.loads(row) for row in answer.rows_json], answer.next_cursor


def _reached(events: Sequence[Row]) -> dict[tuple[str, str, str], Verdict]:
    """Strictest recorded verdict on a destination, by call."""
    found: dict[tuple[str, str, str], Verdict] = {}
    for event in events:
        if event["surface"] == Surface.EGRESS.value:
            verdict = Verdict(event["verdict"])
            known = found.get(_key(event))
            if known is None or verdict.strictness > known.strictness:
                found[_key(event)] = verdict
    return found


def _key(event: Row) -> tuple[str, str, str]:
    return event["request_id"], event["tool_name"], event["args_hash"]


class _Replay:
    """One policy over events in their order, with its counters."""

    def __init__(
        self,
        policy: CompiledPolicy,
        workspace_id: str,
        captured: Mapping[tuple[str, str], str],
        reached: Mapping[tuple[str, str, str], Verdict],
        done: Simulation,
    ) -> None:
        self._policy = policy
        self._workspace_id = workspace_id
        self._captured = captured
        self._reached = reached
        self._done = done
        self._states: dict[str, str] = {}

    def take(self, events: Sequence[Row]) -> None:
        """Evaluates a slice."""
        for event in events:
            surface = Surface(event["surface"])
            arguments = self._arguments(event, surface)
            if arguments is None or not event["tool_name"]:
                self._done.not_evaluable += 1
                continue
            self._done.evaluated += 1
            decisive = self._judge(event, surface, arguments)
            before = Verdict(event["verdict"])
            destination = self._reached.get(_key(event))
            if destination is not None and destination.strictness > before.strictness:
                before = destination
            if decisive is not None and decisive.verdict is not before:
                self._differs(event, before, decisive)

    def _arguments(self, event: Row, surface: Surface) -> str | None:
        if surface not in CALL_SURFACES or event["args_hash"] == _NO_ARGUMENTS:
            return ""
        return self._captured.get((event["request_id"], event["args_hash"]))

    def _judge(self, event: Row, surface: Surface, arguments: str) -> Judgement | None:
        context = CallContext(self._workspace_id, event["key_id"], event["request_id"], event["run_id"])
        evaluation = self._policy.evaluate(surface, [Call(event["tool_name"], arguments)], context)
        at_us = int(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1_000_000)
        outcome = evaluation.decide(self._states, at_us)
        for write in outcome.writes:
            if write.key in self._states or len(self._states) < COUNTERS_MAX:
                self._states[write.key] = write.state
        return outcome.decisive

    def _differs(self, event: Row, before: Verdict, after: Judgement) -> None:
        self._done.changes[before.value, after.verdict.value] += 1
        if len(self._done.differences) >= DIFFERENCES_MAX:
            return
        shown = ("occurred_at", "tool_name", "surface", "key_id", "run_id", "request_id", "args_hash", "args_summary")
        self._done.differences.append(
            {
                "event_id": event["id"],
                **{name: event[name] for name in shown},
                "before": before.value,
                "after": after.verdict.value,
                "reason": after.reason,
                "rule": {"id": after.rule_id, "label": after.rule_label} if after.rule_id else None,
            }
        )
