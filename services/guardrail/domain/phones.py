"""Telephone numbers: forms come as candidates, the numbering plans of phonenumbers decide.

The library's own search costs seconds per megabyte, and its parser tens of microseconds per number, so its
metadata is compiled once into linear-time patterns: one over all international numbers, one over the national
ones of the regions below. A number is valid when it fits a type (fixed, mobile, toll-free …) of its region's plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import phonenumbers
import re2

from services.guardrail.domain import guards
from services.guardrail.domain.finders import quiet_options
from services.guardrail.domain.text import TextView

NATIONAL_REGIONS = (
    *("US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PT", "IE", "SE", "DK", "FI", "NO", "PL", "CZ", "GR"),
    *("TR", "RU", "UA", "IL", "AE", "SA", "EG", "ZA", "NG", "KE", "IN", "CN", "HK", "TW", "JP", "KR", "SG", "TH", "AU"),
    *("NZ", "BR", "AR", "MX", "CL", "CO", "CA", "RO", "HU", "SK", "BG", "HR", "RS", "SI", "LT", "LV", "EE", "LU", "CY"),
    *("VN", "ID", "MY", "PH", "PK", "BD", "LK", "PE", "VE", "EC", "UY", "MA", "TN", "GH", "KW", "QA", "JO", "LB"),
)
"""Regions whose national numbers are recognised after a context word."""

_SHORTEST = 7
_ZIP_CODE = [5, 4]
"""Groups of an American ZIP code with its extension."""

_PACKAGE = 2
"""Digits of a drug's package code, which ends a number that else looks like an area code and a subscriber's."""

_LONG = 10
"""Digits, calling code included, of a number that needs no grouping to be told from a signed one."""

_MAX_ENDS = 5
"""Ends tried from one start, the longest first: what follows a number is rarely more than a few groups of digits."""

_GROUPS = re.compile(rb"[0-9]+")
_MAX_GROUPS = 8
"""Groups of digits behind `00`; what is written in more is a row of numbers."""

_NOT_DIGITS = re.compile(rb"[^0-9]+")
_NORTH_AMERICA = re.compile(rb"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .-]))[0-9]{3}[ .-][0-9]{4}\Z")
_LOOSE = re.compile(rb"(?:(?:\([0-9]{3}\) ?|[0-9]{3}[.-])?[0-9]{3}[.-][0-9]{4})\Z")
"""How North American numbers are written, valid or not; enough after a context word."""

_DATE = re.compile(
    rb"(?:(?:19|20)[0-9]{2}[-/. ]?[01][0-9][-/. ]?[0-3][0-9]"
    rb"|[0-3]?[0-9][-/.][01]?[0-9][-/.](?:19|20)?[0-9]{2})(?:[^0-9]|\Z)"
)
_DECIMAL = re.compile(rb"[1-9][0-9]*\.[0-9]+\Z")
_CALLS = frozenset(
    b"phone phones telephone tel telefon telefono telefone telefoon call mobile mob cell cellphone fax whatsapp"
    b" dial sms handy mobil rufnummer telefonnummer telefonnummeret mobilnummer telefoonnummer telefonszam"
    b" telefonszamom telefonul telefonu telefonum telefonuma telefonnumret puhelin puhelinnumero puhelinnumeroni puh"
    b" gsm komorka portable celular cellulare movil tlf hotline helpline telepon telp hp".split()
)
"""Words that must stand right before a number that fits no plan, or has fewer than nine digits."""

_TYPES = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan"),
    "voicemail",
)


def _plans(region: str) -> Iterator[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    for kind in _TYPES:
        description = getattr(metadata, kind)
        if description is not None and description.national_number_pattern:
            yield re.sub(r"\s", "", description.national_number_pattern)


def _compile(pattern: str) -> re2._Regexp:
    options = quiet_options()
    options.max_mem = 64 << 20
    return re2.compile(pattern.encode("ascii"), options)


@cache
def _international() -> re2._Regexp:
    plans = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        code = phonenumbers.country_code_for_region(region)
        plans.append(f"{code}0?(?:{'|'.join(_plans(region))})" if code != 39 else f"39(?:{'|'.join(_plans(region))})")
    return _compile("|".join(plans))


@cache
def _possible() -> re2._Regexp:
    """Calling codes and the lengths of their numbers: what is dialled, given out yet or not (or kept for films)."""
    lengths: dict[int, set[int]] = {}
    for region in phonenumbers.SUPPORTED_REGIONS:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        if metadata is None or metadata.general_desc is None:
            continue
        known = lengths.setdefault(phonenumbers.country_code_for_region(region), set())
        known.update(length for length in metadata.general_desc.possible_length if length >= _SHORTEST)
    plans = [f"{code}(?:{'|'.join(f'[0-9]{{{n}}}' for n in sorted(known))})" for code, known in lengths.items()]
    return _compile("|".join(plans))


@cache
def _national() -> re2._Regexp:
    plans = []
    for region in NATIONAL_REGIONS:
        prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
        plans.append(f"(?:{prefix})?(?:{'|'.join(_plans(region))})" if prefix else f"(?:{'|'.join(_plans(region))})")
    return _compile("|".join(plans))


@cache
def _region(region: str) -> re2._Regexp:
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return _compile(f"(?:{prefix})?(?:{'|'.join(_plans(region))})")


def warm() -> None:
    """Compiles the numbering plans, so that no request pays for it."""
    for plan in (_international(), _possible(), _national(), *map(_region, ("US", "FR", "JP", "KR"))):
        plan.fullmatch(b"0")


def _is_closed(data: bytes, end: int) -> bool:
    """True where no letter or digit follows, an extension such as `x12` aside."""
    after = data[end : end + 1]
    return not after.isalnum() or (after in (b"x", b"X") and data[end + 1 : end + 2].isdigit())


def _digits(token: bytes) -> bytes:
    return _NOT_DIGITS.sub(b"", token)


def _ends(data: bytes, start: int, end: int) -> Iterator[int]:
    """Ends of the groups of digits in the shape's match, the longest first, while enough digits remain."""
    tried = 0
    while end - start >= _SHORTEST and tried < _MAX_ENDS:
        if _is_closed(data, end) and not guards.continues_number(data, start, end):
            tried += 1
            yield end
        end -= 1
        while end > start and (not data[end - 1 : end].isdigit() or data[end : end + 1].isdigit()):
            end -= 1


