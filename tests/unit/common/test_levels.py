"""What both planes hold an autonomy level to."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.levels import NAMES, edited_since, followed, in_order_of_undoing, keeps, unedited


def touched(policy_id: str, version: int, **before: Any) -> dict[str, Any]:
    return {"id": policy_id, "before": before or None, "version": version}


MADE = touched("made", 1)
FORMER = touched("former", 4, is_default=True)
OTHER = touched("other", 2, is_default=False)


@pytest.mark.parametrize(
    ("enabled", "managed", "replace", "kept"),
    [
        (True, False, False, True),
        (True, False, True, False),
        (True, True, False, False),
        (False, False, False, False),
    ],
)
def test_only_an_authored_default_in_force_is_kept(enabled: bool, managed: bool, replace: bool, kept: bool) -> None:
    assert keeps(enabled=enabled, managed=managed, replace=replace) is kept


def test_a_managed_policy_is_unedited_at_the_version_its_level_left() -> None:
    assert unedited([FORMER, MADE], "made", 1)
    assert not unedited([FORMER, MADE], "made", 2)
    # A level that left it alone says nothing of its version.
    assert unedited([FORMER], "made", 9)


def test_another_version_and_a_deletion_are_edits() -> None:
    assert not edited_since([MADE, FORMER], {"made": 1, "former": 4})
    assert edited_since([MADE, FORMER], {"made": 1, "former": 5})
    assert edited_since([MADE, FORMER], {"made": 1})
    assert not edited_since([], {})


def test_the_former_default_is_restored_last_and_the_rest_as_they_were_changed() -> None:
    assert in_order_of_undoing([FORMER, OTHER, MADE]) == [OTHER, MADE, FORMER]


def test_the_level_before_follows_what_undoing_rewrote() -> None:
    assert followed([FORMER, OTHER], {"former": 6}) == [{**FORMER, "version": 6}, OTHER]


def test_its_policies_are_named_alike_with_a_number_where_taken() -> None:
    assert (NAMES[0], NAMES[1], NAMES[-1], len(NAMES)) == ("Autonomy", "Autonomy 2", "Autonomy 99", 99)
