"""The guardrail's view of a streamed answer's text: one CheckStream call, pieces in, released pieces out.

Lockstep: one response per message, each within the policy deadline. Until the first response came, an
unreachable plane may fail open, and then all text passes; afterwards its failure refuses the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import OrcaError, RpcDeadline, RpcUnavailable
from services.common.rpc import trace_metadata, translate
from services.relay.pipeline.events import add_guardrail
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.policy import Asked, Planes, guardrail_refusal, unavailable

Pieces = list[tuple[str, str]]


class TextGuard:
    """Judges the texts of one streamed answer. `close` must be called, whatever happened."""

    def __init__(self, planes: Planes, x: Exchange) -> None:
        self._planes = planes
        self._x = x
        self._call: Any = None
        self._answered = False
        self._opened_up = False
        self._spent_s = 0.0
        self._ended = False

    async def push(self, pieces: Pieces) -> Pieces:
        """Sends pieces (field, text), returns what is safe now. Raises PolicyRefusal, or 503."""
        if self._opened_up or not pieces:
            return pieces
        chunk = guardrail_pb2.StreamChunk(
            pieces=[guardrail_pb2.StreamPiece(field=field, text=text) for field, text in pieces]
        )
        response = await self._exchange(guardrail_pb2.CheckStreamRequest(chunk=chunk))
        return pieces if response is None else self._released(response)

    async def end(self) -> Pieces:
        """Asks for the tail and the verdict."""
        if self._opened_up:
            return []
        response = await self._exchange(guardrail_pb2.CheckStreamRequest(end=guardrail_pb2.StreamEnd()))
        if response is None:
            return []
        self._ended = True
        if response.HasField("verdict") and not response.HasField("block"):
            add_guardrail(self._x, "output", response.verdict, None, self._spent_s)
        return self._released(response)

    def _released(self, response: guardrail_pb2.CheckStreamResponse) -> Pieces:
        if response.HasField("block"):
            self._ended = True
            verdict = response.verdict
            if verdict.outcome == guardrail_pb2.OUTCOME_UNSPECIFIED:
                verdict.outcome = guardrail_pb2.OUTCOME_BLOCKED
            add_guardrail(self._x, "output", verdict, response.block, self._spent_s)
            refusal = guardrail_refusal(response.block)
            raise TextRefused([(p.field, p.text) for p in response.released], refusal)
        return [(piece.field, piece.text) for piece in response.released]

    async def _exchange(self, request: guardrail_pb2.CheckStreamRequest) -> guardrail_pb2.CheckStreamResponse | None:
        started = self._planes.clock.monotonic_s()
        try:
            async with asyncio.timeout(self._planes.deadline_s):
                if self._call is None:
                    self._call = self._planes.guardrail.CheckStream(metadata=trace_metadata())
                    await self._call.write(self._opening())
                await self._call.write(request)
                response = await self._call.read()
            if response is grpc.aio.EOF:  # type: ignore[attr-defined]
                raise RpcUnavailable("the guardrail ended the stream")
        except TimeoutError:
            self._failed(RpcDeadline("the guardrail is late"), started)
            return None
        except grpc.RpcError as error:
            self._failed(translate(error), started)
            return None
        except (RpcUnavailable, asyncio.InvalidStateError):
            self._failed(RpcUnavailable("the guardrail ended the stream"), started)
            return None
        finally:
            self._spent_s += self._planes.clock.monotonic_s() - started
        self._answered = True
        checked: guardrail_pb2.CheckStreamResponse = response
        return checked

    def _opening(self) -> guardrail_pb2.CheckStreamRequest:
        return guardrail_pb2.CheckStreamRequest(
            open=guardrail_pb2.StreamOpen(
                context=self._x.context(),
                guardrail_id=self._x.key.key.guardrail_id,
                policy_version=self._x.guardrail.version,
                sources=self._x.sources,
                policy=self._x.guardrail,
            )
        )

    def _failed(self, error: OrcaError, started: float) -> None:
        """Fails open only while nothing was judged yet, else refuses."""
        asked = Asked(None, error, self._planes.clock.monotonic_s() - started)
        if self._answered:
            asked.error = RpcDeadline("the guardrail failed in the middle of an answer")
        unavailable(self._x, "guardrail", "output", asked, answered=True)
        self._opened_up = True

    async def close(self) -> None:
        """Ends the call."""
        if self._call is None:
            return
        if self._ended:
            with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
                await self._call.done_writing()
        else:
            self._call.cancel()


class TextRefused(Exception):
    """A block: `released` is what was safe before it, `refusal` the answer."""

    def __init__(self, released: Pieces, refusal: OrcaError) -> None:
        super().__init__(refusal.message)
        self.released = released
        self.refusal = refusal
