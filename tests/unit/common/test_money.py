"""Money: exact, rounded in one place."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.money import cost_nano, format_usd, parse_usd, round_reservation, round_settlement

AMOUNTS = st.integers(min_value=0, max_value=10**18)


@given(AMOUNTS)
def test_formatting_round_trips(nano_usd: int) -> None:
    assert parse_usd(format_usd(nano_usd)) == nano_usd


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=10**12))
def test_rounding_agrees_with_decimal(tokens: int, price: int) -> None:
    exact = Decimal(cost_nano(tokens, price)) / 1_000_000
    assert round_reservation(cost_nano(tokens, price)) == int(exact.to_integral_value(ROUND_CEILING))
    assert round_settlement(cost_nano(tokens, price)) == int(exact.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    ("value", "nano"), [("0.05", 50_000_000), (5, 5_000_000_000), (0.1, 100_000_000), ("1e-9", 1), ("0", 0)]
)
def test_amounts_are_read_exactly(value: str | int | float, nano: int) -> None:
    assert parse_usd(value) == nano


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "x", "1e20", "0.0000000001", "", "1" * 50, True])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_usd(value)
