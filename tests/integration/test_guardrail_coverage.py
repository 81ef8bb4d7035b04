"""The cross of rule types, stages, actions, endpoints, streaming, choices and fields, and its printed page."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.guardrail.domain.drafts import TYPES
from tests.integration.guardrail_matrix import RULES, STAGES, Cell, cells, expected, render, rule_types, run

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_every_rule_type_is_crossed() -> None:
    assert set(TYPES) <= set(RULES)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rule_type", rule_types())
async def test_a_rule_does_what_it_says_wherever_text_stands(tmp_path: Path, rule_type: str, stage: str) -> None:
    observed = await run(rule_type, stage, tmp_path)
    assert observed == {cell: expected(cell) for cell in cells(rule_type, stage)}


def test_the_page_is_current() -> None:
    # Each cell of the page was just observed by the test above.
    said: dict[Cell, str] = {
        cell: expected(cell) for rule_type in rule_types() for stage in STAGES for cell in cells(rule_type, stage)
    }
    assert PAGE.read_text() == render(said)
