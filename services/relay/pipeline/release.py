"""A retry under an approval: answered from the held answer, without the provider, charged once.

Order: the firewall shows the answer if state, key, body and today's policy allow it; the output guardrail judges
it again; then the firewall charges it and marks the approval used, before the first byte goes out.
"""

from __future__ import annotations

import re
from typing import Any

import jiter
import msgspec

from orca.events.v1.events_pb2 import Decision
from orca.firewall.v1 import firewall_pb2
from orca.guardrail.v1 import guardrail_pb2
from services.common.errors import NotFound, OrcaError
from services.relay.domain.answer import calls_of
from services.relay.domain.segments import collect_request
from services.relay.edge.reply import DONE_FRAME, frame
from services.relay.pipeline.approvals import body_hash
from services.relay.pipeline.events import add_decision
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.policy import APPROVAL_HEADER, Planes, message_sources
from services.relay.pipeline.refusals import PolicyRefusal, policy_unavailable
from services.relay.pipeline.whole import judge_answer_texts

_APPROVAL_ID = re.compile(r"[0-9a-f]{24}")
_CREDIT = ("credit_limit_exceeded", "quota_insufficient")


async def released_answer(planes: Planes, x: Exchange) -> bytes:
    """The answer's bytes, whole or as frames. Raises PolicyRefusal, 402, 404 or 503."""
    if _APPROVAL_ID.fullmatch(x.approval_id) is None:
        raise NotFound("the approval does not exist")
    request = firewall_pb2.RedeemRequest(
        workspace_id=x.key.key.workspace_id,
        key_id=x.key.key.key_id,
        approval_id=x.approval_id,
        body_hash=body_hash(x),
        firewall_policy_id=x.key.key.firewall_policy_id,
        peek=True,
    )
    held = await _redeem(planes, x, request)
    answer: dict[str, Any] = jiter.from_json(held)
    # Which output rules apply now is for the guardrail to say, so it is always asked.
    x.output_mode = guardrail_pb2.OUTPUT_MODE_HOLD
    x.sources = message_sources(collect_request(x.body), ())
    await judge_answer_texts(planes, x, answer)
    request.peek = False
    await _redeem(planes, x, request)
    reason = f"approval {x.approval_id}: the held answer is released"
    add_decision(x, Decision(plane="firewall", stage="response", outcome="allow", reason=reason))
    messages = [choice["message"] for choice in answer["choices"]]
    x.tool_calls = sum(len(list(calls_of(message))) for message in messages)
    x.finish_reasons = [c["finish_reason"] for c in answer["choices"] if c.get("finish_reason")]
    return _frames(x, answer) if x.stream else msgspec.json.encode(answer)


async def _redeem(planes: Planes, x: Exchange, request: firewall_pb2.RedeemRequest) -> bytes:
    asked = await planes.ask(planes.firewall.Redeem, request)
    if asked.response is None:
        raise policy_unavailable(answered=False)
    response: firewall_pb2.RedeemResponse = asked.response
    if not response.code:
        return response.held_answer
    if response.code == "not_found":
        raise NotFound("the approval does not exist")
    if response.code in _CREDIT:
        raise OrcaError(response.message, code=response.code, status=402, type="insufficient_quota")
    add_decision(
        x,
        Decision(plane="firewall", stage="response", outcome="deny", code=response.code, reason=response.message),
    )
    raise PolicyRefusal(response.message, code=response.code, headers={APPROVAL_HEADER: x.approval_id})


def _frames(x: Exchange, answer: dict[str, Any]) -> bytes:
    """The answer as the stream that was asked for."""
    template = {name: value for name, value in answer.items() if name not in ("choices", "usage")}
    template["object"] = "chat.completion.chunk"
    if x.include_usage:
        template["usage"] = None
    chunks = []
    for choice in answer["choices"]:
        message = choice["message"]
        for position, call in enumerate(message.get("tool_calls") or ()):
            call["index"] = position
        chunks.append({"index": choice["index"], "delta": message, "logprobs": None, "finish_reason": None})
    for choice in answer["choices"]:
        finish = choice.get("finish_reason")
        chunks.append({"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": finish})
    frames = b"".join(frame({**template, "choices": [chunk]}) for chunk in chunks)
    if x.include_usage and answer.get("usage") is not None:
        frames += frame({**template, "choices": [], "usage": answer["usage"]})
    return frames + DONE_FRAME
