"""Management routes: objects, versions, roles, isolation, refusals, events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.guardrail.builders import rule
from tests.unit.guardrail.harness import Harness, harness


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def test_a_guardrail_is_created_read_updated_and_deleted(service: Harness) -> None:
    created = await service.create(rules=[rule()])
    assert (created["version"], created["enabled"], created["is_default"], created["log_raw_content"]) == (
        1,
        True,
        False,
        False,
    )
    path = f"/api/guardrail/{created['id']}"
    assert await service.request("GET", path, who="w1/VIEWER") == (200, {"success": True, "data": created})
    status, body = await service.request("PUT", path, {"enabled": False})
    assert (status, body["data"]) == (200, {**created, "enabled": False, "version": 2})
    assert (await service.request("DELETE", path))[0] == 200
    assert (await service.request("GET", path))[0] == 404


async def test_each_write_leaves_history_audit_and_event(service: Harness) -> None:
    created = await service.create(rules=[rule()])
    path = f"/api/guardrail/{created['id']}"
    await service.request("PUT", path, {"name": "other"})
    await service.request("POST", f"{path}/revert", {"version": 1})
    _, body = await service.request("GET", f"{path}/history", who="w1/VIEWER")
    assert [(row["version"], row["operation"], row["author_id"]) for row in body["data"]["items"]] == [
        (3, "revert", "user-developer"),
        (2, "update", "user-developer"),
        (1, "create", "user-developer"),
    ]
    await service.request("DELETE", path)
    _, body = await service.request("GET", f"{path}/history", who="w1/VIEWER")
    assert [row["operation"] for row in body["data"]["items"]] == ["delete", "revert", "update", "create"]
    assert (await service.request("GET", f"{path}/diff?from=1&to=2", who="w1/VIEWER"))[0] == 200
    assert (await service.request("GET", f"{path}/history", who="w2/OWNER"))[0] == 404
    envelopes = await service.envelopes()
    assert [e.audit.verb for e in envelopes if e.HasField("audit")] == [
        "guardrail_create",
        "guardrail_update",
        "guardrail_revert",
        "guardrail_delete",
    ]
    assert [(e.config.operation, e.config.version) for e in envelopes if e.HasField("config")] == [
        ("create", 1),
        ("update", 2),
        ("update", 3),
        ("delete", 4),
    ]
    assert all("email" not in e.config.fields_json + e.audit.metadata_json for e in envelopes)


async def test_revert_brings_back_content_and_rule_ids(service: Harness) -> None:
    created = await service.create(rules=[rule(), rule(type="keyword", terms=["x"])])
    path = f"/api/guardrail/{created['id']}"
    await service.request("PUT", path, {"rules": [], "name": "emptied"})
    status, body = await service.request("POST", f"{path}/revert", {"version": 1})
    assert (status, body["data"]) == (200, {**created, "version": 3})
    assert (await service.request("POST", f"{path}/revert", {"version": 9}))[0] == 404


async def test_versions_diff(service: Harness) -> None:
    created = await service.create(rules=[rule()])
    path = f"/api/guardrail/{created['id']}"
    await service.request("PUT", path, {"name": "other", "rules": [rule(action="block", on_not_evaluated="pass")]})
    rule_id = created["rules"][0]["id"]
    _, body = await service.request("GET", f"{path}/diff?from=1&to=2")
    assert body["data"]["changes"] == [
        {"path": "name", "before": "tenant-baseline", "after": "other"},
        {"path": f"rules.{rule_id}.action", "before": "mask", "after": "block"},
    ]


async def test_the_default_is_swapped_at_once(service: Harness) -> None:
    first = await service.create(is_default=True)
    second = await service.create(name="second", is_default=True)
    _, body = await service.request("GET", "/api/guardrail", who="w1/VIEWER")
    assert [(row["id"], row["is_default"], row["version"]) for row in body["data"]["items"]] == [
        (first["id"], False, 2),
        (second["id"], True, 1),
    ]


async def test_lists_are_paginated(service: Harness) -> None:
    ids = [(await service.create(name=f"g{number}"))["id"] for number in range(3)]
    _, first = await service.request("GET", "/api/guardrail?limit=2")
    _, second = await service.request("GET", f"/api/guardrail?limit=2&cursor={first['data']['next_cursor']}")
    assert [row["id"] for row in first["data"]["items"] + second["data"]["items"]] == ids
    assert second["data"]["next_cursor"] is None
    assert (await service.request("GET", "/api/guardrail?cursor=!!"))[0] == 422


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "enabled": "yes"}, "enabled"),
        ({"name": "x", "enabled": None}, "enabled"),
        ({"name": "x", "unknown": 1}, "unknown"),
        ({"name": "x", "rules": {}}, "rules"),
        ({"name": "x", "rules": [rule(entities=["nope"])]}, "rules.0.entities.0"),
        ({"name": "x", "rules": [rule(type="regex", pattern=r"(a)\1")]}, "rules.0.pattern"),
        ({"name": "x", "rules": [rule(type="external")]}, "rules.0.url"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_written(service: Harness, body: Any, param: str) -> None:
    status, answer = await service.request("POST", "/api/guardrail", body)
    assert (status, answer["success"], answer["param"]) == (422, False, param)
    assert (await service.request("GET", "/api/guardrail"))[1]["data"]["items"] == []


async def test_names_are_unique_in_a_workspace(service: Harness) -> None:
    await service.create()
    assert (await service.request("POST", "/api/guardrail", {"name": "tenant-baseline"}))[0] == 409
    status, _ = await service.request("POST", "/api/guardrail", {"name": "tenant-baseline"}, who="w2/DEVELOPER")
    assert status == 200


async def test_a_guardrail_that_keys_name_stays(service: Harness) -> None:
    created = await service.create()
    service.keys.names[created["id"]] = [("key_1", "agent")]
    status, body = await service.request("DELETE", f"/api/guardrail/{created['id']}")
    assert (status, body["code"]) == (409, "guardrail_in_use")
    assert "agent (key_1)" in body["message"]
    _, tokens = await service.request("GET", f"/api/guardrail/{created['id']}/tokens")
    assert tokens["data"]["items"] == [{"id": "key_1", "name": "agent"}]


ROUTES = [
    ("GET", "", None, "VIEWER"),
    ("POST", "", {"name": "new"}, "DEVELOPER"),
    ("GET", "/meta", None, "VIEWER"),
    ("GET", "/presets", None, "VIEWER"),
    ("POST", "/test", {"rules": [], "text": "x"}, "DEVELOPER"),
    ("GET", "/{id}", None, "VIEWER"),
    ("GET", "/{id}/history", None, "VIEWER"),
    ("GET", "/{id}/diff?from=1&to=1", None, "VIEWER"),
    ("GET", "/{id}/tokens", None, "VIEWER"),
    ("PUT", "/{id}", {"enabled": True}, "DEVELOPER"),
    ("POST", "/{id}/revert", {"version": 1}, "DEVELOPER"),
    ("DELETE", "/{id}", None, "DEVELOPER"),
]


@pytest.mark.parametrize(("method", "path", "body", "least"), ROUTES)
async def test_roles_and_workspaces(service: Harness, method: str, path: str, body: Any, least: str) -> None:
    created = await service.create()
    url = "/api/guardrail" + path.replace("{id}", created["id"])
    if least == "DEVELOPER":
        assert (await service.request(method, url, body, who="w1/VIEWER"))[0] == 403
    assert (await service.request(method, url, body, who=""))[0] == 401
    if "{id}" in path:
        assert (await service.request(method, url, body, who="w2/OWNER"))[0] == 404
    assert (await service.request(method, url, body, who=f"w1/{least}"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/test", {"text": "a@example.com"}),
        ("POST", "/evaluate", {"corpus": '{"text": "a@example.com", "stage": "input", "spans": []}'}),
        ("POST", "/simulate", {"days": 1}),
        ("POST", "/match/match_1/mark_fp", None),
        ("POST", "/match/match_1/mark_fp", {"fingerprint": "f1"}),
        ("DELETE", "/match/match_1/mark_fp", None),
    ],
)
async def test_another_workspaces_guardrails_and_matches_are_unknown(
    service: Harness, method: str, path: str, body: dict[str, Any] | None
) -> None:
    created = await service.create(rules=[rule()])
    row = {
        "id": "match_1", "guardrail_id": created["id"], "rule_id": created["rules"][0]["id"], "entity": "email",
        "fingerprints": ["f1"],
    }  # fmt: skip
    service.recorded.matches["w1", "match_1"] = row
    service.recorded.captured = []
    sent = body if "mark_fp" in path else {**(body or {}), "guardrail_id": created["id"]}
    statuses = []
    for who in ("w2/OWNER", "w1/VIEWER", "", "w1/ADMIN"):
        answer = await service.client.request(
            method, f"/api/guardrail{path}", json=sent, headers={"Authorization": who}
        )
        statuses.append(answer.status_code)
    assert statuses == [404, 403, 401, 200]
    _, listed = await service.request("GET", "/api/guardrail/suppressions", who="w2/OWNER")
    assert listed["data"]["items"] == []


async def test_a_webhooks_internal_address_is_refused_at_save(service: Harness) -> None:
    bad = rule(type="external", url="https://192.168.7.7/", secret="s" * 16)
    status, body = await service.request("POST", "/api/guardrail", {"name": "hook", "rules": [bad]})
    assert (status, body["param"]) == (422, "rules.0.url")


async def test_every_preset_is_accepted_as_it_is(service: Harness) -> None:
    _, body = await service.request("GET", "/api/guardrail/presets")
    assert [preset["name"] for preset in body["data"]["items"]] == [preset[0] for preset in PRESETS]
    for preset in body["data"]["items"]:
        created = await service.create(name=preset["name"], rules=preset["rules"])
        assert [
            {name: stored[name] for name in seed} == seed
            for stored, seed in zip(created["rules"], preset["rules"], strict=True)
        ] == [True] * len(preset["rules"])


PRESETS = [
    ("PII Shield", ["mask"], ["both"], "my card is 4111 1111 1111 1111", "my card is [CREDIT_CARD]"),
    ("Secrets Blocker", ["block"], ["both"], "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", ""),
    ("Prompt-Attack Basics", ["flag"], ["input"], "hello", "hello"),
    ("Compliance Logger", ["flag", "flag"], ["both", "both"], "a@example.com", "a@example.com"),
    ("PCI Card Block", ["block"], ["both"], "4111 1111 1111 1111", ""),
    ("Healthcare Identifier Block", ["block"], ["both"], "patient MRN: 84736251", ""),
    ("EU/UK Identifier Block", ["block"], ["both"], "pay DE89 3704 0044 0532 0130 00", ""),
    ("Code-Secret-File Block", ["block", "block"], ["both", "both"], "cat ~/.ssh/id_rsa", ""),
    ("Brand Denylist", ["mask"], ["both"], "ask Example Brand", "ask [REDACTED]"),
]


@pytest.mark.parametrize(
    ("name", "actions", "stages", "text", "sanitized"),
    PRESETS,
)
async def test_a_preset_does_what_its_name_says(
    service: Harness, name: str, actions: list[str], stages: list[str], text: str, sanitized: str
) -> None:
    _, body = await service.request("GET", "/api/guardrail/presets")
    (preset,) = [item for item in body["data"]["items"] if item["name"] == name]
    assert ([r["action"] for r in preset["rules"]], [r["stage"] for r in preset["rules"]]) == (actions, stages)
    _, tried = await service.request("POST", "/api/guardrail/test", {"rules": preset["rules"], "text": text})
    assert (tried["data"]["blocked"], tried["data"]["sanitized"]) == (sanitized == "", sanitized)


async def test_meta_lists_what_rules_may_say(service: Harness) -> None:
    _, body = await service.request("GET", "/api/guardrail/meta", who="w1/VIEWER")
    meta = body["data"]
    assert {"name": "email", "tag": "[EMAIL]"} in meta["entities"]
    assert meta["aliases"]["email_address"] == "email"
    assert len(meta["detectors"]) >= 150
    assert meta["fields"]["external"] == ["url", "secret", "timeout_ms", "mask_tag"]
    assert meta["actions"] == ["block", "mask", "flag", "annotate", "spotlight"]
    assert meta["limits"]["timeout_ms"] == 4500


async def test_the_sandbox_shows_what_a_draft_does(service: Harness) -> None:
    draft = {"rules": [rule(entities=["email"])], "stage": "input", "text": "é bob@example.com"}
    status, body = await service.request("POST", "/api/guardrail/test", draft)
    assert (status, body["data"]) == (
        200,
        {
            "blocked": False,
            "mutated": True,
            "sanitized": "é [EMAIL]",
            "violations": [
                {
                    "rule": "rule_1",
                    "type": "pii",
                    "label": "",
                    "entity": "email",
                    "action": "mask",
                    "start": 2,
                    "end": 17,
                }
            ],
        },
    )


async def test_the_sandbox_streams_pieces(service: Harness) -> None:
    created = await service.create(rules=[rule(entities=["email"])])
    trial = {"guardrail_id": created["id"], "stage": "output", "chunks": ["hi bob@exam", "ple.com", " ok"]}
    _, body = await service.request("POST", "/api/guardrail/test", trial)
    assert (body["data"]["sanitized"], "".join(body["data"]["released"])) == ("hi [EMAIL] ok", "hi [EMAIL] ok")
    assert len(body["data"]["released"]) == 4


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text": "x"}, "rules"),
        ({"rules": [], "guardrail_id": "g", "text": "x"}, "rules"),
        ({"rules": []}, "text"),
        ({"rules": [], "text": "x", "chunks": []}, "text"),
        ({"rules": [], "text": "x", "stage": "both"}, "stage"),
        ({"rules": [rule(type="nope")], "text": "x"}, "rules.0.type"),
    ],
)
async def test_the_sandbox_refuses_with_the_field(service: Harness, body: Any, param: str) -> None:
    status, answer = await service.request("POST", "/api/guardrail/test", body)
    assert (status, answer["param"]) == (422, param)
