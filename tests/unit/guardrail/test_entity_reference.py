"""The documentation's table of entities is complete and current."""

from __future__ import annotations

import pytest

from services.guardrail import entity_reference
from services.guardrail.domain import entities


def test_the_page_has_the_current_table() -> None:
    text = entity_reference.PAGE.read_text(encoding="utf-8")
    assert entity_reference.page(text) == text, "run `make docs`"


def test_every_entity_says_how_it_is_validated() -> None:
    assert [name for name, entity in entities.CATALOGUE.items() if not entity.validation] == []
    assert all(f"| `{name}` |" in entity_reference.table() for name in entities.NAMES)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks"):
        entity_reference.page("# Guardrails")
