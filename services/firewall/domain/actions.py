"""What a call does, as parsing its arguments shows: commands, SQL, code and paths, whichever argument carries them.

A key or a tool's name only says how sure a reading is,
    never whether a string is read: `{"x": "rm -rf /"}` counts. Prose
that mentions a command does not. Everything is bounded; what goes beyond a bound is doubt.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.firewall.domain.code import code_kinds, embedded_strings
from services.firewall.domain.command_lines import command_lines
from services.firewall.domain.commands import known_names
from services.firewall.domain.effects import Effects
from services.firewall.domain.hosts import fold
from services.firewall.domain.intents import call_kinds, text_kinds
from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import holds_credentials, outside, precious
from services.firewall.domain.shapes import document, nested, plain_key, prose_key, sentence, spellings, strings_of
from services.firewall.domain.shell import run_powershell, shell_effects
from services.firewall.domain.shell_context import shell_names
from services.firewall.domain.sql import sql_effects

STRINGS_MAX = 400
UNSURE_MAX = 16_384
"""Characters of a string nobody calls a command; longer ones are documents."""
TEXT_MAX = 65_536
DECODED_DEPTH_MAX = 3
"""Documents inside encoded documents inside …"""

_SHELL_KEYS = frozenset({"command", "cmd", "commands", "script", "shell", "bash", "exec", "run", "argv", "cmdline",
    "commandline",
                         "shellcommand", "terminal", "powershell", "ssh", "entrypoint", "keystrokes",
                         "execute"})  # fmt: skip
_SHELL_TOOLS = frozenset({"shell", "bash", "sh", "zsh", "exec", "terminal", "command", "commands", "cmd",
    "powershell", "pwsh", "ssh",
                          "console", "subprocess", "tty", "system", "shellexecute", "runcommand", "repl"})  # fmt: skip
_SQL_KEYS = frozenset({"sql", "statement", "stmt", "ddl", "dml", "sqlquery", "rawsql", "statements"})
_SQL_TOOLS = frozenset({"sql", "db", "database", "postgres", "postgresql", "mysql", "sqlite", "psql", "mssql",
    "bigquery", "snowflake",
                        "redshift", "clickhouse", "oracle", "duckdb", "mariadb", "sqlserver", "athena",
                        "databricks", "supabase"})  # fmt: skip
_CODE_KEYS = frozenset({"code", "source", "python", "javascript", "js", "snippet", "program", "expression", "cell"})
_CODE_TOOLS = frozenset({"python", "code", "interpreter", "jupyter", "notebook", "eval", "repl", "node",
    "javascript", "js", "ipython", "ruby",
                         "sandbox", "perl", "php"})  # fmt: skip
_WRITE_WORDS = frozenset({"write", "create", "save", "edit", "append", "put", "update", "move", "copy", "rename",
    "insert", "replace", "patch",
                          "upload", "mkdir", "touch", "download", "overwrite", "str", "modify", "symlink",
                          "extract", "unzip"})  # fmt: skip
_DELETE_WORDS = frozenset(
    {"delete", "remove", "rm", "unlink", "rmdir", "wipe", "purge", "trash", "erase", "rmtree", "destroy", "clean"}
)
_CONTENT_KEYS = frozenset(
    {
        "content",
        "contents",
        "text",
        "data",
        "body",
        "filetext",
        "newstr",
        "newstring",
        "patch",
        "append",
        "lines",
        "newtext",
    }
)
_PATH_KEYS = frozenset({"path", "file", "filename", "filepath", "dest", "destination", "target", "to", "directory",
    "dir", "folder", "location",
                        "output", "outputpath", "paths", "files", "dst", "newpath", "uri", "absolutepath",
                        "targetfile", "folderpath", "outfile",
                        "resource", "source", "src", "name", "notebookpath", "relativepath", "workdir",
                        "root"})  # fmt: skip
_FILE_KEYS = ("path", "file", "filepath", "filename", "notebookpath")
_FROM_KEYS = ("source", "src", "from")
_SET_KEYS = ("mode", "permissions", "owner", "user", "group")
_PROGRAMS = {
    **{
        name: name
        for name in (
            "kubectl", "helm", "terraform", "tofu", "docker", "podman", "git", "aws", "gcloud", "systemctl", "rm",
            "psql", "npm", "pip", "chmod", "chown", "sudo", "curl", "wget", "crontab", "iptables", "heroku", "pulumi",
        )
    },
    "k8s": "kubectl", "kubernetes": "kubectl", "redis": "redis-cli",
}  # fmt: skip
_SEARCH_WORDS = frozenset({"search", "google", "bing", "lookup", "grep", "websearch", "find", "glob", "rg"})
_SEARCH_KEYS = frozenset(
    {"query", "q", "search", "keyword", "keywords", "term", "terms", "pattern", "regex", "searchterm", "input"}
)
_VERBS = frozenset({"delete", "destroy", "push", "reset", "clean", "prune", "rm", "stop", "drain", "scale",
                    "uninstall", "terminate", "apply", "exec", "run", "get", "flushall", "flushdb",
                    "install", "clone", "disable", "purge", "system"})  # fmt: skip
_TRICKS = re.compile(
    r"'\w*'\w|\w'\w*'|\"\w*\"\w|\w\"\w*\"|\\[A-Za-z]|\$[({'\"A-Za-z@*0-9]|`|''|\"\"|/\w*[*?\[]|\{[\w,/.-]+,|>\s*/|[:\w]\s*\(\)\s*\{"
)
_COMMAND_WORD = re.compile(r"[A-Za-z][\w.-]*")
_CODE_SIGNS = re.compile(
    r"os\.(?:system|popen|remove|unlink|exec|environ)|subprocess|shutil|child_process|rmtree|rmSync|unlinkSync|execSync"
    r"|Runtime\b.{0,40}getRuntime|__import__|__class__|__subclasses__|__globals__"
    r"|FileUtils|shell_exec|passthru\(|eval\(|exec\(|process\.env|Process\.Start|open\(['\"]/|rimraf|system\(|popen|fs\.rm"
)
_QUERIES = re.compile(
    r"(?:execute|query|raw|exec|text|sql)\w*\(\s*[rfbu]{0,2}(?:\"\"\"([\s\S]+?)\"\"\"|'{3}([\s\S]+?)'{3}"
    r"|\"([^\"]+)\"|'([^']+)'|`([^`]+)`)"
)
_SQL_START = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select\s+[\w*(\"'`]|insert\s+into|update\s+\S+\s+set|delete\s+from|with\s+\w+\s+as"
    r"|create\s+(?:or\s+replace\s+)?(?:table|index|view)|alter\s+table|explain\s+\w|begin;|drop\s+table)",
    re.IGNORECASE,
)
_MONGO_SIGNS = re.compile(r"\bdb\.\w+(?:\.\w+)?\s*\(|\.dropDatabase|\.deleteMany|\.drop\(\)")
_CMDLET = re.compile(
    r"(?i)\b(?:get|set|remove|new|invoke|start|stop|clear|format|register)-[a-z]{3,}\b.{0,200}\s-[a-z]{3,}"
    r"|\[[\w.]+\]::\w+\(|&\s*\(|\bwmic\s|\bschtasks\s+/|\breg\s+(?:add|delete)\s"
)
_WINDOWS_SIGNS = re.compile(r"(?i)(?:^|[\s;|&'\"(])(?:[a-z]+-(?:item|childitem"
                            r"|service|disk|volume|computer|expression|webrequest"
                            r"|restmethod|content|process|executionpolicy|module"
                            r"|localgroupmember|eventlog|mppreference|bitstransfer|partition)|iex|iwr|irm|gci|del|erase|rd|rmdir|format"
                            r"|type|copy|xcopy|robocopy|findstr|certutil|netsh|wbadmin|rundll32|sc|auditpol|bitsadmin"
                            r"|mshta|regsvr32|msiexec|powershell|pwsh|cmd|forfiles|fsutil|ntdsutil|setx"
                            r"|icacls|takeown|schtasks|reg|net|vssadmin"
                            r"|bcdedit|wevtutil|cipher|diskpart|wmic)\b|\]::\w+\(|\w\^\w")  # fmt: skip
_MARKUP = re.compile(r"\s*<(?:!DOCTYPE\s|!--|/?[a-z][\w-]*[\s/>])", re.IGNORECASE)
_SCRIPT_SIGNS = re.compile(r"\brequire\s*\(|\bfs\.|\bprocess\.|=>|\bconst\s|\blet\s|\bvar\s|console\.|Deno\.|\bBun\.")
_QUERY_KEYS = frozenset({"query", "q", "queries", "statement"})
_SQL_VERB = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*(?:SELECT|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|DROP\s+\w+|TRUNCATE|ALTER\s+\w+|CREATE\s"
    r"|GRANT\s|REVOKE\s|EXEC|MERGE\s+INTO|WITH\s|COPY\s|KILL\s|CALL\s|DO\s|BEGIN\b|DECLARE\s|PREPARE\s|ATTACH\s|PRAGMA\s|VACUUM\b|/\*[!M])",
    re.IGNORECASE,
)
_CODE_SPAN = re.compile(r"`[^`]*`")
_PLAIN_WORD = re.compile(r"[A-Za-z]{2,}")
_BREAKS_OUT = re.compile(r"[;'\"]|--|/\*")
"""What a searched text needs to become a statement of its own."""
_KEY_VALUE = re.compile(
    r"\s*(?:FLUSHALL|FLUSHDB|SHUTDOWN|CONFIG\s+SET|SCRIPT\s+FLUSH|DEBUG\s+SEGFAULT|SLAVEOF|REPLICAOF)\b", re.IGNORECASE
)
_METADATA = re.compile(
    r"169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200|169\.254\.170\.2|fd00:ec2::254"
)
_DRIVE = re.compile(r"[A-Za-z]:|\.\.")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Actions:
    """`certain` was seen; `possible` holds that and what a doubt could hide."""

    certain: frozenset[K] = frozenset()
    possible: frozenset[K] = frozenset()


_NONE = Actions()


@lru_cache(maxsize=2048)
def _tool_words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _CAMEL.split(name[:256]) if word)


def actions_of(value: Any, tool_name: str = "") -> Actions:
    """Everything that can be seen of a call's arguments."""
    reader = _Reader(_tool_words(tool_name))
    reader.effects.add(call_kinds(tool_name, value))
    if " " in tool_name:
        reader.read({"command": tool_name})
    if value:
        reader.read(value)
    certain, possible = frozenset(reader.effects.certain), frozenset(reader.effects.possible)
    return Actions(certain, certain | possible) if certain or possible else _NONE


