"""Which commands do what, by name: data for `commands.py`."""

from __future__ import annotations

import re

from services.firewall.domain.model import SemanticKind as K

ALWAYS: dict[str, K] = dict.fromkeys(
    ("shred", "wipefs", "blkdiscard", "wipe", "srm", "scrub", "shutdown", "reboot", "halt", "poweroff", "killall5",
    "lvremove",
     "vgremove", "pvremove", "dropdb", "diskpart", "clear-disk", "format-volume", "stop-computer", "restart-computer",
     "vssadmin", "bcdedit", "initialize-disk", "remove-partition", "bleachbit", "telinit", "grub-install", "mkswap",
     "remove-vm", "stop-service", "remove-aduser", "clear-eventlog", "clear-recyclebin", "badblocks",
     "userdel", "deluser", "groupdel",
     "dropuser", "rimraf"), K.DESTRUCTIVE_SHELL,
) | dict.fromkeys(
    ("ld.so", "sudo", "doas", "pkexec",
     "runas", "visudo", "su", "gsudo", "sudoedit", "setcap", "nsenter", "newgrp", "chroot"),
    K.PRIVILEGE_ESCALATION,
) | dict.fromkeys(
    ("curl", "wget", "aria2c", "lynx", "w3m", "links", "elinks", "nc", "ncat", "netcat", "socat", "telnet", "ftp",
    "tftp",
     "scp", "sftp", "invoke-webrequest", "iwr", "irm", "invoke-restmethod", "start-bitstransfer", "bitsadmin",
     "axel", "xh",
     "httpie", "rclone", "s3cmd", "croc", "ngrok", "cloudflared", "chisel", "lftp", "curlie", "smbclient", "wormhole",
     "proxychains", "torsocks", "mshta", "regsvr32", "lwp-download", "lwp-request", "wget2", "gdown", "rsh", "rcp",
     "ipfs",
     "yt-dlp", "youtube-dl", "sshfs", "curlftpfs"),
    K.NETWORK_FETCH,
) | dict.fromkeys(
    ("printenv", "mimikatz", "secret-tool", "get-credential", "lazagne", "unshadow", "cmdkey", "vaultcmd",
    "ssh-keyscan-secrets",
     "hashdump", "pwdump", "trufflehog-dump"), K.CREDENTIAL_ACCESS,
)  # fmt: skip

