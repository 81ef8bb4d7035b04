"""PowerShell, whose quoting and names differ from a POSIX shell's: what a text shows, and its statements as words."""

from __future__ import annotations

import re

from services.firewall.domain.folding import folded_powershell
from services.firewall.domain.model import SemanticKind as K

CODE_MAX = 32_768

_POWERSHELL_BAD = re.compile(
    r"(?i)\b(?:clear-disk|format-volume|initialize-disk|remove-partition|stop-computer|restart-computer"
    r"|clear-eventlog|remove-aduser|remove-vm"
    r"|disable-computerrestore|shadowcopy\s+delete"
    r"|set-mppreference\s+.*-disable\w+\s+\$?true|delete\s+shadows)\b"
)
_POWERSHELL_REMOVE = re.compile(r"(?i)\b(?:remove-item|ri|rm|del|rmdir|erase|rd)\b([^;|\n]*)")
_RUNS_REMOTE = re.compile(
    r"(?i)\b(?:iex|invoke-expression)\b.{0,400}(?:downloadstring|iwr|irm|invoke-webrequest|invoke-restmethod"
    r"|webclient)|(?:downloadstring|iwr|irm|invoke-webrequest|invoke-restmethod)\b.{0,400}\|\s*(?:iex"
    r"|invoke-expression)"
)
_POWERSHELL_CALLS = re.compile(
    r"(?i)win32shutdown\s{0,8}\(|\b(?:disable|uninstall|clear|remove)-(?:net|windows|ad|vm|volume|disk|partition"
    r"|bitlocker|localuser)\w*"
    r"|\b(?:get-childitem|gci|dir|ls)\b[^|;]{0,200}(?:[a-z]:\\|\$home|~|\$env:userprofile)[^|;]{0,200}"
    r"\|[^;]{0,200}\b(?:remove-item|ri|del|rm)\b"
    r"|"
    r"scriptblock\]::create\(|io\.(?:directory|file)\]::delete\(|shadowcopy.{0,120}delete"
    r"|\bget-\w{1,40}\s{0,8}(?:-(?:filter|name)\s{1,8}['\"]?\*['\"]?\s{0,8})?\|\s{0,8}(?:stop|remove|format|clear"
    r"|disable|uninstall"
    r"|restart)-\w+"
    r"|\bforfiles\b.{0,400}\b(?:del|rd|rmdir|erase|format)\b|invoke-(?:mimikatz|kerberoast|dcsync|bloodhound"
    r"|shellcode"
    r"|reflectivepe)"
)


def powershell_kinds(text: str) -> set[K]:
    """Kinds that a PowerShell text shows."""
    kinds: set[K] = set()
    text = folded_powershell(text)
    if _POWERSHELL_BAD.search(text) or _POWERSHELL_CALLS.search(text) or _RUNS_REMOTE.search(text.replace("\n", " ")):
        kinds.add(K.DESTRUCTIVE_SHELL)
    for match in _POWERSHELL_REMOVE.finditer(text):
        if re.search(r"(?i)-r(?:e|ec|ecurse)?\b|/s\b|-rf", match[1]) and (
            re.search(r"[A-Za-z]:\\|\*|~|\$(?:env|home)|/", re.sub(r"/[A-Za-z]\b", "", match[1]))
            or not _words(match[1])
        ):
            kinds.add(K.DESTRUCTIVE_SHELL)
    if re.search(
        r"(?i)historysavepath|defaultpassword|get-childitem\s+env:|gci\s+env:|dir\s+env:|ls\s+env:"
        r"|\[environment\]::getenvironmentvariables"
        r"|export-clixml|convertfrom-securestring|sekurlsa",
        text,
    ):
        kinds.add(K.CREDENTIAL_ACCESS)
    if re.search(
        r"(?i)schtasks\s+/create"
        r"|>\s{0,8}['\"]?[a-z]:\\(?:windows|program)|register-scheduledtask|new-service|reg\s+add\s.*\\run(?:once)?\b",
        text,
    ):
        kinds.add(K.FILE_WRITE_OUTSIDE)
    return kinds


def _words(text: str) -> list[str]:
    return [word.strip("'\"") for word in text.split() if not word.startswith(("-", "/"))]


def powershell_commands(text: str) -> list[list[str]]:
    """Statements as words: names are case-insensitive and a caret or back-tick inside them means nothing."""
    plain = folded_powershell(re.sub(r"[`^]", "", text[:CODE_MAX]))
    found = []
    for statement in re.split(r"[;\n|&{}()]+", plain)[:200]:
        words = [
            first or second or third
            for first, second, third in re.findall(
                r"'([^']*)'"
                r"|\"([^\"]*)\"|(\S+)",
                statement,
            )
        ]
        if words:
            found.append(words[:64])
    return found
