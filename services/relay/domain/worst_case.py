"""What one request can cost at most, and what an answer did cost. Pure arithmetic on integers.

worst case = min(bytes × tokens-per-byte + 16 per message + 64 per tool + part maxima, context length)
             × highest input price + n × max output × highest output price + per-request price

Binary parts have no bound of their own here: with one in the request the input bound is the context length.
A bound that does not exist is a value (`unbounded`), which a capped key may not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.money import TOKENS_PER_MTOK, cost_nano, round_reservation, round_settlement

TOKENS_PER_MESSAGE = 16
TOKENS_PER_TOOL = 64
UNBOUNDED_TOKENS = 1_000_000
LONGEST_TOKEN_BYTES = 128
ESTIMATE_BYTES_PER_TOKEN = 4
MIN_CLAMPED_TOKENS = 256
LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in nano-USD per million tokens (per request: nano-USD), bounds in tokens (0 = unknown)."""

    priced: bool
    input: int = 0
    cached_input: int = 0
    output: int = 0
    request: int = 0
    max_input: int = 0
    max_output: int = 0
    context_length: int = 0
    max_output_tokens: int = 0
    tokens_per_byte: int = 1

    @property
    def highest_input(self) -> int:
        """Highest price an input token can have."""
        return max(self.input, self.cached_input, self.max_input)

    @property
    def highest_output(self) -> int:
        """Highest price an output token can have."""
        return max(self.output, self.max_output)


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a request decides its worst case besides its size."""

    messages: int
    tools: int
    binary_parts: int
    choices: int
    output_limit: int | None
    """The caller's limit in tokens per choice."""
    clampable: bool
    """No tools, schema or reasoning, so that a lower limit gives a shorter answer and not a broken one."""


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The bound and its terms, so that a refusal can name what would fit."""

    amount_nano_usd: int
    input_tokens: int
    output_tokens: int
    """Per choice."""
    bounded: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a provider reported, checked by `usage.parse_usage`."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


def output_limit(body: Mapping[str, Any]) -> int | None:
    """The request's own limit per choice; of two, the larger, since a provider may honour either."""
    given = [body[name] for name in LIMIT_FIELDS if isinstance(body.get(name), int)]
    return max(given) if given else None


def worst_case(body_bytes: int, shape: Shape, price: Price) -> WorstCase:
    """Bound on the cost of sending `body_bytes` bytes of this shape."""
    tokens = body_bytes * price.tokens_per_byte + TOKENS_PER_MESSAGE * shape.messages + TOKENS_PER_TOOL * shape.tools
    bounded = True
    if shape.binary_parts:
        bounded = price.context_length > 0
        tokens = price.context_length or tokens + UNBOUNDED_TOKENS
    elif price.context_length:
        tokens = min(tokens, price.context_length)
    out = shape.output_limit if shape.output_limit is not None else price.max_output_tokens
    if out <= 0:
        bounded, out = False, price.context_length or UNBOUNDED_TOKENS
    return WorstCase(_amount(tokens, out, shape.choices, price), tokens, out, bounded)


def _amount(input_tokens: int, output_tokens: int, choices: int, price: Price) -> int:
    numerator = cost_nano(input_tokens, price.highest_input)
    numerator += cost_nano(choices * output_tokens, price.highest_output)
    return round_reservation(numerator + price.request * TOKENS_PER_MTOK)


def largest_output(available_nano_usd: int, case: WorstCase, shape: Shape, price: Price) -> int:
    """Most output tokens per choice whose worst case fits the amount; 0 when not even the input fits."""
    left = (available_nano_usd - price.request) * TOKENS_PER_MTOK - cost_nano(case.input_tokens, price.highest_input)
    if left < 0:
        return 0
    if price.highest_output == 0:
        return case.output_tokens
    return min(case.output_tokens, left // (shape.choices * price.highest_output))


def clamped_limit(available_nano_usd: int, case: WorstCase, shape: Shape, price: Price) -> int | None:
    """The lowered output limit for a request that does not fit, None when it must be refused."""
    if not shape.clampable:
        return None
    tokens = largest_output(available_nano_usd, case, shape, price)
    return tokens if MIN_CLAMPED_TOKENS <= tokens < case.output_tokens else None


def cost_of(usage: Usage, price: Price) -> int:
    """Nano-USD of reported usage."""
    fresh = usage.input_tokens - usage.cached_input_tokens
    numerator = cost_nano(fresh, price.input) + cost_nano(usage.cached_input_tokens, price.cached_input)
    numerator += cost_nano(usage.output_tokens, price.output)
    return round_settlement(numerator + price.request * TOKENS_PER_MTOK)


def estimated_usage(body_bytes: int, output_bytes: int, case: WorstCase, choices: int) -> Usage:
    """Tokens of what was sent and delivered, at four bytes a token, never above the bound."""
    sent = -(-body_bytes // ESTIMATE_BYTES_PER_TOKEN)
    delivered = -(-output_bytes // ESTIMATE_BYTES_PER_TOKEN)
    return Usage(min(sent, case.input_tokens), min(delivered, case.output_tokens * choices))


def exceeds_reserved(output_bytes: int, case: WorstCase, choices: int) -> bool:
    """Even the fewest tokens these bytes can be are more than what was reserved."""
    return output_bytes // LONGEST_TOKEN_BYTES > case.output_tokens * choices
