"""Which fields a capped key may send: only those whose price the worst case covers.

Anything else needs a price declared on the channel (its `extra_request_fields`, as dotted paths without
indexes, e.g. `messages.content.cache_control`). Null counts as absent. Schemas and `metadata` are free.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from services.relay.domain.segments import words

TOP_LEVEL = words(
    """
    model messages stream stream_options max_tokens max_completion_tokens n temperature top_p stop seed
    presence_penalty frequency_penalty logit_bias logprobs top_logprobs response_format tools tool_choice
    parallel_tool_calls functions function_call user safety_identifier prompt_cache_key prompt_cache_retention
    metadata store reasoning_effort verbosity modalities service_tier
    """
)
MESSAGE = frozenset(["role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal"])
CALL = frozenset(["id", "type", "index", "function", "custom"])
CALL_INNER = frozenset(["name", "arguments", "input"])
PARTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "text": {"": frozenset(("type", "text"))},
    "refusal": {"": frozenset(("type", "refusal"))},
    "image_url": {"": frozenset(("type", "image_url")), "image_url": frozenset(("url", "detail"))},
    "input_audio": {"": frozenset(("type", "input_audio")), "input_audio": frozenset(("data", "format"))},
    "file": {"": frozenset(("type", "file")), "file": frozenset(("file_data", "file_id", "filename"))},
}
TOOL: Mapping[str, frozenset[str]] = {
    "function": frozenset(["name", "description", "parameters", "strict"]),
    "custom": frozenset(["name", "description", "format"]),
}
TIERS = frozenset(("auto", "default"))


def unpriced_field(body: Mapping[str, Any], extra: Collection[str] = ()) -> str | None:
    """Path of the first field without a price, None when all have one."""
    for path, plain in _unknown(body):
        if plain not in extra:
            return path
    return None


def _absent(holder: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Members that are present, not null, and not among the names."""
    return (key for key, value in holder.items() if value is not None and key not in names)


def _unknown(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _absent(body, TOP_LEVEL):
        yield key, key
    if body.get("modalities") not in (None, ["text"]):
        yield "modalities", "modalities"
    if body.get("service_tier") is not None and body["service_tier"] not in TIERS:
        yield "service_tier", "service_tier"
    for index, message in enumerate(body["messages"]):
        yield from _message(f"messages[{index}]", message)
    for index, tool in enumerate(body.get("tools") or ()):
        yield from _tool(f"tools[{index}]", tool)
    for index, function in enumerate(body.get("functions") or ()):
        for key in _absent(function, TOOL["function"]):
            yield f"functions[{index}].{key}", f"functions.{key}"


def _message(path: str, message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _absent(message, MESSAGE):
        yield f"{path}.{key}", f"messages.{key}"
    content = message.get("content")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        yield from _part(f"{path}.content[{index}]", part)
    for index, call in enumerate(message.get("tool_calls") or ()):
        where, plain = f"{path}.tool_calls[{index}]", "messages.tool_calls"
        for key in _absent(call, CALL):
            yield f"{where}.{key}", f"{plain}.{key}"
        for name in ("function", "custom"):
            inner = call.get(name)
            for key in _absent(inner, CALL_INNER) if isinstance(inner, Mapping) else ():
                yield f"{where}.{name}.{key}", f"{plain}.{name}.{key}"


def _part(path: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = part["type"]
    known = PARTS.get(kind)
    if known is None:
        yield f"{path}.type", f"messages.content.{kind}"
        return
    for key in _absent(part, known[""]):
        yield f"{path}.{key}", f"messages.content.{key}"
    inner = part.get(kind)
    if isinstance(inner, Mapping) and kind in known:
        for key in _absent(inner, known[kind]):
            yield f"{path}.{kind}.{key}", f"messages.content.{kind}.{key}"


def _tool(path: str, tool: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = tool["type"]
    if kind not in TOOL:
        yield f"{path}.type", f"tools.{kind}"
        return
    for key in _absent(tool, ("type", kind)):
        yield f"{path}.{key}", f"tools.{key}"
    for key in _absent(tool[kind], TOOL[kind]):
        yield f"{path}.{kind}.{key}", f"tools.{kind}.{key}"
