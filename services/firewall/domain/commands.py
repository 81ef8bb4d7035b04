"""What each command does to the world, by its name and arguments. Only kinds; the walk is in `shell.py`."""

from __future__ import annotations

import re
from collections.abc import Callable

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
from services.firewall.domain.places import UNKNOWN, data_file, device, holds_credentials, outside, plain_path, precious

Kinds = set[K]


def named_kinds(name: str, args: list[str]) -> Kinds:
    """The kinds of a command by its own table entry."""
    found: Kinds = set()
    always = ALWAYS.get(name)
    if name in ("nc", "ncat", "netcat") and any(re.match(r"-\w*z", arg) for arg in args):
        always = None  # A port probe sends and fetches nothing.
    if always is not None and not (len(args) == 1 and args[0] in ("--help", "--version", "-h", "-V")):
        found.add(always)
    if name.startswith("mkfs") or name in ("mke2fs", "newfs"):
        found.add(K.DESTRUCTIVE_SHELL)
    line = " ".join(args)
    if name in CLOUDS and not SAFE_VERB_FLAGS.search(line):
        verbs = [arg for arg in args if not arg.startswith("-")][:4]
        more = MORE.get(name)
        if (name not in ("npm", "history") and any(map(VERBS.match, verbs))) or (
            more is not None and more.search(line)
        ):
            found.add(K.DESTRUCTIVE_SHELL)
    secrets, privilege = SECRETS.get(name), PRIVILEGE.get(name)
    if secrets is not None and secrets.search(line):
        found.add(K.CREDENTIAL_ACCESS)
    if privilege is not None and privilege.search(line):
        found.add(K.PRIVILEGE_ESCALATION)
    special = _SPECIAL.get(name)
    if special is not None:
        found |= special(args)
    if _installs(name, args):
        found.add(K.PACKAGE_INSTALL)
        if re.search(r"--(?:extra-)?index-url|--registry|--find-links|(?:^|\s)-i\s+http|git\+|https?://", line):
            found.add(K.NETWORK_FETCH)
    if name in ("npm", "pnpm", "yarn", "pip", "pip3") and re.search(r"config set .*(?:registry|index-url)", line):
        found.add(K.NETWORK_FETCH)
    return found


def path_kinds(name: str, args: list[str], reads: list[str], writes: list[str]) -> Kinds:
    """The kinds that follow from the files a command names."""
    found: Kinds = set()
    read = args[:-1] if name in ("cp", "mv", "install", "ln", "rsync") and len(args) > 1 else args
    if name not in STATELESS_READERS and any(holds_credentials(_bare(arg)) for arg in read):
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


def _rm(args: list[str]) -> Kinds:
    flags = "".join(arg for arg in args if arg.startswith("-") and not arg.startswith("--"))
    recursive = "r" in flags.lower() or any(arg in ("--recursive", "--no-preserve-root", "/s") for arg in args)
    at = args.index("--") + 1 if "--" in args else None
    targets = [arg for arg in args if not arg.startswith("-")] if at is None else args[at:]
    if "--no-preserve-root" in args:
        return {K.DESTRUCTIVE_SHELL}
    return {K.DESTRUCTIVE_SHELL} if any(precious(arg, recursive=recursive) for arg in targets) else set()


def _windows_del(args: list[str]) -> Kinds:
    flags = " ".join(arg.lower() for arg in args if arg.startswith("/"))
    targets = [arg for arg in args if not (arg.startswith("/") and len(arg) <= 3)]
    wide = "/s" in flags
    bad = any(
        precious(arg, recursive=wide) or re.match(r"^[a-zA-Z]:", arg) or arg.startswith(("%", "*")) for arg in targets
    )
    return {K.DESTRUCTIVE_SHELL} if bad else set()


def _remove_item(args: list[str]) -> Kinds:
    lowered = [arg.lower() for arg in args]
    recursive = any(re.match(r"-r(?:e|ec|ecurse)?$", arg) for arg in lowered) or any(
        re.match(r"-\w*r\w*f|-\w*f\w*r", arg) for arg in lowered
    )
    targets = [arg for arg in args if not arg.startswith("-")]
    # A POSIX reading drops the backslash after the drive.
    wide = any(precious(arg, recursive=recursive) or (recursive and re.match(r"^[A-Za-z]:", arg)) for arg in targets)
    return {K.DESTRUCTIVE_SHELL} if wide else set()


