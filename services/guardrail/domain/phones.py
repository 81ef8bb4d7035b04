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
    *("NZ", "BR", "AR", "MX", "CL", "CO", "CA"),
)
"""Regions whose national numbers are recognised after a context word."""

_SHORTEST = 7
_MAX_ENDS = 5
"""Ends tried from one start, the longest first: what follows a number is rarely more than a few groups of digits."""

_NOT_DIGITS = re.compile(rb"[^0-9]+")
_NORTH_AMERICA = re.compile(rb"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .-]))[0-9]{3}[ .-][0-9]{4}\Z")
_LOOSE = re.compile(rb"(?:(?:\([0-9]{3}\) ?|[0-9]{3}[.-])?[0-9]{3}[.-][0-9]{4})\Z")
"""How North American numbers are written, valid or not; enough after a context word."""

_WRITTEN_OUT = re.compile(rb"\+1[ .-]\(?[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}\Z")
_DATE = re.compile(
    rb"(?:(?:19|20)[0-9]{2}[-/. ]?[01][0-9][-/. ]?[0-3][0-9]"
    rb"|[0-3]?[0-9][-/.][01]?[0-9][-/.](?:19|20)?[0-9]{2})(?:[^0-9]|\Z)"
)
_DECIMAL = re.compile(rb"[1-9][0-9]*\.[0-9]+\Z")
_CALLS = frozenset(
    b"phone telephone tel telefon telefono telefone telefoon call mobile mob cell cellphone fax whatsapp"
    b" dial sms handy mobil rufnummer portable celular cellulare movil tlf hotline helpline".split()
)
"""Words that must stand right before a number of fewer than nine digits."""

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
    for plan in (_international(), _national(), *map(_region, ("US", "FR", "JP", "KR"))):
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
        if _is_closed(data, end) and not guards.continues_number(data, end, end):
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
    if first != b"+" and guards.inside_account(data, start):
        return None
    for candidate in _ends(data, start, end):
        if guards.touches_tag(data, start, candidate):
            continue
        token = data[start:candidate]
        digits = _digits(token)
        if first != b"+":
            digits = digits[2:]
        if len(digits) >= _SHORTEST and (_international().fullmatch(digits) or _is_written_out(token)):
            return candidate
        # Brackets around a trunk zero, as in +44 (0)20, are read as written and as meant.
        if b"(0)" in token and _international().fullmatch(_digits(token.replace(b"(0)", b""))):
            return candidate
    return None


def _is_written_out(token: bytes) -> bool:
    """True for `+`, a calling code and groups of a usual length, though no plan has that number (yet)."""
    return _WRITTEN_OUT.match(token) is not None


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
    if separator == b"." and len(token) == end - start and not _region("US").fullmatch(_digits(token)):
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


def _separators(token: bytes) -> bytes:
    return bytes(byte for byte in token if byte not in b"0123456789")


def in_context(view: TextView, start: int, end: int) -> int | None:
    """A national number of a known plan; the form's context words are checked by the caller."""
    data = view.shadow
    if guards.continues_number(data, start, start) or guards.touches_tag(data, start, start):
        return None
    if start and data[start : start + 1] != b"(" and data[start - 1] in b"-/#=$+_":
        return None
    if guards.named_otherwise(data, start) or guards.inside_account(data, start):
        return None
    for candidate in _ends(data, start, end):
        token = data[start:candidate]
        digits = _digits(token)
        if guards.touches_tag(data, start, candidate) or _DATE.match(token) or len(digits) > 13:
            continue
        if _DECIMAL.match(token) or (len(digits) < 9 and not guards.is_called(data, start, _CALLS)):
            continue
        if data[candidate : candidate + 1] in (b"-", b"/") and data[candidate + 1 : candidate + 2].isalnum():
            continue
        if _is_national(digits) or _LOOSE.match(token):
            return candidate
    return None


@lru_cache(maxsize=4096)
def _is_national(digits: bytes) -> bool:
    return _national().fullmatch(digits) is not None
