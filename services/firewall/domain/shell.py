"""Shell text to what it does: every command, behind every wrapper, in every string that would be run in turn."""

from __future__ import annotations

import fnmatch
import re

from services.firewall.domain.code import code_kinds, embedded_strings
from services.firewall.domain.command_tables import CLOUDS, PACKAGERS
from services.firewall.domain.commands import DANGEROUS_NAMES, named_kinds, path_kinds
from services.firewall.domain.effects import Effects
from services.firewall.domain.intents import call_kinds, text_kinds
from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import UNKNOWN, holds_credentials, precious
from services.firewall.domain.powershell import powershell_commands
from services.firewall.domain.shapes import decoded
from services.firewall.domain.shell_context import asks_for_one, entered, placed, unversioned
from services.firewall.domain.shell_inner import (
    ESCAPING,
    code_text,
    container_words,
    database_escapes,
    escape_texts,
    find_words,
    flag_values,
    remote_texts,
    replacement,
    shell_text,
    wrapped_words,
)
from services.firewall.domain.shell_model import FETCHED, PROCESS, Command, Word
from services.firewall.domain.shell_output import FETCHERS, KnownOutputs, basename
from services.firewall.domain.shell_prose import prose, talk
from services.firewall.domain.shell_tables import (
    CARRIED,
    CODE,
    CONTAINER,
    METADATA,
    MONGO,
    POWERSHELL,
    RECURSIVE_FLAGS,
    REMOTES,
    RUNS_TEXT,
    SECRET_NAME,
    SHELLS,
    SQL_CLIENTS,
    TALKERS,
    WITH_VALUE,
)
from services.firewall.domain.shell_words import parse_script

NESTING_MAX = 6
_REMOTE_FLAGS = frozenset({"--scripts", "--command", "--commands", "--parameters", "--execute", "-c"})
_CONSOLES = frozenset({"runner", "tinker", "shell"})
_QUOTED = re.compile(r"\"([^\"]+)\"|'([^']+)'")
SCRIPTS_MAX = 48


def shell_effects(text: str, effects: Effects, *, sure: bool, told: bool = False, depth: int = 0) -> None:
    """Judges a text as a script. `sure`: it will be run as one; otherwise words of prose are not taken for commands,
    the less so where it stands among words for people (`told`)."""
    if depth > NESTING_MAX or effects.scripts >= SCRIPTS_MAX:
        effects.doubt(K.DESTRUCTIVE_SHELL)
        return
    effects.scripts += 1
    script = parse_script(text, KnownOutputs())
    if script.bomb:
        effects.add({K.DESTRUCTIVE_SHELL})
    aliases: dict[str, str] = {}
    files: dict[str, str] = {}
    directory = ""
    for command in script.commands:
        if not sure and talk(command, told=told):
            continue
        if command.argv[:1] in (["cd"], ["pushd"]):
            directory = entered(directory, command.argv[1:])
        elif directory and command.argv:
            placed(command, directory)
        _Judge(effects, sure, depth, aliases, files).command(command)
        targets = [*command.writes, *(command.argv[1:] if command.argv[:1] == ["tee"] else [])]
        if targets:
            written = KnownOutputs().of(command)
            files.update({basename(target): written for target in targets[:8]})
    if sure and (script.unread or (script.broken and _looks_destructive(text))):
        effects.doubt(K.DESTRUCTIVE_SHELL)


def _looks_destructive(text: str) -> bool:
    """Only consulted for scripts that do not parse: what a shell could still run of them."""
    return bool(re.search(r"(?:^|[\s;&|`(])(?:\\?rm\s+-\w*[rf]|mkfs|dd\s+.*of=/dev|shred\s|:\(\)\s*\{)", text))


