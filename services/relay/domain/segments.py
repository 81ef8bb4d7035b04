"""Every text of a chat request that the guardrail judges, with the place its replacement goes.

Scanned: each message's text whatever its role, text parts, tool results, assistant tool-call arguments (as
JSON), names, tool descriptions and schemas, `prediction`, text files, and every other string and number, object keys
included. A masked number becomes a string.

Not scanned, and nothing else: the keys of the API itself (`KNOWN_KEYS`); values of enum fields where they
are one of the documented values (`ENUMS`); ids (`id`, `tool_call_id`) of at most 64 id characters; numbers of the
API's own fields, which have a range (`_RANGED`, `logit_bias`), and bounds and positions (`_BOUNDS`) below a billion;
`model`, which must name a known model and is replaced before sending. Anything else in these places is scanned.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.errors import BadRequest
from services.relay.domain.data_text import text_of_data, text_of_file

TEXT, JSON, IMMUTABLE, UNSUPPORTED = "text", "json", "immutable", "unsupported"
MAX_SEGMENTS = 50_000
"""Each takes its time of the one loop that serves everybody, however short it is."""
MAX_NUMBER_DIGITS = 512
MAX_PATH_CHARS = 256
"""Of a text's place: it holds names that the caller chose, and every text below them repeats it."""


def words(text: str) -> frozenset[str]:
    """The words of a text, for long tables of names."""
    return frozenset(text.split())


KNOWN_KEYS = words(
    """
    model messages stream stream_options include_usage include_obfuscation max_tokens max_completion_tokens n
    temperature top_p stop seed presence_penalty frequency_penalty logit_bias logprobs top_logprobs
    response_format json_schema schema strict tools tool_choice parallel_tool_calls functions function_call
    user safety_identifier prompt_cache_key prompt_cache_retention metadata store reasoning_effort verbosity
    modalities service_tier role content name tool_calls tool_call_id id type function arguments custom input
    index text image_url url detail input_audio audio data format file file_data file_id filename refusal
    prediction description parameters reasoning_content reasoning annotations web_search_options grammar
    definition syntax allowed_tools mode properties required items enum additionalProperties title default
    anyOf allOf oneOf not $ref $defs definitions const pattern minimum maximum minLength maxLength minItems
    maxItems examples nullable $schema
    """
)
ENUMS: Mapping[str, frozenset[str]] = {
    key: words(values)
    for key, values in {
        "role": "system developer user assistant tool function",
        "type": "text image_url input_audio file refusal function custom json_object json_schema content grammar "
        "string number integer boolean object array null allowed_tools url_citation image audio",
        "detail": "auto low high original",
        "reasoning_effort": "none minimal low medium high xhigh",
        "verbosity": "low medium high",
        "service_tier": "auto default flex scale priority",
        "modalities": "text audio",
        "tool_choice": "none auto required",
        "function_call": "none auto",
        "prompt_cache_retention": "in-memory in_memory 24h",
        "format": "wav mp3 flac opus pcm16 text grammar date date-time time email uri uuid ipv4 ipv6 hostname",
        "mode": "auto required",
        "syntax": "lark regex",
    }.items()
}
_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_ID_KEYS = frozenset(("id", "tool_call_id"))
_NAME_KEYS = frozenset(("name", "$ref", "file_id"))
_RANGED = words("max_tokens max_completion_tokens n temperature top_p presence_penalty frequency_penalty top_logprobs")
_BOUNDS = words(
    """
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems
    minProperties maxProperties minContains maxContains seed index start_index end_index
    """
)
_LEAST_SCANNED_BOUND = 10**9
_LARGEST_PLAIN_FLOAT = 1e22
_LARGEST_NUMBER = 10**MAX_NUMBER_DIGITS
_BINARY_PARTS = frozenset(("image_url", "input_audio", "file", "image", "audio", "video_url", "input_image"))


def _is_call_id(path: str, key: Any, value: str) -> bool:
    """An id that the API gave out, inside a message; elsewhere (`metadata.id`) an id is the caller's text."""
    return key in _ID_KEYS and path.startswith("messages[") and _ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Segment:
    """One text. `put` writes its replacement into the body; None where it cannot be replaced."""

    path: str
    role: str
    kind: str
    text: str
    put: Callable[[str], None] | None


