"""The built-in sample model: answers with the last user message's text as it was received.

It streams word by word, calls the tool named in `tool_choice` (or the first one, when a call is required)
with the message as its argument, and counts one token per word, so that its usage is exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_WORD = re.compile(r"\S+\s*|\s+")
DEFAULT_ARGUMENT = "message"


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and part.get("type") == "text")
    return ""


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _tool(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The function to call, None for a text answer."""
    functions = [tool["function"] for tool in body.get("tools") or () if isinstance(tool.get("function"), dict)]
    choice = body.get("tool_choice")
    if not functions or choice is None or choice in ("none", "auto"):
        return None
    if isinstance(choice, dict):
        named = choice.get("function")
        wanted = named.get("name") if isinstance(named, dict) else None
        return next((function for function in functions if function.get("name") == wanted), None)
    found: Mapping[str, Any] = functions[0]
    return found


def _arguments(function: Mapping[str, Any], text: str) -> str:
    """The message as the tool's first property; a message that is a JSON object is the arguments themselves."""
    try:
        if isinstance(json.loads(text), dict):
            return text
    except ValueError:
        pass
    parameters = function.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    name = next(iter(properties), DEFAULT_ARGUMENT) if isinstance(properties, dict) else DEFAULT_ARGUMENT
    return json.dumps({name: text}, ensure_ascii=False)


class Echo:
    """One echo answer."""

    def __init__(self, body: Mapping[str, Any], *, answer_id: str, created: int) -> None:
        users = [message for message in body["messages"] if message.get("role") == "user"]
        text = _text_of(users[-1].get("content")) if users else ""
        self._function = _tool(body)
        self._output = _arguments(self._function, text) if self._function else text
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        words = _words(self._output)
        self._finish = "tool_calls" if self._function else "stop"
        if limit is not None and len(words) > limit and not self._function:
            words, self._finish = words[:limit], "length"
        self._pieces = words
        self._choices = body.get("n") or 1
        self._logprobs = bool(body.get("logprobs"))
        prompt = sum(len(_words(_text_of(message.get("content")))) for message in body["messages"])
        completion = self._choices * (len(words) if words else 1)
        if limit is not None:
            completion = min(completion, self._choices * limit)
        self._usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        self._head = {"id": answer_id, "created": created, "model": body["model"]}

    def _call(self, index: int) -> dict[str, Any]:
        name = self._function["name"] if self._function else ""
        call_id = f"call_{self._head['id'][-16:]}_{index}"
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "".join(self._pieces)}}

    def _logprob(self, words: list[str]) -> dict[str, Any] | None:
        if not self._logprobs or self._function:
            return None
        tokens = [{"token": word, "logprob": 0.0, "bytes": list(word.encode()), "top_logprobs": []} for word in words]
        return {"content": tokens, "refusal": None}

    def whole(self) -> dict[str, Any]:
        """The answer as one object."""
        choices = []
        for index in range(self._choices):
            message: dict[str, Any] = {"role": "assistant", "content": "".join(self._pieces), "refusal": None}
            if self._function:
                message |= {"content": None, "tool_calls": [self._call(index)]}
            choices.append(
                {
                    "index": index,
                    "message": message,
                    "logprobs": self._logprob(self._pieces),
                    "finish_reason": self._finish,
                }
            )
        return {**self._head, "object": "chat.completion", "choices": choices, "usage": self._usage}

    def _chunk(self, index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        words = [delta["content"]] if delta.get("content") else []
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": self._logprob(words) if words else None,
            "finish_reason": finish,
        }
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The answer in pieces, usage last."""
        for index in range(self._choices):
            yield self._chunk(index, {"role": "assistant", "content": None if self._function else ""})
            if self._function:
                call = self._call(index)
                head = {**call["function"], "arguments": ""}
                yield self._chunk(index, {"tool_calls": [{"index": 0, **call, "function": head}]})
                for piece in self._pieces:
                    yield self._chunk(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            else:
                for piece in self._pieces:
                    yield self._chunk(index, {"content": piece})
            yield self._chunk(index, {}, self._finish)
        yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage}
