# ruff: noqa: S608 (every interpolated name is a constant of this package; values are bound)
"""Every statement the feeds run. Each filters by workspace; every value is a bound parameter.

Names in the SQL come from constants in `domain/feeds.py` and here, never from a request. The cursor is a
position (occurred_at, id), not a page number, so that pages stay right while events arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.analytics.domain.feeds import GROUPINGS, VERDICTS, Feed, Field, Filter, Kind, Match

FilterValues = Mapping[str, Sequence[str] | Sequence[int] | bool]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` placeholders, and their values."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open time range, Unix microseconds; None = unbounded."""

    since_us: int | None = None
    until_us: int | None = None


def page(
    feed: Feed,
    workspace_id: str,
    filters: FilterValues,
    span: Span,
    *,
    after: tuple[int, str] | None,
    limit: int,
    oldest_first: bool = False,
) -> Statement:
    """Rows of a feed beyond `after`: the position's two columns first, then the feed's fields."""
    clauses, parameters = _scope(workspace_id, feed.filters, filters, span)
    if after is not None:
        sign = ">" if oldest_first else "<"
        moment = "fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')"
        # The first condition is implied by the second; it is the one the primary key can use.
        clauses.append(f"occurred_at {sign}= {moment}")
        clauses.append(f"(occurred_at, {feed.id_column}) {sign} ({moment}, {{after_id:String}})")
        parameters |= {"after_us": after[0], "after_id": after[1]}
    order = "ASC" if oldest_first else "DESC"
    columns = ", ".join(["toUnixTimestamp64Micro(occurred_at)", feed.id_column, *map(_read, feed.fields)])
    sql = (
        f"SELECT {columns} FROM {feed.table} WHERE {' AND '.join(clauses)} "
        f"ORDER BY occurred_at {order}, {feed.id_column} {order} LIMIT {{row_limit:UInt32}}"
    )
    return Statement(sql, {**parameters, "row_limit": limit})


ANOMALY_COLUMNS = (
    "updated_us", "id", "kind", "series", "state", "observed", "expected", "score", "probability", "baseline_weeks",
    "key_id", "run_id", "tool_name", "detail", "opened_us",
)  # fmt: skip
ANOMALY_FILTERS: Mapping[str, Filter] = {
    name: Filter(name) for name in ("id", "kind", "series", "state", "key_id", "run_id", "tool_name")
}


def anomalies(
    workspace_id: str, filters: FilterValues, span: Span, *, after: tuple[int, str] | None, limit: int
) -> Statement:
    """Episodes by their last event, newest first: columns of ANOMALY_COLUMNS. Numbers are those of the last event
    that carried a score; a closing one only closes."""
    clauses, parameters = _scope(workspace_id, {}, {}, span)
    having = [f"has({{f_{name}:Array(String)}}, {name})" for name in filters]
    parameters |= {f"f_{name}": values for name, values in filters.items()}
    if after is not None:
        having.append("(updated_us, id) < ({after_us:Int64}, {after_id:String})")
        parameters |= {"after_us": after[0], "after_id": after[1]}
    told = ", ".join(
        f"argMaxIf(a.{column}, a.occurred_at, a.state != 'closed') AS {column}"
        for column in ("observed", "expected", "score", "probability", "baseline_weeks", "key_id", "run_id",
                       "tool_name", "detail")
    )  # fmt: skip
    inner = (
        "SELECT toUnixTimestamp64Micro(max(a.occurred_at)) AS updated_us, a.id AS id, any(a.kind) AS kind, "
        f"any(a.series) AS series, argMax(a.state, a.occurred_at) AS state, {told}, "
        "toUnixTimestamp64Micro(min(a.occurred_at)) AS opened_us "
        f"FROM (SELECT id, toString(kind) AS kind, series, toString(state) AS state, occurred_at, observed, expected, "
        "score, probability, baseline_weeks, key_id, run_id, tool_name, detail "
        f"FROM anomalies WHERE {' AND '.join(clauses)}) AS a GROUP BY a.id"
    )
    where = f"WHERE {' AND '.join(having)} " if having else ""
    sql = (
        f"SELECT {', '.join(ANOMALY_COLUMNS)} FROM ({inner}) {where}"
        "ORDER BY updated_us DESC, id DESC LIMIT {row_limit:UInt32}"
    )
    return Statement(sql, {**parameters, "row_limit": limit})