class Collector:
    """Walks a body once, in body order. Raises 400 for numbers JSON does not have and for too many texts."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._role = ""

    def add(self, path: str, kind: str, text: str, holder: Any = None, key: Any = None) -> None:
        """Adds a text that stands at holder[key]; empty texts hold nothing to judge."""
        self._append(path, kind, text, None if holder is None else _Put(holder, key))

    def _append(self, path: str, kind: str, text: str, put: Callable[[str], None] | None) -> None:
        if not text:
            return
        if len(self.segments) >= MAX_SEGMENTS:
            raise BadRequest("the request holds too many texts", param="messages")
        self.segments.append(Segment(path, self._role, kind, text, put))

    def request(self, body: dict[str, Any]) -> list[Segment]:
        """All segments of a validated request body."""
        for key, value in body.items():
            if key == "model":
                continue
            if key == "messages":
                for index, message in enumerate(value):
                    self._message(f"messages[{index}]", message)
                self._role = ""
            elif key == "logit_bias" and isinstance(value, dict):
                for name in value:
                    self.add(f"{below(key, name)}#key", IMMUTABLE, name)
            else:
                self._member(body, key, value, key[:MAX_PATH_CHARS])
        return self.segments

    def _message(self, path: str, message: dict[str, Any]) -> None:
        self._role = message["role"]
        for key, value in message.items():
            if key == "content":
                if type(value) is str:
                    self.add(f"{path}.content", TEXT, value, message, key)
                elif value is not None:
                    self._parts(f"{path}.content", value)
            elif key == "role" and value in ENUMS["role"]:
                continue
            elif key in ("tool_calls", "function_call"):
                self._calls(f"{path}.{key}", value)
            else:
                self._member(message, key, value, below(path, key))

    def _parts(self, path: str, parts: Sequence[dict[str, Any]]) -> None:
        for index, part in enumerate(parts):
            kind = part.get("type")
            where = f"{path}[{index}]"
            if kind in _BINARY_PARTS:
                self._binary(where, str(kind), part)
            else:
                self.walk(where, part)

    def _binary(self, path: str, kind: str, part: dict[str, Any]) -> None:
        """Text-typed data is decoded and scanned, other data is unsupported, references are strings."""
        read = False
        for key, value in part.items():
            if key != kind:
                self._member(part, key, value, below(path, key))
            elif isinstance(value, str):
                # Some providers take the reference without the object around it.
                read |= self._reference(f"{path}.{kind}", part, key, value)
            elif isinstance(value, dict):
                for name, inner in value.items():
                    where = below(f"{path}.{kind}", name)
                    if name in ("data", "file_data", "url") and isinstance(inner, str):
                        read |= self._reference(where, value, name, inner)
                    else:
                        self._member(value, name, inner, where)
            else:
                self._member(part, key, value, f"{path}.{kind}")
        if not read:
            self.add(path, UNSUPPORTED, kind)

    def _reference(self, path: str, holder: dict[str, Any], key: str, value: str) -> bool:
        """One binary part's data, or where it is. True when all of it is text and scanned as such."""
        if (decoded := text_of_data(value)) is not None:
            text, prefix = decoded
            put = _PutData(holder, key, prefix) if prefix else None
            self._append(path, TEXT if put else IMMUTABLE, text, put)
            return True
        if key == "file_data" and (guess := text_of_file(value)) is not None:
            # A provider may go by the file's name; as what it was declared it stays unsupported.
            self.add(path, IMMUTABLE, guess)
        elif key not in ("data", "file_data") and value[:5].lower() != "data:":
            self.add(path, TEXT, value, holder, key)
        return False

    def _calls(self, path: str, calls: Any) -> None:
        """Tool calls of the history; a call's arguments are a JSON document in a string."""
        if isinstance(calls, list):
            for index, call in enumerate(calls):
                self._calls(f"{path}[{index}]", call)
        elif isinstance(calls, dict):
            for key, value in calls.items():
                if key == "arguments" and isinstance(value, str):
                    self.add(f"{path}.arguments", JSON, value, calls, key)
                elif key in ("function", "custom"):
                    self._calls(f"{path}.{key}", value)
                else:
                    self._member(calls, key, value, below(path, key))
        elif isinstance(calls, str):
            self.add(path, IMMUTABLE, calls)

    def _member(self, holder: Any, key: Any, value: Any, path: str) -> None:
        """One member of an object: its key unless the API owns it, then its value."""
        if key not in KNOWN_KEYS:
            self.add(f"{path}#key", IMMUTABLE, key)
        kind = type(value)
        if kind is str:
            if key in _NAME_KEYS:
                self.add(path, IMMUTABLE, value)
            elif not (value in ENUMS.get(key, ()) or _is_call_id(path, key, value)):
                self.add(path, TEXT, value, holder, key)
        elif kind is dict or kind is list:
            self.walk(path, value, key)
        elif (kind is int or kind is float) and not (path == key and key in _RANGED):
            self.number(path, value, holder, key)

    def number(self, path: str, value: int | float, holder: Any, key: Any) -> None:
        """A number as a reader would see it, so that digits are found however JSON spells them."""
        if type(value) is float:
            if not math.isfinite(value):
                raise BadRequest(f"{path} is not a finite number", param=path)
            if value.is_integer() and abs(value) < _LARGEST_PLAIN_FLOAT:
                value = int(value)
        if abs(value) >= _LARGEST_NUMBER:
            # Digits are written and read in quadratic time.
            raise BadRequest(f"{path} is a number of more than {MAX_NUMBER_DIGITS} digits", param=path)
        if key in _BOUNDS and abs(value) < _LEAST_SCANNED_BOUND:
            return
        self.add(path, TEXT, str(value), holder, key)

    def walk(self, path: str, value: Any, key: str = "") -> None:
        """Every string below a value. `required` lists property names, which cannot be masked."""
        if isinstance(value, dict):
            for name, inner in value.items():
                self._member(value, name, inner, below(path, name))
            return
        for index, inner in enumerate(value):
            # Lists in lists would grow it otherwise.
            where = path if len(path) >= MAX_PATH_CHARS else f"{path}[{index}]"
            if isinstance(inner, str):
                if inner in ENUMS.get(key, ()):
                    continue
                fixed = key == "required"
                self.add(where, IMMUTABLE if fixed else TEXT, inner, None if fixed else value, index)
            elif isinstance(inner, (dict, list)):
                self.walk(where, inner, key)
            elif type(inner) in (int, float):
                self.number(where, inner, value, index)


