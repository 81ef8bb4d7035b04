"""Wall-clock positions: which local day is a moment in, and which second of it? Weeks start on Monday 00:00."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400
HOUR_S = 3_600
HOURS_PER_WEEK = 168
# 1970-01-05 was a Monday.
_MONDAY_S = 4 * DAY_S

Ints = NDArray[np.int64]


def local_seconds(unix_s: Ints, zone: tzinfo) -> Ints:
    """Wall-clock seconds (as if they were UTC) of Unix seconds; offsets are looked up once per quarter of an hour."""
    quarter = unix_s // 900
    unique, inverse = np.unique(quarter, return_inverse=True)
    offsets = np.array([_offset_s(int(value) * 900, zone) for value in unique], dtype=np.int64)
    return np.asarray(unix_s + offsets[inverse], dtype=np.int64)


def local_day(local_s: Ints) -> tuple[Ints, Ints]:
    """Number of the local day (0 is a Monday), and seconds into it."""
    since = local_s - _MONDAY_S
    day = np.floor_divide(since, DAY_S)
    return day, since - day * DAY_S


def _offset_s(unix_s: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(unix_s, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
