"""Hosts in one spelling: whatever way an address or name is written, the same host compares equal.

An address may hide in another (mapped, NAT64, 6to4, Teredo) or in a name (nip.io style); those count too.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from ada_url import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_MAX = 253
_UNQUOTE_ROUNDS = 3

_PRIVATE_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "168.63.129.16/32",
    )
)  # fmt: skip
"""168.63.129.16 is a cloud's wire server: link-local in effect, though its number is public."""
_PRIVATE_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::/127", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/9", "ff00::/8")
)
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_LOW = 0xFFFFFFFF

_PRIVATE_NAMES = frozenset(
    {"localhost", "localdomain", "ip6-localhost", "ip6-loopback", "broadcasthost", "metadata", "instance-data",
     "internal", "local", "host-gateway", "rancher-metadata", "metadata.goog",
     "kubernetes", "kubernetes.default"}
)  # fmt: skip
_PRIVATE_SUFFIXES = (
    ".localhost", ".localdomain", ".internal", ".local", ".home.arpa", ".lan", ".corp", ".home", ".intranet",
        ".private", ".consul", ".docker", ".in-addr.arpa", ".ip6.arpa", ".svc",
)  # fmt: skip
_LOOPBACK_DOMAINS = frozenset((
    "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "yoogle.com", "fuf.me", "smackaho.st", "42foo.com",
    "beweb.com", "127-0-0-1.org.uk", "localh.st", "spoofed.burpcollaborator.net", "bugbounty.dod.network",
))  # fmt: skip
"""Public names known to answer 127.0.0.1 for everything below them."""
_EMBEDDING_DOMAINS = frozenset((
    "nip.io", "sslip.io", "xip.io", "xip.name", "ipq.co", "rbndr.us", "1u.ms", "traefik.me", "backname.io", "ip6.name",
    "local-ip.co", "local-ip.sh",
))  # fmt: skip
_INVISIBLE = dict.fromkeys([0xAD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
                            *range(0x2060, 0x2070), 0xFEFF, *range(0xFE00, 0xFE10)])  # fmt: skip
_DOTS = {0x3002: ".", 0xFF0E: ".", 0xFF61: ".", 0x2024: ".", 0xFE52: "."}
_FOLD = _INVISIBLE | _DOTS

_LOOKALIKES = {
    ord(other): latin
    for other, latin in zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u0501\u04bb\u051b\u051d\u0432\u043a\u043c\u0442\u0433"
        "\u0410\u0415\u041e\u0420\u0421\u0423\u0425\u0406\u0405\u0408\u0412\u041a\u041c\u0422\u041d"
        "\u03b1\u03bf\u03bd\u03c1\u03b5\u03b9\u03ba\u03c4\u03c5\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7",
        "aeopcyxisjdhqwbkmtrAEOPCYXISJBKMTHaovpeiktuABEHIKMNOPTX",
        strict=True,
    )
}
"""Cyrillic and Greek letters in the shape of Latin ones."""

_QUAD = re.compile(r"(?<!\d)(\d{1,3})([.-])(\d{1,3})\2(\d{1,3})\2(\d{1,3})(?!\d)")
_HEX_LABEL = re.compile(r"(?<![0-9a-f])(?:0x)?([0-9a-f]{8})(?![0-9a-f])")
_NUMBER_PART = re.compile(r"0[xX][0-9a-fA-F]*|\d+")
_LABEL = re.compile(r"[a-z0-9_*-]+")


@dataclass(frozen=True, slots=True)
class Host:
    """`name` is lower-case ASCII (an address in its shortest text). `readings` are all addresses that some reader
    could take it for, the plain one first; `certain` is false when readers could differ on which."""

    name: str
    address: Address | None
    readings: tuple[Address, ...]
    private: bool
    certain: bool = True


def fold(text: str) -> str:
    """Compatibility forms, digits of any script, dots of any script, nothing invisible."""
    if text.isascii():
        return text
    # A lone dot-like sign must become a dot before normalisation decides about it.
    plain = unicodedata.normalize("NFKC", text.translate(_FOLD)).translate(_FOLD)
    return plain if plain.isascii() else "".join(_digit(char) for char in plain)


def fold_name(text: str) -> str:
    """As `fold`, and letters of other scripts that look Latin become Latin: what a reader takes the name for."""
    return text if text.isascii() else fold(text.translate(_LOOKALIKES)).translate(_LOOKALIKES)


def _digit(char: str) -> str:
    if char.isascii():
        return char
    value = unicodedata.digit(char, None)
    return str(value) if value is not None else char


def read_host(text: str) -> Host | None:
    """The host behind a spelling (no scheme, no port, no userinfo); None when it is no host at all."""
    plain = fold(text.strip())
    for _ in range(_UNQUOTE_ROUNDS):
        decoded = fold(unquote(plain)) if "%" in plain and ":" not in plain else plain
        if decoded == plain:
            break
        plain = decoded
    if plain.startswith("[") and plain.endswith("]"):
        plain = plain[1:-1]
    if ":" in plain:
        return _read_v6(plain)
    plain = plain.lower().rstrip(".")
    if not plain or len(plain) > 4 * HOST_MAX:
        return None
    number = _read_v4(plain)
    if number is not None:
        return number
    return _read_name(plain)


