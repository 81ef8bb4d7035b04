"""One OpenAPI document for the whole management plane, merged from the services' own.

Component names get their service in front, so that two services may use one name for two things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.console.routes import owner

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
PUBLIC = frozenset({("/api/user/login", "post"), ("/api/status", "get")})
"""Operations that need no credential."""

_REF = "#/components/"
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["success", "code", "message"],
    "properties": {
        "success": {"type": "boolean", "enum": [False]},
        "code": {"type": "string", "description": "Stable code."},
        "message": {"type": "string", "description": "Names the field or the limit."},
        "param": {"type": "string", "description": "Field that is wrong, where there is one."},
    },
}
_REFUSED: dict[str, Any] = {
    "description": "Refused; nothing was changed.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_SECURITY: dict[str, Any] = {
    "access_token": {"type": "http", "scheme": "bearer", "description": "An access token of a user."},
    "session": {"type": "apiKey", "in": "cookie", "name": "orca_session", "description": "Set by the login."},
    "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "With a session, on writes."},
}
_WORKSPACE: dict[str, Any] = {
    "name": "X-Workspace-Id",
    "in": "header",
    "required": False,
    "description": "The workspace the call is about; optional for a user of exactly one.",
    "schema": {"type": "string"},
}


def merge(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The merged document. A path is taken from the service that owns it and from nobody else."""
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {
        "schemas": {"Error": _ERROR},
        "responses": {"Refused": _REFUSED},
        "parameters": {"WorkspaceId": _WORKSPACE},
        "securitySchemes": _SECURITY,
    }
    for service, document in documents.items():
        for path, item in document.get("paths", {}).items():
            if owner(path) == service:
                paths[path] = _path_item(path, _renamed(item, service))
        for kind, named in document.get("components", {}).items():
            if kind == "securitySchemes":
                continue
            section = components.setdefault(kind, {})
            for name, body in named.items():
                section[f"{service}_{name}"] = _renamed(body, service)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orca management plane", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": components,
        "security": [{"access_token": []}, {"session": [], "csrf": []}],
    }


def _renamed(value: Any, service: str) -> Any:
    """The same value with its component references under the service's names."""
    if isinstance(value, list):
        return [_renamed(item, service) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _reference(item, service) if name == "$ref" and isinstance(item, str) else _renamed(item, service)
        for name, item in value.items()
    }


def _reference(reference: str, service: str) -> str:
    if not reference.startswith(_REF):
        return reference
    kind, _, name = reference.removeprefix(_REF).partition("/")
    return f"{_REF}{kind}/{service}_{name}"


def _path_item(path: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _operation(path, name, operation) if name in METHODS else operation for name, operation in item.items()
    }


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    responses = {status: body for status, body in operation.get("responses", {}).items() if status != "422"}
    # Every refusal has one shape, whatever the framework assumes about its own validation errors.
    responses["4XX"] = {"$ref": "#/components/responses/Refused"}
    responses["5XX"] = {"$ref": "#/components/responses/Refused"}
    changed = {**operation, "responses": responses}
    if (path, method) in PUBLIC:
        changed["security"] = []
        return changed
    given = operation.get("parameters", [])
    if not any(str(parameter.get("name", "")).lower() == "x-workspace-id" for parameter in given):
        changed["parameters"] = [*given, {"$ref": "#/components/parameters/WorkspaceId"}]
    return changed