def one(feed: Feed, workspace_id: str, row_id: str) -> Statement:
    """The row of an id: the feed's fields, at most once."""
    columns = ", ".join(map(_read, feed.fields))
    sql = (
        f"SELECT {columns} FROM {feed.table} "
        f"WHERE workspace_id = {{workspace_id:String}} AND {feed.id_column} = {{row_id:String}} LIMIT 1"
    )
    return Statement(sql, {"workspace_id": workspace_id, "row_id": row_id})


def matches_by_request(
    workspace_id: str, filters: FilterValues, span: Span, known: Mapping[str, Filter], *,
    after: tuple[int, str] | None, limit: int, window_s: int | None,
) -> Statement:  # fmt: skip
    """Matches grouped by request, the most recent request first: columns of REQUEST_GROUP_FIELDS.

    With a window, only requests whose last match is that recent; their rows may be REQUEST_S older.
    """
    clauses, parameters = _scope(workspace_id, known, filters, span)
    conditions: list[str] = []
    if after is not None:
        conditions.append("(last_us, request_id) < ({after_us:Int64}, {after_id:String})")
        # A later match of the same request would place it on an earlier page.
        clauses.append(
            "occurred_at <= fromUnixTimestamp64Micro({after_us:Int64}, 'UTC') + toIntervalSecond({request_s:Int64})"
        )
        parameters |= {"after_us": after[0], "after_id": after[1], "request_s": REQUEST_S}
    if window_s is not None:
        begin = _window(after, span)
        clauses.append(f"occurred_at >= {begin} - toIntervalSecond({{window_s:Int64}} + {{request_s:Int64}})")
        conditions.append(f"max(occurred_at) >= {begin} - toIntervalSecond({{window_s:Int64}})")
        parameters |= {"window_s": window_s, "request_s": REQUEST_S}
    having = f"HAVING {' AND '.join(conditions)} " if conditions else ""
    sql = (
        "SELECT toUnixTimestamp64Micro(max(occurred_at)) AS last_us, request_id, any(key_id), any(environment), "
        "any(model), any(run_id), count(), sum(count), arraySort(groupUniqArray(32)(toString(action))), "
        "arraySort(groupUniqArray(32)(toString(rule_type))), arraySort(groupUniqArray(64)(toString(entity))), "
        "groupArray(100)(id) "
        f"FROM matches WHERE {' AND '.join(clauses)} "
        f"GROUP BY request_id {having}ORDER BY last_us DESC, request_id DESC LIMIT {{row_limit:UInt32}}"
    )
    return Statement(sql, {**parameters, "row_limit": limit})


# No request lasts longer, so that its matches lie this close together.
REQUEST_S = 3_600
# Grouped feeds look at the last hour first and widen until a page is full; None looks at everything.
WINDOWS_S: Sequence[int | None] = (3_600, 86_400, 10 * 86_400, None)


def _window(after: tuple[Any, ...] | None, span: Span) -> str:
    """Where a window ends: the cursor, the span's end, or now."""
    if after is not None:
        return "fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')"
    return "now64(6, 'UTC')" if span.until_us is None else "fromUnixTimestamp64Micro({until_us:Int64}, 'UTC')"


REQUEST_GROUP_FIELDS = (
    Field("occurred_at", "", Kind.TIME), Field("request_id", ""), Field("key_id", ""), Field("environment", ""),
    Field("model", ""), Field("run_id", ""), Field("matches", ""), Field("count", ""), Field("actions", ""),
    Field("rule_types", ""), Field("entities", ""), Field("ids", ""),
)  # fmt: skip


