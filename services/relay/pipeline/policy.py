"""The two policy planes, as the pipeline asks them: deadline, one retry, fail closed or open, events.

An unreachable plane is retried once within the deadline (the channel picks another replica); then the
request is refused, unless the workspace lets that plane fail open. Lateness never opens: a tenant could
force it. Every call, and every pass by fail-open, is a decision event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orca.events.v1.events_pb2 import Decision
from orca.firewall.v1 import firewall_pb2, firewall_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2, guardrail_pb2_grpc
from services.common.clock import Clock
from services.common.errors import OrcaError, RpcDeadline, Unavailable
from services.common.rpc import call
from services.common.waiting import beside
from services.relay.domain.segments import TEXT, Segment
from services.relay.pipeline.events import add_decision, add_firewall, add_guardrail
from services.relay.pipeline.exchange import Exchange
from services.relay.pipeline.metrics import POLICY_FAILURES
from services.relay.pipeline.refusals import PolicyRefusal, policy_unavailable

KINDS = {
    "text": guardrail_pb2.SEGMENT_KIND_TEXT,
    "json": guardrail_pb2.SEGMENT_KIND_JSON,
    "immutable": guardrail_pb2.SEGMENT_KIND_IMMUTABLE,
    "unsupported": guardrail_pb2.SEGMENT_KIND_UNSUPPORTED,
}
APPROVAL_HEADER = "X-Orca-Firewall-Approval"
TOO_MANY_APPROVALS = "too_many_approvals"


@dataclass(slots=True)
class Asked:
    """What became of one call: an answer or an error, and its time in seconds."""

    response: Any
    error: OrcaError | None
    latency_s: float


def may_fail_open(error: OrcaError) -> bool:
    """The plane could not be reached, or says itself that it cannot answer; lateness does not count."""
    return isinstance(error, Unavailable) and not isinstance(error, RpcDeadline)


class Planes:
    """Guardrail and firewall."""

    def __init__(self, guardrail_channel: Any, firewall_channel: Any, clock: Clock, *, deadline_s: float) -> None:
        self.guardrail: Any = guardrail_pb2_grpc.GuardrailServiceStub(guardrail_channel)
        self.firewall: Any = firewall_pb2_grpc.FirewallServiceStub(firewall_channel)
        self.clock = clock
        self.deadline_s = deadline_s

    async def ask(self, method: Any, request: Any) -> Asked:
        """Calls a plane; an unreachable one is tried once more in what is left of the deadline."""
        started = self.clock.monotonic_s()
        try:
            try:
                response = await call(method, request, timeout_s=self.deadline_s)
            except Unavailable as error:
                left = self.deadline_s - (self.clock.monotonic_s() - started)
                if not may_fail_open(error) or left <= 0:
                    raise
                response = await call(method, request, timeout_s=left)
        except OrcaError as error:
            return Asked(None, error, self.clock.monotonic_s() - started)
        return Asked(response, None, self.clock.monotonic_s() - started)

    async def check(self, x: Exchange, stage: int, segments: Sequence[Segment]) -> Asked:
        """Asks the guardrail about texts."""
        request = guardrail_pb2.CheckRequest(
            context=x.context(),
            guardrail_id=x.key.key.guardrail_id,
            stage=stage,  # type: ignore[arg-type]
            segments=[
                guardrail_pb2.Segment(path=s.path, role=s.role, kind=KINDS[s.kind], text=s.text) for s in segments
            ],
            sources=x.sources if stage == guardrail_pb2.STAGE_OUTPUT else (),
            policy=x.guardrail if stage == guardrail_pb2.STAGE_OUTPUT else None,
        )
        return await self.ask(self.guardrail.Check, request)

    def evaluation(
        self, x: Exchange, surface: int, calls: Sequence[firewall_pb2.ToolCall], worst_case_nano_usd: int = 0
    ) -> firewall_pb2.EvaluateRequest:
        """A firewall request."""
        return firewall_pb2.EvaluateRequest(
            context=x.context(),
            firewall_policy_id=x.key.key.firewall_policy_id,
            surface=surface,  # type: ignore[arg-type]
            calls=calls,
            worst_case_nano_usd=worst_case_nano_usd,
        )

    async def settle(self, x: Exchange, cost_nano_usd: int) -> None:
        """Ends what `cap_cost` reserved; a failure is left to the firewall's own expiry."""
        request = firewall_pb2.SettleRequest(context=x.context(), cost_nano_usd=cost_nano_usd)
        await self.ask(self.firewall.Settle, request)


def unavailable(x: Exchange, plane: str, stage: str, asked: Asked, *, answered: bool) -> None:
    """Refuses, or records the pass where the workspace lets this plane fail open."""
    workspace = x.key.workspace
    opens = workspace.fail_open_guardrail if plane == "guardrail" else workspace.fail_open_firewall
    POLICY_FAILURES.labels(plane).inc()
    opened = opens and asked.error is not None and may_fail_open(asked.error)
    add_decision(
        x,
        Decision(
            plane=plane,
            stage=stage,
            outcome="not_evaluated" if opened else "refuse",
            code="" if opened else "policy_unavailable",
            reason="the plane is unreachable" if opened else "the plane is unreachable or late",
            latency_us=round(asked.latency_s * 1_000_000),
            fail_open=opened,
        ),
    )
    if not opened:
        raise policy_unavailable(answered=answered)


