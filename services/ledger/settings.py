"""Settings of the ledger."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import OrcaSettings


class LedgerSettings(OrcaSettings):
    """What the ledger needs beyond the shared settings."""

    lease_ttl_s: float = Field(30.0, gt=1, le=600, description="Seconds a credit lease lives between renewals.")
    lease_grace_s: float = Field(
        900.0,
        ge=0,
        alias="ORCA_LEASE_GRACE",
        description="Seconds a lost relay's credit stays held past expiry before it is forfeited.",
    )
