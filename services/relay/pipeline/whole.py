"""Answers that are not streamed: read, filtered, judged, re-serialised."""

from __future__ import annotations

from typing import Any

import jiter
import msgspec

from orca.guardrail.v1 import guardrail_pb2
from services.relay.domain.answer import ANSWER, CHOICE, Filter, extras_of, texts_of, usage_extras
from services.relay.domain.usage import parse_usage
from services.relay.pipeline.dispatch import interrupted
from services.relay.pipeline.exchange import Attempt, Exchange
from services.relay.pipeline.metrics import DROPPED_FIELDS
from services.relay.pipeline.output import judge_calls, judge_texts
from services.relay.pipeline.policy import Planes
from services.relay.pipeline.refusals import upstream_error
from services.relay.upstream.port import Answer, Interrupted


async def judged_answer(planes: Planes, x: Exchange, attempt: Attempt, answer: Answer) -> bytes:
    """The bytes for the client. Raises OrcaErrors; usage and sizes are noted on the attempt first."""
    try:
        raw = await answer.read()
    except Interrupted as error:
        raise interrupted(error) from None
    attempt.received_bytes = len(raw)
    filtered = Filter(frozenset(attempt.channel.extra_answer_fields))
    try:
        parsed = jiter.from_json(raw, allow_inf_nan=False)
    except ValueError:
        raise upstream_error("the provider's answer is not valid JSON") from None
    kept = filtered.answer(parsed)
    if kept is None:
        raise upstream_error("the provider's answer is not a chat completion")
    attempt.usage = parse_usage(parsed.get("usage"))
    if filtered.dropped:
        DROPPED_FIELDS.inc(filtered.dropped)
    kept["model"] = x.model
    kept.setdefault("id", x.request_id)
    kept["object"] = "chat.completion"
    if attempt.usage is None:
        kept.pop("usage", None)
    await _judge(planes, x, kept)
    body = msgspec.json.encode(kept)
    attempt.delivered_bytes = len(body)
    if x.captured is not None:
        x.delivered.append(body)
    return body


async def _judge(planes: Planes, x: Exchange, kept: dict[str, Any]) -> None:
    messages: list[tuple[int, dict[str, Any]]] = []
    for choice in kept["choices"]:
        if isinstance(choice.get("message"), dict):
            messages.append((choice["index"], choice["message"]))
        if choice.get("finish_reason"):
            x.finish_reasons.append(choice["finish_reason"])
    if await judge_calls(planes, x, messages, lambda: kept):
        # Some providers list the tokens of tool calls, too, and what was redacted is among them.
        for choice in kept["choices"]:
            if choice.get("logprobs") is not None:
                choice["logprobs"] = None
    await judge_answer_texts(planes, x, kept)


async def judge_answer_texts(planes: Planes, x: Exchange, kept: dict[str, Any]) -> None:
    """Checks every text of a whole answer and applies masks. Raises like `judge_texts`."""
    if x.output_mode == guardrail_pb2.OUTPUT_MODE_NONE:
        return
    segments = extras_of("", kept, ANSWER) + usage_extras(kept)
    for choice in kept["choices"]:
        segments += extras_of(f"choices[{choice['index']}].", choice, CHOICE)
        if x.output_enforced and choice.get("logprobs") is not None:
            choice["logprobs"] = None
    for choice in kept["choices"]:
        if isinstance(choice.get("message"), dict):
            segments += texts_of(f"choices[{choice['index']}].message", choice["message"])
    await judge_texts(planes, x, segments)
