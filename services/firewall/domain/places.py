"""Paths that matter: where secrets lie, what lies outside a working directory, what must not be removed.

A path is read as a file system would: `~`, `.` and `..` resolved, either slash, percent and look-alike forms undone.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from functools import lru_cache
from urllib.parse import unquote

from services.firewall.domain.hosts import fold

PATH_MAX = 1024
UNKNOWN = "\ue000"
"""Stands for a part of a word that only running it would tell."""

_DRIVE = re.compile(r"^([a-z]):/")
_CREDENTIAL = re.compile(
    r"(?:^|/)(?:"
    r"\.ssh/(?!known_hosts|config$|[^/]*\.pub$|authorized_keys)[^/]*"
    r"|\.ssh/?$|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?!\.pub)"
    r"|\.aws/(?:credentials|config|sso.*|cli/cache.*)|\.aws/?$|\.azure(?:/.*)?|\.config/gcloud(?:/.*)?|\.oci(?:/.*)?"
    r"|\.kube(?:/config.*)?|kubeconfig|admin\.conf|\.docker/config\.json|\.dockercfg|\.netrc|_netrc|\.pgpass"
    r"|\.my\.cnf"
    r"|\.npmrc|\.pypirc|\.git-credentials|\.gnupg(?:/.*)?|\.password-store(?:/.*)?|\.vault-token"
    r"|\.terraform\.d/credentials.*"
    r"|\.cargo/credentials(?:\.toml)?|\.config/gh/hosts\.yml|\.config/hub|\.bash_history|\.zsh_history"
    r"|\.mysql_history|\.psql_history"
    r"|\.env(?:\.(?!example|sample|template|dist|defaults?|md$|rst$)[\w.-]+)?|\.envrc|\.htpasswd"
    r"|credentials\.(?:json|csv|xml|ya?ml|ini)|client_secrets?\.json|[\w-]*service[-_]?account[\w-]*\.json"
    r"|secrets?\.(?:ya?ml|json|toml|env|txt)"
    r"|application_default_credentials\.json|terraform\.tfstate(?:\.backup)?"
    r"|\.?secrets?/[^/]+\.(?:ya?ml|json|env|txt|ini|toml)|[\w.-]+\.tfvars(?:\.json)?|vault\.ya?ml|\.vault[_-]pass\w*"
    r"|\.config/[\w ./-]*(?:cookies|login data|web data)|tomcat-users\.xml|hudson\.util\.secret"
    r"|(?!example|sample|template|test|dummy)[\w-]+\.env"
    r"|wp-config\.php|web\.config|\.s3cfg|\.boto|\.databrickscfg|\.snowsql/config|\.mongorc\.js|\.pgpass\.conf"
    r"|\.lftprc"
    r"|\.config/(?:solana|rclone|doctl|hcloud|containers/auth\.json|op|1password|keepassxc|filezilla|configstore"
    r"|git/credentials)(?:/.*)?"
    r"|(?:\.local/share/)?keyrings(?:/.*)?|[\w.-]+\.keyring|\.ethereum/keystore(?:/.*)?|\.bitcoin(?:/.*)?"
    r"|\.electrum(?:/.*)?"
    r"|\.(?:node_repl|python|rediscli|irb|fish|sqlite|ash|sh)_history|fish_history|consolehost_history\.txt"
    r"|unattend\.xml|sysprep\.inf"
    r"|groups\.xml|filezilla\.xml|recentservers\.xml|\.rdp|master\.key|credentials\.yml\.enc|secret_token\.rb"
    r"|local state|web data|ntuser\.dat|credentials\.db|access_tokens\.db|access[-_]?tokens\.json"
    r"|msal_token_cache\.\w+"
    r"|microsoft/(?:credentials|protect|vault|crypto)(?:/.*)?|(?:chrome|chromium|brave-browser|edge|firefox|opera"
    r"|safari)/.*cookies"
    r"|[\w.-]+\.(?:nmconnection|wallet|asc\.key|kwallet|keytab|p8|jceks|agekey)"
    r"|login data|cookies\.sqlite|logins\.json|key[34]\.db|login\.keychain(?:-db)?|keychains(?:/.*)?|wallet\.dat"
    r"|windows/system32/config/(?:sam|security|system)|windows/ntds/ntds\.dit"
    r"|[\w.-]+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|ovpn)"
    r")$"
)
_CREDENTIAL_ABSOLUTE = re.compile(
    r"^/(?:private/)?(?:etc/(?:shadow-?|gshadow-?|sudoers(?:\.d/.*)?|master\.passwd|security/opasswd|krb5\.keytab"
    r"|ssl/private(?:/.*)?"
    r"|ssh/ssh_host_\w+_key|kubernetes/.*|rancher/.*|passwd|wireguard/.*|ipsec\.(?:secrets|d/private(?:/.*)?)"
    r"|ppp/(?:chap|pap)-secrets|openvpn/.*|letsencrypt/(?:live|archive|keys)(?:/.*)?"
    r"|networkmanager/system-connections(?:/.*)?|wpa_supplicant(?:/.*)?|pki/(?:tls/)?private(?:/.*)?"
    r"|samba/private(?:/.*)?|mysql/debian\.cnf|ldap\.secret"
    r"|pam_ldap\.secret|[\w./-]*secrets?(?:\.\w+)?|docker/key\.json|azure/.*)|proc/[^/]+/(?:environ|mem|maps)"
    r"|dev/(?:k?mem|port|sd\w+|nvme\w+|vd\w+)|proc/kcore"
    r"|var/run/secrets(?:/.*)?|run/secrets(?:/.*)?|var/lib/kubelet/.*|var/lib/docker/swarm/.*"
    r"|(?:var/)?run/docker\.sock|root/\.[\w-]+.*)$"
    r"|^[a-z]:/windows/(?:system32/config/(?:sam|security|system)|ntds(?:/.*)?|repair/(?:sam|system|security))$"
    r"|hklm[:/]+(?:sam|security|system)$"
)
_HOME_SECRET = re.compile(
    r"^(?:~|/root|/home/[^/]+|/users/[^/]+|[a-z]:/users/[^/]+)/\.(?!ssh/|vscode|cache/)[\w.-]+/(?:.*/)?"
    r"(?:[\w.-]*(?:cred|auth|token|secret|passw)[\w.-]*|settings\.xml|settings-security\.xml|nuget\.config"
    r"|gradle\.properties"
    r"|jupyter_server_config\.\w+)$"
)
"""What programs keep in hidden directories of a home, by a name that says what it is."""
_CLIMBS = re.compile(r"^(?:\.\./){2,}(?:windows|winnt|etc|proc|root|boot\.ini)(?:/|$)")
"""Up and away into the system's own directories."""
_SYSTEM_VARIABLE = re.compile(
    r"^(?:%(?:appdata|programdata|systemroot|windir|programfiles)%|\$env:(?:appdata"
    r"|programdata|systemroot|windir))/"
)
_HARMLESS_DEV = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero", "/dev/stdin"})
_DEVICE = re.compile(
    r"^/dev/(?:[shvx]v?d[a-z]|nvme|mmcblk|disk|r?disk|loop|md|dm-|mapper/|mem|kmem|port|vg|sg"
    r"|sr)\w*"
)
_WORK_ROOTS = re.compile(
    r"^/(?:tmp|var/tmp|private/tmp|var/folders|workspaces?|work|app|repo|project|projects|src|code|builds?"
    r"|testbed|sandbox|mnt/data"
    r"|data|home/[^/]+/(?!\.)[^/]+|users/[^/]+/(?!\.|library)[^/]+|home/runner/.*)(?:/|$)"
)
_TEMP = re.compile(r"^/(?:private/)?(?:var/)?tmp/[^/*?.][^/*?]*|^/dev/shm/[^/*?]+")
_ARTIFACT = re.compile(
    r"^(?:\.?(?:build|dist|out|output|outputs|target|tmp|temp|cache|caches|coverage|logs?|bin|obj|gen|generated"
    r"|site|docs/_build"
    r"|artifacts?|results?|reports?|scratch|old|bak|backup-\d+|venv|env|tox|nox|next|nuxt|turbo|parcel-cache|vite"
    r"|svelte-kit"
    r"|_cacache|_npx|_logs|pytest_cache|mypy_cache|ruff_cache|gradle|eggs|sass-cache|terraform|ipynb_checkpoints"
    r"|nyc_output"
    r"|storybook-static)"
    r"|node_modules|__pycache__|\.ds_store|[\w.-]*\.egg-info|[\w.-]*\.(?:log|tmp|pyc|o|bak|swp|out|orig|rej|class"
    r"|cache)"
    r"|(?:cmake-)?build-[\w.-]+|[\w-]*(?:_|-)(?:build|cache|tmp|temp|output|test|old|artifacts)|test[-_][\w-]+"
    r"|\*\.\w+)$"
)
_PRECIOUS = frozenset(
    {"src", "data", "database", "databases", "db", "backup", "backups", "prod", "production", ".git", ".ssh",
    ".aws", ".kube",
     "home", "etc", "var", "usr", "users", "documents", "desktop", "downloads", "migrations", "secrets", "uploads"}
)  # fmt: skip
_EVERYWHERE = tuple(
    path.split("/")
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/passwd", "/root/.ssh/id_rsa",
                 "/root/.aws/credentials",
                 "/home/user/.ssh/id_rsa", "/home/user/.aws/credentials", "~/.ssh/id_rsa", "~/.aws/credentials",
                 "/root/.bash_history", "~/.netrc", "/proc/1/environ", "/proc/self/environ")
)  # fmt: skip
"""Secrets that lie at the same place nearly everywhere: what a wildcard is tried against."""
_DATA_FILE = re.compile(r"\.(?:db|sqlite3?|mdb|accdb|ibd|frm|myd|dump|rdb|aof|ldf|mdf)$")
_WILD = re.compile(r"^[*?.\[\]{},!/]+$")


