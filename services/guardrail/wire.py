"""Wire ↔ domain: protobuf messages of `guardrail.v1` and the values they carry."""

from __future__ import annotations

from orca.common.v1 import common_pb2
from orca.guardrail.v1 import guardrail_pb2 as pb
from services.common.ids import new_id
from services.guardrail.domain.model import Block, Kind, Match, Outcome, RuleResult, Segment, Stage, Status, Verdict
from services.guardrail.domain.resolution import Resolution

_KINDS = {
    pb.SEGMENT_KIND_TEXT: Kind.TEXT,
    pb.SEGMENT_KIND_JSON: Kind.JSON,
    pb.SEGMENT_KIND_IMMUTABLE: Kind.IMMUTABLE,
    pb.SEGMENT_KIND_UNSUPPORTED: Kind.UNSUPPORTED,
}
STAGES = {pb.STAGE_INPUT: Stage.INPUT, pb.STAGE_OUTPUT: Stage.OUTPUT}
OUTCOMES = {
    Outcome.PASSED: pb.OUTCOME_PASSED,
    Outcome.MASKED: pb.OUTCOME_MASKED,
    Outcome.BLOCKED: pb.OUTCOME_BLOCKED,
}
_STATUSES = {
    Status.PASSED: pb.RULE_STATUS_PASSED,
    Status.FIRED: pb.RULE_STATUS_FIRED,
    Status.NOT_EVALUATED: pb.RULE_STATUS_NOT_EVALUATED,
}


def segment_of(segment: pb.Segment, default_role: str = "") -> Segment:
    """A text to judge. An unknown kind comes from a newer relay: it is text that this version cannot read."""
    kind = _KINDS.get(segment.kind, Kind.UNSUPPORTED)
    return Segment(segment.text, kind, segment.role or default_role, segment.path)


def ref_of(resolution: Resolution) -> common_pb2.PolicyRef:
    """The policy that applied."""
    if resolution.policy is None:
        return common_pb2.PolicyRef(dangling=resolution.dangling)
    guardrail = resolution.policy.guardrail
    return common_pb2.PolicyRef(
        id=guardrail.id, name=guardrail.name, version=guardrail.version, dangling=resolution.dangling
    )


def safe_text(text: str) -> str:
    """Lone surrogates, which a JSON document may escape but protobuf cannot carry, become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def fill_response(response: pb.CheckResponse, verdict: Verdict) -> None:
    """The verdict of one stage."""
    response.outcome = OUTCOMES[verdict.outcome]
    response.replacements.extend(
        pb.Replacement(index=index, text=safe_text(text)) for index, text in sorted(verdict.replacements.items())
    )
    response.results.extend(map(result_of, verdict.results))
    response.matches.extend(map(match_of, verdict.matches))
    response.not_evaluated.extend(verdict.not_evaluated)
    response.advisories.extend(map(safe_text, verdict.advisories))
    if verdict.block is not None:
        response.block.CopyFrom(block_of(verdict.block))


def result_of(result: RuleResult) -> pb.RuleResult:
    """One applicable rule's end."""
    rule = result.rule
    return pb.RuleResult(
        rule_id=rule.id,
        rule_type=rule.type,
        label=rule.label,
        action=rule.action.value,
        status=_STATUSES[result.status],
        reason=result.reason,
    )


def match_of(match: Match) -> pb.Match:
    """One fired rule and entity, with its id."""
    return pb.Match(
        id=new_id("gm"),
        rule_id=match.rule.id,
        rule_type=match.rule.type,
        label=match.rule.label,
        action=match.action.value,
        entity=match.entity,
        count=match.count,
        detail=match.detail,
        matched=map(safe_text, match.matched),
        fingerprints=match.fingerprints,
    )


def block_of(block: Block) -> pb.Block:
    """Why a text was refused."""
    return pb.Block(rule_id=block.rule.id, rule_type=block.rule.type, detail=block.detail, message=block.message)
