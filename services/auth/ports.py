"""What auth needs from other services. A `None` answer means "could not be asked", never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orca.auth.v1 import auth_pb2
from orca.common.v1.common_pb2 import PolicyExistsRequest
from orca.firewall.v1 import firewall_pb2
from orca.guardrail.v1 import guardrail_pb2
from orca.ledger.v1 import ledger_pb2
from services.common.errors import Unavailable
from services.common.rpc import call

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Balance:
    """Amounts of one key account, nano-USD."""

    settled: int
    held: int
    unconfirmed: int
    forfeited: int
    blocked: int

    @property
    def counted(self) -> int:
        """What counts against the limit."""
        return self.settled + self.held + self.unconfirmed + self.forfeited


class Policies(Protocol):
    """The owners of policies."""

    async def exists(self, plane: int, workspace_id: str, policy_id: str) -> bool:
        """Raises Unavailable when the owner cannot be asked."""


class Ledger(Protocol):
    """Balances."""

    async def balances(self, workspace_id: str, account_ids: Sequence[str]) -> Mapping[str, Balance] | None:
        """By account; None when the ledger is down."""


class GrpcPolicies:
    """Asks guardrail and firewall."""

    def __init__(self, guardrail: Any, firewall: Any) -> None:
        self._guardrail = guardrail
        self._firewall = firewall

    async def exists(self, plane: int, workspace_id: str, policy_id: str) -> bool:
        """One call to the plane's owner."""
        policy = PolicyExistsRequest(workspace_id=workspace_id, policy_id=policy_id)
        if plane == auth_pb2.PLANE_GUARDRAIL:
            request: Any = guardrail_pb2.PolicyExistsRequest(policy=policy)
            answer = await call(self._guardrail.PolicyExists, request, timeout_s=TIMEOUT_S)
        else:
            request = firewall_pb2.PolicyExistsRequest(policy=policy)
            answer = await call(self._firewall.PolicyExists, request, timeout_s=TIMEOUT_S)
        return bool(answer.policy.exists)


class GrpcLedger:
    """Asks the ledger."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def balances(self, workspace_id: str, account_ids: Sequence[str]) -> Mapping[str, Balance] | None:
        """One batched call."""
        request = ledger_pb2.BalanceRequest(workspace_id=workspace_id, account_ids=account_ids)
        try:
            answer = await call(self._stub.Balance, request, timeout_s=TIMEOUT_S)
        except Unavailable:
            return None
        return {
            item.account_id: Balance(
                item.settled_nano_usd,
                item.held_nano_usd,
                item.unconfirmed_nano_usd,
                item.forfeited_nano_usd,
                item.blocked_nano_usd,
            )
            for item in answer.accounts
        }
