"""Relay keys: secrets, the writable fields, and what makes them valid."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Network, ip_network
from typing import Any

from services.common.errors import Invalid
from services.common.money import parse_usd

PREFIX = "sk-orca-"
SECRET_BYTES = 32
NAME_MAX = 128
LIST_MAX = 500
NEVER = -1
INT_MAX = 2**31 - 1
TIME_MAX = 2**53
MAPPED_BITS = 96
"""Prefix of IPv4 addresses mapped into IPv6."""


ACCOUNT_FIELDS = ("credit_limit_nano_usd", "blocked_output_limit_nano_usd")
"""Fields that belong to the credit account: equal on a key, its predecessors and its successors."""


@dataclass(frozen=True, slots=True)
class KeyFields:
    """Writable fields of a key, in domain units."""

    name: str = ""
    enabled: bool = True
    credit_limit_nano_usd: int | None = None
    blocked_output_limit_nano_usd: int | None = None
    model_limits_enabled: bool = False
    model_limits: tuple[str, ...] = ()
    allow_ips: tuple[str, ...] = ()
    expired_time: int = NEVER
    environment: str = ""
    guardrail_id: str = ""
    firewall_policy_id: str = ""
    is_firewall_gateway: bool = False
    rpm_limit: int = 0
    tpm_limit: int = 0
    max_concurrency: int = 0
    owner_user_id: str = ""


def mint_secret(random: bytes) -> str:
    """The plaintext of a key from 256 random bits."""
    if len(random) != SECRET_BYTES:
        raise ValueError("a key needs 256 random bits")
    return PREFIX + base64.urlsafe_b64encode(random).decode().rstrip("=")


def secret_hash(secret: str, pepper: bytes) -> bytes:
    """HMAC-SHA-256 under the server pepper."""
    return hmac.new(pepper, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def masked(secret: str) -> str:
    """`sk-orca-9f3****7Qm4`: enough to recognise, useless to guess."""
    body = secret.removeprefix(PREFIX)
    return f"{PREFIX}{body[:3]}****{body[-4:]}"


def status(fields: KeyFields, used_up: bool, now_s: int) -> str:
    """`enabled`, `disabled`, `expired` or `exhausted`; the operator's word comes first."""
    if not fields.enabled:
        return "disabled"
    if fields.expired_time != NEVER and fields.expired_time <= now_s:
        return "expired"
    return "exhausted" if used_up else "enabled"


def apply(fields: KeyFields, changes: Mapping[str, Any]) -> KeyFields:
    """The fields after a partial update of API values. Raises Invalid naming the field."""
    update: dict[str, Any] = {}
    for field, value in changes.items():
        name, parsed = _parse(field, value)
        update[name] = parsed
    return replace(fields, **update)


def _parse(field: str, value: Any) -> tuple[str, Any]:
    match field:
        case "status":
            if value not in ("enabled", "disabled"):
                raise Invalid("status: must be enabled or disabled", param="status")
            return "enabled", value == "enabled"
        case "credit_limit_usd":
            nano = _usd(field, 0 if value is None else value)
            return "credit_limit_nano_usd", nano or None
        case "blocked_output_limit_usd":
            return "blocked_output_limit_nano_usd", None if value is None else _usd(field, value)
        case "guardrail_id" | "firewall_policy_id":
            return field, policy_id(field, value)
        case "allow_ips":
            return field, tuple(_network(index, item) for index, item in enumerate(_list(field, value)))
        case "model_limits":
            return field, tuple(
                _text(f"model_limits.{index}", item, 1) for index, item in enumerate(_list(field, value))
            )
        case "name":
            return field, _text(field, value, 1)
        case "environment" | "owner_user_id":
            return field, _text(field, value or "", 0)
        case "expired_time":
            return field, _integer(field, value, NEVER, TIME_MAX)
        case "rpm_limit" | "max_concurrency":
            return field, _integer(field, value, 0, INT_MAX)
        case "tpm_limit":
            return field, _integer(field, value, 0, TIME_MAX)
        case "model_limits_enabled" | "is_firewall_gateway":
            if not isinstance(value, bool):
                raise Invalid(f"{field}: must be a boolean", param=field)
            return field, value
    raise Invalid(f"{field}: not a field of a key", param=field)


def policy_id(field: str, value: Any) -> str:
    """An attachment; null, 0 and empty inherit the workspace default."""
    if value in (None, 0, "", "0") and value is not False:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(field, value, 1)


def _usd(field: str, value: Any) -> int:
    try:
        return parse_usd(value)
    except (ValueError, TypeError) as error:
        raise Invalid(f"{field}: {error}", param=field) from None


def _text(field: str, value: Any, least: int) -> str:
    if not isinstance(value, str) or not least <= len(value.strip()) or len(value) > NAME_MAX:
        raise Invalid(f"{field}: must be text of {least} to {NAME_MAX} characters", param=field)
    if "\x00" in value:
        raise Invalid(f"{field}: must not contain a zero character", param=field)
    return value.strip()


def _integer(field: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"{field}: must be an integer from {least} to {most}", param=field)
    return value


def _list(field: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > LIST_MAX:
        raise Invalid(f"{field}: must be a list of at most {LIST_MAX}", param=field)
    return value


def _network(index: int, value: Any) -> str:
    """An address as an address, a CIDR as its network; mapped IPv4 as IPv4, since callers are compared as such."""
    try:
        network = ip_network(value if isinstance(value, str) else "", strict=False)
        if "%" in value:
            raise ValueError("a zone means nothing on another host")
        mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
        if mapped is not None and network.prefixlen >= MAPPED_BITS:
            network = ip_network((mapped, network.prefixlen - MAPPED_BITS))
        return str(network) if "/" in value else str(network.network_address)
    except ValueError:
        raise Invalid(f"allow_ips.{index}: not an IP address or CIDR", param=f"allow_ips.{index}") from None
