"""What a call says by its names and its structure rather than by a text that some interpreter would run.

A tool called `dropTable` or `delete_all_users`, a filter that selects everything, a manifest that asks for the whole
machine. Only names that leave no other reading count: `delete_comment` and `delete_table_row` are everyday work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.shapes import nested, plain_key

NODES_MAX = 2_000
NAMES_MAX = 64

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_DESTROYS = frozenset(
    ("drop", "destroy", "delete", "remove", "purge", "wipe", "truncate", "terminate", "erase", "nuke")
)
_STORES = frozenset(
    ("database", "databases", "db", "table", "tables", "schema", "schemas", "collection", "collections", "keyspace",
     "dataset", "datasets")
)  # fmt: skip
_MACHINES = frozenset(
    ("bucket", "buckets", "repository", "repositories", "repo", "cluster", "clusters", "namespace", "namespaces",
     "volume", "volumes", "disk", "disks", "partition", "instances", "vm", "vms", "server", "servers", "backups",
     "backup", "environment", "environments", "stack", "infrastructure",
     "snapshots", "production", "prod", "everything")
)  # fmt: skip
_FETCHES = frozenset(("fetch", "curl", "wget", "download", "scrape", "crawl"))
_HTTP_VERBS = frozenset(("get", "post", "put", "patch", "delete", "head", "request", "send", "call", "fetch", "client"))
_HTTP_WORDS = frozenset(("http", "https", "httpx", "requests", "axios", "rest", "xhr"))
_URL_KEYS = frozenset(("url", "uri", "href", "endpoint", "address", "link", "urls"))
_MUTATION = re.compile(r"\bmutation\b")
_NAME = re.compile(r"[A-Za-z_]\w{3,80}")
_OPERATION_KEYS = frozenset(("op", "operation", "action", "api", "call", "verb", "function", "rpc", "procedure"))
_DATA_TOOLS = frozenset(
    ("mongo", "mongodb", "db", "database", "sql", "redis", "collection", "cassandra", "elastic", "couch")
)
_FILTERS = frozenset(("filter", "q", "query", "where", "selector", "condition", "conditions", "criteria", "match"))
_CHANGES = frozenset(("delete", "remove", "update", "deletemany", "updatemany", "purge"))
_MANY = frozenset(("many", "all", "rows", "records", "documents", "by", "where", "bulk", "batch"))
_WIDE_PATH = re.compile(r"(?:^|/)(?:_all|\*|_cat|%2a)/?(?:\?|$)|^/?$", re.IGNORECASE)
_UNFILTERED = re.compile(
    r"\bmutation\b[^}]{0,400}\b(?:delete|remove|drop|purge|truncate|destroy)\w*\s*\(\s*(?:where|filter)\s*:\s*\{\s*\}"
)
_TYPESETS = re.compile(r"\\write18\b|\\(?:input|openin|lstinputlisting|verbatiminput)\W{0,4}(?:/etc|/root|/proc|~)")
"""A document that has its typesetter run a command or read the system's files."""
_DIRECTORY_SECRETS = re.compile(r"\(\s*(?:userPassword|unicodePwd|ms-Mcs-AdmPwd|ntPwdHistory)\s*=", re.IGNORECASE)
_MANIFEST = re.compile(
    r"(?m)^\s*-?\s*(?:privileged|hostPID|hostNetwork|hostIPC|allowPrivilegeEscalation):\s*true\b|^\s*-?\s*hostPath:"
    r"|cluster-admin|docker\.sock"
)
_HOST_RIGHTS = frozenset(("privileged", "hostpid", "hostnetwork", "hostipc"))
_MANIFEST_SIGNS = re.compile(r"(?m)^\s*(?:apiVersion|kind|services):")


def words_of(name: str) -> list[str]:
    """`deleteAllUsers`, `delete_all_users` and `DELETE-ALL-USERS` as the same words."""
    return [word.lower() for word in _WORDS.findall(name[:256])]


def name_kinds(words: Sequence[str]) -> set[K]:
    """What a name announces."""
    at = next((index for index, word in enumerate(words) if word in _DESTROYS), None)
    if at is None or at + 1 >= len(words):
        return set()
    last = words[-1]
    if last in _STORES:
        return {K.DESTRUCTIVE_SQL}
    return {K.DESTRUCTIVE_SHELL} if last in _MACHINES or words[at + 1] == "all" else set()


