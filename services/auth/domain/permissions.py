"""The permission table: the least role of each action, and who may give which role.

Every service's routes name the role they need; this table is what a user is told about themselves, and the test
of all planes (`tests/integration/management/test_permissions.py`) holds the routes to it.
"""

from __future__ import annotations

from collections.abc import Mapping

VIEWER, DEVELOPER, ADMIN, OWNER = 1, 2, 3, 4

LEAST_ROLE: Mapping[str, int] = {
    "key_read": VIEWER,
    "guardrail_read": VIEWER,
    "firewall_policy_read": VIEWER,
    "match_read": VIEWER,
    "anomaly_read": VIEWER,
    "request_log_read": VIEWER,
    "usage_read": VIEWER,
    "ledger_read": VIEWER,
    "model_read": VIEWER,
    "settings_read": VIEWER,
    "permissions_read": VIEWER,
    "guardrail_write": DEVELOPER,
    "firewall_policy_write": DEVELOPER,
    "key_write": DEVELOPER,
    "posture_write": DEVELOPER,
    "sandbox_run": DEVELOPER,
    "firewall_event_read": DEVELOPER,
    "run_read": DEVELOPER,
    "approval_read": DEVELOPER,
    "match_raw_read": DEVELOPER,
    "capture_read": DEVELOPER,
    "approval_resolve": DEVELOPER,
    "false_positive_mark": ADMIN,
    "gateway_key_write": ADMIN,
    "channel_manage": ADMIN,
    "price_write": ADMIN,
    "mcp_server_manage": ADMIN,
    "member_manage": ADMIN,
    "settings_write": ADMIN,
    "reversal_write": ADMIN,
    "audit_read": ADMIN,
    "ownership_transfer": OWNER,
    "workspace_delete": OWNER,
}


def permissions(role: int) -> list[str]:
    """What a role may do, in the table's order."""
    return [action for action, least in LEAST_ROLE.items() if role >= least]


def may_change(actor: int, current: int, after: int) -> bool:
    """Whether a member of role `actor` may move another from one role to another (0 = no member).

    Ownership is given and taken by Owners only; everything else needs Admin.
    """
    return actor >= (OWNER if OWNER in (current, after) else ADMIN)
