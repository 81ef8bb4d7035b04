"""What the feeds answer with, for the OpenAPI document: models of rows follow from the feeds' declarations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Union

from pydantic import Field as Documented
from pydantic import create_model

from services.analytics.clickhouse.queries import REQUEST_GROUP_FIELDS
from services.analytics.domain.feeds import FIREWALL_EVENTS, MATCHES, REQUESTS, Field, Kind
from services.common.answers import Shown

_KINDS: dict[Kind, Any] = {Kind.TIME: str, Kind.USD: str, Kind.MS: float, Kind.FLAG: bool}
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "attempts", "cached_input_tokens", "count", "guardrail_version", "input_tokens", "matches", "output_tokens",
            "policy_version", "status_code", "tool_calls",
        ),
        int,
    ),
    **dict.fromkeys(
        ("actions", "entities", "fingerprints", "finish_reasons", "ids", "matched", "rule_types"), list[str]
    ),
}  # fmt: skip
"""Columns that are no text. A feed with another one fails the suites, which hold answers to the document."""


def _row(name: str, purpose: str, fields: Sequence[Field], optional: Sequence[str] = (), **others: Any) -> Any:
    shown: dict[str, Any] = dict(others)
    for field in fields:
        kind = _KINDS.get(field.kind) or _COLUMNS.get(field.name, str)
        shown[field.name] = (kind, Documented(default_factory=kind) if field.name in optional else ...)
    return create_model(name, __base__=Shown, __doc__=purpose, **shown)


MatchRow = _row("Match", "A fired guardrail rule; `matched` for Developers.", MATCHES.fields, ("matched",))
RequestMatches = _row("RequestMatches", "A request's matches.", REQUEST_GROUP_FIELDS)
FirewallEvent = _row("FirewallEvent", "One evaluation of the firewall.", FIREWALL_EVENTS.fields)
Request = _row("Request", "One request and how it ended.", REQUESTS.fields)


class Verdicts(Shown):
    """How many of each."""

    allow: int
    audit: int
    deny: int
    sanitize: int
    pending_approval: int
    observe: int


class Run(Shown):
    """An agent run, rolled up."""

    id: str
    run_id: str
    key_id: str
    environment: str
    first_seen: str
    last_seen: str
    requests: int
    blocked: int
    tool_calls: int
    verdicts: Verdicts
    matches: int
    input_tokens: int
    output_tokens: int
    cost_usd: str
    models: list[str]
    tools: list[str]
    hosts: list[str]


_TRACED: Any = Union[  # noqa: UP007 - the members are values
    _row("TracedRequest", "A request of the run.", REQUESTS.fields, kind=(Literal["request"], ...)),
    _row("TracedCall", "An evaluation in the run.", FIREWALL_EVENTS.fields, kind=(Literal["firewall"], ...)),
    _row("TracedMatch", "A match in the run.", MATCHES.without("matched").fields, kind=(Literal["match"], ...)),
]
RunTrace: Any = create_model(
    "RunTrace",
    __base__=Run,
    __doc__="A run with its trace, oldest first.",
    timeline=(list[_TRACED], ...),
    truncated=(bool, ...),
)


class Tool(Shown):
    """A tool that calls were seen to."""

    tool_name: str
    status: Literal["gap", "covered"]
    gap: bool = Documented(description="No rule of an enabled policy covered it when last seen.")
    first_seen: str
    last_seen: str
    calls: int
    keys: int
    surfaces: list[str]
    verdicts: Verdicts
    policy_name: str
    rule_label: str


class Anomaly(Shown):
    """An episode in its current state."""

    id: str
    kind: str
    series: str
    state: str
    observed: float
    expected: float
    score: float
    probability: float
    baseline_weeks: int
    key_id: str
    run_id: str
    tool_name: str
    detail: str
    occurred_at: str
    updated_at: str
    closed_at: str | None


class Sums(Shown):
    """Sums over requests."""

    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: str
    unconfirmed_usd: str
    blocked_usd: str


class Group(Sums):
    """Sums of one group; what was not grouped by is absent."""

    day: str = ""
    key_id: str = ""
    model: str = ""
    environment: str = ""


class Usage(Shown):
    """A page of groups, and the sums over all of them."""

    items: list[Group]
    next_cursor: str | None
    totals: Sums


_EITHER: Any = list[MatchRow] | list[RequestMatches]  # type: ignore[valid-type]
MatchPage: Any = create_model(
    "MatchPage",
    __base__=Shown,
    __doc__="Matches, or requests with their matches.",
    items=(_EITHER, ...),
    next_cursor=(str | None, ...),
)
