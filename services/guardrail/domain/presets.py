"""Presets: named seeds of ordinary, editable rules. Those that need rule types not evaluated here are left out."""

from __future__ import annotations

from typing import Any

_SHIELD = ["email", "phone", "credit_card", "ssn", "ip", "iban"]
_EU_UK = ["iban", "uk_nhs", "de_steuer_id", "es_nif", "es_nie", "it_fiscal_code", "pl_pesel", "nl_bsn"]


def presets() -> list[dict[str, Any]]:
    """Fresh copies: id, name, description and rules as `POST /api/guardrail` takes them."""
    return [
        _preset("pii_shield", "PII Shield", "Masks personal data both ways.", _pii("mask", "both", _SHIELD)),
        _preset(
            "compliance_logger",
            "Compliance Logger",
            "Records personal data, changes nothing.",
            _pii("flag", "both", _SHIELD),
        ),
        _preset("pci_card_block", "PCI Card Block", "Refuses card numbers.", _pii("block", "both", ["credit_card"])),
        _preset(
            "eu_uk_identifier_block",
            "EU/UK Identifier Block",
            "Refuses European identifiers.",
            _pii("block", "both", _EU_UK),
        ),
        _preset(
            "brand_denylist",
            "Brand Denylist",
            "Masks names that must not be said; edit the terms.",
            {"type": "keyword", "stage": "both", "action": "mask", "terms": ["Example Brand"], "whole_word": True},
        ),
    ]


def _preset(preset_id: str, name: str, description: str, rule: dict[str, Any]) -> dict[str, Any]:
    return {"id": preset_id, "name": name, "description": description, "rules": [{"label": name, **rule}]}


def _pii(action: str, stage: str, entities: list[str]) -> dict[str, Any]:
    return {"type": "pii", "stage": stage, "action": action, "entities": list(entities)}