def call_kinds(tool_name: str, value: Any) -> set[K]:
    """Everything that name and structure of one call tell."""
    words = words_of(tool_name)
    found = name_kinds(words)
    if _fetches(words) and isinstance(value, dict) and any(plain_key(key) in _URL_KEYS for key in value):
        found.add(K.NETWORK_FETCH)
    changes = not _CHANGES.isdisjoint(words)
    many = changes and (not _MANY.isdisjoint(words) or "deletemany" in words or "updatemany" in words)
    many = many or (changes and not _DATA_TOOLS.isdisjoint(words) and "one" not in words)
    for item in _documents(value):
        if changes and any(item.get(key) in ("*", "_all", "%", ".*") for key in item):
            found.add(K.DESTRUCTIVE_SQL)
        found |= _document_kinds(item, many=many)
        found |= _named_operation(item, words)
    return found


def _fetches(words: Sequence[str]) -> bool:
    if not words:
        return False
    if any(word in _FETCHES for word in words):
        return True
    return not _HTTP_WORDS.isdisjoint(words) and not _HTTP_VERBS.isdisjoint(words)


def _documents(value: Any) -> Iterator[dict[str, Any]]:
    pending = [value]
    for _ in range(NODES_MAX):
        if not pending:
            return
        item = pending.pop()
        if isinstance(item, str):
            item = nested(item)
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item[:64])


def _document_kinds(item: dict[str, Any], *, many: bool) -> set[K]:
    found: set[K] = set()
    plain = {plain_key(key): part for key, part in item.items()}
    if many and any(key in plain and _everything(plain[key]) for key in _FILTERS):
        found.add(K.DESTRUCTIVE_SQL)
    if (
        "$out" in item
        or "$where" in item
        or "dropdatabase" in plain
        or ("drop" in plain and isinstance(plain["drop"], str) and len(plain) <= 3)
    ):
        found.add(K.DESTRUCTIVE_SQL)
    method, path = plain.get("method", plain.get("verb")), plain.get("path", plain.get("endpoint", plain.get("url")))
    if isinstance(method, str) and method.upper() == "DELETE" and isinstance(path, str) and _WIDE_PATH.search(path):
        found.add(K.DESTRUCTIVE_SQL)
    deletes = plain.get("deletes")
    if isinstance(deletes, list) and any(isinstance(one, dict) and _everything(one.get("q")) for one in deletes[:64]):
        found.add(K.DESTRUCTIVE_SQL)
    if any(plain.get(key) is True for key in _HOST_RIGHTS):
        found.add(K.PRIVILEGE_ESCALATION)
    hosted = any(plain.get(key) == "host" for key in ("pid", "pidmode", "ipc", "ipcmode", "usernsmode"))
    if hosted or plain.get("capadd") or plain.get("name") == "cluster-admin":
        found.add(K.PRIVILEGE_ESCALATION)
    return found


def _named_operation(item: dict[str, Any], tool: Sequence[str]) -> set[K]:
    """A field that says what to do, read together with the tool's name: `dynamo {"operation": "DeleteTable"}`."""
    found: set[K] = set()
    for key, name in item.items():
        if plain_key(key) in _OPERATION_KEYS and isinstance(name, str) and _NAME.fullmatch(name):
            words = words_of(name)
            found |= name_kinds(words)
            if words in (["drop"], ["truncate"], ["flushall"], ["flushdb"]) and not _DATA_TOOLS.isdisjoint(tool):
                found.add(K.DESTRUCTIVE_SQL)
    return found


def _everything(condition: Any) -> bool:
    """A condition that leaves nothing out."""
    if condition is None or condition in ({}, [], "", "*", "1=1", "true", True):
        return True
    return isinstance(condition, dict) and len(condition) == 1 and next(iter(condition)) in ("match_all", "$where")


def text_kinds(text: str) -> set[K]:
    """GraphQL mutations by the names they call, manifests by the rights they ask for."""
    found: set[K] = set()
    if _UNFILTERED.search(text):
        found.add(K.DESTRUCTIVE_SQL)
    if _TYPESETS.search(text):
        found.add(K.DESTRUCTIVE_SHELL)
    if _DIRECTORY_SECRETS.search(text):
        found.add(K.CREDENTIAL_ACCESS)
    if _MUTATION.search(text):
        for name in _NAME.findall(text)[:NAMES_MAX]:
            found |= name_kinds(words_of(name))
    if ":" in text and _MANIFEST_SIGNS.search(text) and _MANIFEST.search(text):
        found.add(K.PRIVILEGE_ESCALATION)
    return found
