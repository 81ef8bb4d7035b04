"""Checksums and structures that the ecosystem's validators lack; each names its published source.

Functions take the text of a match, separators included unless said otherwise, and say whether it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache

from Crypto.Hash import keccak
from stdnum import bitcoin as stdnum_bitcoin
from stdnum import ean, luhn, numdb
from stdnum import iban as stdnum_iban
from stdnum.fr import nir as stdnum_nir
from stdnum.iso7064 import mod_11_2
from stdnum.it import codicefiscale as stdnum_fiscal_code
from stdnum.us import ssn as stdnum_ssn

_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")


def compact(text: str) -> str:
    """The text without separators, in capitals."""
    return _NOT_ALNUM.sub("", text).upper()


def on_compact(valid: Callable[[str], bool]) -> Callable[[str], bool]:
    """The validator over the text without separators."""
    return lambda text: valid(compact(text))


def always(_text: str) -> bool:
    """For shapes that are their own proof."""
    return True


def _weighted(digits: Iterable[str], weights: Iterable[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


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
    (8600, 8600, frozenset({16})),
    (9860, 9860, frozenset({16})),
    (1800, 1800, frozenset({15})),
    (2131, 2131, frozenset({15})),
    (3500, 3527, frozenset({16})),
    (3590, 3599, frozenset({16})),
    (10, 17, frozenset({15})),
    (1946, 1946, frozenset({16})),
    (31, 31, frozenset({19})),
)
"""ISO/IEC 7812 ranges as the schemes publish them: Visa, Mastercard, Amex, Discover, Diners, JCB, UnionPay, RuPay,
Maestro and the other debit schemes of 50, 56–69, Mir, Troy, Uzcard, Humo, UATP, GPN, China T-Union.
(lowest, highest prefix, lengths)"""

_EVERYDAY: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({16, 19})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (6011, 6011, frozenset({16})),
    (644, 659, frozenset({16})),
    (300, 305, frozenset({14})),
    (3095, 3095, frozenset({14})),
    (36, 36, frozenset({14})),
    (38, 39, frozenset({14})),
    (3528, 3589, frozenset({16})),
    (2131, 2131, frozenset({15})),
    (62, 62, frozenset({16, 19})),
    (2200, 2204, frozenset({16})),
    (9792, 9792, frozenset({16})),
)
"""Those of the ranges in everyday use: digits in one run are a card without a word that says so. One number in ten
passes the check digit, so the wide and the rare ranges need more."""


def _by_four_digits(ranges: Iterable[tuple[int, int, frozenset[int]]]) -> dict[str, frozenset[int]]:
    """Lengths of the schemes that a number's first four digits lead to."""
    table: dict[str, frozenset[int]] = {}
    for low, high, lengths in ranges:
        scale = 10 ** (4 - len(str(low)))
        for prefix in range(low * scale, (high + 1) * scale):
            table[str(prefix)] = table.get(str(prefix), frozenset()) | lengths
    return table


_CARD_LENGTHS = _by_four_digits(_CARD_PREFIXES)
_CARD_LENGTHS["0604"] = frozenset(range(12, 20))
"""Maestro's one range that begins with zero."""

_EVERYDAY_LENGTHS = _by_four_digits(_EVERYDAY)
_NO_LENGTHS: frozenset[int] = frozenset()


def card_lengths(prefix: str) -> frozenset[int]:
    """Lengths of the numbers that begin with those four digits."""
    return _CARD_LENGTHS.get(prefix, _NO_LENGTHS)


def is_everyday_card(digits: str) -> bool:
    """True where the number's range and length are in everyday use."""
    return len(digits) in _EVERYDAY_LENGTHS.get(digits[:4], _NO_LENGTHS)


def is_card_number(digits: str) -> bool:
    """True for a number of a known scheme's prefix and length with a valid Luhn digit."""
    if len(digits) not in card_lengths(digits[:4]) or len(set(digits)) == 1:
        return False
    return bool(luhn.is_valid(digits))


