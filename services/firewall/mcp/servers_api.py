"""Management routes of MCP servers: Members read, Admins register, probe and approve."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import Field, StrictBool, StrictStr

from services.common.answers import Answer, Deleted, pages, shows
from services.common.errors import Invalid
from services.common.http import Body, Page, Principal, Role, decode_cursor, encode_cursor, ok, require
from services.firewall import answers
from services.firewall.mcp.servers import Servers
from services.firewall.storage.mcp import Server, Tool

BASE = "/api/workspace/firewall/mcp/servers"

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]


class ServerBody(Body):
    """Writable fields. `credential` is sent as a bearer token, `headers` as they are; both are write-only."""

    name: StrictStr | None = None
    url: StrictStr | None = None
    enabled: StrictBool | None = None
    credential: StrictStr | None = None
    headers: dict[str, StrictStr] | None = None

    def fields(self) -> dict[str, Any]:
        """The fields that were sent; null clears a credential. Raises Invalid."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("name", "url", "enabled"):
            if name in fields and fields[name] is None:
                raise Invalid(f"{name}: must not be null", param=name)
        return fields


class ApproveBody(Body):
    """Which tools; absent: all that the server offers."""

    tools: Annotated[list[StrictStr], Field(max_length=500)] | None = None


def add_servers(api: FastAPI, servers: Servers) -> None:
    """Adds the routes."""

    @api.get(BASE, responses=pages(answers.McpServer))
    async def list_servers(principal: Member, page: Page) -> Answer:
        """Registered servers, by creation."""
        after = _position(page.cursor) if page.cursor else ""
        found = await servers.page(principal.workspace_id, after, page.limit + 1)
        more = len(found) > page.limit
        found = found[: page.limit]
        cursor = encode_cursor([found[-1][0].id]) if more else None
        return ok({"items": [server_shown(*item) for item in found], "next_cursor": cursor})

    @api.post(BASE, responses=shows(answers.McpServer))
    async def register_server(principal: Admin, body: ServerBody) -> Answer:
        """Probes the server and approves the tools it offers now."""
        server_id = await servers.register(principal.workspace_id, principal.user_id, body.fields())
        return ok(server_shown(*await servers.get(principal.workspace_id, server_id)))

    @api.get(f"{BASE}/{{server_id}}", responses=shows(answers.McpServer))
    async def read_server(principal: Member, server_id: str) -> Answer:
        """One server with its tools."""
        return ok(server_shown(*await servers.get(principal.workspace_id, server_id)))

    @api.put(f"{BASE}/{{server_id}}", responses=shows(answers.McpServer))
    async def update_server(principal: Admin, server_id: str, body: ServerBody) -> Answer:
        """Partial update; approves nothing."""
        await servers.update(principal.workspace_id, server_id, principal.user_id, body.fields())
        return ok(server_shown(*await servers.get(principal.workspace_id, server_id)))

    @api.delete(f"{BASE}/{{server_id}}", responses=shows(Deleted))
    async def delete_server(principal: Admin, server_id: str) -> Answer:
        """Ends the server's tools at once."""
        await servers.delete(principal.workspace_id, server_id, principal.user_id)
        return ok({"id": server_id, "deleted": True})

    @api.post(f"{BASE}/{{server_id}}/probe", responses=shows(answers.McpServer))
    async def probe_server(principal: Admin, server_id: str) -> Answer:
        """Looks at the server now: what changed is closed, nothing is opened."""
        await servers.probe(principal.workspace_id, server_id)
        return ok(server_shown(*await servers.get(principal.workspace_id, server_id)))

    @api.post(f"{BASE}/{{server_id}}/approve", responses=shows(answers.McpServer))
    async def approve_tools(principal: Admin, server_id: str, body: ApproveBody | None = None) -> Answer:
        """Approves tools as they were last seen."""
        names = body.tools if body is not None else None
        await servers.approve(principal.workspace_id, server_id, principal.user_id, names)
        return ok(server_shown(*await servers.get(principal.workspace_id, server_id)))


def server_shown(server: Server, tools: dict[str, Tool]) -> dict[str, Any]:
    """A server as the API shows it: never its credential."""
    return {
        "id": server.id,
        "name": server.name,
        "url": server.url,
        "enabled": server.enabled,
        "has_credential": server.credential is not None,
        "created_time": server.created_at_us // 1_000_000,
        "updated_time": server.updated_at_us // 1_000_000,
        "probed_time": server.probed_at_us // 1_000_000,
        "tools": [
            {
                "name": tool.name,
                "qualified_name": f"{server.name}.{tool.name}",
                "state": tool.state,
                "hash": tool.seen or None,
                "approved_hash": tool.approved or None,
                "definition": dict(tool.definition),
            }
            for tool in tools.values()
        ],
    }


def _position(cursor: str) -> str:
    found = decode_cursor(cursor)
    if len(found) != 1 or not isinstance(found[0], str) or not found[0].isprintable():
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return found[0]
