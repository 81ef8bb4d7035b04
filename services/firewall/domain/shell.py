"""Shell text to what it does: every command, behind every wrapper, in every string that would be run in turn."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

from services.firewall.domain.code import code_kinds, powershell_commands
from services.firewall.domain.commands import DANGEROUS_NAMES, named_kinds, path_kinds
from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import UNKNOWN, holds_credentials, precious
from services.firewall.domain.shapes import blobs, decoded
from services.firewall.domain.shell_output import FETCHERS, KnownOutputs, basename
from services.firewall.domain.shell_words import FETCHED, Command, Word, parse_script

NESTING_MAX = 6
SCRIPTS_MAX = 48
SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "rbash", "mksh", "csh", "tcsh", "busybox-sh", "git-bash", "wsl"}
)
_CODE = {"python": "python", "python2": "python", "python3": "python", "pypy": "python", "pypy3": "python",
    "perl": "perl",
         "ruby": "ruby", "node": "node", "nodejs": "node", "deno": "node", "bun": "node", "php": "php", "lua": "lua",
         "tclsh": "tcl", "rscript": "r", "osascript": "osascript", "awk": "awk", "gawk": "awk", "mawk": "awk",
         "nawk": "awk",
         "groovy": "groovy", "elixir": "elixir", "julia": "julia", "ipython": "python", "ts-node": "node",
         "irb": "ruby",
         "jshell": "java"}  # fmt: skip
_CODE_FLAGS = {"python": ("-c",), "perl": ("-e", "-E", "-ne", "-pe", "-ple", "-lne"), "ruby": ("-e", "-ne"),
               "node": ("-e", "-p", "-pe", "--eval", "--print", "eval"), "php": ("-r",), "lua": ("-e",), "r": ("-e",),
               "osascript": ("-e",), "groovy": ("-e",), "elixir": ("-e",), "julia": ("-e",)}  # fmt: skip
_POWERSHELL = frozenset({"powershell", "pwsh"})
_SQL_CLIENTS = frozenset({"psql", "mysql", "mariadb", "sqlite3", "sqlcmd", "clickhouse-client", "clickhouse",
    "duckdb", "cockroach",
                          "snowsql", "bq", "mycli", "pgcli", "sqlplus", "isql", "presto", "trino", "beeline",
                          "spark-sql", "usql",
                          "impala-shell", "hive", "cqlsh", "osql", "db2", "vsql", "wp", "turso",
                          "litecli"})  # fmt: skip
_MONGO = frozenset({"mongo", "mongosh", "mongoexport"})
_WITH_VALUE = {
    "sudo": "ugpCcDhRrtT", "doas": "uC", "env": "uCS", "timeout": "sk", "nice": "n", "ionice": "cnpP", "stdbuf": "ioe",
    "xargs": "IiLlnPsdEa", "parallel": "jNnIL", "watch": "n", "time": "fo", "strace": "eopsu", "ltrace": "eopsu",
    "flock": "wEc",
    "chroot": "", "unshare": "", "nsenter": "tSG", "runuser": "ugGs", "su": "sgG", "setsid": "", "nohup": "",
    "exec": "a",
    "command": "", "builtin": "", "busybox": "", "toybox": "", "chrt": "", "taskset": "", "systemd-run": "pu",
    "script": "", "gosu": "",
    "setpriv": "", "firejail": "", "proot": "rbw", "unbuffer": "", "caffeinate": "tw", "dbus-run-session": "",
    "xvfb-run": "sn",
    "torsocks": "", "proxychains": "f", "rlwrap": "", "catchsegv": "", "pkexec": "", "noglob": "", "nocorrect": "",
    "dotenv": "f",
    "poetry": "", "uv": "", "pipenv": "", "direnv": "", "aws-vault": "", "bundle": "", "wsl": "", "winpty": "",
    "faketime": "", "runas": "",
    "gsudo": "", "eatmydata": "", "prlimit": "", "cpulimit": "lp", "fakeroot": "", "lxc-attach": "n", "machinectl": "",
}  # fmt: skip
_TAKES_POSITIONAL = {"timeout": 1, "chroot": 1, "flock": 1, "chrt": 1, "taskset": 1, "gosu": 1, "faketime": 1}
_RUN_WORD = frozenset({"poetry", "uv", "pipenv", "direnv", "aws-vault", "bundle"})
_CONTAINER = frozenset(
    {"docker", "podman", "nerdctl", "kubectl", "oc", "lxc", "incus", "docker-compose", "crictl", "ctr"}
)
_CONTAINER_VALUE = re.compile(
    r"^(?:-[nceuwlvp]|--(?:namespace|container|env|user|workdir|name|volume|entrypoint|network|mount|context|kubeconfig))$"
)
_SSH_VALUE = "bcDEeFIiJLlmOopQRSWw"
_SECRET_NAME = re.compile(
    r"(?:SECRET|TOKEN|PASSW|PASSPHRASE|API_?KEY|PRIVATE_KEY|CREDENTIAL|ACCESS_KEY|_PAT$|AUTH_KEY)", re.IGNORECASE
)
_METADATA = re.compile(
    r"169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200|169\.254\.170\.2|fd00:ec2::254"
)
_RECURSIVE_FLAGS = re.compile(r"^-\w*r\w*f|^-\w*f\w*r|^-[rR]$|^--no-preserve-root$")
_STOP = frozenset(
    {"the", "is", "are", "was", "how", "what", "why", "when", "which", "does", "do", "did", "can", "should",
    "would", "will", "your",
     "you", "this", "that", "these", "those", "a", "an", "of", "in", "it", "its", "for", "with", "please", "explained",
     "explain", "dangerous", "meaning", "difference", "between", "vs", "versus", "tutorial", "example", "examples",
     "not", "and", "or",
     "safely", "about", "they", "we", "i", "my", "our", "be", "by", "from", "have", "has", "if", "because",
     "using", "means", "command",
     "guide", "works", "work", "error", "again", "before", "after", "me", "us", "on", "at", "as", "to", "into",
     "all", "old", "new"}
)  # fmt: skip
_STRONG_STOP = frozenset({"the", "is", "are", "how", "what", "why", "when", "does", "explained", "please",
    "dangerous", "meaning",
                          "difference", "between", "tutorial", "should", "safely", "means", "vs"})  # fmt: skip


@dataclass(slots=True)
class Effects:
    """What was found so far. `texts` are strings that other readers must judge: SQL, code, URLs of network tools."""

    certain: set[K] = field(default_factory=set)
    possible: set[K] = field(default_factory=set)
    sql: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    scripts: int = 0

    def add(self, kinds: set[K]) -> None:
        """Seen for sure."""
        self.certain |= kinds

    def doubt(self, *kinds: K) -> None:
        """May be hidden here."""
        self.possible.update(kinds)


def shell_effects(text: str, effects: Effects, *, sure: bool, depth: int = 0) -> None:
    """Judges a text as a script. `sure`: it will be run as one; otherwise words of prose are not taken for commands."""
    if depth > NESTING_MAX or effects.scripts >= SCRIPTS_MAX:
        effects.doubt(K.DESTRUCTIVE_SHELL)
        return
    effects.scripts += 1
    script = parse_script(text, KnownOutputs())
    if script.bomb:
        effects.add({K.DESTRUCTIVE_SHELL})
    aliases: dict[str, str] = {}
    for command in script.commands:
        if not sure and _prose(command):
            continue
        _Judge(effects, sure, depth, aliases).command(command)
    if script.broken and sure and _looks_destructive(text):
        effects.doubt(K.DESTRUCTIVE_SHELL)


def _looks_destructive(text: str) -> bool:
    """Only consulted for scripts that do not parse: what a shell could still run of them."""
    return bool(re.search(r"(?:^|[\s;&|`(])(?:\\?rm\s+-\w*[rf]|mkfs|dd\s+.*of=/dev|shred\s|:\(\)\s*\{)", text))


def _prose(command: Command) -> bool:
    """Unquoted words that read like a sentence rather than arguments."""
    words = [word.text for word in command.words[1:] if not word.quoted]
    plain = [word.lower().strip(".,:;!?") for word in words if re.fullmatch(r"[A-Za-z']+[.,:;!?]?", word)]
    stops = sum(word in _STOP for word in plain)
    if any(word in _STRONG_STOP for word in plain):
        return True
    return stops >= 2 or (bool(words) and words[-1].endswith("?") and len(plain) >= 2)


class _Judge:
    def __init__(self, effects: Effects, sure: bool, depth: int, aliases: dict[str, str]) -> None:
        self._effects = effects
        self._sure = sure
        self._depth = depth
        self._aliases = aliases

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
        if name in ("echo", "printf") and any(map(_SECRET_NAME.search, command.secret_names)):
            effects.add({K.CREDENTIAL_ACCESS})

    def words(self, argv: list[str]) -> None:
        """One command that is words already."""
        self._argv(argv, Command([]), 0)

    def _argv(self, argv: list[str], command: Command, unwrapped: int) -> None:
        effects = self._effects
        if unwrapped > 12:
            effects.doubt(K.DESTRUCTIVE_SHELL)
            return
        name, args = basename(argv[0]), argv[1:]
        if name in self._aliases and unwrapped < 4:
            self._argv([*self._aliases[name].split(), *args], command, unwrapped + 1)
            return
        if UNKNOWN in argv[0] or FETCHED in argv[0]:
            if any(map(_RECURSIVE_FLAGS.match, args)) or FETCHED in argv[0]:
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
            if any(map(_METADATA.search, args)):
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
        if name in SHELLS or (name in ("su", "runuser", "script", "sg") and "-c" in args):
            self._shell(args, command)
        elif name in ("eval", "trap", "at", "batch", "iex", "invoke-expression"):
            self._evaluated(name, args, command)
        elif name in (".", "source"):
            if any(FETCHED in arg for arg in args):
                self._effects.doubt(K.DESTRUCTIVE_SHELL)
        elif name == "alias":
            for arg in args:
                key, _, value = arg.partition("=")
                self._aliases[key] = value
        elif name in ("cmd", "command.com"):
            tail = [arg for arg in args if not re.match(r"^/[a-z]$", arg, re.IGNORECASE)]
            self._script(" ".join(tail))
        elif name in _POWERSHELL:
            self._powershell(args, command)
        elif name in _CODE:
            self._code(_CODE[name], args, command)
        elif name in _SQL_CLIENTS or name in _MONGO:
            self._database(name, args, command)
        elif name in ("ssh", "sshpass", "autossh", "plink", "mosh", "ansible"):
            self._remote(name, args)
        elif name in _CONTAINER:
            self._container(args, command, unwrapped)
        elif name in ("find", "fd", "fdfind"):
            self._find(args, command, unwrapped)
        elif name == "crontab" and ("-" in args or not args) and command.stdin:
            self._script(re.sub(r"(?m)^(?:@\w+|(?:\S+\s+){5})", "", command.stdin))
        elif name in (
            "tar",
            "vim",
            "vi",
            "ed",
            "ex",
            "less",
            "man",
            "rsync",
            "git",
            "gdb",
            "make",
            "zip",
            "tmux",
            "screen",
            "sed",
            "nmap",
        ):
            self._escapes(name, args, command)
        elif name in _WITH_VALUE:
            self._wrapped(name, args, command, unwrapped)

    def _script(self, text: str) -> None:
        if text and text not in (UNKNOWN, FETCHED):
            shell_effects(text.replace(FETCHED, UNKNOWN), self._effects, sure=True, depth=self._depth + 1)
        if FETCHED in text:
            self._effects.doubt(K.DESTRUCTIVE_SHELL)

    def _shell(self, args: list[str], command: Command) -> None:
        for index, arg in enumerate(args):
            if re.match(r"^-\w*c$", arg) or arg in ("--command", "/c"):
                rest = args[index + 1 : index + 2]
                if rest:
                    self._script(rest[0])
                    if rest[0].strip() == UNKNOWN:
                        self._effects.doubt(K.DESTRUCTIVE_SHELL)
                return
        if any(FETCHED in arg for arg in args):
            self._effects.doubt(K.DESTRUCTIVE_SHELL)
        plain = [arg for arg in args if not arg.startswith("-")]
        if command.stdin is not None and (not plain or "-s" in args or plain[:1] == ["/dev/stdin"]):
            self._script(command.stdin)

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
        code = ""
        if language == "awk":
            code = " ".join(args)
        else:
            flags = _CODE_FLAGS.get(language, ())
            for index, arg in enumerate(args):
                if arg in flags and index + 1 < len(args):
                    code = " ".join(args[index + 1 :]) if language == "osascript" else args[index + 1]
                    break
                if language == "python" and arg == "-m":
                    self._argv(args[index + 1 :] or ["true"], command, 1)
                    return
        if not code and command.stdin is not None and not [arg for arg in args if not arg.startswith("-")]:
            code = command.stdin
        if FETCHED in code:
            effects.doubt(K.DESTRUCTIVE_SHELL)
        if code and code != UNKNOWN:
            effects.add(code_kinds(code, language))
            for shell in embedded_strings(code):
                shell_effects(shell, effects, sure=True, depth=self._depth + 1)

    def _database(self, name: str, args: list[str], command: Command) -> None:
        effects = self._effects
        if name in _MONGO:
            effects.add(code_kinds(" ".join(args) + " " + (command.stdin or ""), "mongo"))
            return
        effects.sql += [arg for arg in args if not arg.startswith("-") and len(arg) > 6]
        if command.stdin and command.stdin not in (UNKNOWN, FETCHED):
            effects.sql.append(command.stdin)
        for text in (*args, command.stdin or ""):
            for match in re.finditer(r"(?m)(?:^|\s)\\!\s*(.+)$|(?:^|\s)\.(?:shell|system)\s+(.+)$", text):
                self._script(match[1] or match[2])

    def _remote(self, name: str, args: list[str]) -> None:
        self._effects.add({K.NETWORK_FETCH})
        if name == "ansible":
            found = [args[index + 1] for index, arg in enumerate(args[:-1]) if arg in ("-a", "--args")]
            for text in found:
                self._script(text)
            return
        index = 0
        if name == "sshpass":
            while index < len(args) and args[index].startswith("-"):
                index += 2 if args[index] in ("-p", "-f", "-e") else 1
            args, index = args[index + 1 :], 0
        while index < len(args) and args[index].startswith("-"):
            index += 2 if len(args[index]) == 2 and args[index][1] in _SSH_VALUE else 1
        rest = args[index + 1 :]
        if rest:
            self._script(" ".join(rest))

    def _container(self, args: list[str], command: Command, unwrapped: int) -> None:
        verbs = ("exec", "run", "debug")
        at = next((index for index, arg in enumerate(args[:6]) if arg in verbs), None)
        if at is None:
            return
        rest = args[at + 1 :]
        if "--" in rest:
            inner = rest[rest.index("--") + 1 :]
        else:
            index = 0
            while index < len(rest) and rest[index].startswith("-"):
                index += 2 if _CONTAINER_VALUE.match(rest[index]) else 1
            inner = rest[index + 1 :]
        if inner:
            self._argv(inner, Command([], stdin=command.stdin), unwrapped + 1)

    def _find(self, args: list[str], command: Command, unwrapped: int) -> None:
        roots = [arg for arg in args[:4] if not arg.startswith(("-", "(", "!"))] or ["."]
        named = [args[index + 1] for index, arg in enumerate(args[:-1]) if arg in ("-name", "-iname", "-path")]
        if named and not any(name.strip("./") == "*" for name in named):
            roots = [f"{root}/{named[0]}" for root in roots]
        for index, arg in enumerate(args):
            if arg in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"):
                inner: list[str] = []
                for word in args[index + 1 :]:
                    if word in (";", "+", "\\;"):
                        break
                    inner += roots[:2] if word == "{}" else [word]
                if "{}" not in args and arg in ("-x", "-X", "--exec"):
                    inner += roots[:1]
                if inner:
                    self._argv(inner, Command([], stdin=command.stdin), unwrapped + 1)

    def _escapes(self, name: str, args: list[str], command: Command) -> None:
        """Programs with a way out to a shell."""
        line = "\n".join(args)
        patterns = (
            r"--checkpoint-action=exec=(.+)", r"--(?:to-command|use-compress-program|rsh|unzip-command)[= \n](.+)",
            r"(?:^|\n):!(.+)",
            r"alias\.\w+=!(.+)", r"core\.(?:sshCommand|pager|editor|fsmonitor)=(.+)", r"(?:^|\n)!(.+)", r"-TT\n?(.+)",
            r"system\(['\"](.+?)['\"]\)", r"(?:new-session|new-window|send-keys|run-shell"
                                        r"|split-window)\s(?:.*\n)*?(.+)",
        )  # fmt: skip
        for pattern in patterns:
            for match in re.finditer(pattern, line):
                self._script(match[1])
        if name == "tar" and "-I" in args:
            self._script(args[args.index("-I") + 1] if args.index("-I") + 1 < len(args) else "")
        if name in ("ed", "ex") and command.stdin:
            for match in re.finditer(r"(?m)^!(.+)$", command.stdin):
                self._script(match[1])

    def _wrapped(self, name: str, args: list[str], command: Command, unwrapped: int) -> None:
        """The command behind a wrapper's own options."""
        values = _WITH_VALUE[name]
        index, skipped = 0, _TAKES_POSITIONAL.get(name, 0)
        if name in _RUN_WORD:
            if not {"run", "exec"} & set(args[:2]):
                return
            args = args[next(i for i, arg in enumerate(args) if arg in ("run", "exec")) + 1 :]
        while index < len(args):
            arg = args[index]
            if arg == "--":
                index += 1
                break
            if name == "env" and arg in ("-S", "--split-string") and index + 1 < len(args):
                self._script(" ".join(args[index + 1 :]))
                return
            if arg.startswith("-") and len(arg) > 1:
                index += 2 if len(arg) == 2 and arg[1] in values else 1
            elif re.match(r"^[A-Za-z_]\w*=", arg) and name in ("env", "sudo", "doas", "exec", "nohup", "time"):
                index += 1
            elif skipped:
                skipped -= 1
                index += 1
            else:
                break
        inner = args[index:]
        if name == "env" and not inner and not command.writes and not args:
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
        replaced = next((args[i + 1] for i, arg in enumerate(args[:-1]) if arg in ("-I", "-i", "--replace")), "{}")
        if any(replaced in word for word in inner):
            for item in items or [UNKNOWN]:
                self._argv([word.replace(replaced, item) for word in inner], Command([]), unwrapped + 1)
            return
        target = basename(inner[0])
        if target in SHELLS and any(re.match(r"-\w*c$", word) for word in inner) and known:
            self._script(given or "")
        self._argv([*inner, *items], Command([], stdin=given), unwrapped + 1)


