"""Evaluations through the service: every verdict, counters, approvals of hook and relay, shadow, egress."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from grpc import StatusCode
from grpc.aio import AioRpcError

from orca.common.v1.common_pb2 import RequestContext
from orca.firewall.v1 import firewall_pb2 as pb
from orca.guardrail.v1 import guardrail_pb2, guardrail_pb2_grpc
from orca.ledger.v1 import ledger_pb2
from services.common.errors import Unavailable
from services.common.rpc.loopback import LoopbackServer
from services.firewall import entities
from services.firewall.domain.model import Sanitize
from services.firewall.domain.outcome import EntityRedaction
from services.firewall.domain.sanitize import CompiledSanitize
from tests.unit.firewall.harness import Harness, harness

PAY = {"tool_name_glob": "bank.pay", "verdict": "pending_approval", "label": "pay"}
LOOP = {
    "verdict": "deny",
    "label": "loop",
    "rate": {"max_calls": 2, "window_seconds": 60, "per": "run", "same": "call"},
}


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


def name(verdict: int) -> str:
    return pb.Verdict.Name(verdict).removeprefix("VERDICT_").lower()  # type: ignore[arg-type]


async def test_a_policy_without_stateful_rules_touches_no_database(plane: Harness) -> None:
    rules = [PAY | {"verdict": "deny"}, {"verdict": "sanitize", "sanitize": {"presets": ["email"]}}]
    await plane.create(is_default=True, rules=rules)
    statements: list[str] = []
    engine = plane.app.database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    for surface in (pb.SURFACE_INBOUND, pb.SURFACE_RESPONSE, pb.SURFACE_MCP):
        await plane.evaluate(("bank.pay", '{"a": "b@example.com"}'), ("x", "{}"), surface=surface)
    assert statements == []
    await plane.request("PUT", f"/policies/{(await plane.create(name='r', is_default=True))['id']}", {"rules": [LOOP]})
    statements.clear()
    await plane.evaluate(("x", "{}"))
    assert any("counters" in item for item in statements)


async def test_redacted_arguments_come_back_and_stay_json(plane: Harness) -> None:
    rule = {"tool_name_glob": "mail.*", "verdict": "sanitize", "sanitize": {"presets": ["email"]}}
    await plane.create(is_default=True, rules=[rule])
    answer = await plane.evaluate(("mail.send", '{"to": "jo@example.com", "n": 1}'))
    assert name(answer.verdict) == "sanitize"
    assert json.loads(answer.calls[0].sanitized_arguments_json) == {"to": "[redacted:email]", "n": 1}
    _, body = await plane.hook("POST", "/evaluate", {"tool_name": "mail.send", "arguments": {"to": "jo@example.com"}})
    told = body["data"]
    assert (told["verdict"], told["arguments"]) == ("sanitize", {"to": "[redacted:email]"})
    _, body = await plane.hook("POST", "/evaluate", {"tool_name": "mail.send", "arguments": '{"to": "jo@example.com"}'})
    assert body["data"]["arguments"] == '{"to":"[redacted:email]"}'


async def test_a_loop_is_stopped_within_its_run_and_window(plane: Harness) -> None:
    await plane.create(is_default=True, rules=[LOOP], default_verdict="allow")

    async def ask(arguments: str, run_id: str = "run_1") -> str:
        return name((await plane.evaluate(("fetch", arguments), run_id=run_id)).verdict)

    assert [await ask('{"u": 1}') for _ in range(3)] == ["allow", "allow", "deny"]
    assert await ask('{"u": 2}') == "allow"
    assert await ask('{"u": 1}', "run_2") == "allow"
    plane.clock.advance(61)
    await plane.app.snapshot.refresh()
    assert await ask('{"u": 1}') == "allow"


async def test_a_sequence_fires_on_the_call_that_completes_it(plane: Harness) -> None:
    steps = [{"tool_name_glob": "secrets.read", "min_count": 1}, {"tool_name_glob": "http.post", "min_count": 1}]
    rule = {"verdict": "deny", "sequence": {"window_seconds": 300, "steps": steps}}
    await plane.create(is_default=True, rules=[rule], default_verdict="allow")
    seen = [name((await plane.evaluate((tool, "{}"))).verdict) for tool in ("http.post", "secrets.read", "http.post")]
    assert seen == ["allow", "allow", "deny"]
    assert name((await plane.evaluate(("http.post", "{}"), run_id="other")).verdict) == "allow"


async def test_an_approved_call_is_a_step_of_the_run_it_was_held_in(plane: Harness) -> None:
    steps = [{"tool_name_glob": "bank.pay"}, {"tool_name_glob": "mail.send"}]
    rule = {"verdict": "deny", "priority": 1, "sequence": {"window_seconds": 300, "steps": steps}}
    await plane.create(is_default=True, rules=[rule, PAY], default_verdict="allow")
    pay: dict[str, Any] = {"tool_name": "bank.pay", "arguments": {}, "agent_run_id": "run_7"}
    mail = {**pay, "tool_name": "mail.send"}
    approval_id = (await plane.hook("POST", "/evaluate", pay))[1]["data"]["approval_id"]
    assert (await plane.hook("POST", "/evaluate", mail))[1]["data"]["verdict"] == "allow"
    await plane.request("POST", f"/approvals/{approval_id}/approve")
    # The retry calls itself another run; what was approved belongs to the first.
    used = pay | {"approval_id": approval_id, "agent_run_id": "run_8"}
    assert (await plane.hook("POST", "/evaluate", used))[1]["data"]["verdict"] == "allow"
    assert (await plane.hook("POST", "/evaluate", mail | {"agent_run_id": "run_8"}))[1]["data"]["verdict"] == "allow"
    assert (await plane.hook("POST", "/evaluate", mail))[1]["data"]["verdict"] == "deny"


class FakeGuardrail(guardrail_pb2_grpc.GuardrailServiceServicer):
    """Knows the entity `iban`, which is every run of digits behind `DE`."""

    down = False

    async def Redact(self, request: Any, context: Any) -> guardrail_pb2.RedactResponse:
        if self.down:
            raise Unavailable("down")
        unknown = [entity for entity in request.entities if entity != "iban"]
        texts = [re.sub(r"DE\d+", "[redacted:iban]", text) for text in request.texts]
        return guardrail_pb2.RedactResponse(unknown=unknown, texts=[] if unknown else texts)


async def test_a_guardrail_entity_is_redacted_by_the_guardrail_and_nothing_passes_without_it(tmp_path: Path) -> None:
    server, fake = LoopbackServer(), FakeGuardrail()
    guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(fake, server)
    rule = {"verdict": "sanitize", "sanitize": {"presets": ["email", "iban"], "paths": ["$.to", "$.deep"]}}
    async with harness(tmp_path, guardrail=server) as plane:
        wrong = {"name": "x", "rules": [rule | {"sanitize": {"presets": ["email", "ibann"]}}]}
        for path in ("/policies", "/test"):
            sent = wrong if path == "/policies" else {"tool_name": "t", "policy": wrong}
            status, body = await plane.request("POST", path, sent)
            assert (status, body["param"]) == (422, "rules.0.sanitize.presets.1")
        created = await plane.create(is_default=True, rules=[rule])
        assert (await plane.request("PUT", f"/policies/{created['id']}", {"rules": created["rules"]}))[0] == 200
        given = {"to": "a@b.example DE12", "deep": [{"n": 1, "x": "DE34 DE12"}], "kept": "DE56"}
        answer = await plane.evaluate(("pay", json.dumps(given)))
        redacted = {
            "to": "[redacted:email] [redacted:iban]",
            "deep": [{"n": 1, "x": "[redacted:iban] [redacted:iban]"}],
            "kept": "DE56",
        }
        assert json.loads(answer.calls[0].sanitized_arguments_json) == redacted
        _, tried = await plane.request("POST", "/test", {"tool_name": "pay", "arguments": given})
        assert tried["data"]["arguments"] == redacted
        fake.down = True
        with pytest.raises(AioRpcError) as failed:
            await plane.evaluate(("pay", json.dumps(given)))
        assert failed.value.code() is StatusCode.UNAVAILABLE
        assert (await plane.request("POST", "/policies", wrong))[0] == 503


async def test_rules_may_name_more_entities_together_than_one_question_holds(tmp_path: Path) -> None:
    server, asked = LoopbackServer(), []

    class Counting(FakeGuardrail):
        async def Redact(self, request: Any, context: Any) -> guardrail_pb2.RedactResponse:
            asked.append(len(request.entities))
            return guardrail_pb2.RedactResponse(unknown=[item for item in request.entities if item == "e_7_9"])

    guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(Counting(), server)
    rules = [
        {"verdict": "sanitize", "sanitize": {"presets": [f"e_{n}_{m}" for m in range(10)]}, "priority": n}
        for n in range(8)
    ]
    async with harness(tmp_path, guardrail=server) as plane:
        status, body = await plane.request("POST", "/policies", {"name": "x", "rules": rules})
        assert (status, body["param"], asked) == (422, "rules.7.sanitize.presets.9", [64, 16])
        assert (await plane.request("POST", "/policies", {"name": "x", "rules": rules[:7]}))[0] == 200


async def test_redaction_that_takes_too_long_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        async def Redact(self, request: Any, **options: Any) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(entities, "REDACTING_S_MAX", 0.01)
    spec = CompiledSanitize(Sanitize(("iban",)))
    with pytest.raises(Unavailable) as late:
        await entities.Entities(Stuck()).redact((), (EntityRedaction(0, '{"a": "DE1"}', (spec,)),))
    assert late.value.code == "policy_unavailable"


async def test_a_runs_cost_is_reserved_settled_once_and_capped(plane: Harness) -> None:
    await plane.create(is_default=True, rules=[{"verdict": "cap_cost", "cap_cost_cents": 10, "label": "dime"}])
    cent = 10_000_000

    async def ask(request_id: str, worst: int) -> pb.EvaluateResponse:
        return await plane.evaluate(surface=pb.SURFACE_INBOUND, request_id=request_id, worst_case_nano_usd=worst)

    first = await ask("r1", 6 * cent)
    assert (name(first.verdict), first.cost_reserved) == ("allow", True)
    refused = await ask("r2", 6 * cent)
    assert (name(refused.verdict), refused.cost_reserved, [c.index for c in refused.calls]) == ("deny", False, [-1])
    assert 'cost cap "dime"' in refused.message
    context = RequestContext(workspace_id="w1", key_id="key_1", request_id="r1", run_id="run_1")
    for _ in range(3):
        await plane.firewall.Settle(pb.SettleRequest(context=context, cost_nano_usd=2 * cent), timeout=9)
    assert name((await ask("r3", 8 * cent)).verdict) == "allow"
    assert name((await ask("r4", 1)).verdict) == "deny"


async def test_shadow_mode_holds_and_redacts_nothing(plane: Harness) -> None:
    await plane.create(is_default=True, shadow_mode=True, rules=[PAY])
    answer = await plane.evaluate(("bank.pay", "{}"))
    assert (name(answer.verdict), answer.approval_id, answer.calls[0].shadow) == ("audit", "", True)
    assert answer.calls[0].reason.startswith("[shadow] would pending_approval — ")
    assert (await plane.request("GET", "/approvals"))[1]["data"]["items"] == []


async def test_each_destination_is_an_evaluation_of_its_own(plane: Harness) -> None:
    rule = {"verdict": "deny", "label": "private", "egress": {"deny": ["private"]}}
    await plane.create(is_default=True, rules=[rule], default_verdict="allow")
    answer = await plane.evaluate(("fetch", '{"urls": ["https://example.com/a", "http://0x7f.1/"]}'))
    assert name(answer.verdict) == "deny"
    found = [(pb.Surface.Name(c.surface), name(c.verdict)) for c in answer.calls]
    assert found.count(("SURFACE_EGRESS", "deny")) == 1
    status, body = await plane.hook("POST", "/evaluate", {"tool_name": "x", "destinations": ["10.1.2.3"]})
    assert (status, body["data"]["verdict"]) == (200, "deny")
    rows = [item.firewall for item in await plane.envelopes() if item.HasField("firewall")]
    assert [(row.surface, row.verdict, row.destination) for row in rows if row.surface == "egress"] == [
        ("egress", "deny", "10.1.2.3")
    ]


async def test_a_call_that_was_approved_passes_once_for_the_same_key_tool_and_arguments(plane: Harness) -> None:
    await plane.create(is_default=True, rules=[PAY])
    call = {"tool_name": "bank.pay", "arguments": {"to": "ann", "amount": 5}}
    _, body = await plane.hook("POST", "/evaluate", call)
    approval_id = body["data"]["approval_id"]
    assert (body["data"]["verdict"], len(approval_id)) == ("pending_approval", 24)
    assert (await plane.hook("GET", f"/approvals/{approval_id}"))[1]["data"]["state"] == "pending"
    again = call | {"approval_id": approval_id}
    _, body = await plane.hook("POST", "/evaluate", again)
    assert (body["data"]["verdict"], body["data"]["approval_id"]) == ("pending_approval", approval_id)
    assert len((await plane.request("GET", "/approvals"))[1]["data"]["items"]) == 1
    assert (await plane.request("POST", f"/approvals/{approval_id}/approve"))[0] == 200
    plane.keys.add_key("agent")
    others = [
        (again | {"arguments": {"to": "bob", "amount": 5}}, 400, "firewall_approval_mismatch"),
        (again | {"tool_name": "bank.pay2"}, 400, "firewall_approval_mismatch"),
        (again | {"key_id": "key_agent"}, 404, "not_found"),
        (call | {"approval_id": "0" * 24}, 404, "not_found"),
    ]
    for other, status, code in others:
        answer = await plane.hook("POST", "/evaluate", other)
        assert (answer[0], answer[1]["code"]) == (status, code)
    reordered = again | {"arguments": {"amount": 5.0, "to": "ann"}}
    answers = await asyncio.gather(*[plane.hook("POST", "/evaluate", reordered) for _ in range(4)])
    assert sorted(status for status, _ in answers) == [200, 400, 400, 400]
    assert {body["code"] for status, body in answers if status == 400} == {"firewall_approval_used"}
    assert [body["data"]["verdict"] for status, body in answers if status == 200] == ["allow"]


async def test_a_rejected_call_is_denied_and_a_new_deny_wins_over_an_approval(plane: Harness) -> None:
    made = await plane.create(is_default=True, rules=[PAY])
    call: dict[str, Any] = {"tool_name": "bank.pay", "arguments": {}}
    ids = [(await plane.hook("POST", "/evaluate", call))[1]["data"]["approval_id"] for _ in range(2)]
    await plane.request("POST", f"/approvals/{ids[0]}/reject", {"reason": "no"})
    await plane.request("POST", f"/approvals/{ids[1]}/approve")
    _, body = await plane.hook("POST", "/evaluate", call | {"approval_id": ids[0]})
    assert body["data"]["verdict"] == "deny"
    await plane.request("PUT", f"/policies/{made['id']}", {"rules": [PAY | {"verdict": "deny"}]})
    _, body = await plane.hook("POST", "/evaluate", call | {"approval_id": ids[1]})
    assert (body["data"]["verdict"], body["data"]["approval_id"]) == ("deny", None)
    assert (await plane.request("GET", f"/approvals/{ids[1]}"))[1]["data"]["state"] == "approved"


async def test_the_twenty_first_open_approval_of_a_key_is_refused(plane: Harness) -> None:
    await plane.create(is_default=True, rules=[PAY])
    for _ in range(20):
        assert (await plane.hook("POST", "/evaluate", {"tool_name": "bank.pay"}))[0] == 200
    status, body = await plane.hook("POST", "/evaluate", {"tool_name": "bank.pay"})
    assert (status, body["code"]) == (429, "too_many_approvals")
    answer = await plane.evaluate(("bank.pay", "{}"), key_id="key_gate")
    assert (name(answer.verdict), answer.refusal_code) == ("deny", "too_many_approvals")


async def test_a_held_answer_is_charged_before_it_is_used_and_402_leaves_it_approved(plane: Harness) -> None:
    made = await plane.create(is_default=True, rules=[PAY])
    answer = await plane.evaluate(("bank.pay", '{"n": 1}'))
    assert answer.approval_id in answer.message
    context = RequestContext(workspace_id="w1", key_id="key_1", request_id="req_1", run_id="run_1")
    body_hash = hashlib.sha256(b"body").digest()
    hold = pb.HoldRequest(
        context=context, approval_id=answer.approval_id, body_hash=body_hash, answer=b"{}", account_id="acc_1",
        calls=[pb.ToolCall(tool_name="bank.pay", arguments_json='{"n": 1}')],
    )  # fmt: skip
    assert (await plane.firewall.Hold(hold, timeout=9)).held

    async def redeem(**fields: Any) -> pb.RedeemResponse:
        base = {"workspace_id": "w1", "key_id": "key_1", "approval_id": answer.approval_id, "body_hash": body_hash}
        response: pb.RedeemResponse = await plane.firewall.Redeem(pb.RedeemRequest(**{**base, **fields}), timeout=9)
        return response

    assert (await redeem()).code == "firewall_approval_pending"
    await plane.request("POST", f"/approvals/{answer.approval_id}/approve")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"key_id": "key_2"}, "not_found"),
        ({"body_hash": b"other"}, "firewall_approval_mismatch"),
    ]
    for fields, code in wrong:
        assert (await redeem(**fields)).code == code
    assert (await redeem(peek=True)) == pb.RedeemResponse(held_answer=b"{}")
    await plane.request("PUT", f"/policies/{made['id']}", {"rules": [PAY | {"verdict": "deny"}]})
    assert (await redeem()).code == "firewall_blocked"
    await plane.request("PUT", f"/policies/{made['id']}", {"rules": [PAY]})
    plane.ledger.refusal = ledger_pb2.REFUSAL_KEY_EXHAUSTED
    assert (await redeem()).code == "credit_limit_exceeded"
    assert plane.ledger.charged == []
    plane.ledger.refusal = ledger_pb2.REFUSAL_UNSPECIFIED
    assert (await redeem()) == pb.RedeemResponse(redeemed=True, held_answer=b"{}")
    assert (await redeem()).code == "firewall_approval_used"
    assert [(c.account_id, c.request_id, c.approval_id) for c in plane.ledger.charged] == [
        ("acc_1", "req_1", answer.approval_id)
    ]
