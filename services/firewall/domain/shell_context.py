"""What a command means where it stands: the directory entered before it, what reads its output, its name's version."""

from __future__ import annotations

import re

from services.firewall.domain.shell_model import Command
from services.firewall.domain.shell_output import basename
from services.firewall.domain.shell_tables import CODE, SHELLS

_TELLING = re.compile(r"KEY|PASS|SECRET|TOKEN|CRED|AUTH|PWD", re.IGNORECASE)


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
        and not _TELLING.search(words[0])
    )
