"""Routes of posture: autonomy levels with their undo, and templates."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, FastAPI
from pydantic import StrictBool, StrictStr

from services.common.answers import Answer, lists, shows
from services.common.errors import Invalid
from services.common.http import Body, Principal, Role, ok, require
from services.firewall import answers
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

    @api.get(f"{BASE}/autonomy", responses=shows(answers.Autonomy))
    async def read_autonomy(principal: Member) -> Answer:
        """The level in force; `applying` while the guardrail has yet to follow."""
        return ok(await postures.current(principal.workspace_id))

    @api.post(f"{BASE}/autonomy", responses=shows(answers.Autonomy))
    async def apply_autonomy(principal: Developer, body: AutonomyBody) -> Answer:
        """Applies a level; never weakens a default that someone authored, unless `replace`."""
        workspace_id, user_id = principal.workspace_id, principal.user_id
        return ok(await postures.apply(workspace_id, user_id, body.level, replacing=body.replace))

    @api.post(f"{BASE}/autonomy/undo", responses=shows(answers.Autonomy))
    async def undo_autonomy(principal: Developer, body: UndoBody | None = None) -> Answer:
        """Restores the exact former state."""
        force = body.force if body is not None else False
        return ok(await postures.undo(principal.workspace_id, principal.user_id, force=force))

    @api.get(f"{BASE}/templates", responses=lists(answers.Template))
    async def list_templates(principal: Member) -> Answer:
        """Policies for common kinds of agents."""
        return ok({"items": templates()})

    @api.post(f"{BASE}/templates/apply", responses=shows(answers.AppliedTemplate))
    async def apply_template(principal: Developer, body: TemplateBody) -> Answer:
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