def embedded_strings(code: str) -> list[str]:
    """Strings inside code that its own functions would hand to a shell."""
    calls = re.compile(
        r"(?:os\.system|os\.popen|subprocess\.\w+|popen|system|exec|execSync|execFileSync|spawn|spawnSync|shell_exec|passthru|sh|qx|Popen"
        r"|getoutput|check_output|run|call|IO\.popen|os\.execute|io\.popen|shellExec|do shell script"
        r"|command)\s*[\(\s]\s*\[?((?:\s*,?\s*(?:r|f|b)?"
        r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`))+)"
    )
    found = []
    for match in calls.finditer(code):
        parts = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`", match[1])
        found.append(" ".join("".join(part) for part in parts))
    found += re.findall(r"(?:qx|%x)[{(/!|](.+?)[})/!|]", code)
    found += re.findall(r"`([^`]+)`", code)
    found += re.findall(r"(?m)^\s*(?:!|%%?(?:sh|bash|system)\s)\s*(.+)$", code)
    found += blobs(code)
    return found[:16]


def run_powershell(text: str, effects: Effects, *, sure: bool) -> None:
    """Judges a text as PowerShell or `cmd`, whose quoting differs from a POSIX shell's."""
    effects.add(code_kinds(text, "powershell") & _WINDOWS_KINDS if sure else set())
    for argv in powershell_commands(text):
        if sure or not _prose(Command([Word(word) for word in argv])):
            _Judge(effects, sure, 1, {}).words(argv)


_WINDOWS_KINDS = {K.DESTRUCTIVE_SHELL, K.CREDENTIAL_ACCESS, K.NETWORK_FETCH, K.PRIVILEGE_ESCALATION}


def shell_names() -> frozenset[str]:
    """Commands that run others."""
    return frozenset({*SHELLS, *_CODE, *_POWERSHELL, *_SQL_CLIENTS, *_MONGO, *_WITH_VALUE, *_CONTAINER, *FETCHERS,
    "cmd", "eval", "ssh",
                      "source", "alias", "trap", "find", "git", "vim", "kill", "crontab", "at", "sshpass",
                      "ansible", "iex",
                      "invoke-expression", "make", "flushall", "flushdb"})  # fmt: skip
