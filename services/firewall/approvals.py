"""Approvals: created by a `pending_approval` verdict, resolved by a person or a signed callback, used once.

Invariants: at most `PENDING_PER_KEY_MAX` open per key and `PENDING_PER_WORKSPACE_MAX` per workspace; the first
resolution wins; `approved → used` happens before release, once, for the identical call or body; a rule that
denies by then wins over the approval. A held answer is sealed, and dropped when its approval ends.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import BadRequest, Conflict, NotFound, TooMany
from services.common.ids import new_id
from services.common.storage import Database, OutboxPublisher, outbox_add
from services.firewall import events
from services.firewall.domain.engine import Call
from services.firewall.storage import approvals as rows
from services.firewall.storage.approvals import Approval, HeldCall, Webhook
from services.firewall.storage.tables import outbox
from services.firewall.vault import HELD, Vault

PENDING_PER_KEY_MAX = 20
PENDING_PER_WORKSPACE_MAX = 1_000
HELD_BYTES_MAX = 256 * 1024
CALLS_MAX = 128
REASON_MAX = 500
FORGET_AFTER_US = 30 * 86_400 * 1_000_000
CALLBACK_ACTOR = "system"

WithUse = Callable[[AsyncConnection], Awaitable[None]]

EVENT_PENDING = "firewall.approval.pending"
EVENT_RESOLVED = {rows.APPROVED: "firewall.approval.approved", rows.REJECTED: "firewall.approval.rejected"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose call waits."""

    workspace_id: str
    key_id: str
    run_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Policy and rule that ask for a reviewer."""

    policy_id: str
    policy_name: str
    policy_version: int
    rule_id: str
    rule_label: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Held:
    """An answer in the relay's own form, and its calls as the model gave them."""

    answer: bytes
    calls: tuple[Call, ...]


