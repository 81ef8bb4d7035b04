"""The fields of each rule type: how a draft's are read, how a stored rule's are shown.

Raises `Refused` naming the field. The secret of an `external` rule is read and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from services.common.networks import Address, Network, may_dial
from services.guardrail.domain import entities, secrets
from services.guardrail.domain.admission import check_pattern
from services.guardrail.domain.attack import THRESHOLDS
from services.guardrail.domain.model import Action, CustomEntity, Rule
from services.guardrail.domain.reading import Reader, Refused

MAX_TERMS = 1000
MAX_TERM = 256
MAX_MATCH = 1024
MAX_CUSTOM = 25
MAX_LIMIT = 100_000_000
MAX_RUBRIC = 8_000
MAX_MODEL = 256
MAX_URL = 2048
MIN_SECRET = 16
MAX_SECRET = 256
MIN_TIMEOUT_MS = 50
JUDGE_TIMEOUT_MS = 4_000
EXTERNAL_TIMEOUT_MS = 2_000

INPUT_ACTIONS = (Action.ANNOTATE, Action.SPOTLIGHT)
_TAG = re.compile(r"\[[A-Z][A-Z0-9_]{1,31}\]\Z")
_HEX_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}\Z")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a deployment allows. The defaults admit whatever any deployment may have stored."""

    timeout_max_ms: int = 59_500
    dialled: tuple[Network, ...] | None = None
    """Private ranges that a webhook may lie in, over plain HTTP too. None: wherever it lies is asked elsewhere."""


def action_of(reader: Reader, value: Any, name: str, stage: str, *, maskable: bool = True) -> Action:
    """An action, or `Refused`: `annotate` and `spotlight` change what the provider is told, so they need `input`."""
    allowed = [action for action in Action if maskable or action is not Action.MASK]
    found = next((action for action in allowed if action.value == value), None) if isinstance(value, str) else None
    if found is None:
        raise Refused(reader.at(name), f"must be one of {', '.join(action.value for action in allowed)}")
    if found in INPUT_ACTIONS and stage != "input":
        raise Refused(reader.at(name), f"{found.value} needs the stage input")
    return found


def _keyword(reader: Reader, _stage: str, _limits: Limits) -> dict[str, Any]:
    terms = reader.strings("terms", MAX_TERMS, MAX_TERM)
    if not terms:
        raise Refused(reader.at("terms"), "must have at least one term")
    for index, term in enumerate(terms):
        if not term.strip():
            raise Refused(f"{reader.at('terms')}.{index}", "must not be blank")
    return {"terms": terms, "whole_word": reader.flag("whole_word", False), "mask_tag": _tag(reader, "mask_tag")}


def _regex(reader: Reader, _stage: str, _limits: Limits) -> dict[str, Any]:
    return {
        "pattern": _pattern(reader),
        "mask_tag": _tag(reader, "mask_tag"),
        "max_match": reader.number("max_match", 256, 1, MAX_MATCH),
    }


def _secrets(reader: Reader, _stage: str, _limits: Limits) -> dict[str, Any]:
    named = reader.strings("detectors", len(secrets.NAMES), 64)
    for index, name in enumerate(named):
        if name not in secrets.NAMES:
            raise Refused(f"{reader.at('detectors')}.{index}", f"unknown detector {name!r}")
    return {"detectors": tuple(dict.fromkeys(named))}


def _max_chars(reader: Reader, _stage: str, _limits: Limits) -> dict[str, Any]:
    return {"limit": reader.number("limit", None, 1, MAX_LIMIT)}


