"""`orca anomaly backtest`: the scorer over a history in a file, one JSON line per bucket."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.analytics.domain.anomaly import backtest
from services.analytics.domain.anomaly.history import Unreadable, read
from services.common.errors import Invalid

METRICS = ("count", "cost")
# Fewer events than this in a bucket are never an anomaly.
COUNT_FLOOR = 10.0


def run(path: Path, *, tz: str, metric: str | None, out: TextIO) -> None:
    """Scores the file's history. Without a metric, whole numbers are counts and others amounts. Raises Invalid.

    `score` is a z: positive above the expectation, negative below. It and `expected` are null while history is
    insufficient, and for a bucket without a value.
    """
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("--tz: not a known time zone", param="tz") from None
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            history = read(lines, zone)
        count = history.whole if metric is None else metric == "count"
        scored = backtest.score(
            history.local_s, history.values, width_s=history.width_s, count=count, floor=COUNT_FLOOR if count else 0.0
        )
    except OSError as error:
        raise Invalid(f"FILE: cannot be read ({error.strerror})", param="file") from None
    except (Unreadable, backtest.SpanTooLong) as error:
        raise Invalid(f"FILE: {error}", param="file") from None
    for label, value, expected, z, anomalous in zip(
        history.labels, history.values, scored.expected, scored.z, scored.anomalous, strict=True
    ):
        line = {
            "timestamp": label,
            "value": _number(value),
            "expected": _number(round(float(expected), 6)),
            "score": _number(round(float(z), 3)),
            "anomalous": bool(anomalous),
        }
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _number(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(value)
