"""Gateway routes: the evaluate hook and the polling of approvals, for callers that run tools themselves.

A call is judged on `mcp` unless it says otherwise, and recorded here, with its decision, in one transaction.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Depends, FastAPI, Request
from pydantic import StrictStr

from orca.auth.v1.auth_pb2 import KeyRecord
from services.common.answers import Answer, shows
from services.common.clock import Clock
from services.common.errors import Invalid
from services.common.http import Body, ok
from services.common.ids import new_id
from services.firewall import answers
from services.firewall.approvals import Approvals, Asker, shown
from services.firewall.domain.engine import Call
from services.firewall.domain.model import Surface
from services.firewall.gateway import Actor, Gateway, client_address
from services.firewall.hooks import Asked, Hooks

BASE = "/api/v1/firewall"
TOOL_NAME_MAX = 256
ID_MAX = 128
DESTINATIONS_MAX = 64
DESTINATION_MAX = 2048
_IDS = ("agent_run_id", "step_id", "parent_step_id", "conversation_id", "client_request_id")


class EvaluateBody(Body):
    """One call that is about to be made."""

    tool_name: StrictStr
    arguments: dict[str, Any] | StrictStr | None = None
    key_id: StrictStr | None = None
    surface: StrictStr = "mcp"
    destinations: list[StrictStr] | None = None
    agent_run_id: StrictStr | None = None
    step_id: StrictStr | None = None
    parent_step_id: StrictStr | None = None
    conversation_id: StrictStr | None = None
    client_request_id: StrictStr | None = None
    approval_id: StrictStr | None = None

    def checked(self) -> EvaluateBody:
        """Itself. Raises Invalid naming the field."""
        checked_tool_name(self.tool_name)
        if self.surface not in ("inbound", "response", "mcp"):
            raise Invalid("surface: must be inbound, response or mcp", param="surface")
        for name in _IDS:
            value = getattr(self, name)
            if value is not None and (len(value) > ID_MAX or not (value.isascii() and value.isprintable())):
                raise Invalid(f"{name}: must be printable ASCII of at most {ID_MAX} characters", param=name)
        destinations = self.destinations or []
        if len(destinations) > DESTINATIONS_MAX or any(len(item) > DESTINATION_MAX for item in destinations):
            message = f"destinations: must be at most {DESTINATIONS_MAX}, of at most {DESTINATION_MAX} characters"
            raise Invalid(message, param="destinations")
        checked_unicode("".join(destinations), "destinations")
        return self


def add_hooks(api: FastAPI, gateway: Gateway, hooks: Hooks, approvals: Approvals, clock: Clock) -> None:
    """Adds the routes."""

    async def admitted(request: Request) -> KeyRecord:
        # A dependency, so that a caller without a key learns nothing about bodies.
        peer = request.client.host if request.client is not None else ""
        address = client_address(request.headers.get, peer)
        return await gateway.admitted(request.headers.get("authorization", ""), address)

    async def acting(key: KeyRecord, request: Request, named: str | None = None) -> Actor:
        """The acting key: the one named, else that of the `X-Orca-Key-Id` header, else the gateway key itself."""
        return await gateway.actor(key, named or request.headers.get("x-orca-key-id"))

    @api.post(f"{BASE}/evaluate", responses=shows(answers.Judged))
    async def evaluate(request: Request, body: EvaluateBody, key: KeyRecord = Depends(admitted)) -> Answer:
        """The verdict on one call. Every evaluation is an event; enforcing it is the caller's part."""
        actor = await acting(key, request, body.key_id)
        body.checked()
        request_id = new_id("req")
        asked = Asked(
            call=Call(body.tool_name, raw_arguments(body.arguments), tuple(body.destinations or ())),
            surface=Surface(body.surface),
            asker=Asker(actor.workspace_id, actor.key_id, body.agent_run_id or request_id, request_id),
            step_id=body.step_id or "",
            parent_step_id=body.parent_step_id or "",
            conversation_id=body.conversation_id or "",
            approval_id=body.approval_id or "",
        )
        told = await hooks.evaluate(actor, asked)
        return ok(told.shown(body.arguments))

    @api.get(f"{BASE}/approvals/{{approval_id}}", responses=shows(answers.Approval))
    async def poll_approval(request: Request, approval_id: str, key: KeyRecord = Depends(admitted)) -> Answer:
        """State of an approval in the gateway key's workspace."""
        actor = await acting(key, request)
        return ok(shown(await approvals.get(actor.workspace_id, approval_id), clock.now_us()))


def raw_arguments(arguments: dict[str, Any] | str | None) -> str:
    """Arguments as text; a string is taken as the model gave it."""
    if arguments is None:
        return ""
    if isinstance(arguments, str):
        return checked_unicode(arguments, "arguments")
    try:
        return checked_unicode(json.dumps(arguments, ensure_ascii=False), "arguments")
    except RecursionError:
        raise Invalid("arguments: nested too deep", param="arguments") from None


def checked_tool_name(name: str) -> str:
    """A tool name that can be judged and recorded. Raises Invalid."""
    if not name or len(name) > TOOL_NAME_MAX or "\0" in name:
        raise Invalid(f"tool_name: must have 1 to {TOOL_NAME_MAX} characters", param="tool_name")
    return checked_unicode(name, "tool_name")


def checked_unicode(text: str, param: str) -> str:
    """Text without lone surrogates, which JSON can write and UTF-8 cannot. Raises Invalid."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{param}: must be valid Unicode", param=param) from None
    return text
