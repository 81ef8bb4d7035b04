"""What the guardrail's routes answer with, for the OpenAPI document. Times are Unix seconds unless they say else."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from services.common.answers import Shown
from services.guardrail.domain.model import Action, Stage

Done = Literal["blocked", "masked", "flagged", "passed"]


class Entity(Shown):
    """An entity of `pii` rules."""

    name: str
    tag: str = Field(description="What masks put in its place.")


class Detector(Shown):
    """A detector of `secrets` rules."""

    name: str
    group: str


class Meta(Shown):
    """What rules may say."""

    rule_types: list[str]
    stages: list[str]
    actions: list[Action]
    entities: list[Entity]
    roles: list[str]
    aliases: dict[str, Any]
    detectors: list[Detector]
    fields: dict[str, list[str]] = Field(description="Fields of each rule type.")
    limits: dict[str, int]


class Rule(Shown):
    """A rule: the fields of all rules, and those of its type as `meta` lists them."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    stage: str
    action: Action
    label: str
    enabled: bool
    roles: list[str]
    on_not_evaluated: str
    on_unsupported_part: str


class Seed(Shown):
    """Rules to start from, as a guardrail's creation takes them."""

    id: str
    name: str
    description: str
    rules: list[dict[str, Any]]


class Guardrail(Shown):
    """A text policy."""

    id: str
    name: str
    enabled: bool
    is_default: bool
    log_raw_content: bool
    rules: list[Rule]
    version: int
    created_time: int
    updated_time: int


class NamingKey(Shown):
    """A key that names the guardrail."""

    id: str
    name: str


class Suppression(Shown):
    """A finding that is none."""

    id: str
    guardrail_id: str
    rule_id: str
    fingerprint: str
    match_id: str
    entity: str
    author_id: str
    created_time: int


class Marked(Shown):
    """A match's findings, suppressed or not any more."""

    match_id: str
    suppressed: bool
    items: list[Suppression]


class Violation(Shown):
    """A finding, by its place in the text."""

    rule: str
    type: str
    label: str
    entity: str
    action: Action
    start: int
    end: int


class NotEvaluated(Shown):
    """A rule that could not be tried."""

    rule: str
    type: str
    reason: str


class Trial(Shown):
    """What a draft does to a text."""

    blocked: bool
    mutated: bool
    sanitized: str
    violations: list[Violation]
    advisories: list[str] = Field(default_factory=list, description="Given when there are any, as what was not tried.")
    not_evaluated: list[NotEvaluated] = Field(default_factory=list)
    released: list[str] = Field(default_factory=list, description="What each chunk released; for a trial in chunks.")


class Fired(Shown):
    """A rule that fires in a replay."""

    rule: str
    type: str
    entity: str
    action: Action
    count: int


class Replayed(Shown):
    """A request that would end otherwise."""

    request_id: str
    occurred_at: str | None = Field(description="ISO 8601.")
    stage: Stage
    before: Done
    after: Done
    matches: list[Fired]


class Summary(Shown):
    """How many ended how."""

    evaluated: int
    matched: int
    blocked: int
    masked: int
    changed: int
    unchanged: int
    not_evaluable: int


class Simulation(Shown):
    """What a draft would change of what was captured."""

    items: list[Replayed]
    summary: Summary
    not_evaluable: int
    truncated: bool