PACKAGERS: dict[str, frozenset[str]] = {
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
NOT_INSTALL: dict[str, frozenset[str]] = {
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

RAW_WRITERS = frozenset({"dd", "dcfldd", "pv", "cat", "cp", "mv", "tee", "install"})
STATELESS_READERS = frozenset(
    {"ls", "chmod", "chown", "ssh-keygen", "ssh-add", "stat", "test", "[", "[[", "touch", "mkdir", "echo", "ssh",
    "git", "printf",
     "dotenv", "docker-compose", "rm", "find", "true", "kubectl", "helm", "openssl", "export", "cd", "ssh-copy-id",
     "wc", "file",
     "docker", "node", "python", "python3", "npm", "npx", "uvicorn", "pytest", "flask", "code", "alias",
     "realpath", "basename",
     "dirname", "readlink", "local", "declare"}
)  # fmt: skip
"""Commands that name such a file without showing what is in it."""
CLOUDS = frozenset({"aws", "gcloud", "az", "gsutil", "bq", "doctl", "heroku", "fly", "flyctl", "gh", "glab",
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
                     "history", "journalctl", "auditctl", "ip", "ifconfig", "route", "usermod"})  # fmt: skip
VERBS = re.compile(
    r"^(?:batch-delete|leave|delete|destroy|terminate|remove|purge|nuke|wipe|drop|flush|erase|uninstall|undefine|deregister|decommission|revoke"
    r"|flushall|flushdb|unpublish|rb|drain|obliterate|zeroize)(?:$|[-_:].*|all$|db$)"
    r"|^(?:[\w-]+:)(?:destroy|delete|drop|reset|purge)$|^(?:eraseDisk|eraseVolume|zeroDisk|secureErase|partitionDisk)$",
    re.IGNORECASE,
)
MORE: dict[str, re.Pattern[str]] = {
    "terraform": re.compile(r"\b(?:state rm|force-unlock|apply .*-destroy|workspace delete)\b"),
    "tofu": re.compile(r"\b(?:state rm|apply .*-destroy)\b"),
    "docker": re.compile(
        r"(?:^|\s)(?:rm (?:.*\s)?(?:-\w*f|--force|-\w*v)"
        r"|(?:stack|service|config|secret) rm|volume rm|network rm|system prune|volume prune|(?:image|container"
        r"|builder) prune (?:.*\s)?(?:-\w*a|--all)"
        r"|rmi (?:.*\s)?(?:-\w*f|--force)|compose (?:.*\s)?down (?:.*\s)?(?:-v|--volumes|--rmi)|swarm leave|stop"
        r" \S*\$|kill )"
    ),
    "docker-compose": re.compile(r"\b(?:down|rm) (?:.*\s)?(?:-\w*v\b|--volumes|--rmi)"),
    "kubectl": re.compile(r"\b(?:scale .*--replicas[= ]0|replace .*--force|cordon |rollout undo|patch .*finalizers)"),
    "aws": re.compile(
        r"\bs3 (?:rm .*--recursive|rb |sync .*--delete)|\bs3api delete|stop-instances|schedule-key-deletion|disable-"
    ),
    "supabase": re.compile(r"\bdb reset\b"),
    "nomad": re.compile(r"-purge\b|\bsystem gc\b"),
    "pulumi": re.compile(r"\bstack rm\b"),
    "vercel": re.compile(r"\brm\b"),
    "netlify": re.compile(r"\bsites:delete\b"),
    "bq": re.compile(r"\brm\b"),
    "gcloud": re.compile(r"\bstorage rm\b"),
    "ip": re.compile(r"\blink set .*\bdown\b|\b(?:route|addr|address|rule) (?:del|flush)\b"),
    "ifconfig": re.compile(r"\bdown\b"),
    "route": re.compile(r"\bdel(?:ete)?\b"),
    "usermod": re.compile(r"(?:^|\s)(?:-L|--lock)\b"),
    "auditctl": re.compile(r"-e ?0|-D\b"),
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
    "rabbitmqctl": re.compile(r"\b(?:force_)?reset\b|\bstop(?:_app)?\b|\bforget_cluster_node\b"),
    "pm2": re.compile(r"^(?:kill|delete)\b"),
    "helm": re.compile(r"\brollback\b"),
    "journalctl": re.compile(r"--vacuum|--flush"),
    "swapoff": re.compile(r"-a"),
    "rmmod": re.compile(r"."),
    "efibootmgr": re.compile(r"-B"),
}
SAFE_VERB_FLAGS = re.compile(
    r"(?:^|\s)(?:--dry-run(?:=\S+)?|--help|-h$|--plan|--what-if|-whatif)(?:\s|$)", re.IGNORECASE
)
SECRETS: dict[str, re.Pattern[str]] = {
    "aws": re.compile(r"\b(?:configure (?:get|export-credentials)|secretsmanager get-secret|ssm"
                      r" get-parameter.*--with-decryption|sts (?:get-session-token"
                      r"|assume-role|get-federation)|iam create-access-key|ecr get-login|kms decrypt|rds"
                      r" generate-db-auth)"),
    "gcloud": re.compile(r"\b(?:auth (?:application-default )?print-(?:access|identity)-token|secrets versions"
                         r" access|iam service-accounts keys create)"),
    "az": re.compile(r"\b(?:account get-access-token|keyvault (?:secret|key) (?:show|download)|ad sp create"
                     r"|storage account keys list)"),
    "kubectl": re.compile(r"\b(?:(?:get|describe|edit) (?:.*\s)?secrets?(?![\w-])|config view .*--raw|create token)"),
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
}  # fmt: skip
PRIVILEGE: dict[str, re.Pattern[str]] = {
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
    "kubectl": re.compile(r"cluster-admin|\bdebug node/|hostPID|hostNetwork|[Pp]rivileged\W{1,4}true"
                          r"|create (?:clusterrolebinding|rolebinding)|--as[= ]system|auth reconcile"),
    "aws": re.compile(r"\biam (?:attach-\w+-policy|put-\w+-policy|add-user-to-group|create-login-profile"
                      r"|update-assume-role-policy|create-user|create-policy-version)"),
    "gcloud": re.compile(r"add-iam-policy-binding|set-iam-policy"),
    "az": re.compile(r"role assignment create"),
    "net": re.compile(r"(?i)localgroup \S*admin\S* .*/add|user \S+ \S+ /add"),
    "set-executionpolicy": re.compile(r"(?i)bypass|unrestricted"),
    "add-localgroupmember": re.compile(r"(?i)admin"),
    "start-process": re.compile(r"(?i)-verb\s+runas"),
    "setfacl": re.compile(r"/etc|/root"),
    "systemctl": re.compile(r"\b(?:link|edit|set-environment)\b|\benable\b.*\s[/.]"),
    "createuser": re.compile(r"(?:^|\s)-\w*s|--superuser|--createrole"),
    "sysctl": re.compile(r"-w|="),
    "insmod": re.compile(r"."), "modprobe": re.compile(r"^(?!-r)."),
    "capsh": re.compile(r"."), "unshare": re.compile(r"-\w*r|--map-root"),
    "spctl": re.compile(r"--master-disable"), "csrutil": re.compile(r"disable"),
    "setenforce": re.compile(r"0|permissive", re.IGNORECASE),
    "dscl": re.compile(r"-append .*admin"),
}  # fmt: skip