class _Judge:
    def __init__(
        self, effects: Effects, sure: bool, depth: int, aliases: dict[str, str], files: dict[str, str]
    ) -> None:
        self._effects = effects
        self._sure = sure
        self._depth = depth
        self._aliases = aliases
        self._files = files
        self._first = ""

    def command(self, command: Command) -> None:
        """One simple command with its redirections."""
        argv = command.argv
        effects = self._effects
        if not argv:
            effects.add(path_kinds("", [], command.reads, command.writes))
            if any(precious(target, recursive=False) and target.startswith("/") for target in command.writes):
                effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        self._argv(argv, command, 0)
        if any("/dev/tcp/" in target or "/dev/udp/" in target for target in (*command.reads, *command.writes, *argv)):
            effects.add({K.NETWORK_FETCH})
        name = basename(argv[0])
        if name in ("echo", "printf") and any(map(SECRET_NAME.search, command.secret_names)):
            effects.add({K.CREDENTIAL_ACCESS})

    def words(self, argv: list[str]) -> None:
        """One command that is words already."""
        self._argv(argv, Command([]), 0)

    def _argv(self, argv: list[str], command: Command, unwrapped: int) -> None:
        effects = self._effects
        self._first = argv[0]
        if unwrapped > 12:
            effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        name, args = unversioned(basename(argv[0])), argv[1:]
        if name in self._aliases and unwrapped < 4:
            self._argv([*self._aliases[name].split(), *args], command, unwrapped + 1)
            return
        if UNKNOWN in argv[0] and FETCHED not in argv[0] and argv[0].strip(UNKNOWN):
            # Variables nobody set are mostly empty: `r${x}m`.
            self._argv([word.replace(UNKNOWN, "") or UNKNOWN for word in argv], command, unwrapped + 1)
            return
        if UNKNOWN in argv[0] or FETCHED in argv[0]:
            if any(map(RECURSIVE_FLAGS.match, args)) or FETCHED in argv[0]:
                effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        if any(char in name for char in "*?["):
            self._wildcard(name, args, command, unwrapped)
            return
        effects.add(named_kinds(name, args))
        effects.add(path_kinds(name, args, command.reads, command.writes))
        self._network(name, args, command)
        self._inner(name, args, command, unwrapped)

    def _wildcard(self, name: str, args: list[str], command: Command, unwrapped: int) -> None:
        if not any(char.isalpha() for char in name) and "/" not in self._first:
            return
        for candidate in DANGEROUS_NAMES:
            if fnmatch.fnmatchcase(candidate, name):
                before = (set(self._effects.certain), set(self._effects.possible))
                self._argv([candidate, *args], command, unwrapped + 1)
                if (self._effects.certain, self._effects.possible) != before:
                    return

    def _network(self, name: str, args: list[str], command: Command) -> None:
        effects = self._effects
        if name in FETCHERS or name in ("ssh", "scp", "sftp", "ping", "openssl", "rsync"):
            effects.hosts += [arg for arg in args if not arg.startswith("-")][:16]
            if any(map(METADATA.search, args)):
                effects.add({K.CREDENTIAL_ACCESS})
            sends = [
                arg
                for index, arg in enumerate(args)
                if re.match(r"-d$|-F$|-T$|--data|--form|--upload|--post", args[index - 1] if index else "")
            ]
            if any(holds_credentials(arg.partition("@")[2]) for arg in sends):
                effects.add({K.CREDENTIAL_ACCESS})

    def _inner(self, name: str, args: list[str], command: Command, unwrapped: int) -> None:
        """What the command would run in turn."""
        if name in SHELLS or (
            name in ("su", "runuser", "script", "sg") and any(re.match(r"-\w*c$", arg) for arg in args)
        ):
            self._shell(args, command)
        elif name in ("eval", "trap", "at", "batch", "iex", "invoke-expression"):
            self._evaluated(name, args, command)
        elif name in (".", "source"):
            if any(FETCHED in arg for arg in args):
                self._effects.doubt(K.DESTRUCTIVE_SHELL)
            self._files_run(args[:1])
            if args[:1] in (["/dev/stdin"], ["/dev/fd/0"]) and command.stdin:
                self._script(command.stdin)
        elif name in self._files and ("/" in self._first or name.endswith("sh")):
            self._files_run([name])
        elif name == "alias":
            for arg in args:
                key, _, value = arg.partition("=")
                self._aliases[key] = value
        elif name in ("cmd", "command.com"):
            tail = [arg for arg in args if not re.match(r"^/[a-z]$", arg, re.IGNORECASE)]
            self._script(" ".join(tail))
        elif name in POWERSHELL:
            self._powershell(args, command)
        elif name in CODE:
            self._code(CODE[name], args, command)
        elif name in SQL_CLIENTS or name in MONGO:
            self._database(name, args, command)
        elif name in REMOTES:
            self._effects.add({K.NETWORK_FETCH} if name != "ansible" else set())
            for text in remote_texts(name, args):
                self._script(text)
        elif name in CONTAINER:
            inner = container_words(args)
            if inner:
                self._argv(inner, Command([], stdin=command.stdin), unwrapped + 1)
        elif name in ("find", "fd", "fdfind"):
            for inner in find_words(args):
                self._argv(inner, Command([], stdin=command.stdin), unwrapped + 1)
        elif name == "crontab" and ("-" in args or not args) and command.stdin:
            self._script(re.sub(r"(?m)^(?:@\w+|(?:\S+\s+){5})", "", command.stdin))
        elif name in ESCAPING:
            for text in escape_texts(name, args, command.stdin):
                self._script(text)
        elif name in CLOUDS:
            self._remotely(args)
            if command.stdin and command.stdin not in (UNKNOWN, FETCHED):
                self._effects.add(call_kinds("", command.stdin) | text_kinds(command.stdin))
        elif name in WITH_VALUE:
            self._wrapped(name, args, command, unwrapped)
        elif name not in TALKERS and name not in PACKAGERS and self._sure:
            self._carried(args)

    def _remotely(self, args: list[str]) -> None:
        """What a cloud's own machines, or an application's console, are told to run."""
        for flag, value in flag_values(args):
            if flag in _REMOTE_FLAGS:
                quoted = [first or second for first, second in _QUOTED.findall(value)] if "=" in value else []
                for text in quoted or [value, value.partition("=")[2]]:
                    self._script(text)
        for index, arg in enumerate(args[:-1]):
            if arg in _CONSOLES:
                self._effects.add(code_kinds(" ".join(args[index + 1 :]), "ruby"))
        if "--" in args[:-1] and {"exec", "ssh", "shell", "run"} & set(args[:4]):
            self.words(args[args.index("--") + 1 :])

    def _carried(self, args: list[str]) -> None:
        """Words of an unknown program that are a command of their own, or a text behind an option that runs one."""
        for index, arg in enumerate(args[:-1]):
            if basename(arg) in CARRIED and not arg.startswith("-"):
                self.words([word for word in args[index:] if word != "--"])
                break
        for flag, value in flag_values(args):
            if flag in RUNS_TEXT and (" " in value or "," in value):
                self._script(value)
                self._script(value.replace(",", " "))
                for text in embedded_strings(value):
                    self._script(text)

    def _script(self, text: str) -> None:
        if text and text not in (UNKNOWN, FETCHED):
            shell_effects(text.replace(FETCHED, UNKNOWN), self._effects, sure=True, depth=self._depth + 1)
        if FETCHED in text:
            self._effects.doubt(K.DESTRUCTIVE_SHELL)

    def _shell(self, args: list[str], command: Command) -> None:
        text = shell_text(args)
        if text is not None:
            self._script(text)
            if text.strip() == UNKNOWN:
                self._effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        if any(FETCHED in arg for arg in args):
            self._effects.doubt(K.DESTRUCTIVE_SHELL)
        plain = [arg for arg in args if not arg.startswith("-")]
        self._files_run(plain[:1])
        if command.stdin is not None and (not plain or "-s" in args or plain[:1] == ["/dev/stdin"]):
            self._script(command.stdin)

    def _files_run(self, paths: list[str]) -> None:
        """Scripts whose content is known: written above, or a process substitution."""
        for path in paths:
            if path.startswith(PROCESS):
                self._script(path[1:])
            elif basename(path) in self._files:
                self._script(self._files[basename(path)])

    def _evaluated(self, name: str, args: list[str], command: Command) -> None:
        if name == "trap":
            args = args[:1]
        if name in ("at", "batch", "iex", "invoke-expression"):
            self._script(command.stdin or "")
        self._script(" ".join(args))

    def _powershell(self, args: list[str], command: Command) -> None:
        for index, arg in enumerate(args):
            lowered = arg.lower()
            if re.match(r"^-e(?:nc?|ncodedcommand|c)?$", lowered) and index + 1 < len(args):
                plain = decoded(args[index + 1])
                if plain:
                    self._effects.add(code_kinds(plain, "powershell"))
                    self._run_powershell(plain)
                else:
                    self._effects.doubt(K.DESTRUCTIVE_SHELL)
                return
        tail = [
            arg
            for arg in args
            if not arg.startswith("-") or arg.lower() not in ("-c", "-command", "-nop", "-noprofile", "-w", "-ep")
        ]
        self._run_powershell(" ".join(tail) or (command.stdin or ""))

    def _run_powershell(self, text: str) -> None:
        self._effects.add(code_kinds(text, "powershell"))
        for argv in powershell_commands(text):
            self._argv(argv, Command([]), 1)

    def _code(self, language: str, args: list[str], command: Command) -> None:
        effects = self._effects
        code = code_text(language, args)
        if not code and language == "python" and "-m" in args:
            self._argv(args[args.index("-m") + 1 :] or ["true"], command, 1)
            return
        plain = [arg for arg in args if not arg.startswith("-")]
        if not code and plain and basename(plain[0]) in CLOUDS:
            # `php artisan …`, `python manage.py …`: a script with verbs of its own.
            self._argv([basename(plain[0]), *plain[1:]], command, 1)
            return
        if not code and command.stdin is not None and not plain:
            code = command.stdin
        if FETCHED in code:
            effects.doubt(K.DESTRUCTIVE_SHELL)
        if language == "tcl":
            for text in re.findall(r"(?m)(?:^|[\[;])\s*exec\s+(.+)$", code):
                self._script(text)
        if code and code != UNKNOWN:
            effects.add(code_kinds(code, language))
            for shell in embedded_strings(code):
                shell_effects(shell, effects, sure=True, depth=self._depth + 1)

    def _database(self, name: str, args: list[str], command: Command) -> None:
        effects = self._effects
        if name in MONGO:
            effects.add(code_kinds(" ".join(args) + " " + (command.stdin or ""), "mongo"))
            return
        effects.sql += [arg for arg in args if not arg.startswith("-") and len(arg) > 6]
        if command.stdin and command.stdin not in (UNKNOWN, FETCHED):
            effects.sql.append(command.stdin)
        for text in database_escapes([*args, command.stdin or ""]):
            self._script(text)

    def _wrapped(self, name: str, args: list[str], command: Command, unwrapped: int) -> None:
        """The command behind a wrapper's own options."""
        if name == "npx":
            for flag, value in flag_values(args):
                if flag in ("-c", "--call"):
                    self._script(value)
        if name == "parallel" and ":::" in args and not args[0].startswith("-") and args[0] == ":::":
            for text in args[1:17]:
                self._script(text)
            return
        inner, text = wrapped_words(name, args)
        if text:
            self._script(text)
            return
        if name == "env" and not inner and not args and not asks_for_one(command.piped):
            self._effects.add({K.CREDENTIAL_ACCESS})
        if not inner:
            if name in ("xargs", "parallel") and command.stdin and FETCHED in command.stdin:
                self._effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        if name in ("xargs", "parallel"):
            self._from_input(name, inner, args, command, unwrapped)
            return
        if name in ("watch", "systemd-run", "script") and len(inner) == 1 and " " in inner[0]:
            self._script(inner[0])
            return
        self._argv(inner, Command(command.words, stdin=command.stdin), unwrapped + 1)

    def _from_input(self, name: str, inner: list[str], args: list[str], command: Command, unwrapped: int) -> None:
        given = command.stdin
        known = given is not None and UNKNOWN not in given and FETCHED not in given
        items = (given or "").split()[:64] if known else [UNKNOWN]
        replaced = replacement(args)
        if any(replaced in word for word in inner):
            for item in items or [UNKNOWN]:
                self._argv([word.replace(replaced, item) for word in inner], Command([]), unwrapped + 1)
            return
        target = basename(inner[0])
        if target in SHELLS and any(re.match(r"-\w*c$", word) for word in inner) and known:
            self._script(given or "")
        self._argv([*inner, *items], Command([], stdin=given), unwrapped + 1)


def run_powershell(text: str, effects: Effects, *, sure: bool) -> None:
    """Judges a text as PowerShell or `cmd`, whose quoting differs from a POSIX shell's."""
    effects.add(code_kinds(text, "powershell") & _WINDOWS_KINDS if sure else set())
    for argv in powershell_commands(text):
        if sure or not prose(Command([Word(word) for word in argv])):
            _Judge(effects, sure, 1, {}, {}).words(argv)


_WINDOWS_KINDS = {
    K.DESTRUCTIVE_SHELL,
    K.FILE_WRITE_OUTSIDE,
    K.CREDENTIAL_ACCESS,
    K.NETWORK_FETCH,
    K.PRIVILEGE_ESCALATION,
}
