"""Operating the embedded profile: the doctor's verdict, what stops a start, and a restored backup."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cluster import SECRET
from tests.support.process import ADMIN_TOKEN, ROOT, Embedded

COMMAND_S = 60
FOUNDATION_KEY = "sk-orca-tcsQ_sP9cAYjo5am9yK974k19QDtbTXfM4vXQPSjsU4"  # of tests/fixtures/foundation, made up


def orca(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ORCA_")}
    return subprocess.run(
        [sys.executable, "-m", "services.allinone", *arguments],
        cwd=ROOT,
        env=clean | environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    )


def doctor(home: Path) -> tuple[int, dict[str, Any]]:
    done = orca("doctor", ORCA_HOME=str(home / "state"))
    return done.returncode, json.loads(done.stdout)


def management(running: Embedded, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(
        method,
        running.management_url + path,
        json=body,
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def chat(running: Embedded, key: str, text: str = "still here") -> str:
    answer = httpx.post(
        f"{running.relay_url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key}"},
        json={"model": "orca/echo", "messages": [{"role": "user", "content": text}]},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    product = Embedded(tmp_path_factory.mktemp("operated")).start()
    yield product
    product.stop()


def test_a_healthy_instance_has_no_fault(running: Embedded) -> None:
    code, answer = doctor(running.home)
    assert (code, answer["ok"], answer["faults"]) == (0, True, [])
    assert {"auth", "guardrail", "firewall", "ledger", "analytics", "relay", "console", "books", "readings"} == set(
        answer["checks"]
    )


def test_a_process_that_does_not_run_is_the_fault(tmp_path: Path) -> None:
    code, answer = doctor(tmp_path)
    assert (code, answer["ok"]) == (1, False)
    assert answer["faults"][0].startswith("process: no Orca runs with its state in")


def test_a_port_that_is_taken_stops_the_start_by_name(running: Embedded, tmp_path: Path) -> None:
    taken = f"127.0.0.1:{running.relay_port}"
    done = orca("up", ORCA_HOME=str(tmp_path / "other"), ORCA_RELAY_BIND=taken)
    assert done.returncode == 2
    assert f"ORCA_RELAY_BIND={taken}" in done.stderr


def test_state_in_use_stops_a_second_start(running: Embedded) -> None:
    done = orca("up", ORCA_HOME=str(running.home / "state"), ORCA_RELAY_BIND="127.0.0.1:0")
    assert done.returncode == 2
    assert "another Orca process uses" in done.stderr


def test_a_variable_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    done = orca("up", ORCA_HOME=str(tmp_path), ORCA_RELAY_BINDING="127.0.0.1:0")
    assert (done.returncode, "ORCA_RELAY_BINDING" in done.stderr) == (2, True)


def test_a_backup_restored_elsewhere_has_everything(running: Embedded, tmp_path: Path) -> None:
    """The drill of docs/install.md: stop, copy the state directory, start on the copy."""
    key = management(running, "POST", "/api/token", {"name": "kept", "credit_limit_usd": "1"})
    assert chat(running, key["key"]) == "still here"
    assert running.stop() == 0
    # Links as links: the column store's directories are linked to each other.
    shutil.copytree(running.home / "state", tmp_path / "state", symlinks=True)
    (running.home / "state").rename(running.home / "gone")
    restored = Embedded(tmp_path).start()
    try:
        assert chat(restored, key["key"]) == "still here"
        kept = management(restored, "GET", f"/api/token/{key['id']}")
        assert (kept["id"], kept["name"]) == (key["id"], "kept")
        code, answer = doctor(restored.home)
        assert (code, answer["faults"]) == (0, [])
    finally:
        assert restored.stop() == 0


def test_the_foundations_state_serves_today(tmp_path: Path) -> None:
    """The fixture's key, policies, credential and credit still work; test_upgrade.py compares the rows."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    for dump in sorted((ROOT / "tests/fixtures/foundation/sqlite").glob("*.sql")):
        connection = sqlite3.connect(state / f"{dump.stem}.db")
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.close()
    secrets = dict.fromkeys(("ORCA_KEY_PEPPER", "ORCA_CHANNEL_SECRET", "ORCA_FINGERPRINT_SECRET"), SECRET)
    upgraded = Embedded(tmp_path, **secrets).start()
    try:
        assert chat(upgraded, FOUNDATION_KEY, "still jo@example.com") == "still [EMAIL]"
        (key,) = [k for k in management(upgraded, "GET", "/api/token")["items"] if k["name"] == "tenant"]
        account = management(upgraded, "GET", f"/api/ledger/accounts/{key['id']}")
        # Two answers at the Foundation; the third arrives a moment after its answer.
        assert Decimal(account["settled_usd"]) >= Decimal("0.000000018")
        assert [c["name"] for c in management(upgraded, "GET", "/api/channel")["items"]] == ["up"]
        assert management(upgraded, "GET", "/api/workspace/firewall/settings")["webhook_url"] in ("", None)
        code, answer = doctor(upgraded.home)
        assert (code, answer["faults"]) == (0, [])
    finally:
        assert upgraded.stop() == 0
