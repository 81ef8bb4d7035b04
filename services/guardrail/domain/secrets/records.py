"""Credentials within records that programs write: key sets, client files, connection strings without a scheme.

Each is announced by what the format puts right before it, so that a finding depends on that alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from services.guardrail.domain.secrets.checks import entropy, is_basic, scrambled
from services.guardrail.domain.secrets.detector import CONTEXT, Anchor, Detector, Locate
from services.guardrail.domain.secrets.plausible import Kind, is_credential
from services.guardrail.domain.secrets.structured import key_lines

MAX_MEMBER = 1_400
"""Bytes of one member of a JSON web key; an RSA key of 8,192 bits has fewer."""

_MEMBERS = {
    b"d": frozenset({43, 64, 76, 88, 342, 512, 683, 1366}),
    b"k": frozenset({22, 32, 43, 64, 86}),
    **dict.fromkeys((b"p", b"q", b"dp", b"dq", b"qi"), frozenset({171, 256, 342, 683})),
}
"""Base64url characters of the private members of RFC 7518, by curve, modulus or algorithm; short names need them."""

_VALUE = re.compile(rb"[A-Za-z0-9_-]{20,1400}")
_SLACK = 2
"""Characters fewer than usual that a number beginning with zeros may have."""

_OCTETS = re.compile(rb"\\?\"kty\\?\" ?: ?\\?\"oct\\?\"")


def _member(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    found = _VALUE.match(data, end)
    if found is None or data[found.end() : found.end() + 1] not in (b'"', b"\\"):
        return None
    name = data[start:end].split(b'"')[1].rstrip(b"\\")
    size = found.end() - end
    if not any(usual - _SLACK <= size <= usual for usual in _MEMBERS[name]) or entropy(found.group()) < 3.8:
        return None
    if name == b"k" and _OCTETS.search(data, max(0, start - CONTEXT), start) is None:
        return None
    return found.span() if scrambled(found.group()) else None


def _after(pattern: str, most: int, accept: Callable[[bytes], bool]) -> Locate:
    """Group 1 of the pattern at the anchor."""
    expression = re.compile(pattern.encode("ascii"), re.IGNORECASE)

    def locate(data: bytes, start: int, _end: int) -> tuple[int, int] | None:
        found = expression.match(data, start, start + CONTEXT + most)
        if found is None or found.start(1) - start > CONTEXT or found.end(1) - found.start(1) >= most:
            return None
        return found.span(1) if accept(found.group(1)) else None

    return locate


def _is_password(value: bytes) -> bool:
    return is_credential(value, Kind.PASSWORD, True)


_MOST = 256


def _record(name: str, form: str, anchors: tuple[str, ...], pattern: str, accept: Callable[[bytes], bool]) -> Detector:
    places = tuple(Anchor(anchor, caseless=True) for anchor in anchors)
    return Detector(name, "record", form, places, _after(pattern, _MOST, accept), _MOST, rank=1, announced=True)


def _lines(data: bytes, _start: int, end: int) -> tuple[int, int] | None:
    last, key, _open = key_lines(data, end)
    return (end, last) if key else None


def _lines_pending(data: bytes, _start: int, end: int) -> bool:
    return key_lines(data, end)[2]


ROWS: tuple[Detector, ...] = (
    Detector(
        "jwk_private_member",
        "key",
        "`d`, `p`, `q`, `dp`, `dq`, `qi` of a JSON web key, `k` of an octet one (RFC 7518)",
        tuple(
            Anchor(f'{mark}"{name}{mark}":{gap}{mark}"'.replace("\\", "\\\\"))
            for name in ("d", "p", "q", "k", "dp", "dq", "qi")
            for mark in ("", "\\")
            for gap in ("", " ")
        ),
        _member,
        MAX_MEMBER,
        rank=0,
        announced=True,
    ),
    _record(
        "docker_config_auth",
        "`auth` of a registry: base-64 of user:password",
        ('"auth":', '"auth" :'),
        r"\"auth\" ?: {0,4}\"([A-Za-z0-9+/]{8,250}={0,2})\"",
        is_basic,
    ),
    _record(
        "netrc_password",
        "login NAME password VALUE",
        ("login ",),
        r"login\s{1,4}[^\s\x00]{1,30}\s{1,4}password\s{1,2}([^\s\x00\"']{4,128})(?=\s|\Z)",
        _is_password,
    ),
    _record(
        "pgpass_password",
        "host:port:database:user:password",
        (":5432:", ":5433:", ":6432:"),
        r":[0-9]{4}:[^\s:\x00]{1,20}:[^\s:\x00]{1,20}:([^\s\x00\"']{4,128})(?=\s|\Z)",
        _is_password,
    ),
    _record(
        "oracle_thin_password",
        "jdbc:oracle:thin:user/password@",
        ("jdbc:oracle:thin:", "jdbc:oracle:oci:"),
        r"jdbc:oracle:(?:thin|oci):[\w$#]{1,24}/([^\s@\"'\x00]{4,128})@",
        _is_password,
    ),
    _record(
        "secure_string_password",
        "ConvertTo-SecureString with a literal",
        ("convertto-securestring ",),
        r"convertto-securestring {1,2}(?:-string {1,2})?[\"']([^\s\"'\x00]{4,128})[\"']",
        _is_password,
    ),
    Detector(
        "putty_private_key",
        "key",
        "the lines after `Private-Lines`",
        tuple(
            Anchor(f"Private-Lines: {digits}{line}") for digits in ("[0-9]", "[0-9]{2}") for line in (r"\n", r"\r\n")
        ),
        _lines,
        16_384,
        rank=-1,
        announced=True,
        pending=_lines_pending,
    ),
)
