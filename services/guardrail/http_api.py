"""Management routes of guardrails. Members read, Developers author; every row is looked up by workspace."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Query
from pydantic import StrictBool, StrictInt, StrictStr

from services.common.answers import Answer, Deleted, Difference, Version, lists, pages, shows
from services.common.errors import Invalid
from services.common.http import (
    Authenticator,
    Body,
    Page,
    Principal,
    Role,
    create_api,
    decode_cursor,
    encode_cursor,
    ok,
    require,
)
from services.common.storage import HistoryRow
from services.guardrail import answers
from services.guardrail.domain import drafts, entities, secrets
from services.guardrail.domain.diff import diff
from services.guardrail.domain.draft_fields import RULE_TYPES
from services.guardrail.domain.model import Action
from services.guardrail.domain.presets import presets
from services.guardrail.http_suppressions import add_suppressions
from services.guardrail.http_trials import add_trials
from services.guardrail.policies import Policies, is_id, shown
from services.guardrail.suppressions import Suppressions
from services.guardrail.trials import Trials

T = TypeVar("T", str, int)

NAME_MAX = 64

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]


class GuardrailBody(Body):
    """Writable fields. On creation `name` is required; an update leaves absent fields as they are."""

    name: StrictStr | None = None
    enabled: StrictBool | None = None
    is_default: StrictBool | None = None
    log_raw_content: StrictBool | None = None
    rules: list[dict[str, Any]] | None = None

    def fields(self, *, creating: bool) -> dict[str, Any]:
        """The fields that were sent. Raises Invalid."""
        if creating and self.name is None:
            raise Invalid("name: is required", param="name")
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        for name, value in fields.items():
            if value is None:
                raise Invalid(f"{name}: must not be null", param=name)
        if "name" in fields:
            fields["name"] = _name(fields["name"])
        return fields


class RevertBody(Body):
    """Which version to go back to."""

    version: StrictInt


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > NAME_MAX:
        raise Invalid(f"name: must have 1 to {NAME_MAX} characters", param="name")
    if not name.isprintable():
        raise Invalid("name: must be printable text", param="name")
    return name


def build_api(
    policies: Policies, trials: Trials, suppressions: Suppressions, authenticator: Authenticator | None
) -> FastAPI:
    """The routes, under their full paths."""
    api = create_api("Orca guardrail", authenticator)
    _add_reference(api, policies)
    add_trials(api, trials)
    add_suppressions(api, suppressions)
    _add_objects(api, policies)
    _add_versions(api, policies)
    return api


def _add_reference(api: FastAPI, policies: Policies) -> None:
    @api.get("/api/guardrail/meta", responses=shows(answers.Meta))
    async def meta(principal: Member) -> Answer:
        """What rules may say: types with their fields, stages, actions, entities, detectors, limits."""
        return ok(
            {
                "rule_types": list(drafts.TYPES),
                "stages": list(drafts.STAGES),
                "actions": [action.value for action in Action],
                "entities": [{"name": name, "tag": entities.tag_of(name)} for name in entities.NAMES],
                "roles": list(drafts.ROLES),
                "aliases": dict(entities.ALIASES),
                "detectors": [{"name": row.name, "group": row.group} for row in secrets.CATALOGUE],
                "fields": {name: list(rule_type.fields) for name, rule_type in RULE_TYPES.items()},
                "limits": {
                    "rules": drafts.MAX_RULES,
                    "terms": drafts.MAX_TERMS,
                    "custom_entities": drafts.MAX_CUSTOM,
                    "max_match": drafts.MAX_MATCH,
                    "name": NAME_MAX,
                    "timeout_ms": policies.limits.timeout_max_ms,
                },
            }
        )

    @api.get("/api/guardrail/presets", responses=lists(answers.Seed))
    async def list_presets(principal: Member) -> Answer:
        """Seeds of ordinary rules."""
        return ok({"items": presets()})


def _add_objects(api: FastAPI, policies: Policies) -> None:
    @api.get("/api/guardrail", responses=pages(answers.Guardrail))
    async def list_guardrails(principal: Member, page: Page) -> Answer:
        """The workspace's guardrails, by creation."""
        after = _position(page.cursor, str) if page.cursor else ""
        rows = await policies.page(principal.workspace_id, after, page.limit + 1)
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        cursor = encode_cursor([rows[-1].policy.id]) if more else None
        return ok({"items": [shown(row) for row in rows], "next_cursor": cursor})

    @api.post("/api/guardrail", responses=shows(answers.Guardrail))
    async def create(principal: Developer, body: GuardrailBody) -> Answer:
        """Creates a guardrail."""
        fields = body.fields(creating=True)
        return ok(shown(await policies.create(principal.workspace_id, principal.user_id, fields)))

    @api.get("/api/guardrail/{guardrail_id}", responses=shows(answers.Guardrail))
    async def get(principal: Member, guardrail_id: str) -> Answer:
        """One guardrail."""
        return ok(shown(await policies.get(principal.workspace_id, guardrail_id)))

    @api.put("/api/guardrail/{guardrail_id}", responses=shows(answers.Guardrail))
    async def update(principal: Developer, guardrail_id: str, body: GuardrailBody) -> Answer:
        """Partial update; governs the next request."""
        fields = body.fields(creating=False)
        return ok(shown(await policies.update(principal.workspace_id, guardrail_id, principal.user_id, fields)))

    @api.delete("/api/guardrail/{guardrail_id}", responses=shows(Deleted))
    async def delete(principal: Developer, guardrail_id: str) -> Answer:
        """Refused while keys name it."""
        await policies.delete(principal.workspace_id, guardrail_id, principal.user_id)
        return ok({"id": guardrail_id, "deleted": True})

    @api.get("/api/guardrail/{guardrail_id}/tokens", responses=pages(answers.NamingKey))
    async def tokens(principal: Member, guardrail_id: str) -> Answer:
        """The keys that name it."""
        named = await policies.tokens(principal.workspace_id, guardrail_id)
        return ok({"items": [{"id": key_id, "name": name} for key_id, name in named], "next_cursor": None})


