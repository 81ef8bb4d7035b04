"""One evaluation in two halves: what needs no counter, then the decision over the counters' states.

The first half may be slow (parsing) and runs anywhere; the second is arithmetic and runs inside the store's atomic
step, again from the start if that step has to be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.firewall.domain.counters import (
    CAP_KEEP_S,
    US_PER_S,
    CallContext,
    CounterAsk,
    CounterWrite,
    States,
    advance_chain,
    cap_key,
    count_call,
    counter_key,
    reserve,
)
from services.firewall.domain.destinations import Destination
from services.firewall.domain.egress import Lookups
from services.firewall.domain.facts import CallFacts
from services.firewall.domain.model import CALL_SURFACES, Surface, Verdict
from services.firewall.domain.outcome import Call, EntityRedaction, Judgement, Outcome, shown
from services.firewall.domain.sanitize import redact_call

if TYPE_CHECKING:
    from services.firewall.domain.engine import CompiledPolicy, CompiledRule

NANO_USD_PER_CENT = 10_000_000
_DONE = {
    Verdict.ALLOW: "allowed",
    Verdict.AUDIT: "audited",
    Verdict.DENY: "denied",
    Verdict.SANITIZE: "sanitized",
    Verdict.PENDING_APPROVAL: "held for approval",
}


@dataclass(frozen=True, slots=True)
class _Spot:
    """One thing to judge: a call, or one of its destinations."""

    surface: Surface
    destination: Destination | None
    candidates: tuple[CompiledRule, ...]
    """Rules whose other matchers match, in order, up to the first that needs no counter."""
    counted: tuple[tuple[CompiledRule, str], ...]
    """Rate rules that count it, whichever rule decides, with their counters."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """A sequence rule's view of one call."""

    rule: CompiledRule
    key: str
    takes: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    facts: CallFacts
    spots: tuple[_Spot, ...]
    chains: tuple[_Chain, ...]


@dataclass(slots=True)
class _Ledger:
    """States while deciding: as read, with this evaluation's changes on top."""

    read: States
    changed: dict[str, tuple[str, int]] = field(default_factory=dict)

    def get(self, key: str) -> str:
        found = self.changed.get(key)
        return found[0] if found is not None else self.read.get(key, "")

    def put(self, key: str, state: str, expires_at_us: int) -> None:
        self.changed[key] = (state, expires_at_us)


