"""Values of the text plane: what a guardrail is, what it is asked and what it answers.

Everything here is frozen. Offsets are Unicode code points of the text they belong to, end exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MAX_FINGERPRINTS = 16
"""Distinct matched substrings that one match carries a fingerprint of."""

MAX_MATCHED = 16
"""Matched substrings kept under `log_raw_content`."""


class Stage(Enum):
    """Side of the provider on which text is judged."""

    INPUT = "input"
    OUTPUT = "output"


class Kind(Enum):
    """How a segment's text is to be read."""

    TEXT = "text"
    JSON = "json"
    IMMUTABLE = "immutable"
    UNSUPPORTED = "unsupported"


class Action(Enum):
    """What a finding leads to, strongest first."""

    BLOCK = "block"
    MASK = "mask"
    FLAG = "flag"
    ANNOTATE = "annotate"
    """Input only: an advisory system message is added."""
    SPOTLIGHT = "spotlight"
    """Input only: the text is delimited as untrusted, and an advisory explains the delimiters."""


class Outcome(Enum):
    """The fold over all rules."""

    PASSED = "passed"
    MASKED = "masked"
    BLOCKED = "blocked"


class Status(Enum):
    """How one applicable rule ended."""

    PASSED = "passed"
    FIRED = "fired"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True, slots=True)
class CustomEntity:
    """An operator's own entity inside a `pii` rule."""

    name: str
    pattern: str
    tag: str
    luhn: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, validated. Fields that its type does not have keep their defaults."""

    id: str
    type: str
    stage: str
    action: Action
    label: str = ""
    enabled: bool = True
    roles: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    whole_word: bool = False
    pattern: str = ""
    mask_tag: str = "[REDACTED]"
    max_match: int = 256
    entities: tuple[str, ...] = ()
    entity_actions: Mapping[str, Action] = field(default_factory=dict)
    custom_entities: tuple[CustomEntity, ...] = ()
    detectors: tuple[str, ...] = ()
    """Of a `secrets` rule; empty: the whole catalogue."""
    limit: int = 0
    sensitivity: str = "medium"
    judge_model: str = ""
    judge_rubric: str = ""
    timeout_ms: int = 0
    """Of one question to a judge or a webhook."""
    threshold: float = 0.7
    grounding_strict: bool = False
    url: str = ""
    secret: str = field(default="", repr=False, compare=False)
    """Of a webhook, as written in a draft; never part of a stored rule."""
    on_not_evaluated: str = "pass"
    on_unsupported_part: str = "pass"

    def applies_at(self, stage: Stage) -> bool:
        """True when the rule is on and judges that stage."""
        return self.enabled and self.stage in (stage.value, "both")

    def applies_to(self, role: str) -> bool:
        """True when a text of that message role (empty: outside messages) is to be judged."""
        return not self.roles or role in self.roles

    def action_for(self, entity: str) -> Action:
        """The action on a finding of that entity."""
        return self.entity_actions.get(entity, self.action)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A named text policy at one version."""

    id: str
    workspace_id: str
    name: str
    version: int
    enabled: bool = True
    is_default: bool = False
    log_raw_content: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One text to judge. `path` is for diagnostics only."""

    text: str
    kind: Kind = Kind.TEXT
    role: str = ""
    path: str = ""


class Finding(NamedTuple):
    """One span found by one rule, in the text it was found in. A tuple, as dense texts have thousands of them."""

    rule_index: int
    entity: str
    action: Action
    start: int
    end: int
    tag: str
    order: int = 0
    """Place of the entity within its rule; breaks ties between equal spans."""
    note: str = ""
    """Why, in names of features; never matched text."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule that reads whole texts concluded: findings by segment, or why it could not conclude."""

    rule_index: int
    findings: tuple[tuple[int, Finding], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One applicable rule's end."""

    rule: Rule
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """One fired rule and entity, aggregated."""

    rule: Rule
    action: Action
    entity: str
    count: int
    detail: str
    matched: tuple[str, ...]
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Why a text was refused; carries no matched text."""

    rule: Rule
    detail: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer for one stage. `replacements` maps a segment's index to its new text."""

    outcome: Outcome
    replacements: Mapping[int, str]
    results: tuple[RuleResult, ...]
    matches: tuple[Match, ...]
    block: Block | None
    not_evaluated: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()
    """System messages to add, of `annotate` and `spotlight`."""
    findings: tuple[tuple[int, Finding], ...] = ()
    """(segment index, finding) with offsets into that segment's text; findings inside JSON are left out."""
