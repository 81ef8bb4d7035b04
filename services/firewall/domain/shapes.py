# ruff: noqa: SIM905
"""What makes a value look like a destination: the key it stands under, its last label, and its other spellings."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import zlib
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

BLOBS_MAX = 16
"""Base64 words looked into, per string."""
BLOB_CHARS_MAX = 16_384
ENCODED_ROUNDS_MAX = 3
"""Base64 of base64 of …"""
JSON_DEPTH_MAX = 4
"""JSON inside strings of JSON inside strings …"""
_KEY_MAX = 64

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STRONG = frozenset(
    (
        "host hosts hostname hostnames ip ips ipaddr url urls uri uris endpoint endpoints server servers domain "
        "domains proxy webhook fqdn baseurl upstream href"
    ).split()
)
_WEAK = frozenset(
    (
        "address addresses addr target targets destination destinations dest remote origin site website link links "
        "node peer callback src source to base api location redirect"
    ).split()
)
_NOT_HOSTS = frozenset({"ip_protocol", "url_path", "url_encoded", "host_path", "source_code", "server_name_indication"})

_GENERIC = frozenset(
    (
        "com net org edu gov mil int info biz pro app dev cloud xyz site online store tech page top club live shop "
        "icu space website link click work agency ninja systems network digital solutions services email host hosting "
        "server internal local localhost localdomain onion test example invalid lan corp home arpa aero coop museum "
        "travel jobs mobi asia tel cat vip fun pw run zone world today life media news blog wiki one art bid loan win "
        "party science stream download review trade date racing men gdn ltd group tools software security"
    ).split()
)
_FILE_ENDINGS = frozenset(
    (
        "py md sh rs pl cc ps js ts go rb cs vb mk ml so st pm in tf la rc bz gz do id is be as to no it my me am at im"
    ).split()
)
"""Two-letter endings that are far more often a file, a module attribute or a word than a country."""

_BASE64_WORD = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{12,}={0,6}(?![A-Za-z0-9+/_=-])")
_HEX_WORD = re.compile(r"(?<![A-Za-z0-9])(?:0x)?((?:[0-9A-Fa-f]{2}){8,8192})(?![A-Za-z0-9])")
_BASE32_WORD = re.compile(r"[A-Z2-7]{16,}={0,6}")
UNPACKED_MAX = 65_536
_PACKED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,6})\}|(/))")
_TELLING = re.compile(
    r"://|\$\{?IFS|(?:\d{1,3}\.){3}\d{1,3}|localhost|\.internal|(?:curl|wget|rm|bash|sh|python|powershell|iwr|drop"
    r"|sudo) ",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def strong_key(key: str) -> bool:
    """The value under this key is a host or URL, whatever it looks like."""
    return _last_words(key, _STRONG)


@lru_cache(maxsize=4096)
def weak_key(key: str) -> bool:
    """The value under this key may well be one."""
    return _last_words(key, _WEAK)


def _last_words(key: str, words: frozenset[str]) -> bool:
    if not key or len(key) > _KEY_MAX:
        return False
    plain = _CAMEL.sub("_", key).lower().replace("-", "_").replace(".", "_").replace(" ", "_")
    if plain in _NOT_HOSTS:
        return False
    return plain.rpartition("_")[2] in words


def likely_name(name: str, *, sure: bool) -> bool:
    """A dotted name that ends as host names do; `sure` when something else (a port) says so too."""
    labels = name.split(".")
    last = labels[-1]
    if last in _GENERIC or last.startswith("xn--"):
        return True
    if len(last) == 2 and last.isalpha():
        return sure or last not in _FILE_ENDINGS or labels[0] == "www" or len(labels) > 3
    return labels[0] == "www"


def spellings(text: str) -> Iterator[str]:
    """The text, then what it says once decoded (percent, HTML, backslash escapes, base64), each only if different."""
    yield text
    if "+" in text and " " not in text and "\n" not in text:
        spaced = unquote(text.replace("+", " "))
        if " " in spaced.strip() and (spaced.count(" ") > 1 or "%" in text):
            yield spaced
    if "%" in text:
        once = unquote(text)
        if once != text:
            yield once
            twice = unquote(once) if "%" in once else once
            if twice != once:
                yield twice
    if "&" in text and ";" in text:
        plain = html.unescape(text)
        if plain != text:
            yield plain
    if "\\" in text:
        plain = _ESCAPE.sub(_unescape, text)
        if plain != text:
            yield plain
    yield from blobs(text)


def _unescape(match: re.Match[str]) -> str:
    if match[4]:
        return "/"
    number = int(match[1] or match[2] or match[3], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def blobs(text: str) -> Iterator[str]:
    """Base64 words whose content is text that tells something."""
    if len(text) < 12:
        return
    for count, match in enumerate(_BASE64_WORD.finditer(text)):
        if count >= BLOBS_MAX:
            return
        plain = decoded(match[0])
        for _ in range(ENCODED_ROUNDS_MAX):
            again = decoded(plain.strip()) if _BASE64_WORD.fullmatch(plain.strip()) else ""
            if not again:
                break
            plain = again
        if plain and (" " in plain.strip() or _TELLING.search(plain)):
            yield plain
    for count, match in enumerate(_HEX_WORD.finditer(text)):
        if count >= BLOBS_MAX:
            return
        plain = _readable(bytes.fromhex(match[1]))
        if plain and (" " in plain.strip() or _TELLING.search(plain)):
            yield plain


def decoded(word: str) -> str:
    """The printable text a base64 word holds, or nothing."""
    if len(word) > BLOB_CHARS_MAX:
        return ""
    if _BASE32_WORD.fullmatch(word):
        plain = word.rstrip("=")
        try:
            found = _readable(base64.b32decode(plain + "=" * (-len(plain) % 8)))
        except binascii.Error:
            found = ""
        if found:
            return found
    padded = word.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return _readable(raw)


def _readable(raw: bytes) -> str:
    """The text of these bytes, unpacked where they are packed; empty when they are no text."""
    try:
        if raw[:2] in _PACKED:
            # 32 added: either header, gzip or zlib.
            raw = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, UNPACKED_MAX)
        # PowerShell encodes commands as UTF-16.
        plain = raw.decode("utf-16-le") if raw[1::2].count(0) * 2 > len(raw) // 2 else raw.decode()
    except (zlib.error, ValueError):
        return ""
    readable = sum(char.isprintable() or char in "\t\r\n" for char in plain)
    return plain if plain and readable >= 0.95 * len(plain) else ""


def strings_of(value: Any, closed: Container[str] = ()) -> Iterator[tuple[str, str]]:
    """Every string with the key it stands under, also inside strings that are JSON themselves, unless the key is one
    of `closed`."""
    pending: list[tuple[Any, str, int]] = [(value, "", 0)]
    while pending:
        item, key, depth = pending.pop()
        if isinstance(item, str):
            opened = depth < JSON_DEPTH_MAX and plain_key(key) not in closed
            inner = nested(item) if opened else None
            if inner is not None:
                pending.append((inner, key, depth + 1))
            elif item:
                yield item, key
        elif isinstance(item, dict):
            for name in item:
                if "/" in name or "." in name:
                    yield name, ""
            pending.extend((item[name], name, depth) for name in reversed(item))
        elif isinstance(item, list):
            pending.extend((part, key, depth) for part in reversed(item))
        elif isinstance(item, int) and not isinstance(item, bool) and item >= 2**24 and strong_key(key):
            yield str(item), key


def nested(text: str) -> Any:
    """The document inside a string that is JSON itself, else None."""
    first = text.lstrip()[:1]
    if first not in ("{", "[", '"'):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list, str)) else None


DOCUMENT_KEYS = frozenset(
    (
        "content contents filetext newstr oldstr newstring oldstring patch diff newtext oldtext docstring markdown"
        " filecontent newcontent oldcontent replacement old new oldcode newcode before after hunk"
    ).split()
)
_PROSE_KEYS = frozenset(
    (
        "text body message description title summary comment subject note notes prompt question caption reason "
        "commitmessage explanation thought thoughts plan answer reply review data instructions topic headline bio "
        "details html"
    ).split()
)
_DOCUMENT_CHARS = 400
_DOCUMENT_LINES = 3
_SENTENCE = re.compile(
    r"\b(?:the|is|are|was|what|how|why|when|which|does|can|should|this|that|your|you|please|explain|means?|about|used)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def plain_key(key: str) -> str:
    """A key without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", key[:_KEY_MAX].lower())


