"""What the tree promises: pure domains, a small kernel, services that share protos and never Python."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "services"
KERNEL_LINES_MAX = 2_500
"""Lines of code: blank lines, comments and docstrings are free."""

PURE_KERNEL = frozenset({"diff", "errors", "money", "networks"})
"""The kernel's modules that a domain may use: values without I/O, clock or framework."""
PURE_LIBRARIES = frozenset(
    # Parsers, number crunching and matchers: functions of their arguments.
    {"Crypto", "ada_url", "hyperscan", "jiter", "msgspec", "numpy", "phonenumbers", "re2", "scipy", "sqlglot", "stdnum",
     "tree_sitter", "tree_sitter_bash"}
)  # fmt: skip
IMPURE_STDLIB = frozenset(
    {"asyncio", "logging", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "time", "urllib.request"}
)  # fmt: skip
_NOT_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


PARSERS = frozenset({("firewall/domain/destinations.py", "httpx")})
"""A client library of which a domain uses the parser alone: it must read an address as the dialler will."""


def domains() -> list[Path]:
    return sorted(SERVICES.glob("*/domain/**/*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def impure(module: str, service: str) -> bool:
    """Whether a domain module of this service may not import that module."""
    if module.startswith("services.common."):
        return module.split(".")[2] not in PURE_KERNEL
    if module.startswith("services."):
        return not module.startswith(f"services.{service}.domain")
    top = module.split(".")[0]
    return module in IMPURE_STDLIB or top in IMPURE_STDLIB or top not in sys.stdlib_module_names | PURE_LIBRARIES


@pytest.mark.parametrize("path", domains(), ids=lambda path: str(path.relative_to(SERVICES)))
def test_domains_are_pure_and_synchronous(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(SERVICES)
    found = [module for module in imported(tree) if impure(module, name.parts[0])]
    assert [module for module in found if (name.as_posix(), module) not in PARSERS] == []
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)] == []


@pytest.mark.parametrize(
    "module",
    ["asyncio", "logging", "time", "fastapi", "sqlalchemy", "orca.auth.v1", "services.common.clock",
     "services.relay.domain", "services.auth.storage.store", "urllib.request"],
)  # fmt: skip
def test_what_is_not_pure_is_told(module: str) -> None:
    assert impure(module, "auth")


def code_lines(text: str) -> int:
    """Lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_the_kernel_stays_small() -> None:
    assert code_lines('"""A docstring."""\n\n# A comment.\nx = (\n    1\n)\n') == 3
    total = sum(code_lines(path.read_text(encoding="utf-8")) for path in (SERVICES / "common").rglob("*.py"))
    print(f"\nservices/common: {total} of {KERNEL_LINES_MAX} lines of code")
    assert total < KERNEL_LINES_MAX


@pytest.mark.parametrize(
    ("file", "line", "status"),
    [
        ("services/auth/planted.py", "", 0),
        ("services/auth/planted.py", "from services.relay.domain import model_access", 1),
        ("services/common/planted.py", "import services.ledger.domain", 1),
    ],
)
def test_a_planted_import_across_services_fails_the_contract(tmp_path: Path, file: str, line: str, status: int) -> None:
    shutil.copytree(SERVICES, tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / file).write_text(f"{line}\n")
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout[-2000:]
