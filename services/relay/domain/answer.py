"""The listed schema of answers: what is not listed is dropped and counted, unless the channel lists it.

Fields of the wrong type are dropped too, so that everything behind this filter has the shape it expects.
Strings of an answer that the guardrail judges come from `texts_of`; ids and enum values are cut to id
characters instead, since they are not judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.relay.domain.segments import IMMUTABLE, JSON, TEXT, Collector, Segment

Spec = Any
_TOKEN = re.compile(r"[A-Za-z0-9_.:/@+\-]{0,128}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _token(value: Any) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _integer(value: Any) -> bool:
    return type(value) is int


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e18


def _bytes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


_FUNCTION: Mapping[str, Spec] = {"name": _text, "arguments": _text}
_CUSTOM: Mapping[str, Spec] = {"name": _text, "input": _text}
_CALL: Mapping[str, Spec] = {
    "index": _integer,
    "id": _token,
    "type": _token,
    "function": _FUNCTION,
    "custom": _CUSTOM,
}
CALL_FORMS = (("function", "arguments"), ("custom", "input"))
"""Members of a tool call that name a tool, and where each has its arguments."""
_INNER: Mapping[str, Mapping[str, Spec]] = {"arguments": _FUNCTION, "input": _CUSTOM}
_AUDIO: Mapping[str, Spec] = {"id": _token, "data": _text, "expires_at": _integer, "transcript": _text}
_TOP_LOGPROB: Mapping[str, Spec] = {"token": _text, "logprob": _number, "bytes": _bytes}
_LOGPROB: Mapping[str, Spec] = {**_TOP_LOGPROB, "top_logprobs": [_TOP_LOGPROB]}
MESSAGE: Mapping[str, Spec] = {
    "role": _token,
    "content": _text,
    "refusal": _text,
    "reasoning_content": _text,
    "reasoning": _text,
    "tool_calls": [_CALL],
    "function_call": _FUNCTION,
    "annotations": [
        {
            "type": _token,
            "url_citation": {"start_index": _integer, "end_index": _integer, "title": _text, "url": _text},
        }
    ],
    "audio": _AUDIO,
}
_CHOICE: Mapping[str, Spec] = {
    "index": _integer,
    "finish_reason": _token,
    "message": MESSAGE,
    "delta": MESSAGE,
    "logprobs": {"content": [_LOGPROB], "refusal": [_LOGPROB]},
}
_USAGE: Mapping[str, Spec] = {
    "prompt_tokens": _integer,
    "completion_tokens": _integer,
    "total_tokens": _integer,
    "prompt_tokens_details": {"cached_tokens": _integer, "audio_tokens": _integer},
    "completion_tokens_details": {
        "reasoning_tokens": _integer,
        "audio_tokens": _integer,
        "accepted_prediction_tokens": _integer,
        "rejected_prediction_tokens": _integer,
    },
}
ANSWER: Mapping[str, Spec] = {
    "id": _token,
    "object": _token,
    "created": _integer,
    "model": _token,
    "choices": [_CHOICE],
    "usage": _USAGE,
    "service_tier": _token,
    "system_fingerprint": _token,
}
TEXT_FIELDS = ("content", "refusal", "reasoning_content", "reasoning")


class Filter:
    """Filters answers of one channel; `dropped` counts unlisted or misshapen members."""

    def __init__(self, extra: frozenset[str] = frozenset()) -> None:
        self._extra = extra
        self.dropped = 0

    def answer(self, raw: Any, *, streamed: bool = False) -> dict[str, Any] | None:
        """The listed part of an answer or chunk; None when it is not an object with a list of choices.

        Of a choice's two forms only the one that is judged stays: a whole answer has no delta, a chunk no message.
        """
        if not isinstance(raw, dict) or not isinstance(raw.get("choices"), list):
            return None
        kept = self._object(raw, ANSWER)
        for position, choice in enumerate(kept["choices"]):
            if choice.get("index") is None:
                choice["index"] = position
            if not 0 <= choice["index"] < 1024:
                return None
            self.dropped += choice.pop("message" if streamed else "delta", None) is not None
        return kept

    def usage(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The listed part of a usage object."""
        return self._object(raw, _USAGE)

    def _object(self, raw: dict[str, Any], spec: Mapping[str, Spec]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in raw.items():
            rule = spec.get(key)
            if rule is None:
                if key in self._extra:
                    kept[key] = value
                else:
                    self.dropped += 1
            elif value is None:
                kept[key] = None
            else:
                self._member(kept, key, value, rule)
        return kept

    def _member(self, kept: dict[str, Any], key: str, value: Any, rule: Spec) -> None:
        if callable(rule):
            check: Callable[[Any], bool] = rule
            if check(value):
                kept[key] = value
                return
        elif isinstance(rule, list):
            if isinstance(value, list):
                element = rule[0]
                kept[key] = [self._object(item, element) for item in value if isinstance(item, dict)]
                self.dropped += len(value) - len(kept[key])
                return
        elif isinstance(value, dict):
            kept[key] = self._object(value, rule)
            return
        self.dropped += 1


def calls_of(message: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """(holder, key of the arguments) of each tool call, in order, the legacy `function_call` included."""
    for call in message.get("tool_calls") or ():
        # A provider may send both forms in one call; a client may run either.
        for form, arguments in CALL_FORMS:
            if isinstance(call.get(form), dict):
                yield call[form], arguments
    if isinstance(message.get("function_call"), dict):
        yield message["function_call"], "arguments"


def call_ids(message: Mapping[str, Any]) -> list[str]:
    """Provider's ids of the calls `calls_of` yields."""
    ids = [
        str(call.get("id") or "")
        for call in message.get("tool_calls") or ()
        for form, _ in CALL_FORMS
        if isinstance(call.get(form), dict)
    ]
    return [*ids, ""] if isinstance(message.get("function_call"), dict) else ids


def texts_of(path: str, message: dict[str, Any], *, text_fields: bool = True) -> list[Segment]:
    """Segments of one choice's message (or, without `text_fields`, of what a stream does not judge in pieces)."""
    found = Collector()
    for key, value in message.items():
        where = f"{path}.{key}"
        if key in TEXT_FIELDS:
            if text_fields and isinstance(value, str):
                found.add(where, TEXT, value, message, key)
        elif key == "annotations":
            found.walk(where, value or [])
        elif key == "audio" and isinstance(value, dict):
            if isinstance(value.get("transcript"), str):
                found.add(f"{where}.transcript", TEXT, value["transcript"], value, "transcript")
            _unlisted(found, f"{where}.", value, _AUDIO)
        elif key not in MESSAGE:
            _extra(found, where, message, key, value)
    for holder, key in calls_of(message):
        if isinstance(name := holder.get("name"), str):
            found.add(f"{path}.tool.name", IMMUTABLE, name)
        if isinstance(arguments := holder.get(key), str):
            found.add(f"{path}.tool.{key}", JSON if key == "arguments" else TEXT, arguments, holder, key)
        _unlisted(found, f"{path}.tool.", holder, _INNER[key])
    for call in message.get("tool_calls") or ():
        _unlisted(found, f"{path}.tool_calls.", call, _CALL)
    return found.segments


def _unlisted(found: Collector, path: str, holder: Mapping[str, Any], spec: Mapping[str, Spec]) -> None:
    """The members outside a listed schema, which the channel asked to keep."""
    for key, value in holder.items():
        if key not in spec:
            _extra(found, f"{path}{key}", holder, key, value)


def _extra(found: Collector, where: str, holder: Any, key: str, value: Any) -> None:
    if isinstance(value, str):
        found.add(where, TEXT, value, holder, key)
    elif isinstance(value, (dict, list)):
        found.walk(where, value)
    elif type(value) in (int, float):
        found.number(where, value, holder, key)


def extras_of(path: str, holder: dict[str, Any], spec: Mapping[str, Spec]) -> list[Segment]:
    """Segments of the members outside a listed schema that the channel asked to keep."""
    found = Collector()
    _unlisted(found, path, holder, spec)
    return found.segments


def usage_extras(kept: Mapping[str, Any]) -> list[Segment]:
    """Segments of the unlisted members that the channel asked to keep within an answer's usage."""
    usage = kept.get("usage")
    if not isinstance(usage, dict):
        return []
    segments = extras_of("usage.", usage, _USAGE)
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        if isinstance(details := usage.get(name), dict):
            segments += extras_of(f"usage.{name}.", details, _USAGE[name])
    return segments


CHOICE = _CHOICE
