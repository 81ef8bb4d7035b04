"""Decides whether a shape is the entity it looks like.

Checksums come from python-stdnum and phonenumbers; the card schemes' prefixes and lengths are those that the
schemes publish (ISO/IEC 7812 ranges). Every function takes the normalised bytes and the shape's span, and
returns the end of the accepted entity or None. What precedes counts for 48 characters, what follows for none
beyond the run of characters the shape is made of.
"""

from __future__ import annotations

import ipaddress
import re

import phonenumbers
from stdnum import iban as stdnum_iban
from stdnum import luhn
from stdnum.us import ssn as stdnum_ssn

CONTEXT = 48
"""Code points before a match in which a context word counts."""

_DIGITS = re.compile(rb"[0-9]")
_NOT_DIGITS = re.compile(rb"[^0-9]+")
_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def _digits(data: bytes) -> str:
    return _NOT_DIGITS.sub(b"", data).decode("ascii")


def context_before(data: bytes, start: int, words: re.Pattern[bytes]) -> bool:
    """True when one of the context words stands within `CONTEXT` characters before `start`.

    A mask tag ends the context: a mask is shorter than what it hides, and must not bring words into reach.
    """
    return (
        words.search(data[max(0, start - CONTEXT, data.rfind(b"\x00", max(0, start - CONTEXT), start) + 1) : start])
        is not None
    )


def continues_number(data: bytes, start: int, end: int) -> bool:
    """True when the span is a piece of a decimal or of a longer dotted or hyphenated number."""
    if start >= 2 and data[start - 1 : start] in (b".", b",") and data[start - 2 : start - 1].isdigit():
        return True
    return data[end : end + 1] in (b".", b",") and data[end + 1 : end + 2].isdigit()


_CARD_PREFIXES: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 18, 19})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (6011, 6011, frozenset(range(16, 20))),
    (644, 659, frozenset(range(16, 20))),
    (300, 305, frozenset(range(14, 20))),
    (3095, 3095, frozenset(range(14, 20))),
    (36, 36, frozenset(range(14, 20))),
    (38, 39, frozenset(range(14, 20))),
    (3528, 3589, frozenset(range(16, 20))),
    (62, 62, frozenset(range(16, 20))),
    (81, 82, frozenset({16})),
    (50, 50, frozenset(range(12, 20))),
    (56, 58, frozenset(range(12, 20))),
    (60, 61, frozenset(range(12, 20))),
    (63, 63, frozenset(range(12, 20))),
    (66, 69, frozenset(range(12, 20))),
    (2200, 2205, frozenset(range(16, 20))),
    (9792, 9792, frozenset({16})),
)


def is_card_number(digits: str) -> bool:
    """True for a number of a known scheme's prefix and length with a valid Luhn digit."""
    if not 12 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    known = any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths for low, high, lengths in _CARD_PREFIXES
    )
    return known and luhn.is_valid(digits)


def credit_card(data: bytes, start: int, end: int) -> int | None:
    """Longest valid card number from `start` that ends where a group of digits ends."""
    if continues_number(data, start, start):
        return None
    while end - start >= 12:
        closed = not data[end : end + 1].isalnum() and not continues_number(data, end, end)
        if closed and is_card_number(_digits(data[start:end])):
            return end
        end -= 1
        while end > start and not data[end - 1 : end].isdigit():
            end -= 1
    return None


_SSN_WORDS = re.compile(rb"(?i)\b(?:ssn|ssns|social|social\s+security(?:\s+(?:number|no))?|soc\s+sec)\b")


def ssn(data: bytes, start: int, end: int) -> int | None:
    """A grouped number with one separator throughout, or nine plain digits after a context word."""
    if continues_number(data, start, end):
        return None
    token = data[start:end]
    if len(token) == 9:
        if not context_before(data, start, _SSN_WORDS):
            return None
    elif token[3] != token[6] or data[start - 1 : start] == b"-" or data[end : end + 1] == b"-":
        return None
    return end if stdnum_ssn.is_valid(_digits(token)) else None


