"""`ANY /api/v1/firewall/mcp`: an MCP server over streamable HTTP that merges the workspace's registered servers.

Initialize, ping, tools/list and tools/call are served, and nothing else. A call is judged and recorded like any
other on `mcp`; a deny is a tool error. Sessionless: each POST carries its key, so a revoked one stops at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as McpServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orca.common.v1 import common_pb2
from services.common.errors import OrcaError
from services.common.http import error_response
from services.common.ids import new_id
from services.common.tasks import end_task
from services.firewall.approvals import Asker
from services.firewall.domain.engine import Call
from services.firewall.domain.model import Surface, Verdict
from services.firewall.evaluation import Evaluator
from services.firewall.gateway import Actor, Gateway, client_address
from services.firewall.hooks import Answered, Asked, Hooks
from services.firewall.mcp.results import Refused, Results
from services.firewall.mcp.servers import Servers
from services.firewall.mcp.upstream import ServerFailed
from services.firewall.storage.mcp import Server, Tool

PATH = "/api/v1/firewall/mcp"
BODY_BYTES_MAX = 1024 * 1024
LISTED_AT_ONCE = 8
ID_CHARS_MAX = 128
APPROVAL_HEADER = "x-orca-firewall-approval"
APPROVAL_META = "orca/approval_id"
_IDS = ("x-orca-run-id", "x-orca-step-id", "x-orca-parent-step-id", "x-orca-conversation-id")


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's key and identity."""

    actor: Actor
    asker: Asker
    step_id: str
    parent_step_id: str
    conversation_id: str
    approval_id: str

    def context(self) -> common_pb2.RequestContext:
        """What the guardrail is told."""
        return common_pb2.RequestContext(
            workspace_id=self.actor.workspace_id,
            key_id=self.actor.key_id,
            request_id=self.asker.request_id,
            run_id=self.asker.run_id,
            step_id=self.step_id,
            parent_step_id=self.parent_step_id,
            conversation_id=self.conversation_id,
            endpoint=PATH,
            environment=self.actor.environment,
        )


