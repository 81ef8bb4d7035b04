"""What a script is made of once it was read: words, commands, and the marks for what only running it would tell."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.firewall.domain.places import UNKNOWN

WORD_MAX = 65_536

SPLIT = "\ue001"
"""White space that came from an unquoted expansion: the shell splits the word there."""
FETCHED = "\ue002"
"""Like UNKNOWN, but the content comes from the network or a decoder."""

PROCESS = "\ue003"
"""In front of what a process substitution yields: the word is a file with that content."""

RUN_LATER = frozenset({"PROMPT_COMMAND", "ENV", "PS0", "GIT_SSH_COMMAND", "GIT_PAGER", "GIT_EDITOR",
                        "GIT_EXTERNAL_DIFF", "LESSOPEN", "LESSCLOSE", "MANPAGER"})  # fmt: skip
"""Variables whose value some program runs as a command."""
LOADED = frozenset(
    {"BASH_ENV", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"}
)
"""Variables whose value is code that every program after them loads."""


@dataclass(slots=True)
class Word:
    """One word; `quoted` when all of it stood in quotes."""

    text: str
    quoted: bool = False


@dataclass(slots=True)
class Command:
    """One simple command. `stdin` is what it reads if that is known, UNKNOWN or FETCHED if something else feeds it,
    None when nothing does. `writes` and `reads` are redirection targets."""

    words: list[Word]
    assigns: dict[str, str] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    stdin: str | None = None
    piped: list[str] = field(default_factory=list)
    """The words of the command that reads its output."""
    secret_names: tuple[str, ...] = ()
    """Names of variables the words expand."""

    @property
    def argv(self) -> list[str]:
        """The words' texts."""
        return [word.text for word in self.words]


@dataclass(slots=True)
class Script:
    """What a text contains."""

    commands: list[Command]
    broken: bool = False
    unread: bool = False
    """It has more commands than are looked at."""
    bomb: bool = False
    functions: frozenset[str] = frozenset()


class Outputs:
    """What a command prints when that can be known; replaced by the analyser that knows commands."""

    def of(self, command: Command) -> str:
        """The output, UNKNOWN or FETCHED."""
        return UNKNOWN
