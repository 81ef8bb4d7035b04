# ruff: noqa: E501
"""Made-up personal identifiers, written as people write them; check digits are computed here, from the published rules.

Nothing here knows the engine under test.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

Make = Callable[[random.Random], str]

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(rng: random.Random, count: int, first: str = "0123456789") -> str:
    """So many digits, the first one of `first`."""
    return rng.choice(first) + "".join(rng.choices("0123456789", k=count - 1))


def group(text: str, sizes: Sequence[int], joint: str) -> str:
    """The text in groups."""
    out, at = [], 0
    for size in sizes:
        out.append(text[at : at + size])
        at += size
    return joint.join(out)


def weighted(text: str, weights: Sequence[int]) -> int:
    """Sum of digits times weights."""
    return sum(int(char) * weight for char, weight in zip(text, weights, strict=True))


def luhn_digit(text: str) -> str:
    """The digit that makes the number hold (ISO/IEC 7812)."""
    total = 0
    for index, char in enumerate(reversed(text)):
        value = int(char) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def until(make: Callable[[], str | None]) -> str:
    """The first value that can be made; every maker succeeds within a few tries."""
    for _ in range(1000):
        value = make()
        if value is not None:
            return value
    raise RuntimeError("a maker never succeeds")


def birthday(rng: random.Random) -> tuple[int, int, int]:
    """(year, month, day)."""
    return rng.randint(1935, 1999), rng.randint(1, 12), rng.randint(1, 28)


def email(rng: random.Random) -> str:
    names = ["anna", "j.smith", "li.wei", "maria_garcia", "o.kowalski", "p-dupont", "h.mueller+news", "yuki99", "a"]
    hosts = [
        "example.com",
        "mail.example.org",
        "example.co.uk",
        "firma-nord.de",
        "correo.example.es",
        "ex.io",
        "dept.uni.edu",
    ]
    return f"{rng.choice(names)}{rng.choice(['', str(rng.randint(1, 99))])}@{rng.choice(hosts)}"


_CARDS = [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16),
          ("36", 14), ("3528", 16), ("62", 16), ("2200", 16), ("9792", 16), ("6759", 16), ("4", 16), ("4", 19)]  # fmt: skip


def credit_card(rng: random.Random) -> str:
    prefix, length = rng.choice(_CARDS)
    body = prefix + "".join(rng.choices("0123456789", k=length - len(prefix) - 1))
    number = body + luhn_digit(body)
    sizes = {15: (4, 6, 5), 14: (4, 6, 4), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}[length]
    return group(number, sizes, rng.choice(["", "", " ", "-"]))


_IBANS = [("DE", 0, 18), ("AT", 0, 16), ("CH", 0, 17), ("NL", 4, 10), ("GB", 4, 14), ("LT", 0, 16), ("IE", 4, 14)]


def iban(rng: random.Random) -> str:
    """ISO 13616 check digits, in countries whose account numbers have no check digits of their own that matter here."""
    country, letters, count = rng.choice(_IBANS)
    body = "".join(rng.choices(_UPPER, k=letters)) + digits(rng, count)
    numeric = "".join(str(int(char, 36)) for char in body + country + "00")
    number = f"{country}{98 - int(numeric) % 97:02d}{body}"
    spaced = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    return rng.choice([number, spaced])


def ssn(rng: random.Random) -> str:
    area = rng.choice([n for n in range(1, 900) if n not in (666,)])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def ssn_plain(rng: random.Random) -> str:
    return ssn(rng).replace("-", "")


def ip(rng: random.Random) -> str:
    if rng.random() < 0.2:
        groups = [f"{rng.randrange(65536):x}" for _ in range(8)]
        groups[0] = rng.choice(["2001", "fe80", "2a02"])
        cut = rng.randint(2, 6)
        return rng.choice([":".join(groups), ":".join(groups[:cut]) + "::" + f"{rng.randrange(1, 65536):x}"])
    return ip_v4(rng)


def ip_v4(rng: random.Random) -> str:
    return ".".join(str(rng.randint(1, 254)) for _ in range(4))


def mac(rng: random.Random) -> str:
    return rng.choice(":-").join(f"{rng.randrange(256):02x}" for _ in range(6))


PHONES: dict[str, Sequence[str]] = {
    "en": [
        "+1 212-55#-####",
        "(415) 55#-####",
        "+44 20 7### ####",
        "+44 7911 ######",
        "1-800-55#-####",
        "+1 (312) 55#-####",
    ],
    "de": ["+49 30 #######", "+49 (0)89 ######", "+49 171 #######"],
    "fr": ["+33 6 12 ## ## ##", "06 12 ## ## ##", "01.42.##.##.##"],
    "es": ["+34 612 ### ###", "+34 91 ### ## ##"],
    "it": ["+39 347 ### ####", "+39 06 6982 ####"],
    "pt": ["+351 912 ### ###", "+55 11 9#### ####", "(11) 9####-####"],
    "nl": ["+31 6 1234 ####", "+31 20 ### ####"],
    "pl": ["+48 512 ### ###", "+48 22 ### ## ##"],
    "ja": ["+81 90-1234-####", "090-1234-####", "03-3###-####"],
    "ko": ["+82 10-1234-####", "010-2345-####"],
    "zh": ["+86 138 0013 ####", "+86-21-6###-####"],
    "ru": ["+7 912 ###-##-##", "+7 (495) ###-##-##"],
}
NATIONAL: dict[str, Sequence[str]] = {
    "en": ["212 55# ####", "020 7### ####", "07911 ######"], "de": ["030 #######", "0171 #######"],
    "fr": ["0612######", "01 42 ## ## ##"], "es": ["612 ### ###", "91 ### ## ##"], "it": ["347 ### ####", "06 6982 ####"],
    "pt": ["912 ### ###", "11 9####-####"], "nl": ["06 1234 ####", "020 ### ####"], "pl": ["512 ### ###", "22 ### ## ##"],
    "ja": ["0312345###", "06-6###-####"], "ko": ["02-###-####", "01023######"], "zh": ["138001####1", "010-6### ####"],
    "ru": ["8 912 ###-##-##", "8 (495) ###-##-##"],
}  # fmt: skip


def fill(rng: random.Random, pattern: str) -> str:
    """The pattern with a digit from 2 to 9 for each `#`."""
    return "".join(rng.choice("23456789") if char == "#" else char for char in pattern)


def date_text(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    return rng.choice(
        [f"{year}-{month:02d}-{day:02d}", f"{day:02d}.{month:02d}.{year}", f"{day:02d}/{month:02d}/{year}"]
    )


def uk_nhs(rng: random.Random) -> str:
    def make() -> str | None:
        body = digits(rng, 9, "4679")
        check = 11 - weighted(body, range(10, 1, -1)) % 11
        return None if check == 10 else body + str(check % 11)

    return group(until(make), (3, 3, 4), rng.choice(["", " ", "-"]))


def uk_nino(rng: random.Random) -> str:
    prefix = rng.choice(["AB", "CE", "JG", "PW", "SX", "TR"])
    return group(prefix + digits(rng, 6) + rng.choice("ABCD"), (2, 2, 2, 2, 1), rng.choice(["", " "]))


def de_steuer_id(rng: random.Random) -> str:
    def make() -> str | None:
        pool = rng.sample("0123456789", 9)
        body = [*pool, pool[0]]
        rng.shuffle(body)
        if body[0] == "0":
            return None
        product = 10
        for char in body:
            total = (int(char) + product) % 10 or 10
            product = total * 2 % 11
        return "".join(body) + str((11 - product) % 10)

    return group(until(make), (2, 3, 3, 3), rng.choice(["", " "]))


def _icao(text: str) -> str:
    return str(sum(int(char, 36) * (7, 3, 1)[index % 3] for index, char in enumerate(text)) % 10)


def de_personalausweis(rng: random.Random) -> str:
    body = rng.choice("LMNPRTVWXY") + "".join(rng.choices("0123456789CFGHJKLMNPRTVWXYZ", k=8))
    return body + _icao(body)


def fr_nir(rng: random.Random) -> str:
    year, month, _ = birthday(rng)
    body = f"{rng.choice('12')}{year % 100:02d}{month:02d}{rng.randint(1, 95):02d}{rng.randint(1, 990):03d}{rng.randint(1, 999):03d}"
    number = f"{body}{97 - int(body) % 97:02d}"
    return group(number, (1, 2, 2, 2, 3, 3, 2), rng.choice(["", " "]))


_NIF = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_nif(rng: random.Random) -> str:
    body = digits(rng, 8)
    return body + rng.choice(["", "-"]) + _NIF[int(body) % 23]


def es_nie(rng: random.Random) -> str:
    lead, body = rng.choice("XYZ"), digits(rng, 7)
    return lead + body + _NIF[int(str("XYZ".index(lead)) + body) % 23]


def it_fiscal_code(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    consonants = "BCDFGLMNPRSTVZ"
    body = "".join(rng.choices(consonants, k=6))
    body += f"{year % 100:02d}{'ABCDEHLMPRST'[month - 1]}{day + rng.choice([0, 40]):02d}H{rng.randint(100, 999)}"
    odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
    values = [int(char) if char.isdigit() else _UPPER.index(char) for char in body]
    return body + _UPPER[sum(odd[v] if index % 2 == 0 else v for index, v in enumerate(values)) % 26]


def pl_pesel(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{year % 100:02d}{month:02d}{day:02d}{digits(rng, 4)}"
    return body + str(-weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def nl_bsn(rng: random.Random) -> str:
    def make() -> str | None:
        body = digits(rng, 8, "12345678")
        check = weighted(body, range(9, 1, -1)) % 11
        return None if check == 10 else body + str(check)

    return until(make)


def be_nn(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{year % 100:02d}{month:02d}{day:02d}{rng.randint(1, 997):03d}"
    number = f"{body}{97 - int(body) % 97:02d}"
    return rng.choice([number, f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}"])


def se_personnummer(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{year % 100:02d}{month:02d}{day:02d}{digits(rng, 3)}"
    number = body + luhn_digit(body)
    return rng.choice(["", str(year // 100)]) + number[:6] + "-" + number[6:]


def fi_hetu(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    date, serial = f"{day:02d}{month:02d}{year % 100:02d}", rng.randint(2, 899)
    return f"{date}-{serial:03d}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(f'{date}{serial:03d}') % 31]}"


def dk_cpr(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    return f"{day:02d}{month:02d}{year % 100:02d}-{rng.choice('0123')}{digits(rng, 3)}"


def ch_ahv(rng: random.Random) -> str:
    body = "756" + digits(rng, 9)
    number = body + str(-weighted(body, (1, 3) * 6) % 10)
    return group(number, (3, 4, 4, 2), rng.choice(["", "."]))


def at_svnr(rng: random.Random) -> str:
    def make() -> str | None:
        year, month, day = birthday(rng)
        serial, date = digits(rng, 3, "123456789"), f"{day:02d}{month:02d}{year % 100:02d}"
        check = weighted(serial + date, (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
        return None if check == 10 else f"{serial}{check}{date}"

    return group(until(make), (4, 6), rng.choice(["", " "]))


def pt_nif(rng: random.Random) -> str:
    body = digits(rng, 8, "12")
    return body + str((11 - weighted(body, range(9, 1, -1)) % 11) % 11 % 10)


def ie_pps(rng: random.Random) -> str:
    body = digits(rng, 7)
    return body + "WABCDEFGHIJKLMNOPQRSTUV"[weighted(body, range(8, 1, -1)) % 23]


def eu_vat(rng: random.Random) -> str:
    body = digits(rng, 8, "123456789")
    product = 10
    for char in body:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return f"DE{body}{(11 - product) % 10}"


_VERHOEFF_D = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
               [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
               [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
               [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]  # fmt: skip
_VERHOEFF_P = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def in_aadhaar(rng: random.Random) -> str:
    body = digits(rng, 11, "23456789")
    check = 0
    for index, char in enumerate(reversed(body), 1):
        value = int(char)
        for _ in range(index % 8):
            value = _VERHOEFF_P[value]
        check = _VERHOEFF_D[check][value]
    number = body + str([row[check] for row in _VERHOEFF_D].index(0))
    return group(number, (4, 4, 4), rng.choice(["", " "]))


def in_pan(rng: random.Random) -> str:
    return (
        "".join(rng.choices(_UPPER, k=3)) + "P" + rng.choice(_UPPER) + digits(rng, 4, "123456789") + rng.choice(_UPPER)
    )


def jp_mynumber(rng: random.Random) -> str:
    body = digits(rng, 11)
    rest = weighted(body, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return group(body + ("0" if rest <= 1 else str(11 - rest)), (4, 4, 4), rng.choice(["", " ", "-"]))


def kr_rrn(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{year % 100:02d}{month:02d}{day:02d}{rng.choice('12')}{digits(rng, 5, '0')}"
    number = body + str((11 - weighted(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10)
    return number[:6] + "-" + number[6:]


def cn_resident_id(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{rng.choice(['110101', '310104', '440305', '330106'])}{year}{month:02d}{day:02d}{digits(rng, 3)}"
    rest = sum(int(char) * pow(2, 17 - index, 11) for index, char in enumerate(body)) % 11
    return body + "10X98765432"[rest]


def sg_nric(rng: random.Random) -> str:
    series, body = rng.choice("STFG"), digits(rng, 7)
    total = weighted(body, (2, 7, 6, 5, 4, 3, 2)) + (4 if series in "TG" else 0)
    return series + body + ("JZIHGFEDCBA" if series in "ST" else "XWUTRQPNMLK")[total % 11]


def au_tfn(rng: random.Random) -> str:
    def make() -> str | None:
        body = digits(rng, 9, "123456789")
        return body if weighted(body, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 else None

    return group(until(make), (3, 3, 3), rng.choice(["", " "]))


def au_abn(rng: random.Random) -> str:
    body = digits(rng, 9, "123456789")
    total = weighted(body, (3, 5, 7, 9, 11, 13, 15, 17, 19))
    check = 0
    for value in range(10, 100):
        if (10 * (value // 10 - 1) + value % 10 + total) % 89 == 0:
            check = value
    return group(f"{check}{body}", (2, 3, 3, 3), rng.choice(["", " "]))


def au_medicare(rng: random.Random) -> str:
    body = digits(rng, 8, "23456")
    number = body + str(weighted(body, (1, 3, 7, 9, 1, 3, 7, 9)) % 10) + rng.choice("123")
    return group(number, (4, 5, 1), rng.choice(["", " "]))


def th_id(rng: random.Random) -> str:
    body = digits(rng, 12, "12345678")
    number = body + str((11 - weighted(body, range(13, 1, -1)) % 11) % 10)
    return rng.choice([number, group(number, (1, 4, 5, 2, 1), "-")])


def tw_id(rng: random.Random) -> str:
    letter = rng.choice("ABCDEFGH")
    code, body = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter), rng.choice("12") + digits(rng, 7)
    total = code // 10 + 9 * (code % 10) + weighted(body, range(8, 0, -1))
    return letter + body + str(-total % 10)


def hk_id(rng: random.Random) -> str:
    letter, body = rng.choice(_UPPER), digits(rng, 6)
    rest = -(36 * 9 + (ord(letter) - 55) * 8 + weighted(body, range(7, 1, -1))) % 11
    return f"{letter}{body}({'A' if rest == 10 else rest})"


def ca_sin(rng: random.Random) -> str:
    body = digits(rng, 8, "124567")
    return group(body + luhn_digit(body), (3, 3, 3), rng.choice(["", " ", "-"]))


def br_cpf(rng: random.Random) -> str:
    body = digits(rng, 9)
    for start in (10, 11):
        rest = weighted(body, range(start, 1, -1)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return rng.choice([body, f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"])


def br_cnpj(rng: random.Random) -> str:
    body = digits(rng, 8) + "0001"
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = weighted(body, weights) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return rng.choice([body, f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:12]}-{body[12:]}"])


def mx_curp(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{rng.choice('GLMR')}{rng.choice('AEIO')}{rng.choice('XRTL')}{rng.choice('PNML')}{year % 100:02d}{month:02d}{day:02d}"
    body += rng.choice("HM") + rng.choice(["DF", "JC", "NL", "OC"]) + "".join(rng.choices("BCDFGLMNPRSTZ", k=3)) + "0"
    alphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
    total = sum((18 - index) * alphabet.index(char) for index, char in enumerate(body))
    return body + str(-total % 10)


def ar_cuit(rng: random.Random) -> str:
    def make() -> str | None:
        body = rng.choice(["20", "27", "30"]) + digits(rng, 8)
        check = (11 - weighted(body, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11
        return None if check == 10 else body + str(check)

    number = until(make)
    return rng.choice([number, f"{number[:2]}-{number[2:10]}-{number[10]}"])


def cl_rut(rng: random.Random) -> str:
    body = digits(rng, 8, "12")
    check = "0K987654321"[weighted(body, (3, 2, 7, 6, 5, 4, 3, 2)) % 11]
    return rng.choice([f"{body}-{check}", f"{body[:2]}.{body[2:5]}.{body[5:]}-{check}"])


def za_id(rng: random.Random) -> str:
    year, month, day = birthday(rng)
    body = f"{year % 100:02d}{month:02d}{day:02d}{digits(rng, 4)}{rng.choice('01')}8"
    return body + luhn_digit(body)


def il_id(rng: random.Random) -> str:
    body = digits(rng, 8)
    return body + luhn_digit(body)


def tr_tckn(rng: random.Random) -> str:
    body = digits(rng, 9, "123456789")
    values = [int(char) for char in body]
    tenth = (7 * sum(values[0::2]) - sum(values[1::2])) % 10
    return body + str(tenth) + str((sum(values) + tenth) % 10)


def itin(rng: random.Random) -> str:
    return f"9{rng.randint(0, 99):02d}-{rng.choice([*range(50, 66), *range(70, 89), 90, 91, 92]):02d}-{rng.randint(0, 9999):04d}"


def us_npi(rng: random.Random) -> str:
    body = digits(rng, 9, "12")
    return body + luhn_digit("80840" + body)


def us_dea(rng: random.Random) -> str:
    body = digits(rng, 6)
    check = (int(body[0]) + int(body[2]) + int(body[4]) + 2 * (int(body[1]) + int(body[3]) + int(body[5]))) % 10
    return rng.choice("ABFM") + rng.choice(_UPPER) + body + str(check)


def us_bank_routing(rng: random.Random) -> str:
    body = f"{rng.choice([2, 7, 11, 21, 26, 31]):02d}{digits(rng, 6)}"
    return body + str(-weighted(body, (3, 7, 1, 3, 7, 1, 3, 7)) % 10)


_B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def bitcoin_address(rng: random.Random) -> str:
    payload = b"\x00" + rng.randbytes(20)
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    value, out = int.from_bytes(payload, "big"), ""
    while value:
        value, rest = divmod(value, 58)
        out = _B58[rest] + out
    return "1" * (len(payload) - len(payload.lstrip(b"\x00"))) + out


def ethereum_address(rng: random.Random) -> str:
    return "0x" + rng.randbytes(20).hex()
