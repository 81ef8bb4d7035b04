"""Policies and rules as values, and the order of verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a rule or a default decides; `observe` only where no policy applies."""

    ALLOW = "allow"
    AUDIT = "audit"
    SANITIZE = "sanitize"
    PENDING_APPROVAL = "pending_approval"
    DENY = "deny"
    OBSERVE = "observe"

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
        """Doubt counts as a match: deny and pending_approval."""
        return self in _RESTRICTING


_STRICTNESS = {
    Verdict.ALLOW: 0,
    Verdict.OBSERVE: 0,
    Verdict.AUDIT: 1,
    Verdict.SANITIZE: 2,
    Verdict.PENDING_APPROVAL: 3,
    Verdict.DENY: 4,
}
_ENFORCING = frozenset({Verdict.SANITIZE, Verdict.PENDING_APPROVAL, Verdict.DENY})
_RESTRICTING = frozenset({Verdict.PENDING_APPROVAL, Verdict.DENY})


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

    @property
    def surfaces(self) -> frozenset[Surface]:
        """Where the rule is a candidate. `egress` needs an egress matcher, so no rule here reaches it."""
        possible = CALL_SURFACES if self.args_match else CALL_SURFACES | {Surface.INBOUND}
        if not self.stage:
            return possible
        return possible & {Surface(self.stage)}


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