def _add_versions(api: FastAPI, policies: Policies) -> None:
    @api.get("/api/guardrail/{guardrail_id}/history", responses=pages(Version))
    async def history(principal: Member, guardrail_id: str, page: Page) -> Answer:
        """Versions, newest first."""
        before = _position(page.cursor, int) if page.cursor else None
        rows = await policies.history(principal.workspace_id, guardrail_id, before, page.limit + 1)
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        cursor = encode_cursor([rows[-1].version]) if more else None
        return ok({"items": [_version(row) for row in rows], "next_cursor": cursor})

    @api.get("/api/guardrail/{guardrail_id}/diff", responses=shows(Difference))
    async def compare(
        principal: Member,
        guardrail_id: str,
        start: Annotated[int, Query(alias="from", ge=1, le=2**62)],
        to: Annotated[int, Query(ge=1, le=2**62)],
    ) -> Answer:
        """What changed from one version to another."""
        before = await policies.version(principal.workspace_id, guardrail_id, start)
        after = await policies.version(principal.workspace_id, guardrail_id, to)
        return ok({"from": start, "to": to, "changes": diff(before.snapshot, after.snapshot)})

    @api.post("/api/guardrail/{guardrail_id}/revert", responses=shows(answers.Guardrail))
    async def revert(principal: Developer, guardrail_id: str, body: RevertBody) -> Answer:
        """Appends a version with the content of an older one."""
        if not 1 <= body.version <= 2**62:
            raise Invalid("version: must be a version of this guardrail", param="version")
        stored = await policies.revert(principal.workspace_id, guardrail_id, principal.user_id, body.version)
        return ok(shown(stored))


def _version(row: HistoryRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "operation": row.operation,
        "author_id": row.author_id,
        "created_time": row.occurred_at_us // 1_000_000,
        "snapshot": dict(row.snapshot),
    }


def _position(cursor: str, kind: type[T]) -> T:
    position = decode_cursor(cursor)
    if len(position) != 1 or type(position[0]) is not kind or (kind is str and not is_id(str(position[0]))):
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    value: T = position[0]
    return value