def below(path: str, name: str) -> str:
    """The place of a member; cut, so that long names cannot multiply with the texts below them."""
    return path if len(path) >= MAX_PATH_CHARS else f"{path}.{name[:MAX_PATH_CHARS]}"[:MAX_PATH_CHARS]


@dataclass(frozen=True, slots=True)
class _Put:
    """Writes a replacement where the text stood."""

    holder: Any
    key: Any

    def __call__(self, text: str) -> None:
        self.holder[self.key] = text


@dataclass(frozen=True, slots=True)
class _PutData:
    """Writes a replacement back into a data URL."""

    holder: Any
    key: str
    prefix: str

    def __call__(self, text: str) -> None:
        self.holder[self.key] = self.prefix + base64.b64encode(text.encode()).decode()


def collect_request(body: dict[str, Any]) -> list[Segment]:
    """Segments of a validated request body."""
    return Collector().request(body)


def apply_replacements(segments: Sequence[Segment], replacements: Sequence[tuple[int, str]]) -> bool:
    """Writes new texts by index; False when one has no place to go, so that the caller refuses."""
    for index, text in replacements:
        if not 0 <= index < len(segments) or (put := segments[index].put) is None:
            return False
        put(text)
    return True


def add_advisories(body: dict[str, Any], advisories: Sequence[str]) -> None:
    """Adds system messages after the leading system and developer ones."""
    messages = body["messages"]
    at = 0
    while at < len(messages) and messages[at].get("role") in ("system", "developer"):
        at += 1
    messages[at:at] = [{"role": "system", "content": text} for text in advisories]
