"""One evaluation, whoever asks: the policy that applies, its verdicts, and the approval a verdict calls for.

Used by the relay's gRPC call, the evaluate hook, the MCP gateway and the sandbox, so that a call is judged alike
wherever it is seen. Long arguments are judged in a thread, so that one request's megabyte does not stop the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.common.errors import TooMany
from services.firewall.approvals import Approvals, Asker, Cause
from services.firewall.domain.engine import Call, Judgement, observe, strictest
from services.firewall.domain.model import Surface, Verdict
from services.firewall.domain.resolution import Resolution
from services.firewall.snapshot import Snapshot
from services.firewall.storage.approvals import HeldCall

INLINE_MAX = 64 * 1024
"""Characters of arguments judged on the event loop; more go to a thread."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came out. `decisive` is None when nothing is recorded; `refusal_code` names a deny that is not the
    policy's own."""

    resolution: Resolution
    judgements: tuple[Judgement, ...] = ()
    decisive: Judgement | None = None
    approval_id: str = ""
    refusal_code: str = ""

    @property
    def verdict(self) -> Verdict:
        """Strictest verdict; allow when there are no calls."""
        return self.decisive.verdict if self.decisive is not None else Verdict.ALLOW


class Evaluator:
    """Judges the calls of one surface."""

    def __init__(self, snapshot: Snapshot, approvals: Approvals) -> None:
        self._snapshot = snapshot
        self._approvals = approvals

    async def evaluate(self, asker: Asker, policy_id: str, surface: Surface, calls: Sequence[Call]) -> Evaluated:
        """The verdicts; under `pending_approval` a record was created. Raises Unavailable."""
        resolution = self._snapshot.resolve(asker.workspace_id, policy_id)
        judgements = await run_judge(resolution, surface, calls)
        decisive = strictest(judgements)
        evaluated = Evaluated(resolution, tuple(judgements), decisive)
        if evaluated.verdict is not Verdict.PENDING_APPROVAL or surface is Surface.INBOUND:
            return evaluated
        return await self._pending(asker, surface, calls, evaluated)

    async def _pending(self, asker: Asker, surface: Surface, calls: Sequence[Call], evaluated: Evaluated) -> Evaluated:
        policy, decisive = evaluated.resolution.policy, evaluated.decisive
        if policy is None or decisive is None:
            raise RuntimeError("a pending verdict comes from a policy")
        waiting = [item for item in evaluated.judgements if item.verdict is Verdict.PENDING_APPROVAL]
        cause = Cause(
            policy_id=policy.policy.id,
            policy_name=policy.policy.name,
            policy_version=policy.policy.version,
            rule_id=decisive.rule_id,
            rule_label=decisive.rule_label,
            ttl_s=self._snapshot.settings(asker.workspace_id).approval_ttl_s,
        )
        held = [HeldCall(calls[item.index].tool_name, item.args_hash, item.args_summary) for item in waiting]
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

    async def look(self, workspace_id: str, policy_id: str, surface: Surface, calls: Sequence[Call]) -> Evaluated:
        """What the policy says now; counts nothing and creates nothing. For calls that were approved."""
        resolution = self._snapshot.resolve(workspace_id, policy_id)
        judgements = await run_judge(resolution, surface, calls)
        return Evaluated(resolution, tuple(judgements), strictest(judgements))


async def run_judge(resolution: Resolution, surface: Surface, calls: Sequence[Call]) -> list[Judgement]:
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