@lru_cache(maxsize=2048)
def plain_path(text: str) -> str:
    """The path in one spelling, lower-case; `~` stays in front for a home directory. Empty when it is no path."""
    path = text.strip()
    if not path or len(path) > PATH_MAX or "\n" in path:
        return ""
    path = fold(path)
    # Overlong forms of "." and "/", which lenient decoders take.
    path = re.sub(r"%(?:25)?c0%(?:25)?(?:ae|2e)", ".", path, flags=re.IGNORECASE)
    path = re.sub(r"%(?:25)?c[01]%(?:25)?(?:af|9c|5c|2f)", "/", path, flags=re.IGNORECASE)
    for _ in range(2):
        if "%" in path:
            path = unquote(path)
    lowered = path.lower().replace("\\", "/").partition("\0")[0]
    # Parameters of a path segment, which some servers drop before they look the path up.
    lowered = re.sub(r"(?<=\.\.);[^/]*", "", lowered)
    if lowered.startswith("file:"):
        lowered = "/" + lowered[5:].lstrip("/").removeprefix("localhost/")
    # What a filter that removes "../" once would leave.
    lowered = re.sub(r"(?:^|(?<=/))\.{3,}/+", "../", lowered)
    for home in ("$home", "${home}", "%userprofile%", "$env:userprofile", "$env:home"):
        if lowered.startswith(home):
            lowered = "~" + lowered[len(home) :]
    lowered = re.sub(r"^/proc/[^/]+/(?:root|cwd)(?=/)", "", lowered)
    lowered = re.sub(r"^(?:/root|~root)(?=/|$)", "/root", lowered)
    absolute = lowered.startswith("/")
    kept = posixpath.normpath(lowered) if lowered else ""
    if absolute:
        kept = "/" + kept.lstrip("/")
    return kept


