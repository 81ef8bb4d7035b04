"""Policies that ship as data: the autonomy levels' defaults and the templates. Ordinary, editable rules.

`tight` denies by default; its last rule lets everyday calls through, which is where the two differ: arguments that
cannot be read with certainty never satisfy an `allow` rule, so the default denies them.
"""

from __future__ import annotations

from typing import Any

from services.firewall.domain.fields import Refused
from services.firewall.domain.matchers import admit_kinds

LEVELS = ("tight", "balanced", "permissive")
NAME = "Autonomy"

_DESTRUCTIVE = ["destructive_shell", "destructive_sql"]
_RISKY = ["credential_access", "privilege_escalation", "package_install", "file_write_outside"]
_SHELL_NAMES = ("*.shell.*", "*.exec", "shell.*", "shell", "bash", "exec", "run_command", "terminal.*")
_FETCH_NAMES = ("*.fetch", "*.http_request", "*.download", "fetch", "http_request", "curl", "wget", "download_file")
_DELETE_NAMES = ("*.delete_database", "*.drop_table", "*.delete_repository", "delete_database", "drop_table")


def level_policy(level: str) -> dict[str, Any] | None:
    """The level's default policy, without its name, as `POST …/policies` takes it; None: the level has none."""
    if level == "tight":
        rules = [*_by_action("Destructive action", 10, _DESTRUCTIVE), *_by_action("Risky action", 20, _RISKY),
                 *_by_action("Fetching from a shell", 30, ["network_fetch"]), _private(40),
                 *_by_name("Deletes a store", 50, _DELETE_NAMES), *_by_name("Fetch-shaped tool", 60, _FETCH_NAMES),
                 _loop(70, 20), _rule("Everyday calls", 1000, "allow")]  # fmt: skip
        return {"default_verdict": "deny", "rules": rules}
    if level == "balanced":
        rules = [*_by_action("Destructive action", 10, _DESTRUCTIVE),
                 *_by_action("Credentials or privileges", 20, ["credential_access", "privilege_escalation"]),
                 _metadata(30), *_by_name("Deletes a store", 40, _DELETE_NAMES), _loop(50, 60)]  # fmt: skip
        return {"default_verdict": "audit", "rules": rules}
    return None


def templates() -> list[dict[str, Any]]:
    """Fresh copies: id, name, description, default verdict and rules."""
    return [
        _template(
            "baseline",
            "Baseline",
            "For any agent: nothing destructive, nothing private, no endless loops; secrets never leave in arguments.",
            "audit",
            [
                *_by_action("Destructive action", 10, _DESTRUCTIVE),
                *_by_action("Privileges", 20, ["privilege_escalation", "credential_access"]),
                _private(30),
                _loop(40, 30),
                _redact(50, ["aws_access_key", "aws_secret_key", "openai_key", "anthropic_key", "bearer_token"]),
            ],
        ),
        _template(
            "coding",
            "Coding agent",
            "For agents that edit and build code: destructive commands denied, new packages and fetches need a person.",
            "audit",
            [
                *_by_action("Destructive action", 10, _DESTRUCTIVE),
                *_by_action("Outside the workspace", 20, ["privilege_escalation", "file_write_outside"]),
                *_by_action("Reads credentials", 30, ["credential_access"]),
                _metadata(40),
                *_by_action("Installs a package", 50, ["package_install"], "pending_approval"),
                *_by_action("Fetches from the network", 60, ["network_fetch"], "pending_approval"),
                _loop(70, 40),
            ],
        ),
        _template(
            "support",
            "Support agent",
            "For agents that talk to customers: no commands, refunds need a person, personal numbers are redacted.",
            "audit",
            [
                *_by_name("No commands", 10, _SHELL_NAMES),
                *_by_action("Destructive action", 20, _DESTRUCTIVE),
                _private(30),
                *_by_name("Moves money", 40, ("*.refund", "refund", "issue_refund", "*.transfer"), "pending_approval"),
                _rule("Bulk e-mail", 50, "deny", tool_name_glob="send_email",
                      rate={"max_calls": 20, "window_seconds": 3600, "per": "key", "same": "tool"}),
                _loop(60, 20),
                _redact(70, ["ssn_us", "credit_card"]),
            ],
        ),
    ]  # fmt: skip


def _template(
    template_id: str, name: str, description: str, default_verdict: str, rules: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": template_id,
        "name": name,
        "description": description,
        "default_verdict": default_verdict,
        "rules": rules,
    }


def _rule(label: str, priority: int, verdict: str, **matchers: Any) -> dict[str, Any]:
    return {"label": label, "priority": priority, "verdict": verdict, **matchers}


def _by_action(label: str, priority: int, kinds: list[str], verdict: str = "deny") -> list[dict[str, Any]]:
    matcher = {"kinds": list(kinds)}
    try:
        admit_kinds(matcher, "semantic_match")
    except Refused:
        # A build without the parsers cannot have such rules; those by name and destination stand.
        return []
    return [_rule(label, priority, verdict, semantic_match=matcher)]


def _by_name(label: str, priority: int, globs: tuple[str, ...], verdict: str = "deny") -> list[dict[str, Any]]:
    return [_rule(label, priority, verdict, tool_name_glob=glob) for glob in globs]


def _private(priority: int) -> dict[str, Any]:
    return _rule("Private address", priority, "deny", egress={"deny": ["private"]})


def _metadata(priority: int) -> dict[str, Any]:
    hosts = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "metadata.google.internal", "100.100.100.200"]
    return _rule("Cloud metadata", priority, "deny", egress={"deny": hosts})


def _loop(priority: int, max_calls: int) -> dict[str, Any]:
    rate = {"max_calls": max_calls, "window_seconds": 60, "per": "run", "same": "call"}
    return _rule("Repeats itself", priority, "deny", rate=rate)


def _redact(priority: int, presets: list[str]) -> dict[str, Any]:
    return _rule("Redacted arguments", priority, "sanitize", sanitize={"presets": list(presets)})
