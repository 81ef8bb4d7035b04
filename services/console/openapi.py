"""One OpenAPI document for the whole management plane, merged from the services' own.

Component names and operation ids get their service in front, so that two services may use one name for two things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.console.routes import owner

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
PUBLIC = frozenset(
    {
        ("/api/user/login", "post"),
        ("/api/status", "get"),
        # Signed by the reviewer's system instead.
        ("/api/v1/firewall/approvals/{approval_id}/callback", "post"),
    }
)
"""Operations that need no credential."""

GATEWAY_PREFIX = "/api/v1/firewall/"
_FRAMEWORK = frozenset({"HTTPValidationError", "ValidationError"})
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
    "accessToken": {"type": "http", "scheme": "bearer", "description": "An access token of a user."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "orca_session",
        "description": "Set by the login; writes also need the login's `csrf_token` in `X-CSRF-Token`.",
    },
    "gatewayKey": {"type": "http", "scheme": "bearer", "description": "A relay key with `is_firewall_gateway`."},
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
                paths[path] = _path_item(path, _renamed(item, service), service)
        for kind, named in document.get("components", {}).items():
            if kind == "securitySchemes":
                continue
            section = components.setdefault(kind, {})
            for name, body in named.items():
                if name not in _FRAMEWORK:
                    section[_component(name, service)] = _renamed(body, service)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orca management plane", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": components,
        "security": [{"accessToken": []}, {"session": []}],
    }


def _component(name: str, service: str) -> str:
    return service.capitalize() + name[:1].upper() + name[1:]


def _renamed(value: Any, service: str) -> Any:
    """The same value with its component references under the service's names."""
    if isinstance(value, list):
        return [_renamed(item, service) for item in value]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, Any] = {}
    for name, item in value.items():
        if name == "$ref" and isinstance(item, str):
            renamed[name] = _reference(item, service)
        elif name == "discriminator" and isinstance(item, dict) and isinstance(item.get("mapping"), dict):
            mapping = {key: _reference(str(target), service) for key, target in item["mapping"].items()}
            renamed[name] = {**item, "mapping": mapping}
        else:
            renamed[name] = _renamed(item, service)
    return renamed


def _reference(reference: str, service: str) -> str:
    if not reference.startswith(_REF):
        return reference
    kind, _, name = reference.removeprefix(_REF).partition("/")
    return f"{_REF}{kind}/{_component(name, service)}"


def _path_item(path: str, item: dict[str, Any], service: str) -> dict[str, Any]:
    return {
        name: _operation(path, name, operation, service) if name in METHODS else operation
        for name, operation in item.items()
    }


def _operation(path: str, method: str, operation: dict[str, Any], service: str) -> dict[str, Any]:
    responses = {status: body for status, body in operation.get("responses", {}).items() if status != "422"}
    given = operation.get("parameters", [])
    # Every refusal has one shape, whatever the framework assumes about its own validation errors.
    responses["default"] = {"$ref": "#/components/responses/Refused"}
    changed = {name: value for name, value in operation.items() if name != "security"} | {"responses": responses}
    if "operationId" in operation:
        changed["operationId"] = f"{service}_{operation['operationId']}"
    if (path, method) in PUBLIC:
        changed["security"] = []
    elif path.startswith(GATEWAY_PREFIX):
        changed["security"] = [{"gatewayKey": []}]
    else:
        if not any(str(parameter.get("name", "")).lower() == "x-workspace-id" for parameter in given):
            changed["parameters"] = [*given, {"$ref": "#/components/parameters/WorkspaceId"}]
    return changed
