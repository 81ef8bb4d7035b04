"""The events of a request, and the one place in the pipeline that names topics."""

from __future__ import annotations

from orca.events.v1.events_pb2 import (
    Capture,
    Decision,
    Envelope,
    FirewallEvaluation,
    GuardrailMatch,
    RequestCompleted,
    Spend,
)
from orca.firewall.v1 import firewall_pb2
from orca.guardrail.v1 import guardrail_pb2
from services.common.eventlog import topics
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.metrics import FIREWALL_SECONDS, GUARDRAIL_SECONDS

CAPTURE_BYTES_MAX = 256 * 1024
CAPTURED_CALLS_MAX = 128

VERDICTS = {
    firewall_pb2.VERDICT_ALLOW: "allow",
    firewall_pb2.VERDICT_AUDIT: "audit",
    firewall_pb2.VERDICT_DENY: "deny",
    firewall_pb2.VERDICT_SANITIZE: "sanitize",
    firewall_pb2.VERDICT_PENDING_APPROVAL: "pending_approval",
    firewall_pb2.VERDICT_OBSERVE: "observe",
    firewall_pb2.VERDICT_CAP_COST: "cap_cost",
}
SURFACES = {
    firewall_pb2.SURFACE_INBOUND: "inbound",
    firewall_pb2.SURFACE_RESPONSE: "response",
    firewall_pb2.SURFACE_MCP: "mcp",
    firewall_pb2.SURFACE_EGRESS: "egress",
}
OUTCOMES = {
    guardrail_pb2.OUTCOME_PASSED: "pass",
    guardrail_pb2.OUTCOME_MASKED: "mask",
    guardrail_pb2.OUTCOME_BLOCKED: "block",
}


def envelope(x: Exchange) -> Envelope:
    """An envelope with the request's identity; the journal adds ids, producer and time."""
    if x.identified is None:
        key, identity = x.key.key, x.identity
        x.identified = Envelope(
            workspace_id=key.workspace_id,
            key_id=key.key_id,
            owner_user_id=key.owner_user_id,
            request_id=x.request_id,
            run_id=identity.run_id,
            step_id=identity.step_id,
            parent_step_id=identity.parent_step_id,
            conversation_id=identity.conversation_id,
            environment=key.environment,
        )
    event = Envelope()
    event.CopyFrom(x.identified)
    return event


def _add(x: Exchange, topic: str, event: Envelope) -> None:
    key = x.identity.run_id if topic == topics.FIREWALL else x.key.key.key_id
    x.events.append((topic, key.encode(), event))


def add_decision(x: Exchange, decision: Decision) -> None:
    """One policy evaluation, or one refusal after check 5."""
    decision.model = x.model
    event = envelope(x)
    event.decision.CopyFrom(decision)
    _add(x, topics.DECISIONS, event)


def spend_envelope(x: Exchange, spend: Spend) -> Envelope:
    """The envelope of one attempt's money."""
    event = envelope(x)
    event.spend.CopyFrom(spend)
    return event


def add_spend(x: Exchange, spend: Spend) -> None:
    """The end of one attempt's money."""
    x.spend = spend
    _add(x, topics.SPEND, spend_envelope(x, spend))


def add_guardrail(
    x: Exchange,
    stage: str,
    response: guardrail_pb2.CheckResponse | guardrail_pb2.StreamVerdict,
    block: guardrail_pb2.Block | None,
    latency_s: float,
) -> None:
    """The decision of a guardrail call and its matches."""
    policy = response.policy
    blocked = block is not None
    decision = Decision(
        plane="guardrail",
        stage=stage,
        outcome=OUTCOMES.get(response.outcome, "pass"),
        code="guardrail_blocked" if blocked else "",
        reason=block.message if block else "",
        policy_id=policy.id,
        policy_name=policy.name,
        policy_version=policy.version,
        rule_id=block.rule_id if block else "",
        latency_us=round(latency_s * 1_000_000),
        dangling_policy=policy.dangling,
    )
    GUARDRAIL_SECONDS.observe(latency_s)
    for result in response.results:
        if result.status == guardrail_pb2.RULE_STATUS_NOT_EVALUATED:
            decision.not_evaluated.append(f"{result.rule_id}={result.reason}")
    add_decision(x, decision)
    for match in response.matches:
        event = envelope(x)
        event.match.CopyFrom(
            GuardrailMatch(
                id=match.id,
                guardrail_id=policy.id,
                guardrail_name=policy.name,
                guardrail_version=policy.version,
                rule_id=match.rule_id,
                rule_type=match.rule_type,
                label=match.label,
                action=match.action,
                stage=stage,
                entity=match.entity,
                count=match.count,
                detail=match.detail,
                matched=match.matched,
                fingerprints=match.fingerprints,
                model=x.model,
            )
        )
        _add(x, topics.MATCHES, event)


