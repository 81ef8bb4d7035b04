"""A relay over fakes: ports in memory, planes behind a loopback channel, an ASGI caller, real upstreams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from orca.auth.v1.auth_pb2 import ChannelRecord, KeyRecord, ModelRecord, WorkspaceRecord
from orca.common.v1.common_pb2 import PolicyRef
from orca.events.v1.events_pb2 import Envelope, Spend
from orca.firewall.v1 import firewall_pb2, firewall_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2, guardrail_pb2_grpc
from services.common.errors import OrcaError, TooMany, Unauthorized
from services.common.networks import parse_networks
from services.common.rpc import LoopbackChannel, LoopbackServer
from services.relay.edge.asgi import RelayAsgi
from services.relay.grpc_server import RelayServicer
from services.relay.pipeline.catalogue import Catalogue
from services.relay.pipeline.chat import ChatPipeline
from services.relay.pipeline.dispatch import Dispatcher
from services.relay.pipeline.gate import Gate
from services.relay.pipeline.judging import JudgePipeline, JudgeRate
from services.relay.pipeline.policy import Planes
from services.relay.ports import KeyEntry, ModelRoute, OpenAttempt
from services.relay.upstream.echo import EchoUpstream, Upstreams
from services.relay.upstream.http import HttpUpstream
from tests.support.clock import ManualClock

SECRET = "sk-orca-test"
APPROVAL = "0123456789abcdef01234567"
LOOPBACK = parse_networks("127.0.0.0/8,::1/128")


def key(**fields: Any) -> KeyRecord:
    defaults: dict[str, Any] = {
        "key_id": "key_1", "workspace_id": "ws_1", "account_id": "acc_1", "owner_user_id": "usr_1",
        "enabled": True, "expires_at_unix_s": -1, "environment": "test",
    }  # fmt: skip
    return KeyRecord(**{**defaults, **fields})


def price(**fields: Any) -> ModelRecord:
    defaults: dict[str, Any] = {
        "workspace_id": "ws_1", "model_id": "test/model", "priced": True,
        "input_nano_usd_per_mtok": 1_000_000_000, "cached_input_nano_usd_per_mtok": 500_000_000,
        "output_nano_usd_per_mtok": 2_000_000_000, "context_length": 100_000, "max_output_tokens": 1000,
    }  # fmt: skip
    return ModelRecord(**{**defaults, **fields})


def channel(base_url: str, **fields: Any) -> ChannelRecord:
    defaults: dict[str, Any] = {"channel_id": "ch_1", "workspace_id": "ws_1", "weight": 1, "enabled": True}
    return ChannelRecord(**{**defaults, "base_url": base_url, **fields})


class Refused(OrcaError):
    """The ledger's 402."""

    def __init__(self, clampable: int, code: str = "credit_limit_exceeded") -> None:
        super().__init__("the limit is reached", code=code, status=402)
        self.clampable_nano_usd = clampable


class Held(OrcaError):
    """The 429 of a key whose credit others hold."""

    def __init__(self, remaining: int) -> None:
        super().__init__("credit is held by other requests", code="credit_held", status=429, retry_after_s=1)
        self.remaining_nano_usd, self.clampable_nano_usd = remaining, remaining + 10**6


@dataclass
class FakeReservation:
    credit: FakeCredit
    amount_nano_usd: int
    ended: str = ""

    async def top_up(self, worst_case_nano_usd: int, beside_nano_usd: int = 0) -> None:
        amount = worst_case_nano_usd + beside_nano_usd
        if self.credit.limit is not None and amount > self.credit.limit:
            raise Refused(self.credit.limit)
        self.amount_nano_usd = max(self.amount_nano_usd, amount)
        # Whatever else runs in the loop from now on, such as the background that gives leases back.
        asyncio.get_running_loop().call_soon(self.credit.timeline.append, "others ran")

    async def cover_refusal(self, worst_case_nano_usd: int) -> None:
        await asyncio.sleep(0)
        limit = self.credit.blocked_limit
        if limit is not None and worst_case_nano_usd > limit:
            raise Refused(limit, "blocked_output_limit")

    def cancel(self) -> None:
        assert not self.ended
        self.ended = "cancelled"

    def settle(self, **amounts: Any) -> Spend:
        assert not self.ended
        self.ended = "settled"
        assert sum(amounts.values()) - amounts["overrun_nano_usd"] <= self.amount_nano_usd
        return Spend(account_id="acc_1", reservation_nano_usd=self.amount_nano_usd, **amounts)


