"""What each command does to the world, by its name and arguments. Only kinds; the walk is in `shell.py`."""

from __future__ import annotations

import re
from collections.abc import Callable

from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import UNKNOWN, device, holds_credentials, outside, plain_path, precious

Kinds = set[K]

_ALWAYS: dict[str, K] = dict.fromkeys(
    ("shred", "wipefs", "blkdiscard", "wipe", "srm", "scrub", "shutdown", "reboot", "halt", "poweroff", "killall5",
    "lvremove",
     "vgremove", "pvremove", "dropdb", "diskpart", "clear-disk", "format-volume", "stop-computer", "restart-computer",
     "vssadmin", "bcdedit", "initialize-disk", "remove-partition", "bleachbit", "telinit", "grub-install", "mkswap",
     "remove-vm", "remove-aduser", "clear-eventlog", "clear-recyclebin", "badblocks", "userdel", "deluser", "groupdel",
     "dropuser", "rimraf"), K.DESTRUCTIVE_SHELL,
) | dict.fromkeys(
    ("sudo", "doas", "pkexec", "runas", "visudo", "su", "gsudo", "sudoedit", "setcap", "nsenter", "newgrp", "chroot"),
    K.PRIVILEGE_ESCALATION,
) | dict.fromkeys(
    ("curl", "wget", "aria2c", "lynx", "w3m", "links", "elinks", "nc", "ncat", "netcat", "socat", "telnet", "ftp",
    "tftp",
     "scp", "sftp", "invoke-webrequest", "iwr", "irm", "invoke-restmethod", "start-bitstransfer", "bitsadmin",
     "axel", "xh",
     "httpie", "rclone", "s3cmd", "croc", "ngrok", "cloudflared", "chisel", "lftp", "curlie", "smbclient", "wormhole",
     "proxychains", "torsocks", "mshta", "regsvr32"),
    K.NETWORK_FETCH,
) | dict.fromkeys(
    ("printenv", "mimikatz", "secret-tool", "get-credential", "lazagne", "unshadow", "cmdkey", "vaultcmd",
    "ssh-keyscan-secrets",
     "hashdump", "pwdump", "trufflehog-dump"), K.CREDENTIAL_ACCESS,
)  # fmt: skip

_PACKAGERS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("pip", "pip3", "pipx", "conda", "mamba", "micromamba", "gem", "brew", "snap", "flatpak",
    "port", "choco",
                     "scoop", "winget", "apt", "apt-get", "aptitude", "yum", "dnf", "microdnf", "zypper",
                     "luarocks", "cargo",
                     "opam", "nimble", "raco", "vcpkg", "conan", "helm", "krew", "spack", "mix", "stack", "cabal",
                     "tdnf",
                     "swupd", "guix", "asdf", "mise", "rustup", "dub", "pear", "pecl", "npm", "pnpm", "yarn",
                     "bun", "easy_install",
                     "cpanm", "ansible-galaxy", "deno", "pkg", "pkgin", "eopkg", "xbps-install", "nala", "uv",
                     "poetry", "pdm", "rye",
                     "hatch", "pipenv", "composer", "dotnet", "go", "apk", "emerge", "pacman", "yay", "paru",
                     "code", "cursor"),
                    frozenset({"install", "add", "i", "ci", "get", "in", "upgrade", "update", "require", "sync",
                    "dlx", "exec",
                               "reinstall", "localinstall", "groupinstall", "build-dep", "full-upgrade", "dist-upgrade",
                               "--install-extension", "tool", "x"})),
}  # fmt: skip
_NOT_INSTALL: dict[str, frozenset[str]] = {
    "go": frozenset({"install", "get"}), "cargo": frozenset({"install", "add"}), "helm": frozenset({"install"}),
    "uv": frozenset({"add", "sync", "tool", "pip"}), "dotnet": frozenset({"add", "tool"}),
    "mix": frozenset({"deps.get"}), "conda": frozenset({"install", "update"}), "brew": frozenset({"install",
    "reinstall", "upgrade"}),
    "code": frozenset({"--install-extension"}), "cursor": frozenset({"--install-extension"}),
    "npm": frozenset({"install", "i", "ci", "add", "exec", "update"}), "pnpm": frozenset({"install", "i", "add",
    "dlx", "update"}),
    "yarn": frozenset({"install", "add", "dlx", "upgrade"}), "bun": frozenset({"install", "i", "add", "x"}),
    "composer": frozenset({"require", "install", "update"}), "poetry": frozenset({"add", "install", "update"}),
    "pip": frozenset({"install", "download", "wheel"}), "pip3": frozenset({"install", "download", "wheel"}),
    "helm3": frozenset({"install"}), "deno": frozenset({"install", "add"}), "rustup": frozenset({"update", "install"}),
    "apt": frozenset({"install", "full-upgrade", "dist-upgrade", "upgrade", "build-dep", "reinstall"}),
}  # fmt: skip

