"""Credentials without a format of their own: what a name such as `password` or `api_key` is given.

The name decides how strict the judgement is, and the value must survive `plausible`. Names that speak of a
credential without holding one (`token_count`, `password_hash`, `next_page_token`) are passed over.
"""

from __future__ import annotations

import re

from services.guardrail.domain.secrets.detector import CONTEXT, Anchor, Detector, Locate, compiled
from services.guardrail.domain.secrets.plausible import Kind, is_credential

MAX_VALUE = 512
_LEFT = 16

_SUFFIX = re.compile(
    rb"(?i)^(?:s?[_-]?(?:s?count|len|length|url|uri|path|file|files|name|names|id|ids|type|types|field|"
    rb"hint|label|prompt|policy|min|max|size|expir|ttl|hash|hashed"
    rb"|digest|limit|param|header|regex|pattern|reset|valid|strength|format|index|provider|manager|"
    rb"store|class|service|endpoint|ref|arn|location|version|algo|algorithm"
    rb"|required|enabled|disabled|budget|usage|used|rate|cost|price|encoder|ize|ise|izer|iser|ized|"
    rb"ization|list|position|start|end|expiry|age|lifetime|scope|scopes|issuer"
    rb"|aud|audience|status|state|error|exception|input|placeholder|confirm|confirmation|rule|rules|"
    rb"column|table|source|env|environ|var|template|mode|manager|owner|prefix|suffix|checksum|sha|md5|"
    rb"fingerprint|created|updated|date|time|at|by)"
    rb"(?:[_-]?\w*)?)$|^(?:ary|arial|ariat|ion|age|port|enger|ive|over|ing|ed|es|ise)|^s$"
)
_PREFIX = re.compile(
    rb"(?i)(?:max|min|num|no|not|is|has|total|prompt|completion|input|output|next|prev|previous|page|"
    rb"paging|pagination|sync|continuation|continue|cancel|cancellation|csrf|xsrf|lexer|parser|public"
    rb"|pub|publishable|hash|hashed|sha1|sha256|md5|checksum|digest|reset|forgot|forgotten|wrong|"
    rb"invalid|show|hide|toggle|by|com|tres|sur|over|under|eos|bos|pad|unk|mask|stop|special|first|"
    rb"last|per|stream|delimiter|primary|foreign|idempotency|cache|sort|partition|host|known|object|s3|"
    rb"storage)[_.\- ]?$"
)
_NAME = rb"[\w.\-]"
_GAP = (
    r"([\w-]{0,24})(?:\\?[\"'`]){0,1}\]?\)?"
    r"(?:[ \t]{0,6}(?::[ \t]{0,2}[&A-Za-z.\[\]?]{1,16}[ \t]{0,2}=|=>|:=|={1,3}|!=|\?=|->|:|,|>)[ "
    r"\t]{0,8}(?:\r?\n[ \t]{1,12}(?:[\"']))?"
    r"|[\"']?[ \t]{1,2}value[ \t]{0,2}[=:][ \t]{0,2}|[ \t]{0,2}\r?\n[ \t-]{0,16}[\"']?value[\"']?:[ "
    r"\t]{0,2}|[ \t]{1,3}(?:is|was)[ \t]{0,2}:?[ \t]{0,2}|([ \t]{1,4}))"
    r"(?:[brfuBRFU@$]{0,2}\\?([\"'`]))?"
)
_VALUE = {
    True: re.compile(rb"[^\"'`\s\x00\\]{4,512}"),
    False: re.compile(rb"[^\"'`\s\x00\\<>]{4,512}"),
}
_FLAG = re.compile(rb"(?:^|\s)(?:--?[\w-]*|(?:ENV|export|set)\s+[\w]*|login\s+\S{1,30}\s+|[A-Z][A-Z0-9_]*_)$")


def assigned(kind: Kind) -> Locate:
    """Locates the value given to the name that the anchor is part of."""

    def locate(data: bytes, start: int, end: int) -> tuple[int, int] | None:
        if not _names_one(data, start):
            return None
        found = compiled(_GAP).match(data, end, start + CONTEXT)
        if found is None or _SUFFIX.search(found.group(1)):
            return None
        first = found.end()
        quote = found.group(3)
        bare_space = found.group(2) is not None
        if bare_space and quote is None and not _FLAG.search(data[max(0, start - _LEFT) : start]):
            return None
        return _value(data, first, quote, kind)

    return locate


def _names_one(data: bytes, start: int) -> bool:
    """True unless the name's part before the anchor says that it holds something else."""
    left = data[max(0, start - _LEFT) : start]
    at = len(left)
    while at and (left[at - 1] in b"_-." or chr(left[at - 1]).isalnum()):
        at -= 1
    return _PREFIX.search(left[at:]) is None


def _value(data: bytes, first: int, quote: bytes | None, kind: Kind) -> tuple[int, int] | None:
    found = _VALUE[quote is not None].match(data, first, first + MAX_VALUE)
    if found is None:
        return None
    last = found.end()
    if quote is not None:
        if data[last : last + 1] not in (quote, b"\\"):
            return None
    else:
        if last < len(data) and data[last] == 0:
            return None
        last = first + len(_trimmed(found.group()))
    if last - first < 4 or last - first >= MAX_VALUE:
        return None
    return (first, last) if is_credential(data[first:last], kind, quote is not None) else None


def _trimmed(value: bytes) -> bytes:
    """An unquoted value without what belongs to the code or sentence around it."""
    for mark in (b"&", b";", b","):
        head, found, _tail = value.partition(mark)
        if found and len(head) >= 6:
            value = head
    return value.rstrip(b".,;:)}]")


def _row(name: str, kind: Kind, words: str, form: str) -> Detector:
    spelled = [form for word in words.split(" ") for form in (word.replace(".", "[._ -]"), word.replace(".", ""))]
    anchors = tuple(Anchor(word, caseless=True) for word in dict.fromkeys(spelled))
    return Detector(name, "generic", form, anchors, assigned(kind), MAX_VALUE, rank=2, announced=True)


ROWS: tuple[Detector, ...] = (
    _row(
        "generic_password",
        Kind.PASSWORD,
        "password passwd passwort kennwort contrasena senha pwd passphrase passcode pass_ _pass -pass dbpass mypass",
        "a password's name, assignment, value",
    ),
    _row(
        "generic_api_key",
        Kind.KEY,
        "api.key access.key account.key auth.key app.key "
        "encryption.key signing.key private.key master.key license.key service.key secret.key "
        "client.key",
        "a key's name, assignment, value by entropy",
    ),
    _row("generic_secret", Kind.KEY, "secret credential", "`secret`, assignment, value by entropy"),
    _row("generic_token", Kind.KEY, "token", "`token`, assignment, value by entropy"),
)
