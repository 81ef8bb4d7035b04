"""The one place that names firewall's topics: configuration changes and audit rows, both through the outbox.

Evaluations are recorded by the relay, which has the request they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from orca.events.v1.events_pb2 import ConfigChange, Envelope
from services.common.clock import Clock
from services.common.eventlog.topics import AUDIT, CONFIG
from services.common.storage import audit_envelope
from services.firewall.domain.model import Policy, Settings

SERVICE = "firewall"

__all__ = ["AUDIT", "CONFIG", "SERVICE", "policy_audit", "policy_config", "settings_audit", "settings_config"]


def policy_config(policy: Policy, operation: str, clock: Clock) -> Envelope:
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
    """The change of a workspace's settings."""
    return _config(workspace_id, "firewall_settings", workspace_id, "update", version, _plain(settings), clock)


def policy_audit(policy: Policy, verb: str, actor_id: str, clock: Clock) -> Envelope:
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
    return audit_envelope(
        workspace_id=policy.workspace_id,
        actor_id=actor_id,
        verb=verb,
        target_type="firewall_policy",
        target_id=policy.id,
        metadata=metadata,
        service=SERVICE,
        clock=clock,
    )


def settings_audit(workspace_id: str, settings: Settings, actor_id: str, clock: Clock) -> Envelope:
    """The audit row of a settings change."""
    return audit_envelope(
        workspace_id=workspace_id,
        actor_id=actor_id,
        verb="firewall_settings_update",
        target_type="firewall_settings",
        target_id=workspace_id,
        metadata=_plain(settings),
        service=SERVICE,
        clock=clock,
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