@dataclass
class FakeCredit:
    limit: int | None = None
    blocked_limit: int | None = None
    beside_holds: int | None = None
    """What others' holds leave; None: they hold nothing."""
    reservations: list[FakeReservation] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)

    async def capped(self, entry: KeyEntry) -> bool:
        return self.limit is not None

    async def reserve(self, entry: KeyEntry, worst_case_nano_usd: int) -> FakeReservation:
        if self.limit is not None and worst_case_nano_usd > self.limit:
            raise Refused(self.limit)
        if self.beside_holds is not None and worst_case_nano_usd > self.beside_holds:
            raise Held(self.beside_holds)
        self.reservations.append(FakeReservation(self, worst_case_nano_usd))
        return self.reservations[-1]


@dataclass
class FakeJournal:
    full: bool = False
    opened: list[OpenAttempt] = field(default_factory=list)
    finished: list[tuple[str, list[tuple[str, bytes, Envelope]]]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)

    def admit(self) -> None:
        if self.full:
            raise OrcaError("full", code="event_log_unavailable", status=503)

    def open_attempt(self, attempt: OpenAttempt) -> None:
        self.opened.append(attempt)
        self.timeline.append("recorded")

    def finish(self, request_id: str, events: Sequence[tuple[str, bytes, Envelope]]) -> None:
        self.finished.append((request_id, list(events)))

    def refusal(self, entry: KeyEntry | None, code: str) -> None:
        self.refusals.append(code)

    def of(self, kind: str) -> list[Any]:
        """Payloads of one kind of all finished requests."""
        return [
            getattr(event, kind)
            for _, events in self.finished
            for _, _, event in events
            if event.WhichOneof("payload") == kind
        ]


@dataclass
class FakeAdmission:
    tokens: int = 0
    released: bool = False

    def charge_tokens(self, tokens: int) -> None:
        self.tokens += tokens

    def release(self) -> None:
        self.released = True


@dataclass
class FakeLimiter:
    refuse: bool = False
    admissions: list[FakeAdmission] = field(default_factory=list)

    def admit(self, entry: KeyEntry) -> FakeAdmission:
        if self.refuse:
            raise TooMany("too many requests", retry_after_s=2)
        self.admissions.append(FakeAdmission())
        return self.admissions[-1]


@dataclass
class FakeDirectory:
    entry: KeyEntry
    routes: dict[str, ModelRoute]
    error: OrcaError | None = None
    judge: KeyEntry | None = None

    def by_id(self, key_id: str) -> KeyEntry | None:
        return self.judge if self.judge is not None and self.judge.key.key_id == key_id else None

    def workspace(self, workspace_id: str) -> WorkspaceRecord | None:
        return self.entry.workspace if workspace_id == self.entry.workspace.workspace_id else None

    def peek(self, secret: str) -> KeyEntry | None:
        return self.entry if secret == SECRET and self.error is None else None

    async def resolve(self, secret: str) -> KeyEntry:
        raise self.error or Unauthorized("unknown", code="invalid_api_key")

    def models(self, workspace_id: str) -> Mapping[str, ModelRoute]:
        return self.routes

    def find(self, workspace_id: str, model: str) -> ModelRoute | None:
        found = self.routes.get(model)
        bare = [route for name, route in self.routes.items() if name.partition("/")[2] == model]
        return found or (bare[0] if len(bare) == 1 else None)


