"""What a command means where it stands: the directory entered before it, what reads its output, its name's version."""

from __future__ import annotations

import re

from services.firewall.domain.commands import TELLING
from services.firewall.domain.shell_model import LOADED, RUN_LATER, Command
from services.firewall.domain.shell_output import FETCHERS, basename
from services.firewall.domain.shell_tables import CODE, CONTAINER, MONGO, POWERSHELL, SHELLS, SQL_CLIENTS, WITH_VALUE


def entered(directory: str, args: list[str]) -> str:
    target = next((arg for arg in args if not arg.startswith("-")), "~")
    return target if target[:1] in "/~" or not directory else f"{directory}/{target}"


def placed(command: Command, directory: str) -> None:
    """Relative paths of commands that remove or change, as seen from where the script stands by now."""
    names = [basename(word.text) for word in command.words if word.text not in ("sudo", "command", "exec")][:1]
    if not _MOVED.intersection(names):
        return
    for word in command.words[1:]:
        if word.text[:1] not in ("-", "/", "~", "") and not word.text.isalnum():
            word.text = f"{directory}/{word.text}"


_MOVED = frozenset({"rm", "unlink", "shred", "chmod", "chown", "rmdir", "truncate"})


def unversioned(name: str) -> str:
    """`python3.12` and `lua5.1` are what they are without the number."""
    plain = re.sub(r"[\d.]+$|\.(?:traditional|openbsd)$", "", name)
    return plain if plain in CODE or plain in SHELLS or plain == "nc" else name


def asks_for_one(argv: list[str]) -> bool:
    """The next command of a pipe lets through only lines with a plain word, such as `NODE`."""
    words = [word for word in argv[1:] if not word.startswith("-")]
    kept = argv[:1] in (["grep"], ["egrep"], ["rg"]) and not any(re.match(r"-\w*[vfPe]", word) for word in argv[1:])
    return (
        kept
        and bool(words)
        and re.fullmatch(r"\^?[A-Za-z_]{3,40}=?", words[0]) is not None
        and not TELLING.search(words[0])
    )


def shell_names() -> frozenset[str]:
    """Commands that run others."""
    variables = {name.lower() for name in (*RUN_LATER, *LOADED)}
    return frozenset({*variables, *SHELLS, *CODE, *POWERSHELL, *SQL_CLIENTS, *MONGO, *WITH_VALUE, *CONTAINER, *FETCHERS,
    "cmd", "eval", "ssh",
                      "source", "alias", "trap", "find", "git", "vim", "kill", "crontab", "at", "sshpass",
                      "ansible", "iex",
                      "invoke-expression", "make", "flushall", "flushdb"})  # fmt: skip