_RUN_SELECT = (
    "toUnixTimestamp64Micro(max(last_seen)) AS last_us, key_id, run_id, "
    "toUnixTimestamp64Micro(min(first_seen)) AS first_us, max(environment) AS run_environment, "
    "sum(requests), sum(blocked), sum(tool_calls), sum(matches), sum(input_tokens), sum(output_tokens), "
    "sum(cost_nano_usd), groupUniqArrayArray(64)(models) AS run_models, groupUniqArrayArray(256)(tools) AS run_tools, "
    "groupUniqArrayArray(256)(hosts) AS run_hosts, " + ", ".join(f"sum({verdict})" for verdict in VERDICTS)
)
RUN_COLUMNS = (
    "last_us", "key_id", "run_id", "first_us", "environment", "requests", "blocked", "tool_calls", "matches",
    "input_tokens", "output_tokens", "cost_nano_usd", "models", "tools", "hosts", *VERDICTS,
)  # fmt: skip
RUN_FILTERS: Mapping[str, Filter] = {
    "key_id": Filter("key_id"),
    "run_id": Filter("run_id"),
    "environment": Filter("run_environment"),
    "model": Filter("run_models"),
    "tool_name": Filter("run_tools"),
    "destination": Filter("run_hosts"),
}
_RUN_WHERE = ("key_id", "run_id")
_RUN_ARRAYS = ("model", "tool_name", "destination")


# Runs are looked for among the latest rows of the roll-up: (rows, runs) as multiples of the page. A page that does not
# fill looks at more, at last at all.
RUN_DEPTHS: Sequence[tuple[float, float] | None] = ((8, 1.2), (32, 5), None)


def runs(
    workspace_id: str, filters: FilterValues, verdicts: Sequence[str], span: Span, *,
    after: tuple[int, str, str] | None, limit: int, depth: tuple[float, float] | None = None,
) -> Statement:  # fmt: skip
    """Runs by their last event, newest first: columns of RUN_COLUMNS. A run is in a span when its last event is.

    Two steps in one statement: which runs were seen last (the projection `by_seen` leads there), then their rows.
    """
    known = {name: RUN_FILTERS[name] for name in _RUN_WHERE}
    clauses, parameters = _scope(
        workspace_id, known, {name: filters[name] for name in _RUN_WHERE if name in filters}, Span()
    )
    recent, having, rows = list(clauses), [], []
    for name, values in filters.items():
        if name in _RUN_WHERE:
            continue
        column, placeholder = RUN_FILTERS[name].column, f"{{f_{name}:Array(String)}}"
        test = "hasAny({1}, {0})" if name in _RUN_ARRAYS else "has({0}, {1})"
        having.append(test.format(placeholder, column))
        rows.append(test.format(placeholder, column.removeprefix("run_")))
        parameters[f"f_{name}"] = values
    if verdicts:
        wanted = [name for name in VERDICTS if name in verdicts]
        having.append("(" + " + ".join(f"sum({name})" for name in wanted) + ") > 0")
        rows.append("(" + " + ".join(wanted) + ") > 0")
    for bound, name, sign in ((span.since_us, "since_us", ">="), (span.until_us, "until_us", "<")):
        if bound is not None:
            having.append(f"last_us {sign} {{{name}:Int64}}")
            recent.append(f"last_seen {sign} fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')")
            parameters[name] = bound
    if after is not None:
        having.append("(last_us, key_id, run_id) < ({after_us:Int64}, {after_key:String}, {after_run:String})")
        recent.append("last_seen <= fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')")
        parameters |= {"after_us": after[0], "after_key": after[1], "after_run": after[2]}
    if depth is not None:
        seen = f"FROM runs WHERE {' AND '.join(recent)}"
        clauses.append(
            f"(key_id, run_id) IN (SELECT key_id, run_id {seen} AND last_seen >= (SELECT min(last_seen) FROM "
            f"(SELECT last_seen {seen} ORDER BY last_seen DESC LIMIT {{depth_rows:UInt32}})) "
            "GROUP BY key_id, run_id ORDER BY max(last_seen) DESC LIMIT {depth_runs:UInt32})"
        )
        parameters |= {"depth_rows": int(depth[0] * limit), "depth_runs": int(depth[1] * limit)}
    else:
        # What no row of a run shows, the run does not: few runs are summed where few rows fit.
        clauses += [f"(key_id, run_id) IN (SELECT key_id, run_id FROM runs WHERE {' AND '.join([clauses[0], row])})"
                    for row in rows]  # fmt: skip
    sql = (
        f"SELECT {_RUN_SELECT} FROM runs WHERE {' AND '.join(clauses)} GROUP BY key_id, run_id "
        f"{'HAVING ' + ' AND '.join(having) + ' ' if having else ''}"
        "ORDER BY last_us DESC, key_id DESC, run_id DESC LIMIT {row_limit:UInt32}"
    )
    return Statement(sql, {**parameters, "row_limit": limit})


