"""Entities out of texts by name: overlapping ones leave no part of either behind."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.guardrail.domain.entities import NAMES
from services.guardrail.domain.redacting import redact, unknown


def test_every_entity_and_alias_is_known_and_nothing_else() -> None:
    assert unknown([*NAMES, "email_address", "No", "emaill"]) == ["No", "emaill"]


def test_overlapping_entities_leave_nothing_behind() -> None:
    text = "card 4111 1111 1111 1111 mail a.4111111111111111@example.com"
    redacted = redact(text, ["credit_card", "email", "phone"])
    assert not any(char.isdigit() for char in redacted), redacted


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.lists(st.sampled_from(NAMES), max_size=4))
def test_any_text_is_redacted_without_an_exception(text: str, names: list[str]) -> None:
    assert redact(redact(text, names), []) == redact(text, names)
