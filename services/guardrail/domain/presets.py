"""Presets: named seeds of ordinary, editable rules."""

from __future__ import annotations

from typing import Any

_SHIELD = ["email", "phone", "credit_card", "iban", "ip", "ssn", "itin", "us_passport", "us_driver_license"]
_HEALTH = ["mrn", "icd10", "ndc", "us_npi", "us_dea", "uk_nhs", "au_medicare"]
_EU_UK = [
    "iban", "eu_vat", "uk_nhs", "uk_nino", "de_steuer_id", "de_personalausweis", "fr_nir", "es_nif", "es_nie",
    "it_fiscal_code", "pl_pesel", "nl_bsn", "be_nn", "se_personnummer", "fi_hetu", "dk_cpr", "ch_ahv", "at_svnr",
    "pt_nif", "ie_pps",
]  # fmt: skip
_SENSITIVE_FILES = (
    r"(?i)(?:^|[\s/\\'\"`])(?:\.env(?:\.[a-z]{1,16})?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.npmrc|\.pypirc"
    r"|\.htpasswd|credentials\.json|service-account\.json|secrets?\.ya?ml|terraform\.tfstate|kubeconfig)\b"
)


def presets() -> list[dict[str, Any]]:
    """Fresh copies: id, name, description and rules as `POST /api/guardrail` takes them."""
    return [
        _preset("pii_shield", "PII Shield", "Masks personal data both ways.", _pii("mask", _SHIELD)),
        _preset(
            "secrets_blocker",
            "Secrets Blocker",
            "Refuses credentials both ways.",
            {"type": "secrets", "stage": "both", "action": "block"},
        ),
        _preset(
            "prompt_attack_basics",
            "Prompt-Attack Basics",
            "Records injections and jailbreaks in requests, changes nothing.",
            {"type": "prompt_attack", "stage": "input", "action": "flag", "sensitivity": "medium"},
        ),
        _preset(
            "compliance_logger",
            "Compliance Logger",
            "Records personal data and credentials, changes nothing.",
            _pii("flag", _SHIELD),
            {"type": "secrets", "stage": "both", "action": "flag"},
        ),
        _preset("pci_card_block", "PCI Card Block", "Refuses card numbers.", _pii("block", ["credit_card"])),
        _preset(
            "healthcare_identifier_block",
            "Healthcare Identifier Block",
            "Refuses identifiers of patients, prescribers and treatments.",
            _pii("block", _HEALTH),
        ),
        _preset(
            "eu_uk_identifier_block",
            "EU/UK Identifier Block",
            "Refuses European identifiers.",
            _pii("block", _EU_UK),
        ),
        _preset(
            "code_secret_file_block",
            "Code-Secret-File Block",
            "Refuses credentials, and files that are known to hold them.",
            {"type": "secrets", "stage": "both", "action": "block"},
            {"type": "regex", "stage": "both", "action": "block", "pattern": _SENSITIVE_FILES, "max_match": 64},
        ),
        _preset(
            "brand_denylist",
            "Brand Denylist",
            "Masks names that must not be said; edit the terms.",
            {"type": "keyword", "stage": "both", "action": "mask", "terms": ["Example Brand"], "whole_word": True},
        ),
    ]


def _preset(preset_id: str, name: str, description: str, *rules: dict[str, Any]) -> dict[str, Any]:
    labelled = [{"label": name, **rule} for rule in rules]
    return {"id": preset_id, "name": name, "description": description, "rules": labelled}


def _pii(action: str, entities: list[str]) -> dict[str, Any]:
    return {"type": "pii", "stage": "both", "action": action, "entities": list(entities)}