def _pii(reader: Reader, stage: str, _limits: Limits) -> dict[str, Any]:
    named = []
    for index, name in enumerate(reader.strings("entities", 200, 64)):
        known = entities.canonical(name)
        if known is None:
            raise Refused(f"{reader.at('entities')}.{index}", f"unknown entity {name!r}")
        named.append(known)
    raw_custom = reader.list_of("custom_entities", MAX_CUSTOM)
    custom = [_custom(Reader(item, f"{reader.at('custom_entities')}.{i}")) for i, item in enumerate(raw_custom)]
    if not named and not custom:
        raise Refused(reader.at("entities"), "must name at least one entity")
    names = [entity.name for entity in custom]
    if len(set(names)) != len(names):
        raise Refused(reader.at("custom_entities"), "names must differ")
    actions = Reader(reader.raw.get("entity_actions") or {}, reader.at("entity_actions"))
    known_actions: dict[str, Action] = {}
    for name, value in actions.raw.items():
        entity = entities.canonical(str(name)) or str(name)
        if entity not in named and entity not in names:
            raise Refused(actions.at(str(name)), "is not an entity of this rule")
        known_actions[entity] = action_of(actions, value, str(name), stage)
    return {
        "entities": tuple(dict.fromkeys(named)),
        "entity_actions": known_actions,
        "custom_entities": tuple(custom),
    }


def _custom(reader: Reader) -> CustomEntity:
    reader.only(frozenset({"name", "pattern", "tag", "checksum"}))
    name = reader.text("name", most=31)
    if not _NAME.match(name) or entities.canonical(name):
        raise Refused(reader.at("name"), "must be a snake-case name that is not a built-in entity")
    checksum = reader.raw.get("checksum")
    if checksum not in (None, "luhn"):
        raise Refused(reader.at("checksum"), "must be luhn")
    default = f"[{name.upper()}]" if len(name) > 1 else "[REDACTED]"
    return CustomEntity(name, _pattern(reader), _tag(reader, "tag", default), checksum == "luhn")


def _llm_judge(reader: Reader, _stage: str, limits: Limits) -> dict[str, Any]:
    return {
        "judge_model": _required(reader, "judge_model", MAX_MODEL),
        "judge_rubric": _required(reader, "judge_rubric", MAX_RUBRIC),
        "timeout_ms": _timeout(reader, "judge_timeout_ms", JUDGE_TIMEOUT_MS, limits),
        "mask_tag": _tag(reader, "mask_tag"),
    }


def _prompt_attack(reader: Reader, _stage: str, _limits: Limits) -> dict[str, Any]:
    return {
        "sensitivity": reader.choice("sensitivity", tuple(THRESHOLDS), "medium"),
        "mask_tag": _tag(reader, "mask_tag"),
    }


def _grounding(reader: Reader, stage: str, _limits: Limits) -> dict[str, Any]:
    if stage != "output":
        raise Refused(reader.at("stage"), "grounding judges answers: must be output")
    return {
        "threshold": reader.ratio("threshold", 0.7),
        "grounding_strict": reader.flag("grounding_strict", False),
        "mask_tag": _tag(reader, "mask_tag"),
    }


def _external(reader: Reader, _stage: str, limits: Limits) -> dict[str, Any]:
    secret = reader.text("secret", "", most=MAX_SECRET)
    if secret and (len(secret) < MIN_SECRET or not secret.isascii() or not secret.isprintable()):
        raise Refused(reader.at("secret"), f"must have {MIN_SECRET} to {MAX_SECRET} printable ASCII characters")
    return {
        "url": _url(reader, limits),
        "secret": secret,
        "timeout_ms": _timeout(reader, "timeout_ms", EXTERNAL_TIMEOUT_MS, limits),
        "mask_tag": _tag(reader, "mask_tag"),
    }


def _url(reader: Reader, limits: Limits) -> str:
    url = _required(reader, "url", MAX_URL)
    where = reader.at("url")
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' \\"<>^`{|}'):
        raise Refused(where, "must be a URL in ASCII, percent-encoded where needed")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused(where, "is not a URL") from None
    if parts.scheme not in ("https", "http") or not host:
        raise Refused(where, "must be an https URL with a host")
    if parts.scheme == "http" and limits.dialled == ():
        raise Refused(where, "must be https: this deployment allows no private range to be dialled")
    if "@" in parts.netloc or parts.fragment or port == 0:
        raise Refused(where, "must not hold credentials, a fragment or port 0")
    if limits.dialled is not None and not _may_name(host, limits.dialled, public=parts.scheme == "https"):
        raise Refused(where, "must not name an address that may not be dialled")
    return url


