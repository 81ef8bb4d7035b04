"""The feeds over HTTP. Every read is of the caller's workspace; raw matches and call provenance need Developer."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Response

from services.analytics import answers
from services.analytics.clickhouse.queries import ANOMALY_FILTERS, RUN_FILTERS, USAGE_FILTERS, FilterValues, Span
from services.analytics.domain.feeds import (
    ANOMALY_KINDS,
    ANOMALY_STATES,
    FIREWALL_EVENTS,
    MATCHES,
    REQUESTS,
    VERDICTS,
    Filter,
    Match,
)
from services.analytics.feeds import CSV_ROWS_MAX, GROUPS, Feeds
from services.common.answers import Answer, pages, shows
from services.common.errors import Invalid
from services.common.http import Authenticator, Page, Principal, Role, create_api, ok, require

VALUES_MAX = 50
VALUE_CHARS_MAX = 512
SECONDS_MAX = 4_102_444_800

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]


def span_params(
    since: Annotated[
        int | None, Query(alias="from", ge=0, le=SECONDS_MAX, description="Unix seconds, inclusive.")
    ] = None,
    until: Annotated[
        int | None, Query(alias="to", ge=0, le=SECONDS_MAX, description="Unix seconds, exclusive.")
    ] = None,
) -> Span:
    """Dependency: `?from=&to=`."""
    if since is not None and until is not None and since > until:
        raise Invalid("from: must not be after to", param="from")
    return Span(
        None if since is None else since * 1_000_000,
        None if until is None else until * 1_000_000,
    )


InSpan = Annotated[Span, Depends(span_params)]


def filter_params(known: Mapping[str, Filter]) -> Callable[..., FilterValues]:
    """Dependency: one query parameter per filter; texts and numbers may be repeated, any of them then matches.

    Built from the feed's declaration, so that OpenAPI, validation and SQL cannot disagree on what exists.
    """
    types: Mapping[Match, Any] = {
        Match.TEXT: Annotated[
            list[Annotated[str, Query(max_length=VALUE_CHARS_MAX)]] | None, Query(max_length=VALUES_MAX)
        ],
        Match.INT: Annotated[list[Annotated[int, Query(ge=0, le=2**31)]] | None, Query(max_length=VALUES_MAX)],
        Match.FLAG: Annotated[bool | None, Query()],
        Match.HIDE_FP: Annotated[bool | None, Query(description="Leave out matches marked as false positives.")],
    }

    def dependency(**values: Any) -> FilterValues:
        return {name: value for name, value in values.items() if value is not None and value != []}

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=types[wanted.match])
        for name, wanted in known.items()
    ]
    dependency.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return dependency


# Module-level: FastAPI resolves the routes' annotations by name.
MatchFilters = Annotated[FilterValues, Depends(filter_params(MATCHES.filters))]
EventFilters = Annotated[FilterValues, Depends(filter_params(FIREWALL_EVENTS.filters))]
RunFilters = Annotated[FilterValues, Depends(filter_params(RUN_FILTERS))]
RequestFilters = Annotated[FilterValues, Depends(filter_params(REQUESTS.filters))]
AnomalyFilters = Annotated[FilterValues, Depends(filter_params(ANOMALY_FILTERS))]
UsageFilters = Annotated[FilterValues, Depends(filter_params(USAGE_FILTERS))]


def build_api(feeds: Feeds, authenticator: Authenticator | None) -> FastAPI:
    """The service's management routes."""
    api = create_api("Orca analytics", authenticator)
    _match_routes(api, feeds)
    _firewall_routes(api, feeds)
    _request_routes(api, feeds)
    return api


def _match_routes(api: FastAPI, feeds: Feeds) -> None:
    table = {"content": {"text/csv": {"schema": {"type": "string"}}}}

    @api.get("/api/guardrail/match", tags=["analytics"], responses={200: {**shows(answers.MatchPage)[200], **table}})
    async def list_matches(
        principal: Member,
        page: Page,
        span: InSpan,
        filters: MatchFilters,
        format: Literal["json", "csv"] = "json",
        group_by: Literal["request"] | None = None,
    ) -> Any:
        """Matches, newest first; the matched text only for Developers and above."""
        workspace_id = principal.workspace_id
        feed = MATCHES if principal.role >= Role.DEVELOPER else MATCHES.without("matched")
        if format == "csv":
            if group_by is not None:
                raise Invalid("format: csv cannot be grouped", param="format")
            items = await feeds.export(feed, workspace_id, filters, span)
            return _csv([field.name for field in feed.fields], items)
        if group_by == "request":
            grouped = await feeds.matches_by_request(workspace_id, filters, span, cursor=page.cursor, limit=page.limit)
            return ok(grouped.data())
        listing = await feeds.page(feed, workspace_id, filters, span, cursor=page.cursor, limit=page.limit)
        return ok(listing.data())

    @api.get("/api/guardrail/match/{match_id}", tags=["analytics"], responses=shows(answers.MatchRow))
    async def get_match(match_id: str, principal: Member) -> Answer:
        """One match; the matched text only for Developers and above."""
        feed = MATCHES if principal.role >= Role.DEVELOPER else MATCHES.without("matched")
        return ok(await feeds.one(feed, principal.workspace_id, match_id))


