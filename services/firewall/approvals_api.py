"""Routes that resolve approvals: reviewers by their role, outside systems by a signed callback."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request
from pydantic import StrictStr, ValidationError

from services.common.answers import Answer, pages, shows
from services.common.clock import Clock
from services.common.errors import Invalid, Unauthorized
from services.common.http import Body, Page, Principal, Role, decode_cursor, encode_cursor, ok, require
from services.firewall import answers
from services.firewall.approvals import CALLBACK_ACTOR, REASON_MAX, Approvals, shown
from services.firewall.policies import Policies
from services.firewall.storage import approvals as rows
from services.firewall.vault import WEBHOOK, Vault
from services.firewall.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, verified

BASE = "/api/workspace/firewall/approvals"
CALLBACK = "/api/v1/firewall/approvals/{approval_id}/callback"
CALLBACK_BYTES_MAX = 16 * 1024

Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]

_TO = {"approve": rows.APPROVED, "reject": rows.REJECTED}


class ResolveBody(Body):
    """A reviewer's note, shown to whoever waits."""

    reason: StrictStr = ""


class CallbackBody(Body):
    """What an outside system decided."""

    decision: Literal["approve", "reject"]
    reason: StrictStr = ""
    approval_id: StrictStr = ""
    """The approval meant, under the signature too, so that the decision decides no other one. Empty: not said."""


def add_approvals(api: FastAPI, approvals: Approvals, policies: Policies, vault: Vault, clock: Clock) -> None:
    """Adds the routes."""

    @api.get(BASE, responses=pages(answers.Approval))
    async def list_approvals(
        principal: Developer, page: Page, state: Annotated[str | None, Query(max_length=16)] = None
    ) -> Answer:
        """Approvals, newest first."""
        if state is not None and state not in rows.STATES:
            raise Invalid(f"state: must be one of {', '.join(rows.STATES)}", param="state")
        before = _position(page.cursor) if page.cursor else ""
        found = await approvals.page(principal.workspace_id, state, before, page.limit + 1)
        more = len(found) > page.limit
        found = found[: page.limit]
        cursor = encode_cursor([found[-1].id]) if more else None
        return ok({"items": [shown(item, clock.now_us()) for item in found], "next_cursor": cursor})

    @api.get(f"{BASE}/{{approval_id}}", responses=shows(answers.Approval))
    async def read_approval(principal: Developer, approval_id: str) -> Answer:
        """One approval."""
        return ok(shown(await approvals.get(principal.workspace_id, approval_id), clock.now_us()))

    @api.post(f"{BASE}/{{approval_id}}/{{verb}}", responses=shows(answers.Approval))
    async def resolve_approval(
        principal: Developer, approval_id: str, verb: Literal["approve", "reject"], body: ResolveBody | None = None
    ) -> Answer:
        """The first to resolve wins; a second gets 409."""
        reason = _reason(body.reason if body is not None else "")
        done = await approvals.resolve(principal.workspace_id, approval_id, _TO[verb], principal.user_id, reason)
        return ok(shown(done, clock.now_us()))

    @api.post(CALLBACK, responses=shows(answers.Approval))
    async def approval_callback(request: Request, approval_id: str) -> Answer:
        """Resolution by an outside system: `X-Orca-Signature: sha256=<HMAC of timestamp.body>`, ±5 minutes."""
        raw = await request.body()
        approval = await approvals.anywhere(approval_id)
        stored = await policies.settings(approval.workspace_id)
        refused = Unauthorized("the callback's signature is not valid", code="invalid_signature")
        if stored.webhook_secret is None or len(raw) > CALLBACK_BYTES_MAX:
            raise refused
        secret = vault.open(WEBHOOK, approval.workspace_id, stored.webhook_secret)
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not verified(secret, timestamp, raw, signature, clock.now_us() // 1_000_000):
            raise refused
        body = _callback(raw)
        if body.approval_id not in ("", approval_id):
            raise Invalid("approval_id: is another approval's", param="approval_id")
        done = await approvals.resolve(
            approval.workspace_id, approval_id, _TO[body.decision], CALLBACK_ACTOR, _reason(body.reason)
        )
        return ok(shown(done, clock.now_us()))


def _callback(raw: bytes) -> CallbackBody:
    try:
        return CallbackBody.model_validate(json.loads(raw))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise Invalid(f"{field}: {first['msg']}", param=field) from None
    except (ValueError, RecursionError):
        raise Invalid("body: is not JSON", param="body") from None


def _reason(text: str) -> str:
    if len(text) > REASON_MAX or not text.replace("\n", " ").isprintable():
        raise Invalid(f"reason: must be printable text of at most {REASON_MAX} characters", param="reason")
    return text


def _position(cursor: str) -> str:
    found = decode_cursor(cursor)
    if len(found) != 1 or not isinstance(found[0], str) or rows.ID.fullmatch(found[0]) is None:
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return found[0]
