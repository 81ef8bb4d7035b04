"""Guardrails as they are stored: what the kernel's `PolicyRows` needs to know of them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from services.common.storage import PolicyRows
from services.common.storage import Stored as StoredPolicy
from services.guardrail.domain.drafts import admit_rules, rule_json
from services.guardrail.domain.model import Guardrail, Rule
from services.guardrail.storage.tables import guardrails as table
from services.guardrail.storage.tables import history

Stored = StoredPolicy[Guardrail]


def rules_to_json(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """The rules as stored, ids included."""
    return [rule_json(rule) for rule in rules]


def rules_from_json(raw: list[dict[str, Any]]) -> tuple[Rule, ...]:
    """The stored rules. They were admitted when written; a failure here is a bug."""
    rules: list[Rule] = []
    for item in raw:
        bare = {name: value for name, value in item.items() if name != "id"}
        rules.extend(admit_rules([bare], partial(str, item["id"])))
    return tuple(rules)


def _guardrail(row: Any) -> Guardrail:
    return Guardrail(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        version=row.version,
        enabled=row.enabled,
        is_default=row.is_default,
        log_raw_content=row.log_raw_content,
        rules=rules_from_json(json.loads(row.rules_json)),
    )


def _own(guardrail: Guardrail) -> dict[str, Any]:
    return {
        "log_raw_content": guardrail.log_raw_content,
        "rules_json": json.dumps(rules_to_json(guardrail.rules), separators=(",", ":")),
    }


guardrails = PolicyRows(table, history, _guardrail, _own)
