"""The one place that names the ledger's topics.

In: `orca.spend.v1` (spend of relays; its own movements come back there and are skipped) and `orca.config.v1`
(keys). Out, through the outbox: credit movements on `orca.spend.v1`, audit rows on `orca.audit.v1`.
"""

from __future__ import annotations

from dataclasses import dataclass

from orca.events.v1.events_pb2 import CreditMovement, Envelope
from services.common.clock import Clock
from services.common.eventlog.topics import AUDIT, CONFIG, SPEND
from services.common.ids import new_id

SERVICE = "ledger"
SPEND_GROUP = "ledger-spend"
CONFIG_GROUP = "ledger-config"

__all__ = ["AUDIT", "CONFIG", "CONFIG_GROUP", "SERVICE", "SPEND", "SPEND_GROUP", "Movement"]


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of an account made by the ledger itself; amounts in nano-USD."""

    kind: str
    workspace_id: str
    account_id: str
    account_kind: str
    amount: int = 0
    key_id: str = ""
    lease_id: str = ""
    replica_id: str = ""
    limit: int | None = None
    fence: int = 0
    entry_id: str = ""
    key_version: int = 0
    expires_at_us: int = 0
    returned: int = 0
    """All that the lease has given back so far."""
    final_used: int | None = None
    made_entry_id: str = ""
    approval_id: str = ""
    request_id: str = ""
    model: str = ""
    workspace_amount: int = 0
    """The same movement's amount on the workspace's account."""
    blocked_amount: int = 0
    """The same movement's amount on the account of refused answers."""
    occurred_at_us: int = 0
    """0: when it is published."""

    @property
    def record_key(self) -> str:
        """Movements of one account stay in order: by key, or by workspace for its account."""
        return self.key_id if self.account_kind != "workspace" and self.key_id else self.account_id

    def envelope(self, clock: Clock) -> Envelope:
        """The event, with its id minted."""
        return Envelope(
            event_id=new_id("ev"),
            producer_id=SERVICE,
            occurred_at_unix_us=self.occurred_at_us or clock.now_us(),
            workspace_id=self.workspace_id,
            key_id=self.key_id,
            request_id=self.request_id,
            schema_version=1,
            credit=CreditMovement(
                kind=self.kind,
                account_id=self.account_id,
                account_kind=self.account_kind,
                lease_id=self.lease_id,
                replica_id=self.replica_id,
                amount_nano_usd=self.amount,
                limit_nano_usd=self.limit,
                fence=self.fence,
                entry_id=self.entry_id,
                key_version=self.key_version,
                expires_at_unix_us=self.expires_at_us,
                returned_nano_usd=self.returned,
                final_used_nano_usd=self.final_used,
                made_entry_id=self.made_entry_id,
                approval_id=self.approval_id,
                workspace_amount_nano_usd=self.workspace_amount,
                model=self.model,
                blocked_amount_nano_usd=self.blocked_amount,
            ),
        )
