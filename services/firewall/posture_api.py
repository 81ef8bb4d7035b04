"""Routes of posture: autonomy levels with their undo, and templates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI
from pydantic import StrictBool, StrictStr

from services.common.errors import Invalid
from services.common.http import Body, Principal, Role, ok, require
from services.firewall.domain.presets import templates
from services.firewall.policies import Policies, checked_name, policy_warnings, shown
from services.firewall.posture import Postures

BASE = "/api/workspace/firewall"

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]


class AutonomyBody(Body):
    """Which level; `replace`: an authored default gives way."""

    level: Literal["tight", "balanced", "permissive"]
    replace: StrictBool = False


class UndoBody(Body):
    """`force`: restore also over changes made since."""

    force: StrictBool = False


class TemplateBody(Body):
    """Which template, and what its policy is called; as a default it replaces the former default at once."""

    template: StrictStr | None = None
    template_id: StrictStr | None = None
    id: StrictStr | None = None
    name: StrictStr | None = None
    is_default: StrictBool = False


def add_posture(api: FastAPI, postures: Postures, policies: Policies) -> None:
    """Adds the routes."""

    @api.get(f"{BASE}/autonomy")
    async def read_autonomy(principal: Member) -> dict[str, Any]:
        """The level in force; `applying` while the guardrail has yet to follow."""
        return ok(await postures.current(principal.workspace_id))

    @api.post(f"{BASE}/autonomy")
    async def apply_autonomy(principal: Developer, body: AutonomyBody) -> dict[str, Any]:
        """Applies a level; never weakens a default that someone authored, unless `replace`."""
        workspace_id, user_id = principal.workspace_id, principal.user_id
        return ok(await postures.apply(workspace_id, user_id, body.level, replacing=body.replace))

    @api.post(f"{BASE}/autonomy/undo")
    async def undo_autonomy(principal: Developer, body: UndoBody | None = None) -> dict[str, Any]:
        """Restores the exact former state."""
        force = body.force if body is not None else False
        return ok(await postures.undo(principal.workspace_id, principal.user_id, force=force))

    @api.get(f"{BASE}/templates")
    async def list_templates(principal: Member) -> dict[str, Any]:
        """Policies for common kinds of agents."""
        return ok({"items": templates()})

    @api.post(f"{BASE}/templates/apply")
    async def apply_template(principal: Developer, body: TemplateBody) -> dict[str, Any]:
        """A new, ordinary policy with a template's rules."""
        wanted = body.template or body.template_id or body.id or body.name
        found = next((item for item in templates() if item["id"] == wanted), None)
        if found is None:
            names = ", ".join(item["id"] for item in templates())
            raise Invalid(f"template: must be one of {names}", param="template")
        fields = {
            **found["policy"],
            "name": checked_name(body.name or found["policy"]["name"]),
            "is_default": body.is_default,
        }
        stored = await policies.create(principal.workspace_id, principal.user_id, fields)
        return ok({**shown(stored), "template": found["id"], "warnings": policy_warnings(stored.policy)})
