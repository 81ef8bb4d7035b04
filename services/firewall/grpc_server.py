"""gRPC: wire ↔ domain. Verdicts are data; an error means unreachable or late, never denied."""

from __future__ import annotations

from typing import Any

from orca.common.v1 import common_pb2
from orca.firewall.v1 import firewall_pb2 as pb
from orca.firewall.v1 import firewall_pb2_grpc
from services.common.clock import Clock
from services.common.errors import Invalid, OrcaError, Unavailable
from services.common.ids import new_id
from services.firewall.approvals import Approvals, Asker, Held
from services.firewall.domain.engine import Call, Judgement
from services.firewall.domain.model import Surface, Verdict
from services.firewall.domain.resolution import Resolution
from services.firewall.evaluation import Evaluator, refusal
from services.firewall.policies import Policies
from services.firewall.redeeming import Redeemer

_SURFACES = {
    pb.SURFACE_INBOUND: Surface.INBOUND,
    pb.SURFACE_RESPONSE: Surface.RESPONSE,
    pb.SURFACE_MCP: Surface.MCP,
}
_PB_SURFACES = {**{value: key for key, value in _SURFACES.items()}, Surface.EGRESS: pb.SURFACE_EGRESS}
_VERDICTS = {
    Verdict.ALLOW: pb.VERDICT_ALLOW,
    Verdict.AUDIT: pb.VERDICT_AUDIT,
    Verdict.DENY: pb.VERDICT_DENY,
    Verdict.SANITIZE: pb.VERDICT_SANITIZE,
    Verdict.PENDING_APPROVAL: pb.VERDICT_PENDING_APPROVAL,
    Verdict.OBSERVE: pb.VERDICT_OBSERVE,
}
TOO_LARGE = "the answer is too large to be held for approval"


class FirewallServicer(firewall_pb2_grpc.FirewallServiceServicer):
    """The action plane."""

    def __init__(
        self, evaluator: Evaluator, policies: Policies, approvals: Approvals, redeemer: Redeemer, clock: Clock
    ) -> None:
        self._evaluator = evaluator
        self._policies = policies
        self._approvals = approvals
        self._redeemer = redeemer
        self._clock = clock

    async def Evaluate(self, request: pb.EvaluateRequest, context: Any) -> pb.EvaluateResponse:
        """Judges the tools or calls of one surface."""
        surface = _SURFACES.get(request.surface)
        if surface is None:
            raise Invalid("surface: must be inbound, response or mcp", param="surface")
        calls = [Call(call.tool_name, call.arguments_json) for call in request.calls]
        evaluated = await self._evaluator.evaluate(
            asker_of(request.context), request.firewall_policy_id, surface, calls, request.worst_case_nano_usd
        )
        resolution, decisive = evaluated.resolution, evaluated.decisive
        response = pb.EvaluateResponse(policy=_ref(resolution), verdict=pb.VERDICT_ALLOW)
        if resolution.policy is not None:
            response.may_refuse_output = resolution.policy.may_refuse_output
        response.cost_reserved = evaluated.cost_reserved
        if decisive is None:
            return response
        response.verdict = _VERDICTS[decisive.verdict]
        response.approval_id = evaluated.approval_id
        response.refusal_code = evaluated.refusal_code
        if decisive.verdict is Verdict.PENDING_APPROVAL:
            response.message = f"{refusal(resolution, decisive)}; approval {evaluated.approval_id}"
        elif decisive.verdict.enforcing:
            response.message = refusal(resolution, decisive)
        response.calls.extend(
            [_verdict(judgement, surface, evaluated.approval_id) for judgement in evaluated.judgements]
        )
        return response

    async def Settle(self, request: pb.SettleRequest, context: Any) -> pb.SettleResponse:
        """Ends what `cap_cost` reserved; idempotent by request id."""
        await self._evaluator.settle(asker_of(request.context), request.cost_nano_usd)
        return pb.SettleResponse()

    async def GetApproval(self, request: pb.GetApprovalRequest, context: Any) -> pb.GetApprovalResponse:
        """State of an approval that the key caused."""
        found = await self._approvals.get(request.workspace_id, request.approval_id, request.key_id)
        return pb.GetApprovalResponse(
            state=found.state_at(self._clock.now_us()),
            tool_name=found.calls[0].tool_name,
            expires_at_unix_s=found.expires_at_us // 1_000_000,
            reason=found.reason,
        )

    async def Hold(self, request: pb.HoldRequest, context: Any) -> pb.HoldResponse:
        """Keeps an answer until its approval ends."""
        held = Held(request.answer, tuple(Call(call.tool_name, call.arguments_json) for call in request.calls))
        kept = await self._approvals.hold(
            asker_of(request.context), request.approval_id, request.body_hash, held, request.account_id
        )
        return pb.HoldResponse(held=kept, message="" if kept else TOO_LARGE)

    async def Redeem(self, request: pb.RedeemRequest, context: Any) -> pb.RedeemResponse:
        """The held answer, once; a refusal is data with its code."""
        try:
            answer = await self._redeemer.redeem(
                request.workspace_id,
                request.key_id,
                request.approval_id,
                request.body_hash,
                request.firewall_policy_id,
                peek=request.peek,
            )
        except Unavailable:
            raise
        except OrcaError as error:
            return pb.RedeemResponse(redeemed=False, code=error.code, message=error.message)
        return pb.RedeemResponse(redeemed=not request.peek, held_answer=answer)

    async def PolicyExists(self, request: pb.PolicyExistsRequest, context: Any) -> pb.PolicyExistsResponse:
        """Reads the database, so that a policy created on another replica is known at once."""
        exists = await self._policies.exists(request.policy.workspace_id, request.policy.policy_id)
        return pb.PolicyExistsResponse(policy=common_pb2.PolicyExistsResponse(exists=exists))


def asker_of(context: common_pb2.RequestContext) -> Asker:
    """Whose calls these are; without a run id the request is the run."""
    return Asker(context.workspace_id, context.key_id, context.run_id or context.request_id, context.request_id)


def _ref(resolution: Resolution) -> common_pb2.PolicyRef:
    if resolution.policy is None:
        return common_pb2.PolicyRef(dangling=resolution.dangling)
    policy = resolution.policy.policy
    return common_pb2.PolicyRef(id=policy.id, name=policy.name, version=policy.version, dangling=resolution.dangling)


def _verdict(judgement: Judgement, surface: Surface, approval_id: str) -> pb.CallVerdict:
    pending = judgement.verdict is Verdict.PENDING_APPROVAL
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
        surface=_PB_SURFACES[judgement.surface or surface],
        destination=judgement.destination,
        sanitized_arguments_json=judgement.sanitized_arguments_json,
        approval_id=approval_id if pending else "",
        id=new_id("fe"),
    )
