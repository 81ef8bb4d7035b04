"""`ports.JudgeModel` over the relay's gRPC: the answer is charged to the workspace's judge key there."""

from __future__ import annotations

from typing import Any

from orca.relay.v1 import relay_pb2
from services.common.errors import OrcaError, RpcDeadline, Unavailable
from services.common.rpc import call
from services.guardrail.ports import NotEvaluated, Question


class RelayJudge:
    """Asks `relay.v1.Judge`."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def ask(self, question: Question, timeout_s: float) -> str:
        """See `ports.JudgeModel`."""
        request = relay_pb2.JudgeRequest(
            workspace_id=question.workspace_id,
            key_id=question.key_id,
            model=question.model,
            rubric=question.rubric,
            text=question.text.encode("utf-8", "replace").decode(),
            request_id=question.request_id,
            rule_id=question.rule_id,
        )
        try:
            answer = await call(self._stub.Judge, request, timeout_s=timeout_s)
        except RpcDeadline:
            raise NotEvaluated("timeout") from None
        except Unavailable:
            raise NotEvaluated("dependency_down") from None
        except OrcaError as error:
            raise NotEvaluated("rate_limited" if error.status == 429 else "judge_refused") from None
        return str(answer.text)
