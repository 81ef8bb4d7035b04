"""Judging an answer's tool calls and texts, shared by whole and streamed answers.

Order: firewall on the raw calls, its redactions, then the output guardrail on the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orca.firewall.v1 import firewall_pb2
from orca.guardrail.v1 import guardrail_pb2
from services.relay.domain.answer import call_ids, calls_of
from services.relay.domain.segments import Segment, apply_replacements
from services.relay.pipeline.approvals import hold
from services.relay.pipeline.events import CAPTURED_CALLS_MAX, add_firewall, add_guardrail
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.policy import Planes, firewall_refusal, guardrail_refusal, unavailable
from services.relay.pipeline.refusals import policy_unavailable


async def judge_calls(
    planes: Planes,
    x: Exchange,
    messages: Sequence[tuple[int, dict[str, Any]]],
    whole: Callable[[], dict[str, Any] | None],
) -> bool:
    """Evaluates all tool calls of all choices together; writes redacted arguments into the messages.

    `whole` gives the answer to hold when a call waits for a reviewer, None when it is too long to be held.
    Returns whether anything was redacted. Raises PolicyRefusal, or 503 when the plane is down.
    """
    holders, calls = [], []
    for choice, message in messages:
        ids = call_ids(message)
        for position, (holder, key) in enumerate(calls_of(message)):
            holders.append((holder, key))
            calls.append(
                firewall_pb2.ToolCall(
                    tool_name=holder.get("name") or "",
                    arguments_json=holder.get(key) or "",
                    call_id=ids[position],
                    choice=choice,
                )
            )
    x.tool_calls = len(calls)
    if x.captured is not None:
        x.captured += [("tool_arguments", call.arguments_json) for call in calls[:CAPTURED_CALLS_MAX]]
    if not calls:
        return False
    request = planes.evaluation(x, firewall_pb2.SURFACE_RESPONSE, calls)
    asked = await planes.ask(planes.firewall.Evaluate, request)
    if asked.response is None:
        unavailable(x, "firewall", "response", asked, answered=True)
        return False
    response: firewall_pb2.EvaluateResponse = asked.response
    redacted = _redact(response, holders)
    if response.verdict == firewall_pb2.VERDICT_PENDING_APPROVAL:
        await hold(planes, x, response, calls, whole())
    add_firewall(x, request, response, asked.latency_s)
    refusal = firewall_refusal(response)
    if refusal is not None:
        raise refusal
    return redacted


def _redact(response: firewall_pb2.EvaluateResponse, holders: Sequence[tuple[dict[str, Any], str]]) -> bool:
    redacted = False
    for verdict in response.calls:
        if verdict.verdict == firewall_pb2.VERDICT_SANITIZE and 0 <= verdict.index < len(holders):
            holder, key = holders[verdict.index]
            holder[key] = verdict.sanitized_arguments_json
            redacted = True
    return redacted


async def judge_texts(planes: Planes, x: Exchange, segments: Sequence[Segment]) -> bool:
    """Checks output texts and applies masks. Returns whether anything changed. Raises like `judge_calls`."""
    if x.output_mode == guardrail_pb2.OUTPUT_MODE_NONE:
        return False
    asked = await planes.check(x, guardrail_pb2.STAGE_OUTPUT, segments)
    if asked.response is None:
        unavailable(x, "guardrail", "output", asked, answered=True)
        return False
    response: guardrail_pb2.CheckResponse = asked.response
    block = response.block if response.outcome == guardrail_pb2.OUTCOME_BLOCKED else None
    add_guardrail(x, "output", response, block, asked.latency_s)
    if block is not None:
        raise guardrail_refusal(block)
    if not apply_replacements(segments, [(r.index, r.text) for r in response.replacements]):
        raise policy_unavailable(answered=True)
    return bool(response.replacements)
