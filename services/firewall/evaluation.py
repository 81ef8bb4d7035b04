"""One evaluation, whoever asks: the policy that applies, its verdicts, its counters, and the approval it calls for.

Used by the relay's gRPC call, the evaluate hook, the MCP gateway and the sandbox, so that a call is judged alike
wherever it is seen. What is slow (long arguments, parsing) runs in a thread, so that one request does not stop the
others; a policy without stateful rules touches no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.errors import TooMany
from services.firewall.approvals import Approvals, Asker, Cause, WithUse
from services.firewall.counters import Counters
from services.firewall.domain.counters import CAP_KEEP_S, US_PER_S, CallContext, CounterWrite, States, cap_key, settle
from services.firewall.domain.engine import Call, CompiledPolicy, Judgement, Outcome, observe, strictest
from services.firewall.domain.evaluation import Evaluation
from services.firewall.domain.model import Surface, Verdict
from services.firewall.domain.resolution import Resolution
from services.firewall.entities import Entities
from services.firewall.lookups import NameLookups
from services.firewall.snapshot import Snapshot
from services.firewall.storage.approvals import HeldCall

INLINE_MAX = 64 * 1024
"""Characters of arguments judged on the event loop; more go to a thread."""
INLINE_PARSED_MAX = 512
"""The same where shell or SQL is parsed."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came out. `decisive` is None when nothing is recorded; `refusal_code` names a deny that is not the
    policy's own; `cost_reserved` asks for a `settle` when the request ends."""

    resolution: Resolution
    judgements: tuple[Judgement, ...] = ()
    decisive: Judgement | None = None
    approval_id: str = ""
    refusal_code: str = ""
    cost_reserved: bool = False

    @property
    def verdict(self) -> Verdict:
        """Strictest verdict; allow when there are no calls."""
        return self.decisive.verdict if self.decisive is not None else Verdict.ALLOW


