"""Back ends that tests need: skipped with a reason where they cannot run, a failure where CI demands them."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(backend: str, reason: str) -> NoReturn:
    """Skips, or fails under REQUIRE_ALL_BACK_ENDS=1."""
    message = f"{backend} cannot run here: {reason}"
    if os.environ.get("REQUIRE_ALL_BACK_ENDS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
