"""What a stream's chunks are taken apart into and put together from. Pure bookkeeping.

Text flows at once or through the guardrail; tool calls (and, behind a guardrail, annotations, audio and
extra fields) are held until the answer is complete; finish reasons are held until after the last text.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.relay.domain.answer import TEXT_FIELDS

MAX_CALLS = 1024
SAID_MAX = 256 * 1024
"""Characters per choice; an answer with more is too large to be held for a reviewer."""


@dataclass(slots=True)
class ChoiceState:
    """One choice of the answer."""

    finish_reason: str | None = None
    held: list[dict[str, Any]] = field(default_factory=list)
    """Deltas to release together, in order."""
    said: dict[str, list[str]] = field(default_factory=dict)
    """Text by field as the provider sent it, while a call may have to wait for a reviewer; at most `SAID_MAX`."""
    said_chars: int = 0

    def say(self, delta: dict[str, Any]) -> None:
        """Keeps a delta's text."""
        for name in TEXT_FIELDS:
            if isinstance(text := delta.get(name), str) and self.said_chars <= SAID_MAX:
                self.said.setdefault(name, []).append(text)
                self.said_chars += len(text)


class StreamState:
    """All choices of one streamed answer."""

    def __init__(self) -> None:
        self.choices: dict[int, ChoiceState] = {}
        self.template: dict[str, Any] = {}

    def choice(self, index: int) -> ChoiceState:
        """State of a choice, created when first seen."""
        return self.choices.setdefault(index, ChoiceState())

    @property
    def complete(self) -> bool:
        """Every choice seen has its finish reason."""
        return bool(self.choices) and all(choice.finish_reason for choice in self.choices.values())

    def remember(self, chunk: dict[str, Any]) -> None:
        """Keeps what later chunks of our own making need."""
        if not self.template:
            self.template = {key: chunk[key] for key in chunk if key not in ("choices", "usage")}

    def chunk(self, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """A chunk of our own making."""
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self.template, "choices": [choice]}

    def hold(self, index: int, delta: dict[str, Any], names: Iterator[str] | list[str]) -> None:
        """Moves members out of a delta into the held ones."""
        held = {name: delta.pop(name) for name in list(names)}
        if held:
            self.choice(index).held.append(held)

    def assembled(self) -> list[tuple[int, dict[str, Any]]]:
        """(choice, message) of what is held, deltas joined. Raises ValueError when a provider sends nonsense."""
        return [(index, assemble(choice.held)) for index, choice in sorted(self.choices.items()) if choice.held]

    def whole(self, messages: list[tuple[int, dict[str, Any]]]) -> dict[str, Any] | None:
        """The answer as if it had not been streamed; None when it said more than `SAID_MAX`."""
        held = dict(messages)
        choices = []
        for index, state in sorted(self.choices.items()):
            if state.said_chars > SAID_MAX:
                return None
            texts = {name: "".join(pieces) for name, pieces in state.said.items()}
            message = {"role": "assistant", "content": None, **texts, **held.get(index, {})}
            choices.append({"index": index, "message": message, "finish_reason": state.finish_reason})
        return {**self.template, "object": "chat.completion", "choices": choices}

    def released(self, messages: list[tuple[int, dict[str, Any]]], *, changed: bool) -> Iterator[dict[str, Any]]:
        """Chunks of what was held: as it came, or as the planes changed it."""
        for index, message in messages:
            if changed:
                for position, call in enumerate(message.get("tool_calls") or ()):
                    call["index"] = position
                yield self.chunk(index, message)
            else:
                for delta in self.choices[index].held:
                    yield self.chunk(index, delta)

    def finishes(self) -> Iterator[dict[str, Any]]:
        """The chunks that carry the finish reasons."""
        for index, choice in sorted(self.choices.items()):
            if choice.finish_reason:
                yield self.chunk(index, {}, choice.finish_reason)


def _join(target: dict[str, Any], delta: dict[str, Any], joined: tuple[str, ...]) -> None:
    """Joins string members, keeps the first of the others."""
    for key, value in delta.items():
        if key in joined and isinstance(value, str):
            target[key] = (target.get(key) or "") + value
        elif target.get(key) is None:
            target[key] = value


def _join_call(target: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key in ("function", "custom") and isinstance(value, dict):
            _join(target.setdefault(key, {}), value, ("arguments", "input"))
        elif target.get(key) is None:
            target[key] = value


def assemble(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """One message of held deltas. Raises ValueError for more calls than any answer has."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas:
        for key, value in delta.items():
            if key == "tool_calls":
                for call in value or ():
                    _join_call(calls.setdefault(call.get("index", len(calls)), {}), call)
                if len(calls) > MAX_CALLS:
                    raise ValueError("too many tool calls")
            elif key == "function_call" and isinstance(value, dict):
                _join(message.setdefault(key, {}), value, ("arguments", "name"))
            elif key == "audio" and isinstance(value, dict):
                _join(message.setdefault(key, {}), value, ("transcript", "data"))
            elif isinstance(value, list) and isinstance(message.get(key), list):
                message[key] = [*message[key], *value]
            elif isinstance(value, str) and isinstance(message.get(key), str):
                message[key] += value
            else:
                message[key] = copy.deepcopy(value)
    if calls:
        message["tool_calls"] = [calls[position] for position in sorted(calls)]
    return message


def text_bytes(delta: dict[str, Any]) -> int:
    """UTF-8 bytes of a delta's text and tool-call arguments."""
    size = sum(len(delta[name].encode()) for name in TEXT_FIELDS if isinstance(delta.get(name), str))
    for call in delta.get("tool_calls") or ():
        inner = call.get("function") or call.get("custom") or {}
        size += len((inner.get("arguments") or inner.get("input") or "").encode())
    if isinstance(delta.get("function_call"), dict):
        size += len((delta["function_call"].get("arguments") or "").encode())
    return size
