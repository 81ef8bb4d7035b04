"""Identifiers of the United States, and medical ones."""

from __future__ import annotations

import re

from stdnum.us import rtn as us_rtn

from services.guardrail.domain import acceptors, validators
from services.guardrail.domain.catalogue.entry import Entity, bound, forms, raw
from services.guardrail.domain.validators import always

_SSN = (
    "ssn|ss|my social|your social|social is|social security|social security no|social security number|soc sec"
    "|ssa number|tax id|taxpayer id|taxpayer identification|tin"
)
_ITIN = "itin|individual taxpayer|taxpayer id|taxpayer identification|taxpayer|tin|tax id|tax identification"
_PASSPORT = "passport|passport no|passport number|passport book|travel document"
_ROUTING = "routing|aba|rtn|transit|bank routing|routing transit"
_NPI = "npi|national provider|national provider identifier|provider id|provider identifier|provider number|provider"
_DEA = "dea|dea number|dea registration|drug enforcement|prescriber"
_LICENSE = (
    "driver license|drivers license|driver's license|driving license|driver licence|drivers licence|driver's licence"
    "|driving licence|license number|licence number|license no|dl|dln|dl number|operator license|lic"
)
_ICD = (
    "icd|icd10|icd-10|icd-10-cm|diagnosis|diagnoses|diagnosed|diagnostic|dx|diagnosis code|diagnose"
    "|diagnostico|diagnostic code"
)
_NDC = "ndc|national drug code|drug code|drug|medication|rx|dispensed|prescription|prescribed"
_MRN = (
    "mrn|medical record|medical record no|medical record number|medical record num|patient id|patient number"
    "|patient no"
    "|chart number|chart no|hospital number|record number|emr|ehr"
)


def _is_license(text: str) -> bool:
    return 5 <= sum(char.isdigit() for char in text) <= 14


def _is_record(text: str) -> bool:
    return sum(char.isdigit() for char in text) >= 5


def _is_ndc(text: str) -> bool:
    """Labeler, product and package: 4-4-2, 5-3-2, 5-4-1 or 5-4-2. Source: 21 CFR 207.33."""
    groups = tuple(len(group) for group in re.split("-", text))
    return groups in ((4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2))


def _is_passport(text: str) -> bool:
    return len(set(text)) > 2


ENTITIES: tuple[Entity, ...] = (
    Entity(
        "ssn",
        "area, group and serial that may be issued (python-stdnum)",
        forms(
            raw(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", acceptors.unlabelled(validators.is_ssn)),
            bound(r"\b[0-9]{3}[ .\-]?[0-9]{2}[ .\-]?[0-9]{4}\b", validators.is_ssn, _SSN),
        ),
        context=_SSN,
        misses="numbers without hyphens and without a context word",
    ),
    Entity(
        "itin",
        "leading 9 and assigned groups",
        forms(
            raw(r"\b9[0-9]{2}-[0-9]{2}-[0-9]{4}\b", acceptors.unlabelled(validators.is_itin)),
            bound(r"\b9[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{4}\b", validators.is_itin, _ITIN),
        ),
        context=_ITIN,
    ),
    Entity(
        "us_passport",
        "nine digits, or a letter and eight digits",
        forms(bound(r"\b[A-Z0-9][0-9]{8}\b", _is_passport, _PASSPORT, ignore_case=True)),
        context=_PASSPORT,
    ),
    Entity(
        "us_bank_routing",
        "ABA checksum and Federal Reserve prefix (python-stdnum)",
        forms(bound(r"\b[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]\b", us_rtn.is_valid, _ROUTING)),
        context=_ROUTING,
    ),
    Entity(
        "us_npi",
        "Luhn over the number prefixed by 80840",
        forms(bound(r"\b[12][0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}\b", validators.is_us_npi, _NPI)),
        context=_NPI,
    ),
    Entity(
        "us_dea",
        "registrant type letter and checksum",
        forms(bound(r"\b[ABCDEFGHJKLMPRSTUX][A-Z9][ \-]?[0-9]{7}\b", validators.is_us_dea, _DEA, ignore_case=True)),
        context=_DEA,
    ),
    Entity(
        "us_driver_license",
        "the states' lengths and letters; no checksum exists",
        forms(
            raw(
                r"\b(?:[A-Z]{1,2}[ \-]?[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{2,4}(?:[ \-]?[0-9]{3})?"
                r"|[A-Z]{1,3}[0-9]{4,13}|[0-9]{7,10}"
                r"|[0-9]{3}[ \-][0-9]{3}[ \-][0-9]{3})\b",
                acceptors.whole(_is_license),
                _LICENSE,
                ignore_case=True,
            )
        ),
        context=_LICENSE,
        misses="formats of single states with letters in the middle",
    ),
    Entity(
        "icd10",
        "chapter letter and category of ICD-10",
        forms(bound(r"\b[A-TV-Z][0-9][0-9AB](?:\.[0-9A-TV-Z]{1,4})?\b", always, _ICD)),
        context=_ICD,
        misses="codes written without their dot or in small letters",
    ),
    Entity(
        "ndc",
        "labeler, product and package lengths",
        forms(raw(r"\b[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}\b", acceptors.whole(_is_ndc), _NDC)),
        context=_NDC,
        misses="eleven digits without hyphens",
    ),
    Entity(
        "mrn",
        "five digits or more after a word for it; every hospital has its own format",
        forms(raw(r"\b[A-Z]{0,3}-?[0-9]{5,12}\b", acceptors.whole(_is_record), _MRN, ignore_case=True)),
        context=_MRN,
    ),
)
