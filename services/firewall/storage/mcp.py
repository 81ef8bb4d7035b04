"""Registered MCP servers and the pins of their tools. None commits: the caller's transaction does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import upsert
from services.firewall.storage.tables import metadata

servers = sa.Table(
    "mcp_servers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    # Request headers as JSON, sealed; null where there are none.
    sa.Column("credential", sa.LargeBinary),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
    sa.Column("probed_at_us", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("workspace_id", "name"),
)

tools = sa.Table(
    "mcp_tools",
    metadata,
    sa.Column("server_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    # Hash that a person approved, empty for a tool nobody did; and the one last seen, empty for a tool that is gone.
    sa.Column("approved", sa.Text, nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("definition_json", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_at_us", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Server:
    """One registered server. Times in Unix microseconds."""

    id: str
    workspace_id: str
    name: str
    url: str
    enabled: bool
    credential: bytes | None
    created_at_us: int
    updated_at_us: int
    probed_at_us: int


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as seen and as approved."""

    server_id: str
    name: str
    approved: str
    seen: str
    definition: Mapping[str, Any]
    approved_by: str = ""
    approved_at_us: int = 0

    @property
    def state(self) -> str:
        """`approved`, `pending` (never approved), `drifted` (changed since), `gone` (no longer offered)."""
        if not self.seen:
            return "gone"
        if not self.approved:
            return "pending"
        return "approved" if self.approved == self.seen else "drifted"


def _server(row: Any) -> Server:
    return Server(**{column.name: getattr(row, column.name) for column in servers.c})


def _tool(row: Any) -> Tool:
    return Tool(
        row.server_id,
        row.name,
        row.approved,
        row.seen,
        json.loads(row.definition_json),
        row.approved_by,
        row.approved_at_us,
    )


async def page(conn: AsyncConnection, workspace_id: str, after: str, limit: int) -> list[Server]:
    """Servers by id, which is by creation."""
    query = sa.select(servers).where(servers.c.workspace_id == workspace_id, servers.c.id > after)
    return [_server(row) for row in (await conn.execute(query.order_by(servers.c.id).limit(limit))).all()]


async def count(conn: AsyncConnection, workspace_id: str) -> int:
    """Servers of the workspace."""
    query = sa.select(sa.func.count()).select_from(servers).where(servers.c.workspace_id == workspace_id)
    return int((await conn.execute(query)).scalar_one())


async def find(conn: AsyncConnection, workspace_id: str, server_id: str) -> Server | None:
    """One server of the workspace."""
    query = sa.select(servers).where(servers.c.workspace_id == workspace_id, servers.c.id == server_id)
    row = (await conn.execute(query)).first()
    return None if row is None else _server(row)


async def find_named(conn: AsyncConnection, workspace_id: str, name: str) -> Server | None:
    """One server of the workspace by its name."""
    query = sa.select(servers).where(servers.c.workspace_id == workspace_id, servers.c.name == name)
    row = (await conn.execute(query)).first()
    return None if row is None else _server(row)


async def put(tx: AsyncConnection, server: Server) -> None:
    """Inserts or overwrites."""
    await upsert(tx, servers, {column.name: getattr(server, column.name) for column in servers.c})


async def delete(tx: AsyncConnection, server_id: str) -> None:
    """Removes the server and its pins."""
    await tx.execute(tools.delete().where(tools.c.server_id == server_id))
    await tx.execute(servers.delete().where(servers.c.id == server_id))


async def tools_of(conn: AsyncConnection, server_id: str) -> dict[str, Tool]:
    """Tools by name."""
    query = sa.select(tools).where(tools.c.server_id == server_id).order_by(tools.c.name)
    return {row.name: _tool(row) for row in (await conn.execute(query)).all()}


async def put_tool(tx: AsyncConnection, tool: Tool) -> None:
    """Inserts or overwrites."""
    values = {
        "server_id": tool.server_id,
        "name": tool.name,
        "approved": tool.approved,
        "seen": tool.seen,
        "definition_json": json.dumps(dict(tool.definition), separators=(",", ":")),
        "approved_by": tool.approved_by,
        "approved_at_us": tool.approved_at_us,
    }
    await upsert(tx, tools, values)