def add_firewall(
    x: Exchange, request: firewall_pb2.EvaluateRequest, response: firewall_pb2.EvaluateResponse, latency_s: float
) -> None:
    """The decision of a firewall call and its evaluations."""
    policy = response.policy
    verdict = VERDICTS.get(response.verdict, "allow")
    refused = {"deny": "firewall_blocked", "pending_approval": "firewall_approval_pending"}.get(verdict, "")
    rule = next((call.rule_id for call in response.calls if call.verdict == response.verdict), "")
    decision = Decision(
        plane="firewall",
        stage=SURFACES[request.surface],
        outcome=verdict,
        code=refused,
        reason=response.message,
        policy_id=policy.id,
        policy_name=policy.name,
        policy_version=policy.version,
        rule_id=rule,
        latency_us=round(latency_s * 1_000_000),
        dangling_policy=policy.dangling,
    )
    FIREWALL_SECONDS.observe(latency_s)
    add_decision(x, decision)
    for call in response.calls:
        tool = request.calls[call.index].tool_name if 0 <= call.index < len(request.calls) else ""
        event = envelope(x)
        event.firewall.CopyFrom(
            FirewallEvaluation(
                id=call.id,
                tool_name=tool,
                verdict=VERDICTS.get(call.verdict, "allow"),
                surface=SURFACES.get(call.surface or request.surface, ""),
                reason=call.reason,
                policy_id=policy.id,
                policy_name=policy.name,
                policy_version=policy.version,
                rule_id=call.rule_id,
                rule_label=call.rule_label,
                args_summary=call.args_summary,
                args_hash=call.args_hash,
                destination=call.destination,
                shadow=call.shadow,
                gap=call.gap,
                model=x.model,
                approval_id=call.approval_id,
            )
        )
        _add(x, topics.FIREWALL, event)


def add_captures(x: Exchange) -> None:
    """Bodies and tool arguments, each at most CAPTURE_BYTES_MAX; nothing without the workspace's consent."""
    if x.captured is None:
        return
    if x.delivered:
        x.captured.append(("response", b"".join(x.delivered).decode("utf-8", "replace")))
    for kind, text in x.captured:
        data = text.encode("utf-8", "surrogatepass")
        kept = data[:CAPTURE_BYTES_MAX].decode("utf-8", "ignore")
        event = envelope(x)
        event.capture.CopyFrom(
            Capture(
                kind=kind,
                body=kept,
                truncated=len(data) > CAPTURE_BYTES_MAX,
                consent_version=x.key.workspace.capture_consent_version,
            )
        )
        _add(x, topics.CAPTURES, event)


def add_request(x: Exchange, status_code: int, status: str, code: str, now_s: float) -> None:
    """The request's own event; call last."""
    spend, attempt = x.spend or Spend(), x.attempt
    first = x.first_byte_s
    event = envelope(x)
    event.request.CopyFrom(
        RequestCompleted(
            model=x.model,
            upstream_model=attempt.upstream_model if attempt else "",
            channel_id=attempt.channel.channel_id if attempt else "",
            endpoint=x.endpoint,
            stream=x.stream,
            status_code=status_code,
            status=status,
            error_code=code,
            input_tokens=spend.input_tokens,
            cached_input_tokens=spend.cached_input_tokens,
            output_tokens=spend.output_tokens,
            cost_nano_usd=spend.settled_nano_usd,
            latency_us=round((now_s - x.started_s) * 1_000_000),
            first_byte_us=round((first - x.started_s) * 1_000_000) if first is not None else 0,
            upstream_us=round(x.upstream_s * 1_000_000),
            ip=x.address,
            client_request_id=x.client_request_id,
            tool_calls=x.tool_calls,
            finish_reasons=x.finish_reasons,
            attempts=x.attempts,
            guardrail_id=x.guardrail.id,
            firewall_policy_id=x.firewall.id,
            estimated=spend.estimated,
            blocked_nano_usd=spend.blocked_nano_usd,
        )
    )
    _add(x, topics.REQUESTS, event)
