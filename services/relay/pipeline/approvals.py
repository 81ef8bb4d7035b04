"""Answers that wait for a reviewer: handed to the firewall, which keeps them until the approval ends."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from orca.firewall.v1 import firewall_pb2
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.policy import Planes
from services.relay.pipeline.refusals import policy_unavailable

HELD_BYTES_MAX = 256 * 1024
TOO_LARGE = "the answer is too large to be held for approval"


def body_hash(x: Exchange) -> bytes:
    """SHA-256 of the request's body: members may come in another order, nothing else may differ."""
    return hashlib.sha256(msgspec.json.encode(msgspec.json.decode(x.raw_body), order="sorted")).digest()


async def hold(
    planes: Planes,
    x: Exchange,
    response: firewall_pb2.EvaluateResponse,
    calls: Sequence[firewall_pb2.ToolCall],
    answer: dict[str, Any] | None,
) -> None:
    """Hands the answer over; one that cannot be held turns the verdict into a deny. Raises 503."""
    kept = dict(answer) if answer is not None else {}
    # Redeeming judges the answer again without knowing token by token what a mask would hide.
    kept["choices"] = [{**choice, "logprobs": None} for choice in kept.get("choices", ())]
    encoded = msgspec.json.encode(kept) if answer is not None else b""
    fits = 0 < len(encoded) <= HELD_BYTES_MAX
    request = firewall_pb2.HoldRequest(
        context=x.context(),
        approval_id=response.approval_id,
        body_hash=body_hash(x),
        # An answer that does not fit is announced all the same, so that its approval is withdrawn.
        answer=encoded if fits else bytes(HELD_BYTES_MAX + 1),
        calls=calls,
        account_id=x.key.key.account_id,
    )
    asked = await planes.ask(planes.firewall.Hold, request)
    if asked.response is None:
        raise policy_unavailable(answered=True)
    if asked.response.held:
        return
    response.verdict = firewall_pb2.VERDICT_DENY
    response.message = f'request blocked by firewall policy "{response.policy.name}": {TOO_LARGE}'
    response.approval_id = ""
    for verdict in response.calls:
        if verdict.verdict == firewall_pb2.VERDICT_PENDING_APPROVAL:
            verdict.verdict, verdict.approval_id = firewall_pb2.VERDICT_DENY, ""
            verdict.reason = f"{verdict.reason}; {TOO_LARGE}"
