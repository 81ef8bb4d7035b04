"""Logs and metrics: structured JSON logs without secrets, Prometheus metrics on a port of their own.

A log record carries its message, level, logger, time and the listed extra fields; nothing else gets in, so
that prompts, keys and matched values cannot leak through a format string's arguments.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge, exposition

SNAPSHOT_READ = Gauge(
    "orca_policy_snapshot_read_timestamp_seconds", "When a plane last read its policies, Unix seconds.", ["plane"]
)
CONSUMER_LAG = Gauge("orca_consumer_lag", "Records a consumer knows of and has not polled.", ["group"])
CONSUMER_STOPPED = Gauge("orca_consumer_stopped", "1 when a consumer gave up and needs an operator.", ["group"])
DEAD_LETTERS = Counter("orca_consumer_dead_letters_total", "Records moved to the dead-letter topic.", ["group"])

SAFE_FIELDS = (
    "request_id", "service", "error_class", "code", "topic", "partition", "group", "count", "replica_id",
    "workspace_id", "key_id", "lag_ms", "address", "signal", "reason", "bytes", "lease_id", "attempt",
)  # fmt: skip


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Message, level, logger, time, safe extras; for exceptions the class and the place, never the text."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if record.name.startswith("orca") else record.name + " message",
        }
        for field in SAFE_FIELDS:
            if (value := getattr(record, field, None)) is not None:
                entry[field] = value
        if record.exc_info and record.exc_info[0] is not None:
            entry["error_class"] = record.exc_info[0].__name__
            frames = []
            traceback = record.exc_info[2]
            while traceback is not None:
                code = traceback.tb_frame.f_code
                frames.append(f"{code.co_filename.rpartition('/services/')[2]}:{traceback.tb_lineno}")
                traceback = traceback.tb_next
            entry["at"] = frames[-8:]
        return json.dumps(entry, ensure_ascii=True)


def configure_logging(level: str) -> None:
    """Routes all logging to stderr as JSON. Libraries speak at warning and above, without their text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("orca").setLevel(level.upper())


async def metrics_app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI app of the metrics port."""
    del receive
    if scope["type"] != "http":
        return
    found = scope["path"] == "/metrics"
    body = exposition.generate_latest(REGISTRY) if found else b"not found"
    headers = [(b"content-type", exposition.CONTENT_TYPE_LATEST.encode())]
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
