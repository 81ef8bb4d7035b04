"""Bodies held at once are bounded, in all and of one owner; small ones pass."""

from __future__ import annotations

import pytest

from services.common.bodies import BodyRoom
from services.common.errors import OrcaError


def refused(room: BodyRoom, owner: str, size: int) -> tuple[int, str] | None:
    try:
        room.enter().grow(owner, size)
    except OrcaError as error:
        return error.status, error.code
    return None


def test_an_owner_has_no_more_than_its_share_and_all_no_more_than_there_is() -> None:
    room = BodyRoom(total=250, share=100, small=10)
    growing = room.enter()
    for size in (5, 40, 90):
        growing.grow("a", size)
    assert refused(room, "a", 11) == (429, "rate_limit_exceeded")
    assert refused(room, "a", 10) is None
    assert refused(room, "b", 100) is None
    assert refused(room, "c", 61) == (503, "service_unavailable")
    assert refused(room, "c", 60) is None
    assert refused(room, "d", 10) is None


def test_a_body_that_was_refused_or_released_takes_nothing() -> None:
    room = BodyRoom(total=100, share=100, small=10)
    first, second = room.enter(), room.enter()
    first.grow("a", 60)
    with pytest.raises(OrcaError):
        second.grow("a", 41)
    second.release()
    assert refused(room, "b", 41) == (503, "service_unavailable")
    first.release()
    first.release()
    second.release()
    assert refused(room, "a", 100) is None
