"""gRPC: wire ↔ domain. Verdicts are data; an error means unreachable or late, never blocked.

Long texts are scanned in a thread, so that one request's megabyte does not stop the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from orca.common.v1 import common_pb2
from orca.guardrail.v1 import guardrail_pb2 as pb
from orca.guardrail.v1 import guardrail_pb2_grpc
from services.common.errors import Invalid
from services.common.ids import new_id
from services.guardrail.domain.check import check
from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import Block, Kind, Match, Outcome, RuleResult, Segment, Stage, Status
from services.guardrail.domain.resolution import CompiledGuardrail, Resolution
from services.guardrail.domain.stream import StreamScanner, TooManyFields
from services.guardrail.domain.tally import Fingerprint
from services.guardrail.policies import Policies
from services.guardrail.snapshot import Snapshot

INLINE_MAX = 100 * 1024
"""Characters scanned on the event loop; more go to a thread."""

_FINGERPRINT_HEX = 32

_KINDS = {
    pb.SEGMENT_KIND_TEXT: Kind.TEXT,
    pb.SEGMENT_KIND_JSON: Kind.JSON,
    pb.SEGMENT_KIND_IMMUTABLE: Kind.IMMUTABLE,
    pb.SEGMENT_KIND_UNSUPPORTED: Kind.UNSUPPORTED,
}
_STAGES = {pb.STAGE_INPUT: Stage.INPUT, pb.STAGE_OUTPUT: Stage.OUTPUT}
_OUTCOMES = {
    Outcome.PASSED: pb.OUTCOME_PASSED,
    Outcome.MASKED: pb.OUTCOME_MASKED,
    Outcome.BLOCKED: pb.OUTCOME_BLOCKED,
}
_STATUSES = {
    Status.PASSED: pb.RULE_STATUS_PASSED,
    Status.FIRED: pb.RULE_STATUS_FIRED,
    Status.NOT_EVALUATED: pb.RULE_STATUS_NOT_EVALUATED,
}

T = TypeVar("T")


def fingerprinter(key: bytes, workspace_id: str) -> Fingerprint:
    """Keyed digests of matched substrings; they differ between workspaces."""
    scoped = hmac.new(key, workspace_id.encode(), hashlib.sha256).digest()

    def fingerprint(text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(scoped, data, hashlib.sha256).hexdigest()[:_FINGERPRINT_HEX]

    return fingerprint


async def run_scan(size: int, work: Callable[[], T]) -> T:
    """Runs a scan of `size` characters where it belongs."""
    return work() if size <= INLINE_MAX else await asyncio.to_thread(work)


class GuardrailServicer(guardrail_pb2_grpc.GuardrailServiceServicer):
    """The text plane."""

    def __init__(self, snapshot: Snapshot, policies: Policies, fingerprint_key: bytes) -> None:
        self._snapshot = snapshot
        self._policies = policies
        self._key = fingerprint_key

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:
        """Judges all segments of one stage."""
        stage = _STAGES.get(request.stage)
        if stage is None:
            raise Invalid("stage: must be input or output", param="stage")
        workspace_id = request.context.workspace_id
        resolution = self._snapshot.resolve(workspace_id, request.guardrail_id)
        response = pb.CheckResponse(policy=_ref(resolution), outcome=pb.OUTCOME_PASSED)
        response.output_mode = pb.OUTPUT_MODE_NONE
        if resolution.policy is None:
            return response
        policy = resolution.policy.at(stage)
        segments = [_segment(segment) for segment in request.segments]
        size = sum(len(segment.text) for segment in segments)
        fingerprint = fingerprinter(self._key, workspace_id)
        verdict = await run_scan(size, lambda: check(policy, segments, fingerprint))
        response.outcome = _OUTCOMES[verdict.outcome]
        response.replacements.extend(
            pb.Replacement(index=index, text=_wire(text)) for index, text in sorted(verdict.replacements.items())
        )
        response.results.extend(map(_result, verdict.results))
        response.matches.extend(map(_match, verdict.matches))
        response.not_evaluated.extend(verdict.not_evaluated)
        if verdict.block is not None:
            response.block.CopyFrom(_block(verdict.block))
        output = resolution.policy.output
        if stage is Stage.INPUT and output.rules:
            response.output_mode = pb.OUTPUT_MODE_INCREMENTAL
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
        workspace_id = opened.context.workspace_id
        resolution = self._snapshot.resolve(workspace_id, opened.guardrail_id)
        policy = resolution.policy
        if policy is not None and opened.policy_version not in (0, policy.guardrail.version):
            policy = self._snapshot.version(policy.guardrail.id, opened.policy_version) or policy
        return _Stream(policy, resolution.dangling, fingerprinter(self._key, workspace_id))

    async def PolicyExists(self, request: pb.PolicyExistsRequest, context: Any) -> pb.PolicyExistsResponse:
        """Tells auth whether a key may name this guardrail."""
        exists = await self._policies.exists(request.policy.workspace_id, request.policy.policy_id)
        return pb.PolicyExistsResponse(policy=common_pb2.PolicyExistsResponse(exists=exists))


class _Stream:
    """One CheckStream call after its opening; without a policy everything passes."""

    def __init__(self, guardrail: CompiledGuardrail | None, dangling: bool, fingerprint: Fingerprint) -> None:
        self._ref = _ref(Resolution(guardrail, dangling))
        policy: CompiledPolicy | None = None if guardrail is None else guardrail.output
        self._scanner = None if policy is None else StreamScanner(policy)
        self._fingerprint = fingerprint
        self.blocked = False

    async def chunk(self, chunk: pb.StreamChunk) -> pb.CheckStreamResponse:
        if self._scanner is None:
            return pb.CheckStreamResponse(released=chunk.pieces)
        scanner = self._scanner
        response = pb.CheckStreamResponse()
        for piece in chunk.pieces:
            text = await run_scan(len(piece.text), partial(_push, scanner, piece))
            if text or piece.last:
                response.released.append(pb.StreamPiece(field=piece.field, text=_wire(text), last=piece.last))
            if scanner.block is not None:
                self._close(response)
                break
        return response

    async def end(self) -> pb.CheckStreamResponse:
        response = pb.CheckStreamResponse()
        if self._scanner is not None:
            for name, text in self._scanner.finish().items():
                response.released.append(pb.StreamPiece(field=name, text=_wire(text), last=True))
        self._close(response)
        return response

    def _close(self, response: pb.CheckStreamResponse) -> None:
        scanner = self._scanner
        response.verdict.policy.CopyFrom(self._ref)
        response.verdict.outcome = pb.OUTCOME_PASSED
        if scanner is None:
            return
        response.verdict.outcome = _OUTCOMES[scanner.outcome]
        response.verdict.results.extend(map(_result, scanner.results()))
        response.verdict.matches.extend(map(_match, scanner.matches(self._fingerprint)))
        if scanner.block is not None:
            response.block.CopyFrom(_block(scanner.block))
            self.blocked = True


def _push(scanner: StreamScanner, piece: pb.StreamPiece) -> str:
    try:
        return scanner.push(piece.field, piece.text, piece.last)
    except TooManyFields as error:
        raise Invalid(str(error), param="field") from None


def _segment(segment: pb.Segment) -> Segment:
    # An unknown kind comes from a newer relay: it is text that this version cannot read.
    return Segment(segment.text, _KINDS.get(segment.kind, Kind.UNSUPPORTED), segment.role, segment.path)


def _ref(resolution: Resolution) -> common_pb2.PolicyRef:
    if resolution.policy is None:
        return common_pb2.PolicyRef(dangling=resolution.dangling)
    guardrail = resolution.policy.guardrail
    return common_pb2.PolicyRef(
        id=guardrail.id, name=guardrail.name, version=guardrail.version, dangling=resolution.dangling
    )


def _wire(text: str) -> str:
    """Lone surrogates, which a JSON document may escape but protobuf cannot carry, become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def _result(result: RuleResult) -> pb.RuleResult:
    rule = result.rule
    return pb.RuleResult(
        rule_id=rule.id,
        rule_type=rule.type,
        label=rule.label,
        action=rule.action.value,
        status=_STATUSES[result.status],
        reason=result.reason,
    )


def _match(match: Match) -> pb.Match:
    return pb.Match(
        id=new_id("gm"),
        rule_id=match.rule.id,
        rule_type=match.rule.type,
        label=match.rule.label,
        action=match.action.value,
        entity=match.entity,
        count=match.count,
        detail=match.detail,
        matched=map(_wire, match.matched),
        fingerprints=match.fingerprints,
    )


def _block(block: Block) -> pb.Block:
    return pb.Block(rule_id=block.rule.id, rule_type=block.rule.type, detail=block.detail, message=block.message)