class FakeGuardrail(guardrail_pb2_grpc.GuardrailServiceServicer):
    """Masks `secret` as `[MASK]`, blocks `forbidden`, on the stages it is told to."""

    def __init__(self) -> None:
        self.stages = {guardrail_pb2.STAGE_INPUT}
        self.requests: list[guardrail_pb2.CheckRequest] = []
        self.error: OrcaError | None = None
        self.delay: asyncio.Event | None = None
        self.calls = 0
        self.may_refuse_output = False
        self.flags_only = False
        self.needs_sources = False
        self.opened: list[guardrail_pb2.StreamOpen] = []

    def _output_mode(self) -> guardrail_pb2.OutputMode.ValueType:
        on = guardrail_pb2.STAGE_OUTPUT in self.stages
        return guardrail_pb2.OUTPUT_MODE_INCREMENTAL if on else guardrail_pb2.OUTPUT_MODE_NONE

    async def Check(self, request: Any, context: Any) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if self.delay is not None:
            await self.delay.wait()
        self.requests.append(request)
        response = guardrail_pb2.CheckResponse(
            policy=PolicyRef(id="grd_1", name="baseline", version=3),
            outcome=guardrail_pb2.OUTCOME_PASSED,
            output_mode=self._output_mode(),
            output_enforced=guardrail_pb2.STAGE_OUTPUT in self.stages and not self.flags_only,
            needs_sources=self.needs_sources,
            may_refuse_output=self.may_refuse_output or guardrail_pb2.STAGE_OUTPUT in self.stages,
        )
        if request.stage not in self.stages:
            return response
        for index, segment in enumerate(request.segments):
            if "forbidden" in segment.text:
                response.outcome = guardrail_pb2.OUTCOME_BLOCKED
                response.block.CopyFrom(block())
            elif "secret" in segment.text and segment.kind != guardrail_pb2.SEGMENT_KIND_IMMUTABLE:
                if response.outcome == guardrail_pb2.OUTCOME_PASSED:
                    response.outcome = guardrail_pb2.OUTCOME_MASKED
                response.replacements.add(index=index, text=segment.text.replace("secret", "[MASK]"))
                response.matches.add(id=f"m{index}", rule_id="r1", rule_type="keyword", action="mask", count=1)
        return response

    async def CheckStream(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        """Holds a word back until the next one starts, so that every released word was judged whole."""
        held: dict[str, str] = {}
        async for request in request_iterator:
            if request.HasField("open"):
                self.opened.append(request.open)
                continue
            response = guardrail_pb2.CheckStreamResponse()
            for piece in request.chunk.pieces:
                held[piece.field] = held.get(piece.field, "") + piece.text
            for name, text in held.items():
                cut = len(text) if request.HasField("end") else text.rfind(" ") + 1
                ready, held[name] = text[:cut], text[cut:]
                if "forbidden" in ready:
                    response.block.CopyFrom(block())
                    response.verdict.outcome = guardrail_pb2.OUTCOME_BLOCKED
                    ready = ready[: ready.index("forbidden")]
                if ready:
                    response.released.add(field=name, text=ready.replace("secret", "[MASK]"))
            if request.HasField("end"):
                response.verdict.outcome = guardrail_pb2.OUTCOME_PASSED
            yield response
            if response.HasField("block"):
                return


def block() -> guardrail_pb2.Block:
    return guardrail_pb2.Block(
        rule_id="r2", rule_type="keyword", message='request blocked by guardrail "baseline": keyword'
    )


class FakeFirewall(firewall_pb2_grpc.FirewallServiceServicer):
    """Denies tools named `deny…`, redacts `sanitize…`, holds `wait…`, on the response surface; `inbound_deny` on
    inbound. A held answer is handed out once it is `approved`, or refused with `redeem_code`."""

    def __init__(self) -> None:
        self.held: firewall_pb2.HoldRequest | None = None
        self.refuse_hold = False
        self.too_many = self.may_refuse_output = False
        self.redeem_code = "firewall_approval_pending"
        self.redeemed: list[bool] = []
        self.requests: list[firewall_pb2.EvaluateRequest] = []
        self.error: OrcaError | None = None
        self.calls = 0

    async def Evaluate(self, request: Any, context: Any) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        self.requests.append(request)
        response = firewall_pb2.EvaluateResponse(
            policy=PolicyRef(id="fwp_1", name="tools", version=1),
            verdict=firewall_pb2.VERDICT_ALLOW,
            may_refuse_output=self.may_refuse_output,
        )
        inbound = request.surface == firewall_pb2.SURFACE_INBOUND
        for index, call in enumerate(request.calls):
            verdict = firewall_pb2.VERDICT_ALLOW
            if call.tool_name == "inbound_deny" if inbound else call.tool_name.startswith("deny"):
                verdict = firewall_pb2.VERDICT_DENY
                response.message = 'request blocked by firewall policy "tools": no'
                response.verdict = verdict
            elif not inbound and call.tool_name.startswith("wait"):
                verdict = firewall_pb2.VERDICT_DENY if self.too_many else firewall_pb2.VERDICT_PENDING_APPROVAL
                response.verdict, response.message = verdict, "waits for a reviewer"
                response.approval_id = "" if self.too_many else APPROVAL
                response.refusal_code = "too_many_approvals" if self.too_many else ""
            elif not inbound and call.tool_name.startswith("sanitize"):
                verdict = firewall_pb2.VERDICT_SANITIZE
            response.calls.add(
                id=f"f{index}", index=index, verdict=verdict, surface=request.surface,
                sanitized_arguments_json='{"a":"[redacted:x]"}' if verdict == firewall_pb2.VERDICT_SANITIZE else "",
            )  # fmt: skip
        return response

    async def Hold(self, request: Any, context: Any) -> Any:
        if self.refuse_hold or len(request.answer) > 256 * 1024:
            return firewall_pb2.HoldResponse(held=False, message="too large")
        self.held = request
        return firewall_pb2.HoldResponse(held=True)

    async def Redeem(self, request: Any, context: Any) -> Any:
        if self.held is None or request.approval_id != APPROVAL:
            return firewall_pb2.RedeemResponse(code="not_found")
        code = self.redeem_code if request.body_hash == self.held.body_hash else "firewall_approval_mismatch"
        if code:
            return firewall_pb2.RedeemResponse(code=code, message="not now")
        self.redeemed.append(not request.peek)
        if not request.peek:
            self.redeem_code = "firewall_approval_used"
        return firewall_pb2.RedeemResponse(redeemed=not request.peek, held_answer=self.held.answer)

    async def GetApproval(self, request: Any, context: Any) -> Any:
        return firewall_pb2.GetApprovalResponse(state="pending", tool_name="shell", expires_at_unix_s=5)


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["error"]["code"]

    @property
    def frames(self) -> list[Any]:
        """Data of the SSE events, parsed; the last is `[DONE]`."""
        data = [line[6:] for line in self.body.decode().split("\n\n") if line]
        return [item if item == "[DONE]" else json.loads(item) for item in data]

    def text(self, name: str = "content", index: int = 0) -> str:
        """The joined text of one choice of a stream."""
        return "".join(
            choice["delta"].get(name) or ""
            for chunk in self.frames[:-1]
            for choice in chunk.get("choices", ())
            if choice["index"] == index
        )


class Relay:
    """A wired relay; change its fakes, then call it."""

    def __init__(
        self,
        *channels: ChannelRecord,
        record: ModelRecord | None = None,
        plane: Any = None,
        provider: Any = None,
        deadline_s: float = 0.3,
        **key_fields: Any,
    ) -> None:
        """`plane`: a guardrail servicer instead of the fake; `provider`: an upstream that serves every channel."""
        record = record or price()
        networks = parse_networks(",".join(key_fields.get("allow_ips", ())))
        self.workspace = WorkspaceRecord(workspace_id="ws_1", low_credit="clamp")
        entry = KeyEntry(key(**key_fields), self.workspace, networks)
        routes = tuple((item, "upstream-model") for item in channels or (channel("builtin:echo"),))
        self.directory = FakeDirectory(entry, {record.model_id: ModelRoute(record.model_id, record, routes)})
        self.credit, self.journal, self.limiter = FakeCredit(), FakeJournal(), FakeLimiter()
        self.timeline = self.credit.timeline = self.journal.timeline
        self.guardrail, self.firewall = FakeGuardrail(), FakeFirewall()
        self.servers = LoopbackServer(), LoopbackServer()
        guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(plane or self.guardrail, self.servers[0])
        firewall_pb2_grpc.add_FirewallServiceServicer_to_server(self.firewall, self.servers[1])
        clock = ManualClock()
        planes = Planes(
            LoopbackChannel(self.servers[0]), LoopbackChannel(self.servers[1]), clock, deadline_s=deadline_s
        )
        self.http = HttpUpstream(LOOPBACK)
        upstream = provider or Upstreams(self.http, EchoUpstream(clock))
        gate = Gate(
            self.directory, self.directory, self.limiter, self.credit, self.journal, clock,
            trusted_proxies=parse_networks("10.0.0.0/8"), max_body_bytes=1_000_000,
        )  # fmt: skip
        dispatcher = Dispatcher(upstream, self.journal, clock, lambda: 0.0)
        self.clock = clock
        judging = JudgePipeline(
            self.directory, self.directory, self.limiter, gate, planes, dispatcher, self.journal, clock,
            JudgeRate(clock, 2),
        )  # fmt: skip
        self.internal = RelayServicer(judging)
        chat = ChatPipeline(gate, planes, dispatcher, self.journal, clock, lambda task: None)
        self.app = RelayAsgi(chat, Catalogue(gate, planes, self.journal, clock), lambda: {"keys": True})

    async def call(
        self,
        path: str = "/v1/chat/completions",
        body: Any = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        peer: str = "203.0.113.9",
        secret: str = SECRET,
        on_send: Callable[[int, asyncio.Event], Awaitable[None]] | None = None,
        leave: asyncio.Event | None = None,
    ) -> Answered:
        """One request; `leave` makes the client go away when set."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"authorization": f"Bearer {secret}", **(headers or {})}
        scope = {
            "type": "http", "method": method, "path": path, "client": (peer, 1234),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        gone = leave or asyncio.Event()
        sent: list[dict[str, Any]] = []
        messages = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if on_send is not None:
                await on_send(len(sent), gone)

        await self.app(scope, receive, send)
        await self.http.close()
        if not sent:
            return Answered(0, {}, b"")
        response_headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answered(sent[0]["status"], response_headers, b"".join(m.get("body", b"") for m in sent[1:]))


def chat(text: str = "hello there", **fields: Any) -> dict[str, Any]:
    return {"model": "test/model", "messages": [{"role": "user", "content": text}], **fields}


class Provider:
    """A real OpenAI-compatible server on loopback with a scripted behaviour."""

    def __init__(self, handler: Callable[[web.Request, Any], Awaitable[web.StreamResponse]]) -> None:
        self._handler = handler
        self.bodies: list[Any] = []
        self.headers: list[Mapping[str, str]] = []

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        return await self._handler(request, body)

    async def __aenter__(self) -> Provider:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def completion(message: Mapping[str, Any], usage: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", "logprobs": None}
    usage = usage if usage is not None else {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [choice], "usage": usage, **fields}  # fmt: skip