def _may_name(host: str, allowed: tuple[Network, ...], *, public: bool) -> bool:
    """False for a host that is a forbidden address; other names are judged by what they resolve to, when dialled.

    Resolvers read `127.1`, `0x7f000001` and `2130706433` as addresses too, and `localhost` always as this machine.
    """
    name = host.rstrip(".")
    try:
        address: Address = ip_address(name.partition("%")[0])
    except ValueError:
        last = name.rpartition(".")[2]
        if last.isdigit() or _HEX_NUMBER.fullmatch(last):
            return False
        if last != "localhost":
            return True
        address = IPv4Address("127.0.0.1")
    return may_dial(address, allowed, public=public)


def _required(reader: Reader, name: str, most: int) -> str:
    text = reader.text(name, "", most=most)
    if not text.strip():
        raise Refused(reader.at(name), "is required")
    return text


def _timeout(reader: Reader, name: str, default: int, limits: Limits) -> int:
    return reader.number(name, min(default, limits.timeout_max_ms), MIN_TIMEOUT_MS, limits.timeout_max_ms)


def _pattern(reader: Reader) -> str:
    pattern = reader.text("pattern", most=4096)
    refusal = check_pattern(pattern)
    if refusal is not None:
        raise Refused(reader.at("pattern"), refusal)
    return pattern


def _tag(reader: Reader, name: str, default: str = "[REDACTED]") -> str:
    tag = reader.text(name, default, most=64)
    tag = tag if tag.startswith("[") else f"[{tag}]"
    if not _TAG.match(tag):
        raise Refused(reader.at(name), "must be 2 to 32 capital letters, digits or _, brackets optional")
    return tag


@dataclass(frozen=True, slots=True)
class RuleType:
    """What a rule type adds to the common fields."""

    fields: tuple[str, ...]
    read: Callable[[Reader, str, Limits], dict[str, Any]]
    show: Callable[[Rule], dict[str, Any]]
    maskable: bool = True


def _show_pii(rule: Rule) -> dict[str, Any]:
    return {
        "entities": list(rule.entities),
        "entity_actions": {name: action.value for name, action in rule.entity_actions.items()},
        "custom_entities": [
            {"name": c.name, "pattern": c.pattern, "tag": c.tag, "checksum": "luhn" if c.luhn else None}
            for c in rule.custom_entities
        ],
    }


RULE_TYPES: Mapping[str, RuleType] = {
    "keyword": RuleType(
        ("terms", "whole_word", "mask_tag"),
        _keyword,
        lambda r: {"terms": list(r.terms), "whole_word": r.whole_word, "mask_tag": r.mask_tag},
    ),
    "regex": RuleType(
        ("pattern", "mask_tag", "max_match"),
        _regex,
        lambda r: {"pattern": r.pattern, "mask_tag": r.mask_tag, "max_match": r.max_match},
    ),
    "pii": RuleType(("entities", "entity_actions", "custom_entities"), _pii, _show_pii),
    "secrets": RuleType(("detectors",), _secrets, lambda r: {"detectors": list(r.detectors)}),
    "max_chars": RuleType(("limit",), _max_chars, lambda r: {"limit": r.limit}, maskable=False),
    "prompt_attack": RuleType(
        ("sensitivity", "mask_tag"),
        _prompt_attack,
        lambda r: {"sensitivity": r.sensitivity, "mask_tag": r.mask_tag},
    ),
    "llm_judge": RuleType(
        ("judge_model", "judge_rubric", "judge_timeout_ms", "mask_tag"),
        _llm_judge,
        lambda r: {
            "judge_model": r.judge_model,
            "judge_rubric": r.judge_rubric,
            "judge_timeout_ms": r.timeout_ms,
            "mask_tag": r.mask_tag,
        },
    ),
    "grounding": RuleType(
        ("threshold", "grounding_strict", "mask_tag"),
        _grounding,
        lambda r: {"threshold": r.threshold, "grounding_strict": r.grounding_strict, "mask_tag": r.mask_tag},
    ),
    "external": RuleType(
        ("url", "secret", "timeout_ms", "mask_tag"),
        _external,
        lambda r: {"url": r.url, "timeout_ms": r.timeout_ms, "mask_tag": r.mask_tag},
    ),
}