_RAW_WRITERS = frozenset({"dd", "dcfldd", "pv", "cat", "cp", "mv", "tee", "install"})
_STATELESS_READERS = frozenset(
    {"ls", "chmod", "chown", "ssh-keygen", "ssh-add", "stat", "test", "[", "[[", "touch", "mkdir", "echo", "ssh",
    "git", "printf",
     "dotenv", "docker-compose", "rm", "find", "true", "kubectl", "helm", "openssl", "export", "cd", "ssh-copy-id",
     "wc", "file",
     "docker", "node", "python", "python3", "npm", "npx", "uvicorn", "pytest", "flask", "code", "alias",
     "realpath", "basename",
     "dirname", "readlink", "local", "declare"}
)  # fmt: skip
"""Commands that name such a file without showing what is in it."""
_CLOUDS = frozenset({"aws", "gcloud", "az", "gsutil", "bq", "doctl", "heroku", "fly", "flyctl", "gh", "glab",
    "linode-cli", "oci",
                     "ibmcloud", "vercel", "netlify", "railway", "supabase", "firebase", "wrangler", "eksctl",
                     "rosa", "hcloud",
                     "scw", "aliyun", "openstack", "nova", "virsh", "vagrant", "multipass", "govc", "esxcli",
                     "vault", "consul",
                     "nomad", "etcdctl", "argocd", "flux", "istioctl", "oc", "kubectl", "k3s", "helm", "terraform",
                     "tofu",
                     "terragrunt", "pulumi", "cdk", "serverless", "sls", "sam", "copilot", "eb", "docker",
                     "podman", "nerdctl",
                     "docker-compose", "lxc", "incus", "crictl", "ctr", "minikube", "kind", "rabbitmqadmin",
                     "rabbitmqctl",
                     "kafka-topics", "kafka-topics.sh", "redis-cli", "mysqladmin", "npm", "zfs", "zpool", "btrfs",
                     "launchctl",
                     "tmutil", "diskutil", "schtasks", "wevtutil", "sc", "net", "reg", "crontab", "ufw", "firewall-cmd",
                     "iptables", "ip6tables", "nft", "systemctl", "service", "cipher", "fsutil", "format",
                     "swapoff", "rmmod",
                     "pm2", "supervisorctl", "influx", "cqlsh", "curator", "certbot", "update-rc.d", "chkconfig",
                     "hdparm",
                     "mdadm", "cryptsetup", "parted", "sgdisk", "fdisk", "gdisk", "sfdisk", "nvme", "flashrom",
                     "efibootmgr",
                     "rails", "rake", "artisan", "prisma", "sequelize", "knex", "alembic", "manage.py", "passwd",
                     "history"})  # fmt: skip
