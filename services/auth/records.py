"""Rows ↔ what relays and the API see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orca.auth.v1 import auth_pb2
from services.auth.domain.keys import KeyFields, status
from services.auth.domain.prices import Price
from services.auth.ports import Balance
from services.common.money import format_usd

SETTINGS: Mapping[str, Any] = {
    "low_credit": "clamp",
    "judge_key_id": None,
    "fail_open": {"guardrail": False, "firewall": False},
    "rpm_limit": 0,
    "tpm_limit": 0,
    "max_concurrency": 0,
    "time_zone": "UTC",
    "log_retention_days": 30,
    "request_log_enabled": True,
    "capture_bodies": False,
}
RETENTION_MAX_DAYS = 180
_AMOUNTS: Mapping[str, str] = {
    "input_usd_per_mtok": "input_nano_usd_per_mtok",
    "cached_input_usd_per_mtok": "cached_input_nano_usd_per_mtok",
    "output_usd_per_mtok": "output_nano_usd_per_mtok",
    "usd_per_request": "request_nano_usd",
}
_CONSENT = "capture_consent"


def settings_object(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A workspace's settings, defaults where nothing was set."""
    shown = {name: value for name, value in stored.items() if not name.startswith(f"{_CONSENT}_")}
    fail_open = {**SETTINGS["fail_open"], **stored.get("fail_open", {})}
    return {**SETTINGS, **shown, "fail_open": fail_open, _CONSENT: consent_of(stored)}


