"""Calls that the firewall itself is asked about: judged, answered from an approval where one is named, recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from services.common.clock import Clock
from services.common.errors import TooMany
from services.common.storage import Database, OutboxPublisher, outbox_add
from services.firewall.approvals import Approvals, Asker, mismatch, not_redeemable
from services.firewall.domain.arguments import read_arguments
from services.firewall.domain.engine import Call, Judgement
from services.firewall.domain.model import Surface, Verdict
from services.firewall.evaluation import Evaluated, Evaluator
from services.firewall.gateway import Actor
from services.firewall.recording import Told, evaluation_envelopes
from services.firewall.storage import approvals as rows
from services.firewall.storage.tables import outbox

NO_POLICY = "no firewall policy applies"


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, and whose it is."""

    call: Call
    surface: Surface
    asker: Asker
    step_id: str = ""
    parent_step_id: str = ""
    conversation_id: str = ""
    approval_id: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the caller is told."""

    evaluated: Evaluated
    event_id: str
    verdict: Verdict
    reason: str
    approval_id: str = ""
    arguments_json: str | None = None
    """Redacted arguments, None where they pass as they came."""

    def shown(self, arguments: Any) -> dict[str, Any]:
        """The hook's answer. Arguments come back in the form they were given."""
        policy = self.evaluated.resolution.policy
        decisive = self.evaluated.decisive
        if self.arguments_json is not None:
            arguments = self.arguments_json if isinstance(arguments, str) else json.loads(self.arguments_json)
        rule = decisive is not None and decisive.rule_id
        return {
            "verdict": self.verdict.value,
            "reason": self.reason,
            "policy": {"id": policy.policy.id, "name": policy.policy.name, "version": policy.policy.version}
            if policy is not None
            else None,
            "rule": {"id": decisive.rule_id, "label": decisive.rule_label} if rule and decisive else None,
            "arguments": arguments,
            "approval_id": self.approval_id or None,
            "shadow": decisive.shadow if decisive is not None else False,
            "event_id": self.event_id or None,
        }


class Hooks:
    """Judges and records."""

    def __init__(
        self, evaluator: Evaluator, approvals: Approvals, database: Database, publisher: OutboxPublisher, clock: Clock
    ) -> None:
        self._evaluator = evaluator
        self._approvals = approvals
        self._database = database
        self._publisher = publisher
        self._clock = clock

    async def evaluate(self, actor: Actor, asked: Asked) -> Answered:
        """The verdict, recorded. Raises NotFound or BadRequest on an approval that cannot be used, TooMany where one
        more cannot be created, Unavailable."""
        started = self._clock.monotonic_s()
        if asked.approval_id:
            evaluated, approval_id = await self._approved(actor, asked)
        else:
            evaluated = await self._evaluator.evaluate(
                asked.asker, actor.firewall_policy_id, asked.surface, [asked.call]
            )
            if evaluated.cost_reserved:
                # The hook asks about a call, not about a completion: nothing of it is left to be spent.
                await self._evaluator.settle(asked.asker, 0)
            approval_id = evaluated.approval_id
        told = Told(
            actor=actor,
            run_id=asked.asker.run_id,
            request_id=asked.asker.request_id,
            step_id=asked.step_id,
            parent_step_id=asked.parent_step_id,
            conversation_id=asked.conversation_id,
            stage=asked.surface.value,
            tool_name=asked.call.tool_name,
            approval_id=approval_id,
            latency_us=round((self._clock.monotonic_s() - started) * 1_000_000),
        )
        event_id = await self._record(told, evaluated)
        decisive = evaluated.decisive
        if decisive is not None and evaluated.refusal_code:
            raise TooMany(decisive.reason, code=evaluated.refusal_code)
        if decisive is None:
            return Answered(evaluated, event_id, Verdict.ALLOW, NO_POLICY)
        sanitized = decisive.sanitized_arguments_json if decisive.verdict is Verdict.SANITIZE else None
        return Answered(evaluated, event_id, decisive.verdict, decisive.reason, approval_id, sanitized)

    async def _approved(self, actor: Actor, asked: Asked) -> tuple[Evaluated, str]:
        """A call that names an approval: today's deny wins, then the approval is used, once."""
        approval = await self._approvals.get(actor.workspace_id, asked.approval_id, actor.key_id)
        call = approval.calls[0]
        arguments = read_arguments(asked.call.arguments_json)
        if (call.tool_name, call.args_hash, approval.surface) != (
            asked.call.tool_name,
            arguments.sha256,
            asked.surface.value,
        ):
            raise mismatch()
        evaluated = await self._evaluator.look(
            actor.workspace_id, actor.firewall_policy_id, asked.surface, [asked.call]
        )
        if evaluated.verdict is Verdict.DENY:
            return evaluated, ""
        state = approval.state_at(self._clock.now_us())
        if state == rows.APPROVED:
            # The run is the one the call was held in, whatever the retry calls itself.
            asker = Asker(actor.workspace_id, actor.key_id, approval.run_id, approval.request_id)
            also = await self._evaluator.passing(asker, actor.firewall_policy_id, asked.surface, [asked.call])
            await self._approvals.use(approval, also)
            return _decided(evaluated, Verdict.ALLOW, "approved by a reviewer"), approval.id
        if state == rows.REJECTED:
            return _decided(evaluated, Verdict.DENY, "rejected by a reviewer"), approval.id
        if state == rows.PENDING:
            return _decided(evaluated, Verdict.PENDING_APPROVAL, "waits for a reviewer"), approval.id
        raise not_redeemable(state)

    async def _record(self, told: Told, evaluated: Evaluated) -> str:
        """Decision and evaluations, in one transaction; the id of the decisive row."""
        envelopes, event_id = evaluation_envelopes(told, evaluated, self._clock)
        async with self._database.write() as tx:
            for topic, key, envelope in envelopes:
                await outbox_add(tx, outbox, topic=topic, key=key, envelope=envelope)
        self._publisher.notify()
        return event_id


def _decided(evaluated: Evaluated, verdict: Verdict, why: str) -> Evaluated:
    base = evaluated.decisive or Judgement(0, Verdict.ALLOW, "")
    reason = f"{base.reason}; {why}" if base.reason else why
    decided = replace(base, verdict=verdict, reason=reason)
    others = tuple(item for item in evaluated.judgements if item is not evaluated.decisive)
    return replace(evaluated, judgements=(decided, *others), decisive=decided)
