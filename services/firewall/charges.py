"""`Charges` over the ledger's gRPC."""

from __future__ import annotations

from typing import Any

from orca.ledger.v1 import ledger_pb2
from services.common.errors import OrcaError, Unavailable
from services.common.money import format_usd
from services.common.rpc import call
from services.firewall.storage.approvals import Approval

TIMEOUT_S = 5.0


class LedgerCharges:
    """See `redeeming.Charges`."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def redeem(self, approval: Approval) -> None:
        """Asks the ledger to move the cost."""
        request = ledger_pb2.RedeemRequest(
            workspace_id=approval.workspace_id,
            account_id=approval.account_id,
            key_id=approval.key_id,
            request_id=approval.request_id,
            approval_id=approval.id,
        )
        answer = await call(self._stub.Redeem, request, timeout_s=TIMEOUT_S)
        if answer.refusal == ledger_pb2.REFUSAL_UNSPECIFIED:
            return
        if answer.refusal == ledger_pb2.REFUSAL_NOT_BOOKED:
            raise Unavailable("the held answer's cost is not booked yet", retry_after_s=1.0)
        workspace = answer.refusal in (ledger_pb2.REFUSAL_WORKSPACE_EXHAUSTED, ledger_pb2.REFUSAL_WORKSPACE_HELD)
        needed, left = format_usd(answer.needed_nano_usd), format_usd(max(0, answer.remaining_nano_usd))
        raise OrcaError(
            f"the held answer costs {needed} USD, {left} USD remain",
            code="quota_insufficient" if workspace else "credit_limit_exceeded",
            status=402,
        )
