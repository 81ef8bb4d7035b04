"""The feeds as use cases: pages, one row, runs and their traces, tools, usage. Raises Invalid and NotFound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analytics.clickhouse import queries
from services.analytics.clickhouse.queries import FilterValues, Span, Statement
from services.analytics.domain import feeds as shapes
from services.analytics.domain.feeds import FIREWALL_EVENTS, MATCHES, REQUESTS, VERDICTS, Feed, iso, item
from services.analytics.domain.run_ids import mint_run_id, parse_run_id
from services.analytics.ports import RowSource
from services.common.errors import Invalid, NotFound
from services.common.http import decode_cursor, encode_cursor
from services.common.money import format_usd

TRACE_ROWS_MAX = 500
CSV_ROWS_MAX = 10_000
CSV_PAGE = 2_000
US_MAX = 4_102_444_800_000_000
OFFSET_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Listing:
    """One page."""

    items: list[dict[str, Any]]
    next_cursor: str | None

    def data(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"items": self.items, "next_cursor": self.next_cursor}


class Feeds:
    """Reads, always of one workspace."""

    def __init__(self, store: RowSource) -> None:
        self._store = store

    async def page(
        self, feed: Feed, workspace_id: str, filters: FilterValues, span: Span, *, cursor: str | None, limit: int
    ) -> Listing:
        """A page of a feed, newest first."""
        after = _position(cursor)
        statement = queries.page(feed, workspace_id, filters, span, after=after, limit=limit + 1)
        rows = await self._rows(statement)
        return _listing([(list(row[:2]), item(feed.fields, row[2:])) for row in rows], limit)

    async def one(self, feed: Feed, workspace_id: str, row_id: str) -> dict[str, Any]:
        """One row by its id."""
        rows = await self._rows(queries.one(feed, workspace_id, row_id))
        if not rows:
            raise NotFound("no such event in this workspace")
        return item(feed.fields, rows[0])

    async def matches_by_request(
        self, workspace_id: str, filters: FilterValues, span: Span, *, cursor: str | None, limit: int
    ) -> Listing:
        """Requests with their matches, newest first."""
        after = _position(cursor)
        rows = await self._widening(
            lambda window_s: queries.matches_by_request(
                workspace_id, filters, span, MATCHES.filters, after=after, limit=limit + 1, window_s=window_s
            ),
            limit,
        )
        return _listing([(list(row[:2]), item(queries.REQUEST_GROUP_FIELDS, row)) for row in rows], limit)

    async def export(self, feed: Feed, workspace_id: str, filters: FilterValues, span: Span) -> list[dict[str, Any]]:
        """Up to CSV_ROWS_MAX rows, newest first, read in pages so that other readers get their turn."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(items) < CSV_ROWS_MAX:
            listing = await self.page(feed, workspace_id, filters, span, cursor=cursor, limit=CSV_PAGE)
            items += listing.items
            cursor = listing.next_cursor
            if cursor is None:
                break
        return items

    async def runs(
        self,
        workspace_id: str,
        filters: FilterValues,
        verdicts: Sequence[str],
        span: Span,
        *,
        cursor: str | None,
        limit: int,
    ) -> Listing:
        """Runs by their last event, newest first."""
        after: tuple[int, str, str] | None = None
        if cursor is not None:
            last_us, key_id, run_id = _typed(decode_cursor(cursor), (int, str, str))
            after = (last_us, key_id, run_id)
        rows: Sequence[Sequence[Any]] = ()
        for depth in queries.RUN_DEPTHS:
            rows = await self._rows(
                queries.runs(workspace_id, filters, verdicts, span, after=after, limit=limit + 1, depth=depth)
            )
            if len(rows) > limit:
                break
        return _listing([(list(row[:3]), _run(workspace_id, row)) for row in rows], limit)

    async def run(self, workspace_id: str, public_id: str) -> dict[str, Any]:
        """A run's roll-up and its trace on one time line, oldest first."""
        named = parse_run_id(public_id, workspace_id)
        if named is None:
            raise NotFound("no such run in this workspace")
        key_id, run_id = named
        identity: FilterValues = {"key_id": [key_id], "run_id": [run_id]}
        rows = await self._rows(queries.runs(workspace_id, identity, (), Span(), after=None, limit=1))
        if not rows:
            raise NotFound("no such run in this workspace")
        columns = dict(zip(queries.RUN_COLUMNS, rows[0], strict=True))
        # The run's own span bounds the scan of tables that are ordered by time.
        span = Span(columns["first_us"], columns["last_us"] + 1)
        timeline: list[tuple[int, str, dict[str, Any]]] = []
        truncated = False
        for kind, feed in (("request", REQUESTS), ("firewall", FIREWALL_EVENTS), ("match", MATCHES.without("matched"))):
            statement = queries.page(
                feed, workspace_id, identity, span, after=None, limit=TRACE_ROWS_MAX + 1, oldest_first=True
            )
            found = await self._rows(statement)
            truncated = truncated or len(found) > TRACE_ROWS_MAX
            timeline += [
                (row[0], row[1], {"kind": kind, **item(feed.fields, row[2:])}) for row in found[:TRACE_ROWS_MAX]
            ]
        timeline.sort(key=lambda entry: entry[:2])
        return {**_run(workspace_id, rows[0]), "timeline": [entry[2] for entry in timeline], "truncated": truncated}

    async def anomalies(
        self, workspace_id: str, filters: FilterValues, span: Span, *, cursor: str | None, limit: int
    ) -> Listing:
        """Anomaly episodes by their last event, newest first."""
        statement = queries.anomalies(workspace_id, filters, span, after=_position(cursor), limit=limit + 1)
        rows = await self._rows(statement)
        return _listing([(list(row[:2]), _anomaly(row)) for row in rows], limit)

    async def _widening(self, statement: Callable[[int | None], Statement], limit: int) -> Sequence[Sequence[Any]]:
        """Rows of the narrowest window that fills the page: groups are formed of few rows where many are recent."""
        rows: Sequence[Sequence[Any]] = ()
        for window_s in queries.WINDOWS_S:
            rows = await self._rows(statement(window_s))
            if len(rows) > limit:
                break
        return rows

    async def tools(
        self, workspace_id: str, filters: FilterValues, span: Span, *, cursor: str | None, limit: int
    ) -> Listing:
        """Tools discovered, by their last evaluation, newest first."""
        statement = queries.tools(
            workspace_id, filters, FIREWALL_EVENTS.filters, span, after=_position(cursor), limit=limit + 1
        )
        rows = await self._rows(statement)
        last: dict[str, int] = {row[1]: row[0] for row in rows}
        latest: dict[str, Sequence[Any]] = {}
        if last:
            found = await self._rows(queries.tools_latest(workspace_id, filters, FIREWALL_EVENTS.filters, last))
            latest = {row[0]: row[1:] for row in found}
        # A row that expired between the two questions has no latest evaluation any more.
        shown = [row for row in rows if row[1] in latest]
        return _listing([(list(row[:2]), _tool(row, latest[row[1]])) for row in shown], limit)

    async def usage(
        self,
        workspace_id: str,
        groups: Sequence[str],
        filters: FilterValues,
        span: Span,
        *,
        cursor: str | None,
        limit: int,
    ) -> dict[str, Any]:
        """Sums per group, and over all of them."""
        offset = 0
        if cursor is not None:
            (offset,) = _typed(decode_cursor(cursor), (int,))
            if not 0 <= offset <= OFFSET_MAX:
                raise Invalid("cursor: not a cursor of this list", param="cursor")
        rows = await self._rows(queries.usage(workspace_id, groups, filters, span, offset=offset, limit=limit + 1))
        if offset == 0 and 0 < len(rows) <= limit:
            # The page holds every group: its sums are the totals.
            totals: Sequence[Any] = [sum(column) for column in zip(*(row[len(groups) :] for row in rows), strict=True)]
        else:
            totals = (await self._rows(queries.usage(workspace_id, (), filters, span, offset=0, limit=1)))[0]
        items = [
            {**dict(zip(map(_group_name, groups), row, strict=False)), **_usage(row[len(groups) :])}
            for row in rows[:limit]
        ]
        following = encode_cursor([offset + limit]) if len(rows) > limit else None
        return {"items": items, "next_cursor": following, "totals": _usage(totals)}

    async def _rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        return await self._store.query(statement.sql, statement.parameters)


