"""Which fields a capped key may send: only those whose price the worst case covers.

Anything else, at whatever depth, needs a price declared on the channel (its `extra_request_fields`, as dotted
paths without indexes, e.g. `messages.content.cache_control`). Null counts as absent. Schemas and `metadata` are free.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.relay.domain.segments import words

SCALAR, FREE = "scalar", "free"
"""A member that holds no members of its own; one (a schema, `metadata`) whose content costs its bytes and no more."""


@dataclass(frozen=True, slots=True)
class ByType:
    """An object whose `type` says which members it may have; a type that is not listed has no known price."""

    kinds: Mapping[str, Mapping[str, Any]]


Node = Any
"""`SCALAR`, `FREE`, the members of an object (name → node), `[node]` for an array of them, or `ByType`."""


def _scalars(text: str) -> dict[str, Node]:
    return dict.fromkeys(words(text), SCALAR)


_FUNCTION = {**_scalars("name description strict"), "parameters": FREE}
_NAMED = _scalars("name")
_GRAMMAR = {**_scalars("type"), "grammar": _scalars("definition syntax")}
_CUSTOM = {**_scalars("name description"), "format": _GRAMMAR}
_CALL_INNER = _scalars("name arguments input")
_CALL = {**_scalars("id type index"), "function": _CALL_INNER, "custom": _CALL_INNER}
_PART = ByType(
    {
        "text": _scalars("text"),
        "refusal": _scalars("refusal"),
        "image_url": {"image_url": _scalars("url detail")},
        "input_audio": {"input_audio": _scalars("data format")},
        "file": {"file": _scalars("file_data file_id filename")},
    }
)
_MESSAGE = {
    **_scalars("role name tool_call_id refusal"),
    "content": [_PART],
    "tool_calls": [_CALL],
    "function_call": _CALL_INNER,
}
_CHOICE = ByType(
    {
        "function": {"function": _NAMED},
        "custom": {"custom": _NAMED},
        "allowed_tools": {
            "allowed_tools": {**_scalars("mode"), "tools": [{**_scalars("type"), "function": _NAMED, "custom": _NAMED}]}
        },
    }
)
BODY: Mapping[str, Node] = {
    **_scalars(
        """
        model stream max_tokens max_completion_tokens n temperature top_p seed presence_penalty
        frequency_penalty logprobs top_logprobs parallel_tool_calls user safety_identifier
        prompt_cache_key prompt_cache_retention store reasoning_effort verbosity
        """
    ),
    **dict.fromkeys(("stop", "logit_bias", "metadata"), FREE),
    "messages": [_MESSAGE],
    "stream_options": _scalars("include_usage include_obfuscation"),
    "response_format": {**_scalars("type"), "json_schema": {**_scalars("name description strict"), "schema": FREE}},
    "tools": [ByType({"function": {"function": _FUNCTION}, "custom": {"custom": _CUSTOM}})],
    "tool_choice": _CHOICE,
    "functions": [_FUNCTION],
    "function_call": _NAMED,
}
VALUES: Mapping[str, tuple[Any, ...]] = {"modalities": (["text"],), "service_tier": ("auto", "default")}
"""Members of the body that are free at these values only."""


def unpriced_field(body: Mapping[str, Any], extra: Collection[str] = ()) -> str | None:
    """Path of the first field without a price, None when all have one."""
    for path, plain in _body(body):
        if plain not in extra:
            return path
    return None


def _body(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in body.items():
        if key not in VALUES:
            yield from _member(key, key, value, BODY.get(key))
        elif value is not None and value not in VALUES[key]:
            yield key, key


def _members(path: str, plain: str, holder: Mapping[str, Any], nodes: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    for key, value in holder.items():
        yield from _member(f"{path}.{key}", f"{plain}.{key}", value, nodes.get(key))


def _member(path: str, plain: str, value: Any, node: Node | None) -> Iterator[tuple[str, str]]:
    """(path, path without indexes) of every unknown member at or below one; `node` is None for an unknown one."""
    if value is None or node == FREE:
        return
    if node is None or (node == SCALAR and isinstance(value, (dict, list))):
        yield path, plain
    elif isinstance(node, list):
        # Text in an array's place (`content`) has no members.
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            yield from _member(f"{path}[{index}]", plain, item, node[0])
    elif isinstance(node, ByType) and isinstance(value, dict):
        kind = value.get("type")
        members = node.kinds.get(kind) if isinstance(kind, str) else None
        if members is None:
            yield f"{path}.type", f"{plain}.{kind}"
        else:
            yield from _members(path, plain, value, {"type": SCALAR, **members})
    elif isinstance(node, Mapping) and isinstance(value, dict):
        yield from _members(path, plain, value, node)
