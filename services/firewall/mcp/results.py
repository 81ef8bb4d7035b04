"""Results of tools on their way to the caller: bounded, and judged by the acting key's output guardrail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from orca.common.v1 import common_pb2
from orca.guardrail.v1 import guardrail_pb2
from services.common.rpc import call

RESULT_BYTES_MAX = 1024 * 1024
GUARDRAIL_TIMEOUT_S = 10.0


class Refused(Exception):
    """The result may not be passed on; the text says why and is safe to show."""


@dataclass(slots=True)
class _Part:
    """One text of a result, and where its replacement goes."""

    segment: guardrail_pb2.Segment
    put: Callable[[str], None]


class Results:
    """Judges results. Raises Refused, or Unavailable when the guardrail cannot be asked."""

    def __init__(self, guardrail: Any) -> None:
        self._guardrail = guardrail

    async def judged(
        self, context: common_pb2.RequestContext, guardrail_id: str, result: types.CallToolResult
    ) -> types.CallToolResult:
        """The result with masks applied."""
        raw: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        if len(json.dumps(raw).encode()) > RESULT_BYTES_MAX:
            raise Refused(f"the result is larger than {RESULT_BYTES_MAX} bytes")
        parts = _parts(raw)
        if parts:
            request = guardrail_pb2.CheckRequest(
                context=context,
                guardrail_id=guardrail_id,
                stage=guardrail_pb2.STAGE_OUTPUT,
                segments=[part.segment for part in parts],
            )
            answer = await call(self._guardrail.Check, request, timeout_s=GUARDRAIL_TIMEOUT_S)
            if answer.outcome == guardrail_pb2.OUTCOME_BLOCKED:
                raise Refused(answer.block.message or "blocked by guardrail")
            for replacement in answer.replacements:
                if not 0 <= replacement.index < len(parts):
                    raise Refused("the guardrail's answer cannot be applied")
                parts[replacement.index].put(replacement.text)
        return types.CallToolResult.model_validate(raw)


def _parts(raw: dict[str, Any]) -> list[_Part]:
    parts = _metadata("", raw)
    for index, item in enumerate(raw.get("content", ())):
        where = f"content[{index}]"
        resource = item.get("resource")
        parts += _metadata(f"{where}.", item)
        if isinstance(resource, dict):
            parts += _metadata(f"{where}.resource.", resource)
            parts.append(_text(f"{where}.resource.uri", resource, "uri"))
        if isinstance(item.get("text"), str):
            parts.append(_text(where, item, "text"))
        elif isinstance(resource, dict) and isinstance(resource.get("text"), str):
            parts.append(_text(f"{where}.resource", resource, "text"))
        elif item.get("type") == "resource_link":
            parts.append(_document(where, raw["content"], index))
        else:
            unread = guardrail_pb2.Segment(path=where, role="tool", kind=guardrail_pb2.SEGMENT_KIND_UNSUPPORTED)
            parts.append(_Part(unread, lambda _text: None))
    if raw.get("structuredContent") is not None:
        parts.append(_document("structuredContent", raw, "structuredContent"))
    return parts


def _metadata(where: str, holder: dict[str, Any]) -> list[_Part]:
    """What the protocol lets a server add at every level, in any form."""
    return [_document(f"{where}_meta", holder, "_meta")] if holder.get("_meta") else []


def _text(where: str, holder: dict[str, Any], key: str) -> _Part:
    def put(text: str) -> None:
        holder[key] = text

    segment = guardrail_pb2.Segment(path=where, role="tool", kind=guardrail_pb2.SEGMENT_KIND_TEXT, text=holder[key])
    return _Part(segment, put)


def _document(where: str, holder: Any, key: Any) -> _Part:
    def put(text: str) -> None:
        holder[key] = json.loads(text)

    text = json.dumps(holder[key], ensure_ascii=False)
    return _Part(guardrail_pb2.Segment(path=where, role="tool", kind=guardrail_pb2.SEGMENT_KIND_JSON, text=text), put)
