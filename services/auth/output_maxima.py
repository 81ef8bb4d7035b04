"""The longest answer of well-known models, in tokens, reasoning included; the price library has none.

From the providers' public model pages and API references; entered by hand, so a model that is not here has no maximum
known, and a capped key's requests for it must bring a limit. Models whose maximum is their whole context (gpt-4) are
left out: with any prompt, that limit is refused upstream. A number that is too low shortens answers, one that is too
high is refused by the provider; neither lets a cap be passed, since the limit is always sent.
"""

from __future__ import annotations

import re

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{8}|\d{3,4}|latest)$")
_MAXIMA: dict[str, dict[int, str]] = {
    "openai": {
        4_096: "gpt-3.5-turbo gpt-4-turbo gpt-4-0125-preview gpt-4-1106-preview gpt-4o-2024-05-13",
        16_384: (
            "gpt-4o gpt-4o-mini chatgpt-4o-latest gpt-4o-audio-preview gpt-4o-search-preview gpt-4o-mini-search-preview"
            " gpt-4.5-preview gpt-5-chat gpt-5.1-chat gpt-5.2-chat"
        ),
        32_768: "gpt-4.1 gpt-4.1-mini gpt-4.1-nano o1-preview",
        65_536: "o1-mini",
        100_000: "o1 o1-pro o3 o3-mini o3-pro o4-mini o3-deep-research o4-mini-deep-research codex-mini",
        128_000: (
            "gpt-5 gpt-5-mini gpt-5-nano gpt-5-codex gpt-5.1 gpt-5.1-codex gpt-5.1-codex-mini gpt-5.1-codex-max"
            " gpt-5.2 gpt-5.2-pro gpt-5.4 gpt-5.5"
        ),
        272_000: "gpt-5-pro",
    },
    "anthropic": {
        4_096: "claude-3-haiku claude-3-sonnet claude-3-opus",
        8_192: "claude-3-5-haiku claude-3-5-sonnet",
        32_000: "claude-opus-4 claude-opus-4-0 claude-opus-4-1",
        64_000: (
            "claude-3-7-sonnet claude-sonnet-4 claude-sonnet-4-0 claude-sonnet-4-5 claude-haiku-4-5 claude-opus-4-5"
        ),
        128_000: "claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-sonnet-4-6",
    },
    "google": {
        8_192: "gemini-1.5-flash gemini-1.5-flash-8b gemini-1.5-pro gemini-2.0-flash gemini-2.0-flash-lite",
        65_535: "gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-3-pro-preview gemini-3-flash-preview",
    },
    "deepseek": {8_192: "deepseek-chat"},
    "cohere": {4_000: "command-r command-r-plus command-r7b", 8_000: "command-a"},
    "groq": {
        8_192: "meta-llama/llama-4-scout-17b-16e-instruct meta-llama/llama-4-maverick-17b-128e-instruct",
        16_384: "moonshotai/kimi-k2-instruct",
        32_768: "llama-3.3-70b-versatile",
        40_960: "qwen/qwen3-32b",
        65_536: "openai/gpt-oss-20b openai/gpt-oss-120b",
    },
}
_BY_ID = {
    f"{provider}/{name}": tokens
    for provider, rows in _MAXIMA.items()
    for tokens, names in rows.items()
    for name in names.split()
}


def max_output_tokens(model_id: str) -> int:
    """Of `provider/model`, a dated snapshot among them; 0 where none is known."""
    return _BY_ID.get(model_id) or _BY_ID.get(_SNAPSHOT.sub("", model_id), 0)
