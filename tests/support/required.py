"""Back ends that tests need: skipped with a reason where they cannot run, a failure where CI demands them."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(backend: str, reason: str) -> NoReturn:
    """Skips, or fails under ORCA_TEST_REQUIRE_ALL=1."""
    message = f"{backend} cannot run here: {reason}"
    if os.environ.get("ORCA_TEST_REQUIRE_ALL") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
