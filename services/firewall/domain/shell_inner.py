"""What a program would run in turn, as its own arguments say: texts for a shell, or the words of another command.

Only reads arguments; who judges what comes out is `shell.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.firewall.domain.shell_tables import (
    CODE_FLAGS,
    CONTAINER_VALUE,
    RUN_WORD,
    SSH_VALUE,
    TAKES_POSITIONAL,
    WITH_VALUE,
)

_ESCAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"--checkpoint-action=exec=(.+)", r"--(?:to-command|use-compress-program|rsh|unzip-command)[= \n](.+)",
        r"(?:^|\n)[:+]:?!(.+)", r"alias\.\w+=!(.+)", r"(?:^|\n)(?:--exec|-x)[=\n](.+)",
        r"(?:^|[\s;])spawn (?:-\w+ )*([^;]+)",
        r"core\.(?:sshCommand|pager|editor|fsmonitor)=(.+)", r"(?:^|\n)!(.+)", r"-TT\n?(.+)",
        r"system\(['\"](.+?)['\"]\)",
        r"(?:new-session|new-window|send-keys|run-shell|split-window)\s(?:.*\n)*?(.+)",
        r"(?:^|\n)foreach\n(?:--\w+\n)*(.+)", r"(?:^|\n)bisect\nrun\n(.+)",
        r"(?:^|\n)ProxyCommand[= ](.+)",
    )
)  # fmt: skip
ESCAPING = frozenset(
    ("tar", "vim", "vi", "ed", "ex", "less", "man", "rsync", "git", "gdb", "make", "zip", "tmux", "screen", "sed",
     "nmap", "expect")
)  # fmt: skip
"""Programs with a way out to a shell."""
ENDS_FIND = (";", "+", "\\;")


def shell_text(args: list[str]) -> str | None:
    """The text behind a shell's `-c`, empty when nothing follows it; None without one."""
    for index, arg in enumerate(args):
        if re.match(r"^-\w*c$", arg) or arg in ("--command", "/c"):
            return args[index + 1] if index + 1 < len(args) else ""
    return None


def flag_values(args: list[str]) -> Iterator[tuple[str, str]]:
    """Options with their values: `--flag value` and `--flag=value`."""
    for index, arg in enumerate(args):
        if arg.startswith("-"):
            flag, equals, value = arg.partition("=")
            if equals:
                yield flag, value
            elif index + 1 < len(args):
                yield flag, args[index + 1]


def code_text(language: str, args: list[str]) -> str:
    """Code given on the command line."""
    if language == "awk":
        return " ".join(args)
    flags = CODE_FLAGS.get(language, ())
    if language == "tcl":
        return ""
    for index, arg in enumerate(args):
        if arg in flags and index + 1 < len(args):
            if language == "node" and "p" in arg:
                return f"console.log({args[index + 1]})"
            return " ".join(args[index + 1 :]) if language == "osascript" else args[index + 1]
        if language == "python" and len(arg) > 2 and re.match(r"^-[bBdEhiIOqsSuvVx]*c", arg):
            # The rest of a word is the code: `-c'…'`, `-Ic '…'`.
            rest = arg.partition("c")[2]
            return rest or (args[index + 1] if index + 1 < len(args) else "")
    return ""


def database_escapes(texts: list[str]) -> Iterator[str]:
    """`\\! …` of a database client and its kin."""
    for text in texts:
        for match in re.finditer(r"(?m)(?:^|\s)\\!\s*(.+)$|(?:^|\s)\.(?:shell|system)\s+(.+)$", text):
            yield match[1] or match[2]


def remote_texts(name: str, args: list[str]) -> list[str]:
    """What another machine is told to run."""
    if name == "ansible":
        return [args[index + 1] for index, arg in enumerate(args[:-1]) if arg in ("-a", "--args")]
    index = 0
    if name == "sshpass":
        while index < len(args) and args[index].startswith("-"):
            index += 2 if args[index] in ("-p", "-f", "-e") else 1
        args, index = args[index + 1 :], 0
    proxies = [arg.partition("=")[2] for arg in args if arg.startswith("ProxyCommand=")]
    while index < len(args) and args[index].startswith("-"):
        index += 2 if len(args[index]) == 2 and args[index][1] in SSH_VALUE else 1
    rest = args[index + 1 :]
    return [*proxies, " ".join(rest)] if rest else proxies


