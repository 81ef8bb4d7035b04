"""Library prices have the bounds that a capped key's worst case needs."""

from __future__ import annotations

import pytest
from genai_prices.data_snapshot import get_snapshot

from services.auth.domain.prices import ECHO, Price
from services.auth.output_maxima import _BY_ID, max_output_tokens
from services.auth.prices import library_price, with_known_bounds


@pytest.mark.parametrize(
    ("model_id", "tokens"),
    [
        ("openai/gpt-4o", 16_384),
        ("openai/gpt-4o-2024-08-06", 16_384),
        ("openai/gpt-4o-2024-05-13", 4_096),
        ("openai/gpt-4o-mini-2024-07-18", 16_384),
        ("openai/gpt-3.5-turbo-0125", 4_096),
        ("openai/gpt-5", 128_000),
        # The library prices it as gpt-5; it is another model.
        ("openai/gpt-5-chat-latest", 16_384),
        ("anthropic/claude-3-5-sonnet-latest", 8_192),
        ("anthropic/claude-sonnet-4-20250514", 64_000),
        ("google/gemini-2.0-flash-001", 8_192),
        ("cohere/command-r-08-2024", 4_000),
        ("groq/openai/gpt-oss-20b", 65_536),
        ("openai/gpt-4-0613", 0),
        ("openai/gpt-4o-realtime-preview", 0),
        ("azure/gpt-4o", 0),
        ("gpt-4o", 0),
    ],
)
def test_a_models_longest_answer(model_id: str, tokens: int) -> None:
    assert max_output_tokens(model_id) == tokens


def test_every_maximum_is_of_a_model_with_a_price_and_leaves_room_for_a_prompt() -> None:
    unknown, full = [], []
    for model_id, tokens in _BY_ID.items():
        price = library_price(model_id)
        if price is None:
            unknown.append(model_id)
        elif price.context_length and price.context_length <= tokens:
            full.append(model_id)
        assert price is None or price.max_output_tokens == tokens
    assert (unknown, full) == ([], [])
    priced = sum(len(provider.models) for provider in get_snapshot().providers)
    print(f"{len(_BY_ID)} maxima; the library has {priced} models")


def test_an_override_keeps_the_bounds_that_it_does_not_give() -> None:
    override = Price(1, 1, 2, 0, 0, 0, "override", 1, 2)
    known = with_known_bounds("openai/gpt-4o", override)
    assert (known.context_length, known.max_output_tokens, known.output_nano_usd_per_mtok) == (128_000, 16_384, 2)
    own = Price(1, 1, 2, 0, 9_000, 70, "override", 1, 2)
    assert with_known_bounds("openai/gpt-4o", own) == own
    assert with_known_bounds("acme/small", override) == override
    assert with_known_bounds(ECHO, override).max_output_tokens == 16_384