class McpGateway:
    """The ASGI endpoint. `start` before the first request."""

    def __init__(
        self, gateway: Gateway, servers: Servers, hooks: Hooks, evaluator: Evaluator, results: Results
    ) -> None:
        self._gateway = gateway
        self._servers = servers
        self._hooks = hooks
        self._evaluator = evaluator
        self._results = results
        server: McpServer[Any] = McpServer("orca-firewall", on_list_tools=self._list, on_call_tool=self._call)
        self._manager = StreamableHTTPSessionManager(
            app=server,
            json_response=True,
            stateless=True,
            # The key is the protection here: browsers hold none, and the host name is the operator's choice.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=BODY_BYTES_MAX,
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the SDK's session manager, which must begin and end in one task."""
        ready = asyncio.Event()

        async def run() -> None:
            async with self._manager.run():
                ready.set()
                await asyncio.Event().wait()

        self._task = asyncio.create_task(run(), name="firewall-mcp")
        await ready.wait()

    async def stop(self) -> None:
        """Ends it."""
        await end_task(self._task)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Streams that a client would open by GET are not offered."""
        request = Request(scope, receive)
        try:
            peer = request.client.host if request.client is not None else ""
            address = client_address(request.headers.get, peer)
            key = await self._gateway.admitted(request.headers.get("authorization", ""), address)
            actor = await self._gateway.actor(key, request.headers.get("x-orca-key-id"))
            if request.method != "POST":
                await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
                return
            scope["orca.caller"] = _caller(request, actor)
        except OrcaError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)

    async def _list(
        self, context: ServerRequestContext[Any, Request], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Approved tools of all enabled servers that the acting key's policy does not deny."""
        actor = _called(context).actor
        slots = asyncio.Semaphore(LISTED_AT_ONCE)

        async def tools_of(server: Server, known: Mapping[str, Tool]) -> list[types.Tool]:
            async with slots:
                try:
                    async with self._servers.open(server) as session:
                        offered = await session.tools()
                except ServerFailed:
                    return []
            seen = await self._servers.see(server, offered)
            return [
                types.Tool.model_validate({**tool.definition, "name": f"{server.name}.{name}"})
                for name, tool in seen.items()
                if tool.state == "approved"
            ]

        registered = await self._servers.enabled(actor.workspace_id)
        lists = await asyncio.gather(*(tools_of(server, known) for server, known in registered))
        tools = [tool for found in lists for tool in found]
        looked = await self._evaluator.look(
            actor.workspace_id, actor.firewall_policy_id, Surface.INBOUND, [Call(tool.name) for tool in tools]
        )
        denied = {item.index for item in looked.judgements if item.verdict is Verdict.DENY}
        return types.ListToolsResult(tools=[tool for index, tool in enumerate(tools) if index not in denied])

    async def _call(
        self, context: ServerRequestContext[Any, Request], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Judged, forwarded, judged again. Whatever stands in the way is a tool error."""
        caller = _called(context)
        try:
            return await self._forwarded(caller, params)
        except (Refused, ServerFailed) as error:
            return _error(str(error))
        except OrcaError as error:
            return _error(f"{error.code}: {error.message}")

    async def _forwarded(self, caller: Caller, params: types.CallToolRequestParams) -> types.CallToolResult:
        server_name, _, tool_name = params.name.partition(".")
        found = await self._servers.named(caller.actor.workspace_id, server_name)
        if found is None or tool_name not in found[1]:
            raise Refused("there is no such tool")
        server, known = found
        if known[tool_name].state != "approved":
            raise _closed(known[tool_name])
        meta = dict(params.meta or {})
        arguments_json = json.dumps(params.arguments or {}, ensure_ascii=False)
        told = await self._hooks.evaluate(
            caller.actor,
            Asked(
                call=Call(params.name, arguments_json),
                surface=Surface.MCP,
                asker=caller.asker,
                step_id=caller.step_id,
                parent_step_id=caller.parent_step_id,
                conversation_id=caller.conversation_id,
                approval_id=str(meta.get(APPROVAL_META) or caller.approval_id),
            ),
        )
        _pass_or_refuse(told)
        arguments = json.loads(told.arguments_json) if told.arguments_json is not None else params.arguments or {}
        result = None
        async with self._servers.open(server) as session:
            # Looked at before each call: a tool that changed since it was approved is never called.
            tool = (await self._servers.see(server, await session.tools()))[tool_name]
            if tool.state == "approved":
                result = await session.call(tool_name, arguments)
        if result is None:
            raise _closed(tool)
        return await self._results.judged(caller.context(), caller.actor.guardrail_id, result)


def _closed(tool: Tool) -> Refused:
    return Refused(f"the tool is closed: its definition is {tool.state}, an Admin has to approve it")


def _pass_or_refuse(told: Answered) -> None:
    if told.verdict is Verdict.DENY:
        raise Refused(f"firewall deny: {told.reason}")
    if told.verdict is Verdict.PENDING_APPROVAL:
        raise Refused(f"firewall pending_approval: {told.reason}; approval {told.approval_id}")


def _error(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _called(context: ServerRequestContext[Any, Request]) -> Caller:
    caller = context.request.scope.get("orca.caller") if context.request is not None else None
    if not isinstance(caller, Caller):
        raise RuntimeError("a call without its caller")
    return caller


def _caller(request: Request, actor: Actor) -> Caller:
    ids = []
    for name in _IDS:
        value = request.headers.get(name, "")
        if len(value) > ID_CHARS_MAX or not (value.isascii() and (value.isprintable() or not value)):
            raise OrcaError(f"{name}: must be printable ASCII of at most {ID_CHARS_MAX} characters",
                            code="invalid_request", status=422, param=name)  # fmt: skip
        ids.append(value)
    request_id = new_id("req")
    asker = Asker(actor.workspace_id, actor.key_id, ids[0] or request_id, request_id)
    return Caller(actor, asker, ids[1], ids[2], ids[3], request.headers.get(APPROVAL_HEADER, ""))
