"""The gRPC plane on its snapshot: resolution, verdicts on the wire, streams, freshness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orca.common.v1.common_pb2 import PolicyExistsRequest, PolicyRef, RequestContext
from orca.guardrail.v1 import guardrail_pb2 as pb
from services.common.errors import Invalid, Unavailable
from tests.unit.guardrail.builders import rule
from tests.unit.guardrail.harness import Harness, harness


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


async def check(
    service: Harness, *texts: str, guardrail_id: str = "", stage: pb.Stage.ValueType = pb.STAGE_INPUT
) -> pb.CheckResponse:
    request = pb.CheckRequest(context=RequestContext(workspace_id="w1"), guardrail_id=guardrail_id, stage=stage)
    request.segments.extend(pb.Segment(kind=pb.SEGMENT_KIND_TEXT, role="user", text=text) for text in texts)
    return await service.servicer.Check(request, None)


async def stream(service: Harness, messages: Sequence[Any]) -> list[pb.CheckStreamResponse]:
    async def requests() -> AsyncIterator[pb.CheckStreamRequest]:
        for message in messages:
            yield message

    return [answer async for answer in service.servicer.CheckStream(requests(), None)]


def opened(version: int = 0) -> pb.CheckStreamRequest:
    return pb.CheckStreamRequest(open=pb.StreamOpen(context=RequestContext(workspace_id="w1"), policy_version=version))


def chunk(text: str, field: str = "0.content", last: bool = False) -> pb.CheckStreamRequest:
    return pb.CheckStreamRequest(chunk=pb.StreamChunk(pieces=[pb.StreamPiece(field=field, text=text, last=last)]))


END = pb.CheckStreamRequest(end=pb.StreamEnd())


@pytest.mark.parametrize(
    ("attachment", "default_enabled", "expected"),
    [
        ("", True, ("default", False)),
        ("0", True, ("default", False)),
        ("", False, ("", False)),
        ("enabled", True, ("enabled", False)),
        ("enabled", False, ("enabled", False)),
        ("disabled", True, ("", False)),
        ("gone", True, ("default", True)),
        ("gone", False, ("", True)),
        ("foreign", True, ("default", True)),
    ],
)
async def test_the_resolution_table(
    service: Harness, attachment: str, default_enabled: bool, expected: tuple[str, bool]
) -> None:
    ids = {"": "", "0": "0", "gone": "gr_gone"}
    await service.create(name="default", is_default=True, enabled=default_enabled, rules=[rule()])
    ids["enabled"] = (await service.create(name="enabled", rules=[rule()]))["id"]
    ids["disabled"] = (await service.create(name="disabled", enabled=False, rules=[rule()]))["id"]
    _, foreign = await service.request("POST", "/api/guardrail", {"name": "foreign"}, who="w2/DEVELOPER")
    ids["foreign"] = foreign["data"]["id"]
    response = await check(service, "a@example.com", guardrail_id=ids[attachment])
    assert (response.policy.name, response.policy.dangling) == expected
    assert response.outcome == (pb.OUTCOME_MASKED if expected[0] else pb.OUTCOME_PASSED)


async def test_a_masked_request_on_the_wire(service: Harness) -> None:
    created = await service.create(is_default=True, rules=[rule(stage="input", label="pii")])
    response = await check(service, "clean", "mail bob@example.com")
    match = response.matches[0]
    assert (response.outcome, list(response.replacements)) == (
        pb.OUTCOME_MASKED,
        [pb.Replacement(index=1, text="mail [EMAIL]")],
    )
    assert (match.rule_id, match.entity, match.count, match.detail, list(match.matched)) == (
        created["rules"][0]["id"],
        "email",
        1,
        "pii(email)",
        [],
    )
    assert len(match.fingerprints) == 1
    assert match.id.startswith("gm_")
    assert (response.output_mode, response.output_enforced, response.may_refuse_output) == (
        pb.OUTPUT_MODE_NONE,
        False,
        False,
    )


async def test_output_rules_ask_for_an_output_check(service: Harness) -> None:
    created = await service.create(is_default=True, rules=[rule(stage="output", action="flag")])
    flags = await check(service, "a@example.com")
    await service.request("PUT", f"/api/guardrail/{created['id']}", {"rules": [rule(stage="output", action="block")]})
    blocks = await check(service, "a@example.com")
    assert [(r.outcome, r.output_mode, r.output_enforced, r.may_refuse_output) for r in (flags, blocks)] == [
        (pb.OUTCOME_PASSED, pb.OUTPUT_MODE_INCREMENTAL, False, False),
        (pb.OUTCOME_PASSED, pb.OUTPUT_MODE_INCREMENTAL, True, True),
    ]


async def test_a_blocked_request_on_the_wire(service: Harness) -> None:
    await service.create(is_default=True, rules=[rule(action="block", entities=["ssn"])])
    response = await check(service, "123-45-6789")
    assert (response.outcome, response.block.rule_type, response.block.detail, response.block.message) == (
        pb.OUTCOME_BLOCKED,
        "pii",
        "ssn",
        'request blocked by guardrail "tenant-baseline": pii(ssn)',
    )


async def test_long_texts_are_judged_too(service: Harness) -> None:
    await service.create(is_default=True, rules=[rule()])
    response = await check(service, "word " * 40_000 + "bob@example.com")
    assert response.replacements[0].text.endswith("word [EMAIL]")


async def test_a_stream_releases_masks_and_ends_with_its_verdict(service: Harness) -> None:
    await service.create(is_default=True, rules=[rule()])
    answers = await stream(service, [opened(), chunk("hi bob@exam"), chunk("ple.com ok"), END])
    assert ["".join(piece.text for piece in answer.released) for answer in answers] == ["hi ", "[EMAIL] ", "ok"]
    assert (answers[-1].verdict.outcome, [match.entity for match in answers[-1].verdict.matches]) == (
        pb.OUTCOME_MASKED,
        ["email"],
    )
    assert answers[-1].verdict.policy.name == "tenant-baseline"


async def test_a_blocked_stream_ends_with_the_block(service: Harness) -> None:
    await service.create(is_default=True, rules=[rule(action="block")])
    answers = await stream(service, [opened(), chunk("hi bob@example.com and"), chunk("more"), END])
    assert len(answers) == 1
    assert ([piece.text for piece in answers[0].released], answers[0].block.detail) == (["hi "], "email")
    assert answers[0].verdict.outcome == pb.OUTCOME_BLOCKED


async def test_a_stream_without_a_policy_passes(service: Harness) -> None:
    answers = await stream(service, [opened(), chunk("bob@example.com"), END])
    assert (answers[0].released[0].text, answers[1].verdict.outcome) == ("bob@example.com", pb.OUTCOME_PASSED)


async def test_a_stream_keeps_the_version_it_began_with(service: Harness) -> None:
    created = await service.create(is_default=True, rules=[rule()])
    await service.request("PUT", f"/api/guardrail/{created['id']}", {"rules": []})
    answers = await stream(service, [opened(version=1), chunk("bob@example.com", last=True), END])
    assert answers[0].released[0].text == "[EMAIL]"


async def test_an_answer_is_judged_by_the_version_that_judged_its_request(service: Harness) -> None:
    first = await service.create(is_default=True, rules=[rule()])
    pin = PolicyRef(id=first["id"], version=1)
    await service.request("PUT", f"/api/guardrail/{first['id']}", {"rules": []})
    other = await service.create(name="other", is_default=True, rules=[])
    _, foreign = await service.request(
        "POST", "/api/guardrail", {"name": "foreign", "rules": [rule()]}, who="w2/DEVELOPER"
    )

    async def judged(policy: PolicyRef) -> tuple[str, int, int]:
        request = pb.CheckRequest(context=RequestContext(workspace_id="w1"), stage=pb.STAGE_OUTPUT, policy=policy)
        request.segments.add(kind=pb.SEGMENT_KIND_TEXT, text="bob@example.com")
        answer = await service.servicer.Check(request, None)
        return answer.policy.id, answer.policy.version, answer.outcome

    assert await judged(pin) == (first["id"], 1, pb.OUTCOME_MASKED)
    now = (other["id"], 1, pb.OUTCOME_PASSED)
    assert await judged(PolicyRef()) == now
    assert await judged(PolicyRef(id=first["id"], version=99)) == now
    assert await judged(PolicyRef(id=foreign["data"]["id"], version=1)) == now


async def test_edits_under_load_drop_no_request(service: Harness) -> None:
    created = await service.create(is_default=True, rules=[rule()])
    path = f"/api/guardrail/{created['id']}"

    async def edits() -> None:
        for number in range(10):
            await service.request("PUT", path, {"rules": [rule(label=str(number))]})

    async def requests() -> list[tuple[int, str]]:
        answers = []
        for _ in range(100):
            answer = await check(service, "bob@example.com")
            answers.append((answer.policy.version, answer.replacements[0].text))
            await asyncio.sleep(0)
        return answers

    _, *batches = await asyncio.gather(edits(), requests(), requests())
    assert {text for batch in batches for _, text in batch} == {"[EMAIL]"}
    assert all(versions == sorted(versions) for versions in ([version for version, _ in batch] for batch in batches))
    assert (await check(service, "x")).policy.version == 11


async def test_nothing_matches_inside_the_tag_of_a_rule_that_asks_others(service: Harness) -> None:
    judge = rule(type="llm_judge", stage="output", judge_model="m", judge_rubric="r", mask_tag="UNKIND")
    await service.create(is_default=True, rules=[rule(type="keyword", stage="input", terms=["unkind"]), judge])
    assert (await check(service, "so [UNKIND]")).outcome == pb.OUTCOME_PASSED
    assert (await check(service, "so unkind")).outcome == pb.OUTCOME_MASKED


async def test_entities_are_redacted_by_name_whatever_policy_applies(service: Harness) -> None:
    texts = ["to jo@example.com, GB82 WEST 1234 5698 7654 32", "nothing", "é jo@example.com jo@example.com"]
    request = pb.RedactRequest(entities=["email_address", "iban"], texts=texts)
    answer = await service.servicer.Redact(request, None)
    assert list(answer.texts) == [
        "to [redacted:email_address], [redacted:iban]",
        "nothing",
        "é [redacted:email_address] [redacted:email_address]",
    ]
    unknown = await service.servicer.Redact(pb.RedactRequest(entities=["iban", "ibann"], texts=texts), None)
    assert (list(unknown.unknown), list(unknown.texts)) == (["ibann"], [])


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (pb.RedactRequest(entities=[f"e{n}" for n in range(65)]), "entities"),
        (pb.RedactRequest(entities=["iban"], texts=["x"] * 1001), "texts"),
    ],
)
async def test_more_to_redact_than_the_bounds_is_refused(
    service: Harness, request_: pb.RedactRequest, param: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await service.servicer.Redact(request_, None)
    assert refused.value.param == param


async def test_policy_exists_is_scoped_to_the_workspace(service: Harness) -> None:
    created = await service.create(enabled=False)
    for workspace, expected in (("w1", True), ("w2", False)):
        policy = PolicyExistsRequest(workspace_id=workspace, policy_id=created["id"])
        answer = await service.servicer.PolicyExists(pb.PolicyExistsRequest(policy=policy), None)
        assert answer.policy.exists is expected


async def test_an_idle_snapshot_closes_after_five_seconds(service: Harness) -> None:
    service.clock.advance(5.0)
    await check(service, "x")
    service.clock.advance(0.1)
    with pytest.raises(Unavailable) as refused:
        await check(service, "x")
    assert refused.value.code == "policy_unavailable"
    await service.snapshot.refresh()
    await check(service, "x")


async def test_a_snapshot_outlives_its_database_by_its_maximum_age(
    service: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise Unavailable("down")

    monkeypatch.setattr(service.database, "read", down)
    with pytest.raises(Unavailable):
        await service.snapshot.refresh()
    service.clock.advance(60.0)
    await check(service, "x")
    service.clock.advance(0.1)
    with pytest.raises(Unavailable):
        await check(service, "x")


async def test_another_replicas_write_is_seen_at_the_next_poll(service: Harness, tmp_path: Path) -> None:
    async with harness(tmp_path) as other:
        await other.create(is_default=True, rules=[rule()])
        assert (await check(service, "a@example.com")).outcome == pb.OUTCOME_PASSED
        await service.snapshot.refresh()
        assert (await check(service, "a@example.com")).outcome == pb.OUTCOME_MASKED