class _Reader:
    def __init__(self, tool: frozenset[str]) -> None:
        self.effects = Effects()
        self._tool = tool
        self._searches = not tool.isdisjoint(_SEARCH_WORDS)
        self._shell_tool = not tool.isdisjoint(_SHELL_TOOLS)
        self._sql_tool = not tool.isdisjoint(_SQL_TOOLS)
        self._code_tool = not tool.isdisjoint(_CODE_TOOLS)
        self._writes = not tool.isdisjoint(_WRITE_WORDS)
        self._queries = not tool.isdisjoint(("query", "queries", "execute", "run")) and not self._searches
        self._deletes = not tool.isdisjoint(_DELETE_WORDS)
        self._moves = not tool.isdisjoint(("move", "rename", "mv"))
        self._recursive = False
        self._inserts = False
        self._powershell = not tool.isdisjoint(("powershell", "pwsh", "windows"))

    def read(self, value: Any) -> None:
        """All strings, then strings that only make sense together."""
        if isinstance(value, dict):
            keys = {plain_key(key) for key in value}
            self._writes = self._writes or not keys.isdisjoint(_CONTENT_KEYS)
            self._inserts = self._writes and not keys.isdisjoint(_FILE_KEYS)
            if self._searches and self._hunts(value):
                self.effects.add({K.CREDENTIAL_ACCESS})
            self._recursive = any(
                plain_key(key) in ("recursive", "force", "recurse", "r") and bool(item) for key, item in value.items()
            )
        for line in (*command_lines(value, 0), *self._tool_lines(value)):
            self._shell(line, sure=True)
        for count, (text, key) in enumerate(strings_of(value)):
            if count >= STRINGS_MAX:
                self.effects.doubt(K.DESTRUCTIVE_SHELL)
                break
            self._string(text, plain_key(key))

    def _hunts(self, value: dict[str, Any]) -> bool:
        """A search for secrets' files through more than the project."""
        texts = {plain_key(key): item for key, item in value.items() if isinstance(item, str)}
        wide = any(outside(item) for key, item in texts.items() if key in _PATH_KEYS)
        return wide and any(holds_credentials(item) for key, item in texts.items() if key in _SEARCH_KEYS)

    def _tool_lines(self, value: Any) -> Iterator[str]:
        """A tool that is a command by name, with its arguments: `k8s.delete {"kind": "ns", "name": "prod"}`."""
        program = next((word for word in self._tool if word in _PROGRAMS), None)
        if program is None or not isinstance(value, dict):
            return
        words = [word for word in self._tool if word != program and word in _VERBS]
        # `chmod` and `chown` take what to set in front of where.
        ordered = sorted(value.items(), key=lambda pair: plain_key(pair[0]) not in _SET_KEYS)
        for key, item in ordered:
            plain = plain_key(key)
            if prose_key(plain):
                continue
            if isinstance(item, list):
                words += [str(part) for part in item[:64]]
            elif isinstance(item, str) and len(item) < 2048:
                words += (
                    item.split() if plain in ("command", "args", "arguments", "cmd", "flags", "options") else [item]
                )
            elif isinstance(item, bool) and item:
                words.append(f"--{key}")
        yield shlex.join([_PROGRAMS[program], *words])
        # Once more with each field as the option it stands for: `{"volumes": ["/:/host"]}`.
        flags = [
            f"--{key.rstrip('s')}={part}"
            for key, item in value.items()
            for part in (item[:64] if isinstance(item, list) else [item])
            if isinstance(part, str)
        ]
        yield shlex.join([_PROGRAMS[program], *words[:1], *flags])

    def _decoded(self, value: Any, depth: int) -> None:
        """A document that was encoded inside a string."""
        for line in command_lines(value, 0):
            self._shell(line, sure=True)
        for count, (text, key) in enumerate(strings_of(value)):
            if count >= STRINGS_MAX:
                self.effects.doubt(K.DESTRUCTIVE_SHELL)
                return
            self._string(text, plain_key(key), depth + 1)

    def _string(self, text: str, key: str, depth: int = 0) -> None:
        if len(text) < 2:
            if text in ("/", "~", ".", "*") and (self._deletes or self._writes):
                self._path(text, key)
            return
        prose = prose_key(key)
        self._path(text, key)
        if prose and len(text) > UNSURE_MAX:
            return
        for spelling in spellings(text[:TEXT_MAX]):
            if spelling is not text and depth < DECODED_DEPTH_MAX:
                inner = nested(spelling)
                if inner is not None and not isinstance(inner, str):
                    self._decoded(inner, depth)
            self._readings(spelling, key, prose)
            if not spelling.isascii():
                folded = fold(spelling)
                if folded != spelling:
                    self._readings(folded, key, prose)
        if len(text) > TEXT_MAX and (key in _SHELL_KEYS or (self._shell_tool and not prose)):
            self.effects.doubt(K.DESTRUCTIVE_SHELL)

    def _readings(self, text: str, key: str, prose: bool) -> None:
        shell = key in _SHELL_KEYS or (self._shell_tool and not prose and key not in _SQL_KEYS)
        written = document(text, key) or (self._inserts and key in ("text", "line", "lines"))
        written = written or (not shell and _MARKUP.match(text) is not None)
        searched = self._searches and key in _SEARCH_KEYS and not shell
        written = written or searched
        if prose and not shell and "`" in text and len(_PLAIN_WORD.findall(_CODE_SPAN.sub(" ", text))) >= 2:
            # Words around code between back-ticks: a text about a command.
            text = text.replace("`", "'")
        if not written and (shell or len(text) <= UNSURE_MAX):
            self._shell(text, sure=shell, told=prose)
        looked_up = searched and not self._sql_tool and _BREAKS_OUT.search(text) is None
        about = document(text, key) or looked_up
        queried = self._queries and key in _QUERY_KEYS and _SQL_VERB.match(text) is not None
        self._sql(text, sure=key in _SQL_KEYS or queried or (self._sql_tool and not prose), document=about)
        if self._sql_tool and key not in ("value", "key", "field", "member") and _KEY_VALUE.match(text):
            self.effects.add({K.DESTRUCTIVE_SQL})
        if not about:
            self.effects.add(text_kinds(text))
        code = key in _CODE_KEYS or (self._code_tool and not prose)
        if (code or (not prose and _CODE_SIGNS.search(text))) and len(text) <= TEXT_MAX:
            self._code(text)
        if not prose and not looked_up and _METADATA.search(text) and not sentence(text):
            self.effects.add({K.CREDENTIAL_ACCESS})

    def _shell(self, text: str, *, sure: bool, told: bool = False) -> None:
        found = _COMMAND_WORD.findall(text[:UNSURE_MAX].lower())
        words = {*found, *(word.partition(".")[0] for word in found)}
        tricky = _TRICKS.search(text) is not None
        if not sure and words.isdisjoint(_NAMES) and not tricky and _WINDOWS_SIGNS.search(text) is None:
            return
        if not sure and _SQL_START.match(text):
            return
        # One bare word is a command only where commands go.
        if not sure and " " not in text.strip() and not tricky:
            return
        before = len(self.effects.sql)
        shell_effects(text, self.effects, sure=sure, told=told)
        if (sure and self._powershell) or _WINDOWS_SIGNS.search(text):
            scripted = _CMDLET.search(text) is not None and not sentence(text)
            if sure or scripted or "\\" in text or "-" in text:
                run_powershell(text, self.effects, sure=sure or scripted)
        for statement in self.effects.sql[before:]:
            self._sql(statement, sure=True, document=False)

    def _sql(self, text: str, *, sure: bool, document: bool) -> None:
        if document and not sure:
            return
        found = sql_effects(text, sure=sure)
        self.effects.add(found.certain)
        self.effects.doubt(*found.possible)
        if _MONGO_SIGNS.search(text):
            self.effects.add(code_kinds(text, "mongo") & {K.DESTRUCTIVE_SQL})

    def _code(self, text: str) -> None:
        self.effects.add(code_kinds(text, "python"))
        if _SCRIPT_SIGNS.search(text):
            self.effects.add(code_kinds(text, "node"))
        for inner in embedded_strings(text):
            shell_effects(inner, self.effects, sure=True, depth=1)
        for match in _QUERIES.finditer(text):
            self._sql(next(filter(None, match.groups()), ""), sure=True, document=False)

    def _path(self, text: str, key: str) -> None:
        if len(text) > 1024 or "\n" in text or prose_key(key) or key in _SHELL_KEYS:
            return
        if self._searches and key in _SEARCH_KEYS and text[:1] not in "/~\\" and not _DRIVE.match(text):
            # The names of files, not what is in them.
            return
        named = key in _PATH_KEYS or key.endswith(("path", "file", "dir", "filename"))
        shaped = text[:1] in "/~.\\" or "/" in text or "\\" in text
        if not (named or shaped):
            return
        for spelling in spellings(text):
            if holds_credentials(spelling) and (named or " " not in spelling):
                self.effects.add({K.CREDENTIAL_ACCESS})
            leaves = self._writes and outside(spelling)
            if leaves and key not in ("url", *_FROM_KEYS):
                self.effects.add({K.FILE_WRITE_OUTSIDE})
            elif leaves and self._moves and key in _FROM_KEYS:
                self.effects.add({K.FILE_WRITE_OUTSIDE, K.DESTRUCTIVE_SHELL})
            if (
                self._deletes
                and named
                and precious(spelling, recursive=self._recursive or spelling.rstrip("/") in ("", "~", ".", ".."))
            ):
                self.effects.add({K.DESTRUCTIVE_SHELL})


_NAMES = known_names() | shell_names()
