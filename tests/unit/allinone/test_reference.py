"""The settings' reference is complete and current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.allinone.profile import known_variables
from services.allinone.reference import ROOT, env_example, files, variables


@pytest.mark.parametrize("path", files(), ids=str)
def test_the_files_are_current(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == files()[path], "run `make docs`"


def test_every_variable_is_there_once_with_its_meaning() -> None:
    names = re.findall(r"^# (ORCA_[A-Z0-9_]+)=", env_example(), re.MULTILINE)
    assert sorted(names) == sorted(known_variables())
    assert all(variable.description for found in variables().values() for variable in found)


def test_no_secret_has_a_default() -> None:
    assert [v.name for found in variables().values() for v in found if v.secret and v.default] == []
