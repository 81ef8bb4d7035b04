"""One plane for each module: its tests share workspaces that they make themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.plane import Plane
from tests.support.plane import plane as running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    """The running plane."""
    async with running(tmp_path_factory.mktemp("plane")) as plane:
        yield plane
