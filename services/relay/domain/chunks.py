"""What a stream's chunks are taken apart into and put together from. Pure bookkeeping.

Text flows at once or through the guardrail; tool calls (and, behind a guardrail, annotations, audio and
extra fields) are held until the answer is complete; finish reasons are held until after the last text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.relay.domain.answer import CALL_FORMS, TEXT_FIELDS

MAX_CALLS = 1024
MAX_HELD_DELTAS = 16_384
"""Held deltas of one answer; beyond them they are put together, and go out as one."""
MAX_NAME_CHARS = 1024
FORMS = frozenset(form for form, _ in CALL_FORMS)
PARTS = {"function_call": ("arguments",), "audio": ("transcript", "data")}
"""Objects that are streamed in pieces, and their members that are joined."""
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
    inexact: bool = False
    """What is held must go out as it was judged: clients could join its deltas differently."""

    def say(self, delta: dict[str, Any]) -> None:
        """Keeps a delta's text."""
        for name in TEXT_FIELDS:
            if isinstance(text := delta.get(name), str) and text and self.said_chars <= SAID_MAX:
                self.said.setdefault(name, []).append(text)
                self.said_chars += len(text)


class StreamState:
    """All choices of one streamed answer."""

    def __init__(self) -> None:
        self.choices: dict[int, ChoiceState] = {}
        self.template: dict[str, Any] = {}
        self._held = 0

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
        """Moves members out of a delta into the held ones. Raises ValueError like `assembled`."""
        held = {name: delta.pop(name) for name in list(names)}
        if not held:
            return
        self.choice(index).held.append(held)
        self._held += 1
        if self._held > MAX_HELD_DELTAS:
            self._put_together()

    def _put_together(self) -> None:
        """A delta of few bytes takes many in memory, so not as many are kept as fit into an answer."""
        for index, message in self.assembled():
            choice = self.choices[index]
            choice.held, choice.inexact = [message], True
        self._held = len(self.choices)

    def assembled(self) -> list[tuple[int, dict[str, Any]]]:
        """(choice, message) of what is held, deltas joined. Raises ValueError when a provider sends nonsense."""
        messages = []
        for index, choice in sorted(self.choices.items()):
            if choice.held:
                message, inexact = assemble(choice.held)
                choice.inexact |= inexact
                messages.append((index, message))
        return messages

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


class _Joined:
    """Members of one object from many deltas: strings of `joined` members are appended, others stand once.

    `inexact` tells that a client could put the deltas together to something else than what is judged.
    """

    def __init__(self, joined: tuple[str, ...]) -> None:
        self._joined = joined
        self._pieces: dict[str, list[str]] = {}
        self.members: dict[str, Any] = {}
        self.inexact = False

    def add(self, delta: dict[str, Any]) -> None:
        for key, value in delta.items():
            known = self.members.get(key)
            if key in self._joined and isinstance(value, str):
                self._pieces.setdefault(key, []).append(value)
                self.members.setdefault(key, "")
            elif known is None:
                self.members[key] = value
            elif key == "name" and isinstance(value, str) and value:
                # Some providers send a name in pieces, some repeat it with every piece of the arguments.
                self.inexact = True
                if value != known:
                    self.members[key] = f"{known}{value}"[:MAX_NAME_CHARS]
            elif value is not None and value != known and key != "index":
                self.inexact = True

    def done(self) -> dict[str, Any]:
        """The object, its strings joined once: appending to a growing string would be quadratic."""
        return {**self.members, **{key: "".join(pieces) for key, pieces in self._pieces.items()}}


class _Call:
    """One tool call from many deltas."""

    def __init__(self) -> None:
        self._head = _Joined(())
        self._forms: dict[str, _Joined] = {}

    @property
    def inexact(self) -> bool:
        """Clients could read the deltas differently; a call with two forms is such a call, too."""
        forms = self._forms.values()
        return self._head.inexact or len(forms) > 1 or any(form.inexact for form in forms)

    def add(self, delta: dict[str, Any]) -> None:
        self._head.add({key: value for key, value in delta.items() if not isinstance(value, dict) or key not in FORMS})
        for form, arguments in CALL_FORMS:
            if isinstance(delta.get(form), dict):
                self._forms.setdefault(form, _Joined((arguments,))).add(delta[form])

    def done(self) -> dict[str, Any]:
        return {**self._head.done(), **{form: joined.done() for form, joined in self._forms.items()}}


def assemble(deltas: list[dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """(one message of held deltas, whether clients could join the deltas to something else).

    Linear in the deltas, with which it shares what is not joined: who changes the message must not release them.
    Raises ValueError for more calls than any answer has.
    """
    message: dict[str, Any] = {}
    pieces: dict[str, list[str]] = {}
    parts: dict[str, _Joined] = {}
    calls: dict[int, _Call] = {}
    inexact = False
    for delta in deltas:
        for key, value in delta.items():
            if key == "tool_calls":
                for call in value or ():
                    position = call.get("index")
                    if position is None:
                        position, inexact = len(calls), True
                    calls.setdefault(position, _Call()).add({**call, "index": position})
                if len(calls) > MAX_CALLS:
                    raise ValueError("too many tool calls")
            elif key in PARTS and isinstance(value, dict):
                parts.setdefault(key, _Joined(PARTS[key])).add(value)
            elif isinstance(value, list) and isinstance(known := message.setdefault(key, []), list):
                known.extend(value)
            elif isinstance(value, str) and (key in pieces or key not in message):
                pieces.setdefault(key, []).append(value)
                message.setdefault(key, "")
            else:
                inexact |= key in message
                pieces.pop(key, None)
                message[key] = value
    message |= {key: "".join(texts) for key, texts in pieces.items()}
    message |= {key: part.done() for key, part in parts.items()}
    if calls:
        message["tool_calls"] = [calls[position].done() for position in sorted(calls)]
    inexact |= any(part.inexact for part in parts.values()) or any(call.inexact for call in calls.values())
    return message, inexact


def text_bytes(delta: dict[str, Any]) -> int:
    """UTF-8 bytes of a delta's text and tool-call arguments."""
    size = sum(len(delta[name].encode()) for name in TEXT_FIELDS if isinstance(delta.get(name), str))
    for call in delta.get("tool_calls") or ():
        inner = call.get("function") or call.get("custom") or {}
        size += len((inner.get("arguments") or inner.get("input") or "").encode())
    if isinstance(delta.get("function_call"), dict):
        size += len((delta["function_call"].get("arguments") or "").encode())
    return size