TOOL_COLUMNS = ("last_us", "tool_name", "first_us", "calls", "keys", "surfaces", *VERDICTS)
TOOL_LATEST = ("gap", "policy_name", "rule_label")


def tools(
    workspace_id: str, filters: FilterValues, known: Mapping[str, Filter], span: Span, *,
    after: tuple[int, str] | None, limit: int,
) -> Statement:  # fmt: skip
    """Tools seen, by their last evaluation: columns of TOOL_COLUMNS. Summed from the projection `tools_daily`, unless
    a filter asks for what it does not hold."""
    where, parameters = _by_days(workspace_id, known, filters, span)
    having = ""
    if after is not None:
        having = "HAVING (last_us, tool_name) < ({after_us:Int64}, {after_id:String}) "
        parameters |= {"after_us": after[0], "after_id": after[1]}
    keys = "tool_name, key_id, surface, verdict"
    parts = " UNION ALL ".join(
        f"SELECT {keys}, count() AS n, min(occurred_at) AS first, max(occurred_at) AS last FROM firewall_events "
        f"WHERE {clauses} AND tool_name != '' GROUP BY {keys}"
        for clauses in where
    )
    sql = (
        "SELECT toUnixTimestamp64Micro(max(last)) AS last_us, tool_name, "
        "toUnixTimestamp64Micro(min(first)) AS first_us, sum(n), "
        "uniq(key_id), arraySort(groupUniqArray(8)(toString(surface))), "
        + ", ".join(f"sumIf(n, verdict = '{verdict}')" for verdict in VERDICTS)
        + f" FROM ({parts}) GROUP BY tool_name {having}ORDER BY last_us DESC, tool_name DESC LIMIT {{row_limit:UInt32}}"
    )
    return Statement(sql, {**parameters, "row_limit": limit})


def tools_latest(
    workspace_id: str, filters: FilterValues, known: Mapping[str, Filter], last: Mapping[str, int]
) -> Statement:
    """The latest evaluation of each tool, which says covered or gap: the tool, then TOOL_LATEST. Read by the moments
    that `tools` found, which the primary key leads to, instead of carrying these texts through every row."""
    clauses, parameters = _scope(workspace_id, known, filters, Span())
    clauses.append("has({tools:Array(String)}, tool_name)")
    clauses.append("occurred_at IN (SELECT fromUnixTimestamp64Micro(arrayJoin({moments:Array(Int64)}), 'UTC'))")
    latest = ", ".join(f"argMax({name}, occurred_at)" for name in TOOL_LATEST)
    sql = f"SELECT tool_name, {latest} FROM firewall_events WHERE {' AND '.join(clauses)} GROUP BY tool_name"
    return Statement(sql, {**parameters, "tools": list(last), "moments": sorted(set(last.values()))})


USAGE_COLUMNS = (
    "requests", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "settled_nano_usd",
    "unconfirmed_nano_usd", "blocked_nano_usd",
)  # fmt: skip
USAGE_FILTERS: Mapping[str, Filter] = {name: Filter(name) for name in ("key_id", "environment", "model")}


def usage(
    workspace_id: str, groups: Sequence[str], filters: FilterValues, span: Span, *, offset: int, limit: int
) -> Statement:
    """Sums per group: the groups' values, then USAGE_COLUMNS. Money and tokens come from spend, which outlives
    the request log; requests are counted where they are recorded. Both from their projections `usage_daily`."""
    where, parameters = _by_days(workspace_id, USAGE_FILTERS, filters, span)
    keys = "".join(f"{GROUPINGS[name]} AS g_{name}, " for name in groups)
    names = ", ".join(f"g_{name}" for name in groups)
    by = f"GROUP BY {names} " if groups else ""
    zeros = ", ".join(f"toInt64(0) AS u_{name}" for name in USAGE_COLUMNS[1:])
    sums = ", ".join(f"sum({name}) AS u_{name}" for name in USAGE_COLUMNS[1:])
    parts = " UNION ALL ".join(
        f"SELECT {keys}toInt64(count()) AS u_requests, {zeros} FROM requests WHERE {clauses} {by}UNION ALL "
        f"SELECT {keys}toInt64(0) AS u_requests, {sums} FROM spend WHERE {clauses} AND kind = 'spend' {by}"
        for clauses in where
    )
    order = by + "ORDER BY " + ", ".join(f"g_{name} DESC" for name in groups) if groups else ""
    sql = (
        f"SELECT {names + ', ' if groups else ''}"
        + ", ".join(f"sum(u_{name})" for name in USAGE_COLUMNS)
        + f" FROM ({parts}) {order} LIMIT {{row_limit:UInt32}} OFFSET {{row_offset:UInt32}}"
    )
    return Statement(sql, {**parameters, "row_limit": limit, "row_offset": offset})


