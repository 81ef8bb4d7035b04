"""gRPC `guardrail.v1`. Verdicts are data; an error means unreachable or late, never blocked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from orca.common.v1 import common_pb2
from orca.guardrail.v1 import guardrail_pb2 as pb
from orca.guardrail.v1 import guardrail_pb2_grpc
from services.common.errors import Invalid
from services.guardrail.domain.model import Stage
from services.guardrail.domain.redacting import redact, unknown
from services.guardrail.domain.resolution import CompiledGuardrail, Resolution
from services.guardrail.domain.stream import OUTPUT_ROLE, TooManyFields
from services.guardrail.domain.whole import holds, needs_sources
from services.guardrail.plane import Frame, StreamJudge, fingerprinter, judge
from services.guardrail.policies import Policies
from services.guardrail.posture import Postures
from services.guardrail.posture_wire import PostureMethods
from services.guardrail.rulings import Asker, Rulings
from services.guardrail.snapshot import Snapshot
from services.guardrail.wire import (
    OUTCOMES,
    STAGES,
    block_of,
    fill_response,
    match_of,
    ref_of,
    result_of,
    safe_text,
    segment_of,
)

REDACT_NAMES_MAX = 64
REDACT_TEXTS_MAX = 1_000
REDACT_CHARS_MAX = 4 * 1024 * 1024
REDACT_INLINE_MAX = 4_096
"""Characters redacted on the event loop."""


class GuardrailServicer(PostureMethods, guardrail_pb2_grpc.GuardrailServiceServicer):
    """The text plane."""

    def __init__(self, snapshot: Snapshot, policies: Policies, rulings: Rulings, fingerprint_key: bytes) -> None:
        self._snapshot = snapshot
        self._policies = policies
        self._rulings = rulings
        self._key = fingerprint_key
        self._postures = Postures(policies)

    def _frame(self, guardrail: CompiledGuardrail, context: common_pb2.RequestContext) -> Frame:
        return Frame(
            guardrail,
            fingerprinter(self._key, context.workspace_id),
            self._snapshot.suppressed(context.workspace_id),
            Asker(context.key_id, context.request_id, context.model),
        )

    def _pinned(self, resolution: Resolution, workspace_id: str, pin: common_pb2.PolicyRef) -> Resolution:
        """The version that the input was judged with, while it is cached, else what applies now."""
        held = self._snapshot.version(pin.id, pin.version) if pin.id and pin.version else None
        if held is None or held.guardrail.workspace_id != workspace_id:
            return resolution
        return Resolution(held, resolution.dangling)

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:
        """Judges all segments of one stage."""
        stage = STAGES.get(request.stage)
        if stage is None:
            raise Invalid("stage: must be input or output", param="stage")
        resolution = self._snapshot.resolve(request.context.workspace_id, request.guardrail_id)
        if stage is Stage.OUTPUT:
            resolution = self._pinned(resolution, request.context.workspace_id, request.policy)
        response = pb.CheckResponse(policy=ref_of(resolution), outcome=pb.OUTCOME_PASSED)
        response.output_mode = pb.OUTPUT_MODE_NONE
        if resolution.policy is None:
            return response
        role = OUTPUT_ROLE if stage is Stage.OUTPUT else ""
        segments = [segment_of(segment, role) for segment in request.segments]
        sources = [segment_of(segment) for segment in request.sources]
        frame = self._frame(resolution.policy, request.context)
        fill_response(response, await judge(frame, self._rulings, stage, segments, sources))
        output = resolution.policy.output
        if stage is Stage.INPUT and output.rules:
            response.output_mode = pb.OUTPUT_MODE_HOLD if holds(output) else pb.OUTPUT_MODE_INCREMENTAL
            response.needs_sources = needs_sources(output)
        response.output_enforced = output.enforces
        # A mask rule refuses too: what cannot be masked (an object key) is blocked.
        response.may_refuse_output = output.enforces or output.may_block
        return response

    async def CheckStream(
        self, request_iterator: AsyncIterator[pb.CheckStreamRequest], context: Any
    ) -> AsyncIterator[pb.CheckStreamResponse]:
        """Judges an answer while it streams."""
        stream: _Stream | None = None
        async for request in request_iterator:
            kind = request.WhichOneof("message")
            if stream is None:
                if kind != "open":
                    raise Invalid("the first message must open the stream", param="open")
                stream = self._open(request.open)
            elif kind == "chunk":
                yield await stream.chunk(request.chunk)
            elif kind == "end":
                yield await stream.end()
                return
            else:
                raise Invalid("expected a chunk or the end", param="message")
            if stream.blocked:
                return

    def _open(self, opened: pb.StreamOpen) -> _Stream:
        resolution = self._snapshot.resolve(opened.context.workspace_id, opened.guardrail_id)
        pin = opened.policy
        if not pin.id and resolution.policy is not None:
            pin = common_pb2.PolicyRef(id=resolution.policy.guardrail.id, version=opened.policy_version)
        resolution = self._pinned(resolution, opened.context.workspace_id, pin)
        reference, policy = ref_of(resolution), resolution.policy
        if policy is None:
            return _Stream(reference, None)
        sources = [segment_of(segment) for segment in opened.sources]
        return _Stream(reference, StreamJudge(self._frame(policy, opened.context), self._rulings, sources))

    async def Redact(self, request: pb.RedactRequest, context: Any) -> pb.RedactResponse:
        """Entities out of texts, by name; long ones in a thread."""
        names = list(dict.fromkeys(request.entities))
        size = sum(map(len, request.texts))
        if len(names) > REDACT_NAMES_MAX:
            raise Invalid(f"entities: must be at most {REDACT_NAMES_MAX}", param="entities")
        if len(request.texts) > REDACT_TEXTS_MAX or size > REDACT_CHARS_MAX:
            raise Invalid(f"texts: must be at most {REDACT_TEXTS_MAX}, of {REDACT_CHARS_MAX} characters", param="texts")
        missing = unknown(names)
        if missing:
            return pb.RedactResponse(unknown=missing)
        texts = list(request.texts)

        def work() -> list[str]:
            return [redact(text, names) for text in texts]

        return pb.RedactResponse(texts=work() if size <= REDACT_INLINE_MAX else await asyncio.to_thread(work))

    async def PolicyExists(self, request: pb.PolicyExistsRequest, context: Any) -> pb.PolicyExistsResponse:
        """Tells auth whether a key may name this guardrail."""
        exists = await self._policies.exists(request.policy.workspace_id, request.policy.policy_id)
        return pb.PolicyExistsResponse(policy=common_pb2.PolicyExistsResponse(exists=exists))


class _Stream:
    """One CheckStream call after its opening; without a policy everything passes."""

    def __init__(self, policy: common_pb2.PolicyRef, judge: StreamJudge | None) -> None:
        self._policy = policy
        self._judge = judge
        self.blocked = False

    async def chunk(self, chunk: pb.StreamChunk) -> pb.CheckStreamResponse:
        if self._judge is None:
            return pb.CheckStreamResponse(released=chunk.pieces)
        try:
            released = await self._judge.push([(piece.field, piece.text, piece.last) for piece in chunk.pieces])
        except TooManyFields as error:
            raise Invalid(str(error), param="field") from None
        response = pb.CheckStreamResponse()
        self._fill(response, released.pieces)
        if released.block is not None:
            self._close(response, released.block)
        return response

    async def end(self) -> pb.CheckStreamResponse:
        response = pb.CheckStreamResponse()
        block = None
        if self._judge is not None:
            released = await self._judge.end()
            block = released.block
            self._fill(response, released.pieces)
        self._close(response, block)
        return response

    def _fill(self, response: pb.CheckStreamResponse, pieces: tuple[tuple[str, str, bool], ...]) -> None:
        response.released.extend(
            pb.StreamPiece(field=name, text=safe_text(text), last=last) for name, text, last in pieces
        )

    def _close(self, response: pb.CheckStreamResponse, block: Any) -> None:
        response.verdict.policy.CopyFrom(self._policy)
        response.verdict.outcome = pb.OUTCOME_PASSED
        if self._judge is None:
            return
        response.verdict.outcome = OUTCOMES[self._judge.outcome]
        response.verdict.results.extend(map(result_of, self._judge.results()))
        response.verdict.matches.extend(map(match_of, self._judge.matches()))
        if block is not None:
            response.block.CopyFrom(block_of(block))
            self.blocked = True
