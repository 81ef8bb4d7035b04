"""Whether words that look like a command are a sentence that mentions one."""

from __future__ import annotations

import re

from services.firewall.domain.shell_model import Command
from services.firewall.domain.shell_tables import STOP, STRONG_STOP


def talk(command: Command, *, told: bool = False) -> bool:
    """Words for people rather than for a shell."""
    plain = told and all(re.fullmatch(r"[A-Za-z']+[.,:;!?]?", word) for word in command.argv)
    return plain or prose(command, told=told) or _spoken(command)


def prose(command: Command, *, told: bool = False) -> bool:
    """Unquoted words that read like a sentence rather than arguments; `told` asks for less."""
    words = [word.text for word in command.words[1:] if not word.quoted]
    plain = [word.lower().strip(".,:;!?") for word in words if re.fullmatch(r"[A-Za-z']+[.,:;!?]?", word)]
    stops = sum(word in STOP for word in plain)
    if any(word in STRONG_STOP for word in plain):
        return True
    if told and stops and len(plain) >= 2:
        return True
    return stops >= 2 or (bool(words) and words[-1].endswith("?") and len(plain) >= 2)


def _spoken(command: Command) -> bool:
    """A verb of everyday language in front of plain words: `reboot router`, `shutdown of plants`."""
    words = command.argv
    return (
        words[:1] != [] and words[0] in _VERBS_OF_SPEECH and all(word.isalpha() and word != "now" for word in words[1:])
    )


_VERBS_OF_SPEECH = frozenset(
    {"shutdown", "reboot", "halt", "wipe", "scrub", "links", "install", "move", "copy", "format"}
)
