"""Rules and policies compiled once per version; `evaluation.py` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from services.firewall.domain.clauses import CompiledClause
from services.firewall.domain.counters import CallContext
from services.firewall.domain.destinations import Destination
from services.firewall.domain.egress import CompiledEgress, Lookups
from services.firewall.domain.evaluation import Evaluation
from services.firewall.domain.facts import CallFacts
from services.firewall.domain.globs import Glob, parse_glob
from services.firewall.domain.hosts import fold_name
from services.firewall.domain.model import CALL_SURFACES, Policy, Rule, Step, Surface, Verdict
from services.firewall.domain.outcome import Call, Judgement, Outcome, observe, shown, strictest
from services.firewall.domain.sanitize import CompiledSanitize

__all__ = [
    "Call", "CompiledPolicy", "CompiledRule", "Judgement", "Outcome", "observe", "shown", "strictest",
]  # fmt: skip

_SPARING = frozenset({Verdict.ALLOW, Verdict.AUDIT, Verdict.SANITIZE, Verdict.PENDING_APPROVAL})
NAMES_MAX = 1024
"""Tool names whose rules a policy remembers."""
_NO_CONTEXT = CallContext("", "", "")


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """One step of a sequence."""

    glob: Glob
    egress: CompiledEgress | None

    def takes(self, facts: CallFacts, lookups: Lookups) -> bool:
        """Whether the call is one of this step; on mcp the bare tool name counts too."""
        if not named(self.glob, facts.call.tool_name, facts.surface, bare=True):
            return False
        if self.egress is None:
            return True
        return any(self.egress.restricts(item, lookups) for item in facts.destinations)


def named(glob: Glob, tool_name: str, surface: Surface, *, bare: bool) -> bool:
    """Glob against name; with `bare`, for restrictions: also look-alike spellings, and on mcp without the server."""
    if glob.matches(tool_name):
        return True
    if not bare:
        return False
    # A restriction also knows a name that only looks like the one it means.
    folded = fold_name(tool_name)
    if folded != tool_name and glob.matches(folded):
        return True
    if surface is Surface.MCP:
        server, dot, rest = folded.partition(".")
        return bool(server and dot) and glob.matches(rest)
    return False


class CompiledRule:
    """A rule ready to run. Raises ValueError (see `CompiledClause`) when a part cannot be."""

    __slots__ = (
        "_clauses", "_glob", "_kinds", "_permitting", "_restricting", "egress", "needs", "rule", "sanitize", "stateful",
        "steps", "surfaces", "verdict",
    )  # fmt: skip

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.verdict = rule.verdict
        self.surfaces = rule.surfaces
        self.stateful = rule.stateful
        self._glob = parse_glob(rule.tool_name_glob)
        self._clauses = tuple(map(CompiledClause, rule.args_match))
        self._kinds = frozenset(rule.semantic_match)
        self._restricting = rule.verdict.restricting
        # A permission must hold for every value its path finds; a restriction needs one.
        self._permitting = rule.permitting
        self.egress = CompiledEgress(rule.egress) if rule.egress is not None else None
        self.sanitize = CompiledSanitize(rule.sanitize) if rule.sanitize is not None else None
        steps: tuple[Step, ...] = rule.sequence.steps if rule.sequence is not None else ()
        self.steps = tuple(
            CompiledStep(parse_glob(step.tool_name_glob), CompiledEgress(step.egress) if step.egress else None)
            for step in steps
        )
        self.needs = tuple(step.min_count for step in steps)

    def names(self, tool_name: str, surface: Surface) -> bool:
        """On mcp a restricting rule also knows a tool without its server; a permission never borrows a name."""
        return named(self._glob, tool_name, surface, bare=self._restricting)

    def matches(self, facts: CallFacts, destination: Destination | None, lookups: Lookups) -> bool:
        """True when every declared matcher besides the name and the counters does; `destination` on the egress
        surface only."""
        arguments = facts.arguments
        if arguments is None:
            return not (self._clauses or self._kinds or self.egress)
        if not arguments.valid and not self._restricting:
            # Redacting what cannot be read is impossible, so a sanitize rule then denies; see `Evaluation`.
            return self.verdict is Verdict.SANITIZE or (self.verdict is Verdict.AUDIT and not self._looks)
        if arguments.valid:
            if not all(clause.holds(arguments.value, every=self._permitting) for clause in self._clauses):
                return False
            if self._kinds and not self._acts(facts):
                return False
        return self.egress is None or self._reaches(self.egress, facts, destination, lookups)

    @property
    def _looks(self) -> bool:
        return bool(self._clauses or self._kinds or self.egress)

    def _acts(self, facts: CallFacts) -> bool:
        actions = facts.actions
        if not self._permitting:
            return not self._kinds.isdisjoint(actions.possible)
        # A permission for some actions is none for a call that also does, or may do, another.
        return bool(actions.certain) and actions.possible <= self._kinds

    def _reaches(
        self, egress: CompiledEgress, facts: CallFacts, destination: Destination | None, lookups: Lookups
    ) -> bool:
        if destination is not None:
            return egress.admits(destination, lookups) if self._permitting else egress.restricts(destination, lookups)
        if self._permitting:
            found = facts.destinations
            # Like a missing path: a call that names no destination does not satisfy a permission for some.
            return bool(found) and all(egress.admits(item, lookups) for item in found)
        return any(egress.restricts(item, lookups) for item in facts.destinations)


class CompiledPolicy:
    """One version of a policy, its rules in the order they run, per surface."""

    def __init__(self, policy: Policy) -> None:
        """Raises ValueError when a rule cannot be compiled; admitted rules always can."""
        self.policy = policy
        ordered = sorted((rule for rule in policy.rules if rule.enabled), key=lambda rule: (rule.priority, rule.id))
        compiled = [CompiledRule(rule) for rule in ordered]
        self.rules = {surface: tuple(rule for rule in compiled if surface in rule.surfaces) for surface in Surface}
        self._named: dict[tuple[Surface, str, Surface], tuple[CompiledRule, ...]] = {}
        self.stateful = any(rule.stateful for rule in compiled)
        """False: no evaluation ever asks for a counter."""
        self._resolving = any(
            egress.resolves
            for rule in compiled
            for egress in (rule.egress, *(step.egress for step in rule.steps))
            if egress is not None
        )
        # A tool that some rule may still let through when it is called is not hidden from the model.
        self._sparing = tuple(rule for rule in self.rules[Surface.RESPONSE] if rule.verdict in _SPARING)
        self.parses = any(rule.rule.semantic_match for rule in compiled)
        """True: shell or SQL may be parsed, which takes milliseconds for long arguments."""

    @cached_property
    def may_refuse_output(self) -> bool:
        """True when a call of the answer could be refused."""
        if self.policy.shadow_mode:
            return False
        rules = (*self.rules[Surface.RESPONSE], *self.rules[Surface.EGRESS])
        return self.policy.default_verdict.enforcing or any(rule.verdict.enforcing for rule in rules)

    def named_rules(self, surface: Surface, tool_name: str, seen_on: Surface) -> tuple[CompiledRule, ...]:
        """The surface's rules that know the tool by its name as seen on the call's own surface; remembered, since
        the same tools come again and again."""
        key = (surface, tool_name, seen_on)
        found = self._named.get(key)
        if found is None:
            found = tuple(rule for rule in self.rules[surface] if rule.names(tool_name, seen_on))
            if len(self._named) >= NAMES_MAX:
                self._named.clear()
            self._named[key] = found
        return found

    def spares(self, tool_name: str) -> bool:
        """A tool that a denying default leaves to the surface that sees its call."""
        return any(rule.names(tool_name, Surface.RESPONSE) for rule in self._sparing)

    def names_to_resolve(self, surface: Surface, calls: Sequence[Call]) -> tuple[str, ...]:
        """Host names to look up before evaluating, each once; none unless a rule with `resolve_names` admits one."""
        if not self._resolving or surface not in CALL_SURFACES:
            return ()
        found: dict[str, None] = {}
        rules = [rule for rule in (*self.rules[surface], *self.rules[Surface.EGRESS]) if rule.egress or rule.steps]
        for index, call in enumerate(calls):
            facts = CallFacts(index, call, surface)
            for destination in facts.destinations:
                for rule in rules:
                    for egress in (rule.egress, *(step.egress for step in rule.steps)):
                        name = egress.to_resolve(destination) if egress is not None else ""
                        if name:
                            found[name] = None
        return tuple(found)

    def evaluate(
        self,
        surface: Surface,
        calls: Sequence[Call],
        context: CallContext = _NO_CONTEXT,
        lookups: Lookups | None = None,
    ) -> Evaluation:
        """Everything but the counters. With `asks` empty, `decide({}, now_us)` needs no store."""
        return Evaluation(self, surface, calls, context, lookups or {})

    def judge(self, surface: Surface, calls: Sequence[Call]) -> list[Judgement]:
        """As `evaluate`, every counter at its start: for trials of single calls."""
        return list(self.evaluate(surface, calls).decide({}, 1).judgements)
