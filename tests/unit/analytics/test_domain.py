"""Blocks, run ids and shapes, without a store."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.clickhouse.migrations import MIGRATIONS
from services.analytics.domain.blocks import BLOCK_RECORDS_MAX, PRODUCERS_MAX, Bounds, Item, build, cut
from services.analytics.domain.feeds import BY_TABLE, iso
from services.analytics.domain.rows import COLUMNS, Row
from services.analytics.domain.run_ids import mint_run_id, parse_run_id
from services.analytics.processors import process
from tests.unit.analytics.builders import firewall, match, request, spend

JAN_US = 1_767_225_600_000_000  # 2026-01-01
FEB_US = JAN_US + 31 * 86_400_000_000


def item(offset: int, *, at_us: int = JAN_US, producer: str = "", seq: int = 0) -> Item:
    return Item(offset, producer, seq, Row("requests", at_us, (offset,)))


def test_the_first_block_starts_where_the_one_before_ended() -> None:
    blocks = cut("t", 3, 10, [item(12), item(13), item(14, at_us=FEB_US), item(15)], {})
    assert [block.bounds for block in blocks] == [
        Bounds("t", 3, 10, 13),
        Bounds("t", 3, 14, 14),
        Bounds("t", 3, 15, 15),
    ]
    assert blocks[0].bounds.token == "t:3:10-13"


def test_blocks_have_a_most_size() -> None:
    blocks = cut("t", 0, 0, [item(offset) for offset in range(BLOCK_RECORDS_MAX + 1)], {})
    assert [len(block.rows) for block in blocks] == [BLOCK_RECORDS_MAX, 1]


def test_sequences_that_do_not_rise_are_duplicates() -> None:
    items = [item(0, producer="a", seq=5), item(1, producer="a", seq=5), item(2, producer="b", seq=1), item(3)]
    block = build(Bounds("t", 0, 0, 3), items, {"a": 4})
    assert ([offset for offset, _ in block.rows], dict(block.producers)) == ([0, 2, 3], {"a": 5, "b": 1})


def test_the_least_recently_seen_producer_is_forgotten() -> None:
    before = {f"p{number}": 1 for number in range(PRODUCERS_MAX)}
    block = build(Bounds("t", 0, 0, 1), [item(0, producer="p0", seq=2), item(1, producer="new", seq=1)], before)
    assert ("p0" in block.producers, "p1" in block.producers, len(block.producers)) == (True, False, PRODUCERS_MAX)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(1, 6), st.sampled_from([JAN_US, FEB_US]))))
def test_a_block_built_again_from_its_bounds_is_the_same(events: list[tuple[str, int, int]]) -> None:
    items = [item(n, producer=name, seq=seq, at_us=at) for n, (name, seq, at) in enumerate(events)]
    producers: dict[str, int] = {}
    covered = 0
    for block in cut("t", 0, 0, items, producers):
        assert (block.bounds.first, build(block.bounds, items, producers)) == (covered, block)
        producers, covered = dict(block.producers), block.bounds.last + 1
    assert covered == len(items)


TEXT = st.text(max_size=128)


@given(TEXT, TEXT, TEXT, TEXT)
def test_run_ids_name_one_triple_of_one_workspace(workspace: str, key: str, run: str, other: str) -> None:
    try:
        public_id = mint_run_id(workspace, key, run)
    except UnicodeEncodeError:
        return
    assert re.fullmatch(r"run_[A-Za-z0-9_-]+", public_id)
    assert parse_run_id(public_id, workspace) == (key, run)
    assert other == workspace or parse_run_id(public_id, other) is None


@given(st.text())
def test_any_text_may_be_asked_for_as_a_run(text: str) -> None:
    assert parse_run_id("run_" + text, "ws_1") is None


@pytest.mark.parametrize("table", COLUMNS)
def test_rows_and_tables_have_the_same_columns(table: str) -> None:
    ddl = "\n".join(statement for migration in MIGRATIONS for statement in migration.statements)
    body = re.search(rf"CREATE TABLE IF NOT EXISTS {table} \((.*?)\)\nENGINE", ddl, re.S)
    assert body is not None
    names = re.findall(r"^\s+(\w+) [A-Z]", body.group(1), re.M)
    for added, after in re.findall(rf"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS (\w+) \w+ AFTER (\w+)", ddl):
        names.insert(names.index(after) + 1, added)
    assert tuple(names) == COLUMNS[table]


@pytest.mark.parametrize(
    ("event", "table"),
    [(match(id="m"), "matches"), (firewall(id="f"), "firewall_events"), (request(), "requests"), (spend(), "spend")],
)
def test_rows_fit_their_columns(event: object, table: str) -> None:
    row = process(event, table, 30)  # type: ignore[arg-type]
    named = dict(zip(COLUMNS[table][:-3], row.values, strict=True))
    assert (named["workspace_id"], named["key_id"], named["run_id"], named["retention_days"]) == (
        "ws_1", "key_1", "run_1", 30,
    )  # fmt: skip


@pytest.mark.parametrize("table", BY_TABLE)
def test_feeds_read_columns_that_exist(table: str) -> None:
    feed = BY_TABLE[table]
    used = {field.column for field in feed.fields} | {wanted.column for wanted in feed.filters.values()}
    assert used <= set(COLUMNS[feed.table])


def test_times_keep_their_microseconds() -> None:
    assert iso(JAN_US + 1) == "2026-01-01T00:00:00.000001Z"
