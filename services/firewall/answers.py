"""What the firewall's routes answer with, for the OpenAPI document. Times are Unix seconds unless they say else."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from services.common.answers import Shown
from services.firewall.domain.model import SemanticKind, Surface, Verdict


class Settings(Shown):
    """A workspace's firewall settings; the webhook's secret is in no answer."""

    observe_mode: bool
    approval_ttl_s: int
    webhook_url: str | None
    webhook_secret_set: bool


class Clause(Shown):
    """A condition on an argument."""

    path: str
    op: str
    value: Any


class Clauses(Shown):
    """Conditions that all hold."""

    clauses: list[Clause]


class Kinds(Shown):
    """Kinds of actions, as parsing shows them."""

    kinds: list[SemanticKind]


class Egress(Shown):
    """Destinations that match."""

    allow: list[str]
    deny: list[str]
    resolve_names: bool


class Step(Shown):
    """One step of a sequence."""

    tool_name_glob: str | None
    min_count: int
    egress: Egress | None


class Sequence(Shown):
    """Calls that follow each other."""

    window_seconds: int
    steps: list[Step]


class Rate(Shown):
    """Calls within a window."""

    max_calls: int
    window_seconds: int
    per: str
    same: str | None


class Pattern(Shown):
    """A pattern of the author's."""

    pattern: str
    name: str


class Sanitize(Shown):
    """What is taken out of arguments."""

    presets: list[str]
    custom: list[Pattern]
    paths: list[str]


class Rule(Shown):
    """A rule; what it does not ask for is null."""

    id: str
    priority: int
    label: str
    notes: str
    enabled: bool
    stage: str
    tool_name_glob: str | None
    args_match: Clauses | None
    semantic_match: Kinds | None
    egress: Egress | None
    sequence: Sequence | None
    rate: Rate | None
    sanitize: Sanitize | None
    verdict: Verdict
    cap_cost_cents: int | None


class Policy(Shown):
    """An action policy."""

    id: str
    name: str
    enabled: bool
    is_default: bool
    default_verdict: Verdict
    shadow_mode: bool
    rules: list[Rule]
    version: int
    created_time: int
    updated_time: int


class WrittenPolicy(Policy):
    """A policy as it was written, and what its author should look at again."""

    warnings: list[str]


class AppliedTemplate(WrittenPolicy):
    """The policy that a template made."""

    template: str


class Seed(Shown):
    """Rules to start from, as a policy's creation takes them."""

    id: str
    name: str
    description: str
    rules: list[dict[str, Any]]


class Template(Shown):
    """A whole policy to start from, as its creation takes it."""

    id: str
    description: str
    policy: dict[str, Any]


class PolicyRef(Shown):
    """The policy that judged."""

    id: str
    name: str
    version: int


class RuleRef(Shown):
    """The rule that decided."""

    id: str
    label: str


class Evaluation(Shown):
    """One judgement within a trial."""

    surface: Surface
    verdict: Verdict
    reason: str
    rule: RuleRef | None
    destination: str | None
    shadow: bool


class Trial(Shown):
    """What a policy says to a synthetic call."""

    surface: Surface
    verdict: Verdict
    reason: str
    message: str | None = Field(description="What the caller would be told.")
    policy: PolicyRef | None
    rule: RuleRef | None
    arguments: Any = Field(description="In the form they were given; sanitized where the verdict says so.")
    shadow: bool
    gap: bool
    args_hash: str | None
    args_summary: str | None
    evaluations: list[Evaluation]


class ChangeCount(Shown):
    """How many calls went from one verdict to another."""

    before: Verdict
    after: Verdict
    count: int


class Replayed(Shown):
    """A call that would be judged otherwise."""

    event_id: str
    occurred_at: str = Field(description="ISO 8601.")
    tool_name: str
    surface: Surface
    key_id: str
    run_id: str
    request_id: str
    args_hash: str
    args_summary: str
    before: Verdict
    after: Verdict
    reason: str
    rule: RuleRef | None


class Simulation(Shown):
    """What a policy would change of what was recorded."""

    days: int
    evaluated: int
    not_evaluable: int
    changed: int
    unchanged: int
    truncated: bool
    changes: list[ChangeCount]
    items: list[Replayed]


class Autonomy(Shown):
    """The level in force; only `level` and `applying` where none is."""

    level: Literal["tight", "balanced", "permissive"] | None
    applying: bool = Field(description="The guardrail has yet to follow.")
    policy: Literal["applied", "kept", "none"] = "none"
    guardrail: Literal["applied", "kept", "none"] = "none"
    policy_id: str | None = None
    guardrail_id: str | None = None
    observe_mode: bool = False
    applied_time: int = 0


class HeldCall(Shown):
    """A call that waits for the approval."""

    tool_name: str
    args_hash: str
    args_summary: str


class Approval(HeldCall):
    """An approval; the fields of its first call are its own."""

    id: str
    state: str
    calls: list[HeldCall]
    surface: Surface
    key_id: str
    run_id: str
    request_id: str
    policy: PolicyRef
    rule: RuleRef
    reason: str | None
    resolved_by: str | None
    created_time: int
    resolved_time: int | None
    expires_at: int


class Judged(Shown):
    """The verdict on one call."""

    verdict: Verdict
    reason: str
    policy: PolicyRef | None
    rule: RuleRef | None
    arguments: Any = Field(description="In the form they were given; sanitized where the verdict says so.")
    approval_id: str | None
    shadow: bool
    event_id: str | None


class McpTool(Shown):
    """A tool of a server."""

    name: str
    qualified_name: str
    state: str
    hash: str | None = Field(description="Of the definition as last seen.")
    approved_hash: str | None
    definition: dict[str, Any]


class McpServer(Shown):
    """A registered server; its credential is in no answer."""

    id: str
    name: str
    url: str
    enabled: bool
    has_credential: bool
    created_time: int
    updated_time: int
    probed_time: int
    tools: list[McpTool]
