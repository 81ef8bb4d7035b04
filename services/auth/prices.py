"""The maintained price library, read offline from its package data; output maxima are entered by hand
(`output_maxima.py`)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from genai_prices.data_snapshot import get_snapshot

from services.auth.domain.prices import ECHO, ECHO_PRICE, Price
from services.auth.output_maxima import max_output_tokens
from services.common.money import NANO_PER_USD


def library_price(model_id: str) -> Price | None:
    """Price of `provider/model`, None when the library has none."""
    return ECHO_PRICE if model_id == ECHO else _lookup(model_id)


def with_known_bounds(model_id: str, override: Price) -> Price:
    """An override, with the library's bounds where it gives none: it changes what a model costs, not what it is."""
    known = library_price(model_id)
    if known is None:
        return override
    return replace(
        override,
        context_length=override.context_length or known.context_length,
        max_output_tokens=override.max_output_tokens or known.max_output_tokens,
    )


@cache
def _lookup(model_id: str) -> Price | None:
    provider_id, _, name = model_id.partition("/")
    if not name:
        return None
    try:
        _, model = get_snapshot().find_provider_model(name, None, provider_id, None)
    except LookupError:
        return None
    variants = [model.get_prices(_now())]
    variants += [variant.prices for variant in getattr(model, "price_variants", None) or ()]
    base = variants[0]
    inputs, outputs = _amounts(base.input_mtok), _amounts(base.output_mtok)
    if not inputs or not outputs:
        return None
    cached = _amounts(base.cache_read_mtok) or inputs
    all_inputs = [amount for prices in variants for amount in _amounts(prices.input_mtok)]
    all_outputs = [amount for prices in variants for amount in _amounts(prices.output_mtok)]
    return Price(
        input_nano_usd_per_mtok=inputs[0],
        cached_input_nano_usd_per_mtok=cached[0],
        output_nano_usd_per_mtok=outputs[0],
        request_nano_usd=_request(base),
        context_length=int(model.context_window or 0),
        max_output_tokens=max_output_tokens(model_id),
        source="library",
        max_input_nano_usd_per_mtok=max([*all_inputs, *_amounts(base.cache_write_mtok)]),
        max_output_nano_usd_per_mtok=max(all_outputs),
    )


def _now() -> Any:
    import datetime

    return datetime.datetime.now(datetime.UTC)


def _amounts(value: Any) -> list[int]:
    """Nano-USD per million tokens of a flat or tiered price; the base first."""
    if value is None:
        return []
    if isinstance(value, Decimal | int | float):
        return [int(Decimal(str(value)) * NANO_PER_USD)]
    prices = [value.base, *(tier.price for tier in value.tiers)]
    return [int(Decimal(str(price)) * NANO_PER_USD) for price in prices]


def _request(prices: Any) -> int:
    value = getattr(prices, "requests_kcount", None)
    return int(Decimal(str(value)) * NANO_PER_USD / 1000) if value is not None else 0
