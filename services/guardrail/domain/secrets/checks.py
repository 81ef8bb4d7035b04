"""Structure that vendors define: checksums, decodable parts, fixed infixes; and what random text looks like.

Every check takes a credential's bytes and answers whether it can be genuine.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = 6
_SEQUENCES = (
    b"abcdefghijklmnopqrstuvwxyz",
    b"0123456789abcdef",
    b"01234567890123456789",
    b"9876543210",
    b"qwertyuiopasdfghjklzxcvbnm",
    b"zyxwvutsrqponmlkjihgfedcba",
)
_SAMPLE = re.compile(
    rb"(?i)example|sample|eby8vdm02xnocqflquwjpllmetlcdxj1ouzft50|placeholder|change[-_]?me|replace[-_]?(?:me|this|with)|dummy|redacted|your[-_]?|insert[-_]"
    rb"|xxxx|\*{3}|\.\.\.|<[a-z]|\$\{|\{\{|%\(|#\{|not[-_]?a?[-_]?real|fake|todo|(?:^|[-_.])(?:here|test)$"
)
_WORDS = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DIGITS = re.compile(rb"[0-9]+")
_VOWELS = frozenset(b"aeiouyAEIOUY")
_CONSONANTS = re.compile(rb"(?i)[bcdfghjklmnpqrstvwxz]{5}")
_SHORTEST_WORD = 4
_SHORT_WORDS = frozenset(
    b"the for and not you your are was has key api app get set put add new old all any one two my is in on to of by"
    b" or dev env pwd db id url uri web ssh ssl tls aws gcp git log msg bot job run out end use foo bar baz abc xyz"
    b" int str obj ref val var arg err num max min sum tag tmp usr bin lib src doc pdf csv sql xml css img btn nav map"
    b" row col day now era ago per via non pre pro sub top low hot red big bad raw own sha aes rsa des hex mac hmac md"
    b" crc gcm cbc ctr utf jwt oauth sso mfa otp pin".split()
)
_RUN = 5
"""Equal neighbours in a row that random text does not have."""


def entropy(value: bytes) -> float:
    """Shannon entropy in bits per byte; 0 for the empty string."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) if size else 0.0


def is_random(value: bytes) -> bool:
    """False for samples, runs, sequences, and strings with far fewer distinct bytes than chance gives."""
    if _SAMPLE.search(value):
        return False
    body = value.lower()
    if any(body[at : at + 1] * _RUN == body[at : at + _RUN] for at in range(len(body) - _RUN + 1)):
        return False
    if _sequence(body) >= max(8, len(body) // 3):
        return False
    return entropy(value) >= min(2.2, math.log2(max(len(value), 2)) * 0.62)


def _sequence(body: bytes) -> int:
    """Length of the longest piece of a keyboard or alphabet sequence, from 6 up."""
    best = 0
    for row in _SEQUENCES:
        at = 0
        while at + 6 <= len(body):
            if body[at : at + 6] not in row:
                at += 1
                continue
            end = at + 6
            while end < len(body) and body[at : end + 1] in row:
                end += 1
            best, at = max(best, end - at), end - 5
    return best


def is_wordy(value: bytes) -> bool:
    """True when nearly all of a value is words or an identifier's parts."""
    size = len(value)
    words = sum(len(run) for run in _WORDS.findall(value) if _is_word(run))
    letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in value)
    digits = sum(48 <= byte <= 57 for byte in value)
    one_number = len(_DIGITS.findall(value)) == 1 and digits <= 5
    return letters > 0 and words >= 0.7 * letters and (one_number or digits <= max(3, size // 6))


def _is_word(run: bytes) -> bool:
    """True for what can be spoken; random text is full of such things of three letters, so those must be known."""
    if len(run) < _SHORTEST_WORD:
        return run.lower() in _SHORT_WORDS
    vowels = sum(byte in _VOWELS for byte in run)
    return vowels > 0 and len(run) <= 6 * vowels and _CONSONANTS.search(run) is None


def crc32_base62(value: bytes) -> bool:
    """GitHub's and npm's form: after the prefix, the last six base-62 digits are the CRC-32 of those before."""
    body = value.split(b"_", 1)[1]
    number = binascii.crc32(body[:-_CHECKSUM])
    digits = bytearray()
    while number:
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return bytes(reversed(digits)).rjust(_CHECKSUM, b"0") == body[-_CHECKSUM:]


def decoded(value: bytes) -> bytes | None:
    """The bytes that (URL-safe or standard, padded or not) base64 stands for, or None."""
    text = value.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def is_pypi(value: bytes) -> bool:
    """A macaroon, version 2, whose location is the index."""
    raw = decoded(value[len(b"pypi-") : len(b"pypi-") + 24])
    return raw is not None and raw[:2] == b"\x02\x01" and (b"pypi.org" in raw[:12] or b"test.pypi.org" in raw[:18])


def is_jwt(value: bytes) -> bool:
    """The first part decodes to a JSON object that names an algorithm; the second is not empty."""
    parts = value.split(b".")
    if len(parts) not in (3, 5) or not parts[1]:
        return False
    raw = decoded(parts[0])
    if raw is None:
        return False
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("alg"), str)


def is_json_token(value: bytes) -> bool:
    """What follows the last `_`, or the whole, decodes to something that begins as JSON does."""
    at = value.find(b"eyJ")
    raw = decoded(value[at:].split(b"_")[0]) if at >= 0 else None
    return raw is not None and raw[:2] == b'{"'


def is_discord(value: bytes) -> bool:
    """The first part is a decimal snowflake in base64."""
    raw = decoded(value.split(b".")[0])
    return raw is not None and raw.isdigit() and 16 <= len(raw) <= 20


def is_mapbox(value: bytes) -> bool:
    """The second part is the token's JSON description."""
    return is_json_token(value.split(b".")[1])


def is_basic(value: bytes) -> bool:
    """Decodes to `user:password`, neither a placeholder."""
    raw = decoded(value)
    if raw is None or b":" not in raw or not all(0x20 <= byte < 0x7F or byte >= 0xC2 for byte in raw):
        return False
    password = raw.partition(b":")[2]
    return len(password) >= 3 and _SAMPLE.search(password) is None and len(set(password)) > 2


def mixed(value: bytes) -> bool:
    """Upper and lower case, and digits or at least no words, as a long base-62 or base-64 secret has."""
    return value.upper() != value != value.lower() and with_digit(value)


def hexadecimal(value: bytes) -> bool:
    """Random hexadecimal in one case, with letters and digits."""
    return is_random(value) and value in (value.lower(), value.upper()) and not value.isdigit() and not value.isalpha()


def scrambled(value: bytes) -> bool:
    """As `mixed`, and no name of code: for tokens whose mark is as short as a variable's."""
    return mixed(value) and not is_wordy(value) and sum(48 <= byte < 58 for byte in value) >= 2


def with_digit(value: bytes) -> bool:
    """Random; has letters, and a digit unless what it has instead are no words."""
    if not is_random(value) or not any(byte >= 65 for byte in value):
        return False
    return any(48 <= byte < 58 for byte in value) or not is_wordy(value)