class Approvals:
    """The use cases."""

    def __init__(self, database: Database, vault: Vault, publisher: OutboxPublisher, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._publisher = publisher
        self._clock = clock

    async def create(self, asker: Asker, surface: str, cause: Cause, calls: Sequence[HeldCall]) -> str:
        """A pending record; its id. Raises TooMany, Unavailable."""
        now_us = self._clock.now_us()
        approval = Approval(
            id=_mint(now_us),
            workspace_id=asker.workspace_id,
            key_id=asker.key_id,
            run_id=asker.run_id,
            request_id=asker.request_id,
            surface=surface,
            calls=tuple(calls[:CALLS_MAX]),
            policy_id=cause.policy_id,
            policy_name=cause.policy_name,
            policy_version=cause.policy_version,
            rule_id=cause.rule_id,
            rule_label=cause.rule_label,
            state=rows.PENDING,
            created_at_us=now_us,
            expires_at_us=now_us + cause.ttl_s * 1_000_000,
        )
        async with self._database.write() as tx:
            await rows.serialise(tx, asker.workspace_id)
            of_key, of_workspace = await rows.pending(tx, asker.workspace_id, asker.key_id, now_us)
            if of_key >= PENDING_PER_KEY_MAX or of_workspace >= PENDING_PER_WORKSPACE_MAX:
                whose = "key" if of_key >= PENDING_PER_KEY_MAX else "workspace"
                raise TooMany(f"the {whose} has too many pending approvals", code="too_many_approvals")
            await rows.insert(tx, approval)
            if surface != "response":
                # An answer is not kept yet: its webhook follows with `hold`.
                await rows.add_webhook(tx, _webhook(approval, EVENT_PENDING), now_us)
        return approval.id

    async def hold(self, asker: Asker, approval_id: str, body_hash: bytes, held: Held, account_id: str) -> bool:
        """Keeps the answer; False withdraws the approval, because it is too large or no longer pending."""
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            approval = await rows.find(tx, asker.workspace_id, approval_id)
            if approval is None or approval.key_id != asker.key_id:
                return False
            if len(held.answer) <= HELD_BYTES_MAX:
                sealed = self._vault.seal(HELD, approval_id, _pack(held))
                if await rows.keep(
                    tx, approval_id, asker.key_id, body_hash=body_hash, sealed=sealed, account_id=account_id
                ):
                    await rows.add_webhook(tx, _webhook(approval, EVENT_PENDING), now_us)
                    return True
            await rows.move(tx, approval_id, rows.PENDING, rows.WITHDRAWN, now_us)
        return False

    async def get(self, workspace_id: str, approval_id: str, key_id: str | None = None) -> Approval:
        """A record of the workspace, and of the key where one is given. Raises NotFound."""
        async with self._database.read() as conn:
            approval = await rows.find(conn, workspace_id, approval_id)
        if approval is None or approval.state == rows.WITHDRAWN or (key_id is not None and approval.key_id != key_id):
            raise NotFound("no such approval")
        return approval

    async def anywhere(self, approval_id: str) -> Approval:
        """A record by its id alone. Raises NotFound."""
        async with self._database.read() as conn:
            approval = await rows.find_anywhere(conn, approval_id)
        if approval is None or approval.state == rows.WITHDRAWN:
            raise NotFound("no such approval")
        return approval

    async def page(self, workspace_id: str, state: str | None, before: str, limit: int) -> list[Approval]:
        """Records, newest first."""
        async with self._database.read() as conn:
            return await rows.page(conn, workspace_id, state, before, limit, self._clock.now_us())

    async def resolve(self, workspace_id: str, approval_id: str, to: str, actor_id: str, reason: str) -> Approval:
        """Approves or rejects; the first writer wins. Raises NotFound, Conflict."""
        now_us = self._clock.now_us()
        approval = await self.get(workspace_id, approval_id)
        async with self._database.write() as tx:
            if not await rows.move(tx, approval_id, rows.PENDING, to, now_us, by=actor_id, reason=reason):
                latest = await rows.find(tx, workspace_id, approval_id)
                state = latest.state_at(now_us) if latest is not None else rows.EXPIRED
                raise Conflict(f"the approval is {state} already", code=f"approval_{state}")
            approval = replace(approval, state=to, reason=reason, resolved_by=actor_id, resolved_at_us=now_us)
            audit = events.approval_audit(approval, actor_id, self._clock)
            await outbox_add(tx, outbox, topic=events.AUDIT, key=workspace_id, envelope=audit)
            await rows.add_webhook(tx, _webhook(approval, EVENT_RESOLVED[to]), now_us)
        self._publisher.notify()
        return approval

    async def redeemable(self, workspace_id: str, key_id: str, approval_id: str) -> Approval:
        """An approved record of this key. Raises NotFound, or BadRequest with the code that says why not."""
        approval = await self.get(workspace_id, approval_id, key_id)
        state = approval.state_at(self._clock.now_us())
        if state != rows.APPROVED:
            raise not_redeemable(state)
        return approval

    async def held(self, approval: Approval, body_hash: bytes) -> Held:
        """What the retry is answered with. Raises BadRequest when the body is another one."""
        if approval.body_hash is None or approval.body_hash != body_hash:
            raise mismatch()
        async with self._database.read() as conn:
            sealed = await rows.held(conn, approval.workspace_id, approval.id)
        if sealed is None:
            raise not_redeemable(rows.USED)
        return _unpack(self._vault.open(HELD, approval.id, sealed))

    async def use(self, approval: Approval, also: WithUse | None = None) -> None:
        """`approved → used`, with what else belongs into that transaction. Raises BadRequest to all but the first."""
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            if not await rows.move(tx, approval.id, rows.APPROVED, rows.USED, now_us):
                latest = await rows.find(tx, approval.workspace_id, approval.id)
                raise not_redeemable(latest.state_at(now_us) if latest is not None else rows.EXPIRED)
            if also is not None:
                await also(tx)

    async def sweep(self) -> None:
        """Drops what nobody can redeem any more."""
        now_us = self._clock.now_us()
        async with self._database.write() as tx:
            await rows.sweep(tx, now_us, now_us - FORGET_AFTER_US)


def not_redeemable(state: str) -> BadRequest:
    """The refusal of an approval that is in another state than approved."""
    messages = {
        rows.PENDING: "the approval is still pending",
        rows.REJECTED: "the approval was rejected",
        rows.USED: "the approval was used already",
        rows.EXPIRED: "the approval has expired",
    }
    return BadRequest(messages.get(state, "the approval cannot be used"), code=f"firewall_approval_{state}")


def mismatch() -> BadRequest:
    """The retry differs from what was approved."""
    return BadRequest("the request is not the one that was approved", code="firewall_approval_mismatch")


def shown(approval: Approval, now_us: int) -> dict[str, Any]:
    """An approval as reviewers see it. Times in Unix seconds."""
    first = approval.calls[0]
    return {
        "id": approval.id,
        "state": approval.state_at(now_us),
        "tool_name": first.tool_name,
        "args_hash": first.args_hash,
        "args_summary": first.args_summary,
        "calls": [
            {"tool_name": c.tool_name, "args_hash": c.args_hash, "args_summary": c.args_summary} for c in approval.calls
        ],
        "surface": approval.surface,
        "key_id": approval.key_id,
        "run_id": approval.run_id,
        "request_id": approval.request_id,
        "policy": {"id": approval.policy_id, "name": approval.policy_name, "version": approval.policy_version},
        "rule": {"id": approval.rule_id, "label": approval.rule_label},
        "reason": approval.reason or None,
        "resolved_by": approval.resolved_by or None,
        "created_time": approval.created_at_us // 1_000_000,
        "resolved_time": approval.resolved_at_us // 1_000_000 or None,
        "expires_at": approval.expires_at_us // 1_000_000,
    }


def _mint(now_us: int) -> str:
    return f"{now_us // 1000:012x}"[-12:] + os.urandom(6).hex()


def _pack(held: Held) -> bytes:
    calls = [[item.tool_name, item.arguments_json] for item in held.calls]
    return json.dumps({"calls": calls, "answer": base64.b64encode(held.answer).decode()}).encode()


def _unpack(packed: bytes) -> Held:
    raw = json.loads(packed)
    return Held(base64.b64decode(raw["answer"]), tuple(Call(name, arguments) for name, arguments in raw["calls"]))


def _webhook(approval: Approval, event: str) -> Webhook:
    body = {"event": event, "workspace_id": approval.workspace_id, **shown(approval, approval.created_at_us)}
    return Webhook(new_id("wh"), approval.workspace_id, event, json.dumps(body, separators=(",", ":")), 0)
