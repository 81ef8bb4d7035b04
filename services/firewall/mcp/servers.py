"""Registered MCP servers: their pins and credentials. A tool is callable only with the definition a person approved.

Registration approves what it finds; anything that appears or changes later stays closed until it is approved.
Each change and its audit row are one transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.dialing import AddressRefused, GuardedResolver
from services.common.errors import Conflict, Invalid, NotFound
from services.common.ids import new_id
from services.common.networks import Network
from services.common.storage import Database, OutboxPublisher, outbox_add
from services.firewall import events
from services.firewall.mcp.upstream import Conversation, ServerFailed, conversation, pin
from services.firewall.storage import mcp as rows
from services.firewall.storage.mcp import Server, Tool
from services.firewall.storage.tables import outbox
from services.firewall.vault import CREDENTIAL, Vault

SERVERS_MAX = 50
URL_CHARS_MAX = 2048
HEADERS_MAX = 10
HEADER_CHARS_MAX = 4096
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OURS = frozenset({"host", "content-length", "content-type", "accept", "transfer-encoding", "connection"})


class Servers:
    """The use cases."""

    def __init__(
        self, database: Database, vault: Vault, publisher: OutboxPublisher, clock: Clock, allowed: Sequence[Network]
    ) -> None:
        self._database = database
        self._vault = vault
        self._publisher = publisher
        self._clock = clock
        self._allowed = tuple(allowed)

    async def page(self, workspace_id: str, after: str, limit: int) -> list[tuple[Server, dict[str, Tool]]]:
        """Servers with their tools, by creation."""
        async with self._database.read() as conn:
            found = await rows.page(conn, workspace_id, after, limit)
            return [(server, await rows.tools_of(conn, server.id)) for server in found]

    async def get(self, workspace_id: str, server_id: str) -> tuple[Server, dict[str, Tool]]:
        """Raises NotFound."""
        async with self._database.read() as conn:
            server = await _found(conn, workspace_id, server_id)
            return server, await rows.tools_of(conn, server_id)

    async def enabled(self, workspace_id: str) -> list[tuple[Server, dict[str, Tool]]]:
        """What the gateway merges."""
        return [item for item in await self.page(workspace_id, "", SERVERS_MAX) if item[0].enabled]

    async def named(self, workspace_id: str, name: str) -> tuple[Server, dict[str, Tool]] | None:
        """An enabled server by its name."""
        async with self._database.read() as conn:
            server = await rows.find_named(conn, workspace_id, name)
            if server is None or not server.enabled:
                return None
            return server, await rows.tools_of(conn, server.id)

    def open(self, server: Server) -> AbstractAsyncContextManager[Conversation]:
        """A session with the server. Raises ServerFailed on entry."""
        headers: dict[str, str] = {}
        if server.credential is not None:
            headers = json.loads(self._vault.open(CREDENTIAL, server.id, server.credential))
        return conversation(server.url, headers, self._allowed)

    async def register(self, workspace_id: str, actor_id: str, fields: Mapping[str, Any]) -> str:
        """Probes, stores and approves what is there; its id. Raises Invalid, Conflict."""
        for name in ("name", "url"):
            if name not in fields:
                raise Invalid(f"{name}: is required", param=name)
        now_us = self._clock.now_us()
        server = self._changed(Server(new_id("mcp"), workspace_id, "", "", True, None, now_us, now_us, now_us), fields)
        found = await self._probe(server)
        async with self._database.write() as tx:
            if await rows.count(tx, workspace_id) >= SERVERS_MAX:
                raise Conflict(f"a workspace has at most {SERVERS_MAX} MCP servers")
            await self._put(tx, server)
            for tool in found.values():
                hashed = pin(tool)
                await rows.put_tool(tx, Tool(server.id, tool["name"], hashed, hashed, tool, actor_id, now_us))
            await self._audit(tx, server, actor_id, "mcp_server_create", {"tools": len(found)})
        self._publisher.notify()
        return server.id

    async def update(self, workspace_id: str, server_id: str, actor_id: str, fields: Mapping[str, Any]) -> None:
        """A partial update; another URL closes every tool whose definition differs there. Raises as `register`."""
        server, _ = await self.get(workspace_id, server_id)
        changed = replace(self._changed(server, fields), updated_at_us=self._clock.now_us())
        found = (
            await self._probe(changed) if changed.enabled and {"url", "credential", "headers"} & set(fields) else None
        )
        async with self._database.write() as tx:
            await _found(tx, workspace_id, server_id)
            await self._put(tx, changed)
            if found is not None:
                await self._see(tx, changed, found)
            await self._audit(tx, changed, actor_id, "mcp_server_update", {"fields": sorted(fields)})
        self._publisher.notify()

    async def delete(self, workspace_id: str, server_id: str, actor_id: str) -> None:
        """Raises NotFound."""
        async with self._database.write() as tx:
            server = await _found(tx, workspace_id, server_id)
            await rows.delete(tx, server_id)
            await self._audit(tx, server, actor_id, "mcp_server_delete", {})
        self._publisher.notify()

    async def probe(self, workspace_id: str, server_id: str) -> None:
        """Looks at the server now; changes close, nothing opens. Raises NotFound, Invalid when it fails."""
        server, _ = await self.get(workspace_id, server_id)
        await self.see(server, list((await self._probe(server)).values()))

    async def approve(self, workspace_id: str, server_id: str, actor_id: str, names: Sequence[str] | None) -> None:
        """Approves the definitions last seen, of the tools named or of all. Raises NotFound, Invalid."""
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            server = await _found(tx, workspace_id, server_id)
            known = await rows.tools_of(tx, server_id)
            for name in names or ():
                if name not in known or not known[name].seen:
                    raise Invalid("tools: names a tool that the server does not offer", param="tools")
            for name in names if names is not None else known:
                tool = known[name]
                if tool.seen:
                    await rows.put_tool(
                        tx, replace(tool, approved=tool.seen, approved_by=actor_id, approved_at_us=now_us)
                    )
            approved = len(names) if names is not None else len(known)
            await self._audit(tx, server, actor_id, "mcp_server_approve", {"tools": approved})
        self._publisher.notify()

    async def see(self, server: Server, tools: Sequence[Mapping[str, Any]]) -> dict[str, Tool]:
        """Notes what the server offers now; the tools, of which only `approved` ones may be called."""
        found = {tool["name"]: tool for tool in tools}
        async with self._database.read() as conn:
            known = await rows.tools_of(conn, server.id)
        if {name: pin(tool) for name, tool in found.items()} == {n: t.seen for n, t in known.items() if t.seen}:
            return known
        async with self._database.write() as tx:
            return await self._see(tx, server, found)

    async def _see(
        self, tx: AsyncConnection, server: Server, found: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Tool]:
        known = await rows.tools_of(tx, server.id)
        for name in known.keys() | found.keys():
            tool = known.get(name) or Tool(server.id, name, "", "", {})
            if name in found:
                tool = replace(tool, seen=pin(found[name]), definition=found[name])
            else:
                tool = replace(tool, seen="")
            if tool != known.get(name):
                await rows.put_tool(tx, tool)
        await rows.put(tx, replace(server, probed_at_us=self._clock.now_us()))
        return await rows.tools_of(tx, server.id)

    async def _probe(self, server: Server) -> dict[str, dict[str, Any]]:
        try:
            async with self.open(server) as session:
                return {tool["name"]: tool for tool in await session.tools()}
        except ServerFailed as error:
            raise Invalid(f"url: {error}", code="mcp_server_unreachable", param="url") from None

    def _changed(self, server: Server, fields: Mapping[str, Any]) -> Server:
        if "name" in fields:
            if _NAME.fullmatch(fields["name"]) is None:
                raise Invalid("name: must be 1 to 32 of a-z, 0-9, _ and -", param="name")
            server = replace(server, name=fields["name"])
        if "url" in fields:
            if (
                fields["url"] != server.url
                and server.credential is not None
                and not _same_origin(fields["url"], server.url)
            ):
                # A credential belongs to where it was given for.
                server = replace(server, credential=None)
            server = replace(server, url=self._url(fields["url"]))
        if "enabled" in fields:
            server = replace(server, enabled=fields["enabled"])
        if "credential" in fields or "headers" in fields:
            headers = _headers(fields)
            sealed = self._vault.seal(CREDENTIAL, server.id, json.dumps(headers).encode()) if headers else None
            server = replace(server, credential=sealed)
        return server

    def _url(self, text: str) -> str:
        def refuse(problem: str) -> Invalid:
            return Invalid(f"url: {problem}", param="url")

        if len(text) > URL_CHARS_MAX or not text.isascii() or not text.isprintable() or " " in text:
            raise refuse(f"must be a URL of at most {URL_CHARS_MAX} ASCII characters")
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname, parts.port
        except ValueError:
            raise refuse("is not a URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise refuse("must begin with https:// and name a host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise refuse("must hold no credentials and no fragment")
        try:
            GuardedResolver(self._allowed).check_literal(host)
        except AddressRefused:
            raise refuse("names an address that may not be dialled") from None
        return text

    async def _put(self, tx: AsyncConnection, server: Server) -> None:
        other = await rows.find_named(tx, server.workspace_id, server.name)
        if other is not None and other.id != server.id:
            raise Conflict(f"name: an MCP server named {server.name!r} exists already", param="name")
        try:
            await rows.put(tx, server)
        except IntegrityError:
            raise Conflict("another change came first; try again") from None

    async def _audit(
        self, tx: AsyncConnection, server: Server, actor_id: str, verb: str, metadata: Mapping[str, object]
    ) -> None:
        said = {"name": server.name, "enabled": server.enabled, **metadata}
        audit = events.audit_row(server.workspace_id, actor_id, verb, "mcp_server", server.id, said, self._clock)
        await outbox_add(tx, outbox, topic=events.AUDIT, key=server.workspace_id, envelope=audit)


def _same_origin(one: str, other: str) -> bool:
    try:
        return urlsplit(one)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def _headers(fields: Mapping[str, Any]) -> dict[str, str]:
    """Request headers of a credential: a bearer token, or headers as given. Raises Invalid."""
    headers: dict[str, str] = dict(fields.get("headers") or {})
    if fields.get("credential"):
        headers["Authorization"] = f"Bearer {fields['credential']}"
    if len(headers) > HEADERS_MAX:
        raise Invalid(f"headers: must be at most {HEADERS_MAX}", param="headers")
    for name, value in headers.items():
        if _HEADER.fullmatch(name) is None or name.lower() in _OURS:
            raise Invalid("headers: names one that cannot be set", param="headers")
        if len(value) > HEADER_CHARS_MAX or not (value.isascii() and value.isprintable()):
            param = "credential" if name == "Authorization" and fields.get("credential") else "headers"
            raise Invalid(f"{param}: must be printable ASCII of at most {HEADER_CHARS_MAX} characters", param=param)
    return headers


async def _found(conn: AsyncConnection, workspace_id: str, server_id: str) -> Server:
    server = await rows.find(conn, workspace_id, server_id) if server_id.isprintable() else None
    if server is None:
        raise NotFound("no such MCP server")
    return server
