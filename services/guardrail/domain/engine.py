"""A guardrail compiled for one stage: which finders run, and what their spans mean.

Finders are shared between rules that ask for the same thing, so a text is scanned once per distinct entity,
pattern or term list. A faster engine replaces the finders behind `Finder` without touching this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from services.guardrail.domain import entities, secrets
from services.guardrail.domain.attack import scorer
from services.guardrail.domain.finders import Finder, KeywordFinder, Label, RegexFinder, Scan
from services.guardrail.domain.gate import Gate, gated
from services.guardrail.domain.model import Action, Finding, Guardrail, Rule, Stage
from services.guardrail.domain.secrets import SecretsFinder
from services.guardrail.domain.text import MAX_ESCAPE, TextView

REDACTED = "[REDACTED]"
_BUILT_IN_TAGS = frozenset({REDACTED, *(entities.tag_of(name) for name in entities.NAMES), *secrets.TAGS})

FinderKey = tuple[object, ...]
_FROM_START: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Use:
    """What one rule makes of one finder's spans."""

    rule_index: int
    entity: str
    action: Action
    tag: str
    roles: tuple[str, ...]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """One finder and the rules that use it."""

    finder: Finder
    uses: tuple[Use, ...]


def _never() -> bool:
    return False


class CompiledPolicy:
    """The rules of one guardrail that apply at one stage; immutable, shared by requests and threads."""

    def __init__(self, guardrail: Guardrail, stage: Stage, *, native: bool = True) -> None:
        """Compiles; patterns have been admitted before. `native=False` does without the automaton."""
        self.guardrail = guardrail
        self.stage = stage
        self.rules: tuple[tuple[int, Rule], ...] = tuple(
            (index, rule) for index, rule in enumerate(guardrail.rules) if rule.applies_at(stage)
        )
        self.limits: tuple[tuple[int, Rule], ...] = tuple(pair for pair in self.rules if pair[1].type == "max_chars")
        if any(rule.type == "prompt_attack" for _, rule in self.rules):
            scorer.warm()
        finders: dict[FinderKey, Finder] = {}
        uses: dict[FinderKey, list[Use]] = {}
        for index, rule in self.rules:
            for key, finder, use in _parts(index, rule):
                finders.setdefault(key, finder)
                uses.setdefault(key, []).append(use)
        self.watches: tuple[Watch, ...] = tuple(Watch(finders[key], tuple(uses[key])) for key in finders)
        self.gate = Gate(gated(enumerate(watch.finder for watch in self.watches)), native=native)
        self.open: tuple[int, ...] = tuple(n for n in range(len(self.watches)) if n not in self.gate.finders)
        others = [self.watches[number].finder for number in self.open]
        self._secrets = [finder for finder in others if isinstance(finder, SecretsFinder)]
        self._all_quiet = bool(self.watches) and not self.limits and len(self._secrets) == len(others)
        # Of both stages: an answer that was masked comes back as history.
        own_tags = {rule.mask_tag for rule in guardrail.rules} | {
            custom.tag for rule in guardrail.rules for custom in rule.custom_entities
        }
        self.tags = _BUILT_IN_TAGS | own_tags
        self.enforces = any(
            Action.FLAG is not action
            for _, rule in self.rules
            for action in (rule.action, *rule.entity_actions.values())
        )
        self.may_block = any(
            action is Action.BLOCK for _, rule in self.rules for action in (rule.action, *rule.entity_actions.values())
        ) or any("block" in (rule.on_not_evaluated, rule.on_unsupported_part) for _, rule in self.rules)

    def view(self, text: str) -> TextView:
        """The text as this policy's finders read it."""
        return TextView(text, self.tags)

    def find(self, text: str, role: str, stopped: Callable[[], bool] = _never) -> list[Finding]:
        """Every finding in a whole text of a message role, `max_chars` included; some of them once it is `stopped`."""
        found: list[Finding] = []
        if self.watches and text:
            view = self.view(text)
            for number, scan in self.scan(view, len(view.shadow), True):
                if stopped():
                    break
                if scan.spans:
                    found.extend(findings_of(self.watches[number].uses, scan.spans, role, scan.labels))
        found.extend(self.over_limit(len(text), role))
        return found

    def scan(
        self, view: TextView, hold: int, final: bool, floor: int = 0, cursors: Mapping[int, int] = _FROM_START
    ) -> Iterator[tuple[int, Scan]]:
        """What each watch finds from its cursor (`floor` unless given) on; gated ones without candidates are left out.

        `hold`: shadow position from which on the gated finders are undecided.
        """
        candidates = self.gate.candidates(view, view.to_shadow(floor) if floor else 0, hold)
        if candidates is None:
            for number in self.gate.finders:
                yield number, self.watches[number].finder.find(view, cursors.get(number, floor), final)
        else:
            for number, ends in candidates.items():
                yield number, self.gate.finders[number].find_near(view, cursors.get(number, floor), hold, ends)
        for number in self.open:
            yield number, self.watches[number].finder.find(view, cursors.get(number, floor), final)

    def quiet_hold(self, text: str, floor: int, released: int) -> tuple[int, int] | None:
        """From where on a growing text may become a match, of gated finders and of any, when nothing in it is one yet.

        `floor`: where the gated finders are undecided; `released`: where any is. None when a closer look is needed,
        which it rarely is: this saves most of the work on most pieces of most answers.
        """
        if not self._all_quiet:
            return None
        tail = text[floor:]
        if not tail.isascii() or "[" in tail or "\\" in text[max(0, floor - MAX_ESCAPE) :]:
            return None
        hold = self.gate.quiet_hold(tail.encode("ascii"))
        if hold is None:
            return None
        gated = earliest = floor + hold
        for finder in self._secrets:
            held = finder.quiet_hold(text, released)
            if held is None:
                return None
            earliest = min(earliest, held)
        return gated, earliest

    def over_limit(self, length: int, role: str) -> list[Finding]:
        """Findings of the `max_chars` rules for a text of so many characters."""
        return [
            Finding(index, "", rule.action, rule.limit, length, "")
            for index, rule in self.limits
            if length > rule.limit and rule.applies_to(role)
        ]