def _git(args: list[str]) -> Kinds:
    while args and args[0].startswith("-"):
        args = args[2:] if args[0] in ("-C", "-c", "--git-dir", "--work-tree") else args[1:]
    if not args:
        return set()
    verb, rest = args[0], args[1:]
    flags = [arg for arg in rest if arg.startswith("-")]
    short = "".join(arg[1:] for arg in flags if not arg.startswith("--"))
    found: Kinds = set()
    if verb == "config" and any(map(_RUN_BY_GIT.match, rest)) and not any(arg.startswith("--get") for arg in flags):
        # What git runs by itself later on.
        found.add(K.FILE_WRITE_OUTSIDE)
    bad = (
        (verb == "clean" and ("f" in short or "--force" in flags) and "n" not in short and "--dry-run" not in flags)
        or (verb == "reset" and "--hard" in flags)
        or (verb == "push" and ("f" in short or "d" in short or {"--force", "--mirror", "--delete",
        "--prune"} & set(flags)
                                or any(arg.startswith(("+", ":")) for arg in rest)))
        or (verb == "push" and _shared_branch(rest) and any(arg.startswith("--force-with-lease") for arg in flags))
        or (verb == "branch" and ("D" in short or ({"--delete", "--force"} <= set(flags))))
        or (verb in ("checkout", "restore") and (rest[-1:] in (["."], ["*"], [":/"])) and "--staged" not in flags)
        or (verb == "checkout" and "f" in short)
        or (verb in ("filter-branch", "filter-repo"))
        or (verb == "reflog" and rest[:1] in (["expire"], ["delete"]))
        or (verb == "gc" and any(arg.startswith("--prune=now") for arg in flags))
        or (verb == "stash" and rest[:1] in (["clear"], ["drop"]))
        or (verb == "update-ref" and "d" in short)
        or (verb == "rm" and "r" in short and "--cached" not in flags and bool(_rm(["-r", *rest])))
        or (verb == "worktree" and rest[:1] == ["remove"] and ("f" in short or "--force" in flags))
    )  # fmt: skip
    if bad:
        found.add(K.DESTRUCTIVE_SHELL)
    if (
        verb == "clone"
        or (verb == "push" and any(re.match(r"\w+://|[\w.-]+@[\w.-]+:", arg) for arg in rest))
        or (verb == "submodule" and rest[:1] in (["add"], ["update"]))
        or (verb == "remote" and rest[:1] in (["add"], ["set-url"]))
    ):
        found.add(K.NETWORK_FETCH)
    return found


_RUN_BY_GIT = re.compile(
    r"core\.(?:hooksPath|sshCommand|fsmonitor)$|credential\.helper$|alias\.\w+$|filter\.", re.IGNORECASE
)


def _hides(args: list[str]) -> Kinds:
    """A session that stops keeping its own history."""
    line = " ".join(args)
    return {K.DESTRUCTIVE_SHELL} if re.search(r"\bHIST(?:FILE|SIZE|FILESIZE)\b|\+o history", line) else set()


def _tar(args: list[str]) -> Kinds:
    gone = "--remove-files" in args and any(precious(arg, recursive=True) for arg in args if not arg.startswith("-"))
    return {K.DESTRUCTIVE_SHELL} if gone else set()


def _shared_branch(args: list[str]) -> bool:
    return any(re.search(r"(?:^|[:/])(?:main|master|production|release|trunk|develop)$", arg) for arg in args)


def _crontab(args: list[str]) -> Kinds:
    """A new table of jobs: what runs later runs out of everybody's sight."""
    plain = [arg for arg in args if not arg.startswith("-") or arg == "-"]
    return {K.FILE_WRITE_OUTSIDE} if plain and not {"-l", "-r", "-e"} & set(args) else set()


_TABLES = re.compile(r"/etc/(?:passwd|shadow|gshadow|group|sudoers)")


def _mode(args: list[str]) -> Kinds:
    recursive = any(re.match(r"-\w*R|--recursive", arg) for arg in args)
    plain = [arg for arg in args if not arg.startswith("-")]
    # `chmod -x file` has its mode among the options.
    targets = plain if any(re.fullmatch(r"-[rwxXst]+", arg) for arg in args) else plain[1:]
    hit = any(
        (plain_path(arg) in ("/", "~", ".", "..") and recursive and plain_path(arg) not in (".",))
        or (outside(arg) and (recursive or plain_path(arg).count("/") <= 1))
        or _TABLES.match(plain_path(arg))
        for arg in targets
    )
    opened = any(re.fullmatch(r"0?[0-7]?(?:777|000|666)|a\+rwx|[ugo]*=|[ugoa]*-[rwx]+", arg) for arg in args)
    if hit or (opened and any(outside(arg) or holds_credentials(arg) for arg in targets)):
        return {K.DESTRUCTIVE_SHELL}
    return set()


