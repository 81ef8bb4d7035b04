"""What both planes promise of their stored policies and of the history of each, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from orca.events.v1.events_pb2 import Envelope
from services.common.errors import Conflict
from services.common.policy_writes import PolicyWrites
from services.common.storage import Database, HistoryRow, PolicyRows, Stored
from services.firewall.domain.model import Policy, Verdict
from services.firewall.storage import queries as firewall
from services.firewall.storage import tables as firewall_tables
from services.guardrail.domain.drafts import admit_rules
from services.guardrail.domain.model import Guardrail
from services.guardrail.storage import queries as guardrail
from services.guardrail.storage import tables as guardrail_tables

KEYWORD = {"type": "keyword", "stage": "both", "action": "block", "terms": ["x"]}


@dataclass
class Plane:
    """One of the two users; `row` makes a policy whose every own field differs from its default."""

    service: str
    tables: Any
    rows: PolicyRows[Any]
    row: Callable[..., Any]


def _guardrail(row_id: str, workspace_id: str, name: str, **fields: Any) -> Guardrail:
    rules = admit_rules([KEYWORD], lambda: "rule_1")
    return Guardrail(row_id, workspace_id, name, **{"version": 1, "log_raw_content": True, "rules": rules, **fields})


def _policy(row_id: str, workspace_id: str, name: str, **fields: Any) -> Policy:
    return Policy(row_id, workspace_id, name, **{"default_verdict": Verdict.DENY, "shadow_mode": True, **fields})


PLANES = [
    Plane("guardrail", guardrail_tables, guardrail.guardrails, _guardrail),
    Plane("firewall", firewall_tables, firewall.policies, _policy),
]


@dataclass
class Rig:
    """A plane on its migrated database."""

    plane: Plane
    database: Database
    revision: int = 0

    async def put(self, row: Any, *, new: bool = True, deleted: bool = False) -> Stored[Any]:
        self.revision += 1
        stored = Stored(row, 5, 6, self.revision, deleted)
        async with self.database.write() as tx:
            await self.plane.rows.put(tx, stored, new=new)
        return stored

    async def ask(self, query: str, *arguments: Any) -> Any:
        async with self.database.read() as conn:
            return await getattr(self.plane.rows, query)(conn, *arguments)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=PLANES, ids=lambda plane: plane.service)
async def rig(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Rig]:
    plane: Plane = request.param
    database = await Database.open(url, service=plane.service)
    await database.migrate(plane.tables.MIGRATIONS)
    yield Rig(plane, database)
    await database.close()


async def test_what_was_put_is_found_whole_in_its_workspace_alone(rig: Rig) -> None:
    first = await rig.put(rig.plane.row("p_1", "w1", "one", is_default=True, enabled=False))
    assert await rig.ask("find", "w1", "p_1") == first
    assert await rig.ask("find", "w2", "p_1") is None
    second = await rig.put(replace(first.policy, name="uno", version=2), new=False)
    assert await rig.ask("find", "w1", "p_1") == second


@pytest.mark.parametrize("text", ["", "p\0", "p 1", "ü", "p" * 65, "\ud800"])
async def test_text_that_is_no_id_names_nothing_on_any_store(rig: Rig, text: str) -> None:
    await rig.put(rig.plane.row("p", "w1", "one"))
    assert await rig.ask("find", "w1", text) is None
    assert await rig.ask("history_page", "w1", text, None, 10) == []
    assert await rig.ask("history_version", "w1", text, 1) is None


async def test_a_deleted_policy_is_gone_but_for_pollers(rig: Rig) -> None:
    kept = await rig.put(rig.plane.row("p_1", "w1", "one"))
    row = rig.plane.row("p_2", "w1", "two", is_default=True)
    await rig.put(row)
    tombstone = await rig.put(replace(row, version=2), new=False, deleted=True)
    assert await rig.ask("find", "w1", "p_2") is None
    assert await rig.ask("page", "w1", "", 10) == [kept]
    assert await rig.ask("count", "w1") == 1
    assert await rig.ask("other_default", "w1", "") is None
    assert not await rig.ask("name_taken", "w1", "two", "")
    assert await rig.ask("changed", 0, rig.revision) == [kept, tombstone]
    # Its name and its place as the default are free again.
    await rig.put(rig.plane.row("p_3", "w1", "two", is_default=True))


async def test_pollers_read_between_two_revisions_in_order_of_change(rig: Rig) -> None:
    rows = [await rig.put(rig.plane.row(f"p_{number}", f"w{number}", "one")) for number in (3, 1, 2)]
    assert await rig.ask("changed", 0, 2) == rows[:2]
    assert await rig.ask("changed", 1, 3) == rows[1:]
    assert await rig.ask("changed", 3, 3) == []


async def test_pages_are_by_id_and_hold_one_workspace(rig: Rig) -> None:
    rows = [await rig.put(rig.plane.row(f"p_{number}", "w1", f"n {number}")) for number in (1, 2, 3)]
    await rig.put(rig.plane.row("p_4", "w2", "n 4"))
    assert await rig.ask("page", "w1", "", 2) == rows[:2]
    assert await rig.ask("page", "w1", "p_2", 2) == rows[2:]
    assert (await rig.ask("count", "w1"), await rig.ask("count", "w3")) == (3, 0)


async def test_names_and_the_default_are_unique_among_a_workspaces_living(rig: Rig) -> None:
    first = await rig.put(rig.plane.row("p_1", "w1", "one", is_default=True))
    await rig.put(rig.plane.row("p_2", "w2", "one", is_default=True))
    assert await rig.ask("name_taken", "w1", "one", "p_3")
    assert not await rig.ask("name_taken", "w1", "one", "p_1")
    assert await rig.ask("other_default", "w1", "p_3") == first
    assert await rig.ask("other_default", "w1", "p_1") is None
    for clash in (rig.plane.row("p_3", "w1", "one"), rig.plane.row("p_3", "w1", "three", is_default=True)):
        with pytest.raises(IntegrityError):
            await rig.put(clash)


async def test_history_is_read_newest_first_and_by_version(rig: Rig) -> None:
    async with rig.database.write() as tx:
        for version in (1, 2, 3):
            row = rig.plane.row("p_1", "w1", "one", version=version)
            await rig.plane.rows.add_history(tx, row, "update", "u1", {"version": version}, 7 + version)
        await rig.plane.rows.add_history(tx, rig.plane.row("p_2", "w1", "two"), "create", "u2", {}, 1)
    one, two, three = (HistoryRow(v, "update", "u1", 7 + v, {"version": v}) for v in (1, 2, 3))
    assert await rig.ask("history_page", "w1", "p_1", None, 2) == [three, two]
    assert await rig.ask("history_page", "w1", "p_1", 2, 2) == [one]
    assert await rig.ask("history_page", "w2", "p_1", None, 2) == []
    assert await rig.ask("history_version", "w1", "p_1", 2) == two
    assert await rig.ask("history_version", "w1", "p_1", 4) is None
    assert await rig.ask("history_version", "w1", "p_2", 2) is None
    assert await rig.ask("history_version", "w2", "p_1", 2) is None


async def test_a_write_is_its_row_its_history_and_its_events_and_demotes_the_other_default(rig: Rig) -> None:
    writes: PolicyWrites[Any] = PolicyWrites(
        rig.plane.rows,
        rig.plane.tables.outbox,
        noun="thing",
        shown=lambda stored: {"default": stored.policy.is_default},
        told=lambda row, operation, actor_id: [(operation, row.id, Envelope(workspace_id=actor_id))],
    )

    async def write(row: Any, revision: int, operation: str, *, new: bool = True, deleted: bool = False) -> None:
        async with rig.database.write() as tx:
            await writes.write(tx, Stored(row, 5, revision, revision, deleted), operation, "u1", new=new)

    one = rig.plane.row("p_1", "w1", "one", is_default=True)
    two = rig.plane.row("p_2", "w1", "two", is_default=True)
    await write(one, 1, "create")
    await write(two, 2, "create")
    with pytest.raises(Conflict, match=r"^name: a thing named 'two' exists already$"):
        await write(rig.plane.row("p_3", "w1", "two"), 3, "create")
    with pytest.raises(Conflict, match="another change came first"):
        await write(two, 3, "create")
    await write(replace(two, version=2), 4, "delete", new=False, deleted=True)

    assert await rig.ask("page", "w1", "", 9) == [Stored(replace(one, is_default=False, version=2), 5, 2, 2)]
    demoted, created = HistoryRow(2, "update", "u1", 2, {"default": False}), {"default": True}
    assert await rig.ask("history_page", "w1", "p_1", None, 9) == [demoted, HistoryRow(1, "create", "u1", 1, created)]
    assert [row.operation for row in await rig.ask("history_page", "w1", "p_2", None, 9)] == ["delete", "create"]
    table = rig.plane.tables.outbox
    async with rig.database.read() as conn:
        told = (await conn.execute(sa.select(table.c.topic, table.c.record_key).order_by(table.c.seq))).all()
    assert [tuple(row) for row in told] == [
        ("create", b"p_1"), ("update", b"p_1"), ("create", b"p_2"), ("delete", b"p_2"),
    ]  # fmt: skip