def consent_of(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    """The current consent record for body capture: who gave it, when, and which one it is; None without one."""
    if not stored.get("capture_consent_version"):
        return None
    return {name: stored[f"{_CONSENT}_{name}"] for name in ("version", "user_id", "time")}


def with_consent(stored: Mapping[str, Any], before: Mapping[str, Any], user_id: str, now_s: int) -> dict[str, Any]:
    """Settings with the consent that switching capture on gives, or that switching it off takes back.

    Each consent has a number of its own, so that a body captured under one that ended is never kept under another.
    """
    wanted, had = stored.get("capture_bodies", False), bool(before.get("capture_consent_version"))
    if wanted == had:
        return dict(stored)
    last = before.get("capture_consent_last", 0)
    if not wanted:
        return {**stored, "capture_consent_version": 0}
    record = {"version": last + 1, "last": last + 1, "user_id": user_id, "time": now_s}
    return {**stored, **{f"{_CONSENT}_{name}": value for name, value in record.items()}}


def fields_of(row: Any) -> KeyFields:
    """Writable fields of a stored key."""
    stored = dict(row.fields)
    for name in ("model_limits", "allow_ips"):
        stored[name] = tuple(stored[name])
    return KeyFields(**stored)


def stored_fields(fields: KeyFields) -> dict[str, Any]:
    """JSON form of the writable fields."""
    stored = asdict(fields)
    for name in ("model_limits", "allow_ips"):
        stored[name] = list(stored[name])
    return stored


def key_record(row: Any) -> auth_pb2.KeyRecord:
    """What relays need of a key."""
    if row.deleted:
        return auth_pb2.KeyRecord(
            key_id=row.id, workspace_id=row.workspace_id, account_id=row.account_id, version=row.version, deleted=True
        )
    fields = fields_of(row)
    record = auth_pb2.KeyRecord(
        key_id=row.id,
        workspace_id=row.workspace_id,
        account_id=row.account_id,
        owner_user_id=fields.owner_user_id,
        secret_hash=row.secret_hash,
        name=fields.name,
        enabled=fields.enabled,
        expires_at_unix_s=fields.expired_time,
        model_limits_enabled=fields.model_limits_enabled,
        model_limits=fields.model_limits,
        allow_ips=fields.allow_ips,
        environment=fields.environment,
        guardrail_id=fields.guardrail_id,
        firewall_policy_id=fields.firewall_policy_id,
        is_firewall_gateway=fields.is_firewall_gateway,
        rpm_limit=fields.rpm_limit,
        tpm_limit=fields.tpm_limit,
        max_concurrency=fields.max_concurrency,
        version=row.version,
    )
    if fields.credit_limit_nano_usd is not None:
        record.credit_limit_nano_usd = fields.credit_limit_nano_usd
    if fields.blocked_output_limit_nano_usd is not None:
        record.blocked_output_limit_nano_usd = fields.blocked_output_limit_nano_usd
    return record


def workspace_record(row: Any) -> auth_pb2.WorkspaceRecord:
    """What relays need of a workspace."""
    settings = settings_object(row.settings)
    return auth_pb2.WorkspaceRecord(
        workspace_id=row.id,
        fail_open_guardrail=settings["fail_open"]["guardrail"],
        fail_open_firewall=settings["fail_open"]["firewall"],
        low_credit=settings["low_credit"],
        rpm_limit=settings["rpm_limit"],
        tpm_limit=settings["tpm_limit"],
        max_concurrency=settings["max_concurrency"],
        request_log_enabled=settings["request_log_enabled"],
        time_zone=settings["time_zone"],
        log_retention_days=settings["log_retention_days"],
        judge_key_id=settings["judge_key_id"] or "",
        capture_consent_version=row.settings.get("capture_consent_version", 0),
        version=row.revision,
        deleted=row.deleted,
    )


def key_object(
    row: Any, balance: Balance | None, now_s: int, accessed_time: int | None, key: str | None = None
) -> dict[str, Any]:
    """The key as the API shows it; ledger amounts are null while the ledger is down."""
    fields = fields_of(row)
    limit = fields.credit_limit_nano_usd
    used_up = limit is not None and balance is not None and balance.counted >= limit
    remaining = None if limit is None or balance is None else format_usd(max(0, limit - balance.counted))
    blocked_limit = fields.blocked_output_limit_nano_usd
    return {
        "id": row.id,
        "name": fields.name,
        "key": key or row.masked,
        "status": status(fields, used_up, now_s),
        "created_time": row.created_time,
        "accessed_time": accessed_time,
        "credit_limit_usd": format_usd(limit or 0),
        "used_usd": None if balance is None else format_usd(balance.settled),
        "held_usd": None if balance is None else format_usd(balance.held),
        "blocked_usd": None if balance is None else format_usd(balance.blocked),
        "remaining_usd": remaining,
        "model_limits_enabled": fields.model_limits_enabled,
        "model_limits": list(fields.model_limits),
        "blocked_output_limit_usd": None if blocked_limit is None else format_usd(blocked_limit),
        "account_id": row.account_id,
        "owner_user_id": fields.owner_user_id or None,
        "allow_ips": list(fields.allow_ips),
        "expired_time": fields.expired_time,
        "environment": fields.environment,
        "guardrail_id": fields.guardrail_id or None,
        "firewall_policy_id": fields.firewall_policy_id or None,
        "is_firewall_gateway": fields.is_firewall_gateway,
        "rpm_limit": fields.rpm_limit,
        "tpm_limit": fields.tpm_limit,
        "max_concurrency": fields.max_concurrency,
    }


def model_record(workspace_id: str, model_id: str, price: Price | None) -> auth_pb2.ModelRecord:
    """What relays need of a model."""
    record = auth_pb2.ModelRecord(workspace_id=workspace_id, model_id=model_id, priced=price is not None)
    if price is not None:
        for name, value in asdict(price).items():
            setattr(record, name, value)
    return record


def model_object(model_id: str, price: Price | None) -> dict[str, Any]:
    """The model as the API shows it: amounts and bounds are null where none is known."""
    amounts = {name: None if price is None else format_usd(getattr(price, field)) for name, field in _AMOUNTS.items()}
    return {
        "id": model_id,
        "priced": price is not None,
        "source": None if price is None else price.source,
        **amounts,
        "context_length": None if price is None else price.context_length or None,
        "max_output_tokens": None if price is None else price.max_output_tokens or None,
        "tokens_per_byte": None if price is None else price.tokens_per_byte,
    }