class Evaluator:
    """Judges the calls of one surface."""

    def __init__(
        self, snapshot: Snapshot, approvals: Approvals, counters: Counters, lookups: NameLookups, entities: Entities
    ) -> None:
        self._snapshot = snapshot
        self._approvals = approvals
        self._counters = counters
        self._lookups = lookups
        self._entities = entities

    async def evaluate(
        self, asker: Asker, policy_id: str, surface: Surface, calls: Sequence[Call], worst_case_nano_usd: int = 0
    ) -> Evaluated:
        """The verdicts; under `pending_approval` a record was created. Raises Unavailable."""
        resolution = self._snapshot.resolve(asker.workspace_id, policy_id)
        policy = resolution.policy
        if policy is None:
            judgements = tuple(observe(surface, calls)) if resolution.observe else ()
            return Evaluated(resolution, judgements, strictest(judgements))
        context = context_of(asker, worst_case_nano_usd)
        evaluation = await self._prepare(policy, surface, calls, context)
        if evaluation.asks:
            outcome = await self._counted(asker.workspace_id, evaluation)
        else:
            outcome = evaluation.decide({}, 1)
        outcome = await self._finished(outcome)
        evaluated = Evaluated(
            resolution,
            outcome.judgements,
            outcome.decisive,
            cost_reserved=surface is Surface.INBOUND and any(w.key == cap_key(context) for w in outcome.writes),
        )
        if evaluated.verdict is not Verdict.PENDING_APPROVAL or surface is Surface.INBOUND:
            return evaluated
        return await self._pending(asker, surface, calls, evaluated)

    async def _prepare(
        self, policy: CompiledPolicy, surface: Surface, calls: Sequence[Call], context: CallContext
    ) -> Evaluation:
        inline_max = INLINE_PARSED_MAX if policy.parses else INLINE_MAX
        small = sum(len(call.arguments_json) for call in calls) <= inline_max

        async def run(work: Callable[[], T]) -> T:
            return work() if small else await asyncio.to_thread(work)

        names = await run(lambda: policy.names_to_resolve(surface, calls))
        lookups = await self._lookups.find(names) if names else {}
        return await run(lambda: policy.evaluate(surface, calls, context, lookups))

    async def _finished(self, outcome: Outcome) -> Outcome:
        """With the guardrail's part of redaction, which only a call that passes redacted needs. Raises Unavailable."""
        if not outcome.redactions or any(item.verdict.restricting for item in outcome.judgements):
            return outcome
        return replace(outcome, judgements=await self._entities.redact(outcome.judgements, outcome.redactions))

    async def _counted(self, workspace_id: str, evaluation: Evaluation) -> Outcome:
        def decide(states: States, now_us: int) -> tuple[Outcome, Sequence[CounterWrite]]:
            outcome = evaluation.decide(states, now_us)
            return outcome, outcome.writes

        return await self._counters.step(workspace_id, [ask.key for ask in evaluation.asks], decide)

    async def settle(self, asker: Asker, cost_nano_usd: int) -> None:
        """Ends what `cap_cost` reserved for the request; a second time changes nothing. Raises Unavailable."""
        key = cap_key(context_of(asker))

        def decide(states: States, now_us: int) -> tuple[None, Sequence[CounterWrite]]:
            state = settle(states.get(key, ""), now_us, asker.request_id, cost_nano_usd)
            writes = [] if state is None else [CounterWrite(key, state, now_us + CAP_KEEP_S * US_PER_S)]
            return None, writes

        await self._counters.step(asker.workspace_id, [key], decide)

    async def _pending(self, asker: Asker, surface: Surface, calls: Sequence[Call], evaluated: Evaluated) -> Evaluated:
        policy, decisive = evaluated.resolution.policy, evaluated.decisive
        if policy is None or decisive is None:
            raise RuntimeError("a pending verdict comes from a policy")
        # A call may wait for its own sake and for several of its destinations: it is held once.
        waiting = {item.index: item for item in evaluated.judgements if item.verdict is Verdict.PENDING_APPROVAL}
        cause = Cause(
            policy_id=policy.policy.id,
            policy_name=policy.policy.name,
            policy_version=policy.policy.version,
            rule_id=decisive.rule_id,
            rule_label=decisive.rule_label,
            ttl_s=self._snapshot.settings(asker.workspace_id).approval_ttl_s,
        )
        held = [HeldCall(calls[index].tool_name, item.args_hash, item.args_summary) for index, item in waiting.items()]
        try:
            approval_id = await self._approvals.create(asker, surface.value, cause, held)
        except TooMany as error:
            refused = [
                replace(item, verdict=Verdict.DENY, reason=f"{item.reason}; {error.message}")
                if item.verdict is Verdict.PENDING_APPROVAL
                else item
                for item in evaluated.judgements
            ]
            return replace(evaluated, judgements=tuple(refused), decisive=strictest(refused), refusal_code=error.code)
        return replace(evaluated, approval_id=approval_id)

    async def passing(self, asker: Asker, policy_id: str, surface: Surface, calls: Sequence[Call]) -> WithUse | None:
        """What a transaction that lets approved calls pass must also do: they are steps of their run's sequences from
        then on. None where no sequence is concerned. Raises Unavailable."""
        policy = self._snapshot.resolve(asker.workspace_id, policy_id).policy
        if policy is None or not policy.stateful:
            return None
        evaluation = await self._prepare(policy, surface, calls, context_of(asker))
        keys = evaluation.chain_keys
        if not keys:
            return None

        def decide(states: States, now_us: int) -> tuple[None, Sequence[CounterWrite]]:
            return None, evaluation.passed(states, now_us)

        async def write(tx: AsyncConnection) -> None:
            await self._counters.step_within(tx, asker.workspace_id, keys, decide)

        return write

    async def look(self, workspace_id: str, policy_id: str, surface: Surface, calls: Sequence[Call]) -> Evaluated:
        """What the policy says now; counts nothing and creates nothing. For calls that were approved."""
        return await self._tried(self._snapshot.resolve(workspace_id, policy_id), surface, calls)

    async def trial(self, resolution: Resolution, surface: Surface, calls: Sequence[Call]) -> Evaluated:
        """What a policy says with every counter at its start, arguments redacted as they would be."""
        return await self._tried(resolution, surface, calls, redacting=True)

    async def _tried(
        self, resolution: Resolution, surface: Surface, calls: Sequence[Call], *, redacting: bool = False
    ) -> Evaluated:
        if resolution.policy is None:
            judgements = tuple(observe(surface, calls)) if resolution.observe else ()
            return Evaluated(resolution, judgements, strictest(judgements))
        evaluation = await self._prepare(resolution.policy, surface, calls, CallContext("", "", ""))
        outcome = evaluation.decide({}, 1)
        if redacting:
            outcome = await self._finished(outcome)
        return Evaluated(resolution, outcome.judgements, outcome.decisive)


def context_of(asker: Asker, worst_case_nano_usd: int = 0) -> CallContext:
    """The engine's view of whose calls these are."""
    return CallContext(asker.workspace_id, asker.key_id, asker.request_id, asker.run_id, worst_case_nano_usd)


def refusal(resolution: Resolution, decisive: Judgement) -> str:
    """The tenant's message: names the policy and why, never an argument."""
    name = resolution.policy.policy.name if resolution.policy is not None else ""
    return f'request blocked by firewall policy "{name}": {decisive.reason}'
