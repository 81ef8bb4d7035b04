"""One conversation with a registered server, over the official SDK's client: initialize, list, call.

Sampling, elicitation and roots have no callbacks, so the SDK refuses them. Every failure becomes `ServerFailed`,
whose text is ours: what a broken server says is not shown.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from services.common.networks import Network
from services.firewall.domain.arguments import canonical_json
from services.firewall.mcp.outbound import TIMEOUT_S, guarded_client

TOOLS_MAX = 500
PAGES_MAX = 50
DEADLINE_S = 45.0
_PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


class ServerFailed(Exception):
    """The server cannot be reached, is late, or does not speak the protocol."""


def definition(tool: types.Tool) -> dict[str, Any]:
    """What is pinned of a tool: all that a model or a caller is told about it."""
    raw = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: raw[name] for name in _PINNED if name in raw}


def pin(tool: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical definition, hex."""
    return hashlib.sha256(canonical_json(dict(tool)).encode("utf-8", "surrogatepass")).hexdigest()


class Conversation:
    """An open session."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[dict[str, Any]]:
        """Definitions of all tools. Raises ServerFailed beyond `TOOLS_MAX`."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._client.list_tools(cursor=cursor, cache_mode="bypass")
            found += map(definition, page.tools)
            cursor = page.next_cursor
            if len(found) > TOOLS_MAX:
                break
            if not cursor:
                return found
        raise ServerFailed("the server has too many tools")

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Calls one tool."""
        return await self._client.call_tool(name, arguments, read_timeout_seconds=TIMEOUT_S)


@asynccontextmanager
async def conversation(url: str, headers: Mapping[str, str], allowed: Sequence[Network]) -> AsyncIterator[Conversation]:
    """Opens a session. Raises ServerFailed for whatever goes wrong inside, but for cancellation."""
    try:
        async with asyncio.timeout(DEADLINE_S), guarded_client(url, headers, allowed) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, read_timeout_seconds=TIMEOUT_S, cache=None) as client:
                yield Conversation(client)
    except ServerFailed:
        raise
    except TimeoutError:
        raise ServerFailed("the server did not answer in time") from None
    except Exception as error:
        raise _failed(error) from None


def _failed(error: BaseException) -> ServerFailed:
    """The innermost cause's kind; a group may hold our own failure."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    if isinstance(error, ServerFailed):
        return error
    return ServerFailed(f"the server failed ({type(error).__name__})")
