"""The read-only routes of the data plane: models a key may use, and approvals it waits for."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from orca.firewall.v1 import firewall_pb2
from services.common.clock import Clock
from services.common.errors import NotFound, OrcaError
from services.relay.edge.incoming import Incoming
from services.relay.edge.reply import Reply
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.gate import Gate
from services.relay.pipeline.policy import Planes
from services.relay.pipeline.refusals import policy_unavailable
from services.relay.ports import Journal, ModelRoute

_APPROVAL_ID = re.compile(r"[0-9a-f]{24}")


def model_object(route: ModelRoute) -> dict[str, Any]:
    """A model in OpenAI's shape; the owner is the provider part of its id."""
    return {"id": route.model_id, "object": "model", "created": 0, "owned_by": route.model_id.partition("/")[0]}


class Catalogue:
    """Serves the `GET` routes."""

    def __init__(self, gate: Gate, planes: Planes, journal: Journal, clock: Clock) -> None:
        self._gate = gate
        self._planes = planes
        self._journal = journal
        self._clock = clock

    async def _identified(self, request_id: str, endpoint: str, incoming: Incoming) -> Exchange:
        x = Exchange(request_id, endpoint, self._clock.monotonic_s())
        try:
            await self._gate.identify(x, incoming)
        except OrcaError as error:
            self._journal.refusal(x.entry, error.code)
            raise
        return x

    async def models(self, request_id: str, incoming: Incoming, reply: Reply) -> None:
        """All models the key may use."""
        x = await self._identified(request_id, "/v1/models", incoming)
        found = sorted(await self._gate.visible(x), key=lambda route: route.model_id)
        await reply.json(200, msgspec.json.encode({"object": "list", "data": [model_object(r) for r in found]}))

    async def model(self, request_id: str, incoming: Incoming, reply: Reply, model: str) -> None:
        """One model, by an id that may hold slashes."""
        x = await self._identified(request_id, "/v1/models", incoming)
        found = await self._gate.visible(x, model)
        if not found:
            raise NotFound("the model does not exist or the key may not use it", code="model_not_found", param="model")
        await reply.json(200, msgspec.json.encode(model_object(found[0])))

    async def approval(self, request_id: str, incoming: Incoming, reply: Reply, approval_id: str) -> None:
        """State of an approval that this key caused."""
        x = await self._identified(request_id, "/v1/firewall/approvals", incoming)
        if _APPROVAL_ID.fullmatch(approval_id) is None:
            raise NotFound("the approval does not exist")
        request = firewall_pb2.GetApprovalRequest(
            workspace_id=x.key.key.workspace_id, key_id=x.key.key.key_id, approval_id=approval_id
        )
        asked = await self._planes.ask(self._planes.firewall.GetApproval, request)
        if asked.error is not None:
            raise asked.error if asked.error.status == 404 else policy_unavailable(answered=False)
        found = asked.response
        body = {
            "id": approval_id,
            "object": "firewall.approval",
            "state": found.state,
            "tool_name": found.tool_name,
            "expires_at": found.expires_at_unix_s,
            "reason": found.reason,
        }
        await reply.json(200, msgspec.json.encode(body))
