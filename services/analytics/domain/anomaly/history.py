"""A user's own history as text: `timestamp,value` lines into buckets of one width.

Timestamps are ISO 8601 or Unix epochs (seconds to nanoseconds, told by size); without an offset they are wall-clock
time. The width is the commonest distance. Order and repetition do not matter: rows of one bucket are averaged,
because doubled rows are the usual defect and a doubled value would look like a spike. A value that is not told, no
number, or below zero, leaves its bucket without one; when half of the lines cannot be read, the first such is told.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import numpy as np

from services.analytics.domain.anomaly.calendar import DAY_S, Ints, local_seconds
from services.analytics.domain.anomaly.profile import Floats

ROWS_MAX = 3_000_000
UNREADABLE_SHARE_MAX = 0.5
YEARS = (1970, 2200)
_EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
)  # fmt: skip
_TIME_NAMES = (
    "timestamp", "time", "datetime", "date", "ts", "ds", "occurred_at", "created_at", "start", "bucket", "hour", "day",
)  # fmt: skip
_VALUE_NAMES = ("value", "count", "cost", "y", "requests", "calls", "tokens", "amount", "total")
# What stands where there is no value; anything else that is no number is a mistake.
_NO_VALUE = frozenset({"", "nan", "na", "n/a", "null", "none", "nil", "-", "inf", "-inf", "infinity"})


class Unreadable(ValueError):
    """The text is not a history; the message says why."""


@dataclass(frozen=True, slots=True)
class History:
    """Buckets in order: the timestamp as it was written, wall-clock seconds, value (NaN = none)."""

    labels: tuple[str, ...]
    local_s: Ints
    values: Floats
    width_s: int
    whole: bool


@dataclass(slots=True)
class _Rows:
    """What the lines held: (Unix seconds, label, value, without offset); and what could not be read, with the place
    of the first that could not."""

    rows: list[tuple[float, str, float, bool]] = field(default_factory=list)
    lines: int = 0
    unreadable: int = 0
    first: str = "there are no lines"

    def refuse(self, line: int, what: str) -> None:
        """Counts a line that is no row."""
        if not self.unreadable:
            self.first = f"line {line}, {what}"
        self.unreadable += 1


def read(lines: Iterable[str], zone: tzinfo) -> History:
    """Parses a history. Raises Unreadable."""
    found = _rows(lines)
    rows = found.rows
    if len(rows) < 2 or found.unreadable > UNREADABLE_SHARE_MAX * found.lines:
        told = found.first if found.unreadable or not rows else "there is one row"
        raise Unreadable(f"expected lines of timestamp,value: fewer than half of them can be read ({told})")
    rows.sort(key=lambda row: row[0])
    times = np.array([row[0] for row in rows])
    width_s = _width_s(times)
    bucket = np.floor((times - times[0]) / width_s + 0.5).astype(np.int64)
    firsts = np.flatnonzero(np.diff(bucket, prepend=-1))
    values = np.array([row[2] for row in rows])
    known = ~np.isnan(values)
    totals = np.add.reduceat(np.where(known, values, 0.0), firsts)
    counts = np.add.reduceat(known.astype(np.int64), firsts)
    averaged = np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
    seconds = times[firsts].astype(np.int64)
    naive = np.array([rows[first][3] for first in firsts])
    local = np.where(naive, seconds, local_seconds(seconds, zone))
    given = values[known]
    return History(
        tuple(rows[first][1] for first in firsts), local, averaged, width_s, bool(np.all(given == np.round(given)))
    )


def _rows(lines: Iterable[str]) -> _Rows:
    found = _Rows()
    columns = (0, 1)
    headed_line = 0
    for line, delimiter, cells in _cells(lines):
        if not headed_line:
            headed_line = line
            named = _named(cells)
            if named is not None:
                columns = named
                continue
        found.lines += 1
        if len(cells) <= max(columns):
            found.refuse(line, f"column {max(columns) + 1}: is missing")
            continue
        label = cells[columns[0]].strip()
        moment = _moment(label)
        if moment is None:
            # A first line that is no row is a header.
            if line == headed_line:
                found.lines = 0
            else:
                found.refuse(line, f"column {columns[0] + 1} (timestamp): is no time")
            continue
        value = _value(cells[columns[1]], decimal_comma=delimiter != ",")
        if value is None:
            found.refuse(line, f"column {columns[1] + 1} (value): is no number")
            value = math.nan
        if len(found.rows) >= ROWS_MAX:
            raise Unreadable(f"more than {ROWS_MAX} rows")
        found.rows.append((moment[0], label, value, moment[1]))
    return found


def _cells(lines: Iterable[str]) -> Iterator[tuple[int, str, Sequence[str]]]:
    """Line number from 1, delimiter and cells of each line that is neither empty nor a comment."""
    delimiter = ""
    for number, text in enumerate(lines, 1):
        line = text.lstrip("\ufeff").strip("\r\n\0")
        if not line.strip() or line.startswith("#"):
            continue
        delimiter = delimiter or next((mark for mark in (";", "\t", ",") if mark in line), ",")
        try:
            yield number, delimiter, next(csv.reader([line], delimiter=delimiter))
        except csv.Error:
            yield number, delimiter, ()


def _named(cells: Sequence[str]) -> tuple[int, int] | None:
    """Columns by their header, where the first line is one: both by name, or the other of two."""
    names = [cell.strip().lower() for cell in cells]
    time = next((names.index(name) for name in _TIME_NAMES if name in names), None)
    value = next((names.index(name) for name in _VALUE_NAMES if name in names), None)
    if len(names) == 2 and time != value:
        time, value = (1 - value if time is None and value is not None else time), value
        value = 1 - time if value is None and time is not None else value
    return (time, value) if time is not None and value is not None else None


def _moment(text: str) -> tuple[float, bool] | None:
    """Unix seconds, and whether the text had no offset; None when it is no time."""
    try:
        number = float(text)
    except ValueError:
        return _calendar_moment(text)
    if not math.isfinite(number) or number < 0:
        return None
    divisor = next(unit for least, unit in _EPOCH_UNITS if number >= least)
    # A bare number below a day is a row number rather than a time.
    return (number / divisor, False) if number / divisor >= DAY_S else None


def _calendar_moment(text: str) -> tuple[float, bool] | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        for pattern in _FORMATS:
            try:
                moment = datetime.strptime(text, pattern)
                break
            except ValueError:
                continue
        else:
            return None
    if not YEARS[0] <= moment.year < YEARS[1]:
        return None
    naive = moment.tzinfo is None
    return (moment.replace(tzinfo=UTC) if naive else moment).timestamp(), naive


def _value(text: str, *, decimal_comma: bool) -> float | None:
    """The number; NaN where none is told or it is below zero; None when it is something else."""
    told = text.strip().replace("_", "x")
    if told.lower() in _NO_VALUE:
        return math.nan
    if decimal_comma and "." not in told:
        told = told.replace(",", ".")
    try:
        number = float(told)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else math.nan


def _width_s(times: Floats) -> int:
    steps = np.diff(times)
    steps = np.round(steps[steps >= 1.0]).astype(np.int64)
    if len(steps) == 0:
        raise Unreadable("all rows have the same timestamp")
    widths, counts = np.unique(steps, return_counts=True)
    commonest = int(widths[np.argmax(counts)])
    return commonest if counts.max() * 2 >= len(steps) else int(np.median(steps))
