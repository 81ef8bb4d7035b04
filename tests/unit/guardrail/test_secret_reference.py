"""The printed catalogue of detectors is current."""

from __future__ import annotations

from services.guardrail import secret_reference


def test_the_page_lists_the_catalogue() -> None:
    text = secret_reference.PAGE.read_text(encoding="utf-8")
    assert secret_reference.rendered(text) == text, "run `make docs`"
