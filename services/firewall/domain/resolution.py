"""Which policy governs a call. The pinned table of the specification.

A key that names a disabled policy is governed by the workspace default, the opposite of the guardrail's off
switch: an action plane is not turned off by a key. A dangling name does the same, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.firewall.domain.engine import CompiledPolicy
from services.firewall.domain.model import Settings


@dataclass(frozen=True, slots=True)
class Workspace:
    """The policies of one workspace, enabled or not, and its settings; replaced whole on a change."""

    by_id: Mapping[str, CompiledPolicy] = field(default_factory=dict)
    default: CompiledPolicy | None = None
    settings: Settings = Settings()


@dataclass(frozen=True, slots=True)
class Resolution:
    """The policy that applies, if any; `observe`: none does and calls are recorded all the same."""

    policy: CompiledPolicy | None
    dangling: bool = False
    observe: bool = False


def resolve(workspace: Workspace, policy_id: str) -> Resolution:
    """Applies the table; an empty id or `0` inherits the workspace default."""
    dangling = False
    if policy_id and policy_id != "0":
        named = workspace.by_id.get(policy_id)
        if named is not None and named.policy.enabled:
            return Resolution(named)
        dangling = named is None
    default = workspace.default
    if default is not None and default.policy.enabled:
        return Resolution(default, dangling)
    return Resolution(None, dangling, workspace.settings.observe_mode)
