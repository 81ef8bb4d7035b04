"""What both planes promise of their snapshot: current within a poll, closed when it cannot be.

One suite over the guardrail's and the firewall's snapshot, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.errors import Unavailable
from services.common.storage import Database, bump
from services.firewall import snapshot as firewall
from services.firewall.domain.model import Policy, Settings
from services.firewall.storage import queries as firewall_queries
from services.firewall.storage import tables as firewall_tables
from services.guardrail import snapshot as guardrail
from services.guardrail.domain.model import Guardrail
from services.guardrail.sealing import SecretBox
from services.guardrail.storage import queries as guardrail_queries
from services.guardrail.storage import tables as guardrail_tables
from tests.support.clock import ManualClock

MAX_AGE_S = 60.0
LAG_S = 5.0
PATIENCE_S = 20.0

Snapshot = firewall.Snapshot | guardrail.Snapshot


class Cut(Database):
    """A database that can be unplugged."""

    down = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        if self.down:
            raise Unavailable("the database is unplugged")
        async with super().read() as conn:
            yield conn


@dataclass
class Plane:
    """One of the two users: what it reads, and a row of it."""

    service: str
    tables: Any
    make: Callable[[Database, ManualClock], Snapshot]
    put: Callable[[AsyncConnection, int, str, int, bool], Awaitable[None]]


async def _put_guardrail(tx: AsyncConnection, revision: int, row_id: str, version: int, deleted: bool) -> None:
    row = Guardrail(row_id, "w1", f"{row_id} {version}", version, is_default=True)
    stored = guardrail_queries.Stored(row, 1, 1, revision, deleted)
    await guardrail_queries.guardrails.put(tx, stored, new=version == 1)


async def _put_policy(tx: AsyncConnection, revision: int, row_id: str, version: int, deleted: bool) -> None:
    row = Policy(row_id, "w1", f"{row_id} {version}", version, is_default=True)
    stored = firewall_queries.Stored(row, 1, 1, revision, deleted)
    await firewall_queries.policies.put(tx, stored, new=version == 1)


PLANES = [
    Plane(
        "guardrail",
        guardrail_tables,
        lambda database, clock: guardrail.Snapshot(database, clock, SecretBox("", b"k" * 32), max_age_s=MAX_AGE_S),
        _put_guardrail,
    ),
    Plane(
        "firewall",
        firewall_tables,
        lambda database, clock: firewall.Snapshot(database, clock, max_age_s=MAX_AGE_S),
        _put_policy,
    ),
]


@dataclass
class Rig:
    """A plane on its migrated database."""

    plane: Plane
    database: Cut
    clock: ManualClock
    snapshot: Snapshot

    async def write(self, row_id: str, version: int, *, deleted: bool = False) -> None:
        async with self.database.write() as tx:
            await self.plane.put(tx, await bump(tx, self.plane.tables.counter), row_id, version, deleted)

    def judged_by(self) -> tuple[str, int] | None:
        """Id and version of the workspace's policy. Raises Unavailable."""
        found: Any = self.snapshot.resolve("w1", "").policy
        row = None if found is None else found.guardrail if self.plane.service == "guardrail" else found.policy
        return None if row is None else (row.id, row.version)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=PLANES, ids=lambda plane: plane.service)
async def rig(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Rig]:
    plane: Plane = request.param
    database = await Cut.open(url, service=plane.service)
    assert isinstance(database, Cut)
    await database.migrate(plane.tables.MIGRATIONS)
    clock = ManualClock()
    yield Rig(plane, database, clock, plane.make(database, clock))
    await database.close()


async def test_what_was_never_loaded_judges_nothing(rig: Rig) -> None:
    assert not rig.snapshot.ready()
    with pytest.raises(Unavailable) as refusal:
        rig.judged_by()
    assert (refusal.value.code, refusal.value.retry_after_s) == ("policy_unavailable", 1.0)
    assert str(refusal.value) == f"the {rig.plane.service} snapshot is out of date"


async def test_each_refresh_brings_what_another_replica_changed(rig: Rig) -> None:
    await rig.snapshot.refresh()
    assert rig.judged_by() is None
    await rig.write("a", 1)
    assert rig.judged_by() is None
    await rig.snapshot.refresh()
    assert rig.judged_by() == ("a", 1)
    await rig.write("a", 2)
    await rig.snapshot.refresh()
    assert rig.judged_by() == ("a", 2)
    await rig.write("a", 3, deleted=True)
    await rig.write("b", 1)
    await rig.snapshot.refresh()
    assert rig.judged_by() == ("b", 1)


async def test_it_closes_when_it_lags_while_the_database_answers(rig: Rig) -> None:
    await rig.snapshot.refresh()
    rig.clock.advance(LAG_S)
    assert (rig.snapshot.ready(), rig.judged_by()) == (True, None)
    rig.clock.advance(0.001)
    assert not rig.snapshot.ready()
    with pytest.raises(Unavailable):
        rig.judged_by()
    await rig.snapshot.refresh()
    assert rig.snapshot.ready()


async def test_it_serves_its_age_while_the_database_is_down_and_then_closes(rig: Rig) -> None:
    await rig.write("a", 1)
    await rig.snapshot.refresh()
    rig.database.down = True
    rig.clock.advance(MAX_AGE_S)
    with pytest.raises(Unavailable):
        await rig.snapshot.refresh()
    assert rig.judged_by() == ("a", 1)
    rig.clock.advance(0.001)
    with pytest.raises(Unavailable):
        rig.judged_by()
    rig.database.down = False
    await rig.write("a", 2)
    await rig.snapshot.refresh()
    assert rig.judged_by() == ("a", 2)
    # The outage is over: from here on a lag counts as one.
    rig.clock.advance(LAG_S + 0.001)
    assert not rig.snapshot.ready()


async def test_a_start_without_a_database_ends_up_current_once_it_is_back(rig: Rig) -> None:
    await rig.write("a", 1)
    rig.database.down = True
    await rig.snapshot.start()
    assert not rig.snapshot.ready()
    rig.database.down = False
    async with asyncio.timeout(PATIENCE_S):
        while not rig.snapshot.ready():  # noqa: ASYNC110 (the poller's effect is polled, it cannot be awaited)
            await asyncio.sleep(0.01)
    assert rig.judged_by() == ("a", 1)
    await rig.snapshot.stop()


async def test_the_firewalls_settings_follow_with_its_policies(url: str) -> None:
    plane = PLANES[1]
    database = await Database.open(url, service=plane.service)
    await database.migrate(plane.tables.MIGRATIONS)
    snapshot = firewall.Snapshot(database, ManualClock(), max_age_s=MAX_AGE_S)
    async with database.write() as tx:
        stored = firewall_queries.StoredSettings("w1", Settings(observe_mode=True), version=1)
        await firewall_queries.put_settings(tx, stored, await bump(tx, firewall_tables.counter), 1)
    await snapshot.refresh()
    assert (snapshot.settings("w1").observe_mode, snapshot.settings("w2").observe_mode) == (True, False)
    await database.close()
