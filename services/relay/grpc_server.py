"""gRPC `relay.v1`, for the guardrail alone."""

from __future__ import annotations

from typing import Any

from orca.relay.v1 import relay_pb2, relay_pb2_grpc
from services.common.errors import Invalid
from services.relay.pipeline.judging import JudgePipeline

MAX_RUBRIC_CHARS = 32_000
MAX_TEXT_CHARS = 2_000_000


class RelayServicer(relay_pb2_grpc.RelayServiceServicer):
    """Answers judge questions."""

    def __init__(self, judging: JudgePipeline) -> None:
        self._judging = judging

    async def Judge(self, request: relay_pb2.JudgeRequest, context: Any) -> relay_pb2.JudgeResponse:
        """The model's words and what they cost. Raises OrcaErrors."""
        del context
        for name in ("workspace_id", "key_id", "model"):
            if not getattr(request, name):
                raise Invalid(f"{name}: must not be empty", param=name)
        if len(request.rubric) > MAX_RUBRIC_CHARS:
            raise Invalid("rubric: is too long", param="rubric")
        if not 0 < len(request.text) <= MAX_TEXT_CHARS:
            raise Invalid("text: is empty or too long", param="text")
        text, cost = await self._judging.ask(
            request.workspace_id, request.key_id, request.model, request.rubric, request.text
        )
        return relay_pb2.JudgeResponse(text=text, cost_nano_usd=cost)
