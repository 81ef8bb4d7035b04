"""Routes of suppressions. Suppressing needs an Admin: it changes what every policy of the workspace finds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import StrictStr

from services.common.answers import Answer, pages, shows
from services.common.errors import Invalid
from services.common.http import Body, Page, Principal, Role, decode_cursor, encode_cursor, ok, require
from services.guardrail import answers
from services.guardrail.policies import is_id
from services.guardrail.suppressions import Suppressions, shown

FINGERPRINT_MAX = 128

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]


class SuppressionBody(Body):
    """Which finding of the match; all of them by default."""

    fingerprint: StrictStr | None = None


def add_suppressions(api: FastAPI, suppressions: Suppressions) -> None:
    """Adds the routes."""

    async def change(
        principal: Principal, match_id: str, body: SuppressionBody | None, suppress: bool
    ) -> dict[str, Any]:
        fingerprint = body.fingerprint if body is not None else None
        if fingerprint is not None and not 0 < len(fingerprint) <= FINGERPRINT_MAX:
            raise Invalid("fingerprint: is not one of this match's", param="fingerprint")
        items = await suppressions.change(
            principal.workspace_id, principal.user_id, match_id, fingerprint, suppress=suppress
        )
        return ok({"match_id": match_id, "suppressed": suppress, "items": [shown(item) for item in items]})

    @api.post("/api/guardrail/match/{match_id}/mark_fp", responses=shows(answers.Marked))
    async def mark(principal: Admin, match_id: str, body: SuppressionBody | None = None) -> Answer:
        """Suppresses the match's findings: they neither mask, block nor match any more."""
        return await change(principal, match_id, body, True)

    @api.delete("/api/guardrail/match/{match_id}/mark_fp", responses=shows(answers.Marked))
    async def unmark(principal: Admin, match_id: str, body: SuppressionBody | None = None) -> Answer:
        """Makes them findings again."""
        return await change(principal, match_id, body, False)

    @api.get("/api/guardrail/suppressions", responses=pages(answers.Suppression))
    async def suppression_page(principal: Member, page: Page) -> Answer:
        """What is suppressed, by creation."""
        after = _position(page.cursor) if page.cursor else ""
        rows = await suppressions.page(principal.workspace_id, after, page.limit + 1)
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        cursor = encode_cursor([rows[-1].id]) if more else None
        return ok({"items": [shown(row) for row in rows], "next_cursor": cursor})


def _position(cursor: str) -> str:
    position = decode_cursor(cursor)
    if len(position) != 1 or not isinstance(position[0], str) or not is_id(position[0]):
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return position[0]