def _firewall_routes(api: FastAPI, feeds: Feeds) -> None:
    @api.get("/api/workspace/firewall/events", tags=["analytics"], responses=pages(answers.FirewallEvent))
    async def list_events(principal: Developer, page: Page, span: InSpan, filters: EventFilters) -> Answer:
        """Tool evaluations, newest first."""
        listing = await feeds.page(
            FIREWALL_EVENTS, principal.workspace_id, filters, span, cursor=page.cursor, limit=page.limit
        )
        return ok(listing.data())

    @api.get("/api/workspace/firewall/runs", tags=["analytics"], responses=pages(answers.Run))
    async def list_runs(
        principal: Developer,
        page: Page,
        span: InSpan,
        filters: RunFilters,
        verdict: Annotated[list[str] | None, Query(max_length=len(VERDICTS))] = None,
    ) -> Answer:
        """Agent runs by their last event, newest first."""
        if any(name not in VERDICTS for name in verdict or ()):
            raise Invalid(f"verdict: must be one of {', '.join(VERDICTS)}", param="verdict")
        listing = await feeds.runs(
            principal.workspace_id, filters, verdict or (), span, cursor=page.cursor, limit=page.limit
        )
        return ok(listing.data())

    @api.get("/api/workspace/firewall/runs/{run_id}", tags=["analytics"], responses=shows(answers.RunTrace))
    async def get_run(run_id: str, principal: Developer) -> Answer:
        """A run's numbers and its trace: requests, calls, verdicts and matches on one time line, oldest first."""
        return ok(await feeds.run(principal.workspace_id, run_id))

    @api.get("/api/workspace/firewall/tools", tags=["analytics"], responses=pages(answers.Tool))
    async def list_tools(principal: Developer, page: Page, span: InSpan, filters: EventFilters) -> Answer:
        """Tools discovered, and whether an enabled policy covered them when last seen."""
        listing = await feeds.tools(principal.workspace_id, filters, span, cursor=page.cursor, limit=page.limit)
        return ok(listing.data())

    @api.get("/api/workspace/firewall/anomalies", tags=["analytics"], responses=pages(answers.Anomaly))
    async def list_anomalies(principal: Member, page: Page, span: InSpan, filters: AnomalyFilters) -> Answer:
        """Anomaly episodes in their current state, newest first. They inform; nothing is blocked by them."""
        return ok(await _anomalies(feeds, principal.workspace_id, filters, span, cursor=page.cursor, limit=page.limit))


async def _anomalies(
    feeds: Feeds, workspace_id: str, filters: FilterValues, span: Span, *, cursor: str | None, limit: int
) -> dict[str, Any]:
    for name, known in (("kind", ANOMALY_KINDS), ("state", ANOMALY_STATES)):
        given = filters.get(name, ())
        if not isinstance(given, bool) and any(value not in known for value in given):
            raise Invalid(f"{name}: must be one of {', '.join(known)}", param=name)
    return (await feeds.anomalies(workspace_id, filters, span, cursor=cursor, limit=limit)).data()


def _request_routes(api: FastAPI, feeds: Feeds) -> None:
    @api.get("/api/log", tags=["analytics"], responses=pages(answers.Request))
    async def list_requests(principal: Member, page: Page, span: InSpan, filters: RequestFilters) -> Answer:
        """Requests, newest first."""
        listing = await feeds.page(
            REQUESTS, principal.workspace_id, filters, span, cursor=page.cursor, limit=page.limit
        )
        return ok(listing.data())

    @api.get("/api/analytics/usage", tags=["analytics"], responses=shows(answers.Usage))
    async def get_usage(
        principal: Member,
        page: Page,
        span: InSpan,
        filters: UsageFilters,
        group_by: Annotated[str, Query(max_length=64, description="Any of day, key, model, environment.")] = "day",
    ) -> Answer:
        """Spend, tokens and requests per group, with totals. Days are UTC."""
        groups = list(dict.fromkeys(part.strip() for part in group_by.split(",")))
        if not all(group in GROUPS for group in groups):
            raise Invalid(f"group_by: must be of {', '.join(GROUPS)}", param="group_by")
        return ok(
            await feeds.usage(principal.workspace_id, groups, filters, span, cursor=page.cursor, limit=page.limit)
        )


def _csv(names: list[str], items: list[dict[str, Any]]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for entry in items:
        writer.writerow([_cell(entry[name]) for name in names])
    headers = {
        "Content-Disposition": 'attachment; filename="matches.csv"',
        "X-Orca-Truncated": "true" if len(items) >= CSV_ROWS_MAX else "false",
    }
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> Any:
    text = ";".join(map(str, value)) if isinstance(value, list) else value
    # Spreadsheets run cells that start with these as formulas.
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