def host_of(address: Address) -> Host:
    """The host that an address is."""
    readings: tuple[Address, ...] = (address,)
    plain = address
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inside_v6(address)
        if address.ipv4_mapped is not None:
            plain = address.ipv4_mapped
            inner = (plain, address)
        readings = tuple(dict.fromkeys((plain, *inner)))
    return Host(str(plain), plain, readings, any(map(is_private, readings)))


def is_private(address: Address) -> bool:
    """Member of the set `private` by its number."""
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _PRIVATE_V4)
    return any(address in network for network in _PRIVATE_V6)


def _read_v6(text: str) -> Host | None:
    bare = text.partition("%")[0].rstrip(".")
    try:
        return host_of(ipaddress.IPv6Address(bare))
    except ValueError:
        return None


def _inside_v6(address: ipaddress.IPv6Address) -> tuple[Address, ...]:
    number = int(address)
    low = ipaddress.IPv4Address(number & _LOW)
    found: list[Address] = []
    if address in _COMPATIBLE and number > 1:
        found.append(low)
    if address in _TRANSLATED or any(address in network for network in _NAT64):
        found.append(low)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if (number >> 32) & 0xFDFFFFFF == 0x00005EFE:
        # ISATAP: an interface identifier that holds an IPv4 address.
        found.append(low)
    return tuple(found)


def _read_v4(text: str) -> Host | None:
    """One to four numbers, decimal, octal or hexadecimal, the last filling what is left: what `inet_aton` takes."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER_PART.fullmatch(part) for part in parts):
        return None
    readings: list[Address] = []
    for octal in (True, False):
        number = _join([_number(part, octal=octal) for part in parts])
        if number is not None and ipaddress.IPv4Address(number & _LOW) not in readings:
            readings.append(ipaddress.IPv4Address(number & _LOW))
    if not readings:
        return None
    overflows = any(len(part) > 11 for part in parts) or _join([_number(part, octal=True) for part in parts]) is None
    host = host_of(readings[0])
    certain = len(readings) == 1 and not overflows
    return Host(host.name, host.address, tuple(readings), any(map(is_private, readings)), certain)


def _number(part: str, *, octal: bool) -> int | None:
    if part[:2] in ("0x", "0X"):
        return int(part[2:] or "0", 16)
    if octal and len(part) > 1 and part[0] == "0":
        try:
            return int(part, 8)
        except ValueError:
            return None
    return int(part) if len(part) <= 20 else None


def _join(parts: list[int | None]) -> int | None:
    numbers = [part for part in parts if part is not None]
    if len(numbers) != len(parts) or any(number > 255 for number in numbers[:-1]):
        return None
    left = 256 ** (5 - len(numbers))
    # Some readers drop the bits that do not fit, so an overflow still names an address when it stands alone.
    if numbers[-1] >= left and len(numbers) > 1:
        return None
    total = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        total += number << (8 * (3 - index))
    return total


@lru_cache(maxsize=4096)
def _read_name(text: str) -> Host | None:
    try:
        name = URL(f"http://{text}/").hostname.rstrip(".")
    except ValueError:
        return None
    if not name or len(name) > HOST_MAX or name.startswith("["):
        return None
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return None
    number = _read_v4(name)
    if number is not None:
        return number
    readings = tuple(dict.fromkeys(_inside_name(name)))
    private = _private_name(name) or any(is_private(item) for item in readings)
    return Host(name, None, readings, private)


def _private_name(name: str) -> bool:
    return name in _PRIVATE_NAMES or name.endswith(_PRIVATE_SUFFIXES) or below(name, _LOOPBACK_DOMAINS)


def below(name: str, domains: Container[str]) -> bool:
    """True for one of the domains or any name under it."""
    at = -1
    while True:
        if name[at + 1 :] in domains:
            return True
        at = name.find(".", at + 1)
        if at < 0:
            return False


def _inside_name(name: str) -> Iterable[Address]:
    for match in _QUAD.finditer(name):
        numbers = [int(match[index]) for index in (1, 3, 4, 5)]
        if max(numbers) <= 255:
            yield ipaddress.IPv4Address(".".join(map(str, numbers)))
    if not below(name, _EMBEDDING_DOMAINS):
        return
    for label in name.split("."):
        for match in _HEX_LABEL.finditer(label):
            yield ipaddress.IPv4Address(int(match[1], 16))
        if "--" in label or label.count("-") == 7:
            for spelling in (label.replace("--", "::").replace("-", ":").replace(":::", "::"), label.replace("-", ":")):
                try:
                    found = ipaddress.IPv6Address(spelling)
                except ValueError:
                    continue
                yield from host_of(found).readings
                break
    digits = [label for label in name.split(".") if label.isdigit()]
    if len(digits) == 1 and 2**24 <= int(digits[0][:12]) <= _LOW:
        yield ipaddress.IPv4Address(int(digits[0]))
