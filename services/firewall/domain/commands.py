"""What each command does to the world, by its name and arguments. Only kinds; the walk is in `shell.py`."""

from __future__ import annotations

import re

from services.firewall.domain.command_rules import RULES, Kinds
from services.firewall.domain.command_tables import (
    ALWAYS,
    CLOUDS,
    MORE,
    NOT_INSTALL,
    PACKAGERS,
    PRIVILEGE,
    RAW_WRITERS,
    SAFE_VERB_FLAGS,
    SECRETS,
    STATELESS_READERS,
    VERBS,
)
from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import device, holds_credentials, outside, plain_path
from services.firewall.domain.system_tables import ALWAYS_SYSTEM, LINES, TO_NOTHING, UNCHECKED_INSTALL

TELLING = re.compile(r"KEY|PASS|SECRET|TOKEN|CRED|AUTH|PWD|DATABASE_URL|DSN", re.IGNORECASE)
"""Names of variables that keep secrets."""
_VERBLESS = frozenset(
    {"npm", "history", "rails", "rake", "artisan", "manage.py", "prisma", "sequelize", "knex", "alembic"}
)
"""Programs whose own words mean something else by `remove` or `destroy`."""
LINE_MAX = 4_096
"""Characters of a command's arguments that its patterns look at."""


def named_kinds(name: str, args: list[str]) -> Kinds:
    """The kinds of a command by its own table entry."""
    found: Kinds = set()
    if name in ("docker", "podman") and args[:1] == ["compose"]:
        return named_kinds("docker-compose", args[1:])
    always = ALWAYS.get(name) or ALWAYS_SYSTEM.get(name)
    if name in ("nc", "ncat", "netcat") and any(re.match(r"-\w*z", arg) for arg in args):
        always = None  # A port probe sends and fetches nothing.
    if name == "printenv" and len(args) == 1 and re.fullmatch(r"[A-Z_]+", args[0]) and not TELLING.search(args[0]):
        always = None  # One variable by its name.
    if always is not None and not (len(args) == 1 and args[0] in ("--help", "--version", "-h", "-V")):
        found.add(always)
    if name.startswith("mkfs") or name in ("mke2fs", "newfs"):
        found.add(K.DESTRUCTIVE_SHELL)
    line = " ".join(args)
    if name in CLOUDS and not SAFE_VERB_FLAGS.search(line):
        verbs = [arg for arg in args if not arg.startswith("-")][:4]
        more = MORE.get(name)
        if (name not in _VERBLESS and any(map(VERBS.match, verbs))) or (more is not None and more.search(line)):
            found.add(K.DESTRUCTIVE_SHELL)
        if TO_NOTHING.search(line):
            found.add(K.DESTRUCTIVE_SHELL)
    secrets, privilege = SECRETS.get(name), PRIVILEGE.get(name)
    if secrets is not None and secrets.search(line):
        found.add(K.CREDENTIAL_ACCESS)
    if privilege is not None and privilege.search(line):
        found.add(K.PRIVILEGE_ESCALATION)
    if name in LINES and not SAFE_VERB_FLAGS.search(line):
        found |= {kind for pattern, kind in LINES[name] if pattern.search(line[:LINE_MAX])}
    special = RULES.get(name)
    if special is not None:
        found |= special(args)
    if name in ("npx", "uvx", "bunx", "pipx", "pnpx") and any(re.match(r"https?:|git\+|git@", arg) for arg in args):
        found.add(K.NETWORK_FETCH)
    if _installs(name, args):
        found.add(K.PACKAGE_INSTALL)
        if re.search(r"--(?:extra-)?index-url|--registry|--find-links|(?:^|\s)-i\s+http|git\+|https?://", line) or (
            UNCHECKED_INSTALL.search(line)
        ):
            found.add(K.NETWORK_FETCH)
    sources = re.search(r"(?:^|\s)(?:set|sources|tap|source|config)\s.*https?://", line[:LINE_MAX])
    if name in PACKAGERS and sources and not re.search(r"registry\.npmjs\.org|pypi\.org", line):
        found.add(K.NETWORK_FETCH)
    return found


def path_kinds(name: str, args: list[str], reads: list[str], writes: list[str]) -> Kinds:
    """The kinds that follow from the files a command names."""
    found: Kinds = set()
    read = args[:-1] if name in ("cp", "mv", "install", "ln", "rsync") and len(args) > 1 else args
    if name not in STATELESS_READERS and any(holds_credentials(_bare(arg)) for arg in read):
        found.add(K.CREDENTIAL_ACCESS)
    if name in ("docker", "podman", "nerdctl", "kubectl") and "cp" in args[:3] and any(map(holds_credentials, args)):
        found.add(K.CREDENTIAL_ACCESS)
    if any(map(holds_credentials, reads)):
        found.add(K.CREDENTIAL_ACCESS)
    for target in writes:
        if device(target):
            found.add(K.DESTRUCTIVE_SHELL)
        if outside(target):
            found.add(K.FILE_WRITE_OUTSIDE)
        if plain_path(target).startswith(("/etc/sudoers", "/etc/passwd", "/etc/shadow", "/etc/pam.d")):
            found |= {K.PRIVILEGE_ESCALATION, K.DESTRUCTIVE_SHELL}
    for target in _written(name, args):
        if device(target):
            found.add(K.DESTRUCTIVE_SHELL)
        if outside(target):
            found.add(K.FILE_WRITE_OUTSIDE)
    return found


