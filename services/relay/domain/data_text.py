"""Text inside `data:` URLs, read as leniently as any provider would: what one of them can read must be scanned."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from urllib.parse import unquote_to_bytes

_TEXT = re.compile(
    r"\s*data:\s*(?:text/|(?:application|image|message)/(?:[\w.+-]*[+.-])?"
    r"(?:json|xml|yaml|toml|x?html|csv|markdown|javascript|ecmascript|typescript|sql|sh|x-sh|x-ndjson|ndjson|jsonl|x-yaml"
    r"|x-javascript|x-python|rtf|svg|rfc822)\s*[;,]|[;,])",
    re.ASCII | re.IGNORECASE,
)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]{1,40})", re.ASCII | re.IGNORECASE)
_MAX_HEAD_CHARS = 512
_ODD = re.compile(rb"[^A-Za-z0-9+/]")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/_=\r\n-]")
_PROBE_CHARS = 4096
"""So much of a file tells whether the rest is worth decoding."""
_CHARSETS = frozenset(
    ("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be",
     "iso-8859-1", "latin1", "windows-1252", "iso-8859-15", "shift_jis", "euc-jp", "euc-kr", "gb18030", "gbk", "big5")
)  # fmt: skip


def text_of_data(url: str) -> tuple[str, str] | None:
    """(text, prefix) of a data URL that says it is text; None for anything else.

    The prefix, under which a replacement's UTF-8 in base64 may stand, is empty where that would not be the same
    document: then the text can only be passed or refused.
    """
    if _TEXT.match(url, 0, _MAX_HEAD_CHARS) is None or (comma := url.find(",")) < 0:
        return None
    head, body = url[: comma + 1], unquote_to_bytes(url[comma + 1 :])
    encoded = head[:-1].rstrip().lower().endswith("base64")
    if encoded:
        # White space, the URL alphabet and missing padding are what decoders forgive.
        try:
            body = base64.b64decode(_padded(_plain_base64(body)))
        except binascii.Error:
            return None
    named = _CHARSET.search(head)
    charset = named[1].lower() if named else "utf-8"
    if charset not in _CHARSETS:
        charset = "utf-8"
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        charset = "utf-16"
    text, exact = _decoded(body, charset)
    return text, head if exact and encoded and charset in ("utf-8", "utf8", "ascii", "us-ascii") else ""


def text_of_file(data: str) -> str | None:
    """Text of a file that does not say that it is text: by itself, in base64, or in a data URL of another type. None
    where it is no UTF-8; PDF, whose text is no text to read, never is."""
    url = data[:5].lower() == "data:"
    encoded = data.partition(",")[2] if url else data
    if not url and _NO_BASE64.search(encoded, 0, _PROBE_CHARS):
        return encoded
    probe = _plain_base64(encoded[:_PROBE_CHARS])
    try:
        head = codecs.getincrementaldecoder("utf-8")().decode(base64.b64decode(probe[: len(probe) // 4 * 4]))
        if head.startswith("%PDF") or "\0" in head:
            return None
        return base64.b64decode(_padded(_plain_base64(encoded))).decode()
    except ValueError:
        return None


def _plain_base64(body: str | bytes) -> bytes:
    raw = body.encode("ascii", "ignore") if isinstance(body, str) else body
    return _ODD.sub(b"", raw.replace(b"-", b"+").replace(b"_", b"/"))


def _padded(plain: bytes) -> bytes:
    return plain[: len(plain) - (len(plain) % 4 == 1)] + b"=="


def _decoded(body: bytes, charset: str) -> tuple[str, bool]:
    """The text, and whether it is all of it; a broken document is read byte for byte around its breaks."""
    try:
        return body.decode(charset), True
    except UnicodeDecodeError:
        return body.decode(charset, "replace"), False
