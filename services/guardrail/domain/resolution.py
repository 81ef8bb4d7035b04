"""Which guardrail governs a request, and what its answer will need. The pinned table of the specification.

A key that names a disabled guardrail is governed by none: attaching it is the off switch. A key that names
one that does not exist is governed by the workspace default, and the answer says so: never by none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Guardrail, Stage


class CompiledGuardrail:
    """A guardrail with both stages compiled; cached by id and version."""

    def __init__(self, guardrail: Guardrail, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets` of its webhooks by rule id."""
        self.guardrail = guardrail
        self.secrets: Mapping[str, str] = secrets or {}
        self.input = CompiledPolicy(guardrail, Stage.INPUT)
        self.output = CompiledPolicy(guardrail, Stage.OUTPUT)

    def at(self, stage: Stage) -> CompiledPolicy:
        """The rules of one stage."""
        return self.input if stage is Stage.INPUT else self.output


class WorkspaceGuardrails(Protocol):
    """The guardrails of one workspace, enabled or not."""

    @property
    def by_id(self) -> Mapping[str, CompiledGuardrail]:
        """All of them."""

    @property
    def default(self) -> CompiledGuardrail | None:
        """The one marked as default, enabled or not."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The guardrail that applies, if any; `dangling`: the key named one that does not exist."""

    policy: CompiledGuardrail | None
    dangling: bool = False


def resolve(workspace: WorkspaceGuardrails, guardrail_id: str) -> Resolution:
    """Applies the table; an empty id or `0` inherits the workspace default."""
    dangling = False
    if guardrail_id and guardrail_id != "0":
        named = workspace.by_id.get(guardrail_id)
        if named is not None:
            return Resolution(named if named.guardrail.enabled else None)
        dangling = True
    default = workspace.default
    enabled = default is not None and default.guardrail.enabled
    return Resolution(default if enabled else None, dangling)
