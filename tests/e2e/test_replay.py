"""`orca replay ledger` on what a real process left behind: the same accounts, bit by bit."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.conftest import Management
from tests.support.process import ROOT, Embedded

REPLAY_TIMEOUT_S = 60


def replay(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCA_")}
    environment |= {"ORCA_HOME": str(state), "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    return subprocess.run(
        [sys.executable, "-m", "services.allinone", "replay", "ledger", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=REPLAY_TIMEOUT_S, check=False,
    )  # fmt: skip


def accounts(path: Path) -> list[tuple[object, ...]]:
    return sqlite3.connect(path).execute("SELECT * FROM accounts ORDER BY id").fetchall()


def test_replay_of_the_ledger_equals_its_state(tmp_path: Path) -> None:
    product = Embedded(tmp_path).start()
    try:
        management = Management(product.management_url)
        key = management.call("POST", "/api/token", {"name": "t", "credit_limit_usd": "1"})
        # Known at once, although its record reaches the ledger through the log.
        assert management.call("GET", f"/api/ledger/accounts/{key['id']}")["limit_usd"] == "1"
        body = {"model": "orca/echo", "messages": [{"role": "user", "content": "hi"}]}
        headers = {"Authorization": f"Bearer {key['key']}"}
        for _ in range(5):
            answer = httpx.post(f"{product.relay_url}/v1/chat/completions", json=body, headers=headers, timeout=30)
            assert answer.status_code == 200
        kept_out = replay(tmp_path / "state", "--into", f"sqlite:///{tmp_path / 'no.db'}")
        assert kept_out.returncode != 0 and "another Orca process" in kept_out.stderr
        management.eventually(
            f"/api/ledger/accounts/{key['id']}", lambda found: found["settled_usd"] != "0" and not found["leases"]
        )
    finally:
        assert product.stop() == 0
    assert replay(tmp_path / "state").returncode != 0, "tables in use are never overwritten"
    done = replay(tmp_path / "state", "--into", f"sqlite:///{tmp_path / 'new.db'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 spends replayed, 0 records parked" in done.stdout
    assert accounts(tmp_path / "new.db") == accounts(tmp_path / "state" / "ledger.db") != []
