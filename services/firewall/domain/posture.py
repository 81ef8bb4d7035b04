"""When an autonomy level must stand back: an enabled default that someone authored stays."""

from __future__ import annotations

NAME = "Autonomy"
"""What a level's policy is called; a number follows where the name is taken."""


def keeps(*, enabled: bool, managed: bool, replace: bool) -> bool:
    """Whether the present default stays: it is someone's own and in force, and was not to be replaced."""
    return enabled and not managed and not replace
