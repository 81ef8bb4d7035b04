"""Text that a program puts together from constants: literals side by side, characters by number, variables
that hold one text. Nothing is run, and what is not constant stays as it stands.
"""

from __future__ import annotations

import ast
import re

TEXT_MAX = 32_768
VARIABLES_MAX = 32
CONSTANT_DEPTH_MAX = 64
ROUNDS_MAX = 4
"""Literals put together from literals …"""

_CHARACTER = re.compile(r"(?:\bchr\s*\(\s*|\[char\]\s*\(?\s*)(0x[0-9a-f]{1,4}|\d{1,5})\s*\)?", re.IGNORECASE)
_CHARACTERS = re.compile(r"String\.fromCharCode\(\s*((?:\d{1,5}\s{0,8},\s{0,8}){0,256}\d{1,5})\s{0,8}\)")
_ADDED = re.compile(
    r"'([^'\\\n]{0,400})'\s{0,8}\+\s{0,8}'([^'\\\n]{0,400})'"
    r"|\"([^\"\\\n]{0,400})\"\s{0,8}\+\s{0,8}\"([^\"\\\n]{0,400})\""
)
_MODULE = re.compile(r"\b(?:require|import)\s*\(\s*['\"`](?:node:)?([\w/]{1,40})['\"`]\s*\)")
_IMPORTED = re.compile(r"\bimport\s+([\w.]{1,40})\s+as\s+(\w{1,40})|,\s{0,8}([\w.]{1,40})\s+as\s+(\w{1,40})")
_VARIABLE = re.compile(r"\$(\w{1,40})\s*=\s*(?:'([^'\n]{0,400})'|\"([^\"$\n]{0,400})\")")
_FORMAT = re.compile(
    r"['\"]((?:\{\d\}){1,10})['\"]\s{0,8}-f\s{0,8}((?:['\"][^'\"\n]{0,100}['\"]\s{0,8},?\s{0,8}){1,10})", re.IGNORECASE
)
_LITERAL = re.compile(r"['\"]([^'\"\n]*)['\"]")


def folded_code(text: str) -> str:
    """Code with its constant pieces joined, and modules by their plain name: `require('child_' + 'process')`."""
    plain = text[:TEXT_MAX]
    plain = _CHARACTERS.sub(lambda match: _quoted([int(item) for item in re.findall(r"\d+", match[1])]), plain)
    plain = _CHARACTER.sub(lambda match: _quoted([int(match[1], 0)]), plain)
    for match in list(_IMPORTED.finditer(plain))[:VARIABLES_MAX]:
        module, name = match[1] or match[3], match[2] or match[4]
        plain = re.sub(rf"\b{name}\.(?=\w)", f"{module}.", plain)[:TEXT_MAX]
    return _MODULE.sub(r"\1", _joined(plain))


def folded_powershell(text: str) -> str:
    """The same for PowerShell, with variables that hold one text put in."""
    plain = _CHARACTER.sub(lambda match: _quoted([int(match[1], 0)]), text[:TEXT_MAX])
    plain = _FORMAT.sub(_formatted, _joined(plain))
    values = {match[1].lower(): match[2] or match[3] or "" for match in list(_VARIABLE.finditer(plain))[:VARIABLES_MAX]}
    for name, value in values.items():
        used = re.compile(rf"\$\{{?{re.escape(name)}\b\}}?(?!\s*=)", re.IGNORECASE)
        plain = used.sub(value.replace("\\", r"\\"), plain)
        if len(plain) > TEXT_MAX:
            return plain[:TEXT_MAX]
    return _joined(plain)


def _joined(text: str) -> str:
    for _ in range(ROUNDS_MAX):
        shorter = _ADDED.sub(_sum, text)
        if shorter == text:
            break
        text = shorter
    return text


def _sum(match: re.Match[str]) -> str:
    if match[1] is not None:
        return f"'{match[1]}{match[2]}'"
    return f'"{match[3]}{match[4]}"'


def _quoted(numbers: list[int]) -> str:
    text = "".join(chr(number) for number in numbers if 32 <= number < 127)
    return f"'{text}'" if "'" not in text else f'"{text}"'


def _formatted(match: re.Match[str]) -> str:
    parts = _LITERAL.findall(match[2])
    places = [int(item) for item in re.findall(r"\d", match[1])]
    return "'" + "".join(parts[at] for at in places if at < len(parts)) + "'"


def constants_of(tree: ast.AST) -> dict[str, str]:
    """Variables of a Python text that hold a constant text, in order of assignment."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if len(found) >= VARIABLES_MAX:
            break
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = constant(node.value, found)
            if text:
                found[node.targets[0].id] = text
    return found


def constant(node: ast.expr, values: dict[str, str], depth: int = 0) -> str:
    """A text put together from constants only; empty when it is not."""
    if depth > CONSTANT_DEPTH_MAX:
        return ""
    deeper = depth + 1
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.Name):
        return values.get(node.id, "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant(node.left, values, deeper), constant(node.right, values, deeper)
        return left + right if left and right else ""
    if isinstance(node, ast.JoinedStr):
        parts = [item.value if isinstance(item, ast.FormattedValue) else item for item in node.values]
        texts = [constant(item, values, deeper) for item in parts]
        return "".join(texts) if all(texts) else ""
    if isinstance(node, ast.Call):
        return _called(node, values, deeper)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        step = node.slice.step
        backwards = isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub) and node.slice.lower is None
        return constant(node.value, values, deeper)[::-1] if backwards else ""
    return ""


def _called(node: ast.Call, values: dict[str, str], depth: int) -> str:
    first = node.args[0] if len(node.args) == 1 else None
    if isinstance(node.func, ast.Name):
        if node.func.id == "chr" and isinstance(first, ast.Constant) and isinstance(first.value, int):
            return chr(first.value) if 0 < first.value < 0x110000 and not 0xD800 <= first.value < 0xE000 else ""
        return constant(first, values, depth) if node.func.id == "str" and first is not None else ""
    if not isinstance(node.func, ast.Attribute):
        return ""
    base = constant(node.func.value, values, depth)
    if node.func.attr == "join" and isinstance(first, (ast.List, ast.Tuple)):
        return base.join(constant(item, values, depth) for item in first.elts)
    if node.func.attr == "replace" and len(node.args) == 2:
        old, new = (constant(item, values, depth) for item in node.args)
        return base.replace(old, new) if old else base
    return base if node.func.attr in ("split", "strip", "lower", "format") else ""
