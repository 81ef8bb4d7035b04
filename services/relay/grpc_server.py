"""gRPC `relay.v1`, for the guardrail alone."""

from __future__ import annotations

from typing import Any

from orca.relay.v1 import relay_pb2
from services.common.errors import Unavailable


class RelayServicer:
    """Answers judge questions. No judge model is served yet, which callers see as a dependency that is down."""

    async def Judge(self, request: relay_pb2.JudgeRequest, context: Any) -> relay_pb2.JudgeResponse:
        """Raises 503 `judge_unavailable`, so that an `llm_judge` rule ends as not evaluated."""
        del request, context
        raise Unavailable("this relay serves no judge model", code="judge_unavailable")
