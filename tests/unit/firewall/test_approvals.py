"""Approvals as records: bounds, first writer, single use, expiry, callbacks, webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiohttp import web

from services.common.errors import BadRequest, NotFound, TooMany
from services.common.networks import parse_networks
from services.firewall.approvals import Approvals, Asker, Cause, Held
from services.firewall.domain.engine import Call
from services.firewall.storage import tables
from services.firewall.storage.approvals import HeldCall
from services.firewall.vault import Vault
from services.firewall.webhooks import Sender
from tests.support.tls import contexts
from tests.unit.firewall.harness import SECRET, Harness, harness

ASKER = Asker("w1", "key_1", "run_1", "req_1")
CAUSE = Cause("fp_1", "agents", 3, "rule_1", "pay", 3600)
CALLS = [HeldCall("bank.pay", "ab" * 32, "{amount: number}")]
HELD = Held(b'{"answer": 1}', (Call("bank.pay", '{"amount": 5}'),))
BODY = hashlib.sha256(b"body").digest()


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


@pytest.fixture
def approvals(plane: Harness) -> Approvals:
    return Approvals(plane.app.database, Vault(SECRET), plane.app.publisher, plane.clock)


async def approved(approvals: Approvals) -> str:
    approval_id = await approvals.create(ASKER, "response", CAUSE, CALLS)
    assert await approvals.hold(ASKER, approval_id, BODY, HELD, "acc_1")
    await approvals.resolve("w1", approval_id, "approved", "user-x", "")
    return approval_id


async def test_a_reviewer_sees_the_call_without_its_values_and_the_first_to_resolve_wins(
    plane: Harness, approvals: Approvals
) -> None:
    approval_id = await approvals.create(ASKER, "mcp", CAUSE, CALLS)
    assert len(approval_id) == 24
    _, body = await plane.request("GET", "/approvals?state=pending")
    shown = body["data"]["items"][0]
    assert shown | {"created_time": 0, "expires_at": 0} == {
        "id": approval_id,
        "state": "pending",
        "tool_name": "bank.pay",
        "args_hash": "ab" * 32,
        "args_summary": "{amount: number}",
        "calls": [{"tool_name": "bank.pay", "args_hash": "ab" * 32, "args_summary": "{amount: number}"}],
        "surface": "mcp",
        "key_id": "key_1",
        "run_id": "run_1",
        "request_id": "req_1",
        "policy": {"id": "fp_1", "name": "agents", "version": 3},
        "rule": {"id": "rule_1", "label": "pay"},
        "reason": None,
        "resolved_by": None,
        "created_time": 0,
        "resolved_time": None,
        "expires_at": 0,
    }
    assert shown["expires_at"] - shown["created_time"] == 3600
    path = f"/approvals/{approval_id}"
    answers = await asyncio.gather(
        plane.request("POST", f"{path}/approve", {"reason": "fine"}), plane.request("POST", f"{path}/reject")
    )
    assert sorted(status for status, _ in answers) == [200, 409]
    won = next(body["data"] for status, body in answers if status == 200)
    _, body = await plane.request("GET", path)
    assert body["data"] == won
    verbs = [item.audit.verb for item in await plane.envelopes() if item.HasField("audit")]
    assert verbs == ["firewall_approval_approve" if won["state"] == "approved" else "firewall_approval_reject"]
    assert (await plane.request("POST", f"{path}/approve", who="w2/OWNER"))[0] == 404
    assert (await plane.request("POST", f"{path}/burn"))[0] == 422


async def test_open_approvals_are_bounded_per_key_and_workspace(plane: Harness, approvals: Approvals) -> None:
    first = [await approvals.create(ASKER, "mcp", CAUSE, CALLS) for _ in range(20)]
    with pytest.raises(TooMany) as refused:
        await approvals.create(ASKER, "mcp", CAUSE, CALLS)
    assert refused.value.code == "too_many_approvals"
    await approvals.resolve("w1", first[0], "rejected", "user-x", "")
    await approvals.create(ASKER, "mcp", CAUSE, CALLS)
    # The other 980 as rows, since a transaction each would only take time.
    async with plane.app.database.write() as tx:
        row = (await tx.execute(sa.select(tables.approvals).limit(1))).one()._mapping
        rows = [
            {**row, "id": f"{number:024x}", "state": "pending", "key_id": f"key_x{number}"} for number in range(980)
        ]
        await tx.execute(tables.approvals.insert(), rows)
    with pytest.raises(TooMany):
        await approvals.create(Asker("w1", "key_fresh", "r", "q"), "mcp", CAUSE, CALLS)
    await approvals.create(Asker("w2", "key_fresh", "r", "q"), "mcp", CAUSE, CALLS)
    plane.clock.advance(3600)
    await approvals.create(ASKER, "mcp", CAUSE, CALLS)


async def test_a_held_answer_opens_once_for_the_same_key_and_body(plane: Harness, approvals: Approvals) -> None:
    approval_id = await approved(approvals)
    with pytest.raises(NotFound):
        await approvals.redeemable("w1", "key_2", approval_id)
    with pytest.raises(NotFound):
        await approvals.redeemable("w2", "key_1", approval_id)
    approval = await approvals.redeemable("w1", "key_1", approval_id)
    with pytest.raises(BadRequest) as other:
        await approvals.held(approval, hashlib.sha256(b"other").digest())
    assert other.value.code == "firewall_approval_mismatch"
    assert await approvals.held(approval, BODY) == HELD
    uses = await asyncio.gather(*[approvals.use(approval) for _ in range(5)], return_exceptions=True)
    assert sorted(getattr(item, "code", "used") for item in uses) == ["firewall_approval_used"] * 4 + ["used"]
    with pytest.raises(BadRequest) as used:
        await approvals.redeemable("w1", "key_1", approval_id)
    assert used.value.code == "firewall_approval_used"


async def test_answers_are_stored_sealed_and_dropped_when_the_approval_ends(
    plane: Harness, approvals: Approvals, tmp_path: Path
) -> None:
    approval_id = await approved(approvals)
    files = (tmp_path / "firewall.db").read_bytes() + (tmp_path / "firewall.db-wal").read_bytes()
    assert b"bank.pay" in files
    assert b'"amount"' not in files
    plane.clock.advance(3601)
    with pytest.raises(BadRequest) as expired:
        await approvals.redeemable("w1", "key_1", approval_id)
    assert expired.value.code == "firewall_approval_expired"
    assert (await plane.request("POST", f"/approvals/{approval_id}/reject"))[0] == 409
    await approvals.sweep()
    approval = await approvals.get("w1", approval_id)
    with pytest.raises(BadRequest):
        await approvals.held(approval, BODY)
    plane.clock.advance(31 * 86_400)
    await approvals.sweep()
    with pytest.raises(NotFound):
        await approvals.get("w1", approval_id)


async def test_an_answer_beyond_the_bound_withdraws_its_approval(plane: Harness, approvals: Approvals) -> None:
    approval_id = await approvals.create(ASKER, "response", CAUSE, CALLS)
    large = Held(b"x" * (256 * 1024 + 1), HELD.calls)
    assert not await approvals.hold(ASKER, approval_id, BODY, large, "acc_1")
    assert (await plane.request("GET", f"/approvals/{approval_id}"))[0] == 404
    assert (await plane.request("GET", "/approvals"))[1]["data"]["items"] == []


def signed(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Orca-Timestamp": str(timestamp), "X-Orca-Signature": f"sha256={mac}"}


async def test_a_callback_resolves_only_when_its_signature_is_right_and_fresh(
    plane: Harness, approvals: Approvals
) -> None:
    approval_id = await approvals.create(ASKER, "mcp", CAUSE, CALLS)
    path = f"/api/v1/firewall/approvals/{approval_id}/callback"
    body = json.dumps({"decision": "approve", "reason": "ticket 7"}).encode()
    now_s = plane.clock.now_us() // 1_000_000

    async def call(headers: dict[str, str], content: bytes = body) -> tuple[int, dict[str, Any]]:
        answer = await plane.client.post(path, content=content, headers=headers)
        return answer.status_code, answer.json()

    assert (await call(signed("whsec-made-up", now_s, body)))[0] == 401
    await plane.request("PUT", "/settings", {"webhook_secret": "whsec-made-up"}, who="w1/ADMIN")
    for headers in (
        {},
        signed("another-secret", now_s, body),
        signed("whsec-made-up", now_s - 301, body),
        signed("whsec-made-up", now_s + 301, body),
        signed("whsec-made-up", now_s, body + b" "),
        {**signed("whsec-made-up", now_s, body), "X-Orca-Timestamp": "x"},
    ):
        assert (await call(headers))[1]["code"] == "invalid_signature"
    for content in (b"{", b'{"decision": "burn"}', b'{"decision": "approve", "other": 1}'):
        assert (await call(signed("whsec-made-up", now_s, content), content))[0] == 422
    assert (await plane.request("GET", f"/approvals/{approval_id}"))[1]["data"]["state"] == "pending"
    status, answer = await call(signed("whsec-made-up", now_s - 299, body))
    assert (status, answer["data"]["state"], answer["data"]["reason"]) == (200, "approved", "ticket 7")
    assert (await call(signed("whsec-made-up", now_s, body)))[0] == 409


async def test_a_callback_of_another_workspace_or_approval_and_a_late_one_resolve_nothing(
    plane: Harness, approvals: Approvals
) -> None:
    for who, secret in (("w1/ADMIN", "whsec-ours"), ("w2/ADMIN", "whsec-theirs")):
        assert (await plane.request("PUT", "/settings", {"webhook_secret": secret}, who=who))[0] == 200
    approval_id, other = [await approvals.create(ASKER, "mcp", CAUSE, CALLS) for _ in range(2)]

    async def call(of: str, secret: str, content: bytes) -> tuple[int, str]:
        headers = signed(secret, plane.clock.now_us() // 1_000_000, content)
        answer = await plane.client.post(f"/api/v1/firewall/approvals/{of}/callback", content=content, headers=headers)
        return answer.status_code, str(answer.json().get("code") or answer.json()["data"]["state"])

    plain = json.dumps({"decision": "approve"}).encode()
    bound = json.dumps({"decision": "approve", "approval_id": approval_id}).encode()
    assert await call(approval_id, "whsec-theirs", plain) == (401, "invalid_signature")
    assert await call("0" * 24, "whsec-ours", plain) == (404, "not_found")
    # A decision that names its approval decides no other one, however often its signature is sent.
    assert (await call(other, "whsec-ours", bound))[0] == 422
    assert await call(approval_id, "whsec-ours", bound) == (200, "approved")
    assert (await call(approval_id, "whsec-ours", bound))[0] == 409
    assert (await call(other, "whsec-ours", bound))[0] == 422
    plane.clock.advance(3_601)
    assert (await call(other, "whsec-ours", plain))[0] == 409
    assert (await plane.request("GET", f"/approvals/{other}"))[1]["data"]["state"] == "expired"


async def test_webhooks_are_signed_retried_with_back_off_and_never_follow_redirects(
    plane: Harness, approvals: Approvals, tmp_path: Path
) -> None:
    statuses = [500, 302, 200, 200]
    seen: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.Response(status=statuses[len(seen) - 1], headers={"Location": "https://127.0.0.1/other"})

    serving, trusting = contexts(tmp_path)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving)
    await site.start()
    port = runner.addresses[0][1]
    sender = Sender(plane.app.database, Vault(SECRET), plane.clock, parse_networks("127.0.0.0/8"), tls=trusting)
    guarded = Sender(plane.app.database, Vault(SECRET), plane.clock, (), tls=trusting)
    change = {"webhook_url": f"https://127.0.0.1:{port}/in", "webhook_secret": "whsec-made-up"}
    assert (await plane.request("PUT", "/settings", change, who="w1/ADMIN"))[0] == 200
    approval_id = await approvals.create(ASKER, "mcp", CAUSE, CALLS)
    assert await guarded.send_due() == 1
    assert seen == []
    for wait_s in (1.0, 2.0, 4.0):
        assert await sender.send_due() == 0
        plane.clock.advance(wait_s)
        assert await sender.send_due() == 1
    assert len(seen) == 3
    assert await sender.send_due() == 0
    headers, body = seen[-1]
    told = json.loads(body)
    assert (headers["X-Orca-Event"], told["event"], told["id"]) == (
        "firewall.approval.pending",
        "firewall.approval.pending",
        approval_id,
    )
    timestamp = int(headers["X-Orca-Timestamp"])
    assert headers["X-Orca-Signature"] == signed("whsec-made-up", timestamp, body)["X-Orca-Signature"]
    await approvals.resolve("w1", approval_id, "rejected", "user-x", "")
    assert await sender.send_due() == 1
    assert seen[-1][0]["X-Orca-Event"] == "firewall.approval.rejected"
    await sender.stop()
    await guarded.stop()
    await runner.cleanup()
