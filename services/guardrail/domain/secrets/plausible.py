"""Whether an assigned value is a credential or stands for one: placeholders, code, words, paths, samples."""

from __future__ import annotations

import re
from enum import Enum

from services.guardrail.domain.secrets.checks import entropy, is_random, is_wordy

_CODE = re.compile(
    rb"[(){}\[\]]|::|->|=>|^\$[A-Za-z_]|\$[{(]|\$[A-Z_]{4}|%[sdv({]|^[&*$%@!]\w|^@|^\w+(?:\.[A-Za-z_$][\w$]*)+$|"
    rb"^(?:https?|s3|gs|file|ssm|arn|vault|op|ref|env|aws|kms|secretsmanager)[:+]"
    rb"|^(?:[.~]{0,2}/|[A-Za-z]:\\|\\\\)[\w./\\-]*$|\.(?:txt|json|ya?ml|pem|key|crt|py|js|ts|go|env|"
    rb"html?|md|cfg|conf|ini|xml|php|java|rb|sh|png|svg)$"
)
_STAND_INS = frozenset(
    b"tiger scott password passwd passwort pass pwd passphrase secret secretkey mysecret topsecret secretpassword "
    b"supersecret token mytoken key apikey mykey "
    b"api access auth login user username admin administrator root guest default demo test testing "
    b"tests tester example sample dummy fake mock foo bar baz "
    b"foobar abc abcd abcdef abcdefg qwerty qwertyuiop letmein changeme changeit change replaceme "
    b"replace todo tbd fixme none null nil undefined nan "
    b"true false yes no on off empty string str text int integer number bool boolean object any "
    b"optional required bytes byte char varchar var value "
    b"val input output hidden redacted masked removed unknown invalid missing basic bearer oauth "
    b"digest apitoken yourpassword yourtoken mypassword "
    b"mypass testpassword testpass testuser testkey testtoken testsecret dbpassword dbpass postgres "
    b"mysql redis mongo mongodb rabbitmq localhost "
    b"secretsecret passpass hunter thepassword newpassword oldpassword wrongpassword invalidpassword "
    b"somepassword anypassword strongpassword "
    b"correcthorsebatterystaple placeholder insert here xxx xxxx yyy zzz asdf asdfgh zxcv pa p w x".split()
)
_IDENTIFIER = re.compile(rb"[A-Za-z]+|[0-9]+")
_SIGNED = re.compile(rb"(?:gh[pousr]|npm)_[A-Za-z0-9]{36}$|glsa_\w{32}_[0-9A-Fa-f]{8}$")
_DATE = re.compile(rb"[0-9]{1,4}[-/.:][0-9]{1,2}[-/.:][0-9]{1,4}|v?[0-9]+(?:\.[0-9]+){1,3}(?:[-+]\w+)?$")
_ALGORITHMS = re.compile(
    rb"(?i)sha\d|sha-|aes|hmac|pbkdf|scrypt|gcm|cbc|rsa|ecdsa|eddsa|chacha|poly1305|mlkem|x25519|p256|p384|p521|with"
)
"""Names of algorithms and what joins them; random text does not have two of them."""

_ADDRESS = re.compile(rb"0x[0-9a-fA-F]{40}$")
_HEX = re.compile(rb"[0-9a-fA-F]+$")
_UUID = re.compile(rb"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_NULL_UUID = re.compile(rb"[0-9a-f]{8}-0000-|0{8}-|12345678-1234")
_ENCODED = re.compile(rb"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/]{10,126}={1,2}$")
"""Base-64 with its padding: what a Kubernetes secret holds."""

_MARKS = frozenset(b"!@#$%^&*?+=~;:|,")


_TYPED = frozenset(b"!@#%^&")
"""Marks that people put into passwords and code does not put into bare names."""


class Kind(Enum):
    """What an assignment's name promises."""

    PASSWORD = "password"  # noqa: S105
    KEY = "key"


def is_stand_in(value: bytes) -> bool:
    """True for `changeme`, `Password123`, `xxxx`, `your-token-here` and the like: nobody's credential."""
    letters = b"".join(re.findall(rb"[a-z]+", value.lower()))
    return letters in _STAND_INS or len(set(value)) <= 2 or not is_random(value)


def is_code(value: bytes) -> bool:
    """True for calls, lookups, templates, paths, URLs and file names."""
    return _CODE.search(value) is not None


def is_credential(value: bytes, kind: Kind, quoted: bool) -> bool:
    """True when a value under such a name is a credential rather than something that stands for one."""
    size = len(value)
    if is_stand_in(value) or _SIGNED.match(value) or _DATE.match(value) or _ADDRESS.match(value):
        return False
    if len(_ALGORITHMS.findall(value)) >= 2:
        return False
    if is_code(value) and not (quoted and kind is Kind.PASSWORD and not _looks_structural(value)):
        return False
    if _UUID.match(value):
        return kind is Kind.KEY and _NULL_UUID.match(value) is None
    digits = sum(48 <= byte <= 57 for byte in value)
    marks = sum(byte in _MARKS for byte in value)
    if digits == size or (not quoted and size > 8 and b"=" in value.rstrip(b"=")):
        return False
    if kind is Kind.PASSWORD:
        return _is_password(value, quoted, digits, marks)
    return _is_key(value, quoted, digits)


def _looks_structural(value: bytes) -> bool:
    return re.search(rb"\$\{|\{\{|%\(|\$\(|^\$|^%|^<|\w\(\w*\)|://|^/|^\./", value) is not None or value[-1:] in b"({["


def _is_password(value: bytes, quoted: bool, digits: int, marks: int) -> bool:
    size = len(value)
    if size < (6 if quoted else 7) or size > 128:
        return False
    letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in value)
    if not letters:
        return False
    if _ENCODED.match(value) and size % 4 == 0 and entropy(value) >= 3.0:
        return True
    if digits == 0 and marks == 0:
        return size >= 10 and not is_wordy(value) and entropy(value) >= 3.0 and value != value.lower() != value.title()
    if digits == 0:
        strong = any(byte in _TYPED for byte in value[1:]) and value.lower() != value != value.upper()
        return size >= 8 and (quoted or strong) and not is_wordy(value)
    if marks or _alternates(value):
        return not (is_wordy(value) and re.search(rb"[-_./]", value) and not marks)
    return not is_wordy(value) or (quoted and digits >= 2 and not re.search(rb"[-_./: ]", value))


def is_strong(value: bytes) -> bool:
    """True for what only a generated or prescribed password looks like: both cases, digits, and a mark or length."""
    if value.lower() == value or value.upper() == value or not re.search(rb"[0-9]", value):
        return False
    return any(byte in _MARKS for byte in value[:-1]) or (len(value) >= 12 and _alternates(value))


def _alternates(value: bytes) -> bool:
    """True when letters and digits change places at least twice, as they do not in `name1`."""
    return len(_IDENTIFIER.findall(value)) >= 3


def _is_key(value: bytes, quoted: bool, digits: int) -> bool:
    size = len(value)
    if size < (8 if quoted else 12) or is_wordy(value):
        return False
    if _HEX.match(value):
        return size >= 16 and digits < size and entropy(value) >= 2.6
    if digits == 0:
        return size >= 20 and entropy(value) >= 3.6 and value.lower() != value != value.upper()
    floor = 3.0 if size >= 16 else 2.75
    return entropy(value) >= floor and (_alternates(value) or size >= 20)