def international(view: TextView, start: int, end: int) -> int | None:
    """`+` or `00`, calling code and number, valid in its numbering plan."""
    data = view.shadow
    first = data[start : start + 1]
    if start and (data[start - 1 : start].isalnum() or data[start - 1] in b"\x00$_+-.=%/\\"):
        return None
    if first != b"+" and (guards.inside_account(data, start) or len(_GROUPS.findall(data, start, end)) > _MAX_GROUPS):
        return None
    for candidate in _ends(data, start, end):
        if guards.touches_tag(data, start, candidate):
            continue
        token = data[start:candidate]
        digits = _digits(token)
        if token[1:2] == b" " and len(_GROUPS.findall(token)) == 1:
            # A sum, not a number.
            continue
        if first != b"+":
            if b"." in token and b" " in token:
                # Decimals beside each other.
                continue
            digits = digits[2:]
            if not _is_dialled(token):
                continue
        if len(digits) >= _SHORTEST and (_international().fullmatch(digits) or _is_written_out(token, digits)):
            return candidate
        # Brackets around a trunk zero, as in +44 (0)20, are read as written and as meant.
        if b"(0)" in token and _international().fullmatch(_digits(token.replace(b"(0)", b""))):
            return candidate
    return None


def _is_dialled(token: bytes) -> bool:
    """True unless the groups behind `00` are a table's: all of one width, or no calling code first."""
    groups = _GROUPS.findall(token)
    if len(groups) > 2 and len({len(group) for group in groups}) == 1 and len(groups[0]) > 2:
        return False
    code = groups[0][2:] or (groups[1] if len(groups) > 1 else b"")
    return len(groups) == 1 or (len(code) <= 3 and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def _is_written_out(token: bytes, digits: bytes) -> bool:
    """True for a calling code and so many digits as its numbers have, written in groups or long enough to be one."""
    grouped = token.count(b" ") + token.count(b"-") + token.count(b".") + token.count(b"(") >= 1
    return (grouped or len(digits) >= _LONG) and _possible().fullmatch(digits) is not None


def north_american(view: TextView, start: int, end: int) -> int | None:
    """Three, three and four digits with brackets, hyphens or dots throughout; spaces alone could be a table's."""
    data = view.shadow
    token = data[start:end].partition(b"x")[0]
    found = _NORTH_AMERICA.match(token)
    if found is None or not guards.stands_alone(data, start, end):
        return None
    separator = found.group(1)
    if separator is not None and token.count(separator) < 2:
        return None
    if guards.named_otherwise(data, start):
        return None
    if separator == b"." and len(token) == end - start and token[-8:-7] in b"01":
        return None
    return end


def grouped_national(view: TextView, start: int, end: int) -> int | None:
    """Forms that other numbers do not have: French pairs, Japanese and Korean groups, an area code in brackets."""
    data = view.shadow
    token = data[start:end]
    if not guards.stands_alone(data, start, end) or guards.named_otherwise(data, start):
        return None
    if guards.has_digit_neighbour(data, start, end) or (len(set(_separators(token))) > 1 and token[:1] != b"("):
        return None
    digits = _digits(token)
    if token[:1] == b"(":
        return end if _national().fullmatch(digits) else None
    regions = ("FR",) if len(token) == 14 and token[2:3] not in b"0123456789" else ("JP", "KR")
    return end if any(_region(region).fullmatch(digits) for region in regions) else None


def trunk(view: TextView, start: int, end: int) -> int | None:
    """A trunk zero, an area code and a subscriber's number apart, in some region's plan; no row of numbers."""
    data = view.shadow
    digits = _digits(data[start:end])
    if not 9 <= len(digits) <= 12 or not guards.stands_alone(data, start, end):
        return None
    if guards.has_digit_neighbour(data, start, end) or guards.named_otherwise(data, start):
        return None
    groups = [len(group) for group in _GROUPS.findall(data, start, end)]
    if guards.inside_account(data, start) or set(groups) == {4}:
        return None
    if b"-" in data[start:end] and (groups[-1] == _PACKAGE or groups == _ZIP_CODE):
        return None
    return end if _is_national(digits) else None


def _separators(token: bytes) -> bytes:
    return bytes(byte for byte in token if byte not in b"0123456789")


def in_context(view: TextView, start: int, end: int) -> int | None:
    """A national number: of a known plan, or of any after a word such as `call`; the caller checks the context."""
    data = view.shadow
    called = guards.is_called(data, start, _CALLS)
    if guards.touches_tag(data, start, start):
        return None
    if start and data[start : start + 1] != b"(" and data[start - 1] in (b"-/#$+_" if called else b"-/#=$+_"):
        return None
    if guards.named_otherwise(data, start) or guards.inside_account(data, start):
        return None
    for candidate in _ends(data, start, end):
        token = data[start:candidate]
        digits = _digits(token)
        if guards.touches_tag(data, start, candidate) or _DATE.match(token) or len(digits) > 13:
            continue
        if _DECIMAL.match(token) or (len(digits) < 9 and not called):
            continue
        if data[candidate : candidate + 1] in (b"-", b"/") and data[candidate + 1 : candidate + 2].isalnum():
            continue
        if called or _is_national(digits) or _LOOSE.match(token):
            return candidate
    return None


@lru_cache(maxsize=4096)
def _is_national(digits: bytes) -> bool:
    return _national().fullmatch(digits) is not None
