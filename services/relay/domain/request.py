"""A chat request as the relay accepts it: JSON, known fields of the right type and range.

Refusals are 400 `invalid_request_error` naming the field in `param`. Unknown fields pass here; for capped
keys `capped_fields` decides about them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import jiter

from services.common.errors import BadRequest
from services.relay.domain.segments import KNOWN_KEYS, words
from services.relay.domain.worst_case import LIMIT_FIELDS, Shape, output_limit

MAX_MODEL_CHARS = 256
MAX_CHOICES = 128
MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
"""Of one message."""
MAX_CALLS = 1024
"""Of one message; and tools of a request."""
ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
BINARY_PARTS = frozenset(("image_url", "input_audio", "file", "image", "audio", "video_url", "input_image"))
_API_NAMES = KNOWN_KEYS | words("search_parameters enable_search mcp_servers plugins")
_CALLERS_OWN = words("parameters schema metadata logit_bias")
"""Members whose own members the caller names."""
_PLACE = re.compile(r" at line \d+ column \d+$")

Check = Callable[[Any], bool]


def _number(low: float, high: float) -> Check:
    return lambda value: type(value) in (int, float) and low <= value <= high


def _integer(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


FIELDS: Mapping[str, tuple[Check, str]] = {
    "stream": (_boolean, "must be a boolean"),
    "stream_options": (_object, "must be an object"),
    "max_tokens": (_integer(1, 2**31), "must be an integer of at least 1"),
    "max_completion_tokens": (_integer(1, 2**31), "must be an integer of at least 1"),
    "n": (_integer(1, MAX_CHOICES), f"must be an integer from 1 to {MAX_CHOICES}"),
    "temperature": (_number(0, 2), "must be a number from 0 to 2"),
    "top_p": (_number(0, 1), "must be a number from 0 to 1"),
    "stop": (lambda value: _text(value) or _strings(value), "must be a string or an array of strings"),
    "seed": (_integer(-(2**63), 2**63 - 1), "must be a 64-bit integer"),
    "presence_penalty": (_number(-2, 2), "must be a number from -2 to 2"),
    "frequency_penalty": (_number(-2, 2), "must be a number from -2 to 2"),
    "logit_bias": (
        lambda value: _object(value) and all(map(_number(-100, 100), value.values())),
        "must be an object of numbers from -100 to 100",
    ),
    "logprobs": (_boolean, "must be a boolean"),
    "top_logprobs": (_integer(0, 20), "must be an integer from 0 to 20"),
    "response_format": (lambda value: _object(value) and _text(value.get("type")), "must be an object with a type"),
    "tools": (
        lambda value: _objects(value) and all(_text(tool.get("type")) for tool in value),
        "must be an array of objects with a type",
    ),
    "tool_choice": (lambda value: _text(value) or _object(value), "must be a string or an object"),
    "parallel_tool_calls": (_boolean, "must be a boolean"),
    "functions": (
        lambda value: _objects(value) and all(_text(function.get("name")) for function in value),
        "must be an array of objects with a name",
    ),
    "function_call": (lambda value: _text(value) or _object(value), "must be a string or an object"),
    "user": (_text, "must be a string"),
    "safety_identifier": (_text, "must be a string"),
    "prompt_cache_key": (_text, "must be a string"),
    "prompt_cache_retention": (_text, "must be a string"),
    "metadata": (_object, "must be an object"),
    "store": (_boolean, "must be a boolean"),
    "reasoning_effort": (_text, "must be a string"),
    "verbosity": (_text, "must be a string"),
    "modalities": (_strings, "must be an array of strings"),
    "service_tier": (_text, "must be a string"),
    "prediction": (_object, "must be an object"),
    "audio": (_object, "must be an object"),
    "web_search_options": (_object, "must be an object"),
}


def _refuse(param: str, message: str) -> BadRequest:
    return BadRequest(f"{param} {message}", param=param, type="invalid_request_error")


def parse_body(raw: bytes) -> dict[str, Any]:
    """The body's object. Duplicate keys, invalid UTF-8, NaN and nesting beyond 200 levels are refused."""
    try:
        body = jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        text = str(error)
        if text.startswith("Detected duplicate key"):
            place = _PLACE.search(text)
            text = "duplicate key" + (place[0] if place else "")
        raise BadRequest(f"the body is not valid JSON: {text}", type="invalid_request_error") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object", type="invalid_request_error")
    return body


def validate(body: Mapping[str, Any]) -> None:
    """Checks every known field. Raises 400 naming the first wrong one."""
    model = body.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
        raise _refuse("model", f"must be a string of 1 to {MAX_MODEL_CHARS} characters")
    messages = body.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MAX_MESSAGES:
        raise _refuse("messages", f"must be an array of 1 to {MAX_MESSAGES} messages")
    for index, message in enumerate(messages):
        _validate_message(f"messages[{index}]", message)
    for name, value in body.items():
        check = FIELDS.get(name)
        if check is not None and value is not None and not check[0](value):
            raise _refuse(name, check[1])
    _validate_options(body)
    _validate_tools(body)
    _validate_names("", body)


