"""One kind of evidence: its name, the family of attacks it speaks for, how much it convinces, and its pattern.

A weight is how much the feature alone convinces, from 0 to 1. Gaps in patterns (`[^…]{0,n}`) are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

HIJACK = "hijack"
JAILBREAK = "jailbreak"
EXTRACTION = "extraction"


@dataclass(frozen=True, slots=True)
class Feature:
    """See the module."""

    name: str
    family: str
    weight: float
    pattern: str


IN_TOOL_RESULTS = frozenset(
    (
        "answer_commanded",
        "assistant_obliged",
        "bare_output_order",
        "deed_before_task",
        "model_greeted",
        "poses_as_user",
        "question_set_aside",
        "risky_deed_asked",
        "tool_named",
        "user_addressed_through",
        "user_agreed",
    )
)
"""Features that are an ordinary wish of a user; in what a tool returned they are an intrusion, and count only there."""
SUPPORTING = frozenset(
    (
        "adhere_to_this",
        "answers_as",
        "code_block",
        "fiction_frame",
        "instead_do",
        "named_role",
        "nothing_else",
        "only_these_words",
        "purpose_excuse",
        "stay_in_character",
        "verbatim",
        "working_detail",
    )
)
"""Features that ordinary requests have too: they strengthen others and are nothing among themselves."""
