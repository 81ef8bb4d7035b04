"""Compiled automata are kept between starts, read only when they are ours and whole, and never needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.guardrail.domain import databases
from services.guardrail.domain.automaton import Automaton
from services.guardrail.kept import MAX_FILES, Directory

PATTERNS = [("ab[0-9]{2}", False), ("xyz", True)]
FOUND = {0: [6], 1: [10]}
TEXT = b"..ab12.XYZ"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "kept"
    databases.keep_in(Directory(path))
    yield path
    databases.keep_in(None)


def only(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


def test_what_was_compiled_is_loaded_and_finds_the_same(directory: Path) -> None:
    assert Automaton(PATTERNS).scan(TEXT) == FOUND
    written = only(directory).stat().st_ino
    assert Automaton(PATTERNS).scan(TEXT) == FOUND
    assert only(directory).stat().st_ino == written
    assert Automaton([("ab[0-9]{2}", False), ("xyz", False)]).scan(TEXT) == {0: [6]}
    assert len(list(directory.iterdir())) == 2


@pytest.mark.parametrize("spoilt", [b"", b"x" * 10, b"\x00" * 500])
def test_what_is_spoilt_is_compiled_anew(directory: Path, spoilt: bytes) -> None:
    Automaton(PATTERNS)
    file = only(directory)
    whole = file.read_bytes()
    for raw in (spoilt, whole[:-1], whole[:40] + b"!" + whole[41:]):
        file.write_bytes(raw)
        assert Automaton(PATTERNS).scan(TEXT) == FOUND
        assert file.read_bytes() == whole


def test_a_database_that_the_library_refuses_is_compiled_anew(directory: Path) -> None:
    Automaton(PATTERNS)
    file = only(directory)
    whole = file.read_bytes()
    Directory(directory).put(file.stem, b"of another version")
    assert file.read_bytes() != whole
    assert Automaton(PATTERNS).scan(TEXT) == FOUND
    assert file.read_bytes() == whole


def test_what_others_may_write_is_not_read(directory: Path) -> None:
    Automaton(PATTERNS)
    file = only(directory)
    store = Directory(directory)
    assert store.get(file.stem) is not None
    file.chmod(0o666)
    assert store.get(file.stem) is None
    file.chmod(0o600)
    directory.chmod(0o777)
    assert store.get(file.stem) is None


def test_the_files_are_few(directory: Path) -> None:
    store = Directory(directory)
    for number in range(MAX_FILES + 3):
        store.put(str(number), b"data")
        os.utime(directory / f"{number}.db", (number, number))
    assert {file.stem for file in directory.iterdir()} == {str(number) for number in range(3, MAX_FILES + 3)}


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    databases.keep_in(Directory(tmp_path / "file" / "kept"))
    try:
        assert Automaton(PATTERNS).scan(TEXT) == FOUND
    finally:
        databases.keep_in(None)


def test_a_user_without_a_home_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Directory("~nobody-of-that-name/orca")
    store.put("key", b"data")
    assert (store.get("key"), list(tmp_path.iterdir())) == (None, [])