def _dd(args: list[str]) -> Kinds:
    target = next((arg[3:] for arg in args if arg.startswith("of=")), "")
    return (
        {K.DESTRUCTIVE_SHELL}
        if target and (device(target) or data_file(target) or (precious(target, recursive=True) and outside(target)))
        else set()
    )


def _mv(args: list[str]) -> Kinds:
    plain = [arg for arg in args if not arg.startswith("-")]
    if len(plain) < 2:
        return set()
    into = plain_path(plain[-1])
    if into == "/dev/null" or device(plain[-1]):
        return {K.DESTRUCTIVE_SHELL}
    moved = any(
        (precious(arg, recursive=True) and outside(arg)) or plain_path(arg) in ("/", "~", "/*", "~/*")
        for arg in plain[:-1]
    )
    return {K.DESTRUCTIVE_SHELL} if moved else set()


def _cp(args: list[str]) -> Kinds:
    plain = [arg for arg in args if not arg.startswith("-")]
    if len(plain) > 1 and plain_path(plain[0]) in ("/dev/null", "/dev/zero", "/dev/urandom") and outside(plain[-1]):
        return {K.DESTRUCTIVE_SHELL}
    return {K.DESTRUCTIVE_SHELL} if plain and device(plain[-1]) else set()


def _truncate(args: list[str]) -> Kinds:
    return (
        {K.DESTRUCTIVE_SHELL}
        if any(outside(arg) or data_file(arg) or precious(arg, recursive=False) for arg in _plain_values(args))
        else set()
    )


def _plain_values(args: list[str]) -> list[str]:
    return [arg for arg in args if not arg.startswith("-")]


def _kill(args: list[str]) -> Kinds:
    line = " ".join(args)
    if re.search(r"(?:^|\s)-(?:\w+|s \w+)\s+(?:--\s+)?(?:-1|1)(?:\s|$)", line) or re.search(r"--\s*-1|^-1$|^1$", line):
        return {K.DESTRUCTIVE_SHELL}
    return set()


def _pkill(args: list[str]) -> Kinds:
    line = " ".join(args)
    wide = re.search(
        r"-[uU]\s*(?:root|0|\$)|-f\s+['\"]?\.(?:\*)?(?:\s|$)|(?:^|\s)(?:-1|sshd|systemd|init|dockerd|postgres|mysqld|auditd|falco)(?:\s|$)",
        line,
    )
    return {K.DESTRUCTIVE_SHELL} if wide else set()


def _roots(args: list[str]) -> list[str]:
    roots = []
    for arg in args:
        if arg.startswith(("-", "(", "!")):
            break
        roots.append(arg)
    return roots


def _find(args: list[str]) -> Kinds:
    if "-delete" not in args:
        found: Kinds = set()
        if "-perm" in args and any(re.search(r"[46]000|u[+=]s", arg) for arg in args):
            found.add(K.PRIVILEGE_ESCALATION)
        names = [args[index + 1] for index, arg in enumerate(args[:-1]) if arg in ("-name", "-iname", "-path")]
        if any(map(outside, _roots(args))) and any(map(holds_credentials, names)):
            found.add(K.CREDENTIAL_ACCESS)
        return found
    roots = _roots(args)
    narrowed = any(arg in ("-name", "-iname", "-path", "-regex", "-mtime", "-mmin", "-empty") for arg in args)
    wide = any(precious(root, recursive=True) and outside(root) for root in roots) or (
        not narrowed and any(_WHOLE_TREE.fullmatch(plain_path(root)) for root in roots or ["."])
    )
    return {K.DESTRUCTIVE_SHELL} if wide else set()


def _rsync(args: list[str]) -> Kinds:
    found: Kinds = set()
    plain = [arg for arg in args if not arg.startswith("-")]
    if (
        any(arg.startswith("--delete") for arg in args)
        and plain
        and (outside(plain[-1]) or "/dev/null" in plain or "empty" in plain[0])
    ):
        found.add(K.DESTRUCTIVE_SHELL)
    if any(re.search(r"^(?:[\w.-]+@)?[\w.-]{2,}:|^rsync://", arg) for arg in plain):
        found.add(K.NETWORK_FETCH)
    return found


