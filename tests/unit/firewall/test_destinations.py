"""Where calls reach out to: address spellings, extraction from arguments, and what lists make of them."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.firewall.domain.destinations import DESTINATIONS_MAX, destinations, read_destination
from services.firewall.domain.egress import CompiledEgress
from services.firewall.domain.hosts import is_private, read_host
from services.firewall.domain.model import Egress
from tests.bench.firewall_cases import private_spellings


def places(value: Any) -> list[str]:
    return [item.text for item in destinations(value)]


@pytest.mark.parametrize("spelling", private_spellings())
def test_every_spelling_of_a_private_address_is_private_or_refused(spelling: str) -> None:
    rule = CompiledEgress(Egress(deny=("private",)))
    found = destinations({"url": spelling})
    assert found
    assert any(rule.restricts(item, {}) for item in found)
    assert not all(CompiledEgress(Egress(allow=("*",), deny=("private",))).admits(item, {}) for item in found)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_every_number_form_of_an_address_reads_alike(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    plain = [str(number), hex(number), f"0x{number >> 24:x}.{number & 0xFFFFFF}", f"[::ffff:{address}]", f"{address}."]
    for text in (str(address), *plain):
        host = read_host(text)
        assert host is not None
        assert host.address == address
        assert host.private == is_private(address)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_as_a_host_or_not_without_an_exception(text: str) -> None:
    read_host(text)
    read_destination(text)
    destinations({"url": text, "x": text, text: [text]})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"cmd": "curl -s https://example.com/x | tee out && ping 10.0.0.1"}, ["example.com", "10.0.0.1"]),
        ({"a": [{"b": '{"u": "https://example.com"}'}]}, ["example.com"]),
        ({"remote": "git@github.com:acme/app.git"}, ["github.com"]),
        ({"host": "db", "port": 5432}, ["db"]),
        ({"host": 2130706433}, ["127.0.0.1"]),
        ({"x": "https%3A%2F%2Fexample.com%2Fa"}, ["example.com"]),
        ({"x": "aHR0cHM6Ly9leGFtcGxlLmNvbS9h"}, ["example.com"]),
        ({"x": "EXAMPLE.com:8443"}, ["example.com"]),
        ({"x": "postgres://u:p@db.example.com/x"}, ["db.example.com"]),
        ({"x": "cat < /dev/tcp/203.0.113.9/80"}, ["203.0.113.9"]),
        ({"x": "file:///etc/hosts"}, ["file:"]),
        ({"x": "https://b\u00fccher.example/"}, ["xn--bcher-kva.example"]),
        ({"file": "main.py", "version": "1.2.3", "when": "12:30:45", "code": "std::vector", "mail": "a@b.com"}, []),
        ({"q": "what is 10.0.0.1 used for?", "n": 2130706433, "attr": "os.path.join"}, []),
        ({"content": "# Docs\nSee http://localhost:3000 and https://example.com"}, []),
        ({"x": "data:text/plain,hi", "y": "mailto:a@example.com"}, []),
    ],
)
def test_extraction(value: Any, found: list[str]) -> None:
    assert places(value) == found


@pytest.mark.parametrize(
    "url",
    ["http://example.com\\@evil.example/", "http:\\\\example.com\\x", "http://0127.0.0.1/"],
)
def test_a_host_that_readers_see_differently_is_refused(url: str) -> None:
    found = destinations({"url": url})
    assert any(item.refused for item in found) or not found
    assert not all(
        CompiledEgress(Egress(allow=("*.com", "example.com", "evil.example", "0.0.0.0/0"))).admits(item, {})
        for item in found
    )


def test_more_destinations_than_anyone_means_are_one_refusal() -> None:
    found = destinations([f"https://h{n}.example.com/" for n in range(DESTINATIONS_MAX + 5)])
    assert len(found) == DESTINATIONS_MAX + 1
    assert found[-1].refused


@pytest.mark.parametrize(
    ("egress", "host", "admits", "restricts"),
    [
        (Egress(allow=("example.com",)), "example.com", True, False),
        (Egress(allow=("example.com",)), "www.example.com", False, True),
        (Egress(allow=("*.example.com",)), "a.b.example.com", True, False),
        (Egress(allow=("*.example.com",)), "example.com", False, True),
        (Egress(allow=("*.example.com",)), "badexample.com", False, True),
        (Egress(deny=("private",)), "8.8.8.8", False, False),
        (Egress(deny=("private",)), "10.0.0.1", False, True),
        (Egress(allow=("private",)), "10.0.0.1", True, False),
        (Egress(allow=("10.0.0.0/8",), deny=("10.9.0.0/16",)), "10.9.1.1", False, True),
        (Egress(allow=("10.0.0.0/8",), deny=("10.9.0.0/16",)), "10.8.1.1", True, False),
        (Egress(deny=("10.0.0.0/8",)), "10-0-0-1.nip.io", False, True),
        (Egress(allow=("*",)), "anything.example", True, False),
    ],
)
def test_lists(egress: Egress, host: str, admits: bool, restricts: bool) -> None:
    item = read_destination(f"https://{host}/")
    assert item is not None
    compiled = CompiledEgress(egress)
    assert (compiled.admits(item, {}), compiled.restricts(item, {})) == (admits, restricts)


def test_a_looked_up_name_is_judged_by_its_addresses_and_a_failure_restricts() -> None:
    compiled = CompiledEgress(Egress(allow=("api.example.com",), resolve_names=True))
    item = read_destination("https://api.example.com/")
    other = read_destination("https://other.example.com/")
    assert item is not None
    assert other is not None
    assert (compiled.to_resolve(item), compiled.to_resolve(other)) == ("api.example.com", "")
    outside, inside = [ipaddress.ip_address("203.0.113.5")], [ipaddress.ip_address("10.0.0.5")]
    assert compiled.admits(item, {"api.example.com": outside})
    assert not compiled.restricts(item, {"api.example.com": outside})
    for lookups in ({"api.example.com": inside}, {"api.example.com": None}, {}):
        assert not compiled.admits(item, lookups)
        assert compiled.restricts(item, lookups)


@settings(deadline=None)
@given(
    st.recursive(
        st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
def test_any_document_is_searched_without_an_exception(value: Any) -> None:
    destinations(json.loads(json.dumps(value)))
