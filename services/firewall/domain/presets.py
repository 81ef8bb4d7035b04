"""Presets, autonomy levels and templates as data: seeds of ordinary, editable rules, fresh copies at each call.

A rule here is what `POST …/policies` takes. A level's policy is judged by `make bench-firewall`.
"""

from __future__ import annotations

from typing import Any

METADATA_HOSTS = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
                  "metadata.google.internal", "metadata.goog",
                  "metadata")  # fmt: skip
KEY_SHAPES = (
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\bsk-(?:ant|proj|live)-[A-Za-z0-9_-]{16}"
    r"|\bgh[pousr]_[A-Za-z0-9]{30}"
    r"|\bgithub_pat_\w{30}|\bxox[abprs]-[A-Za-z0-9-]{10}|\bglpat-[\w-]{20}|\bsk_live_[A-Za-z0-9]{16}"
    r"|\bAIza[\w-]{35}|\bnpm_[A-Za-z0-9]{36}"
    r"|\broot:[^:\s]{0,64}:0:0:|\b[\w-]{1,32}:\$\w{1,2}\$[^:\s]{1,256}:\d{0,6}:"
    r"|aws_secret_access_key\W{1,4}[A-Za-z0-9/+]{30}"
)
"""Values no tool needs in its arguments: keys and password files on their way out."""

_FETCHING = (
    "fetch", "fetch.*", "*.fetch", "*.fetch.*", "fetch_url", "*.fetch_url", "web_fetch", "*.web_fetch", "http.*",
    "*.http.*",
    "http_get", "http_post", "http_request", "*.http_request", "*.http_get", "*.http_post", "curl", "*.curl",
    "wget", "*.wget",
    "download", "*.download", "download_file", "*.download_file", "webhook.*", "*.webhook", "upload_to_url",
)  # fmt: skip
_DESTROYING = (
    "drop_table", "*.drop_table", "drop_database", "*.drop_database", "*.drop", "*.destroy", "*.wipe", "*.purge",
    "*.truncate",
    "delete_all", "*.delete_all", "delete_repository", "*.delete_repository", "delete_database",
    "*.delete_database", "delete_user",
    "*.delete_user", "delete_bucket", "*.delete_bucket", "terminate_instances", "*.terminate_instances",
    "*.format_disk",
    "format_disk", "factory_reset", "*.factory_reset", "*.shutdown", "shutdown",
)  # fmt: skip
_DESTRUCTIVE = ("destructive_shell", "destructive_sql")


def presets() -> list[dict[str, Any]]:
    """Single concerns: id, name, description and rules."""
    return [
        _preset(
            "no_shell",
            "No shell",
            "Denies tools that run commands.",
            [_deny(glob) for glob in ("*.shell.*", "shell.*", "*.exec", "bash", "shell")],
        ),
        _preset(
            "no_destruction",
            "No destruction",
            "Denies shell and SQL that destroy, as parsing shows, whichever tool or argument carries them.",
            [_acts(*_DESTRUCTIVE)],
        ),
        _preset(
            "no_credential_access",
            "No credentials",
            "Denies reading credential files, environments and secret stores, and secret values in arguments.",
            [_acts("credential_access"), _secrets()],
        ),
        _preset(
            "no_private_network",
            "No private network",
            "Denies destinations inside: loopback, private ranges and cloud metadata, in every spelling.",
            [_inside()],
        ),
        _preset(
            "no_metadata_service",
            "No cloud metadata",
            "Denies calls that reach a cloud metadata address, in every spelling.",
            [_deny("*", egress={"deny": list(METADATA_HOSTS)})],
        ),
        _preset(
            "no_provider_tools",
            "No provider-run tools",
            "Denies tools that the model's provider would run out of Orca's sight.",
            [_deny("provider.*")],
        ),
        _preset(
            "stop_loops",
            "Stop loops",
            "Denies the same call with the same arguments after 20 times in a minute of one run.",
            [_deny("*", rate={"max_calls": 20, "window_seconds": 60, "per": "run", "same": "call"})],
        ),
        _preset(
            "redact_arguments",
            "Redact arguments",
            "Redacts keys and personal data inside the arguments of calls that pass.",
            [{"tool_name_glob": "*", "verdict": "sanitize", "priority": 900}],
        ),
        _preset(
            "watch_everything",
            "Watch everything",
            "Lets every call pass and flags it.",
            [{"tool_name_glob": "*", "verdict": "audit", "priority": 1000}],
        ),
    ]


def levels() -> dict[str, dict[str, Any] | None]:
    """The firewall policy of each autonomy level; None where the level has none."""
    return {"tight": _tight(), "balanced": _balanced(), "permissive": None}


def templates() -> list[dict[str, Any]]:
    """Whole policies to start from: id, description and the policy."""
    return [
        {"id": "baseline", "description": "What nearly every agent can live with.", "policy": _baseline()},
        {"id": "coding", "description": "An agent that edits a repository and runs commands.", "policy": _coding()},
        {"id": "support", "description": "An agent that answers customers and acts for them.", "policy": _support()},
    ]


