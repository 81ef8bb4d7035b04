"""Commands that run other commands, and words by which prose is told from a command line: data for `shell.py`."""

from __future__ import annotations

import re

SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "rbash", "mksh", "csh", "tcsh", "busybox-sh", "git-bash"}
)
CODE = {"python": "python", "python2": "python", "python3": "python", "pypy": "python", "pypy3": "python",
    "perl": "perl",
         "ruby": "ruby", "node": "node", "nodejs": "node", "deno": "node", "bun": "node", "php": "php", "lua": "lua",
         "tclsh": "tcl", "rscript": "r", "osascript": "osascript", "awk": "awk", "gawk": "awk", "mawk": "awk",
         "nawk": "awk",
         "groovy": "groovy", "elixir": "elixir", "julia": "julia", "ipython": "python", "ts-node": "node",
         "irb": "ruby",
         "jshell": "java"}  # fmt: skip
CODE_FLAGS = {"python": ("-c",), "perl": ("-e", "-E", "-ne", "-pe", "-ple", "-lne"), "ruby": ("-e", "-ne"),
               "node": ("-e", "-p", "-pe", "--eval", "--print", "eval"), "php": ("-r",), "lua": ("-e",), "r": ("-e",),
               "osascript": ("-e",), "groovy": ("-e",), "elixir": ("-e",), "julia": ("-e",)}  # fmt: skip
POWERSHELL = frozenset({"powershell", "pwsh"})
SQL_CLIENTS = frozenset({"psql", "mysql", "mariadb", "sqlite3", "sqlcmd", "clickhouse-client", "clickhouse",
    "duckdb", "cockroach",
                          "snowsql", "bq", "mycli", "pgcli", "sqlplus", "isql", "presto", "trino", "beeline",
                          "spark-sql", "usql",
                          "impala-shell", "hive", "influx", "cqlsh", "osql", "db2", "vsql", "wp", "turso",
                          "litecli"})  # fmt: skip
MONGO = frozenset({"mongo", "mongosh", "mongoexport"})
WITH_VALUE = {
    "sudo": "ugpCcDhRrtT", "doas": "uC", "env": "uCS", "timeout": "sk", "nice": "n", "ionice": "cnpP", "stdbuf": "ioe",
    "xargs": "IiLlnPsdEa", "parallel": "jNnIL", "watch": "n", "time": "fo", "strace": "eopsu", "ltrace": "eopsu",
    "flock": "wEc",
    "chroot": "", "unshare": "", "nsenter": "tSG", "runuser": "ugGs", "su": "sgG", "setsid": "", "nohup": "",
    "exec": "a",
    "command": "", "builtin": "", "busybox": "", "toybox": "", "chrt": "", "taskset": "", "systemd-run": "pu",
    "script": "", "gosu": "",
    "setpriv": "", "firejail": "", "proot": "rbw", "unbuffer": "", "caffeinate": "tw", "dbus-run-session": "",
    "xvfb-run": "sn",
    "torsocks": "", "proxychains": "f", "rlwrap": "", "catchsegv": "", "pkexec": "", "noglob": "", "nocorrect": "",
    "dotenv": "f",
    "poetry": "", "uv": "", "pipenv": "", "direnv": "", "aws-vault": "", "bundle": "", "wsl": "", "winpty": "",
    "faketime": "", "runas": "",
    "coproc": "", "npx": "p", "bunx": "", "pnpx": "", "uvx": "",
    "gsudo": "", "eatmydata": "",
    "setarch": "", "linux64": "", "linux32": "", "logsave": "", "valgrind": "", "numactl": "CNmpi", "choom": "n",
    "prlimit": "", "cpulimit": "lp", "fakeroot": "", "lxc-attach": "n", "machinectl": "",
}  # fmt: skip
TAKES_POSITIONAL = {
    "setarch": 1,
    "logsave": 1,
    "timeout": 1,
    "chroot": 1,
    "flock": 1,
    "chrt": 1,
    "taskset": 1,
    "gosu": 1,
    "faketime": 1,
}
RUN_WORD = frozenset({"poetry", "uv", "pipenv", "direnv", "aws-vault", "bundle"})
REMOTES = frozenset({"ssh", "sshpass", "autossh", "plink", "mosh", "ansible"})
CONTAINER = frozenset(
    {"docker", "podman", "nerdctl", "kubectl", "oc", "lxc", "incus", "docker-compose", "crictl", "ctr"}
)
CONTAINER_VALUE = re.compile(
    r"^(?:-[nceuwlvp]|--(?:namespace|container|env|user|workdir|name|volume|entrypoint|network|mount|context"
    r"|kubeconfig))$"
)
SSH_VALUE = "bcDEeFIiJLlmOopQRSWw"
SECRET_NAME = re.compile(
    r"(?:SECRET|TOKEN|PASSW|PASSPHRASE|API_?KEY|PRIVATE_KEY|CREDENTIAL|ACCESS_KEY|_PAT$|AUTH_KEY)", re.IGNORECASE
)
METADATA = re.compile(
    r"169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200|169\.254\.170\.2|fd00:ec2::254"
)
RECURSIVE_FLAGS = re.compile(r"^-\w*r\w*f|^-\w*f\w*r|^-[rR]$|^--no-preserve-root$")
STOP = frozenset(
    {"the", "is", "are", "was", "how", "what", "why", "when", "which", "does", "do", "did", "can", "should",
    "would", "will", "your",
     "you", "this", "that", "these", "those", "a", "an", "of", "in", "it", "its", "for", "with", "please",
         "explained",
     "explain", "dangerous", "meaning", "difference", "between", "vs", "versus", "tutorial", "example", "examples",
     "not", "and", "or",
     "safely", "about", "they", "we", "i", "my", "our", "be", "by", "from", "have", "has", "if", "because",
     "using", "means", "command",
     "guide", "works", "work", "error", "again", "before", "after", "me", "us", "on", "at", "as", "to", "into",
     "all", "old", "new"}
)  # fmt: skip
STRONG_STOP = frozenset({"the", "is", "are", "how", "what", "why", "when", "does", "explained", "please",
    "dangerous", "meaning",
                          "difference", "between", "tutorial", "should", "safely", "means", "vs"})  # fmt: skip
CARRIED = frozenset({"rm", "shred", "dd", "mkfs", "wipefs", "sh", "bash", "zsh", "dash", "ksh"})
"""Names that, as a word of another program, are most likely what that program runs."""
RUNS_TEXT = frozenset({"-c", "-e", "-x", "-ex", "-wrapper", "--command", "--cmd", "--exec", "--execute", "--eval",
    "--filter", "--run",
                       "--shell", "--up", "--call"})  # fmt: skip
"""Options whose value many programs run."""
TALKERS = frozenset({"echo", "printf", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "man", "tldr", "which",
    "type", "whereis",
                     "apropos", "info", "help", "gh", "glab", "say", "logger", "wall", "notify-send", "jq", "yq",
                         "sed", "awk", "cat",
                     "ls", "cd", "test", "[", "[[", "pytest", "true", "export", "declare", "local", "read", "tr",
                         "cut", "history",
                     "fc", "cowsay", "figlet", "banner", "diff", "cmp", "comm", "wc", "head", "tail", "sort",
                         "uniq", "tee", "basename",
                     "dirname", "realpath", "hash", "unalias", "chsh", "ps", "pgrep", "pkill", "killall", "pidof",
                     "stat", "file",
                     "code", "vim", "vi", "nano", "git", "hg", "svn", "rm", "mv", "cp", "chmod", "chown", "touch",
                         "mkdir"})  # fmt: skip
"""Programs that run none of their words."""