def ip_v4(data: bytes, start: int, end: int) -> int | None:
    """Four octets that are not part of a longer dotted number."""
    if continues_number(data, start, end):
        return None
    try:
        ipaddress.IPv4Address(data[start:end].decode("ascii"))
    except ValueError:
        return None
    return end


def ip_v6(data: bytes, start: int, end: int) -> int | None:
    """An address with a digit in it, so that `dead::beef`-like names of code are not one."""
    if start and (data[start - 1] in _ALNUM or data[start - 1 : start] in (b":", b".")):
        return None
    while end > start + 2:
        token = data[start:end]
        following = data[end : end + 1]
        if not (following and following[0] in _ALNUM) and _DIGITS.search(token):
            try:
                ipaddress.IPv6Address(token.decode("ascii"))
            except ValueError:
                pass
            else:
                return end
        if token[-1:] not in (b":", b"."):
            return None
        end -= 1
    return None


_IBAN_MIN, _IBAN_MAX = 15, 34


def iban(data: bytes, start: int, end: int) -> int | None:
    """Longest valid account number from `start` that ends where a word ends; check digits decide."""
    while end - start >= _IBAN_MIN:
        following = data[end : end + 1]
        if not (following and following[0] in _ALNUM):
            compact = re.sub(rb"[ -]", b"", data[start:end]).decode("ascii").upper()
            if len(compact) < _IBAN_MIN:
                return None
            if len(compact) <= _IBAN_MAX and _mod97(compact) and stdnum_iban.is_valid(compact):
                return end
        end -= 1
        while end > start and data[end - 1] not in _ALNUM:
            end -= 1
    return None


def _mod97(compact: str) -> bool:
    """ISO 7064 check, before the country's structure is looked up."""
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


_PHONE_WORDS = re.compile(
    rb"(?i)\b(?:phone|phones|telephone|tel|call|callback|mobile|cell|cellphone|fax|whatsapp|contact|dial|sms|text|ring"
    rb"|reach|telefon|telefono|handy|portable|numero|celular|movil|gsm)\b"
)
_NORTH_AMERICA = re.compile(rb"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}\Z")
_DATE = re.compile(rb"(?:19|20)[0-9]{2}[-/. ][01]?[0-9][-/. ][0-3]?[0-9](?:[^0-9]|\Z)")
_NATIONAL_REGIONS = ("GB", "DE", "FR", "ES", "IT", "NL", "IN", "BR", "AU", "JP")


def phone(data: bytes, start: int, end: int) -> int | None:
    """A number in international form, in North American groups, or in national form after a context word."""
    if continues_number(data, start, start):
        return None
    first = data[start : start + 1]
    if start and first not in (b"+", b"(") and data[start - 1 : start] in (b"-", b"/", b"#", b"=", b"$"):
        return None
    if start and first == b"+" and data[start - 1 : start].isalnum():
        return None
    while end - start >= 7:
        if not data[end : end + 1].isalnum() and _is_phone(data, start, end):
            return end
        end -= 1
        while end > start and not data[end - 1 : end].isdigit():
            end -= 1
        if first not in (b"+",) and end - start < 10:
            return None
    return None


def _is_phone(data: bytes, start: int, end: int) -> bool:
    token = data[start:end]
    count = len(_NOT_DIGITS.sub(b"", token))
    if not 7 <= count <= 15 or continues_number(data, end, end):
        return False
    if token[:1] == b"+":
        return _valid(token, None)
    if token[:2] == b"00" and count >= 11:
        return _valid(b"+" + token[2:], None)
    if _NORTH_AMERICA.match(token):
        # Separators other than a space already tell a number apart from a table's columns.
        return _valid(token, "US") if b" " in token and b"(" not in token else True
    if _DATE.match(token) or not context_before(data, start, _PHONE_WORDS):
        return False
    if (count == 10 or (count == 11 and token[:1] == b"1")) and _valid(token, "US"):
        return True
    return token[:1] in (b"0", b"(") and any(_valid(token, region) for region in _NATIONAL_REGIONS)


def _valid(token: bytes, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(token.decode("ascii"), region))
    except phonenumbers.NumberParseException:
        return False