def is_trade_number(digits: str) -> bool:
    """True for digits that are a valid barcode number as well (GS1: UPC-A, EAN-13, ITF-14)."""
    return len(digits) in (12, 13, 14) and bool(ean.is_valid(digits))


def is_ssn(text: str) -> bool:
    """A number that the Social Security Administration may have issued."""
    return bool(stdnum_ssn.is_valid(compact(text)))


_ITIN_GROUPS = frozenset((*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)))


def is_itin(text: str) -> bool:
    """Taxpayer number. Source: IRS Internal Revenue Manual 3.21.263, the ranges of the fourth and fifth digit."""
    digits = compact(text)
    return digits[0] == "9" and int(digits[3:5]) in _ITIN_GROUPS


def is_kr_birth(text: str) -> bool:
    """Resident registration number by its date and century digit alone: since October 2020 the last digits are random.

    Source: Ministry of the Interior and Safety, reform of the numbers' last six digits.
    """
    digits = compact(text)
    century = {"9": 1800, "0": 1800, "1": 1900, "2": 1900, "5": 1900, "6": 1900}.get(digits[6], 2000)
    try:
        date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return False
    return True


def is_it_fiscal_code(text: str) -> bool:
    """Structure, date and check letter; of codes whose digits were all replaced by letters there is none."""
    return any(char.isdigit() for char in text) and bool(stdnum_fiscal_code.is_valid(text))


def is_fr_nir(text: str) -> bool:
    """The key, and a month of the calendar. Source: INSEE, répertoire national d'identification."""
    value = compact(text)
    return 1 <= int(value[3:5]) <= 12 and bool(stdnum_nir.is_valid(value))


_CN_PROVINCES = frozenset(
    (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83)
)


def is_cn_resident_id(text: str) -> bool:
    """Resident identity number. Source: GB 11643-1999 (mod 11-2 of ISO 7064) and the provinces of GB/T 2260."""
    value = compact(text)
    year, month, day = int(value[6:10]), int(value[10:12]), int(value[12:14])
    return int(value[:2]) in _CN_PROVINCES and _is_date(year, month, day) and bool(mod_11_2.is_valid(value))


@cache
def iban_length(country: str) -> int:
    """Characters of that country's account numbers; 0 where there are none. Source: python-stdnum's registry."""
    (_, known), *_rest = numdb.get("iban").info(country)
    structure = known.get("bban", "")
    return 4 + sum(int(count) for count in re.findall(r"[0-9]+", structure)) if structure else 0


def is_iban(compacted: str) -> bool:
    """ISO 13616, the country's structure included, its check digits within the account number not."""
    if not 15 <= len(compacted) <= 34 or not (compacted[:2].isalpha() and compacted[2:4].isdigit()):
        return False
    if int("".join(str(int(char, 36)) for char in compacted[4:] + compacted[:4])) % 97 != 1:
        return False
    return bool(stdnum_iban.is_valid(compacted, check_country=False))


def is_uk_nino(text: str) -> bool:
    """National Insurance number. Source: HMRC manual NIM39110 (letters and prefixes that are not used)."""
    prefix = compact(text)[:2]
    return prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def is_us_npi(text: str) -> bool:
    """National Provider Identifier. Source: CMS, 45 CFR 162.406: Luhn over the number prefixed by 80840."""
    return bool(luhn.is_valid("80840" + compact(text)))


def is_us_dea(text: str) -> bool:
    """DEA registration number. Source: DEA Diversion Control, registration number format (d1+d3+d5 + 2(d2+d4+d6))."""
    digits = compact(text)[2:]
    return (_weighted(digits[0:6:2], (1, 1, 1)) + _weighted(digits[1:6:2], (2, 2, 2))) % 10 == int(digits[6])


