"""Release of a held answer: checked, charged once, then used once.

Order: state, body and today's policy are checked; the ledger moves the answer's cost from blocked to settled,
idempotent by approval; then one conditional update makes the approval used. A failure between the last two
leaves it approved, and the retry is charged nothing more.
"""

from __future__ import annotations

from typing import Protocol

from services.common.errors import BadRequest
from services.firewall.approvals import Approvals, Asker
from services.firewall.domain.model import Surface, Verdict
from services.firewall.evaluation import Evaluator, refusal
from services.firewall.storage.approvals import Approval


class Charges(Protocol):
    """Moves a held answer's cost from blocked to settled. Raises 402 with its code when it no longer fits,
    Unavailable when the ledger cannot be asked or has not booked the answer yet. Idempotent by approval."""

    async def redeem(self, approval: Approval) -> None:
        """Charges the key's account."""


class Redeemer:
    """Hands out held answers."""

    def __init__(self, approvals: Approvals, evaluator: Evaluator, charges: Charges) -> None:
        self._approvals = approvals
        self._evaluator = evaluator
        self._charges = charges

    async def redeem(
        self, workspace_id: str, key_id: str, approval_id: str, body_hash: bytes, policy_id: str, *, peek: bool
    ) -> bytes:
        """The held answer. Raises NotFound, BadRequest with a stable code, 402, or Unavailable."""
        approval = await self._approvals.redeemable(workspace_id, key_id, approval_id)
        held = await self._approvals.held(approval, body_hash)
        now = await self._evaluator.look(workspace_id, policy_id, Surface.RESPONSE, held.calls)
        if now.decisive is not None and now.verdict is Verdict.DENY:
            raise BadRequest(refusal(now.resolution, now.decisive), code="firewall_blocked")
        if not peek:
            await self._charges.redeem(approval)
            asker = Asker(workspace_id, key_id, approval.run_id, approval.request_id)
            also = await self._evaluator.passing(asker, policy_id, Surface.RESPONSE, held.calls)
            await self._approvals.use(approval, also)
        return held.answer