def _listing(found: list[tuple[list[Any], dict[str, Any]]], limit: int) -> Listing:
    shown = found[:limit]
    more = len(found) > limit
    return Listing([entry for _, entry in shown], encode_cursor(shown[-1][0]) if more else None)


def _position(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    moment, row_id = _typed(decode_cursor(cursor), (int, str))
    return moment, row_id


def _typed(position: list[Any], types: Sequence[type]) -> list[Any]:
    fits = len(position) == len(types) and all(
        type(value) is wanted for value, wanted in zip(position, types, strict=True)
    )
    if not fits or (types[0] is int and not 0 <= position[0] <= US_MAX):
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return position


def _run(workspace_id: str, row: Sequence[Any]) -> dict[str, Any]:
    columns = dict(zip(queries.RUN_COLUMNS, row, strict=True))
    return {
        "id": mint_run_id(workspace_id, columns["key_id"], columns["run_id"]),
        "run_id": columns["run_id"],
        "key_id": columns["key_id"],
        "environment": columns["environment"],
        "first_seen": iso(columns["first_us"]),
        "last_seen": iso(columns["last_us"]),
        "requests": columns["requests"],
        "blocked": columns["blocked"],
        "tool_calls": columns["tool_calls"],
        "verdicts": {verdict: columns[verdict] for verdict in VERDICTS},
        "matches": columns["matches"],
        "input_tokens": columns["input_tokens"],
        "output_tokens": columns["output_tokens"],
        "cost_usd": format_usd(columns["cost_nano_usd"]),
        "models": sorted(columns["models"]),
        "tools": sorted(columns["tools"]),
        "hosts": sorted(columns["hosts"]),
    }


def _anomaly(row: Sequence[Any]) -> dict[str, Any]:
    columns = dict(zip(queries.ANOMALY_COLUMNS, row, strict=True))
    opened_us, updated_us = columns.pop("opened_us"), columns.pop("updated_us")
    closed = columns["state"] == "closed" or columns["kind"].startswith("novel")
    return {
        **columns,
        "occurred_at": iso(opened_us),
        "updated_at": iso(updated_us),
        "closed_at": iso(updated_us) if closed else None,
    }


def _tool(row: Sequence[Any], latest: Sequence[Any]) -> dict[str, Any]:
    columns = dict(zip((*queries.TOOL_COLUMNS, *queries.TOOL_LATEST), (*row, *latest), strict=True))
    return {
        "tool_name": columns["tool_name"],
        "status": "gap" if columns["gap"] else "covered",
        "gap": bool(columns["gap"]),
        "first_seen": iso(columns["first_us"]),
        "last_seen": iso(columns["last_us"]),
        "calls": columns["calls"],
        "keys": columns["keys"],
        "surfaces": columns["surfaces"],
        "verdicts": {verdict: columns[verdict] for verdict in VERDICTS},
        "policy_name": columns["policy_name"],
        "rule_label": columns["rule_label"],
    }


def _usage(values: Sequence[Any]) -> dict[str, Any]:
    columns: Mapping[str, int] = dict(zip(queries.USAGE_COLUMNS, values, strict=True))
    return {
        **{name: columns[name] for name in queries.USAGE_COLUMNS[:5]},
        "cost_usd": format_usd(columns["settled_nano_usd"]),
        "unconfirmed_usd": format_usd(columns["unconfirmed_nano_usd"]),
        "blocked_usd": format_usd(columns["blocked_nano_usd"]),
    }


def _group_name(group: str) -> str:
    return "key_id" if group == "key" else group


GROUPS = tuple(shapes.GROUPINGS)