_VERBS = re.compile(
    r"^(?:delete|destroy|terminate|remove|purge|nuke|wipe|drop|flush|erase|uninstall|undefine|deregister|decommission|revoke"
    r"|flushall|flushdb|unpublish|rb|prune|drain|obliterate|zeroize)(?:$|[-_:].*|all$|db$)"
    r"|^(?:[\w-]+:)(?:destroy|delete|drop|reset|purge)$|^(?:eraseDisk|eraseVolume|zeroDisk|secureErase|partitionDisk)$",
    re.IGNORECASE,
)
_MORE: dict[str, re.Pattern[str]] = {
    "terraform": re.compile(r"\b(?:state rm|force-unlock|apply .*-destroy|workspace delete)\b"),
    "tofu": re.compile(r"\b(?:state rm|apply .*-destroy)\b"),
    "docker": re.compile(
        r"\b(?:rm (?:.*\s)?(?:-\w*f|--force|-\w*v)|volume rm|network rm|system prune|(?:volume|image|container"
        r"|builder) prune"
        r"|rmi (?:.*\s)?(?:-\w*f|--force)|compose (?:.*\s)?down (?:.*\s)?(?:-v|--volumes|--rmi)|swarm leave|stop"
        r" \S*\$|kill )"
    ),
    "docker-compose": re.compile(r"\bdown (?:.*\s)?(?:-v|--volumes|--rmi)"),
    "kubectl": re.compile(r"\b(?:scale .*--replicas[= ]0|replace .*--force|cordon |rollout undo|patch .*finalizers)"),
    "aws": re.compile(
        r"\bs3 (?:rm .*--recursive|rb |sync .*--delete)|\bs3api delete|stop-instances|schedule-key-deletion|disable-"
    ),
    "gsutil": re.compile(r"\b(?:rm|rb)\b"),
    "redis-cli": re.compile(r"(?i)\b(?:flushall|flushdb|shutdown|config set dir)\b"),
    "crontab": re.compile(r"(?:^|\s)-\w*r"),
    "ufw": re.compile(r"\b(?:disable|reset)\b"),
    "iptables": re.compile(r"(?:^|\s)(?:-F|--flush|-X|-P (?:INPUT|OUTPUT|FORWARD) ACCEPT)"),
    "ip6tables": re.compile(r"(?:^|\s)(?:-F|--flush|-X)"),
    "nft": re.compile(r"\bflush\b"),
    "systemctl": re.compile(
        r"\b(?:poweroff|reboot|halt|kexec|rescue|emergency|stop|disable|mask|kill|isolate|set-default)\b"
    ),
    "service": re.compile(r"\bstop\b"),
    "launchctl": re.compile(r"\b(?:unload|bootout|remove|reboot)\b"),
    "tmutil": re.compile(r"\b(?:disable|deletelocalsnapshots)\b"),
    "reg": re.compile(r"(?i)\bdelete\b"),
    "net": re.compile(r"(?i)\b(?:user .*/delete|stop )"),
    "sc": re.compile(r"(?i)\b(?:delete|stop)\b"),
    "schtasks": re.compile(r"(?i)/delete"),
    "wevtutil": re.compile(r"(?i)\bcl\b|clear-log"),
    "cipher": re.compile(r"(?i)/w"),
    "fsutil": re.compile(r"(?i)\b(?:usn deletejournal|file setzerodata)"),
    "format": re.compile(r"(?i)^[a-z]:"),
    "hdparm": re.compile(r"--security-erase|--trim-sector|--write-sector"),
    "mdadm": re.compile(r"--zero-superblock|--stop|--remove"),
    "cryptsetup": re.compile(r"\b(?:luksFormat|erase|luksErase|luksKillSlot)\b"),
    "parted": re.compile(r"\b(?:rm|mklabel|mkpart|mktable)\b"),
    "sgdisk": re.compile(r"-Z|-z|--zap|-o|-d"),
    "fdisk": re.compile(r"^(?!.*-l)\S*/dev/"),
    "gdisk": re.compile(r"^(?!.*-l)\S*/dev/"),
    "sfdisk": re.compile(r"^(?!.*(?:-l|-d|--dump))\S*/dev/|--delete"),
    "nvme": re.compile(r"\b(?:format|sanitize)\b"),
    "flashrom": re.compile(r"-w|-E"),
    "vault": re.compile(r"\b(?:kv (?:metadata )?delete|secrets disable|auth disable|operator seal|lease revoke)"),
    "etcdctl": re.compile(r"\bdel\b"),
    "gh": re.compile(r"\b(?:repo|release|secret|variable|run|gist|cache) (?:delete|archive)"),
    "npm": re.compile(r"^(?:unpublish|deprecate)\b"),
    "zfs": re.compile(r"\b(?:rollback)\b"),
    "rails": re.compile(r"\bdb:(?:drop|reset|purge|schema:load)"),
    "rake": re.compile(r"\bdb:(?:drop|reset|purge|schema:load)"),
    "artisan": re.compile(r"\b(?:migrate:(?:fresh|reset|refresh)|db:wipe)"),
    "prisma": re.compile(r"\b(?:migrate reset|db push .*--(?:force-reset|accept-data-loss))"),
    "sequelize": re.compile(r"\bdb:(?:drop|migrate:undo:all)"),
    "knex": re.compile(r"\bmigrate:rollback --all"),
    "alembic": re.compile(r"\bdowngrade base"),
    "manage.py": re.compile(r"\b(?:flush|reset_db|sqlflush)\b"),
    "history": re.compile(r"^-c\b|^-cw?\b"),
    "passwd": re.compile(r"^-[dl]\b"),
    "kafka-topics.sh": re.compile(r"--delete"),
    "kafka-topics": re.compile(r"--delete"),
    "pm2": re.compile(r"^(?:kill|delete)\b"),
    "helm": re.compile(r"\brollback\b"),
    "swapoff": re.compile(r"-a"),
    "rmmod": re.compile(r"."),
    "efibootmgr": re.compile(r"-B"),
}
_SAFE_VERB_FLAGS = re.compile(
    r"(?:^|\s)(?:--dry-run(?:=\S+)?|--help|-h|--plan|--what-if|-whatif)(?:\s|$)", re.IGNORECASE
)
_SECRETS: dict[str, re.Pattern[str]] = {
    "aws": re.compile(r"\b(?:configure (?:get|export-credentials)|secretsmanager get-secret|ssm"
                      r" get-parameter.*--with-decryption|sts (?:get-session-token"
                      r"|assume-role|get-federation)|iam create-access-key|ecr get-login|kms decrypt|rds"
                      r" generate-db-auth)"),
    "gcloud": re.compile(r"\b(?:auth (?:application-default )?print-(?:access|identity)-token|secrets versions"
                         r" access|iam service-accounts keys create)"),
    "az": re.compile(r"\b(?:account get-access-token|keyvault (?:secret|key) (?:show|download)|ad sp create"
                     r"|storage account keys list)"),
    "kubectl": re.compile(r"\b(?:(?:get|describe|edit) (?:.*\s)?secrets?\b|config view .*--raw|create token)"),
    "oc": re.compile(r"\b(?:get (?:.*\s)?secrets?\b|whoami -t)"),
    "vault": re.compile(r"\b(?:kv get|read|token (?:create|lookup)|print token|unwrap)\b"),
    "security": re.compile(r"\b(?:find-(?:generic|internet)-password|dump-keychain|export|find-certificate"
                           r"|unlock-keychain)"),
    "gh": re.compile(r"\bauth (?:token|status (?:-t|--show-token))"),
    "git": re.compile(r"\bcredential(?:-\w+)? (?:fill|get)|config .*--get.*(?:token|password|credential|extraheader)"),
    "pass": re.compile(r"^(?!ls|git|insert|generate)\S"),
    "op": re.compile(r"\b(?:read|item get|document get)\b"),
    "bw": re.compile(r"\b(?:get|export|list)\b"),
    "gpg": re.compile(r"--export-secret"),
    "getent": re.compile(r"\bshadow\b"),
    "docker": re.compile(r"\b(?:secret inspect|inspect .*\.Env)"),
    "npm": re.compile(r"\btoken (?:create|list)|config get .*auth"),
    "heroku": re.compile(r"\b(?:config(?::get)?|auth:token)\b"),
    "reg": re.compile(r"(?i)\b(?:save|export|query) +hklm\\(?:sam|security|system)"),
    "netsh": re.compile(r"(?i)wlan.*key=clear"),
    "terraform": re.compile(r"\b(?:output .*-raw|state pull)\b"),
    "set": re.compile(r"^$"),
    "export": re.compile(r"^(?:-p)?$"),
    "declare": re.compile(r"^-[px]+$"),
    "compgen": re.compile(r"-[ev]"),
    "procdump": re.compile(r"(?i)lsass"),
    "rundll32": re.compile(r"(?i)comsvcs|minidump"),
    "strings": re.compile(r"/proc/"),
    "hydra": re.compile(r"."), "john": re.compile(r"."), "hashcat": re.compile(r"."),
}  # fmt: skip
_PRIVILEGE: dict[str, re.Pattern[str]] = {
    "chmod": re.compile(r"(?:^|\s)(?:[ugoa]*\+[rwx]*s|[0-7]?[4267][0-7]{3})(?=\s)"),
    "usermod": re.compile(r"-\w*G\s*\S*(?:sudo|wheel|docker|root|admin|adm|lxd)|-o|-u 0|--groups"),
    "gpasswd": re.compile(r"-a .*(?:sudo|wheel|docker|root|admin)"),
    "adduser": re.compile(r"\b(?:sudo|wheel|docker|admin|root)\b"),
    "useradd": re.compile(r"-o|-u ?0|-G\s*\S*(?:sudo|wheel|root)"),
    "passwd": re.compile(r"\broot\b|^$"),
    "chpasswd": re.compile(r""),
    "docker": re.compile(r"--privileged|-v ?/:|--volume[= ]/:|--pid[= ]host|--cap-add[= ](?:ALL|SYS_ADMIN"
                         r"|SYS_PTRACE)|docker\.sock|source=/,|--userns[= ]host"),
    "podman": re.compile(r"--privileged|-v ?/:|--pid[= ]host"),
    "kubectl": re.compile(r"cluster-admin|create (?:clusterrolebinding|rolebinding)|--as[= ]system|auth reconcile"),
    "aws": re.compile(r"\biam (?:attach-\w+-policy|put-\w+-policy|add-user-to-group|create-login-profile"
                      r"|update-assume-role-policy|create-user|create-policy-version)"),
    "gcloud": re.compile(r"add-iam-policy-binding|set-iam-policy"),
    "az": re.compile(r"role assignment create"),
    "net": re.compile(r"(?i)localgroup \S*admin\S* .*/add|user \S+ \S+ /add"),
    "set-executionpolicy": re.compile(r"(?i)bypass|unrestricted"),
    "add-localgroupmember": re.compile(r"(?i)admin"),
    "start-process": re.compile(r"(?i)-verb\s+runas"),
    "setfacl": re.compile(r"/etc|/root"),
    "sysctl": re.compile(r"-w|="),
    "insmod": re.compile(r"."), "modprobe": re.compile(r"^(?!-r)."),
    "capsh": re.compile(r"."), "unshare": re.compile(r"-\w*r|--map-root"),
    "spctl": re.compile(r"--master-disable"), "csrutil": re.compile(r"disable"),
    "setenforce": re.compile(r"0|permissive", re.IGNORECASE),
    "dscl": re.compile(r"-append .*admin"),
}  # fmt: skip


