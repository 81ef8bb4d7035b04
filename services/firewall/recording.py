"""Events of evaluations that no relay request stands for: one decision, one row per judged call."""

from __future__ import annotations

from dataclasses import dataclass

from orca.events.v1.events_pb2 import Decision, Envelope, FirewallEvaluation
from services.common.clock import Clock
from services.common.ids import new_id
from services.firewall.evaluation import Evaluated
from services.firewall.events import DECISIONS, FIREWALL, SERVICE
from services.firewall.gateway import Actor


@dataclass(frozen=True, slots=True)
class Told:
    """Whose call an evaluation was, and where it belongs."""

    actor: Actor
    run_id: str
    request_id: str
    step_id: str
    parent_step_id: str
    conversation_id: str
    stage: str
    tool_name: str
    approval_id: str
    latency_us: int


def evaluation_envelopes(told: Told, evaluated: Evaluated, clock: Clock) -> tuple[list[tuple[str, str, Envelope]], str]:
    """(topic, record key, envelope) of the decision and of each evaluation, and the id of the decisive row."""
    policy = evaluated.resolution.policy.policy if evaluated.resolution.policy is not None else None
    decisive = evaluated.decisive
    decision = Decision(
        plane="firewall",
        stage=told.stage,
        outcome=evaluated.verdict.value,
        code="firewall_blocked" if evaluated.verdict.value == "deny" else "",
        reason=decisive.reason if decisive is not None else "",
        policy_id=policy.id if policy else "",
        policy_name=policy.name if policy else "",
        policy_version=policy.version if policy else 0,
        rule_id=decisive.rule_id if decisive is not None else "",
        latency_us=told.latency_us,
        dangling_policy=evaluated.resolution.dangling,
    )
    envelope = _envelope_of(told, clock)
    envelope.decision.CopyFrom(decision)
    found = [(DECISIONS, told.actor.key_id, envelope)]
    event_id = ""
    for judgement in evaluated.judgements:
        row = FirewallEvaluation(
            id=new_id("fe"),
            tool_name=told.tool_name,
            verdict=judgement.verdict.value,
            surface=(judgement.surface or told.stage),
            destination=judgement.destination,
            reason=judgement.reason,
            policy_id=decision.policy_id,
            policy_name=decision.policy_name,
            policy_version=decision.policy_version,
            rule_id=judgement.rule_id,
            rule_label=judgement.rule_label,
            args_summary=judgement.args_summary,
            args_hash=judgement.args_hash,
            shadow=judgement.shadow,
            gap=judgement.gap,
            approval_id=told.approval_id,
        )
        if judgement is decisive:
            event_id = row.id
        envelope = _envelope_of(told, clock)
        envelope.firewall.CopyFrom(row)
        found.append((FIREWALL, told.run_id, envelope))
    return found, event_id


def _envelope_of(told: Told, clock: Clock) -> Envelope:
    actor = told.actor
    return Envelope(
        producer_id=SERVICE,
        occurred_at_unix_us=clock.now_us(),
        workspace_id=actor.workspace_id,
        key_id=actor.key_id,
        owner_user_id=actor.owner_user_id,
        request_id=told.request_id,
        run_id=told.run_id,
        step_id=told.step_id,
        parent_step_id=told.parent_step_id,
        conversation_id=told.conversation_id,
        environment=actor.environment,
    )
