"""Calls of the text plane as the relay makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from orca.common.v1.common_pb2 import RequestContext
from orca.guardrail.v1 import guardrail_pb2 as pb
from tests.unit.guardrail.harness import Harness

CONTEXT = RequestContext(workspace_id="w1", key_id="key_1", request_id="req_1", model="p/m")


def segment(text: str, role: str = "user", kind: str = "TEXT", path: str = "") -> pb.Segment:
    """One text of a body."""
    return pb.Segment(text=text, role=role, kind=pb.SegmentKind.Value(f"SEGMENT_KIND_{kind}"), path=path)


async def check_input(service: Harness, *segments: pb.Segment) -> pb.CheckResponse:
    """What the plane says to a request."""
    return await service.servicer.Check(pb.CheckRequest(context=CONTEXT, stage=pb.STAGE_INPUT, segments=segments), None)


async def check_output(
    service: Harness, *texts: str, sources: Sequence[pb.Segment] = (), path: str = "choices[{0}].message.content"
) -> pb.CheckResponse:
    """What the plane says to an answer with one choice per text."""
    segments = [segment(text, role="", path=path.format(index)) for index, text in enumerate(texts)]
    return await service.servicer.Check(
        pb.CheckRequest(context=CONTEXT, stage=pb.STAGE_OUTPUT, segments=segments, sources=sources), None
    )


async def stream_output(
    service: Harness, *pieces: str | tuple[str, str], sources: Sequence[pb.Segment] = ()
) -> list[pb.CheckStreamResponse]:
    """What the plane says to a streamed answer, piece by piece; a bare text is of `0.content`."""

    async def requests() -> AsyncIterator[pb.CheckStreamRequest]:
        yield pb.CheckStreamRequest(open=pb.StreamOpen(context=CONTEXT, sources=sources))
        for piece in pieces:
            field, text = ("0.content", piece) if isinstance(piece, str) else piece
            yield pb.CheckStreamRequest(chunk=pb.StreamChunk(pieces=[pb.StreamPiece(field=field, text=text)]))
        yield pb.CheckStreamRequest(end=pb.StreamEnd())

    return [answer async for answer in service.servicer.CheckStream(requests(), None)]


def released(answers: Sequence[pb.CheckStreamResponse]) -> list[list[tuple[str, str]]]:
    """Per answer, the pieces let out."""
    return [[(piece.field, piece.text) for piece in answer.released if piece.text] for answer in answers]


def results(response: Any) -> list[tuple[str, str, str]]:
    """(type, status, reason) of each rule."""
    return [
        (r.rule_type, pb.RuleStatus.Name(r.status).removeprefix("RULE_STATUS_").lower(), r.reason)
        for r in response.results
    ]