def holds_credentials(text: str) -> bool:
    """A file or directory made to keep secrets."""
    path = plain_path(text)
    if not path or path == UNKNOWN:
        return False
    if "*" in path or "?" in path or "[" in path:
        return _names_credentials(path)
    climbed = "/" + path.lstrip("./") if path.startswith("../") else path
    if _CREDENTIAL_ABSOLUTE.search("c:" + climbed) or _CLIMBS.match(path) or _HOME_SECRET.match(path):
        return True
    if _CREDENTIAL_ABSOLUTE.search(path) or _CREDENTIAL_ABSOLUTE.search(climbed):
        return True
    # A bare word such as `key` in prose has no dot, slash or tell-tale ending; these patterns all need one.
    return _CREDENTIAL.search(path) is not None and (" " not in path or "/" in path)


def _names_credentials(pattern: str) -> bool:
    """Whether a wildcard would find such a file: one of those every machine has, or one with the same ending."""
    parts = pattern.split("/")
    if pattern[:1] in "/~":
        for known in _EVERYWHERE:
            if len(known) == len(parts) and all(map(fnmatch.fnmatchcase, known, parts)):
                return True
    filled = re.sub(r"\[[^\]/]*\]|[*?]", "x", pattern)
    return bool(
        _CREDENTIAL_ABSOLUTE.search(filled)
        or _CREDENTIAL.search(filled)
        or _CREDENTIAL.search(pattern.replace("*", ""))
    )