def named_kinds(name: str, args: list[str]) -> Kinds:
    """The kinds of a command by its own table entry."""
    found: Kinds = set()
    always = _ALWAYS.get(name)
    if always is not None and not (len(args) == 1 and args[0] in ("--help", "--version", "-h", "-V")):
        found.add(always)
    if name.startswith("mkfs") or name in ("mke2fs", "newfs"):
        found.add(K.DESTRUCTIVE_SHELL)
    line = " ".join(args)
    if name in _CLOUDS and not _SAFE_VERB_FLAGS.search(line):
        verbs = [arg for arg in args if not arg.startswith("-")][:4]
        more = _MORE.get(name)
        if (name not in ("npm", "history") and any(map(_VERBS.match, verbs))) or (
            more is not None and more.search(line)
        ):
            found.add(K.DESTRUCTIVE_SHELL)
    secrets, privilege = _SECRETS.get(name), _PRIVILEGE.get(name)
    if secrets is not None and secrets.search(line):
        found.add(K.CREDENTIAL_ACCESS)
    if privilege is not None and privilege.search(line):
        found.add(K.PRIVILEGE_ESCALATION)
    special = _SPECIAL.get(name)
    if special is not None:
        found |= special(args)
    if _installs(name, args):
        found.add(K.PACKAGE_INSTALL)
    return found


