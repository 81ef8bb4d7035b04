"""The embedded log's file: synchronous, used by one thread of one process.

A record's row id is `partition id << 44 | offset`, so that each partition is one clustered, append-only
range and reads are range scans. The file is locked exclusively: a second process is refused. Commits are
flushed to disk (synchronous=FULL), so what was acknowledged survives a kill and a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from services.common.eventlog.ports import ConsumedRecord, OutRecord, TopicPartition, partition_of
from services.common.eventlog.topics import Topic

OFFSET_BITS = 44
OFFSET_MASK = (1 << OFFSET_BITS) - 1
POLL_BYTES_MAX = 16 << 20
TRIM_ROWS_MAX = 5_000
WAL_PAGES = 4_000
INSERT_ROWS = 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions(
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  UNIQUE(topic, number));
CREATE TABLE IF NOT EXISTS records(
  position INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, key BLOB NOT NULL, headers BLOB NOT NULL,
  value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS offsets(
  group_name TEXT NOT NULL, partition_id INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY(group_name, partition_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS last_write(id INTEGER PRIMARY KEY CHECK (id = 0), sequence INTEGER NOT NULL);
INSERT OR IGNORE INTO last_write VALUES (0, 0);
"""
# One row holds the whole answer. The driver gives up the interpreter's lock at every step, and beside a busy event
# loop each turn at it costs half a millisecond: stepping row by row, a thread would read two thousand rows a second.
_READ = """
SELECT json_group_array(json_array(position, timestamp_ms, hex(key), hex(headers), hex(value))) FROM (
  SELECT *, SUM(length(value) + length(key)) OVER (ORDER BY position) - length(value) - length(key) AS before
  FROM (SELECT * FROM records WHERE position >= ? AND position < ? ORDER BY position LIMIT ?)
) WHERE before < ?
"""
_decode_rows = msgspec.json.Decoder(list[tuple[int, int, str, str, str]]).decode
_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


@dataclass(frozen=True, slots=True)
class Append:
    """Records to add, stamped when they were sent."""

    records: Sequence[OutRecord]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Next offsets of a group."""

    group: str
    positions: Mapping[TopicPartition, int]


Write = Append | Commit
Ends = dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction stored: the new ends of the partitions that grew, and their records in order."""

    ends: Ends
    records: Sequence[ConsumedRecord]


