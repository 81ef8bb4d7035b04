"""All features, in the form in which normalised text is matched."""

from __future__ import annotations

import re

from services.guardrail.domain.attack.coaxing import COAXING
from services.guardrail.domain.attack.extractions import EXTRACTIONS
from services.guardrail.domain.attack.feature import Feature
from services.guardrail.domain.attack.hijacks import HIJACKS
from services.guardrail.domain.attack.impostures import IMPOSTURES, REDIRECTIONS
from services.guardrail.domain.attack.indirect import INDIRECT
from services.guardrail.domain.attack.jailbreaks import JAILBREAKS
from services.guardrail.domain.attack.languages import intents
from services.guardrail.domain.attack.languages_guarded import guarded_intents
from services.guardrail.domain.attack.languages_plain import plain_intents
from services.guardrail.domain.attack.normal import plain
from services.guardrail.domain.attack.plain_orders import PLAIN_ORDERS, TOOL_ORDERS
from services.guardrail.domain.attack.probes import PROBES
from services.guardrail.domain.attack.takeovers import TAKEOVERS
from services.guardrail.domain.attack.unbinding import UNBINDING

_ENGLISH = (
    *HIJACKS,
    *TAKEOVERS,
    *IMPOSTURES,
    *INDIRECT,
    *REDIRECTIONS,
    *JAILBREAKS,
    *UNBINDING,
    *COAXING,
    *EXTRACTIONS,
    *PROBES,
    *PLAIN_ORDERS,
    *TOOL_ORDERS,
)


def all_features() -> tuple[Feature, ...]:
    """English first, then every other language's, in the form of normalised text."""
    english = (Feature(f.name, f.family, f.weight, _plain(f.pattern)) for f in _ENGLISH)
    return (
        *english,
        *(
            Feature(name, family, weight, plain_pattern(pattern))
            for name, family, weight, pattern in (*intents(), *plain_intents(), *guarded_intents())
        ),
    )


def plain_pattern(pattern: str) -> str:
    """A pattern with its letters normalised, and word characters beyond ASCII as the bytes they are."""
    return _plain(pattern).replace(r"\w", r"[a-z0-9_\x80-\xff]")


def _plain(pattern: str) -> str:
    parts = (part if part.startswith("\\") else plain(part) for part in re.split(r"(\\.)", pattern))
    return "".join(parts)