def container_words(args: list[str]) -> list[str]:
    """The command that a container is told to run."""
    at = next((index for index, arg in enumerate(args[:6]) if arg in ("exec", "run", "debug")), None)
    if at is None:
        return []
    rest = args[at + 1 :]
    if "--" in rest:
        return rest[rest.index("--") + 1 :]
    index = 0
    while index < len(rest) and rest[index].startswith("-"):
        index += 2 if CONTAINER_VALUE.match(rest[index]) else 1
    return rest[index + 1 :]


def find_words(args: list[str]) -> Iterator[list[str]]:
    """The commands of `find`'s actions, with what it looks for in place of `{}`."""
    roots = [arg for arg in args[:4] if not arg.startswith(("-", "(", "!"))] or ["."]
    named = [args[index + 1] for index, arg in enumerate(args[:-1]) if arg in ("-name", "-iname", "-path")]
    if named and not any(name.strip("./") == "*" for name in named):
        roots = [f"{root}/{named[0]}" for root in roots]
    for index, arg in enumerate(args):
        if arg in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"):
            inner: list[str] = []
            for word in args[index + 1 :]:
                if word in ENDS_FIND:
                    break
                inner += roots[:2] if word == "{}" else [word]
            if "{}" not in args and arg in ("-x", "-X", "--exec"):
                inner += roots[:1]
            if inner:
                yield inner


def escape_texts(name: str, args: list[str], stdin: str | None) -> Iterator[str]:
    """Texts that editors, archivers and terminals hand to a shell."""
    line = "\n".join(args)
    for pattern in _ESCAPES:
        for match in pattern.finditer(line):
            yield match[1]
    if name in ("tmux", "screen"):
        yield from (arg for arg in args if " " in arg)
        rest = [arg for arg in args if not arg.startswith("-")]
        if name == "screen" and rest:
            yield " ".join(rest)
    elif name == "sed":
        for arg in args:
            found = re.search(r"(?:^|[;}\d/$])e\s+(.+)$", arg)
            if found is not None:
                yield found[1]
    elif name == "make" and stdin:
        yield "\n".join(re.findall(r"(?m)^\t@?-?(.+)$", stdin))
    elif name == "tar" and "-I" in args[:-1]:
        yield args[args.index("-I") + 1]
    elif name in ("ed", "ex") and stdin:
        yield from re.findall(r"(?m)^!(.+)$", stdin)


def replacement(args: list[str]) -> str:
    """What `xargs` and `parallel` put their items in place of."""
    for index, arg in enumerate(args):
        if arg in ("-I", "--replace") and index + 1 < len(args):
            return args[index + 1]
        if arg.startswith("-I") or arg.startswith("--replace="):
            return arg.removeprefix("-I").removeprefix("--replace=")
    return "{}"


def wrapped_words(name: str, args: list[str]) -> tuple[list[str], str]:
    """The command behind a wrapper's own options as words, or (of `env -S`) as a text."""
    values = WITH_VALUE[name]
    index, skipped = 0, TAKES_POSITIONAL.get(name, 0)
    if name == "command" and args[:1] in (["-v"], ["-V"]):
        return [], ""
    if name in RUN_WORD:
        if not {"run", "exec"} & set(args[:2]):
            return [], ""
        args = args[next(i for i, arg in enumerate(args) if arg in ("run", "exec")) + 1 :]
    while index < len(args):
        arg = args[index]
        if arg == "--":
            index += 1
            break
        if name == "env" and arg in ("-S", "--split-string") and index + 1 < len(args):
            return [], " ".join(args[index + 1 :])
        if arg.startswith("-") and len(arg) > 1:
            index += 2 if len(arg) == 2 and arg[1] in values else 1
        elif re.match(r"^[A-Za-z_]\w*=", arg) and name in ("env", "sudo", "doas", "exec", "nohup", "time"):
            index += 1
        elif skipped:
            skipped -= 1
            index += 1
        else:
            break
    return args[index:], ""
