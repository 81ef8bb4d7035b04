"""Blocks, run ids and shapes, without a store."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.events.v1.events_pb2 import Envelope
from services.analytics.clickhouse.migrations import MIGRATIONS
from services.analytics.domain.blocks import BLOCK_RECORDS_MAX, PRODUCERS_MAX, Bounds, Records, build, cut
from services.analytics.domain.feeds import BY_TABLE, iso
from services.analytics.domain.rows import COLUMNS
from services.analytics.domain.run_ids import mint_run_id, parse_run_id
from services.analytics.processors import columns
from tests.unit.analytics.builders import envelope, firewall, match, request, spend

JAN_US = 1_767_225_600_000_000  # 2026-01-01
FEB_US = JAN_US + 31 * 86_400_000_000


Event = tuple[int, int, str, int]
"""Offset, time, producer, sequence."""


def records(*events: Event) -> Records:
    """Records of a table with one column, which holds the offset."""
    offsets = [event[0] for event in events]
    return Records(
        offsets, [event[2] for event in events], [event[3] for event in events], [event[1] for event in events],
        [True] * len(events), [list(offsets)],
    )  # fmt: skip


def test_the_first_block_starts_where_the_one_before_ended() -> None:
    held = records((12, JAN_US, "", 0), (13, JAN_US, "", 0), (14, FEB_US, "", 0), (15, JAN_US, "", 0))
    blocks = cut("t", 3, 10, held, {})
    assert [block.bounds for block in blocks] == [
        Bounds("t", 3, 10, 13),
        Bounds("t", 3, 14, 14),
        Bounds("t", 3, 15, 15),
    ]
    assert blocks[0].bounds.token == "t:3:10-13"
    assert (blocks[0].offsets, blocks[0].values) == ([12, 13], [[12, 13]])


def test_blocks_have_a_most_size() -> None:
    held = records(*((offset, JAN_US, "", 0) for offset in range(BLOCK_RECORDS_MAX + 1)))
    assert [len(block.offsets) for block in cut("t", 0, 0, held, {})] == [BLOCK_RECORDS_MAX, 1]


def test_sequences_that_do_not_rise_are_duplicates() -> None:
    held = records((0, JAN_US, "a", 5), (1, JAN_US, "a", 5), (2, JAN_US, "b", 1), (3, JAN_US, "", 0))
    block = build(Bounds("t", 0, 0, 3), held, {"a": 4})
    assert (block.offsets, block.values, dict(block.producers)) == ([0, 2, 3], [[0, 2, 3]], {"a": 5, "b": 1})


def test_a_record_that_is_not_kept_leaves_no_row_and_counts_as_read() -> None:
    held = records((0, JAN_US, "a", 1), (1, JAN_US, "a", 2))
    held.kept[0] = False
    block = build(Bounds("t", 0, 0, 1), held, {})
    assert (block.offsets, block.values, dict(block.producers)) == ([1], [[1]], {"a": 2})


def test_the_least_recently_seen_producer_is_forgotten() -> None:
    before = {f"p{number}": 1 for number in range(PRODUCERS_MAX)}
    block = build(Bounds("t", 0, 0, 1), records((0, JAN_US, "p0", 2), (1, JAN_US, "new", 1)), before)
    assert ("p0" in block.producers, "p1" in block.producers, len(block.producers)) == (True, False, PRODUCERS_MAX)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(1, 6), st.sampled_from([JAN_US, FEB_US]))))
def test_a_block_built_again_from_its_bounds_is_the_same(events: list[tuple[str, int, int]]) -> None:
    held = records(*((n, at, name, seq) for n, (name, seq, at) in enumerate(events)))
    producers: dict[str, int] = {}
    covered = 0
    for block in cut("t", 0, 0, held, producers):
        assert (block.bounds.first, build(block.bounds, held, producers)) == (covered, block)
        producers, covered = dict(block.producers), block.bounds.last + 1
    assert covered == len(events)


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


def columns_of(table: str, *events: Envelope) -> dict[str, list[Any]]:
    return dict(zip(COLUMNS[table][:-3], columns(table, events, lambda _: 30), strict=True))


@pytest.mark.parametrize(
    ("event", "table"),
    [(match(id="m"), "matches"), (firewall(id="f"), "firewall_events"), (request(), "requests"), (spend(), "spend")],
)
def test_every_column_has_a_value_per_event(event: Envelope, table: str) -> None:
    named = columns_of(table, event, event)
    assert {name: len(values) for name, values in named.items()} == dict.fromkeys(COLUMNS[table][:-3], 2)
    assert [named[name][0] for name in ("workspace_id", "key_id", "run_id", "retention_days")] == [
        "ws_1", "key_1", "run_1", 30,
    ]  # fmt: skip


def test_payloads_of_one_topic_keep_their_order() -> None:
    grant = envelope(credit={"kind": "grant", "account_id": "key_2", "amount_nano_usd": 7, "lease_id": "l"})
    named = columns_of("spend", spend(settled=1), grant, spend(settled=2))
    assert [named[name] for name in ("kind", "account_id", "settled_nano_usd", "amount_nano_usd", "lease_id")] == [
        ["spend", "grant", "spend"], ["key_1", "key_2", "key_1"], [1, 0, 2], [0, 7, 0], ["", "l", ""],
    ]  # fmt: skip


@pytest.mark.parametrize("table", BY_TABLE)
def test_feeds_read_columns_that_exist(table: str) -> None:
    feed = BY_TABLE[table]
    used = {field.column for field in feed.fields} | {wanted.column for wanted in feed.filters.values()}
    assert used <= set(COLUMNS[feed.table])


def test_times_keep_their_microseconds() -> None:
    assert iso(JAN_US + 1) == "2026-01-01T00:00:00.000001Z"
