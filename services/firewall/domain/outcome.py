"""A policy ready to run, and what its evaluation yields: rules by priority, then the default verdict.

Doubt falls on the safe side: arguments that two readers could see differently never satisfy an `allow` rule and
always satisfy a restricting rule's conditions on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.firewall.domain.arguments import read_arguments
from services.firewall.domain.counters import CounterWrite
from services.firewall.domain.model import CALL_SURFACES, Surface, Verdict
from services.firewall.domain.sanitize import CompiledSanitize

_TOOL_SHOWN = 128


@dataclass(frozen=True, slots=True)
class Call:
    """One advertised tool (inbound; no arguments) or one call, with destinations its caller reported."""

    tool_name: str
    arguments_json: str = ""
    destinations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One evaluation: a call on its surface, one of its destinations on `egress`, or the request as a whole (index
    -1, only when a cost cap refuses it). `reason` is safe to show."""

    index: int
    verdict: Verdict
    reason: str
    rule_id: str = ""
    rule_label: str = ""
    shadow: bool = False
    gap: bool = False
    args_hash: str = ""
    args_summary: str = ""
    surface: Surface | None = None
    destination: str = ""
    sanitized_arguments_json: str = ""


@dataclass(frozen=True, slots=True)
class EntityRedaction:
    """A sanitized call whose rules also name entities that only the guardrail finds; the rest is redacted already."""

    index: int
    arguments_json: str
    specs: tuple[CompiledSanitize, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every evaluation in order (a call, then its destinations), and the counters to write. While `redactions` is not
    empty, the arguments in these judgements must not pass yet."""

    judgements: tuple[Judgement, ...]
    writes: tuple[CounterWrite, ...] = ()
    redactions: tuple[EntityRedaction, ...] = ()

    @property
    def decisive(self) -> Judgement | None:
        """The first of the strictest."""
        return strictest(self.judgements)


def observe(surface: Surface, calls: Sequence[Call]) -> list[Judgement]:
    """No policy applies and the workspace observes: everything passes and is recorded as a gap."""
    found = []
    for index, call in enumerate(calls):
        arguments = read_arguments(call.arguments_json) if surface in CALL_SURFACES else None
        reason = f'no policy covers tool "{shown(call.tool_name)}"'
        hashed = (arguments.sha256, arguments.summary) if arguments is not None else ("", "")
        found.append(
            Judgement(
                index, Verdict.OBSERVE, reason, gap=True, args_hash=hashed[0], args_summary=hashed[1], surface=surface
            )
        )
    return found


def strictest(judgements: Sequence[Judgement]) -> Judgement | None:
    """The first of the strictest; None when there are none."""
    return max(judgements, key=lambda judgement: judgement.verdict.strictness, default=None)


def shown(tool_name: str) -> str:
    """A tool name for messages: printable, at most 128 characters."""
    plain = tool_name if tool_name.isprintable() else "".join(c if c.isprintable() else "�" for c in tool_name)
    return plain if len(plain) <= _TOOL_SHOWN else plain[:_TOOL_SHOWN] + "…"
