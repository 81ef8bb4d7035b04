"""The catalogue of `pii` entities: names, aliases, mask tags and how each is found.

An entity is one or more shapes with a validator. Numbers whose shape alone is ambiguous need one of their
context words within 48 characters before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter

from stdnum import luhn
from stdnum.au import abn as au_abn
from stdnum.au import tfn as au_tfn
from stdnum.br import cnpj as br_cnpj
from stdnum.br import cpf as br_cpf
from stdnum.ca import sin as ca_sin
from stdnum.de import idnr as de_idnr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.gb import nhs as gb_nhs
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.in_ import pan as in_pan
from stdnum.it import codicefiscale as it_codicefiscale
from stdnum.nl import bsn as nl_bsn
from stdnum.pl import pesel as pl_pesel
from stdnum.us import itin as us_itin
from stdnum.us import rtn as us_rtn

from services.guardrail.domain import validators
from services.guardrail.domain.finders import Accept, EmailFinder, Finder, Gate, ShapeFinder
from services.guardrail.domain.text import TextView

_HAS_DIGIT: Gate = attrgetter("has_digit")
_HAS_NUMBER: Gate = attrgetter("has_number")
_NUMERIC = b"0123456789 -.,"
_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -.,/"

ALIASES: Mapping[str, str] = {
    "email_address": "email",
    "phone_number": "phone",
    "us_ssn": "ssn",
    "ssn_us": "ssn",
    "ip_address": "ip",
    "iban_code": "iban",
    "card": "credit_card",
    "credit_card_number": "credit_card",
    "us_itin": "itin",
    "mac": "mac_address",
}
"""Names of well-known vocabularies, in lower case, and ours."""


def _checked(valid: Callable[[str], bool], words: str = "") -> Accept:
    """An acceptor from a checksum, and context words (alternatives of a regular expression) where needed."""
    context = re.compile(rf"(?i)\b(?:{words})\b".encode()) if words else None

    def accept(data: bytes, start: int, end: int) -> int | None:
        if validators.continues_number(data, start, end):
            return None
        if context is not None and not validators.context_before(data, start, context):
            return None
        return end if valid(data[start:end].decode("ascii")) else None

    return accept


def _always(_text: str) -> bool:
    return True


def _any_text(_view: TextView) -> bool:
    return True


def _shape(shape: str, accept: Accept, longest: int, *, alphabet: bytes, gate: Gate) -> Finder:
    """A shape that begins at a word's begin; `longest` is in characters."""
    numeric = shape.removeprefix(r"\b").startswith(("[0-9]", "[2-9]", "9[", "0x"))
    opener = r"\b[0-9]" if numeric else r"\b\w"
    return ShapeFinder(shape, accept, alphabet=alphabet, longest=longest, opener=opener, gate=gate)


def _email() -> tuple[Finder, ...]:
    return (EmailFinder(),)


def _phone() -> tuple[Finder, ...]:
    shape = r"(?:\+ ?|\(|\b)[0-9](?:[ \-./()]{0,2}[0-9]){6,14}"
    return (
        ShapeFinder(
            shape,
            validators.phone,
            gate=_HAS_NUMBER,
            alphabet=b"0123456789 -./()+,",
            longest=46,
            opener=r"[+(]|\b[0-9]",
        ),
    )


def _credit_card() -> tuple[Finder, ...]:
    return (
        ShapeFinder(
            r"\b[0-9](?:[ -]{0,2}[0-9]){11,18}",
            validators.credit_card,
            gate=_HAS_NUMBER,
            alphabet=_NUMERIC,
            longest=55,
            opener=r"\b[0-9]",
        ),
    )


def _ssn() -> tuple[Finder, ...]:
    shape = r"\b[0-9]{3}[ .-][0-9]{2}[ .-][0-9]{4}\b|\b[0-9]{9}\b"
    return (ShapeFinder(shape, validators.ssn, gate=_HAS_NUMBER, alphabet=_NUMERIC, longest=11, opener=r"\b[0-9]"),)


def _ip() -> tuple[Finder, ...]:
    return (
        ShapeFinder(
            r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",
            validators.ip_v4,
            gate=attrgetter("has_dotted"),
            alphabet=b"0123456789.,",
            longest=15,
            opener=r"\b[0-9]",
        ),
        ShapeFinder(
            r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,40}",
            validators.ip_v6,
            alphabet=b"0123456789abcdefABCDEF:.",
            longest=45,
            opener=r"\b[0-9A-Fa-f]|:",
            gate=attrgetter("has_colon"),
        ),
    )


