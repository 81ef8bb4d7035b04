"""The registry of `pii` entities: names, aliases, mask tags and how each is found.

What an entity looks like is data in `catalogue`; this module looks it up. Names are snake case and stable:
policies, events and mask tags carry them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from services.guardrail.domain.catalogue import americas_africa, asia_pacific, credentials, europe, universal, us
from services.guardrail.domain.catalogue.entry import Entity
from services.guardrail.domain.finders import BuiltIn
from services.guardrail.domain.validators import luhn_holds

__all__ = ["ALIASES", "CATALOGUE", "NAMES", "canonical", "finder_of", "luhn_holds", "tag_of"]

CATALOGUE: Mapping[str, Entity] = {
    entity.name: entity
    for module in (universal, credentials, us, europe, asia_pacific, americas_africa)
    for entity in module.ENTITIES
}

NAMES: tuple[str, ...] = tuple(CATALOGUE)
"""Every entity that a `pii` rule may name, in catalogue order."""

ALIASES: Mapping[str, str] = {
    # Presidio
    "email_address": "email",
    "phone_number": "phone",
    "iban_code": "iban",
    "ip_address": "ip",
    "crypto": "bitcoin_address",
    "us_ssn": "ssn",
    "us_itin": "itin",
    "sg_nric_fin": "sg_nric",
    "fi_personal_identity_code": "fi_hetu",
    "th_tnin": "th_id",
    "de_tax_id": "de_steuer_id",
    "de_id_card": "de_personalausweis",
    "medical_license": "us_dea",
    # Amazon Comprehend
    "credit_debit_number": "credit_card",
    "international_bank_account_number": "iban",
    "swift_code": "swift_bic",
    "bank_routing": "us_bank_routing",
    "driver_id": "us_driver_license",
    "passport_number": "us_passport",
    "uk_national_insurance_number": "uk_nino",
    "uk_national_health_service_number": "uk_nhs",
    "ca_social_insurance_number": "ca_sin",
    "us_individual_tax_identification_number": "itin",
    "in_permanent_account_number": "in_pan",
    # Google Sensitive Data Protection
    "credit_card_number": "credit_card",
    "us_social_security_number": "ssn",
    "us_individual_taxpayer_identification_number": "itin",
    "us_bank_routing_micr": "us_bank_routing",
    "us_healthcare_npi": "us_npi",
    "us_dea_number": "us_dea",
    "us_drivers_license_number": "us_driver_license",
    "germany_identity_card_number": "de_personalausweis",
    "germany_taxpayer_identification_number": "de_steuer_id",
    "france_nir": "fr_nir",
    "spain_nif_number": "es_nif",
    "spain_nie_number": "es_nie",
    "italy_fiscal_code": "it_fiscal_code",
    "poland_pesel_number": "pl_pesel",
    "netherlands_bsn_number": "nl_bsn",
    "sweden_national_id_number": "se_personnummer",
    "finland_national_id_number": "fi_hetu",
    "denmark_cpr_number": "dk_cpr",
    "switzerland_social_security_number": "ch_ahv",
    "ireland_ppsn": "ie_pps",
    "india_aadhaar_individual": "in_aadhaar",
    "india_pan_individual": "in_pan",
    "japan_individual_number": "jp_mynumber",
    "korea_rrn": "kr_rrn",
    "china_resident_id_number": "cn_resident_id",
    "singapore_national_registration_id_number": "sg_nric",
    "australia_tax_file_number": "au_tfn",
    "australia_medicare_number": "au_medicare",
    "thailand_national_id_number": "th_id",
    "hong_kong_id_number": "hk_id",
    "canada_social_insurance_number": "ca_sin",
    "brazil_cpf_number": "br_cpf",
    "mexico_curp_number": "mx_curp",
    "chile_cdi_number": "cl_rut",
    "south_africa_id_number": "za_id",
    "israel_identity_card_number": "il_id",
    "turkish_id_number": "tr_tckn",
    "icd10_code": "icd10",
    "medical_record_number": "mrn",
    "json_web_token": "jwt",
    # Everyday names
    "ssn_us": "ssn",
    "social_security_number": "ssn",
    "card": "credit_card",
    "mac": "mac_address",
    "ipv4": "ip",
    "ipv6": "ip",
    "bic": "swift_bic",
    "swift": "swift_bic",
    "dob": "date_of_birth",
    "us_routing_number": "us_bank_routing",
    "aba_routing_number": "us_bank_routing",
    "npi": "us_npi",
    "dea": "us_dea",
    "us_drivers_license": "us_driver_license",
    "ethereum": "ethereum_address",
    "bitcoin": "bitcoin_address",
    "openai_api_key": "api_key_openai",
    "nhs": "uk_nhs",
    "nino": "uk_nino",
    "es_dni": "es_nif",
    "cpf": "br_cpf",
    "cnpj": "br_cnpj",
    "aadhaar": "in_aadhaar",
    "pesel": "pl_pesel",
    "bsn": "nl_bsn",
    "vat": "eu_vat",
    "eu_vat_number": "eu_vat",
    "icd_10": "icd10",
}
"""Names of well-known vocabularies and everyday ones, in lower case, and ours."""


def canonical(name: str) -> str | None:
    """Our name for `name` or one of its aliases; None when unknown."""
    lowered = name.strip().lower().replace("-", "_").replace(" ", "_")
    lowered = ALIASES.get(lowered, lowered)
    return lowered if lowered in CATALOGUE else None


def tag_of(name: str) -> str:
    """The mask tag of an entity."""
    return f"[{name.upper()}]"


@cache
def finder_of(name: str) -> BuiltIn:
    """The finder of one catalogue entity; stateless, shared by every policy of the process."""
    return CATALOGUE[name].build()
