"""Credentials that count as personal data, and URLs: runs of characters behind a fixed prefix."""

from __future__ import annotations

import base64
import binascii
import json
import re

from services.guardrail.domain.acceptors import alone
from services.guardrail.domain.catalogue.entry import Entity, forms, raw
from services.guardrail.domain.character_runs import RunFinder
from services.guardrail.domain.validators import always

_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_URL = _TOKEN + b".~:/?#[]@!$&'()*+,;=%"
_URL_LONGEST = 1024
_JWT_LONGEST = 4096
_KEY_LONGEST = 256
_URL_HEAD = re.compile(
    rb"(?i)(?:(?:https?|ftps?|sftp|wss?)://(?:[^\s/?#@]{1,128}@)?|(?=www\.))"
    rb"(?:\[[0-9a-f:.]{2,45}\]|localhost|(?:[a-z0-9](?:[a-z0-9_-]{0,62})\.){1,10}[a-z0-9-]{1,63}|"
    rb"[a-z0-9-]{1,63}(?=[:/]))"
)
_JWT_HEAD = re.compile(rb"(eyJ[A-Za-z0-9_-]{7,1000})\.(?=ey)")
_JWT_REST = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_INFIX = b"T3BlbkFJ"


def _url(data: bytes, start: int, end: int) -> int | None:
    """A scheme (or www.) and a host; what closes the sentence around it is left outside."""
    if (start and data[start - 1] == 0) or _URL_HEAD.match(data, start, end) is None:
        return None
    while end > start:
        last = data[end - 1]
        if (
            last in b".,;:!?'*"
            or (last == 0x29 and data.count(b"(", start, end) < data.count(b")", start, end))
            or (last == 0x5D and data.count(b"[", start, end) < data.count(b"]", start, end))
        ):
            end -= 1
        else:
            break
    return end if end - start >= 8 else None


def _jwt(data: bytes, start: int, end: int) -> int | None:
    """Three Base64url parts, the first of which is a JSON header that names an algorithm."""
    head = _JWT_HEAD.match(data, start, end)
    if head is None:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(head.group(1) + b"=" * (-len(head.group(1)) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or "alg" not in header:
        return None
    rest = _JWT_REST.match(data, head.end(), end)
    return rest.end() if rest is not None else None


def _openai(data: bytes, start: int, end: int) -> int | None:
    """A key of OpenAI: its infix, or the length and mix of one; keys of other vendors with `sk-` are not it."""
    body = data[start + 3 : end].rstrip(b"-_")
    end = start + 3 + len(body)
    if data[start : start + 3] != b"sk-" or body.startswith((b"ant-", b"or-", b"orca-", b"lf-")):
        return None
    if _INFIX in body and len(body) >= 40:
        return end
    scoped = body.startswith((b"proj-", b"svcacct-", b"admin-", b"None-"))
    secret = body.partition(b"-")[2] if scoped else body
    mixed = re.search(rb"[0-9]", secret) and re.search(rb"[a-z]", secret) and re.search(rb"[A-Za-z]", secret)
    if not mixed or len(set(secret)) < 12:
        return None
    return end if (len(secret) >= 40 if scoped else secret.isalnum() and 32 <= len(secret) <= 64) else None


ENTITIES: tuple[Entity, ...] = (
    Entity(
        "url",
        "scheme http(s), ftp(s), sftp or ws(s), or `www.`, and a plausible host",
        lambda: RunFinder(r"\b(?:https?|ftps?|sftp|wss?)://|\bwww\.", _URL, _URL_LONGEST, _url),
        misses="other schemes, bare domains, letters outside ASCII, what follows the 1,024th character",
    ),
    Entity(
        "jwt",
        "three Base64url parts, the first a JSON object with `alg`",
        lambda: RunFinder(r"\beyJ", _TOKEN + b".", _JWT_LONGEST, _jwt),
        misses="encrypted tokens whose second part is no JSON; tokens beyond 4,096 characters",
    ),
    Entity(
        "aws_access_key",
        "the vendor's prefix and 16 characters of its alphabet",
        forms(raw(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", alone(always))),
        misses="secret access keys, which have no shape of their own",
    ),
    Entity(
        "api_key_openai",
        "`sk-` with the vendor's infix, or its length and mix of characters",
        lambda: RunFinder(r"\bsk-", _TOKEN, _KEY_LONGEST, _openai),
    ),
)