def _iban() -> tuple[Finder, ...]:
    return (
        ShapeFinder(
            r"\b[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}",
            validators.iban,
            alphabet=_ALPHANUMERIC,
            longest=64,
            opener=r"\b[A-Za-z]{2}[0-9]{2}|\b[A-Za-z]{1,2}[0-9]?\Z",
        ),
    )


_SIMPLE: Mapping[str, tuple[str, Callable[[str], bool], str, int]] = {
    # name: (shape, checksum, context words, longest in characters)
    "mac_address": (r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b", _always, "", 17),
    "ethereum_address": (r"\b0x[0-9a-fA-F]{40}\b", _always, "", 42),
    "aws_access_key": (r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", _always, "", 20),
    "itin": (r"\b9[0-9]{2}-[0-9]{2}-[0-9]{4}\b", us_itin.is_valid, "", 11),
    "us_bank_routing": (r"\b[0-9]{9}\b", us_rtn.is_valid, "routing|aba|rtn", 9),
    "uk_nhs": (r"\b[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}\b", gb_nhs.is_valid, "nhs|patient", 12),
    "de_steuer_id": (
        r"\b[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b",
        de_idnr.is_valid,
        r"steuer|steuer-?id|steueridentifikationsnummer|idnr|tax",
        14,
    ),
    "es_nif": (r"\b[0-9]{8}-?[A-Za-z]\b", es_dni.is_valid, "", 10),
    "es_nie": (r"\b[XYZxyz]-?[0-9]{7}-?[A-Za-z]\b", es_nie.is_valid, "", 11),
    "it_fiscal_code": (
        r"\b[A-Za-z]{6}[0-9LMNPQRSTUVlmnpqrstuv]{2}[A-Za-z][0-9LMNPQRSTUVlmnpqrstuv]{2}[A-Za-z][0-9A-Za-z]{3}[A-Za-z]\b",
        it_codicefiscale.is_valid,
        "",
        16,
    ),
    "pl_pesel": (r"\b[0-9]{11}\b", pl_pesel.is_valid, "pesel", 11),
    "nl_bsn": (r"\b[0-9]{9}\b", nl_bsn.is_valid, "bsn|burgerservicenummer|sofinummer", 9),
    "in_aadhaar": (r"\b[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}\b", in_aadhaar.is_valid, "aadhaar|aadhar|uidai|uid", 14),
    "in_pan": (r"\b[A-Z]{5}[0-9]{4}[A-Z]\b", in_pan.is_valid, "", 10),
    "au_tfn": (r"\b[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b", au_tfn.is_valid, "tfn|tax file", 11),
    "au_abn": (r"\b[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}\b", au_abn.is_valid, "abn|business number", 14),
    "ca_sin": (r"\b[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}\b", ca_sin.is_valid, "sin|social insurance|nas", 11),
    "br_cpf": (r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b", br_cpf.is_valid, "", 14),
    "br_cnpj": (r"\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b", br_cnpj.is_valid, "", 18),
}

_DIGITLESS = frozenset({"mac_address", "aws_access_key", "it_fiscal_code"})
"""Entities that may be written without a digit, so that a text without digits is searched for them too."""

_BUILDERS: Mapping[str, Callable[[], tuple[Finder, ...]]] = {
    "email": _email,
    "phone": _phone,
    "credit_card": _credit_card,
    "ssn": _ssn,
    "ip": _ip,
    "iban": _iban,
}

NAMES: tuple[str, ...] = (*_BUILDERS, *_SIMPLE)
"""Every entity that a `pii` rule may name, in catalogue order."""


def canonical(name: str) -> str | None:
    """Our name for `name` or one of its aliases; None when unknown."""
    lowered = name.strip().lower()
    lowered = ALIASES.get(lowered, lowered)
    return lowered if lowered in _BUILDERS or lowered in _SIMPLE else None


def tag_of(name: str) -> str:
    """The mask tag of an entity."""
    return f"[{name.upper()}]"


@cache
def finders_of(name: str) -> tuple[Finder, ...]:
    """Finders of one catalogue entity; stateless, shared by every policy of the process."""
    builder = _BUILDERS.get(name)
    if builder is not None:
        return builder()
    shape, valid, words, longest = _SIMPLE[name]
    gate = _any_text if name in _DIGITLESS else _HAS_DIGIT
    return (_shape(shape, _checked(valid, words), longest, alphabet=_ALPHANUMERIC + b":", gate=gate),)


def luhn_holds(text: str) -> bool:
    """Checksum of a custom entity: the Luhn digit over the text's ASCII digits."""
    digits = "".join(char for char in text if char in "0123456789")
    return len(digits) > 1 and luhn.is_valid(digits)
