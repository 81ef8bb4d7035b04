"""Streamed answers: parsed, filtered, judged while they flow, re-serialised.

The response starts with the first delivered content, so that an answer refused before that is an ordinary
400. Finish reasons, usage and held tool calls follow the last text; the caller books the request between
`relay` and `last_frames`, before the last byte goes out.
"""

from __future__ import annotations

from typing import Any

import jiter

from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import OrcaError
from services.relay.domain.answer import TEXT_FIELDS, Filter, texts_of
from services.relay.domain.chunks import StreamState, text_bytes
from services.relay.domain.sse import EventTooLarge, SseParser
from services.relay.domain.usage import parse_usage
from services.relay.domain.worst_case import Usage, exceeds_reserved
from services.relay.edge.reply import DONE_FRAME, Reply, frame
from services.relay.pipeline.dispatch import interrupted
from services.relay.pipeline.exchange import Attempt, Exchange
from services.relay.pipeline.metrics import DROPPED_FIELDS
from services.relay.pipeline.output import judge_calls, judge_texts
from services.relay.pipeline.policy import Planes
from services.relay.pipeline.refusals import upstream_error
from services.relay.pipeline.textguard import Pieces, TextGuard, TextRefused
from services.relay.upstream.port import Answer, Interrupted

Chunk = dict[str, Any]
MAX_WAITING = 1024
"""Chunks kept until the first content; those beyond say nothing that these did not, and are dropped."""


