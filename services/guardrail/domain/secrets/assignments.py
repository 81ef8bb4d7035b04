"""Credentials without a format of their own: what a name such as `password` or `api_key` is given.

The name decides how strict the judgement is, and the value must survive `plausible`. Names that speak of a
credential without holding one (`token_count`, `password_hash`, `next_page_token`) are passed over.
"""

from __future__ import annotations

import re

from services.guardrail.domain.secrets.checks import hexadecimal, scrambled
from services.guardrail.domain.secrets.detector import CONTEXT, Anchor, Detector, Locate, closes, compiled
from services.guardrail.domain.secrets.plausible import Kind, is_credential, is_strong

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
    rb"column|table|source|env|environ|var|template|mode|manager|encryption|encoding|mechanism|address|owner|prefix|suffix|checksum|sha|md5|"
    rb"fingerprint|created|updated|date|time|at|by)"
    rb"(?:[_-]?\w*)?)$|^(?:ary|arial|ariat|ion|age|port|enger|ive|over|ing|ed|es|ise|word|wd|phrase|code|ori|ors?(?![a-z])|entic)|^s$"
)
_PREFIX = re.compile(
    rb"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))(?i:max|min|num|no|not|is|has|total|prompt|completion|input|output|next|prev|previous|page|nextpage|publickey|"
    rb"paging|pagination|sync|continuation|continue|cancel|cancellation|csrf|xsrf|lexer|parser|public"
    rb"|pub|publishable|hash|hashed|sha1|sha256|md5|checksum|digest|reset|forgot|forgotten|wrong|"
    rb"invalid|show|hide|toggle|by|com|tres|sur|over|under|eos|bos|pad|unk|mask|stop|special|first|"
    rb"last|per|stream|delimiter|foreign|idempotency|cache|sort|partition|verification)[_.\- ]?$"
)
_NAME = rb"[\w.\-]"
_GAP = (
    r"([\w-]{0,24})(?:\\?[\"'`]){0,1}\]?\)?(?:[ ]?\{[ ]?\r?\n[ \t]{1,8}default)?"
    r"(?:[ \t]{0,6}(?::[ \t]{0,2}[&A-Za-z.\[\]?]{1,16}[ \t]{0,2}=|=>|:=|={1,3}|!=|\?=|->|:|,|>)[ "
    r"\t]{0,12}(?:\r?\n[ \t]{1,12}(?:[\"']))?"
    r"|(?:[ \t][\w-]{1,12}=[\"'][\w./-]{0,16}[\"']){1,2}>"
    r"|([ \t]{1,2}(?:for|of|to|on|at)[ \t][\w .'-]{1,28}?[ \t](?:is|was)[ \t]{0,2}:?[ \t]{0,2})"
    r"|((?:[.](?:set|fill|type|send)\w{0,12})?\([ \t]{0,2})"
    r"|[\"']?[ \t]{1,2}value[ \t]{0,2}[=:][ \t]{0,2}|[ \t]{0,2}\r?\n[ \t-]{0,16}[\"']?value[\"']?:[ "
    r"\t]{0,2}|[ \t]{1,3}(?:is|was)[ \t]{0,2}:?[ \t]{0,2}|([ \t]{1,4}))"
    r"(?:[brfuBRFU@$]{0,2}\\?([\"'`]))?"
)
_VALUE = {
    True: re.compile(rb"[^\"'`\s\x00\\]{4,512}"),
    False: re.compile(rb"[^\"'`\s\x00\\<>]{4,512}"),
}
_SHORTEST_CUT = 6
_NEXT = re.compile(rb"[&;,][ ]?[\w .\-]{1,24}[=:]|[;,]\Z")
"""The next field of a query, a connection string or an object; a mark by itself may be a password's."""

_QUERY_VALUE = re.compile(rb"[A-Za-z0-9_-]{20,512}")
_FLAG = re.compile(rb"(?:^|\s)(?:--?[\w-]*|(?:ENV|export|set)\s+[\w]*|login\s+\S{1,30}\s+|[A-Z][A-Z0-9_]*_)$")


