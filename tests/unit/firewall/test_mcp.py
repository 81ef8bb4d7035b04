"""The MCP gateway with real MCP servers and the official client over streamable HTTP on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse

from orca.guardrail.v1 import guardrail_pb2, guardrail_pb2_grpc
from services.common.rpc.loopback import LoopbackServer
from tests.support.serving import serving
from tests.unit.firewall.harness import Harness, harness

CREDENTIAL = "made-up-credential"


class FakeGuardrail(guardrail_pb2_grpc.GuardrailServiceServicer):
    """Masks `secret`, blocks `forbidden`, in what tools answer."""

    def __init__(self) -> None:
        self.requests: list[guardrail_pb2.CheckRequest] = []

    async def Check(self, request: Any, context: Any) -> guardrail_pb2.CheckResponse:
        self.requests.append(request)
        answer = guardrail_pb2.CheckResponse(outcome=guardrail_pb2.OUTCOME_PASSED)
        for index, segment in enumerate(request.segments):
            if "forbidden" in segment.text:
                answer.outcome = guardrail_pb2.OUTCOME_BLOCKED
                answer.block.message = 'request blocked by guardrail "g": keyword'
            elif "secret" in segment.text:
                answer.replacements.add(index=index, text=segment.text.replace("secret", "[MASK]"))
        return answer


@dataclass
class Upstream:
    """A real MCP server; `calls` are what reached its tools, `headers` what every request carried."""

    server: MCPServer[Any]
    url: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    redirect: str = ""
    packed: bool = False


@contextlib.asynccontextmanager
async def upstream(name: str) -> AsyncIterator[Upstream]:
    server: MCPServer[Any] = MCPServer(name)
    up = Upstream(server)

    @server.tool()
    def echo(text: str) -> str:
        """Says it again."""
        up.calls.append(("echo", text))
        return text

    @server.tool()
    def delete_all(path: str = "/") -> str:
        """Deletes."""
        up.calls.append(("delete_all", path))
        return "deleted"

    app = server.streamable_http_app(json_response=True)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            up.headers.append(dict(request.headers))
            if up.redirect and request.url.path == "/mcp":
                await RedirectResponse(up.redirect, 307)(scope, receive, send)
                return
        if up.packed:
            # Whatever was said to be accepted.
            scope = {**scope, "headers": [h for h in scope["headers"] if h[0] != b"accept-encoding"]}
            scope["headers"].append((b"accept-encoding", b"gzip"))
            await GZipMiddleware(app, minimum_size=1)(scope, receive, send)
        else:
            await app(scope, receive, send)

    async with serving(noted) as url:
        up.url = f"{url}/mcp"
        yield up


@dataclass
class Mcp:
    """The firewall on a port, one registered server, and clients of the gateway."""

    plane: Harness
    url: str
    up: Upstream
    guardrail: FakeGuardrail

    @contextlib.asynccontextmanager
    async def client(self, secret: str = "gate", **headers: str) -> AsyncIterator[Client]:
        sent = {"Authorization": f"Bearer {secret}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        async with httpx2.AsyncClient(headers=sent) as http:
            transport = streamable_http_client(f"{self.url}/api/v1/firewall/mcp", http_client=http)
            async with Client(transport, cache=None) as client:
                yield client

    async def tools(self, **headers: str) -> list[str]:
        async with self.client(**headers) as client:
            return sorted(tool.name for tool in (await client.list_tools()).tools)

    async def call(self, tool: str, arguments: dict[str, Any], **headers: str) -> tuple[bool, str]:
        async with self.client(**headers) as client:
            result = await client.call_tool(tool, arguments)
            return bool(result.is_error), result.content[0].text  # type: ignore[union-attr]

    async def admin(self, method: str, path: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
        return await self.plane.request(method, f"/mcp/servers{path}", body, who="w1/ADMIN")

    async def register(self, name: str = "files", **fields: Any) -> dict[str, Any]:
        status, body = await self.admin("POST", "", {"name": name, "url": self.up.url, **fields})
        assert status == 200, body
        data: dict[str, Any] = body["data"]
        return data


@pytest_asyncio.fixture
async def mcp(tmp_path: Path) -> AsyncIterator[Mcp]:
    guardrail, rails = FakeGuardrail(), LoopbackServer()
    guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(guardrail, rails)
    async with harness(tmp_path, guardrail=rails) as plane, upstream("one") as up:
        await plane.app.mcp.start()
        async with serving(plane.app.asgi) as url:
            yield Mcp(plane, url, up, guardrail)
        await plane.app.mcp.stop()


async def test_servers_are_merged_and_calls_forwarded_with_the_servers_credential(mcp: Mcp) -> None:
    made = await mcp.register(credential=CREDENTIAL)
    assert [(t["qualified_name"], t["state"]) for t in made["tools"]] == [
        ("files.delete_all", "approved"),
        ("files.echo", "approved"),
    ]
    assert (made["has_credential"], CREDENTIAL in str(made)) == (True, False)
    async with upstream("two") as second:
        assert (await mcp.admin("POST", "", {"name": "other-2", "url": second.url}))[0] == 200
        assert await mcp.tools() == ["files.delete_all", "files.echo", "other-2.delete_all", "other-2.echo"]
        assert await mcp.call("other-2.echo", {"text": "to the second"}) == (False, "to the second")
        assert (mcp.up.calls, second.calls) == ([], [("echo", "to the second")])
    assert await mcp.call("files.echo", {"text": "hello"}, X_Orca_Run_Id="run-7") == (False, "hello")
    assert all(sent.get("authorization") == f"Bearer {CREDENTIAL}" for sent in mcp.up.headers)
    # A server that is down takes only its own tools with it.
    assert await mcp.tools() == ["files.delete_all", "files.echo"]
    rows = [item for item in await mcp.plane.envelopes() if item.HasField("decision")]
    assert [(row.run_id, row.key_id, row.decision.stage) for row in rows][-1] == ("run-7", "key_gate", "mcp")
    assert b"hello" not in b"".join(row.SerializeToString() for row in await mcp.plane.envelopes())


async def test_only_a_gateway_key_reaches_the_gateway_and_it_acts_for_the_named_key(mcp: Mcp) -> None:
    await mcp.register()
    async with httpx2.AsyncClient() as http:
        for secret, expected in [("tenant", 403), ("nobody", 401)]:
            for method in ("POST", "GET", "DELETE"):
                headers = {"Authorization": f"Bearer {secret}"}
                answer = await http.request(method, f"{mcp.url}/api/v1/firewall/mcp", headers=headers)
                assert answer.status_code == expected
        headers = {"Authorization": "Bearer gate"}
        assert (await http.get(f"{mcp.url}/api/v1/firewall/mcp", headers=headers)).status_code == 405
        mcp.plane.keys.add_key("off", enabled=False)
        mcp.plane.keys.add_key("old", expires_at_unix_s=1)
        mcp.plane.keys.add_key("foreign", workspace_id="w2")
        for key_id in ("key_nobody", "key_off", "key_old", "key_foreign"):
            named = headers | {"X-Orca-Key-Id": key_id}
            for method in ("POST", "GET", "DELETE"):
                answer = await http.request(method, f"{mcp.url}/api/v1/firewall/mcp", headers=named)
                assert answer.status_code == 404, (method, key_id)
        refusals: dict[str, dict[str, Any]] = {
            "g1": {"enabled": False},
            "g2": {"expires_at_unix_s": 1},
            "g3": {"deleted": True},
        }
        for secret, fields in refusals.items():
            mcp.plane.keys.add_key(secret, is_firewall_gateway=True, **fields)
            refused = {"Authorization": f"Bearer {secret}"}
            assert (await http.post(f"{mcp.url}/api/v1/firewall/mcp", headers=refused)).status_code == 401, fields
        mcp.plane.keys.add_key("theirs", is_firewall_gateway=True, workspace_id="w2")
    async with mcp.client(secret="theirs") as client:
        assert (await client.list_tools()).tools == []
    strict = await mcp.plane.create(
        name="strict", rules=[{"tool_name_glob": "delete_all", "verdict": "deny", "label": "no"}]
    )
    mcp.plane.keys.add_key("agent", firewall_policy_id=strict["id"])
    assert await mcp.call("files.delete_all", {}) == (False, "deleted")
    denied = await mcp.call("files.delete_all", {}, X_Orca_Key_Id="key_agent")
    assert denied == (True, 'firewall deny: tool "files.delete_all" denied by rule "no"')
    assert await mcp.tools(X_Orca_Key_Id="key_agent") == ["files.delete_all", "files.echo"]
    hidden = [{"tool_name_glob": "files.delete_all", "verdict": "deny"}]
    await mcp.plane.request("PUT", f"/policies/{strict['id']}", {"rules": hidden})
    assert await mcp.tools(X_Orca_Key_Id="key_agent") == ["files.echo"]
    assert mcp.up.calls == [("delete_all", "/")]


async def test_redacted_arguments_are_forwarded_and_results_pass_the_output_rules(mcp: Mcp) -> None:
    mcp.up.server.add_tool(lambda: "x" * 1_100_000, name="big", description="Too much.")
    await mcp.register()
    rule = {"tool_name_glob": "files.echo", "verdict": "sanitize", "sanitize": {"presets": ["email"]}}
    await mcp.plane.create(is_default=True, rules=[rule])
    assert await mcp.call("files.echo", {"text": "jo@example.com"}) == (False, "[redacted:email]")
    assert mcp.up.calls == [("echo", "[redacted:email]")]
    assert await mcp.call("files.echo", {"text": "a secret"}) == (False, "a [MASK]")
    refused, text = await mcp.call("files.echo", {"text": "forbidden"})
    assert (refused, text) == (True, 'request blocked by guardrail "g": keyword')
    seen = mcp.guardrail.requests[-1]
    assert (seen.stage, seen.context.key_id) == (guardrail_pb2.STAGE_OUTPUT, "key_gate")
    refused, text = await mcp.call("files.big", {})
    assert (refused, "larger than" in text) == (True, True)


async def test_what_a_server_adds_to_a_result_passes_the_output_rules_too(mcp: Mcp) -> None:
    def odd() -> types.CallToolResult:
        told = {"note": "a secret"}
        text = types.TextContent(type="text", text="x", _meta=told)
        resource = types.TextResourceContents(uri="file:///a-secret", text="y", _meta=told)
        content = [text, types.EmbeddedResource(type="resource", resource=resource)]
        return types.CallToolResult(content=content, _meta=told)

    mcp.up.server.add_tool(odd, name="odd", description="Says more than its texts.")
    await mcp.register()
    async with mcp.client() as client:
        result = await client.call_tool("files.odd", {})
    shown = result.model_dump_json(by_alias=True)
    assert ("secret" in shown, shown.count("[MASK]")) == (False, 4)


async def test_a_packed_answer_of_a_server_is_not_unpacked(mcp: Mcp) -> None:
    await mcp.register()
    mcp.up.packed = True
    refused, text = await mcp.call("files.echo", {"text": "x"})
    assert (refused, text, mcp.up.calls) == (True, "the server failed (ReadError)", [])
    assert {headers["accept-encoding"] for headers in mcp.up.headers} == {"identity"}


async def test_a_tool_that_changes_is_closed_until_an_admin_approves_it_again(mcp: Mcp) -> None:
    made = await mcp.register()

    def echo(text: str, also: str = "") -> str:
        """Says it again, and tells somebody else."""
        mcp.up.calls.append(("drifted", text))
        return text

    mcp.up.server.remove_tool("echo")
    mcp.up.server.add_tool(echo)
    mcp.up.server.add_tool(lambda: "new", name="fresh", description="New.")
    refused, text = await mcp.call("files.echo", {"text": "x"})
    assert (refused, "drifted" in text) == (True, True)
    assert (await mcp.call("files.fresh", {}))[0] is True
    assert await mcp.tools() == ["files.delete_all"]
    _, body = await mcp.admin("GET", f"/{made['id']}")
    assert {t["name"]: t["state"] for t in body["data"]["tools"]} == {
        "delete_all": "approved", "echo": "drifted", "fresh": "pending",
    }  # fmt: skip
    assert mcp.up.calls == []
    path = f"/{made['id']}/approve"
    status, _ = await mcp.plane.request("POST", f"/mcp/servers{path}", {"tools": ["echo"]}, who="w1/DEVELOPER")
    assert status == 403
    assert (await mcp.admin("POST", path, {"tools": ["none"]}))[0] == 422
    assert (await mcp.admin("POST", path, {"tools": ["echo"]}))[0] == 200
    assert await mcp.tools() == ["files.delete_all", "files.echo"]
    assert await mcp.call("files.echo", {"text": "x"}) == (False, "x")
    mcp.up.server.remove_tool("delete_all")
    assert (await mcp.admin("POST", f"/{made['id']}/probe"))[0] == 200
    refused, text = await mcp.call("files.delete_all", {})
    assert (refused, "gone" in text) == (True, True)


async def test_a_call_waits_for_its_reviewer_and_passes_once(mcp: Mcp) -> None:
    await mcp.register()
    await mcp.plane.create(is_default=True, rules=[{"tool_name_glob": "delete_all", "verdict": "pending_approval"}])
    refused, text = await mcp.call("files.delete_all", {"path": "/tmp"})
    approval_id = text[-24:]
    assert (refused, text.startswith("firewall pending_approval: ")) == (True, True)
    await mcp.plane.request("POST", f"/approvals/{approval_id}/approve")
    refused, text = await mcp.call("files.delete_all", {"path": "/"}, X_Orca_Firewall_Approval=approval_id)
    assert text.startswith("firewall_approval_mismatch")
    passed = await mcp.call("files.delete_all", {"path": "/tmp"}, X_Orca_Firewall_Approval=approval_id)
    assert passed == (False, "deleted")
    again = await mcp.call("files.delete_all", {"path": "/tmp"}, X_Orca_Firewall_Approval=approval_id)
    assert again[1].startswith("firewall_approval_used")
    assert mcp.up.calls == [("delete_all", "/tmp")]


async def test_a_redirect_elsewhere_is_not_followed_and_carries_no_credential(mcp: Mcp) -> None:
    async with upstream("elsewhere") as other:
        mcp.up.redirect = other.url
        status, body = await mcp.admin("POST", "", {"name": "files", "url": mcp.up.url, "credential": CREDENTIAL})
        assert (status, body["code"]) == (422, "mcp_server_unreachable")
        assert other.headers == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": "Upper"}, "name"),
        ({"name": "a.b"}, "name"),
        ({"name": "x" * 33}, "name"),
        ({"name": None}, "name"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://user:pw@example.com/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "http://10.0.0.1/mcp"}, "url"),
        ({"url": "http://127.0.0.1:9/mcp"}, "url"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"headers": {"X-Key": "é"}}, "headers"),
        ({"credential": "a\nb"}, "credential"),
        ({"other": 1}, "other"),
    ],
)
async def test_a_server_that_is_refused_names_the_field_and_leaves_nothing(
    mcp: Mcp, fields: dict[str, Any], param: str
) -> None:
    status, body = await mcp.admin("POST", "", {"name": "files", "url": mcp.up.url, **fields})
    assert (status, body["param"]) == (422, param)
    assert (await mcp.admin("GET"))[1]["data"]["items"] == []


async def test_servers_belong_to_their_workspace_and_only_admins_change_them(mcp: Mcp) -> None:
    made = await mcp.register(credential=CREDENTIAL)
    path = f"/mcp/servers/{made['id']}"
    calls = [("GET", path, None), ("PUT", path, {"enabled": False}), ("DELETE", path, None),
             ("POST", f"{path}/probe", None), ("POST", f"{path}/approve", None)]  # fmt: skip
    for method, target, body in calls:
        assert (await mcp.plane.request(method, target, body, who="w2/OWNER"))[0] == 404
        if method != "GET":
            assert (await mcp.plane.request(method, target, body, who="w1/DEVELOPER"))[0] == 403
    assert (await mcp.admin("POST", "", {"name": "files", "url": mcp.up.url}))[0] == 409
    _, changed = await mcp.admin("PUT", f"/{made['id']}", {"enabled": False})
    assert changed["data"]["enabled"] is False
    assert await mcp.tools() == []
    assert (await mcp.call("files.echo", {"text": "x"}))[0] is True
    assert (await mcp.admin("DELETE", f"/{made['id']}"))[0] == 200
    assert (await mcp.admin("GET"))[1]["data"]["items"] == []
    verbs = [item.audit.verb for item in await mcp.plane.envelopes() if item.HasField("audit")]
    assert verbs == ["mcp_server_create", "mcp_server_update", "mcp_server_delete"]
    assert all(CREDENTIAL.encode() not in item.SerializeToString() for item in await mcp.plane.envelopes())
