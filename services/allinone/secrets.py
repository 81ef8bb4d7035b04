"""Secrets of the embedded profile: made once, kept in the state directory, readable by its owner only."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

NAMES = ("key_pepper", "channel_secret", "fingerprint_secret", "firewall_secret")


def load_or_create(home: Path) -> Mapping[str, str]:
    """Secrets by settings field. Written atomically, so that a kill leaves either none or all."""
    path = home / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in NAMES if name not in known]
    if missing:
        for name in missing:
            known[name] = base64.b64encode(os.urandom(32)).decode()
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    return known