def _tight() -> dict[str, Any]:
    rules = [
        _acts(*_DESTRUCTIVE, label="Destructive actions", priority=10),
        _acts("credential_access", "privilege_escalation", label="Credentials and privileges", priority=20),
        _acts("network_fetch", label="Network fetches", priority=30),
        _acts("file_write_outside", label="Writes outside the working directory", priority=40),
        _inside(label="Private destinations", priority=50),
        _secrets(label="Secrets in arguments", priority=60),
        *[_deny(glob, label="Fetch-shaped tools", priority=70) for glob in _FETCHING],
        *[_deny(glob, label="Destructive tools", priority=80) for glob in _DESTROYING],
        {
            "label": "Everything else",
            "notes": "Calls that nothing above objects to and whose arguments can be read. Delete this rule to admit "
            "only the tools that rules of yours allow.",
            "tool_name_glob": "*",
            "verdict": "allow",
            "priority": 10_000,
        },
    ]
    return _policy("tight", "deny", rules)


def _balanced() -> dict[str, Any]:
    rules = [
        _acts(*_DESTRUCTIVE, label="Destructive actions", priority=10),
        _acts("credential_access", "privilege_escalation", label="Credentials and privileges", priority=20),
        _deny("*", label="Cloud metadata", priority=30, egress={"deny": list(METADATA_HOSTS)}),
        _secrets(label="Secrets in arguments", priority=40),
        *[
            _deny(glob, label="Destructive tools", priority=50)
            for glob in ("drop_database", "*.drop_database", "format_disk")
        ],
    ]
    return _policy("balanced", "audit", rules)


def _baseline() -> dict[str, Any]:
    rules = [
        _acts(*_DESTRUCTIVE, label="Destructive actions", priority=10),
        _acts("credential_access", label="Credentials", priority=20),
        _inside(label="Private destinations", priority=30),
        _secrets(label="Secrets in arguments", priority=40),
        _deny(
            "*", label="Loops", priority=50, rate={"max_calls": 30, "window_seconds": 60, "per": "run", "same": "call"}
        ),
    ]
    return _policy("baseline", "audit", rules)


def _coding() -> dict[str, Any]:
    rules = [
        _acts(*_DESTRUCTIVE, label="Destructive actions", priority=10),
        _acts("credential_access", label="Credentials", priority=20),
        _acts("privilege_escalation", label="Privileges", priority=30, verdict="pending_approval"),
        _acts("file_write_outside", label="Writes outside the repository", priority=40, verdict="pending_approval"),
        _acts("package_install", label="New packages", priority=50, verdict="pending_approval"),
        _deny("*", label="Cloud metadata", priority=60, egress={"deny": list(METADATA_HOSTS)}),
        _secrets(label="Secrets in arguments", priority=70),
        _deny(
            "*", label="Loops", priority=80, rate={"max_calls": 30, "window_seconds": 120, "per": "run", "same": "call"}
        ),
    ]
    return _policy("coding", "audit", rules)


def _support() -> dict[str, Any]:
    outbound = ("email.*", "send_email", "*.send_email", "slack.*", "sms.*")
    money = ("refund", "refund.*", "*.refund", "payments.*", "*.issue_refund", "issue_refund", "*.cancel_subscription")
    drained = [{"tool_name_glob": "crm.*", "min_count": 20}, {"tool_name_glob": "email.*", "min_count": 1}]
    rules = [
        _acts(*_DESTRUCTIVE, "credential_access", "privilege_escalation", label="Out of role", priority=10),
        _inside(label="Private destinations", priority=20),
        _secrets(label="Secrets in arguments", priority=30),
        _deny(
            "email.*", label="Records read, then mailed", priority=40, verdict="pending_approval",
            sequence={"window_seconds": 900, "steps": drained},
        ),
        *[_deny(glob, label="Money", priority=50, verdict="pending_approval") for glob in money],
        *[
            _deny(
                glob, label="Customer data on its way out", priority=60, verdict="sanitize",
                sanitize={"presets": ["ssn_us", "credit_card", "bearer_token"]},
            )
            for glob in outbound
        ],
        _deny("*", label="Loops", priority=70, rate={"max_calls": 20, "window_seconds": 60, "per": "run",
        "same": "call"}),
    ]  # fmt: skip
    return _policy("support", "audit", rules)


def _policy(name: str, default_verdict: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "default_verdict": default_verdict, "rules": rules}


def _deny(glob: str, *, priority: int = 100, verdict: str = "deny", **rest: Any) -> dict[str, Any]:
    return {"tool_name_glob": glob, "verdict": verdict, "priority": priority, **rest}


def _acts(*kinds: str, **rest: Any) -> dict[str, Any]:
    return _deny("*", semantic_match={"kinds": list(kinds)}, **rest)


def _inside(**rest: Any) -> dict[str, Any]:
    return _deny("*", egress={"deny": ["private"]}, **rest)


def _secrets(**rest: Any) -> dict[str, Any]:
    return _deny("*", args_match={"clauses": [{"path": "$", "op": "regex", "value": KEY_SHAPES}]}, **rest)


def _preset(preset_id: str, name: str, description: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": preset_id,
        "name": name,
        "description": description,
        "rules": [{"label": name, **rule} for rule in rules],
    }
