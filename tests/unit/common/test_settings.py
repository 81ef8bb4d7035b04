"""Settings: unknown variables are found, addresses parsed."""

from __future__ import annotations

import pytest

from services.common.settings import OrcaSettings, check_unknown, host_port, variables


def test_every_field_is_a_described_variable() -> None:
    known = variables([OrcaSettings])
    assert known["ORCA_KEY_SNAPSHOT_MAX_AGE"]
    assert all(known.values())


def test_unknown_variables_are_named_whatever_their_case() -> None:
    environment = {"ORCA_HOME": "x", "orca_hme": "y", "ORCA_TYPO": "z", "PATH": "/bin"}
    assert check_unknown(variables([OrcaSettings]), environment) == ["ORCA_TYPO", "orca_hme"]


@pytest.mark.parametrize(("bind", "parsed"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8080", ("::1", 8080))])
def test_addresses_are_split(bind: str, parsed: tuple[str, int]) -> None:
    assert host_port(bind) == parsed


@pytest.mark.parametrize("bind", ["localhost", ":80", "a:b", "a:70000"])
def test_bad_addresses_are_refused(bind: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        host_port(bind)
