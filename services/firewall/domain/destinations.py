"""Where a call would reach out to: every URL- and host-shaped value of its arguments, at any depth.

Values are read as a browser reads them (WHATWG, ada-url) and as the HTTP library reads them (httpx); where the two
see different hosts the destination is `refused`, which every denying list matches and no allowing one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from ada_url import URL

from services.firewall.domain.hosts import Host, fold, read_host
from services.firewall.domain.shapes import (
    DOCUMENT_KEYS,
    document,
    likely_name,
    plain_key,
    sentence,
    spellings,
    strings_of,
    strong_key,
    told,
    weak_key,
)

DESTINATIONS_MAX = 64
"""Per call; more are one refused destination, since nobody lists so many in good faith."""
URL_MAX = 8_192
TEXT_MAX = 256

_SPECIAL = frozenset({"http", "https", "ws", "wss", "ftp"})
_LOCAL = frozenset({"file", "unix", "npipe", "local", "fd", "netdoc", "expect", "phar", "php", "zip", "glob"})
"""Schemes that reach into the machine itself."""
_NOWHERE = frozenset({"data", "javascript", "mailto", "tel", "sms", "urn", "about", "cid", "mid", "geo", "xmpp", "sip",
                      "doi", "isbn", "tag", "vscode", "spotify", "did", "arn", "magnet"})  # fmt: skip
_DATABASE_FILES = frozenset({"sqlite", "sqlite3", "duckdb", "file+sqlite", "libsql-file"})
"""Schemes of a file by its path, opened in the process itself."""
_WRAPPERS = frozenset({"url", "jar", "view-source", "blob", "feed", "jdbc", "git+http", "git+https", "pip+https"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30}):")
_URL_IN_TEXT = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+-]{1,20}:[\\/]{2,}"
    r"|(?:https?|wss?|ftp|file|gopher|dict|ldaps?|netdoc|phar|unix|npipe|jar):)"
    r"[^\s\"'<>`|]+",
    re.IGNORECASE,
)
_QUAD_IN_TEXT = re.compile(r"(?<![\w.@/=-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\w)")
_QUAD_AFTER_SIGN = re.compile(r"(?<=[=@/:,])(?:\d{1,3}\.){3}\d{1,3}(?=[:/,#?\s]|$)")
_V6_IN_TEXT = re.compile(
    r"(?<![\w:.])\[?((?=[0-9A-Fa-f:.]*\d)[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%\w+)?\]?(?![\w:])"
)
_LOCAL_IN_TEXT = re.compile(r"(?<![\w.-])(localhost|[\w-]+\.(?:internal|local|localhost))(?=:\d{1,5}\b)", re.IGNORECASE)
_SCP_IN_TEXT = re.compile(r"(?<![\w.@-])[\w.-]{1,64}@([\w.-]{1,253}|\[[0-9A-Fa-f:.]+\]):(?=[\w~/.])")
_DEV_IN_TEXT = re.compile(r"/dev/(?:tcp|udp)/([^/\s]+)/")
_SIGN = re.compile(r"[.:/\\%]|^(?:localhost|metadata)$", re.IGNORECASE)
_UNC = re.compile(r"^\\\\([^\\/\s]+)[\\/]")
_SLASHES = re.compile(r"^[\\/]{2,}([^\\/\s?#]+)")
_HOST_PORT = re.compile(r"^(\[[^\]\s]+\]|[^\s:/?#@\[\]\\]+)(?::(\d{1,5}))?(?=$|[/?#\\])")
_PLAIN_AUTHORITY = re.compile(r"//([A-Za-z0-9][A-Za-z0-9.-]*)(?::\d{1,5})?(?=[/?#]|$)")
_PLACEHOLDER = re.compile(r"[{}$<>]|%[sdv]\b")
_FILE_KEYS = frozenset({"path", "file", "filepath", "filename", "targetfile", "notebookpath", "absolutepath"})
_V6_WHOLE = re.compile(r"[0-9A-Fa-f:.]+(?:%\w+)?")


@dataclass(frozen=True, slots=True)
class Destination:
    """One place. `text` is what the feed shows: the canonical host, or the scheme where there is none."""

    text: str
    host: Host | None = None
    local: bool = False
    refused: bool = False
    certain: bool = field(default=True, compare=False)

    @property
    def private(self) -> bool:
        """Member of the set `private`."""
        return self.local or (self.host is not None and self.host.private)


UNREADABLE = Destination("(unreadable)", refused=True)
"""Stands for whatever arguments that cannot be read may hold."""


def destinations(value: Any, reported: Iterable[str] = ()) -> tuple[Destination, ...]:
    """Each place once, in the order found: in the arguments, then as the caller reported them."""
    found: dict[str, Destination] = {}
    for text in reported:
        _keep(found, read_destination(text) or Destination(_shown(text), refused=True))
    contents = DOCUMENT_KEYS if isinstance(value, dict) and any(plain_key(key) in _FILE_KEYS for key in value) else ()
    for text, key in strings_of(value, closed=contents):
        if contents and plain_key(key) in contents:
            # What a file will hold.
            continue
        for item in _in_string(text, key):
            _keep(found, item)
            if len(found) > DESTINATIONS_MAX:
                return (*list(found.values())[:DESTINATIONS_MAX], Destination("(too many)", refused=True))
    return tuple(found.values())


def _keep(found: dict[str, Destination], item: Destination) -> None:
    known = found.get(item.text)
    if known is None or (item.refused and not known.refused):
        found[item.text] = item


def read_destination(text: str) -> Destination | None:
    """A destination given as such: a URL, or a host with or without port."""
    plain = text.strip()
    if not plain or len(plain) > URL_MAX:
        return None
    scheme = _SCHEME.match(plain)
    if scheme is not None and ("/" in plain or scheme[1].lower() in _SPECIAL | _LOCAL):
        return read_url(plain)
    return _bare(plain, lenient=2)


def read_url(text: str) -> Destination | None:
    """Where a URL leads; None when it leads nowhere (`data:`, `mailto:`)."""
    plain = fold(text.strip("\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f \x1f"))
    match = _SCHEME.match(plain)
    if match is None:
        return None
    scheme = match[1].lower()
    if scheme in _NOWHERE:
        return None
    if scheme in _WRAPPERS and _SCHEME.match(plain, match.end()):
        return read_url(plain[match.end() :])
    if scheme in _LOCAL:
        return Destination(f"{scheme}:", local=True)
    rest = plain[match.end() :]
    if scheme.partition("+")[0] in _DATABASE_FILES and re.match(r"/{3,}", rest):
        return None
    if scheme not in _SPECIAL:
        if not re.match(r"[\\/]", rest):
            return None
        if not rest.lstrip("\\/"):
            return None
    if len(plain) > URL_MAX:
        return Destination(f"{scheme}: (too long)", refused=True)
    plain_authority = _PLAIN_AUTHORITY.match(rest)
    if plain_authority is not None:
        # Letters, digits, dots and dashes: the two readers cannot differ, so one reading is enough.
        host = read_host(plain_authority[1])
        if host is not None:
            return _placed(host)
    browser, library = _browser_host(rest), _library_host(rest)
    host = browser or library
    if host is None:
        return Destination(f"{scheme}: {_shown(rest)}", refused=True)
    agree = browser is not None and library is not None and browser.name == library.name
    return Destination(host.name, host, refused=not (agree and host.certain))


def _browser_host(rest: str) -> Host | None:
    try:
        name = URL("http:" + rest).hostname
    except ValueError:
        return None
    return read_host(name) if name else None


def _library_host(rest: str) -> Host | None:
    # A URL without exactly two slashes has no authority for the library; it would not connect anywhere with it.
    authority = re.match(r"//[^/?#]*", rest)
    if authority is None:
        return None
    try:
        # Only the authority decides; the library refuses some paths that every server would take.
        name = httpx.URL(f"http:{authority[0]}/").host
    except (httpx.InvalidURL, ValueError, UnicodeError):
        return None
    return read_host(name) if name else None


def _in_string(text: str, key: str) -> Iterator[Destination]:
    lenient = 2 if strong_key(key) else 1 if weak_key(key) else 0
    if not lenient and len(text) < 16 and text.isascii() and not _SIGN.search(text):
        return
    for spelling in spellings(text):
        plain = fold(spelling)
        whole = _whole(plain, lenient)
        if whole is not None:
            yield whole
        if not (document(text, plain_key(key)) or told(text, plain_key(key))):
            yield from _in_text(plain, known=plain if whole is not None else "")


def _whole(text: str, lenient: int) -> Destination | None:
    """The value taken as one URL or host."""
    plain = text.strip()
    if not plain or len(plain) > URL_MAX:
        return None
    scheme = _SCHEME.match(plain)
    if scheme is not None:
        name = scheme[1].lower()
        if name in _SPECIAL and (len(plain) > scheme.end() and not plain[scheme.end()].isspace()):
            return None if " " in plain else read_url(plain)
        if name == "file":
            return read_url(plain)
    unc = _UNC.match(plain) or _SLASHES.match(plain)
    if unc is not None:
        return _bare(unc[1], lenient=2)
    if any(char.isspace() for char in plain):
        return None
    return _bare(plain, lenient)


def _bare(text: str, lenient: int) -> Destination | None:
    """A host without scheme. `lenient` 0 takes what can hardly be anything else, 1 dotted names, 2 any name."""
    if text.count(":") >= 2 and _V6_WHOLE.fullmatch(text) and (lenient or any(char.isdigit() for char in text)):
        host = read_host(text)
        return _placed(host) if host is not None else None
    plain = text.rpartition("@")[2] if "@" in text and (lenient == 2 or _SCP_IN_TEXT.match(text)) else text
    match = _HOST_PORT.match(plain)
    if match is None or (not lenient and "@" in plain):
        return None
    host = read_host(match[1])
    if host is None:
        return None
    if match[1].startswith("[") or plausible(
        match[1], host, lenient, port=match[2] is not None, whole=match.end() == len(plain)
    ):
        return _placed(host)
    return None


def plausible(text: str, host: Host, lenient: int, *, port: bool, whole: bool) -> bool:
    """Whether a bare word is meant as a host, given how sure its place makes it."""
    dots = text.rstrip(".").count(".")
    if host.address is not None:
        if dots == 3 or (text[:2].lower() == "0x" and len(text) >= 10):
            return True
        return dots >= 1 if lenient == 1 else lenient == 2 and (whole or port)
    if host.private:
        # A name that hides an address must still end as names do: `127.0.0.1-mug` is a label on a cup.
        return not host.readings or lenient >= 1 or likely_name(host.name, sure=True)
    if dots == 0:
        return lenient == 2 and (whole or port)
    return lenient >= 1 or likely_name(host.name, sure=port)


def _placed(host: Host) -> Destination:
    return Destination(host.name, host, refused=not host.certain)


_LISTENS = re.compile(
    r"(?:(?:--(?:host|bind|address|listen|ip|addr)|-b|-a|-H|-S|runserver|-p|--publish)[= ]|(?:^|\s)-p)"
    r"(?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::1?\]|::)(?::\d{1,5}){0,2}(?=\s|$)|\b(?:http\.server|runserver|serve)\s+\d+"
)
"""Where a server is told to listen, which is no place it reaches out to."""
_DIALS = re.compile(r"\b(?:curl|wget|nc|ncat|ssh|telnet|psql|mysql|redis-cli|mongo\w*|http|xh|fetch|openssl|socat)\b")


def _in_text(text: str, known: str) -> Iterator[Destination]:
    if _LISTENS.search(text) and not _DIALS.search(text):
        text = _LISTENS.sub(" ", text)
    if ":" in text:
        for match in _URL_IN_TEXT.finditer(text):
            if match[0] == known:
                continue
            found = match[0].rstrip(".,;:!?)]}*")
            if _PLACEHOLDER.search(re.split(r"[/?#]", found.partition(":")[2].lstrip("\\/"), maxsplit=1)[0]):
                continue
            item = read_url(found)
            if item is not None:
                yield item
        for pattern in (
            (_LOCAL_IN_TEXT, _SCP_IN_TEXT) if sentence(text) else (_V6_IN_TEXT, _LOCAL_IN_TEXT, _SCP_IN_TEXT)
        ):
            for match in pattern.finditer(text):
                host = read_host(match[1].strip("[]"))
                if host is not None and (host.address is not None or host.private or pattern is _SCP_IN_TEXT):
                    yield _placed(host)
    if "." in text:
        # A sentence about an address is no call to it; with a scheme or port it is.
        for pattern in (_QUAD_AFTER_SIGN,) if sentence(text) else (_QUAD_IN_TEXT, _QUAD_AFTER_SIGN):
            for match in pattern.finditer(text):
                host = read_host(match[0])
                if host is not None:
                    yield _placed(host)
    if "/dev/" in text:
        for match in _DEV_IN_TEXT.finditer(text):
            host = read_host(match[1])
            if host is not None:
                yield _placed(host)


def _shown(text: str) -> str:
    plain = "".join(char if char.isprintable() else "�" for char in text[:TEXT_MAX])
    return plain if len(text) <= TEXT_MAX else plain + "…"
