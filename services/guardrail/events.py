"""The one place that names guardrail's topics: configuration changes and audit rows, both through the outbox."""

from __future__ import annotations

import json

from orca.events.v1.events_pb2 import ConfigChange, Envelope
from services.common.clock import Clock
from services.common.eventlog.topics import AUDIT, CONFIG
from services.common.storage import audit_envelope
from services.guardrail.domain.model import Guardrail

SERVICE = "guardrail"

__all__ = ["AUDIT", "CONFIG", "SERVICE", "of_change", "suppression_audit", "suppression_of"]


def of_change(guardrail: Guardrail, operation: str, actor_id: str, clock: Clock) -> list[tuple[str, str, Envelope]]:
    """(topic, key, envelope) of everything that a change of a guardrail tells."""
    return [
        (AUDIT, guardrail.workspace_id, _audit_of(guardrail, f"guardrail_{operation}", actor_id, clock)),
        (CONFIG, guardrail.id, _config_of(guardrail, "update" if operation == "revert" else operation, clock)),
    ]


def _config_of(guardrail: Guardrail, operation: str, clock: Clock) -> Envelope:
    """The change for internal consumers: no rule bodies."""
    fields = {"name": guardrail.name, "enabled": guardrail.enabled, "is_default": guardrail.is_default}
    return Envelope(
        producer_id=SERVICE,
        occurred_at_unix_us=clock.now_us(),
        workspace_id=guardrail.workspace_id,
        config=ConfigChange(
            entity="guardrail",
            entity_id=guardrail.id,
            operation=operation,
            version=guardrail.version,
            fields_json=json.dumps(fields, sort_keys=True, separators=(",", ":")),
        ),
    )


def _audit_of(guardrail: Guardrail, verb: str, actor_id: str, clock: Clock) -> Envelope:
    """The audit row of a change."""
    return audit_envelope(
        workspace_id=guardrail.workspace_id,
        actor_id=actor_id,
        verb=verb,
        target_type="guardrail",
        target_id=guardrail.id,
        metadata={
            "name": guardrail.name,
            "version": guardrail.version,
            "enabled": guardrail.enabled,
            "is_default": guardrail.is_default,
            "rules": len(guardrail.rules),
        },
        service=SERVICE,
        clock=clock,
    )


def suppression_audit(
    workspace_id: str, verb: str, actor_id: str, rule_id: str, match_id: str, count: int, clock: Clock
) -> Envelope:
    """The audit row of false positives marked or unmarked; fingerprints stay in the table."""
    return audit_envelope(
        workspace_id=workspace_id,
        actor_id=actor_id,
        verb=verb,
        target_type="guardrail_rule",
        target_id=rule_id,
        metadata={"match_id": match_id, "findings": count},
        service=SERVICE,
        clock=clock,
    )


def suppression_of(
    workspace_id: str, suppression_id: str, rule_id: str, fingerprint: str, revision: int, deleted: bool, clock: Clock
) -> Envelope:
    """A finding suppressed or not any more, so that feeds can hide it."""
    return Envelope(
        producer_id=SERVICE,
        occurred_at_unix_us=clock.now_us(),
        workspace_id=workspace_id,
        config=ConfigChange(
            entity="suppression",
            entity_id=suppression_id,
            operation="delete" if deleted else "create",
            version=revision,
            fields_json=json.dumps({"fingerprint": fingerprint, "rule_id": rule_id}, separators=(",", ":")),
        ),
    )