def _validate_names(path: str, holder: Mapping[str, Any]) -> None:
    """Refuses `Tools` and the like beside the API's own names: providers that read names without regard to case would
    take it for the member that was judged here under its right name."""
    for name, value in holder.items():
        if name not in _API_NAMES:
            if (meant := name.casefold()) in _API_NAMES:
                raise _refuse(f"{path}{name}", f"is not a field; did you mean {meant}?")
        elif type(value) is dict and name not in _CALLERS_OWN:
            _validate_names(f"{path}{name}.", value)
        elif type(value) is list and name not in _CALLERS_OWN:
            for index, item in enumerate(value):
                if type(item) is dict:
                    _validate_names(f"{path}{name}[{index}].", item)


def _validate_options(body: Mapping[str, Any]) -> None:
    options = body.get("stream_options")
    if options is not None:
        if not body.get("stream"):
            raise _refuse("stream_options", "is only allowed when stream is true")
        include = options.get("include_usage")
        if include is not None and not isinstance(include, bool):
            raise _refuse("stream_options.include_usage", "must be a boolean")
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise _refuse("top_logprobs", "is only allowed when logprobs is true")


def _validate_tools(body: Mapping[str, Any]) -> None:
    for name in ("tools", "functions"):
        if len(body.get(name) or ()) > MAX_CALLS:
            raise _refuse(name, f"must be at most {MAX_CALLS}")
    for index, tool in enumerate(body.get("tools") or ()):
        kind = tool["type"]
        if kind not in ("function", "custom"):
            continue
        inner = tool.get(kind)
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str) or not inner["name"]:
            raise _refuse(f"tools[{index}].{kind}.name", "must be a string")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("function", "custom"):
        named = choice.get(choice["type"])
        if not isinstance(named, dict) or not isinstance(named.get("name"), str):
            raise _refuse(f"tool_choice.{choice['type']}.name", "must be a string")


def _validate_message(path: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise _refuse(path, "must be an object")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise _refuse(f"{path}.role", "must be one of " + ", ".join(sorted(ROLES)))
    content = message.get("content")
    if isinstance(content, list):
        if len(content) > MAX_PARTS:
            raise _refuse(f"{path}.content", f"must have at most {MAX_PARTS} parts")
        for index, part in enumerate(content):
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise _refuse(f"{path}.content[{index}]", "must be an object with a type")
            if part["type"] == "text" and not isinstance(part.get("text"), str):
                raise _refuse(f"{path}.content[{index}].text", "must be a string")
    elif content is not None and not isinstance(content, str):
        raise _refuse(f"{path}.content", "must be a string, an array of parts or null")
    elif content is None and role != "assistant":
        raise _refuse(f"{path}.content", "must not be null")
    calls = message.get("tool_calls")
    if calls is not None and not _objects(calls):
        raise _refuse(f"{path}.tool_calls", "must be an array of objects")
    if calls is not None and len(calls) > MAX_CALLS:
        raise _refuse(f"{path}.tool_calls", f"must be at most {MAX_CALLS}")
    for index, call in enumerate(calls or ()):
        function = call.get("function")
        if function is not None and not (isinstance(function, dict) and _text(function.get("arguments", ""))):
            raise _refuse(f"{path}.tool_calls[{index}].function", "must be an object with string arguments")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise _refuse(f"{path}.tool_call_id", "must be a string")


def shape_of(body: Mapping[str, Any]) -> Shape:
    """What the worst case needs to know of a validated body."""
    binary = 0
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list):
            binary += sum(part["type"] in BINARY_PARTS for part in content)
    tools = len(body.get("tools") or ()) + len(body.get("functions") or ())
    schema = (body.get("response_format") or {}).get("type", "text") != "text"
    return Shape(
        messages=len(body["messages"]),
        tools=tools,
        binary_parts=binary,
        choices=body.get("n") or 1,
        output_limit=output_limit(body),
        clampable=not tools and not schema and body.get("reasoning_effort") is None,
    )


def write_output_limit(body: dict[str, Any], tokens: int, channel_field: str) -> None:
    """Sets the output limit in the field the caller used, else in the channel's.

    A channel that is said to know the older `max_tokens` gets it always: a caller could name the newer field, which
    such a provider ignores, to have an answer without a limit.
    """
    given = {name for name in LIMIT_FIELDS if body.get(name) is not None}
    for name in given | ({channel_field} if not given or channel_field == "max_tokens" else set()):
        body[name] = tokens