def data_file(text: str) -> bool:
    """A file that holds a database or a dump of one."""
    return _DATA_FILE.search(plain_path(text)) is not None


def outside(text: str) -> bool:
    """Writing there leaves the working directory: a system directory, a dot file at home, or up and away."""
    path = plain_path(text)
    if not path or path in _HARMLESS_DEV or path.startswith("/dev/fd/"):
        return False
    if "start menu/programs/startup" in path or _SYSTEM_VARIABLE.match(path):
        return True
    if "/.git/hooks/" in f"/{path}" or path.endswith(".git/config"):
        # Git runs it, wherever it lies.
        return True
    if path.startswith("~"):
        return bool(re.match(r"^~\w*/?(?:\.|$|library/)", path))
    if path == ".." or path.startswith("../"):
        return True
    if _DRIVE.match(path):
        return bool(re.match(r"^[a-z]:/(?:windows|program|users/[^/]+/appdata|$)", path))
    if not path.startswith("/") or path == "/" + UNKNOWN:
        return False
    return not _WORK_ROOTS.match(path + "/")


def device(text: str) -> bool:
    """A disk or raw memory."""
    path = plain_path(text)
    return bool(_DEVICE.match(path)) or path.startswith(("//./physicaldrive", "/proc/sysrq-trigger"))


def precious(text: str, *, recursive: bool) -> bool:
    """Removing it is more than clearing away what a build left."""
    path = plain_path(text)
    if not path:
        return False
    if path.startswith(UNKNOWN):
        return recursive
    if _TEMP.match(path) and ".." not in path:
        return False
    if path.startswith("/") or path.startswith("~") or _DRIVE.match(path):
        return _precious_absolute(path, recursive=recursive)
    if path == ".." or path.startswith("../"):
        return recursive or "*" in path
    if _WILD.match(path):
        return True
    parts = path.split("/")
    if any(_ARTIFACT.match(part) for part in parts):
        return False
    if ".git" in parts:
        return True
    if parts[-1] == "*":
        return recursive
    return recursive and (parts[-1] in _PRECIOUS)


def _precious_absolute(path: str, *, recursive: bool) -> bool:
    parts = [part for part in path.split("/") if part]
    last = parts[-1] if parts else ""
    if not _WORK_ROOTS.match(path + "/"):
        cached = bool({".cache", "caches"} & set(parts[:-1]))
        return not (path.startswith("~/") and len(parts) > 2 and (cached or _ARTIFACT.match(last)))
    if not recursive and not _WILD.match(last or "*"):
        return last.startswith(".git") and last == ".git"
    return not (len(parts) >= 2 and _ARTIFACT.match(last))
