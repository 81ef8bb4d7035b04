"""What auth's routes share: who may call, partial bodies, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends

from services.common.answers import Answer
from services.common.errors import Invalid
from services.common.http import (
    Body,
    PageParams,
    Principal,
    Role,
    decode_cursor,
    encode_cursor,
    ok,
    require,
    require_root,
    require_user,
)

User = Annotated[Principal, Depends(require_user())]
Root = Annotated[Principal, Depends(require_root())]
Viewer = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]


def given(body: Body) -> dict[str, Any]:
    """The fields the caller sent, as plain values."""
    return body.model_dump(exclude_unset=True)


def before(cursor: str | None) -> tuple[int, str] | None:
    """(created_time, id) behind a cursor of a list that shows the newest first."""
    if cursor is None:
        return None
    match decode_cursor(cursor):
        case [int(created), str(row_id)] if abs(created) < 2**62 and _plain(row_id):
            return created, row_id
    raise _foreign()


def after(cursor: str | None) -> str:
    """The text behind a cursor of a list in order of one text column; empty at its start."""
    if cursor is None:
        return ""
    match decode_cursor(cursor):
        case [str(position)] if _plain(position):
            return position
    raise _foreign()


def below(cursor: str | None) -> int | None:
    """The number behind a cursor of a list that shows the highest number first."""
    if cursor is None:
        return None
    match decode_cursor(cursor):
        case [int(position)] if abs(position) < 2**62:
            return position
    raise _foreign()


def _plain(text: str) -> bool:
    # A cursor is bytes of the caller's: what no database text may hold is no position.
    return "\x00" not in text and text.isprintable()


def _foreign() -> Invalid:
    return Invalid("cursor: not a cursor of this list", param="cursor")


def page_of(rows: Sequence[Any], items: Sequence[Any], page: PageParams, position: tuple[str, ...]) -> Answer:
    """A page of `items`, one for each of the first `limit` rows; one row more tells that there is a next page."""
    more = len(rows) > page.limit
    cursor = encode_cursor([getattr(rows[page.limit - 1], name) for name in position]) if more else None
    return ok({"items": list(items), "next_cursor": cursor})