# A match all of whose findings were marked is a false positive; one without fingerprints cannot be marked.
_NOT_FALSE_POSITIVE = (
    "NOT (notEmpty(fingerprints) AND arrayAll(print -> has((SELECT groupArray(concat(rule_id, ':', fingerprint)) "
    "FROM (SELECT rule_id, fingerprint, argMax(deleted, version) AS gone FROM suppressions "
    "WHERE workspace_id = {workspace_id:String} GROUP BY rule_id, fingerprint) WHERE NOT gone), "
    "concat(rule_id, ':', print)), fingerprints))"
)


def _scope(
    workspace_id: str, known: Mapping[str, Filter], filters: FilterValues, span: Span
) -> tuple[list[str], dict[str, Any]]:
    clauses = ["workspace_id = {workspace_id:String}"]
    parameters: dict[str, Any] = {"workspace_id": workspace_id}
    for name, values in filters.items():
        wanted = known[name]
        if wanted.match is Match.HIDE_FP:
            if values:
                clauses.append(_NOT_FALSE_POSITIVE)
        elif wanted.match is Match.FLAG:
            clauses.append(f"{wanted.column} = {{f_{name}:{wanted.match.value}}}")
            parameters[f"f_{name}"] = int(bool(values))
        else:
            clauses.append(f"has({{f_{name}:{wanted.match.value}}}, {wanted.column})")
            parameters[f"f_{name}"] = values
    if span.since_us is not None:
        clauses.append("occurred_at >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')")
        parameters["since_us"] = span.since_us
    if span.until_us is not None:
        clauses.append("occurred_at < fromUnixTimestamp64Micro({until_us:Int64}, 'UTC')")
        parameters["until_us"] = span.until_us
    return clauses, parameters


DAY_US = 86_400_000_000


def _by_days(
    workspace_id: str, known: Mapping[str, Filter], filters: FilterValues, span: Span
) -> tuple[list[str], dict[str, Any]]:
    """Conditions that together select a span once: its whole days, which projections hold sums of, and its edges."""
    since, until = span.since_us, span.until_us
    first = None if since is None else -(-since // DAY_US)
    last = None if until is None else until // DAY_US
    clauses, parameters = _scope(workspace_id, known, filters, Span())
    scope = " AND ".join(clauses)
    if first is not None and last is not None and first >= last:
        edges, days = [(since, until)], None
    else:
        edges = [(since, first * DAY_US)] if first is not None and first * DAY_US != since else []
        edges += [(last * DAY_US, until)] if last is not None and last * DAY_US != until else []
        days = [("first_day", ">=", first), ("last_day", "<", last)]
    where: list[str] = []
    if days is not None:
        where.append(scope)
        for name, sign, day in days:
            if day is not None:
                where[0] += f" AND toDate(occurred_at, 'UTC') {sign} {{{name}:Date}}"
                parameters[name] = datetime.fromtimestamp(day * 86_400, UTC).date()
    for number, (begin, end) in enumerate(edges):
        where.append(
            f"{scope} AND occurred_at >= fromUnixTimestamp64Micro({{begin_{number}:Int64}}, 'UTC') "
            f"AND occurred_at < fromUnixTimestamp64Micro({{end_{number}:Int64}}, 'UTC')"
        )
        parameters |= {f"begin_{number}": begin, f"end_{number}": end}
    return where, parameters


def _read(field: Field) -> str:
    if field.kind is Kind.TIME:
        return f"toUnixTimestamp64Micro({field.column})"
    return field.column
