"""Management routes of the firewall. Members read, Developers author, Admins change settings.

Every row is looked up by workspace. Feeds (`…/events`, `…/runs`, `…/tools`, `…/anomalies`) belong to analytics.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Query
from pydantic import Field, StrictBool, StrictInt, StrictStr

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
from services.firewall import answers
from services.firewall.domain.diff import diff
from services.firewall.domain.engine import Call, CompiledPolicy, Judgement
from services.firewall.domain.model import CALL_SURFACES, Policy, Surface, Verdict
from services.firewall.domain.presets import presets
from services.firewall.domain.resolution import Resolution
from services.firewall.evaluation import Evaluated, Evaluator, refusal
from services.firewall.hook_api import checked_tool_name, checked_unicode, raw_arguments
from services.firewall.policies import Policies, checked_name, policy_warnings, shown, verdict_of
from services.firewall.simulation import Simulator
from services.firewall.snapshot import Snapshot
from services.firewall.storage.queries import Stored, StoredSettings
from services.firewall.vault import WEBHOOK, Vault
from services.firewall.webhooks import Sender, checked_secret, checked_url

BASE = "/api/workspace/firewall"
DAYS_MAX = 90
TTL_MIN_S, TTL_MAX_S = 60, 7 * 86_400

Member = Annotated[Principal, Depends(require(Role.VIEWER))]
Developer = Annotated[Principal, Depends(require(Role.DEVELOPER))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]

T = TypeVar("T", str, int)


class PolicyBody(Body):
    """Writable fields. On creation `name` is required; an update leaves absent fields as they are."""

    name: StrictStr | None = None
    enabled: StrictBool | None = None
    is_default: StrictBool | None = None
    default_verdict: StrictStr | None = None
    shadow_mode: StrictBool | None = None
    rules: list[dict[str, Any]] | None = None

    def fields(self, *, creating: bool) -> dict[str, Any]:
        """The fields that were sent. Raises Invalid."""
        if creating and self.name is None:
            raise Invalid("name: is required", param="name")
        fields = sent(self)
        if "name" in fields:
            fields["name"] = checked_name(fields["name"])
        return fields


class SettingsBody(Body):
    """Writable settings; absent fields stay as they are."""

    observe_mode: StrictBool | None = None
    approval_ttl_s: StrictInt | None = None
    webhook_url: StrictStr | None = None
    webhook_secret: StrictStr | None = None

    def fields(self) -> dict[str, Any]:
        """The fields that were sent; null ends webhooks. Raises Invalid."""
        fields = sent(self, but=("webhook_url", "webhook_secret"))
        if "webhook_url" in self.model_fields_set:
            fields["webhook_url"] = checked_url(self.webhook_url) if self.webhook_url not in (None, "") else ""
        if "webhook_secret" in self.model_fields_set:
            fields["webhook_secret"] = checked_secret(self.webhook_secret) if self.webhook_secret is not None else None
        ttl_s = fields.get("approval_ttl_s", TTL_MIN_S)
        if not TTL_MIN_S <= ttl_s <= TTL_MAX_S:
            message = f"approval_ttl_s: must be from {TTL_MIN_S} to {TTL_MAX_S} seconds"
            raise Invalid(message, param="approval_ttl_s")
        return fields


class RevertBody(Body):
    """Which version to go back to."""

    version: StrictInt


class TriedBody(Body):
    """What is tried: a draft, or a stored policy."""

    policy_id: StrictStr | None = None
    policy: PolicyBody | None = None


class SimulateBody(TriedBody):
    """A policy, and how many days of recorded calls to try it on."""

    days: StrictInt = 7


class TestBody(TriedBody):
    """One synthetic call, judged by a draft's rules, a stored policy, or what a key without attachment would get."""

    tool_name: StrictStr
    arguments: dict[str, Any] | StrictStr | None = None
    surface: StrictStr = "response"
    destinations: Annotated[list[StrictStr], Field(max_length=64)] | None = None


