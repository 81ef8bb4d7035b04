"""A user's own history as text: `timestamp,value` lines into buckets of one width.

Timestamps are ISO 8601 or Unix epochs (seconds to nanoseconds, told by size); without an offset they are wall-clock
time. The width is the commonest distance. Order and repetition do not matter: rows of one bucket are averaged,
because doubled rows are the usual defect and a doubled value would look like a spike. A value that is no number, or
below zero, leaves its bucket without one.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
_TIME_NAMES = ("timestamp", "time", "datetime", "date", "ts", "ds")
_VALUE_NAMES = ("value", "count", "cost", "y")


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


def read(lines: Iterable[str], zone: tzinfo) -> History:
    """Parses a history. Raises Unreadable."""
    rows, unreadable = _rows(lines)
    if len(rows) < 2 or unreadable > UNREADABLE_SHARE_MAX * (len(rows) + unreadable):
        raise Unreadable("expected lines of timestamp,value: fewer than half of them can be read")
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


def _rows(lines: Iterable[str]) -> tuple[list[tuple[float, str, float, bool]], int]:
    rows: list[tuple[float, str, float, bool]] = []
    unreadable = 0
    columns = (0, 1)
    for number, cells in enumerate(_cells(lines)):
        if number == 0:
            named = _named(cells)
            if named is not None:
                columns = named
                continue
        if len(cells) <= max(columns):
            unreadable += 1
            continue
        label = cells[columns[0]].strip()
        moment = _moment(label)
        if moment is None:
            unreadable += number > 0  # a first line that is no row is a header
            continue
        if len(rows) >= ROWS_MAX:
            raise Unreadable(f"more than {ROWS_MAX} rows")
        rows.append((moment[0], label, _value(cells[columns[1]]), moment[1]))
    return rows, unreadable


def _cells(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    reader: Iterator[list[str]] | None = None
    for line in lines:
        line = line.lstrip("\ufeff").strip("\r\n\0")
        if not line.strip() or line.startswith("#"):
            continue
        if reader is None:
            delimiter = next((mark for mark in (",", ";", "\t") if mark in line), ",")
        try:
            reader = csv.reader([line], delimiter=delimiter)
            yield next(reader)
        except csv.Error:
            yield ()


def _named(cells: Sequence[str]) -> tuple[int, int] | None:
    """Columns by their header, where the first line is one and names both."""
    names = [cell.strip().lower() for cell in cells]
    time = next((names.index(name) for name in _TIME_NAMES if name in names), None)
    value = next((names.index(name) for name in _VALUE_NAMES if name in names), None)
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


def _value(text: str) -> float:
    try:
        number = float(text.strip().replace("_", "x"))
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and number >= 0 else math.nan


def _width_s(times: Floats) -> int:
    steps = np.diff(times)
    steps = np.round(steps[steps >= 1.0]).astype(np.int64)
    if len(steps) == 0:
        raise Unreadable("all rows have the same timestamp")
    widths, counts = np.unique(steps, return_counts=True)
    commonest = int(widths[np.argmax(counts)])
    return commonest if counts.max() * 2 >= len(steps) else int(np.median(steps))