def prose_key(key: str) -> bool:
    """Values under this key are written for people or into files, not run (`key` as `plain_key` gives it)."""
    return key in _PROSE_KEYS or key in DOCUMENT_KEYS


def document(text: str, key: str) -> bool:
    """A text that mentions places and commands rather than reaching for them: a file's content, a long message."""
    if key in DOCUMENT_KEYS:
        return " " in text or "\n" in text
    return key in _PROSE_KEYS and (len(text) > _DOCUMENT_CHARS or text.count("\n") > _DOCUMENT_LINES)


_TOLD_KEYS = frozenset(
    (
        "text body message description summary title subject headline comment "
        "note notes caption reason commitmessage explanation thought "
        "thoughts answer reply review"
    ).split()
)
_TOLD_WORDS = 4
_TOLD_MAX = 16_384
_ASKED_KEYS = frozenset(("query", "q", "search", "question", "searchquery", "searchterm", "keywords"))
_ASKED_WORDS = 2
_TAG = re.compile(r"<[^<>]{1,80}>")
_LINKS = re.compile(r"<[^>]{0,200}\b(?:src|href|data|action|poster|background)\s*=|<!ENTITY|!\[", re.IGNORECASE)
"""What whoever shows the text would load."""
_ASKS_MORE = re.compile(r"://|['\"();=]")
"""In what is searched for: a URL, or signs of a language that reaches out itself."""


def told(text: str, key: str) -> bool:
    """Words written for people, in which a place or an address is only mentioned."""
    if key in _ASKED_KEYS and not _ASKS_MORE.search(text):
        return sum(word.isalpha() for word in text[:_DOCUMENT_CHARS].split()) >= _ASKED_WORDS
    if key not in _TOLD_KEYS or text.lstrip()[:1] in ("{", "[") or _LINKS.search(text[:_TOLD_MAX]):
        return False
    text = _TAG.sub(" ", text)
    if "://" not in text and any(word.isalpha() for word in text[:_DOCUMENT_CHARS].split()):
        return True
    return sum(word.strip(".,:;!?").isalpha() for word in text[:_DOCUMENT_CHARS].split()) >= _TOLD_WORDS


def sentence(text: str) -> bool:
    """Reads like natural language."""
    return text.rstrip().endswith("?") or len(_SENTENCE.findall(text[:_DOCUMENT_CHARS])) >= 2
