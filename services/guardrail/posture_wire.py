"""gRPC of autonomy levels: wire ↔ use cases."""

from __future__ import annotations

from typing import Any

from orca.guardrail.v1 import guardrail_pb2 as pb
from services.guardrail.posture import Postures


class PostureMethods:
    """The posture methods of guardrail.v1, mixed into the servicer."""

    _postures: Postures

    async def StagePosture(self, request: pb.StagePostureRequest, context: Any) -> pb.StagePostureResponse:
        """Announces a level."""
        kept = await self._postures.stage(
            request.workspace_id, request.stage_id, request.level, replacing=request.replace
        )
        return pb.StagePostureResponse(kept=kept)

    async def CommitPosture(self, request: pb.CommitPostureRequest, context: Any) -> pb.CommitPostureResponse:
        """Activates a level."""
        stage = request.stage
        done = await self._postures.commit(
            stage.workspace_id, stage.stage_id, stage.level, request.actor_id, replacing=stage.replace
        )
        return pb.CommitPostureResponse(kept=done.kept, guardrail_id="" if done.kept else done.managed_id)

    async def UndoPosture(self, request: pb.UndoPostureRequest, context: Any) -> pb.UndoPostureResponse:
        """Restores what was before."""
        await self._postures.undo(
            request.workspace_id,
            request.stage_id,
            request.actor_id,
            force=request.force,
            check_only=request.check_only,
        )
        return pb.UndoPostureResponse()
