"""The one place that names firewall's topics; everything goes through the outbox.

Evaluations of relay requests are recorded by the relay, which has the request they belong to; those of the
gateway routes are recorded here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from orca.events.v1.events_pb2 import ConfigChange, Envelope
from services.common.clock import Clock
from services.common.eventlog.topics import AUDIT, CONFIG, DECISIONS, FIREWALL
from services.common.storage import audit_envelope
from services.firewall.domain.model import Policy, Settings
from services.firewall.storage.approvals import Approval

SERVICE = "firewall"

__all__ = [
    "AUDIT",
    "CONFIG",
    "DECISIONS",
    "FIREWALL",
    "SERVICE",
    "approval_audit",
    "audit_row",
    "of_change",
    "settings_audit",
    "settings_config",
]


def of_change(policy: Policy, operation: str, actor_id: str, clock: Clock) -> list[tuple[str, str, Envelope]]:
    """(topic, key, envelope) of everything that a change of a policy tells."""
    return [
        (AUDIT, policy.workspace_id, _policy_audit(policy, f"firewall_policy_{operation}", actor_id, clock)),
        (CONFIG, policy.id, _policy_config(policy, "update" if operation == "revert" else operation, clock)),
    ]


def _policy_config(policy: Policy, operation: str, clock: Clock) -> Envelope:
    """The change of a policy: no rule bodies."""
    fields = {
        "name": policy.name,
        "enabled": policy.enabled,
        "is_default": policy.is_default,
        "default_verdict": policy.default_verdict.value,
        "shadow_mode": policy.shadow_mode,
    }
    return _config(policy.workspace_id, "firewall_policy", policy.id, operation, policy.version, fields, clock)


def settings_config(workspace_id: str, settings: Settings, version: int, clock: Clock) -> Envelope:
    """The change of a workspace's settings; where webhooks go is nobody else's business."""
    return _config(workspace_id, "firewall_settings", workspace_id, "update", version, _plain(settings), clock)


def approval_audit(approval: Approval, actor_id: str, clock: Clock) -> Envelope:
    """The audit row of a resolution."""
    metadata = {
        "tool_name": approval.calls[0].tool_name,
        "args_hash": approval.calls[0].args_hash,
        "key_id": approval.key_id,
        "rule_id": approval.rule_id,
    }
    verb = "firewall_approval_approve" if approval.state == "approved" else "firewall_approval_reject"
    return audit_row(approval.workspace_id, actor_id, verb, "firewall_approval", approval.id, metadata, clock)


def audit_row(
    workspace_id: str,
    actor_id: str,
    verb: str,
    target_type: str,
    target_id: str,
    metadata: Mapping[str, object],
    clock: Clock,
) -> Envelope:
    """Any audit row of this service. Metadata must be safe to show."""
    return audit_envelope(
        workspace_id=workspace_id,
        actor_id=actor_id,
        verb=verb,
        target_type=target_type,
        target_id=target_id,
        metadata=metadata,
        service=SERVICE,
        clock=clock,
    )


def _policy_audit(policy: Policy, verb: str, actor_id: str, clock: Clock) -> Envelope:
    """The audit row of a policy's change."""
    metadata = {
        "name": policy.name,
        "version": policy.version,
        "enabled": policy.enabled,
        "is_default": policy.is_default,
        "default_verdict": policy.default_verdict.value,
        "shadow_mode": policy.shadow_mode,
        "rules": len(policy.rules),
    }
    return audit_row(policy.workspace_id, actor_id, verb, "firewall_policy", policy.id, metadata, clock)


def settings_audit(
    workspace_id: str, settings: Settings, changed: Iterable[str], actor_id: str, clock: Clock
) -> Envelope:
    """The audit row of a settings change."""
    return audit_row(
        workspace_id,
        actor_id,
        "firewall_settings_update",
        "firewall_settings",
        workspace_id,
        {**_plain(settings), "changed": sorted(changed)},
        clock,
    )


def _plain(settings: Settings) -> dict[str, object]:
    return {"observe_mode": settings.observe_mode, "approval_ttl_s": settings.approval_ttl_s}


def _config(
    workspace_id: str,
    entity: str,
    entity_id: str,
    operation: str,
    version: int,
    fields: Mapping[str, object],
    clock: Clock,
) -> Envelope:
    return Envelope(
        producer_id=SERVICE,
        occurred_at_unix_us=clock.now_us(),
        workspace_id=workspace_id,
        config=ConfigChange(
            entity=entity,
            entity_id=entity_id,
            operation=operation,
            version=version,
            fields_json=json.dumps(dict(fields), sort_keys=True, separators=(",", ":")),
        ),
    )