class StreamRelay:
    """Relays one streamed answer."""

    def __init__(self, planes: Planes, x: Exchange, attempt: Attempt, reply: Reply) -> None:
        self._planes = planes
        self._x = x
        self._attempt = attempt
        self._reply = reply
        self._filter = Filter(frozenset(attempt.channel.extra_answer_fields))
        self._state = StreamState()
        self._usage: Chunk | None = None
        self._counted: Usage | None = None
        """The provider's latest usage; it is the answer's only once the answer is complete."""
        self._waiting: list[Chunk] = []
        judged = x.output_mode != guardrail_pb2.OUTPUT_MODE_NONE
        self._guard = TextGuard(planes, x) if judged else None
        self._enforced = judged and (x.output_enforced or x.output_mode == guardrail_pb2.OUTPUT_MODE_HOLD)

    async def relay(self, answer: Answer) -> bytes:
        """Relays all text; returns the last frames, which the caller sends after booking. Raises OrcaErrors."""
        try:
            await self._flow(answer)
            return await self._finish()
        except TextRefused as refused:
            await self._deliver(self._text_chunks(refused.released))
            raise refused.refusal from None
        except Interrupted as error:
            raise interrupted(error) from None
        finally:
            if self._filter.dropped:
                DROPPED_FIELDS.inc(self._filter.dropped)
            if self._guard is not None:
                await self._guard.close()

    async def _flow(self, answer: Answer) -> None:
        parser = SseParser()
        try:
            async for data in answer.chunks():
                events = parser.feed(data)
                if not events:
                    continue
                done = events[-1].strip() == b"[DONE]"
                await self._events(events[:-1] if done else events)
                # A running count in the middle of an answer would settle a cut one for less than was delivered.
                if done or (self._state.complete and len(self._state.choices) >= self._x.shape.choices):
                    self._attempt.usage = self._counted
                if done:
                    return
        except EventTooLarge:
            raise upstream_error("the provider sent an event that is too large") from None
        if not self._state.complete:
            raise upstream_error("the provider's stream ended before the answer was complete")

    async def _events(self, events: list[bytes]) -> None:
        """All events of one network read go through the guardrail as one message. What came before a broken
        event is still delivered."""
        chunks: list[Chunk] = []
        pieces: Pieces = []
        failure: OrcaError | None = None
        for event in events:
            if event.strip() == b"[DONE]":
                break
            try:
                chunk, counted = self._parse(event)
            except OrcaError as error:
                failure = error
                break
            self._take_apart(chunk, chunks, pieces, counted=counted)
        if exceeds_reserved(self._attempt.received_bytes, self._attempt.case, self._x.shape.choices):
            raise upstream_error("the provider sent more than the output limit allows")
        if self._guard is not None and pieces:
            released = await self._guard.push(pieces)
            if self._enforced:
                chunks += self._text_chunks(released)
        await self._deliver(chunks)
        if failure is not None:
            raise failure

    def _parse(self, event: bytes) -> tuple[Chunk, bool]:
        """(chunk without usage, whether it brought a usage to be believed)."""
        try:
            raw = jiter.from_json(event, allow_inf_nan=False)
        except ValueError:
            raise upstream_error("the provider's stream is not valid JSON") from None
        if isinstance(raw, dict) and raw.get("error") is not None:
            raise upstream_error("the provider reported an error in the middle of its answer")
        chunk = self._filter.answer(raw, streamed=True)
        if chunk is None:
            raise upstream_error("the provider's stream is not a chat completion")
        usage = chunk.pop("usage", None)
        parsed = parse_usage(raw["usage"]) if usage is not None else None
        if usage is not None and parsed is not None:
            # Unlisted members are not judged in a stream, so behind a guardrail they do not pass.
            self._usage, self._counted = (usage if self._guard is None else Filter().usage(usage)), parsed
        chunk["model"], chunk["object"] = self._x.model, "chat.completion.chunk"
        chunk.setdefault("id", self._x.request_id)
        if self._guard is not None:
            # Members beside the deltas are not judged in a stream, so unlisted ones do not pass it.
            for name in self._attempt.channel.extra_answer_fields:
                self._filter.dropped += chunk.pop(name, None) is not None
        self._state.remember(chunk)
        return chunk, parsed is not None

    def _take_apart(self, chunk: Chunk, chunks: list[Chunk], pieces: Pieces, *, counted: bool) -> None:
        """Splits a chunk into what flows now, what the guardrail judges, and what is held."""
        for choice in chunk["choices"]:
            index, state = choice["index"], self._state.choice(choice["index"])
            if finish := choice.get("finish_reason"):
                state.finish_reason = finish
            choice["finish_reason"] = None
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                delta = choice["delta"] = {}
            if size := text_bytes(delta):
                self._attempt.received_bytes += size
                if not counted:
                    # What was counted before this text does not count it.
                    self._usage = self._counted = None
            if self._x.may_refuse_output:
                state.say(delta)
            flowing = ("role", *TEXT_FIELDS)
            held = [n for n in delta if n in ("tool_calls", "function_call") or (self._guard and n not in flowing)]
            if choice.get("logprobs") is not None and any(delta.get(name) for name in ("tool_calls", "function_call")):
                # Some providers list a call's tokens beside it; they must not go ahead of its verdict.
                choice["logprobs"] = None
            try:
                self._state.hold(index, delta, [name for name in held if delta[name] is not None])
            except ValueError:
                raise too_many_calls() from None
            if self._guard is not None:
                self._take_text(index, delta, pieces)
                if self._x.output_enforced and choice.get("logprobs") is not None:
                    choice["logprobs"] = None
                for name in self._attempt.channel.extra_answer_fields:
                    self._filter.dropped += choice.pop(name, None) is not None
        chunk["choices"] = [c for c in chunk["choices"] if c["delta"] or c.get("logprobs")]
        if chunk["choices"]:
            chunks.append(chunk)

    def _take_text(self, index: int, delta: dict[str, Any], pieces: Pieces) -> None:
        for name in TEXT_FIELDS:
            if isinstance(text := delta.get(name), str) and text:
                pieces.append((f"{index}.{name}", text))
                if self._enforced:
                    del delta[name]

    def _text_chunks(self, pieces: Pieces) -> list[Chunk]:
        """Chunks for released pieces; neighbours of one field are joined."""
        merged: list[list[str]] = []
        for field, text in pieces:
            if merged and merged[-1][0] == field:
                merged[-1][1] += text
            elif text:
                merged.append([field, text])
        chunks = []
        for field, text in merged:
            index, _, name = field.partition(".")
            chunks.append(self._state.chunk(int(index), {name: text}))
        return chunks

    async def _deliver(self, chunks: list[Chunk]) -> None:
        """Sends chunks; those without content wait for the first that has some."""
        if not chunks:
            return
        size = sum(text_bytes(choice["delta"]) for chunk in chunks for choice in chunk["choices"])
        if not size and not self._reply.started:
            free = MAX_WAITING - len(self._waiting)
            self._waiting += chunks[:free]
            self._filter.dropped += len(chunks[free:])
            return
        if not self._reply.started:
            self._x.first_byte_s = self._planes.clock.monotonic_s()
        frames = b"".join(map(self._frame, [*self._waiting, *chunks]))
        self._waiting = []
        # Counted before the bytes leave: a connection that breaks here may have delivered them.
        self._attempt.delivered_bytes += size
        if self._x.captured is not None:
            self._x.delivered.append(frames)
        await self._reply.frames(frames)

    def _frame(self, chunk: Chunk) -> bytes:
        if self._x.include_usage:
            chunk["usage"] = None
        return frame(chunk)

    def _whole(self, messages: list[tuple[int, Chunk]]) -> Chunk | None:
        answer = self._state.whole(messages)
        if answer is not None and self._usage is not None:
            answer["usage"] = self._usage
        return answer

    async def _finish(self) -> bytes:
        """Judges what was held and returns the last frames."""
        if self._guard is not None:
            released = await self._guard.end()
            if self._enforced:
                await self._deliver(self._text_chunks(released))
        try:
            messages = self._state.assembled()
        except ValueError:
            raise too_many_calls() from None
        changed = await judge_calls(self._planes, self._x, messages, lambda: self._whole(messages))
        changed |= any(self._state.choice(index).inexact for index, _ in messages)
        segments = [s for i, m in messages for s in texts_of(f"choices[{i}].delta", m)]
        if segments:
            changed |= await judge_texts(self._planes, self._x, segments)
        last = [*self._waiting, *self._state.released(messages, changed=changed)]
        self._attempt.delivered_bytes += sum(text_bytes(c["delta"]) for chunk in last for c in chunk["choices"])
        last += self._state.finishes()
        self._x.finish_reasons = [c.finish_reason for _, c in sorted(self._state.choices.items()) if c.finish_reason]
        frames = b"".join(map(self._frame, last))
        if self._x.include_usage and self._usage is not None:
            frames += frame({**self._state.template, "choices": [], "usage": self._usage})
        if self._x.captured is not None:
            self._x.delivered.append(frames)
        return frames + DONE_FRAME


def too_many_calls() -> OrcaError:
    """No answer has as many."""
    return upstream_error("the provider sent more tool calls than an answer can have")
