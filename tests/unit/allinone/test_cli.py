"""What the command tells a person to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.allinone.cli import own_command


@pytest.mark.parametrize(
    ("started", "on_path", "typed"),
    [
        (".venv/bin/orca", False, ".venv/bin/orca"),
        (".venv/bin/orca", True, "orca"),
        ("/srv/services/allinone/__main__.py", False, "orca"),
    ],
)
def test_the_command_is_told_so_that_it_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: str, on_path: bool, typed: str
) -> None:
    if on_path:
        (tmp_path / "orca").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [started, "up"])
    assert own_command() == typed