def _bare(arg: str) -> str:
    """The path inside `@file`, `--data=@file`, `if=file`, `key:file`."""
    return re.sub(r"^(?:-\w|--?[\w-]+=|\w+=)?@?", "", arg) if arg[:1] in "-@" or "=" in arg else arg


def _written(name: str, args: list[str]) -> list[str]:
    plain = [arg for arg in args if not arg.startswith("-")]
    if name in ("tee", "touch", "mkdir", "truncate", "sponge", "mkfifo", "ed", "ex", "patch"):
        return plain
    if name in ("cp", "mv", "install", "ln", "rsync", "scp", "copy", "move", "copy-item", "move-item"):
        return plain[-1:] if len(plain) > 1 and ":" not in plain[-1][2:] else []
    if name in ("dd", "dcfldd"):
        return [arg[3:] for arg in args if arg.startswith("of=")]
    if name in ("curl", "wget", "aria2c"):
        flags = {
            "curl": ("-o", "--output", "--output-dir"),
            "wget": ("-O", "-P", "--output-document", "--directory-prefix"),
        }
        return _values(args, flags.get(name, ("-o", "-d")))
    if name in ("tar", "unzip", "bsdtar", "7z"):
        return _values(args, ("-C", "-d", "--directory"))
    if name == "sed" and any(re.match(r"-\w*i|--in-place", arg) for arg in args):
        return plain[1:]
    if name in ("set-content", "out-file", "add-content", "new-item"):
        return _values(args, ("-path", "-filepath")) or plain[:1]
    return []


def _values(args: list[str], flags: tuple[str, ...]) -> list[str]:
    found = []
    for index, arg in enumerate(args):
        for one in flags:
            if arg.lower() == one.lower() and index + 1 < len(args):
                found.append(args[index + 1])
            elif arg.startswith(one + "=") or (len(one) == 2 and arg.startswith(one) and len(arg) > 2):
                found.append(arg[len(one) :].lstrip("="))
    return found


def _installs(name: str, args: list[str]) -> bool:
    words = [arg.lower() for arg in args if not arg.startswith("-") or arg == "--install-extension"]
    if name in ("npx", "uvx", "bunx", "pipx"):
        return bool({"-y", "--yes", "-p", "--package"} & set(args)) or (
            name == "pipx" and words[:1] in (["install"], ["run"])
        )
    if name in (
        "rpm",
        "dpkg",
        "pacman",
        "yay",
        "paru",
        "nix-env",
        "pkg_add",
        "installer",
        "emerge",
        "cpan",
        "cpanm",
        "easy_install",
    ):
        wanted = {"rpm": r"-\w*[iU]", "dpkg": r"-\w*i|--install", "nix-env": r"-\w*i", "installer": r"-pkg"}.get(name)
        if wanted is not None:
            return any(re.match(wanted, arg) for arg in args)
        if name in ("pacman", "yay", "paru"):
            return any(re.match(r"-[SU](?!s|i|l)", arg) for arg in args)
        return bool(words)
    if name in ("install-module", "install-package", "add-appxpackage", "install-script"):
        return True
    verbs = NOT_INSTALL.get(name, PACKAGERS.get(name))
    if verbs is None or not words:
        return False
    if words[0] in ("pip", "global", "tool") and len(words) > 1:
        return words[1] in ("install", "add", "sync", "download")
    return words[0] in verbs or (name in ("code", "cursor") and "--install-extension" in args)


DANGEROUS_NAMES = tuple(dict.fromkeys((*RULES, *ALWAYS, "bash", "sh", "python", "perl", "base64", "cat")))
"""What a wildcard in a command's name is tried against."""


def known_names() -> frozenset[str]:
    """Every name with an entry in some table."""
    tables = (ALWAYS, ALWAYS_SYSTEM, LINES, PACKAGERS, NOT_INSTALL, SECRETS, PRIVILEGE, RULES, MORE)
    found = {name for table in tables for name in table} | CLOUDS | RAW_WRITERS
    return frozenset(found | {"mkfs", "mke2fs", "newfs", "tee", "touch", "mkdir", "cat", "less", "more", "head",
    "tail", "npx", "uvx",
                              "rpm", "dpkg", "pacman", "tar", "unzip", "sed", "grep", "base64", "install-module",
                              "nix-env", "pkg_add",
                              "cp", "scp", "gpg", "bunx", "installer", "xxd", "strings", "printf",
                                  "echo"})  # fmt: skip
