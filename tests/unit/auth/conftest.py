"""Auth with its neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.auth.harness import World
from tests.unit.auth.harness import world as running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A fresh one for each test."""
    async with running(tmp_path) as world:
        yield world
