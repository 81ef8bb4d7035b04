"""Prices of models: integer nano-USD per million tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, with its bounds (0 = unknown). `max_*` are the highest that can apply."""

    input_nano_usd_per_mtok: int
    cached_input_nano_usd_per_mtok: int
    output_nano_usd_per_mtok: int
    request_nano_usd: int
    context_length: int
    max_output_tokens: int
    source: str
    max_input_nano_usd_per_mtok: int
    max_output_nano_usd_per_mtok: int
    tokens_per_byte: int = 1
    """Most tokens that one byte of input can become: 1 for byte-level vocabularies."""


ECHO = "orca/echo"
ECHO_PRICE = Price(
    input_nano_usd_per_mtok=1_000_000,
    cached_input_nano_usd_per_mtok=1_000_000,
    output_nano_usd_per_mtok=2_000_000,
    request_nano_usd=0,
    context_length=1_048_576,
    max_output_tokens=16_384,
    source="builtin",
    max_input_nano_usd_per_mtok=1_000_000,
    max_output_nano_usd_per_mtok=2_000_000,
)