class Evaluation:
    """Made by `CompiledPolicy.evaluate`. Immutable; `decide` may be called again with newer states."""

    def __init__(
        self, policy: CompiledPolicy, surface: Surface, calls: Sequence[Call], context: CallContext, lookups: Lookups
    ) -> None:
        self._policy = policy
        self._surface = surface
        self._context = context
        self._lookups = lookups
        self._caps = (
            tuple(
                rule
                for rule in policy.rules[Surface.INBOUND]
                if rule.verdict is Verdict.CAP_COST
                and (rule.rule.tool_name_glob == "*" or any(rule.names(call.tool_name, surface) for call in calls))
            )
            if surface is Surface.INBOUND
            else ()
        )
        self._cases = tuple(self._case(CallFacts(index, call, surface)) for index, call in enumerate(calls))
        self.asks: tuple[CounterAsk, ...] = self._asks() if policy.stateful else ()

    def _case(self, facts: CallFacts) -> _Case:
        policy, surface = self._policy, self._surface
        spots = [self._spot(facts, surface, None)]
        if surface in CALL_SURFACES and policy.rules[Surface.EGRESS]:
            spots += [self._spot(facts, Surface.EGRESS, item) for item in facts.destinations]
        return _Case(facts, tuple(spots), self._chains(facts) if policy.stateful else ())

    def _spot(self, facts: CallFacts, surface: Surface, destination: Destination | None) -> _Spot:
        candidates: list[CompiledRule] = []
        counted: list[tuple[CompiledRule, str]] = []
        decided = False
        for rule in self._policy.named_rules(surface, facts.call.tool_name, facts.surface):
            if decided and rule.rule.rate is None:
                continue
            if rule.verdict is Verdict.CAP_COST and surface is Surface.INBOUND:
                continue
            if not rule.matches(facts, destination, self._lookups):
                continue
            if rule.rule.rate is not None:
                counted.append((rule, self._rate_key(rule, facts, surface)))
            if decided:
                continue
            candidates.append(rule)
            decided = not rule.stateful
            if decided and not self._policy.stateful:
                break
        return _Spot(surface, destination, tuple(candidates), tuple(counted))

    def _rate_key(self, rule: CompiledRule, facts: CallFacts, surface: Surface) -> str:
        rate = rule.rule.rate
        assert rate is not None  # noqa: S101 - only rate rules are counted
        parts = [surface.value, self._context.scope(rate.per)]
        if rate.same:
            parts.append(facts.call.tool_name)
        if rate.same == "call":
            parts.append(facts.arguments.sha256 if facts.arguments is not None else "")
        return counter_key("rate", rule.rule.id, *parts)

    def _chains(self, facts: CallFacts) -> tuple[_Chain, ...]:
        found = []
        for rule in self._policy.rules[self._surface]:
            if rule.steps:
                takes = tuple(step.takes(facts, self._lookups) for step in rule.steps)
                if any(takes):
                    key = counter_key("seq", rule.rule.id, self._context.scope("run"))
                    found.append(_Chain(rule, key, takes))
        return tuple(found)

    def _asks(self) -> tuple[CounterAsk, ...]:
        keys: set[str] = set()
        for case in self._cases:
            keys.update(chain.key for chain in case.chains)
            for spot in case.spots:
                keys.update(key for _, key in spot.counted)
                if any(rule.verdict is Verdict.CAP_COST for rule in spot.candidates):
                    keys.add(cap_key(self._context))
        if self._caps:
            keys.add(cap_key(self._context))
        return tuple(map(CounterAsk, sorted(keys)))

    def decide(self, states: States, now_us: int) -> Outcome:
        """The verdicts under these counter states, and the states to write."""
        ledger = _Ledger(states)
        chains = _Ledger(states)
        judgements: list[Judgement] = []
        redactions: list[EntityRedaction] = []
        reservation = self._cap_request(states, now_us, judgements)
        for case in self._cases:
            judgements += self._judge_case(case, ledger, chains, now_us, redactions)
        stopped = {item.index for item in judgements if item.verdict.restricting}
        if reservation is not None and not stopped:
            ledger.put(*reservation)
        # A refused call withholds the whole answer it is part of: then none of its calls passed.
        if not (stopped and self._surface is Surface.RESPONSE):
            ledger.changed.update(chains.changed)
        writes = tuple(CounterWrite(key, *ledger.changed[key]) for key in sorted(ledger.changed))
        return Outcome(tuple(judgements), writes, tuple(redactions))

    @property
    def chain_keys(self) -> list[str]:
        """Counters of the sequences that these calls may be part of."""
        return sorted({chain.key for case in self._cases for chain in case.chains})

    def passed(self, states: States, now_us: int) -> tuple[CounterWrite, ...]:
        """What to write when these calls pass whatever the rules say: a person approved them."""
        ledger = _Ledger(states)
        for case in self._cases:
            for key, _, state, expires_at_us in self._advanced(case, ledger, now_us):
                ledger.put(key, state, expires_at_us)
        return tuple(CounterWrite(key, *ledger.changed[key]) for key in sorted(ledger.changed))

    def _advanced(self, case: _Case, chains: _Ledger, now_us: int) -> list[tuple[str, bool, str, int]]:
        """Each sequence the call is a step of: its counter, whether it is complete, the next state, its end."""
        found = []
        for chain in case.chains:
            sequence = chain.rule.rule.sequence
            if sequence is not None:
                window_s = sequence.window_seconds
                fired, state = advance_chain(chains.get(chain.key), now_us, window_s, chain.rule.needs, chain.takes)
                found.append((chain.key, fired, state, now_us + window_s * US_PER_S))
        return found

    def _cap_request(self, states: States, now_us: int, judgements: list[Judgement]) -> tuple[str, str, int] | None:
        if not self._caps:
            return None
        key = cap_key(self._context)
        state = ""
        for rule in self._caps:
            fits, state = self._fits(rule, states.get(key, ""), now_us, self._context.worst_case_nano_usd)
            if not fits:
                reason = f'request denied by cost cap "{rule.rule.label or rule.rule.id}"'
                item = Judgement(-1, Verdict.DENY, reason, rule.rule.id, rule.rule.label, surface=self._surface)
                judgements.append(self._shadowed(item))
                break
        return key, state, now_us + CAP_KEEP_S * US_PER_S

    def _fits(self, rule: CompiledRule, state: str, now_us: int, worst_case_nano_usd: int) -> tuple[bool, str]:
        cap_nano_usd = (rule.rule.cap_cost_cents or 0) * NANO_USD_PER_CENT
        return reserve(state, now_us, self._context.request_id, worst_case_nano_usd, cap_nano_usd)

    def _judge_case(
        self, case: _Case, ledger: _Ledger, chains: _Ledger, now_us: int, redactions: list[EntityRedaction]
    ) -> list[Judgement]:
        advanced = self._advanced(case, chains, now_us)
        fires = {chain.rule.rule.id: fired for chain, (_, fired, _, _) in zip(case.chains, advanced, strict=True)}
        found: list[Judgement] = []
        redacting: list[CompiledRule] = []
        for spot in case.spots:
            counts = self._count(spot, ledger, now_us)
            rule = self._first(spot, counts, fires, ledger, now_us)
            judgement = self._judgement(case.facts, spot, rule)
            if judgement.verdict is Verdict.SANITIZE and rule is not None:
                redacting.append(rule)
            found.append(judgement)
        if not any(item.verdict.restricting for item in found):
            for key, _, state, expires_at_us in advanced:
                chains.put(key, state, expires_at_us)
            found = self._redacted(case.facts, found, redacting, redactions)
        return found

    def _count(self, spot: _Spot, ledger: _Ledger, now_us: int) -> dict[str, int]:
        counts: dict[str, int] = {}
        for rule, key in spot.counted:
            rate = rule.rule.rate
            if rate is not None:
                count, state = count_call(ledger.get(key), now_us, rate.window_seconds)
                ledger.put(key, state, now_us + rate.window_seconds * US_PER_S)
                counts[rule.rule.id] = count
        return counts

    def _first(
        self, spot: _Spot, counts: dict[str, int], fires: dict[str, bool], ledger: _Ledger, now_us: int
    ) -> CompiledRule | None:
        for rule in spot.candidates:
            rate = rule.rule.rate
            if rate is not None and counts[rule.rule.id] <= rate.max_calls:
                continue
            if rule.steps and not fires.get(rule.rule.id, False):
                continue
            if rule.verdict is Verdict.CAP_COST:
                worst = 0 if self._context.run_id else self._context.worst_case_nano_usd
                if self._fits(rule, ledger.get(cap_key(self._context)), now_us, worst)[0]:
                    continue
            return rule
        return None

    def _judgement(self, facts: CallFacts, spot: _Spot, rule: CompiledRule | None) -> Judgement:
        tool = shown(facts.call.tool_name)
        arguments = facts.arguments
        base = Judgement(
            facts.index,
            Verdict.ALLOW,
            "",
            args_hash=arguments.sha256 if arguments is not None else "",
            args_summary=arguments.summary if arguments is not None else "",
            surface=spot.surface,
            destination=spot.destination.text if spot.destination is not None else "",
        )
        if rule is not None:
            return self._by_rule(facts, spot, rule, base)
        if spot.surface is Surface.EGRESS:
            return replace(base, reason=f'a destination of tool "{tool}" passed: no egress rule matched')
        verdict = self._policy.policy.default_verdict
        reason = f'tool "{tool}" {_DONE[verdict]} by the default verdict'
        if verdict is Verdict.DENY and spot.surface is Surface.INBOUND and self._policy.spares(facts.call.tool_name):
            verdict = Verdict.ALLOW
            reason = f'tool "{tool}" is judged when it is called'
        return self._shadowed(replace(base, verdict=verdict, reason=reason))

    def _by_rule(self, facts: CallFacts, spot: _Spot, rule: CompiledRule, base: Judgement) -> Judgement:
        verdict, why = rule.verdict, ""
        arguments = facts.arguments
        if verdict is Verdict.CAP_COST:
            verdict, why = Verdict.DENY, " (cost cap reached)"
        elif arguments is not None and not arguments.valid and verdict.enforcing:
            why = f" (arguments {arguments.invalid})"
            verdict = Verdict.DENY if verdict is Verdict.SANITIZE else verdict
        elif verdict is Verdict.SANITIZE and spot.surface is Surface.INBOUND:
            # There are no arguments to redact yet; hiding the tool is what the author can have meant.
            verdict = Verdict.DENY
        elif rule.rule.semantic_match:
            kinds = sorted(facts.actions.possible & set(rule.rule.semantic_match))
            why = f" ({', '.join(kinds)})"
        name = rule.rule.label or rule.rule.id
        what = "a destination of tool" if spot.surface is Surface.EGRESS else "tool"
        reason = f'{what} "{shown(facts.call.tool_name)}" {_DONE[verdict]} by rule "{name}"{why}'
        return self._shadowed(
            replace(base, verdict=verdict, reason=reason, rule_id=rule.rule.id, rule_label=rule.rule.label)
        )

    def _redacted(
        self,
        facts: CallFacts,
        found: list[Judgement],
        rules: Sequence[CompiledRule],
        redactions: list[EntityRedaction],
    ) -> list[Judgement]:
        """Every sanitize rule of the call applied to its arguments, the same text on each of its judgements."""
        specs = [rule.sanitize for rule in rules if rule.sanitize is not None]
        if not rules or facts.arguments is None:
            return found
        text = redact_call(facts.arguments.value, specs)
        if any(spec.entities for spec in specs):
            redactions.append(EntityRedaction(facts.index, text, tuple(specs)))
        return [
            replace(item, sanitized_arguments_json=text) if item.verdict is Verdict.SANITIZE else item for item in found
        ]

    def _shadowed(self, judgement: Judgement) -> Judgement:
        if not self._policy.policy.shadow_mode or not judgement.verdict.enforcing:
            return judgement
        reason = f"[shadow] would {judgement.verdict.value} — {judgement.reason}"
        return replace(judgement, verdict=Verdict.AUDIT, reason=reason, shadow=True)
