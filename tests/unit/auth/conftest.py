"""Auth with its neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.auth.harness import World
from tests.unit.auth.harness import world as running


@pytest.fixture
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A fresh one for each test; on SQLite, and on PostgreSQL too where the test is marked `on_both`."""
    url = request.getfixturevalue("postgres_url") if getattr(request, "param", "sqlite") == "postgresql" else ""
    async with running(tmp_path, url) as world:
        yield world