def assigned(kind: Kind) -> Locate:
    """Locates the value given to the name that the anchor is part of."""

    def locate(data: bytes, start: int, end: int) -> tuple[int, int] | None:
        if not _names_one(data, start):
            return None
        found = compiled(_GAP).match(data, end, start + CONTEXT)
        if found is None:
            return None
        suffix, described, call, blank, quote = found.groups()
        if (_SUFFIX.search(suffix) and not (call or b"").startswith(b".")) or (call is not None and quote is None):
            return None
        span = _value(data, found.end(), quote, kind)
        if (
            span is None
            or (blank is None and described is None)
            or quote is not None
            or _FLAG.search(data[max(0, start - 2 * _LEFT) : start])
        ):
            return span
        return span if kind is Kind.PASSWORD and is_strong(data[span[0] : span[1]]) else None

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
    cut = _NEXT.search(value, _SHORTEST_CUT)
    if cut is not None:
        value = value[: cut.start()]
    return value.rstrip(b".,;:)}]")


def _short(kind: Kind) -> Locate:
    """The same for names too short to be looked for within others: whole words, and the assignment right behind."""
    inner = assigned(kind)

    def locate(data: bytes, start: int, end: int) -> tuple[int, int] | None:
        if data[max(0, start - 1) : start].isalpha():
            return None
        return inner(data, start, start + len(data[start : end - 1].rstrip(b" ")))

    return locate


def _parameter(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """`key=` of a URL's query."""
    found = _QUERY_VALUE.match(data, end, end + MAX_VALUE)
    if found is None or found.end() - end >= MAX_VALUE:
        return None
    return found.span() if closes(data, found.end()) and _is_parameter(found.group()) else None


def _is_parameter(value: bytes) -> bool:
    return scrambled(value) or (len(value) >= 32 and hexadecimal(value))


def _row(name: str, kind: Kind, words: str, form: str) -> Detector:
    spelled = [form for word in words.split(" ") for form in (word.replace(".", "[._ -]"), word.replace(".", ""))]
    anchors = tuple(Anchor(word, caseless=True) for word in dict.fromkeys(spelled))
    return Detector(name, "generic", form, anchors, assigned(kind), MAX_VALUE, rank=2, announced=True)


ROWS: tuple[Detector, ...] = (
    Detector(
        "generic_short_password",
        "generic",
        "`pass` or `pw`, assignment, value",
        tuple(Anchor(f"{word}{mark}", caseless=True) for word in ("pass", "pw") for mark in ("[:=]", " [:=]")),
        _short(Kind.PASSWORD),
        MAX_VALUE,
        rank=2,
        announced=True,
    ),
    Detector(
        "url_key_parameter",
        "generic",
        "`key` of a query, random value",
        (Anchor("[?&]key=", caseless=True),),
        _parameter,
        MAX_VALUE,
        rank=2,
        announced=True,
    ),
    _row(
        "generic_password",
        Kind.PASSWORD,
        "password passwd passwort kennwort contrasena senha pwd passphrase passcode pass_ _pass -pass dbpass mypass "
        "wachtwoord salasana adgangskode heslo parola sifre mot.de.passe",
        "a password's name, assignment, value",
    ),
    _row(
        "generic_api_key",
        Kind.KEY,
        "api.key access.key account.key auth.key app.key "
        "encryption.key signing.key private.key master.key license.key service.key secret.key "
        "client.key deploy.key hmac.key functions.key shared.key session.key webhook.key server.key admin.key "
        "crypto.key cipher.key aes.key jwt.key storage.key subscription.key encrypt.key write.key host.key auth.code",
        "a key's name, assignment, value by entropy",
    ),
    _row("generic_secret", Kind.KEY, "secret credential", "`secret`, assignment, value by entropy"),
    _row("generic_token", Kind.KEY, "token _auth", "`token`, assignment, value by entropy"),
)