def guardrail_refusal(block: guardrail_pb2.Block) -> PolicyRefusal:
    """The answer to a guardrail block."""
    return PolicyRefusal(block.message or "request blocked by guardrail", code="guardrail_blocked")


def firewall_refusal(response: firewall_pb2.EvaluateResponse) -> PolicyRefusal | None:
    """The answer to an enforcing firewall verdict, None for one that passes."""
    message = response.message or "request blocked by firewall policy"
    if response.verdict == firewall_pb2.VERDICT_DENY:
        if response.refusal_code == TOO_MANY_APPROVALS:
            return PolicyRefusal(message, code=TOO_MANY_APPROVALS, status=429)
        return PolicyRefusal(message, code="firewall_blocked")
    if response.verdict == firewall_pb2.VERDICT_PENDING_APPROVAL:
        headers = {APPROVAL_HEADER: response.approval_id} if response.approval_id else {}
        return PolicyRefusal(message, code="firewall_approval_pending", headers=headers)
    return None


_FORMS = ("function", "custom")
_PROVIDER_RUN = {
    "web_search_options": "web_search",
    "search_parameters": "web_search",
    "enable_search": "web_search",
    "mcp_servers": "mcp",
}
"""Members of a body by which providers are asked to run a tool of their own."""
_PLUGINS = {"web": "web_search"}


def advertised(body: dict[str, Any]) -> list[firewall_pb2.ToolCall]:
    """The tools a request advertises; provider-run ones as `provider.<type>`, however they are asked for.

    A tool that carries two forms advertises both: which of them a provider reads is not ours to guess.
    """
    names: list[str] = []
    for tool in body.get("tools") or ():
        if tool["type"] not in _FORMS:
            names.append(f"provider.{tool['type']}")
        forms = (tool[form] for form in _FORMS if isinstance(tool.get(form), dict))
        names += [form["name"] for form in forms if isinstance(form.get("name"), str)]
    names += [function["name"] for function in body.get("functions") or ()]
    names += [f"provider.{kind}" for member, kind in _PROVIDER_RUN.items() if body.get(member) not in (None, False)]
    plugins = body.get("plugins")
    for plugin in plugins if isinstance(plugins, list) else ():
        name = plugin.get("id") if isinstance(plugin, dict) else None
        if isinstance(name, str):
            names.append(f"provider.{_PLUGINS.get(name, f'plugin.{name}')}")
    return [firewall_pb2.ToolCall(tool_name=name) for name in names]


async def judge_input(planes: Planes, x: Exchange, segments: Sequence[Segment]) -> guardrail_pb2.CheckResponse | None:
    """Check 7: both planes at once. Returns the guardrail's answer, None when it failed open.

    A block of either wins over a failure of the other; the guardrail's block is the one reported.
    """
    evaluation = planes.evaluation(
        x, firewall_pb2.SURFACE_INBOUND, advertised(x.body), x.case.amount_nano_usd if x.case else 0
    )
    asked, action = await beside(
        planes.check(x, guardrail_pb2.STAGE_INPUT, segments), planes.ask(planes.firewall.Evaluate, evaluation)
    )
    checked: guardrail_pb2.CheckResponse | None = asked.response
    refusal: PolicyRefusal | None = None
    if checked is not None:
        block = checked.block if checked.outcome == guardrail_pb2.OUTCOME_BLOCKED else None
        add_guardrail(x, "input", checked, block, asked.latency_s)
        _take_guardrail(x, checked)
        refusal = guardrail_refusal(block) if block is not None else None
    if action.response is not None:
        add_firewall(x, evaluation, action.response, action.latency_s)
        x.firewall = action.response.policy
        x.may_refuse_output |= action.response.may_refuse_output
        x.cost_capped = action.response.cost_reserved
        refusal = refusal or firewall_refusal(action.response)
    if refusal is not None:
        raise refusal
    if checked is None:
        unavailable(x, "guardrail", "input", asked, answered=False)
        # The plane may be back when the answer comes: it is asked again then.
        x.output_mode = guardrail_pb2.OUTPUT_MODE_INCREMENTAL
        x.output_enforced = x.may_refuse_output = True
    if action.response is None:
        unavailable(x, "firewall", "inbound", action, answered=False)
        x.may_refuse_output = True
    return checked


def message_sources(
    segments: Sequence[Segment], replacements: Sequence[tuple[int, str]]
) -> list[guardrail_pb2.Segment]:
    """The texts of the request's messages as they are forwarded, for rules that compare the answer with them."""
    replaced = dict(replacements)
    return [
        guardrail_pb2.Segment(path=s.path, role=s.role, kind=KINDS[s.kind], text=replaced.get(index, s.text))
        for index, s in enumerate(segments)
        if s.role and s.kind == TEXT
    ]


def _take_guardrail(x: Exchange, checked: guardrail_pb2.CheckResponse) -> None:
    x.guardrail = checked.policy
    x.output_mode = checked.output_mode
    x.output_enforced = checked.output_enforced
    x.may_refuse_output |= checked.may_refuse_output
