"""What a policy decides about each call: rules by priority, then the default verdict; the strictest wins.

Doubt falls on the safe side: arguments that two readers could see differently never satisfy an `allow` rule and
always satisfy a restricting rule's conditions on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from services.firewall.domain.arguments import Arguments, read_arguments
from services.firewall.domain.clauses import CompiledClause
from services.firewall.domain.globs import parse_glob
from services.firewall.domain.model import CALL_SURFACES, Policy, Rule, Surface, Verdict

_TOOL_SHOWN = 128
_SPARING = frozenset({Verdict.ALLOW, Verdict.AUDIT, Verdict.SANITIZE, Verdict.PENDING_APPROVAL})
_DONE = {
    Verdict.ALLOW: "allowed",
    Verdict.AUDIT: "audited",
    Verdict.DENY: "denied",
    Verdict.SANITIZE: "sanitized",
    Verdict.PENDING_APPROVAL: "held for approval",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One advertised tool (inbound; no arguments) or one call."""

    tool_name: str
    arguments_json: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What holds for one call on its surface. `reason` is safe to show."""

    index: int
    verdict: Verdict
    reason: str
    rule_id: str = ""
    rule_label: str = ""
    shadow: bool = False
    gap: bool = False
    args_hash: str = ""
    args_summary: str = ""


class CompiledRule:
    """A rule ready to run. Raises ValueError (see `CompiledClause`) when a clause cannot be."""

    __slots__ = ("_clauses", "_every", "_glob", "_restricting", "rule", "surfaces", "verdict")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.verdict = rule.verdict
        self.surfaces = rule.surfaces
        self._glob = parse_glob(rule.tool_name_glob)
        self._clauses = tuple(map(CompiledClause, rule.args_match))
        self._restricting = rule.verdict.restricting
        # A permission must hold for every value its path finds; a restriction needs one.
        self._every = rule.verdict in (Verdict.ALLOW, Verdict.AUDIT)

    def names(self, tool_name: str, surface: Surface) -> bool:
        """On mcp a restricting rule also knows a tool without its server; a permission never borrows a name."""
        if self._glob.matches(tool_name):
            return True
        if surface is Surface.MCP and self._restricting:
            server, dot, bare = tool_name.partition(".")
            return bool(server and dot) and self._glob.matches(bare)
        return False

    def matches(self, tool_name: str, surface: Surface, arguments: Arguments | None) -> bool:
        """True when every declared matcher does. `arguments` is None where the surface has none."""
        if not self.names(tool_name, surface):
            return False
        if arguments is None:
            return not self._clauses
        if not arguments.valid:
            if self._restricting:
                return True
            if self.verdict is Verdict.ALLOW:
                return False
            # Redacting what cannot be read is impossible, so the engine denies; see `CompiledPolicy.judge`.
            return self.verdict is Verdict.SANITIZE or not self._clauses
        return all(clause.holds(arguments.value, every=self._every) for clause in self._clauses)


class CompiledPolicy:
    """One version of a policy, its rules in the order they run, per surface."""

    def __init__(self, policy: Policy) -> None:
        """Raises ValueError when a rule cannot be compiled; admitted rules always can."""
        self.policy = policy
        self._shadow = policy.shadow_mode
        ordered = sorted((rule for rule in policy.rules if rule.enabled), key=lambda rule: (rule.priority, rule.id))
        compiled = [CompiledRule(rule) for rule in ordered]
        self._by_surface = {
            surface: tuple(rule for rule in compiled if surface in rule.surfaces) for surface in Surface
        }
        # A tool that some rule may still let through when it is called is not hidden from the model.
        self._sparing = tuple(rule for rule in self._by_surface[Surface.RESPONSE] if rule.verdict in _SPARING)

    @cached_property
    def may_refuse_output(self) -> bool:
        """True when a call of the answer could be refused."""
        if self._shadow:
            return False
        rules = self._by_surface[Surface.RESPONSE]
        return self.policy.default_verdict.enforcing or any(rule.verdict.enforcing for rule in rules)

    def judge(self, surface: Surface, calls: Sequence[Call]) -> list[Judgement]:
        """One judgement per call, in order."""
        has_arguments = surface in CALL_SURFACES
        return [
            self._judge_one(index, call, surface, read_arguments(call.arguments_json) if has_arguments else None)
            for index, call in enumerate(calls)
        ]

    def _judge_one(self, index: int, call: Call, surface: Surface, arguments: Arguments | None) -> Judgement:
        tool_name = call.tool_name
        args_hash, args_summary = (arguments.sha256, arguments.summary) if arguments is not None else ("", "")
        for compiled in self._by_surface[surface]:
            if compiled.matches(tool_name, surface, arguments):
                rule = compiled.rule
                verdict, doubt = compiled.verdict, ""
                if arguments is not None and not arguments.valid and verdict.enforcing:
                    doubt = f" (arguments {arguments.invalid})"
                    verdict = Verdict.DENY if verdict is Verdict.SANITIZE else verdict
                reason = f'tool "{shown(tool_name)}" {_DONE[verdict]} by rule "{rule.label or rule.id}"{doubt}'
                return self._shadowed(
                    Judgement(
                        index, verdict, reason, rule.id, rule.label, args_hash=args_hash, args_summary=args_summary
                    )
                )
        verdict = self.policy.default_verdict
        reason = f'tool "{shown(tool_name)}" {_DONE[verdict]} by the default verdict'
        if (
            verdict is Verdict.DENY
            and surface is Surface.INBOUND
            and any(rule.names(tool_name, Surface.RESPONSE) for rule in self._sparing)
        ):
            verdict = Verdict.ALLOW
            reason = f'tool "{shown(tool_name)}" is judged when it is called'
        return self._shadowed(Judgement(index, verdict, reason, args_hash=args_hash, args_summary=args_summary))

    def _shadowed(self, judgement: Judgement) -> Judgement:
        if not self._shadow or not judgement.verdict.enforcing:
            return judgement
        reason = f"[shadow] would {judgement.verdict.value} — {judgement.reason}"
        return replace(judgement, verdict=Verdict.AUDIT, reason=reason, shadow=True)


def observe(surface: Surface, calls: Sequence[Call]) -> list[Judgement]:
    """No policy applies and the workspace observes: everything passes and is recorded as a gap."""
    found = []
    for index, call in enumerate(calls):
        arguments = read_arguments(call.arguments_json) if surface in CALL_SURFACES else None
        reason = f'no policy covers tool "{shown(call.tool_name)}"'
        hashed = (arguments.sha256, arguments.summary) if arguments is not None else ("", "")
        found.append(Judgement(index, Verdict.OBSERVE, reason, gap=True, args_hash=hashed[0], args_summary=hashed[1]))
    return found


def strictest(judgements: Sequence[Judgement]) -> Judgement | None:
    """The first of the strictest; None when there are none."""
    return max(judgements, key=lambda judgement: judgement.verdict.strictness, default=None)


def shown(tool_name: str) -> str:
    """A tool name for messages: printable, at most 128 characters."""
    plain = tool_name if tool_name.isprintable() else "".join(c if c.isprintable() else "�" for c in tool_name)
    return plain if len(plain) <= _TOOL_SHOWN else plain[:_TOOL_SHOWN] + "…"