def findings_of(
    uses: Iterable[Use], spans: Sequence[tuple[int, int]], role: str, labels: Sequence[Label] | None = None
) -> list[Finding]:
    """One finding per use that reads this role and span; a span's label, if it has one, names its entity."""
    if labels is not None:
        return [
            Finding(use.rule_index, label.entity, use.action, start, end, label.tag, label.order)
            for use in uses
            if not use.roles or role in use.roles
            for (start, end), label in zip(spans, labels, strict=True)
        ]
    return [
        Finding(use.rule_index, use.entity, use.action, start, end, use.tag, use.order)
        for use in uses
        if not use.roles or role in use.roles
        for start, end in spans
    ]


def _parts(index: int, rule: Rule) -> Iterable[tuple[FinderKey, Finder, Use]]:
    """The finders a rule needs, each with a key that equal finders share."""
    if rule.type == "keyword":
        finder: Finder = KeywordFinder(rule.terms, rule.whole_word)
        yield ("keyword", rule.terms, rule.whole_word), finder, Use(index, "", rule.action, rule.mask_tag, rule.roles)
    elif rule.type == "regex":
        finder = RegexFinder(rule.pattern, rule.max_match)
        yield ("regex", rule.pattern, rule.max_match), finder, Use(index, "", rule.action, rule.mask_tag, rule.roles)
    elif rule.type == "pii":
        yield from _pii_parts(index, rule)
    elif rule.type == "secrets":
        names = rule.detectors or secrets.NAMES
        yield ("secrets", *names), SecretsFinder(names), Use(index, "", rule.action, "[SECRET]", rule.roles)


def _pii_parts(index: int, rule: Rule) -> Iterable[tuple[FinderKey, Finder, Use]]:
    for order, name in enumerate(rule.entities):
        use = Use(index, name, rule.action_for(name), entities.tag_of(name), rule.roles, order)
        yield ("entity", name), entities.finder_of(name), use
    for order, custom in enumerate(rule.custom_entities, len(rule.entities)):
        check = entities.luhn_holds if custom.luhn else None
        use = Use(index, custom.name, rule.action_for(custom.name), custom.tag, rule.roles, order)
        key = ("custom", custom.pattern, custom.luhn, rule.max_match)
        yield key, RegexFinder(custom.pattern, rule.max_match, check), use