def is_sg_nric(text: str) -> bool:
    """Singapore NRIC/FIN. Source: ICA numbers; weights 2765432, +4 for T and G, +3 for M, check letter by series."""
    value = compact(text)
    total = _weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(value[0], 0)
    letters = "JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNJLK" if value[0] == "M" else "XWUTRQPNMLK"
    return letters[total % 11] == value[8]


def is_hk_id(text: str) -> bool:
    """Hong Kong identity card. Source: Immigration Department's check digit (mod 11, letters A=10, blank=36)."""
    value = compact(text)
    prefix, body, check = value[:-7], value[-7:-1], value[-1]
    values = [36, *(ord(c) - 55 for c in prefix)][-2:]
    total = 9 * values[0] + 8 * values[1] + _weighted(body, range(7, 1, -1))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def is_tw_id(text: str) -> bool:
    """Taiwan national identity number. Source: Department of Household Registration, letters 10–35, weights 1,9…1,1."""
    value = compact(text)
    letter = 10 + _TW_LETTERS.index(value[0])
    return (letter // 10 + 9 * (letter % 10) + _weighted(value[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def is_au_medicare(text: str) -> bool:
    """Medicare card number. Source: Services Australia, weights 1,3,7,9,1,3,7,9 and the ninth digit."""
    digits = compact(text)
    return _weighted(digits[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8]) and digits[9] != "0"


def is_de_personalausweis(text: str) -> bool:
    """German identity card serial with check digit. Source: ICAO Doc 9303 part 3, weights 7, 3, 1."""
    value = compact(text)
    return sum(int(c, 36) * (7, 3, 1)[i % 3] for i, c in enumerate(value[:9])) % 10 == int(value[9])


def is_ethereum_address(text: str) -> bool:
    """Forty hexadecimal digits; in mixed case the EIP-55 checksum must hold."""
    body = text[2:]
    lowered = body.lower()
    if len(set(lowered)) < 4:
        return False
    if body in (lowered, body.upper()):
        return True
    digest = keccak.new(digest_bits=256, data=lowered.encode("ascii")).hexdigest()
    return all(
        char.isdigit() or char.isupper() == (int(nibble, 16) > 7) for char, nibble in zip(body, digest, strict=False)
    )


def is_bitcoin_address(text: str) -> bool:
    """Base58Check or Bech32/Bech32m, the checksum included."""
    return bool(stdnum_bitcoin.is_valid(text))


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen janv",
            "feb fev fevr",
            "mar maerz marz mars",
            "apr abr avr",
            "may mai mag maj",
            "jun giu juin cze",
            "jul lug juil lip",
            "aug ago aou aout sie",
            "sep set sept wrz",
            "oct okt ott out paz",
            "nov lis",
            "dec dez dic gru",
        ),
        1,
    )
    for name in names.split()
}


def is_birth_date(text: str) -> bool:
    """A calendar date of the years 1900 to 2029, in any usual order; two-digit years count as the last century's."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", text)
    if len(parts) < 3:
        return False
    if any(part[0].isalpha() for part in parts):
        month = next((m for p in parts if (m := _MONTHS.get(p[:4].lower()) or _MONTHS.get(p[:3].lower()))), 0)
        numbers = [int(part) for part in parts if part.isdigit()]
        return len(numbers) == 2 and _is_date(numbers[1], month, numbers[0])
    first, second, third = (int(part) for part in parts[:3])
    if len(parts[0]) == 4:
        return _is_date(first, second, third)
    return _is_date(third, second, first) or _is_date(third, first, second)


def _is_date(year: int, month: int, day: int) -> bool:
    year += 1900 if year < 100 else 0
    if not 1900 <= year < 2030:
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def luhn_holds(text: str) -> bool:
    """Checksum of a custom entity: the Luhn digit over the text's ASCII digits."""
    digits = "".join(char for char in text if char in "0123456789")
    return len(digits) > 1 and bool(luhn.is_valid(digits))
