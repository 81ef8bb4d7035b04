"""Collects what rules did over one request or stream, and turns it into results, matches and a block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from services.guardrail.domain.engine import CompiledPolicy
from services.guardrail.domain.model import (
    MAX_FINGERPRINTS,
    MAX_MATCHED,
    Action,
    Block,
    Finding,
    Match,
    Rule,
    RuleResult,
    Status,
)

Fingerprint = Callable[[str], str]
"""Keyed digest of a matched substring."""

Suppressed = Mapping[str, frozenset[str]]
"""Fingerprints that an administrator marked as false positives, by rule id."""

NOTHING_SUPPRESSED: Suppressed = {}

_Key = tuple[int, str]


class Tally:
    """Mutable, of one stage of one request."""

    def __init__(self, policy: CompiledPolicy) -> None:
        self._policy = policy
        self._count: dict[_Key, int] = {}
        self._action: dict[_Key, Action] = {}
        self._texts: dict[_Key, list[str]] = {}
        self._notes: dict[_Key, str] = {}
        self._reasons: dict[int, str] = {}

    def add(self, findings: Iterable[Finding], text: str, offset: int = 0) -> None:
        """Counts findings; `offset` is where `text` begins in the coordinates of the findings."""
        for finding in findings:
            key = (finding.rule_index, finding.entity)
            self._count[key] = self._count.get(key, 0) + 1
            self._action[key] = finding.action
            if finding.note:
                self._notes.setdefault(key, finding.note)
            texts = self._texts.setdefault(key, [])
            if finding.tag and len(texts) < MAX_FINGERPRINTS:
                matched = text[finding.start - offset : finding.end - offset]
                if matched not in texts:
                    texts.append(matched)

    def skip(self, role: str, reason: str) -> list[Rule]:
        """A text of that role could not be read; the rules for which that is a refusal."""
        refusing = []
        for index, rule in self._policy.rules:
            if rule.applies_to(role):
                self._reasons.setdefault(index, reason)
                decides = rule.on_unsupported_part if reason == "unsupported_part" else rule.on_not_evaluated
                if decides == "block":
                    refusing.append(rule)
        return refusing

    def skip_rule(self, index: int, reason: str) -> bool:
        """One rule could not be evaluated; True when that is a refusal."""
        self._reasons.setdefault(index, reason)
        return self._policy.guardrail.rules[index].on_not_evaluated == "block"

    def results(self) -> tuple[RuleResult, ...]:
        """One per applicable rule that met a text (or a part it could not read)."""
        fired = {index for index, _ in self._count}
        out = []
        for index, rule in self._policy.rules:
            if index in fired:
                out.append(RuleResult(rule, Status.FIRED))
            elif index in self._reasons:
                out.append(RuleResult(rule, Status.NOT_EVALUATED, self._reasons[index]))
            else:
                out.append(RuleResult(rule, Status.PASSED))
        return tuple(out)

    def matches(self, fingerprint: Fingerprint) -> tuple[Match, ...]:
        """One per fired rule and entity, in rule order."""
        keep = self._policy.guardrail.log_raw_content
        rules = self._policy.guardrail.rules
        return tuple(
            Match(
                rule=rules[index],
                action=self._action[index, entity],
                entity=entity,
                count=count,
                detail=detail_of(rules[index], entity, self._notes.get((index, entity), "")),
                matched=tuple(self._texts[index, entity][:MAX_MATCHED]) if keep else (),
                fingerprints=tuple(fingerprint(text) for text in self._texts[index, entity]),
            )
            for (index, entity), count in sorted(self._count.items(), key=lambda item: item[0][0])
        )


def unsuppressed(
    policy: CompiledPolicy,
    found: Iterable[Finding],
    text: str,
    offset: int,
    fingerprint: Fingerprint,
    suppressed: Suppressed,
) -> list[Finding]:
    """The findings that were not marked as false positives; `offset` as in `Tally.add`."""
    rules = policy.guardrail.rules
    kept = []
    for finding in found:
        marked = suppressed.get(rules[finding.rule_index].id)
        matched = text[finding.start - offset : finding.end - offset]
        if not (marked and finding.tag and fingerprint(matched) in marked):
            kept.append(finding)
    return kept


def detail_of(rule: Rule, entity: str, note: str = "") -> str:
    """Rule type, what fired and why, as refusals and matches show it: never matched text."""
    if rule.type == "max_chars":
        return f"max_chars({rule.limit})"
    inner = entity or rule.label
    if note:
        return f"{rule.type}({inner}: {note})"
    return f"{rule.type}({inner})" if inner else rule.type


def block_of(policy: CompiledPolicy, finding: Finding) -> Block:
    """The refusal that a finding leads to."""
    rule = policy.guardrail.rules[finding.rule_index]
    return refusal(
        policy,
        rule,
        finding.entity or (str(rule.limit) if rule.type == "max_chars" else rule.label),
        detail_of(rule, finding.entity),
    )


def refusal(policy: CompiledPolicy, rule: Rule, detail: str, shown: str) -> Block:
    """A block with the tenant's message: the policy's name and `shown`."""
    return Block(rule, detail, f'request blocked by guardrail "{policy.guardrail.name}": {shown}')
