"""Commands whose effect hangs on their arguments: one rule each. Dispatched by `commands.py`."""

from __future__ import annotations

import re
from collections.abc import Callable

from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import UNKNOWN, data_file, device, holds_credentials, outside, plain_path, precious

Kinds = set[K]


def _rm(args: list[str]) -> Kinds:
    flags = "".join(arg for arg in args if arg.startswith("-") and not arg.startswith("--"))
    recursive = "r" in flags.lower() or any(arg in ("--recursive", "--no-preserve-root", "/s") for arg in args)
    at = args.index("--") + 1 if "--" in args else None
    targets = [arg for arg in args if not arg.startswith("-")] if at is None else args[at:]
    if "--no-preserve-root" in args:
        return {K.DESTRUCTIVE_SHELL}
    return {K.DESTRUCTIVE_SHELL} if any(precious(arg, recursive=recursive) for arg in targets) else set()


def _rmdir(args: list[str]) -> Kinds:
    """Of `cmd` or of a POSIX shell."""
    flags = [arg for arg in args if re.fullmatch(r"/[sqSQ]", arg)]
    return _rm([*(["-r"] if flags else []), *(arg for arg in args if arg not in flags)])


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
        or (verb == "reset" and ("--hard" in flags or "hard" in rest))
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
    if verb in ("diff", "show", "hash-object", "grep") and any(map(holds_credentials, rest)):
        found.add(K.CREDENTIAL_ACCESS)
    if verb == "add" and ("f" in short or "--force" in flags) and any(map(holds_credentials, rest)):
        found.add(K.CREDENTIAL_ACCESS)
    if bad:
        found.add(K.DESTRUCTIVE_SHELL)
    if (
        verb == "clone"
        or (verb == "push" and any(re.match(r"\w+://|[\w.-]+@[\w.-]+:", arg) for arg in rest))
        or (verb == "submodule" and rest[:1] == ["add"])
        or (verb == "remote" and rest[:1] in (["add"], ["set-url"]))
    ):
        found.add(K.NETWORK_FETCH)
    return found


_RUN_BY_GIT = re.compile(
    r"core\.(?:hooksPath|sshCommand|fsmonitor)$|credential\.helper$|url\..*\.insteadOf$|http\.(?:proxy"
    r"|sslVerify)$|core\.gitProxy$|include(?:If)?\..*path$|diff\..*\.command$|gpg\.program$"
    r"|init\.templateDir$|alias\.\w+$|filter\.",
    re.IGNORECASE,
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
    if re.search(r"(?:^|\s)-(?:\w+|s \w+)\s+(?:--\s+)?(?:-1|1)(?:\s|$)", line) or re.search(
        r"--\s*-1|^-1$"
        r"|^1$",
        line,
    ):
        return {K.DESTRUCTIVE_SHELL}
    return set()


def _pkill(args: list[str]) -> Kinds:
    line = " ".join(args)
    wide = re.search(
        r"-[uU]\s*(?:root|0|\$)|(?:^|\s)-[uU]\s*\S+\s*$|-f\s+['\"]?\.(?:\*)?(?:\s|$)|(?:^|\s)(?:-1|sshd|systemd|init|dockerd|postgres|mysqld|auditd|falco)(?:\s|$)",
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


def _ps(args: list[str]) -> Kinds:
    """BSD's `e` shows every process's environment."""
    return {K.CREDENTIAL_ACCESS} if args and re.fullmatch(r"[a-df-z]*e[a-z]*", args[0]) else set()


def _init(args: list[str]) -> Kinds:
    return {K.DESTRUCTIVE_SHELL} if args[:1] in (["0"], ["6"], ["1"], ["s"], ["S"]) else set()


def _lookup(args: list[str]) -> Kinds:
    """Name look-ups carry data out when the name is put together from something."""
    return {K.NETWORK_FETCH} if any(UNKNOWN in arg or "\ue002" in arg or len(arg) > 80 for arg in args) else set()


def _certutil(args: list[str]) -> Kinds:
    return {K.NETWORK_FETCH} if any("urlcache" in arg.lower() for arg in args) else set()


def _openssl(args: list[str]) -> Kinds:
    if args[:1] == ["s_client"] and "-help" not in args:
        return {K.NETWORK_FETCH}
    read = args[:1] in (["enc"], ["base64"], ["rsa"], ["pkey"], ["ec"], ["dsa"], ["pkcs12"]) and any(
        map(holds_credentials, args)
    )
    return {K.CREDENTIAL_ACCESS} if read else set()


_WHOLE_TREE = re.compile(r"\.{1,2}|~|/(?!tmp$)[^/]*")
_SECRET_WORDS = re.compile(
    r"passw|secret|token|api[_-]?key|credential|private.?key|aws_access|AKIA|BEGIN|sk-|gh[pousr]_|xox|eyJ|AIza",
    re.IGNORECASE,
)
RULES: dict[str, Callable[[list[str]], Kinds]] = {
    **dict.fromkeys(("rm", "unlink", "grm", "trash", "gio", "wipe"), _rm),
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
    "rmdir": _rmdir, "init": _init, "ps": _ps, "certutil": _certutil, "openssl": _openssl,
}  # fmt: skip
