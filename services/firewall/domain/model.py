"""Policies and rules as values, and the order of verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a rule or a default decides; `observe` only where no policy applies. `cap_cost` is a rule's verdict that
    decides nothing or deny."""

    ALLOW = "allow"
    AUDIT = "audit"
    SANITIZE = "sanitize"
    PENDING_APPROVAL = "pending_approval"
    DENY = "deny"
    OBSERVE = "observe"
    CAP_COST = "cap_cost"

    @property
    def strictness(self) -> int:
        """Higher is stricter: deny > pending_approval > sanitize > audit > allow."""
        return _STRICTNESS[self]

    @property
    def enforcing(self) -> bool:
        """The action does not pass as it came."""
        return self in _ENFORCING

    @property
    def restricting(self) -> bool:
        """Doubt counts as a match: deny and pending_approval, and a cap."""
        return self in _RESTRICTING


_STRICTNESS = {
    Verdict.ALLOW: 0,
    Verdict.OBSERVE: 0,
    Verdict.AUDIT: 1,
    Verdict.SANITIZE: 2,
    Verdict.PENDING_APPROVAL: 3,
    Verdict.DENY: 4,
    Verdict.CAP_COST: 4,
}
_ENFORCING = frozenset({Verdict.SANITIZE, Verdict.PENDING_APPROVAL, Verdict.DENY, Verdict.CAP_COST})
_RESTRICTING = frozenset({Verdict.PENDING_APPROVAL, Verdict.DENY, Verdict.CAP_COST})


class Surface(StrEnum):
    """Where the firewall sees an action."""

    INBOUND = "inbound"
    RESPONSE = "response"
    MCP = "mcp"
    EGRESS = "egress"


CALL_SURFACES = frozenset({Surface.RESPONSE, Surface.MCP})
"""Surfaces where a call's arguments are known."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on the arguments. `value` is plain JSON."""

    path: str
    op: str
    value: Any = None


class SemanticKind(StrEnum):
    """What a call does, as parsing shows."""

    DESTRUCTIVE_SHELL = "destructive_shell"
    DESTRUCTIVE_SQL = "destructive_sql"
    CREDENTIAL_ACCESS = "credential_access"
    PACKAGE_INSTALL = "package_install"
    PRIVILEGE_ESCALATION = "privilege_escalation"
    NETWORK_FETCH = "network_fetch"
    FILE_WRITE_OUTSIDE = "file_write_outside"


@dataclass(frozen=True, slots=True)
class Egress:
    """Where a call may reach out to: host names (`*.` in front for all below), addresses, ranges, `private`."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    resolve_names: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence: so many calls of a tool, perhaps only those that reach out somewhere."""

    tool_name_glob: str = "*"
    min_count: int = 1
    egress: Egress | None = None


@dataclass(frozen=True, slots=True)
class CallSequence:
    """Calls of one run in this order inside a window."""

    window_seconds: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """More than `max_calls` inside a window. `same` splits the count by tool or by identical call."""

    max_calls: int
    window_seconds: int
    per: str = "run"
    same: str = ""


@dataclass(frozen=True, slots=True)
class CustomRedaction:
    """An author's own pattern; its name stands in the token."""

    pattern: str
    name: str = "custom"


@dataclass(frozen=True, slots=True)
class Sanitize:
    """What is redacted inside string values; without paths, in all of them."""

    presets: tuple[str, ...] = ()
    custom: tuple[CustomRedaction, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; declared matchers are ANDed. An empty `stage` means every surface where all of them have data."""

    id: str
    verdict: Verdict
    priority: int = 100
    label: str = ""
    notes: str = ""
    enabled: bool = True
    stage: str = ""
    tool_name_glob: str = "*"
    args_match: tuple[Clause, ...] = ()
    semantic_match: tuple[SemanticKind, ...] = ()
    egress: Egress | None = None
    sequence: CallSequence | None = None
    rate: Rate | None = None
    sanitize: Sanitize | None = None
    cap_cost_cents: int | None = None

    @property
    def permitting(self) -> bool:
        """allow and audit: must hold for everything a matcher looks at."""
        return self.verdict in (Verdict.ALLOW, Verdict.AUDIT)

    @property
    def stateful(self) -> bool:
        """Needs counters."""
        return self.sequence is not None or self.rate is not None or self.verdict is Verdict.CAP_COST

    @property
    def surfaces(self) -> frozenset[Surface]:
        """Where the rule is a candidate."""
        if self.stage:
            return frozenset({Surface(self.stage)})
        if self.verdict is Verdict.CAP_COST:
            return frozenset({Surface.INBOUND, Surface.MCP})
        if self.egress is not None:
            # A restriction speaks where the destination is; a permission must also be able to let the call through.
            return CALL_SURFACES | {Surface.EGRESS} if self.permitting else frozenset({Surface.EGRESS})
        needs_call = self.args_match or self.semantic_match or self.sequence or self.rate
        if needs_call or self.verdict in (Verdict.SANITIZE, Verdict.PENDING_APPROVAL):
            return CALL_SURFACES
        return CALL_SURFACES | {Surface.INBOUND}


@dataclass(frozen=True, slots=True)
class Policy:
    """A named action policy of a workspace."""

    id: str
    workspace_id: str
    name: str
    version: int = 1
    enabled: bool = True
    is_default: bool = False
    default_verdict: Verdict = Verdict.AUDIT
    shadow_mode: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A workspace's firewall settings."""

    observe_mode: bool = False
    approval_ttl_s: int = 3600
