"""Routes that try drafts: `/test`, `/evaluate` with its progress stream, `/simulate`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import StrictInt, StrictStr, ValidationError

from services.common.answers import Answer, shows
from services.common.errors import Invalid
from services.common.http import Body, Principal, Role, ok, require
from services.guardrail import answers
from services.guardrail.domain.model import Finding, Rule, Stage
from services.guardrail.domain.sandbox import Trial
from services.guardrail.trials import Simulation, Trials
from services.guardrail.wire import safe_text

CHUNKS_MAX = 10_000
TEXT_MAX = 4 * 1024 * 1024
DAYS_MAX = 90

Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]


class DraftBody(Body):
    """What is tried: a draft's rules or a stored guardrail."""

    rules: list[dict[str, Any]] | None = None
    guardrail_id: StrictStr | None = None


class TestBody(DraftBody):
    """A trial on one text or on its pieces. `sources` are what grounding compares with."""

    stage: StrictStr = "input"
    text: StrictStr | None = None
    chunks: list[StrictStr] | None = None
    sources: list[StrictStr] | None = None


class EvaluateBody(DraftBody):
    """A trial on a labelled corpus: JSONL text, or a list of its objects."""

    corpus: StrictStr | list[dict[str, Any]]


class SimulateBody(DraftBody):
    """A trial on what was captured in the last days."""

    days: StrictInt


JSONL_TYPES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
"""Media types of a bare corpus."""
_LINE = {"type": "string", "description": "Objects, one a line or event: `progress` with how far it is, then `result`."}
_EVALUATION = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": EvaluateBody.model_json_schema()},
            **{kind: {"schema": {"type": "string"}} for kind in JSONL_TYPES},
        },
    }
}


async def _evaluation(request: Request, guardrail_id: str | None = None) -> EvaluateBody:
    """The trial asked for. A bare corpus has no room for a draft, so it names a stored guardrail."""
    raw = await request.body()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in JSONL_TYPES:
        return EvaluateBody(guardrail_id=guardrail_id, corpus=raw.decode("utf-8", "replace"))
    try:
        return EvaluateBody.model_validate(json.loads(raw))
    except ValidationError as wrong:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in wrong.errors(include_url=False)]
        raise RequestValidationError(errors) from None
    except (ValueError, RecursionError):
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "must be JSON"}]) from None


def add_trials(api: FastAPI, trials: Trials) -> None:
    """Adds the routes."""

    @api.post("/api/guardrail/test", responses=shows(answers.Trial))
    async def test(principal: Developer, body: TestBody) -> Answer:
        """Tries a draft: no upstream, no event, no cost."""
        text = _text_of(body)
        if body.stage not in ("input", "output"):
            raise Invalid("stage: must be input or output", param="stage")
        sources = body.sources or []
        if len(sources) > CHUNKS_MAX or sum(map(len, sources)) > TEXT_MAX:
            raise Invalid(f"sources: must have at most {TEXT_MAX} characters", param="sources")
        guardrail = await trials.draft(principal.workspace_id, body.rules, body.guardrail_id)
        return ok(_trial(await trials.test(guardrail, Stage(body.stage), text, body.chunks, sources)))

    @api.post(
        "/api/guardrail/evaluate",
        response_class=StreamingResponse,
        openapi_extra=_EVALUATION,
        responses={200: {"content": {kind: {"schema": _LINE} for kind in (JSONL_TYPES[0], "text/event-stream")}}},
    )
    async def evaluate(
        principal: Developer, body: Annotated[EvaluateBody, Depends(_evaluation)], request: Request
    ) -> StreamingResponse:
        """Judges a labelled corpus: a JSON object with it, or the bare JSONL with `?guardrail_id=`. The answer is a
        stream of JSON objects, one a line, or server-sent events for callers that accept those: `progress` objects,
        then one `result`."""
        guardrail = await trials.draft(principal.workspace_id, body.rules, body.guardrail_id)
        lines = await trials.corpus(body.corpus)
        trials.check_room()
        sse = "text/event-stream" in request.headers.get("accept", "")

        async def stream() -> AsyncIterator[bytes]:
            with trials.running():
                async for message in trials.evaluate(guardrail, lines):
                    line = json.dumps(message, separators=(",", ":")).encode()
                    yield b"data: " + line + b"\n\n" if sse else line + b"\n"

        kind = "text/event-stream" if sse else "application/x-ndjson"
        return StreamingResponse(stream(), media_type=kind, headers={"Cache-Control": "no-cache"})

    @api.post("/api/guardrail/simulate", responses=shows(answers.Simulation))
    async def simulate(principal: Developer, body: SimulateBody) -> Answer:
        """Replays a draft over captured bodies: what it would change against what happened then, request by request."""
        if not 1 <= body.days <= DAYS_MAX:
            raise Invalid(f"days: must be a whole number from 1 to {DAYS_MAX}", param="days")
        guardrail = await trials.draft(principal.workspace_id, body.rules, body.guardrail_id)
        trials.check_room()
        with trials.running():
            return ok(_simulation(await trials.simulate(guardrail, body.days)))


def _text_of(body: TestBody) -> str:
    if (body.text is None) == (body.chunks is None):
        raise Invalid("text: give either text or chunks", param="text")
    if body.chunks is not None and len(body.chunks) > CHUNKS_MAX:
        raise Invalid(f"chunks: must have at most {CHUNKS_MAX} items", param="chunks")
    text = body.text if body.text is not None else "".join(body.chunks or [])
    if len(text) > TEXT_MAX:
        raise Invalid(f"text: must have at most {TEXT_MAX} characters", param="text")
    return text


def _trial(trial: Trial) -> dict[str, Any]:
    out: dict[str, Any] = {
        "blocked": trial.blocked,
        "mutated": trial.mutated,
        "sanitized": safe_text(trial.sanitized),
        "violations": [_violation(rule, finding) for rule, finding in trial.violations],
    }
    if trial.advisories:
        out["advisories"] = list(map(safe_text, trial.advisories))
    if trial.not_evaluated:
        out["not_evaluated"] = [
            {"rule": rule.id, "type": rule.type, "reason": reason} for rule, reason in trial.not_evaluated
        ]
    if trial.released is not None:
        out["released"] = list(map(safe_text, trial.released))
    return out


def _violation(rule: Rule, finding: Finding) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "type": rule.type,
        "label": rule.label,
        "entity": finding.entity,
        "action": finding.action.value,
        "start": finding.start,
        "end": finding.end,
    }


def _simulation(found: Simulation) -> dict[str, Any]:
    return {
        "items": found.changes,
        "summary": {
            "evaluated": found.evaluated,
            "matched": found.matched,
            "blocked": found.blocked,
            "masked": found.masked,
            "changed": found.changed,
            "unchanged": found.evaluated - found.changed,
            "not_evaluable": found.not_evaluable,
        },
        "not_evaluable": found.not_evaluable,
        "truncated": found.truncated,
    }
