"""Money is integer nano-USD everywhere; decimals exist only at API edges, floats nowhere.

Prices are nano-USD per million tokens, so that every published price is an integer; the two roundings
(reservations up, settlements half-even) live here and only here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

NANO_PER_USD = 1_000_000_000
TOKENS_PER_MTOK = 1_000_000
MAX_NANO_USD = 2**62
_SCALE = 9


def parse_usd(value: str | int | float | Decimal) -> int:
    """Nano-USD of a non-negative decimal amount with at most 9 decimals.

    Raises ValueError with a message fit for the caller.
    """
    if isinstance(value, bool):
        raise ValueError("must be a decimal number")
    text = str(value) if not isinstance(value, float) else repr(value)
    if len(text) > 40:
        raise ValueError("has too many digits")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("must be a decimal number") from None
    if not amount.is_finite():
        raise ValueError("must be finite")
    if amount < 0:
        raise ValueError("must not be negative")
    if amount.adjusted() > 12:
        raise ValueError("is too large")
    scaled = amount.scaleb(_SCALE)
    nano = int(scaled)
    if scaled != nano:
        raise ValueError("has more than 9 decimals")
    if nano > MAX_NANO_USD:
        raise ValueError("is too large")
    return nano


def format_usd(nano_usd: int) -> str:
    """Decimal string without exponent or trailing zeros: 5_000_000_000 → "5"."""
    sign = "-" if nano_usd < 0 else ""
    whole, fraction = divmod(abs(nano_usd), NANO_PER_USD)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:09d}".rstrip("0")


def cost_nano(tokens: int, nano_usd_per_mtok: int) -> int:
    """Unrounded cost as a numerator over TOKENS_PER_MTOK; add numerators, then round once."""
    return tokens * nano_usd_per_mtok


def round_reservation(numerator: int) -> int:
    """Nano-USD of a numerator, rounded up: a reservation is never too small."""
    return -(-numerator // TOKENS_PER_MTOK)


def round_settlement(numerator: int) -> int:
    """Nano-USD of a numerator, rounded half to even: settlements carry no bias."""
    quotient, rest = divmod(numerator, TOKENS_PER_MTOK)
    twice = 2 * rest
    if twice > TOKENS_PER_MTOK or (twice == TOKENS_PER_MTOK and quotient & 1):
        return quotient + 1
    return quotient