def path_kinds(name: str, args: list[str], reads: list[str], writes: list[str]) -> Kinds:
    """The kinds that follow from the files a command names."""
    found: Kinds = set()
    read = args[:-1] if name in ("cp", "mv", "install", "ln", "rsync") and len(args) > 1 else args
    if name not in _STATELESS_READERS and any(holds_credentials(_bare(arg)) for arg in read):
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
    if name in ("tee", "touch", "mkdir", "truncate", "sponge", "mkfifo"):
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
    verbs = _NOT_INSTALL.get(name, _PACKAGERS.get(name))
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
    bad = (
        (verb == "clean" and ("f" in short or "--force" in flags) and "n" not in short and "--dry-run" not in flags)
        or (verb == "reset" and "--hard" in flags)
        or (verb == "push" and ("f" in short or "d" in short or {"--force", "--mirror", "--delete",
        "--prune"} & set(flags)
                                or any(arg.startswith(("+", ":")) for arg in rest)))
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
    if verb in ("clone", "submodule") or (verb == "remote" and rest[:1] in (["add"], ["set-url"])):
        found.add(K.NETWORK_FETCH)
    return found


def _mode(args: list[str]) -> Kinds:
    recursive = any(re.match(r"-\w*R|--recursive", arg) for arg in args)
    targets = [arg for arg in args if not arg.startswith("-")][1:]
    hit = any(
        (plain_path(arg) in ("/", "~", ".", "..") and recursive and plain_path(arg) not in (".",))
        or (outside(arg) and (recursive or plain_path(arg).count("/") <= 1))
        for arg in targets
    )
    opened = any(re.fullmatch(r"0?[0-7]?(?:777|000|666)|a\+rwx|[ugo]*=", arg) for arg in args)
    if hit or (opened and any(outside(arg) or holds_credentials(arg) for arg in targets)):
        return {K.DESTRUCTIVE_SHELL}
    return set()


def _dd(args: list[str]) -> Kinds:
    target = next((arg[3:] for arg in args if arg.startswith("of=")), "")
    return (
        {K.DESTRUCTIVE_SHELL}
        if target and (device(target) or (precious(target, recursive=True) and outside(target)))
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
        if any(outside(arg) or precious(arg, recursive=False) for arg in args if not arg.startswith("-"))
        else set()
    )


def _kill(args: list[str]) -> Kinds:
    line = " ".join(args)
    if re.search(r"(?:^|\s)-(?:9|KILL|SIGKILL|TERM|15|s \w+)\s+(?:--\s+)?(?:-1|1)(?:\s|$)", line) or re.search(
        r"--\s*-1|^-1$|^1$", line
    ):
        return {K.DESTRUCTIVE_SHELL}
    return set()


def _pkill(args: list[str]) -> Kinds:
    line = " ".join(args)
    wide = re.search(
        r"-[uU]\s*(?:root|0|\$)|-f\s+['\"]?\.(?:\*)?(?:\s|$)|(?:^|\s)(?:-1|sshd|systemd|init|dockerd|postgres|mysqld|auditd|falco)(?:\s|$)",
        line,
    )
    return {K.DESTRUCTIVE_SHELL} if wide else set()


def _find(args: list[str]) -> Kinds:
    if "-delete" not in args:
        return set()
    roots = []
    for arg in args:
        if arg.startswith(("-", "(", "!")):
            break
        roots.append(arg)
    narrowed = any(arg in ("-name", "-iname", "-path", "-regex", "-mtime", "-mmin", "-empty") for arg in args)
    wide = any(precious(root, recursive=True) and outside(root) for root in roots) or (
        not narrowed and any(plain_path(root) in (".", "~", "..") for root in roots or ["."])
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


def _init(args: list[str]) -> Kinds:
    return {K.DESTRUCTIVE_SHELL} if args[:1] in (["0"], ["6"], ["1"], ["s"], ["S"]) else set()


def _lookup(args: list[str]) -> Kinds:
    """Name look-ups carry data out when the name is put together from something."""
    return {K.NETWORK_FETCH} if any(UNKNOWN in arg or "\ue002" in arg or len(arg) > 80 for arg in args) else set()


def _certutil(args: list[str]) -> Kinds:
    return {K.NETWORK_FETCH} if any("urlcache" in arg.lower() for arg in args) else set()


def _openssl(args: list[str]) -> Kinds:
    return {K.NETWORK_FETCH} if args[:1] == ["s_client"] else set()


_SPECIAL: dict[str, Callable[[list[str]], Kinds]] = {
    **dict.fromkeys(("rm", "unlink", "rmdir", "grm", "trash", "gio", "wipe"), _rm),
    **dict.fromkeys(("del", "erase", "rd"), _windows_del),
    **dict.fromkeys(("remove-item", "ri"), _remove_item),
    **dict.fromkeys(("chmod", "chown", "chgrp", "chattr", "setfacl", "icacls", "takeown"), _mode),
    **dict.fromkeys(("mv", "move", "move-item", "ren"), _mv), **dict.fromkeys(("cp", "ln", "install", "copy"), _cp),
    **dict.fromkeys(("dd", "dcfldd"), _dd), **dict.fromkeys(("dig", "nslookup", "host", "ping"), _lookup),
    **dict.fromkeys(("pkill", "killall", "taskkill"), _pkill),
    "git": _git, "truncate": _truncate, "fallocate": _truncate, "kill": _kill, "find": _find, "fd": _find,
    "rsync": _rsync,
    "init": _init, "certutil": _certutil, "openssl": _openssl,
}  # fmt: skip
DANGEROUS_NAMES = tuple(dict.fromkeys((*_SPECIAL, *_ALWAYS, "bash", "sh", "python", "perl", "base64", "cat")))
"""What a wildcard in a command's name is tried against."""


def known_names() -> frozenset[str]:
    """Every name with an entry in some table."""
    tables = (_ALWAYS, _PACKAGERS, _NOT_INSTALL, _SECRETS, _PRIVILEGE, _SPECIAL, _MORE)
    found = {name for table in tables for name in table} | _CLOUDS | _RAW_WRITERS
    return frozenset(found | {"mkfs", "mke2fs", "newfs", "tee", "touch", "mkdir", "cat", "less", "more", "head",
    "tail", "npx", "uvx",
                              "rpm", "dpkg", "pacman", "tar", "unzip", "sed", "grep", "base64", "install-module",
                              "nix-env", "pkg_add",
                              "cp", "scp", "gpg", "bunx", "installer", "xxd", "strings", "printf", "echo"})  # fmt: skip