def _grep(args: list[str]) -> Kinds:
    """Looking for secrets through more than the project."""
    plain = [arg for arg in args if not arg.startswith("-")]
    flags = "".join(arg for arg in args if re.match(r"-[A-Za-z]+$", arg))
    deep = "r" in flags.lower() or "--recursive" in args
    wide = deep and any(outside(arg) for arg in plain[1:])
    return {K.CREDENTIAL_ACCESS} if wide and any(map(_SECRET_WORDS.search, args)) else set()


def _search(args: list[str]) -> Kinds:
    return _grep(["-r", *args])


def _init(args: list[str]) -> Kinds:
    return {K.DESTRUCTIVE_SHELL} if args[:1] in (["0"], ["6"], ["1"], ["s"], ["S"]) else set()


def _lookup(args: list[str]) -> Kinds:
    """Name look-ups carry data out when the name is put together from something."""
    return {K.NETWORK_FETCH} if any(UNKNOWN in arg or "\ue002" in arg or len(arg) > 80 for arg in args) else set()


def _certutil(args: list[str]) -> Kinds:
    return {K.NETWORK_FETCH} if any("urlcache" in arg.lower() for arg in args) else set()


def _openssl(args: list[str]) -> Kinds:
    if args[:1] == ["s_client"]:
        return {K.NETWORK_FETCH}
    read = args[:1] in (["enc"], ["base64"]) and any(map(holds_credentials, args))
    return {K.CREDENTIAL_ACCESS} if read else set()


_WHOLE_TREE = re.compile(r"\.{1,2}|~|/(?!tmp$)[^/]*")
_SECRET_WORDS = re.compile(
    r"passw|secret|token|api[_-]?key|credential|private.?key|aws_access|AKIA|BEGIN", re.IGNORECASE
)
_SPECIAL: dict[str, Callable[[list[str]], Kinds]] = {
    **dict.fromkeys(("rm", "unlink", "rmdir", "grm", "trash", "gio", "wipe"), _rm),
    **dict.fromkeys(("del", "erase", "rd"), _windows_del),
    **dict.fromkeys(("remove-item", "ri"), _remove_item),
    **dict.fromkeys(("chmod", "chown", "chgrp", "chattr", "setfacl", "icacls", "takeown"), _mode),
    **dict.fromkeys(("mv", "move", "move-item", "ren"), _mv), **dict.fromkeys(("cp", "ln", "install", "copy"), _cp),
    **dict.fromkeys(("dd", "dcfldd"), _dd), **dict.fromkeys(("dig", "nslookup", "host", "ping"), _lookup),
    **dict.fromkeys(("pkill", "killall", "taskkill"), _pkill),
    "crontab": _crontab, "unset": _hides, "set": _hides, "tar": _tar,
    "git": _git, "truncate": _truncate, "clear-content": _truncate, "fallocate": _truncate, "kill": _kill,
    "find": _find, "fd": _find,
    **dict.fromkeys(("grep", "egrep", "zgrep"), _grep), **dict.fromkeys(("rg", "ag", "ack"), _search),
    "rsync": _rsync,
    "init": _init, "certutil": _certutil, "openssl": _openssl,
}  # fmt: skip
DANGEROUS_NAMES = tuple(dict.fromkeys((*_SPECIAL, *ALWAYS, "bash", "sh", "python", "perl", "base64", "cat")))
"""What a wildcard in a command's name is tried against."""


def known_names() -> frozenset[str]:
    """Every name with an entry in some table."""
    tables = (ALWAYS, PACKAGERS, NOT_INSTALL, SECRETS, PRIVILEGE, _SPECIAL, MORE)
    found = {name for table in tables for name in table} | CLOUDS | RAW_WRITERS
    return frozenset(found | {"mkfs", "mke2fs", "newfs", "tee", "touch", "mkdir", "cat", "less", "more", "head",
    "tail", "npx", "uvx",
                              "rpm", "dpkg", "pacman", "tar", "unzip", "sed", "grep", "base64", "install-module",
                              "nix-env", "pkg_add",
                              "cp", "scp", "gpg", "bunx", "installer", "xxd", "strings", "printf", "echo"})  # fmt: skip