def sent(body: Body, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that were sent; null is no value. Raises Invalid."""
    fields = {name: getattr(body, name) for name in body.model_fields_set if name not in but}
    for name, value in fields.items():
        if value is None:
            raise Invalid(f"{name}: must not be null", param=name)
    return fields


def build_api(
    policies: Policies,
    snapshot: Snapshot,
    evaluator: Evaluator,
    vault: Vault,
    sender: Sender,
    simulator: Simulator,
    authenticator: Authenticator | None,
) -> FastAPI:
    """The routes of policies, settings and the sandbox, under their full paths."""
    api = create_api("Orca firewall", authenticator)
    _add_settings(api, policies, vault, sender)
    _add_policies(api, policies)
    _add_versions(api, policies)
    _add_trials(api, policies, snapshot, evaluator)
    _add_simulation(api, policies, simulator)
    return api


def _add_settings(api: FastAPI, policies: Policies, vault: Vault, sender: Sender) -> None:
    @api.get(f"{BASE}/settings", responses=shows(answers.Settings))
    async def read_settings(principal: Member) -> Answer:
        """The workspace's firewall settings."""
        return ok(_settings(await policies.settings(principal.workspace_id)))

    @api.put(f"{BASE}/settings", responses=shows(answers.Settings))
    async def update_settings(principal: Admin, body: SettingsBody) -> Answer:
        """Partial update; governs the next request."""
        fields = body.fields()
        if fields.get("webhook_url"):
            sender.check(fields["webhook_url"])
        if fields.get("webhook_secret") is not None:
            fields["webhook_secret"] = vault.seal(WEBHOOK, principal.workspace_id, fields["webhook_secret"].encode())
        return ok(_settings(await policies.update_settings(principal.workspace_id, principal.user_id, fields)))


def _settings(stored: StoredSettings) -> dict[str, Any]:
    settings = stored.settings
    return {
        "observe_mode": settings.observe_mode,
        "approval_ttl_s": settings.approval_ttl_s,
        "webhook_url": stored.webhook_url or None,
        "webhook_secret_set": stored.webhook_secret is not None,
    }


def _add_policies(api: FastAPI, policies: Policies) -> None:
    @api.get(f"{BASE}/policies", responses=pages(answers.Policy))
    async def list_policies(principal: Member, page: Page) -> Answer:
        """Policies by creation."""
        after = position(page.cursor, str) if page.cursor else ""
        rows = await policies.page(principal.workspace_id, after, page.limit + 1)
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        cursor = encode_cursor([rows[-1].policy.id]) if more else None
        return ok({"items": [shown(row) for row in rows], "next_cursor": cursor})

    @api.post(f"{BASE}/policies", responses=shows(answers.WrittenPolicy))
    async def create_policy(principal: Developer, body: PolicyBody) -> Answer:
        """A new policy; as a default it replaces the former default at once."""
        fields = body.fields(creating=True)
        return ok(_written(await policies.create(principal.workspace_id, principal.user_id, fields)))

    @api.get(f"{BASE}/policies/{{policy_id}}", responses=shows(answers.Policy))
    async def read_policy(principal: Member, policy_id: str) -> Answer:
        """One policy."""
        return ok(shown(await policies.get(principal.workspace_id, policy_id)))

    @api.put(f"{BASE}/policies/{{policy_id}}", responses=shows(answers.WrittenPolicy))
    async def update_policy(principal: Developer, policy_id: str, body: PolicyBody) -> Answer:
        """Partial update; governs the next request."""
        fields = body.fields(creating=False)
        return ok(_written(await policies.update(principal.workspace_id, policy_id, principal.user_id, fields)))

    @api.delete(f"{BASE}/policies/{{policy_id}}", responses=shows(Deleted))
    async def delete_policy(principal: Developer, policy_id: str) -> Answer:
        """Refused while keys name it."""
        await policies.delete(principal.workspace_id, policy_id, principal.user_id)
        return ok({"id": policy_id, "deleted": True})


def _written(stored: Stored) -> dict[str, Any]:
    return {**shown(stored), "warnings": policy_warnings(stored.policy)}


def _add_versions(api: FastAPI, policies: Policies) -> None:
    @api.get(f"{BASE}/policies/{{policy_id}}/history", responses=pages(Version))
    async def policy_history(principal: Member, policy_id: str, page: Page) -> Answer:
        """Versions, newest first."""
        before = position(page.cursor, int) if page.cursor else None
        rows = await policies.history(principal.workspace_id, policy_id, before, page.limit + 1)
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        cursor = encode_cursor([rows[-1].version]) if more else None
        return ok({"items": [_version(row) for row in rows], "next_cursor": cursor})

    @api.get(f"{BASE}/policies/{{policy_id}}/diff", responses=shows(Difference))
    async def compare_policy(
        principal: Member,
        policy_id: str,
        start: Annotated[int, Query(alias="from", ge=1, le=2**62)],
        to: Annotated[int, Query(ge=1, le=2**62)],
    ) -> Answer:
        """What changed from one version to another."""
        before = await policies.version(principal.workspace_id, policy_id, start)
        after = await policies.version(principal.workspace_id, policy_id, to)
        return ok({"from": start, "to": to, "changes": diff(before.snapshot, after.snapshot)})

    @api.post(f"{BASE}/policies/{{policy_id}}/revert", responses=shows(answers.WrittenPolicy))
    async def revert_policy(principal: Developer, policy_id: str, body: RevertBody) -> Answer:
        """Appends a version with the content of an older one."""
        if not 1 <= body.version <= 2**62:
            raise Invalid("version: must be a version of this policy", param="version")
        return ok(_written(await policies.revert(principal.workspace_id, policy_id, principal.user_id, body.version)))


def _version(row: HistoryRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "operation": row.operation,
        "author_id": row.author_id,
        "created_time": row.occurred_at_us // 1_000_000,
        "snapshot": dict(row.snapshot),
    }


def _add_trials(api: FastAPI, policies: Policies, snapshot: Snapshot, evaluator: Evaluator) -> None:
    @api.get(f"{BASE}/presets", responses=lists(answers.Seed))
    async def list_presets(principal: Member) -> Answer:
        """Seeds of ordinary rules."""
        return ok({"items": presets()})

    @api.post(f"{BASE}/test", responses=shows(answers.Trial))
    async def test_call(principal: Developer, body: TestBody) -> Answer:
        """Judges one synthetic call: the real engine, no event."""
        if body.surface not in ("inbound", "response", "mcp"):
            raise Invalid("surface: must be inbound, response or mcp", param="surface")
        checked_tool_name(body.tool_name)
        checked_unicode("".join(body.destinations or ()), "destinations")
        surface = Surface(body.surface)
        tried = await _tried(policies, principal.workspace_id, body)
        resolution = Resolution(tried) if tried is not None else snapshot.resolve(principal.workspace_id, "")
        call = Call(body.tool_name, raw_arguments(body.arguments), tuple(body.destinations or ()))
        return ok(_trial(await evaluator.trial(resolution, surface, [call]), surface, body.arguments))


def _add_simulation(api: FastAPI, policies: Policies, simulator: Simulator) -> None:
    @api.post(f"{BASE}/simulate", responses=shows(answers.Simulation))
    async def simulate(principal: Developer, body: SimulateBody) -> Answer:
        """A draft or stored policy against the recorded calls of the last days: what would change, call by call."""
        if not 1 <= body.days <= DAYS_MAX:
            raise Invalid(f"days: must be a whole number from 1 to {DAYS_MAX}", param="days")
        policy = await _tried(policies, principal.workspace_id, body)
        if policy is None:
            raise Invalid("policy: give policy or policy_id", param="policy")
        return ok((await simulator.run(principal.workspace_id, policy, body.days)).shown())


async def _tried(policies: Policies, workspace_id: str, body: TriedBody) -> CompiledPolicy | None:
    """The draft or the stored policy that a body names. Raises Invalid, NotFound."""
    if body.policy is not None and body.policy_id is not None:
        raise Invalid("policy: give either policy or policy_id", param="policy")
    if body.policy is not None:
        return await _draft(policies, workspace_id, body.policy)
    if body.policy_id is not None:
        return CompiledPolicy((await policies.get(workspace_id, body.policy_id)).policy)
    return None


async def _draft(policies: Policies, workspace_id: str, body: PolicyBody) -> CompiledPolicy:
    fields = sent(body)
    # A draft may be a stored policy that was edited: its rules keep their ids for the answer.
    raw = [dict(rule) for rule in fields.get("rules", [])]
    given = [rule.pop("id", None) for rule in raw]
    rules = tuple(
        replace(rule, id=rule_id[:64]) if isinstance(rule_id, str) and rule_id.isprintable() else rule
        for rule, rule_id in zip(await policies.admitted(raw), given, strict=True)
    )
    verdict = verdict_of(fields.get("default_verdict", "audit"))
    name = checked_name(fields.get("name", "draft"))
    shadow = bool(fields.get("shadow_mode", False))
    return CompiledPolicy(
        Policy("draft", workspace_id, name, 0, default_verdict=verdict, shadow_mode=shadow, rules=rules)
    )


def _trial(evaluated: Evaluated, surface: Surface, arguments: dict[str, Any] | str | None) -> dict[str, Any]:
    policy = evaluated.resolution.policy.policy if evaluated.resolution.policy is not None else None
    decisive = evaluated.decisive
    answer: dict[str, Any] = {
        "surface": surface.value,
        "verdict": evaluated.verdict.value,
        "reason": decisive.reason if decisive is not None else "no firewall policy applies",
        "message": None,
        "policy": {"id": policy.id, "name": policy.name, "version": policy.version} if policy else None,
        "rule": None,
        "arguments": arguments,
        "shadow": False,
        "gap": False,
        "args_hash": None,
        "args_summary": None,
        "evaluations": [_evaluation(item, surface) for item in evaluated.judgements],
    }
    if decisive is None:
        return answer
    answer |= {
        "message": refusal(evaluated.resolution, decisive) if decisive.verdict.enforcing else None,
        "rule": {"id": decisive.rule_id, "label": decisive.rule_label} if decisive.rule_id else None,
        "shadow": decisive.shadow,
        "gap": decisive.gap,
    }
    if surface in CALL_SURFACES:
        answer |= {"args_hash": decisive.args_hash, "args_summary": decisive.args_summary}
    if decisive.verdict is Verdict.SANITIZE:
        text = decisive.sanitized_arguments_json
        answer["arguments"] = text if isinstance(arguments, str) else json.loads(text)
    return answer


def _evaluation(judgement: Judgement, surface: Surface) -> dict[str, Any]:
    return {
        "surface": (judgement.surface or surface).value,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "rule": {"id": judgement.rule_id, "label": judgement.rule_label} if judgement.rule_id else None,
        "destination": judgement.destination or None,
        "shadow": judgement.shadow,
    }


def position(cursor: str, kind: type[T]) -> T:
    """The single value of a list's cursor. Raises Invalid."""
    found = decode_cursor(cursor)
    if len(found) != 1 or type(found[0]) is not kind:
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    value: T = found[0]
    if (isinstance(value, int) and not 0 <= value <= 2**62) or (isinstance(value, str) and not value.isprintable()):
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return value
