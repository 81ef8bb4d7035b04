"""Made-up identifiers without a checksum, and credentials that count as personal data, after their published forms."""

from __future__ import annotations

import base64
import json
import random

from tests.bench.pii_numbers import digits

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORD = _UPPER + _UPPER.lower() + "0123456789"


def _letters(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(_UPPER, k=count))


def swift_bic(rng: random.Random) -> str:
    """ISO 9362: bank, country, location, and often a branch."""
    country = rng.choice(["DE", "FR", "GB", "US", "JP", "CH", "NL", "SE", "BR", "IN"])
    return _letters(rng, 4) + country + "".join(rng.choices(_WORD[:26] + "23456789", k=2)) + rng.choice(["", "XXX"])


def url(rng: random.Random) -> str:
    host = rng.choice(["example.com", "docs.example.org", "shop.example.co.uk", "localhost:8080", "wiki.internal"])
    path = rng.choice(["", "/", "/a/b.html", "/search?q=a+b&page=2", "/path_(x)", "/#top"])
    return rng.choice(["https://", "http://", "ftp://"]) + host + path


def jwt(rng: random.Random) -> str:
    """RFC 7519, signed: header, claims, signature."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = json.dumps({"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}).encode()
    return f"{part(head)}.{part(json.dumps({'sub': digits(rng, 8)}).encode())}.{part(rng.randbytes(32))}"


def aws_access_key(rng: random.Random) -> str:
    return rng.choice(["AKIA", "ASIA"]) + "".join(rng.choices(_UPPER + "234567", k=16))


def api_key_openai(rng: random.Random) -> str:
    def run(count: int) -> str:
        return "".join(rng.choices(_WORD, k=count))

    return rng.choice([f"sk-{run(20)}T3BlbkFJ{run(20)}", f"sk-proj-{run(74)}T3BlbkFJ{run(74)}"])


def us_passport(rng: random.Random) -> str:
    """Nine digits, or since 2021 a letter and eight."""
    return rng.choice([digits(rng, 9), _letters(rng, 1) + digits(rng, 8)])


def us_driver_license(rng: random.Random) -> str:
    """California, Virginia: a letter and digits; New York: nine digits; Florida: with hyphens; Texas: eight digits."""
    return rng.choice(
        [
            _letters(rng, 1) + digits(rng, 7),
            _letters(rng, 1) + digits(rng, 8),
            digits(rng, 9),
            digits(rng, 8),
            f"{_letters(rng, 1)}{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 3)}",
        ]
    )


def icd10(rng: random.Random) -> str:
    chapter = rng.choice("ABCDEFGHIJKLMNOPQRST")
    return f"{chapter}{rng.randint(0, 99):02d}" + rng.choice(["", f".{rng.randint(0, 9)}", f".{rng.randint(10, 99)}"])


def ndc(rng: random.Random) -> str:
    """21 CFR 207.33: labeler, product, package."""
    sizes = rng.choice([(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)])
    return "-".join(digits(rng, size) for size in sizes)


def mrn(rng: random.Random) -> str:
    return rng.choice([digits(rng, rng.randint(6, 9)), f"{_letters(rng, 2)}-{digits(rng, 7)}"])
