"""gRPC: wire ↔ domain. Verdicts are data; an error means unreachable or late, never denied.

Long arguments are judged in a thread, so that one request's megabyte does not stop the others.
"""

from __future__ import annotations

import asyncio
from typing import Any

from orca.common.v1 import common_pb2
from orca.firewall.v1 import firewall_pb2 as pb
from orca.firewall.v1 import firewall_pb2_grpc
from services.common.errors import Invalid, NotFound
from services.common.ids import new_id
from services.firewall.domain.engine import Call, Judgement, observe, strictest
from services.firewall.domain.model import Surface, Verdict
from services.firewall.domain.resolution import Resolution
from services.firewall.policies import Policies
from services.firewall.snapshot import Snapshot

INLINE_MAX = 64 * 1024
"""Characters of arguments judged on the event loop; more go to a thread."""

_SURFACES = {
    pb.SURFACE_INBOUND: Surface.INBOUND,
    pb.SURFACE_RESPONSE: Surface.RESPONSE,
    pb.SURFACE_MCP: Surface.MCP,
}
_VERDICTS = {
    Verdict.ALLOW: pb.VERDICT_ALLOW,
    Verdict.AUDIT: pb.VERDICT_AUDIT,
    Verdict.DENY: pb.VERDICT_DENY,
    Verdict.SANITIZE: pb.VERDICT_SANITIZE,
    Verdict.PENDING_APPROVAL: pb.VERDICT_PENDING_APPROVAL,
    Verdict.OBSERVE: pb.VERDICT_OBSERVE,
}


class FirewallServicer(firewall_pb2_grpc.FirewallServiceServicer):
    """The action plane."""

    def __init__(self, snapshot: Snapshot, policies: Policies) -> None:
        self._snapshot = snapshot
        self._policies = policies

    async def Evaluate(self, request: pb.EvaluateRequest, context: Any) -> pb.EvaluateResponse:
        """Judges the tools or calls of one surface."""
        surface = _SURFACES.get(request.surface)
        if surface is None:
            raise Invalid("surface: must be inbound, response or mcp", param="surface")
        resolution = self._snapshot.resolve(request.context.workspace_id, request.firewall_policy_id)
        response = pb.EvaluateResponse(policy=_ref(resolution), verdict=pb.VERDICT_ALLOW)
        if resolution.policy is not None:
            response.may_refuse_output = resolution.policy.may_refuse_output
        if not request.calls:
            return response
        calls = [Call(call.tool_name, call.arguments_json) for call in request.calls]
        judgements = await run_judge(resolution, surface, calls)
        decisive = strictest(judgements)
        if decisive is None:
            return response
        response.verdict = _VERDICTS[decisive.verdict]
        if decisive.verdict.enforcing:
            response.message = refusal(resolution, decisive)
        response.calls.extend([_verdict(judgement, request.surface) for judgement in judgements])
        return response

    async def Settle(self, request: pb.SettleRequest, context: Any) -> pb.SettleResponse:
        """Nothing is reserved while `cap_cost` is not available, so nothing is left to settle."""
        return pb.SettleResponse()

    async def GetApproval(self, request: pb.GetApprovalRequest, context: Any) -> pb.GetApprovalResponse:
        """No verdict creates approvals yet, so every id is unknown."""
        raise NotFound("no such approval")

    async def Redeem(self, request: pb.RedeemRequest, context: Any) -> pb.RedeemResponse:
        """No verdict creates approvals yet, so every id is unknown."""
        return pb.RedeemResponse(redeemed=False, code="firewall_approval_unknown")

    async def PolicyExists(self, request: pb.PolicyExistsRequest, context: Any) -> pb.PolicyExistsResponse:
        """Reads the database, so that a policy created on another replica is known at once."""
        exists = await self._policies.exists(request.policy.workspace_id, request.policy.policy_id)
        return pb.PolicyExistsResponse(policy=common_pb2.PolicyExistsResponse(exists=exists))


async def run_judge(resolution: Resolution, surface: Surface, calls: list[Call]) -> list[Judgement]:
    """Judgements that are to be recorded, computed where their size belongs."""
    if resolution.policy is None and not resolution.observe:
        return []

    def judge() -> list[Judgement]:
        if resolution.policy is None:
            return observe(surface, calls)
        return resolution.policy.judge(surface, calls)

    size = sum(len(call.arguments_json) for call in calls)
    return judge() if size <= INLINE_MAX else await asyncio.to_thread(judge)


def refusal(resolution: Resolution, decisive: Judgement) -> str:
    """The tenant's message: names the policy and why, never an argument."""
    name = resolution.policy.policy.name if resolution.policy is not None else ""
    return f'request blocked by firewall policy "{name}": {decisive.reason}'


def _ref(resolution: Resolution) -> common_pb2.PolicyRef:
    if resolution.policy is None:
        return common_pb2.PolicyRef(dangling=resolution.dangling)
    policy = resolution.policy.policy
    return common_pb2.PolicyRef(id=policy.id, name=policy.name, version=policy.version, dangling=resolution.dangling)


def _verdict(judgement: Judgement, surface: pb.Surface.ValueType) -> pb.CallVerdict:
    return pb.CallVerdict(
        index=judgement.index,
        verdict=_VERDICTS[judgement.verdict],
        reason=judgement.reason,
        rule_id=judgement.rule_id,
        rule_label=judgement.rule_label,
        shadow=judgement.shadow,
        gap=judgement.gap,
        args_hash=judgement.args_hash,
        args_summary=judgement.args_summary,
        surface=surface,
        id=new_id("fe"),
    )