class SqliteStore:
    """One open file. Errors are sqlite3.Error; a failed write left nothing behind."""

    def __init__(self, path: Path) -> None:
        # Opened on the log's thread, closed there or, after a failed start, by the interpreter.
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.0, cached_statements=32)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
            self._ids: dict[TopicPartition, int] = {}
            self._places: dict[str, list[TopicPartition]] = {}
            self.ends: Ends = {}
            self._load()
            (self._sequence,) = self._db.execute("SELECT sequence FROM last_write").fetchone()
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Releases the file."""
        self._db.close()

    def _load(self) -> None:
        rows = self._db.execute("SELECT id, topic, number, next_offset FROM partitions").fetchall()
        self._ids = {TopicPartition(topic, number): id_ for id_, topic, number, _ in rows}
        self.ends = {TopicPartition(topic, number): end for _, topic, number, end in rows}
        self._places = {}
        for partition in sorted(self._ids):
            self._places.setdefault(partition.topic, []).append(partition)

    def create(self, topics: Sequence[Topic]) -> Ends:
        """Adds missing topics and returns all ends; an existing topic keeps its partition count."""
        missing = [(t.name, number) for t in topics if t.name not in self._places for number in range(t.partitions)]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO partitions(topic, number, next_offset) VALUES (?, ?, 0)", missing)
            self._db.execute("COMMIT")
        finally:
            self._rollback()
        self._load()
        return dict(self.ends)

    def write(self, writes: Sequence[Write]) -> Written:
        """Applies all in one transaction.

        A commit whose outcome SQLite could not tell is looked up by its sequence number, so that a caller's
        retry never stores a batch twice. Raises sqlite3.Error when nothing was stored.
        """
        sequence = self._sequence + 1
        grown: Ends = {}
        records: list[ConsumedRecord] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for write in writes:
                if isinstance(write, Append):
                    records += self._append(write, grown)
                else:
                    self._commit(write)
            self._db.executemany(
                "UPDATE partitions SET next_offset = ? WHERE id = ?",
                [(end, self._ids[partition]) for partition, end in grown.items()],
            )
            self._db.execute("UPDATE last_write SET sequence = ?", (sequence,))
            self._finish()
        except sqlite3.Error:
            self._rollback()
            if self._db.execute("SELECT sequence FROM last_write").fetchone() != (sequence,):
                raise
        finally:
            self._rollback()
        self._sequence = sequence
        self.ends.update(grown)
        return Written(grown, records)

    def _finish(self) -> None:
        self._db.execute("COMMIT")

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _append(self, append: Append, grown: Ends) -> list[ConsumedRecord]:
        records: list[ConsumedRecord] = []
        rows: list[tuple[int, int, bytes, bytes, bytes]] = []
        encoded: dict[tuple[tuple[str, bytes], ...], bytes] = {}
        for record in append.records:
            places = self._places[record.topic]
            place = places[partition_of(record.key, len(places)) if len(places) > 1 else 0]
            offset = grown.get(place, -1)
            if offset < 0:
                offset = self.ends[place]
            grown[place] = offset + 1
            headers = encoded.get(record.headers)
            if headers is None:
                headers = encoded[record.headers] = _encode_headers(record.headers)
            rows.append(
                (self._ids[place] << OFFSET_BITS | offset, append.timestamp_ms, record.key, headers, record.value)
            )
            records.append(
                ConsumedRecord(
                    record.topic, place.partition, offset, record.key, record.value, record.headers, append.timestamp_ms
                )
            )
        at, size = 0, INSERT_ROWS
        while at < len(rows):
            # Sizes are powers of two, so that a handful of prepared statements serves every batch.
            while size > len(rows) - at:
                size //= 2
            values = ",".join(["(?, ?, ?, ?, ?)"] * size)
            self._db.execute(f"INSERT INTO records VALUES {values}", list(chain(*rows[at : at + size])))  # noqa: S608
            at += size
        return records

    def _commit(self, commit: Commit) -> None:
        self._db.executemany(
            "INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
            [(commit.group, self._ids[partition], offset) for partition, offset in commit.positions.items()],
        )

    def committed(self, group: str, topics: Sequence[str]) -> Ends:
        """The group's next offsets, without the partitions it never committed."""
        stored = dict(self._db.execute("SELECT partition_id, next_offset FROM offsets WHERE group_name = ?", (group,)))
        return {tp: stored[id_] for tp, id_ in self._ids.items() if tp.topic in topics and id_ in stored}

    def read(self, wanted: Sequence[tuple[TopicPartition, int]], max_records: int) -> tuple[list[ConsumedRecord], Ends]:
        """Records from the given offsets on, and the next offset of each partition read.

        A partition read to its end moves to the end even when its tail was trimmed away.
        """
        records: list[ConsumedRecord] = []
        moved: Ends = {}
        room = POLL_BYTES_MAX
        for partition, offset in wanted:
            if len(records) >= max_records or room <= 0:
                break
            base = self._ids[partition] << OFFSET_BITS
            end = self.ends[partition]
            bounds = (base | offset, base | end, max_records - len(records), room)
            rows = _decode_rows(self._db.execute(_READ, bounds).fetchone()[0])
            moved[partition] = end
            for position, timestamp_ms, key_hex, headers_hex, value_hex in rows:
                at = position & OFFSET_MASK
                key, value = bytes.fromhex(key_hex), bytes.fromhex(value_hex)
                headers = _decode_headers(bytes.fromhex(headers_hex))
                records.append(
                    ConsumedRecord(partition.topic, partition.partition, at, key, value, headers, timestamp_ms)
                )
                room -= len(value) + len(key)
                if len(records) >= max_records or room <= 0:
                    moved[partition] = at + 1
                    break
        return records, moved

    def trim(self, topics: Sequence[Topic], now_ms: int) -> int:
        """Deletes one bounded run of expired records per partition and superseded ones of compacted topics.

        Expiry is a prefix, as in Kafka: a record goes when everything before it has gone. Returns the count.
        """
        declared = {topic.name: topic for topic in topics}
        removed = 0
        for partition, id_ in self._ids.items():
            topic = declared.get(partition.topic)
            bounds = (id_ << OFFSET_BITS, (id_ << OFFSET_BITS) | self.ends[partition])
            if topic is not None and topic.retention_ms is not None:
                removed += self._expire(bounds, now_ms - topic.retention_ms)
            if topic is not None and topic.compacted:
                removed += self._db.execute(
                    "DELETE FROM records WHERE position >= ? AND position < ? AND position NOT IN"
                    " (SELECT max(position) FROM records WHERE position >= ? AND position < ? GROUP BY key)",
                    bounds + bounds,
                ).rowcount
        return removed

    def _expire(self, bounds: tuple[int, int], before_ms: int) -> int:
        rows = self._db.execute(
            "SELECT position, timestamp_ms FROM records WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
            (*bounds, TRIM_ROWS_MAX),
        )
        last: int | None = None
        for position, timestamp_ms in rows:
            if timestamp_ms >= before_ms:
                break
            last = position
        rows.close()
        if last is None:
            return 0
        return self._db.execute("DELETE FROM records WHERE position >= ? AND position <= ?", (bounds[0], last)).rowcount
