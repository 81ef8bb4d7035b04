"""Shell text to simple commands, as the shell would see them: words unquoted, constants put in, pipes remembered.

`tree-sitter-bash` parses; a broken script yields a partial tree, which is walked too, and `broken` says so. What only
running would tell is `UNKNOWN` inside a word. Everything is bounded: text, depth, commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from services.firewall.domain.places import UNKNOWN
from services.firewall.domain.shell_expansion import braced, opened_lists, pieces, sliced, unescape_ansi
from services.firewall.domain.shell_model import (
    FETCHED,
    LOADED,
    PROCESS,
    RUN_LATER,
    SPLIT,
    WORD_MAX,
    Command,
    Outputs,
    Script,
    Word,
)

TEXT_MAX = 65_536
DEPTH_MAX = 60
COMMANDS_MAX = 2_000
CALLS_MAX = 4
"""Functions that call functions."""
_LANGUAGE = Language(tree_sitter_bash.language())
_EXPANSION = re.compile(r"^\$\{([!#]?)(\w+|[@*#?$!-])(?:\[[^\]]*\])?(.*)\}$", re.DOTALL)
_ENDLESS = re.compile(
    r"\bwhile\s+(?:true|:|1|\[\s*1\s*\])\s*;?\s*do\b(?![^\n]{0,400}\bwait\b)[^\n]{0,400}[^&>|]&(?![&>\d])"
)
"""A loop without end that waits for nothing it starts."""
_WHOLE_ARRAY = re.compile(r'^"\$\{?(?:(\w+)\[@\]|@)\}?"$')
_TEMPORARY = "/tmp/dir"  # noqa: S108 - a value to judge, never a path to open
_KNOWN = {
    "IFS": " ", "HOME": "~", "PWD": ".", "OLDPWD": "..", "PATH": "/usr/bin", "SHELL": "/bin/sh", "USER": "user",
    "TMPDIR": _TEMPORARY, "TMP": _TEMPORARY, "TEMP": _TEMPORARY, "EUID": "1000", "UID": "1000", "BASH": "/bin/bash",
    "0": "bash", "$": "1",
}  # fmt: skip


_FORGETFUL = {("HISTFILE", "/dev/null"), ("HISTFILE", ""), ("HISTSIZE", "0"), ("HISTFILESIZE", "0")}
"""How a session hides what it did."""


def parse_script(text: str, outputs: Outputs) -> Script:
    """Every command of the text, in order, wherever it stands."""
    return _Walker(text[:TEXT_MAX], outputs, truncated=len(text) > TEXT_MAX).script()


class _Walker:
    def __init__(self, text: str, outputs: Outputs, *, truncated: bool) -> None:
        # The grammar loses `$IFS` where a word goes on behind it.
        self._whole = opened_lists(text).replace("$IFS", "${IFS}")
        self._source = b""
        self._outputs = outputs
        self._vars: dict[str, str] = {}
        self._functions: dict[str, tuple[Node, bytes]] = {}
        self._used: list[str] = []
        self._calling: list[str] = []
        self._found = Script([], broken=truncated)

    def script(self) -> Script:
        for piece in pieces(self._whole):
            self._source = piece.encode("utf-8", "replace")
            root = Parser(_LANGUAGE).parse(self._source).root_node
            self._found.broken = self._found.broken or root.has_error
            self._walk(root, None, 0)
        self._found.functions = frozenset(self._functions)
        self._found.bomb = self._found.bomb or _ENDLESS.search(self._whole) is not None
        return self._found

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _walk(self, node: Node, stdin: str | None, depth: int) -> list[Command]:
        """Collects the commands below; answers those whose output is the node's output."""
        if depth > DEPTH_MAX or len(self._found.commands) >= COMMANDS_MAX:
            self._found.broken = True
            self._found.unread = len(self._found.commands) >= COMMANDS_MAX
            return []
        kind = node.type
        if kind in ("command", "declaration_command", "unset_command"):
            return [self._command(node, stdin, depth)]
        if kind == "pipeline":
            return self._pipeline(node, stdin, depth)
        if kind == "redirected_statement":
            return self._redirected(node, stdin, depth)
        if kind == "variable_assignment":
            name, value = self._assignment(node, depth)
            self._vars[name] = value
            self._run_later(name, value)
            return []
        if kind == "file_redirect":
            # `$(<file)`: what it yields is the file.
            parts = node.children_by_field_name("destination")
            read = Command([], reads=[word.text for part in parts for word in self._words(part, depth)])
            self._found.commands.append(read)
            return [read]
        if kind == "function_definition":
            return self._function(node, depth)
        if kind == "for_statement":
            self._loop_variable(node, depth)
        found: list[Command] = []
        for child in node.children:
            if child.is_named and child.type not in ("comment", "heredoc_body"):
                found += self._walk(child, stdin, depth + 1)
        return found

    def _run_later(self, name: str, value: str) -> None:
        if name in RUN_LATER and value:
            self._found.commands.append(Command([Word("eval"), Word(value)]))
        elif name in LOADED and value:
            self._found.commands.append(Command([Word("ld.so"), Word(value)]))
        elif (name, value) in _FORGETFUL:
            self._found.commands.append(Command([Word("history"), Word("-c")]))

    def _split(self, text: str) -> str:
        """An unquoted expansion, split where the script says."""
        for char in self._vars.get("IFS", " ")[:8]:
            text = text.replace(char, SPLIT)
        return text

    def _loop_variable(self, node: Node, depth: int) -> None:
        name = node.child_by_field_name("variable")
        values = node.children_by_field_name("value")
        words = [word.text for value in values for word in self._words(value, depth)]
        if name is not None:
            # Each value in turn; the first one that matters is as good as any, so a joined word keeps them all.
            self._vars[self._text(name)] = SPLIT.join(words)

    def _function(self, node: Node, depth: int) -> list[Command]:
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None or body is None:
            return []
        name = self._text(name_node)
        self._functions[name] = (body, self._source)
        inner = self._text(body)
        calls = re.findall(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", inner)
        if calls and ("&" in inner or "|" in inner) and len(calls) >= 2:
            self._found.bomb = True
        return self._walk(body, None, depth + 1)

    def _called(self, name: str, args: list[str], depth: int) -> None:
        """The function's body once more, with what it was called with."""
        kept = dict(self._vars)
        self._vars |= {"@": SPLIT.join(args), "*": SPLIT.join(args)}
        self._vars |= {str(index): text for index, text in enumerate(args[:9], start=1)}
        self._calling.append(name)
        body, source = self._functions[name]
        here, self._source = self._source, source
        self._walk(body, None, depth + 1)
        self._source = here
        self._calling.pop()
        self._vars = kept

    def _pipeline(self, node: Node, stdin: str | None, depth: int) -> list[Command]:
        last: list[Command] = []
        flowing = stdin
        for child in node.children:
            if child.is_named and child.type != "comment":
                before, last = last, self._walk(child, flowing, depth + 1)
                for command in before[-1:]:
                    command.piped = last[0].argv if last else []
                flowing = self._joined(last)
        return last

    def _joined(self, commands: list[Command]) -> str:
        outputs = [self._outputs.of(command) for command in commands[:16]]
        return "".join(outputs)[:WORD_MAX] if outputs else UNKNOWN

    def _redirected(self, node: Node, stdin: str | None, depth: int) -> list[Command]:
        writes: list[str] = []
        reads: list[str] = []
        given = stdin
        body = [child for child in node.children if child.is_named and not child.type.endswith("_redirect")]
        rest: list[Node] = []
        later: list[Word] = []
        for child in node.children:
            if child.type == "file_redirect":
                operator = next((part.type for part in child.children if not part.is_named), "")
                # What follows the target still belongs to the command, though the grammar counts it as more targets.
                targeted = [list(self._words(part, depth)) for part in child.children_by_field_name("destination")]
                targets = [word.text for words in targeted[:1] for word in words]
                later += [word for words in targeted[1:] for word in words]
                (reads if operator.startswith("<") and operator != "<>" else writes).extend(targets)
                if operator == "<":
                    given = FETCHED if any(FETCHED in target for target in targets) else UNKNOWN
            elif child.type == "heredoc_redirect":
                given, more = self._heredoc(child, depth)
                rest += more
            elif child.type == "herestring_redirect":
                parts = [part for part in child.children if part.is_named]
                given = "".join(word.text for part in parts for word in self._words(part, depth)).replace(SPLIT, " ")
        commands = [command for part in body for command in self._walk(part, given, depth + 1)]
        if not commands:
            empty = Command([], stdin=given)
            self._found.commands.append(empty)
            commands = [empty]
        if later and len(body) == 1 and body[0].type == "command":
            commands[-1].words += later
        for command in commands:
            command.writes += writes
            command.reads += reads
        for part in rest:
            if part.type == "pipeline":
                commands = self._piped_on(part, commands, depth)
            else:
                self._walk(part, None, depth + 1)
        return commands

    def _piped_on(self, pipeline: Node, commands: list[Command], depth: int) -> list[Command]:
        # The grammar hangs what follows `<<EOF |` under the here-document.
        flowing = self._joined(commands)
        for child in pipeline.children:
            if child.is_named:
                commands = self._walk(child, flowing, depth + 1)
                flowing = self._joined(commands)
        return commands

    def _heredoc(self, node: Node, depth: int) -> tuple[str, list[Node]]:
        body = ""
        rest: list[Node] = []
        for child in node.children:
            if child.type == "heredoc_body":
                body = self._between(child, depth)
            elif child.is_named and child.type not in ("heredoc_start", "heredoc_end", "file_descriptor"):
                rest.append(child)
        return body, rest

    def _command(self, node: Node, stdin: str | None, depth: int) -> Command:
        words: list[Word] = []
        assigns: dict[str, str] = {}
        command = Command(words, assigns, stdin=stdin)
        self._used = []
        for child in node.children:
            kind = child.type
            if kind == "variable_assignment":
                name, value = self._assignment(child, depth)
                assigns[name] = value
                self._run_later(name, value)
                if node.type == "declaration_command":
                    self._vars[name] = value
                    words.append(Word(f"{name}={value}"))
            elif kind.endswith("_redirect"):
                if kind == "herestring_redirect":
                    parts = [part for part in child.children if part.is_named]
                    text = "".join(word.text for part in parts for word in self._words(part, depth))
                    command.stdin = text.replace(SPLIT, " ")
                elif kind == "file_redirect":
                    command.writes += [
                        word.text
                        for part in child.children_by_field_name("destination")
                        for word in self._words(part, depth)
                    ]
            elif child.is_named and kind != "comment":
                words += self._words(child, depth)
            elif not child.is_named and not words:
                words.append(Word(self._text(child)))
        if command.argv[:2] == ["set", "--"]:
            given = command.argv[2:]
            self._vars |= {"@": SPLIT.join(given), "*": SPLIT.join(given)}
            self._vars |= {str(index): text for index, text in enumerate(given[:9], start=1)}
        name = words[0].text if words else ""
        if name in self._functions and len(words) > 1 and len(self._calling) < CALLS_MAX and name not in self._calling:
            self._called(name, command.argv[1:], depth)
        command.secret_names = tuple(self._used)
        self._found.commands.append(command)
        return command

    def _assignment(self, node: Node, depth: int) -> tuple[str, str]:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        text = ""
        if value is not None:
            if value.type == "array":
                return (
                    re.sub(r"\[.*", "", self._text(name)) if name is not None else "",
                    SPLIT.join(
                        word.text for part in value.children if part.is_named for word in self._words(part, depth)
                    ),
                )
            text = self._value(value, depth).replace(SPLIT, " ")
        return (re.sub(r"\[.*", "", self._text(name)) if name is not None else ""), text[:WORD_MAX]

    def _words(self, node: Node, depth: int) -> Iterator[Word]:
        """One word of the text becomes none, one or more words of the command."""
        quoted = node.type in ("string", "raw_string", "ansi_c_string")
        # `"${words[@]}"` is as many words as the array has.
        array = _WHOLE_ARRAY.match(self._text(node)) if node.type in ("string", "command_name") else None
        text = self._variable(array[1] or "@") if array is not None else self._value(node, depth)
        quoted = quoted and array is None
        if quoted:
            yield Word(text.replace(SPLIT, " "), quoted=True)
            return
        for part in text.split(SPLIT):
            if part or SPLIT not in text:
                for piece in braced(part, 0):
                    yield Word(piece)

    def _value(self, node: Node, depth: int) -> str:
        """The text a node stands for, quotes removed; bounded."""
        if depth > DEPTH_MAX:
            self._found.broken = True
            return UNKNOWN
        kind = node.type
        if kind in ("word", "number", "variable_name", "extglob_pattern", "regex", "special_variable_name"):
            return re.sub(r"\\(\n?)(.?)", r"\2", self._text(node)) if "\\" in self._text(node) else self._text(node)
        if kind == "raw_string":
            return self._text(node)[1:-1]
        if kind == "ansi_c_string":
            return unescape_ansi(self._text(node)[2:-1])
        if kind in ("string", "translated_string"):
            text = self._between(node, depth)
            text = text[text.find('"') + 1 :].removesuffix('"') if '"' in text else text
            return re.sub(r'\\([\\"$`\n])', r"\1", text).replace(SPLIT, " ")
        if kind == "simple_expansion":
            return self._split(self._variable(self._text(node)[1:]))
        if kind == "expansion":
            return self._split(self._expansion(node, depth))
        if kind in ("command_substitution", "process_substitution"):
            commands = [
                item for child in node.children if child.is_named for item in self._walk(child, None, depth + 1)
            ]
            if kind == "process_substitution":
                return PROCESS + self._joined(commands)
            return self._joined(commands).strip("\n").replace("\n", SPLIT).replace(" ", SPLIT)
        if kind == "arithmetic_expansion":
            return "1"
        if kind in ("concatenation", "command_name", "array", "brace_expression"):
            return "".join(self._value(child, depth + 1) for child in node.children)[:WORD_MAX]
        if node.named_child_count:
            return "".join(self._value(child, depth + 1) for child in node.children if child.is_named)[:WORD_MAX]
        return self._text(node)

    def _between(self, node: Node, depth: int) -> str:
        """The node's own text with its expansions put in."""
        at, parts = node.start_byte, []
        for child in node.children:
            if child.type in ("simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"):
                parts.append(self._source[at : child.start_byte].decode("utf-8", "replace"))
                # Within quotes `${words[*]}` is one word, joined by what IFS starts with.
                whole = self._text(child).endswith(("[*]}", "$*"))
                joint = self._vars.get("IFS", " ")[:1] if whole else " "
                parts.append(self._value(child, depth + 1).replace(SPLIT, joint))
                at = child.end_byte
        parts.append(self._source[at : node.end_byte].decode("utf-8", "replace"))
        return "".join(parts)[:WORD_MAX]

    def _variable(self, name: str) -> str:
        self._used.append(name)
        if name in self._vars:
            return self._vars[name]
        if name in ("@", "*") or (name.isdigit() and name != "0"):
            # Positional parameters are nearly always empty or the script's own; empty keeps `r$@m` readable.
            return ""
        return _KNOWN.get(name, UNKNOWN)

    def _expansion(self, node: Node, depth: int) -> str:
        match = _EXPANSION.match(self._text(node))
        if match is None:
            return UNKNOWN
        mark, name, rest = match[1], match[2], match[3]
        value = self._variable(name)
        if mark == "!":
            return self._variable(value) if value and UNKNOWN not in value else UNKNOWN
        if mark == "#":
            return str(len(value))
        known = UNKNOWN not in value
        if not rest:
            return value
        if rest[0] in ":-=+" and rest.lstrip(":")[:1] in ("-", "=", "+", "?"):
            other = rest.lstrip(":")[1:]
            children = [child for child in node.children if child.is_named][1:]
            default = "".join(self._value(child, depth + 1) for child in children) or other
            operator = rest.lstrip(":")[0]
            if operator == "+":
                return default if known and value else ""
            return value if known and value else default if operator in "-=" else value
        return sliced(value, rest) if known else UNKNOWN
