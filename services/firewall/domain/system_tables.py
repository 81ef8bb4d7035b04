"""Programs an operating system brings along and what their arguments make of them: data for `commands.py`.

Five classes of behaviour: switching protection off, staying behind after the session, taking secrets from the system's
own stores, running what another place holds, and opening the machine to others.
"""

from __future__ import annotations

import re

from services.firewall.domain.model import SemanticKind as K

_OFF, _STAYS, _TAKES = K.DESTRUCTIVE_SHELL, K.FILE_WRITE_OUTSIDE, K.CREDENTIAL_ACCESS
_FAR, _OPENS = K.NETWORK_FETCH, K.PRIVILEGE_ESCALATION

ALWAYS_SYSTEM: dict[str, K] = {
    **dict.fromkeys(
        ("bootrec", "bootsect", "pg_dropcluster", "uninstall-windowsfeature", "disable-netadapter", "sdelete",
            "sdelete64", "rundll32", "kexec", "lvreduce", "vgreduce",
         "tune2fs", "diskshadow", "aa-disable",
         "aa-teardown", "aa-complain", "xmrig", "minerd", "cpuminer", "tcpkill", "remove-adobject",
         "disable-computerrestore", "disable-windowsoptionalfeature", "remove-eventlog", "remove-mppreference",
         "remove-volume", "lvconvert",), _OFF),
    **dict.fromkeys(
        ("register-scheduledtask", "new-service", "new-scheduledtask", "set-wmiinstance",
         "register-scheduledjob"), _STAYS),
    **dict.fromkeys(
        ("ntdsutil", "dsamain", "esentutl", "gcore", "secretsdump", "secretsdump.py", "rubeus", "sharphound",
         "bloodhound-python", "gsecdump", "nanodump", "linpeas", "linpeas.sh", "winpeas", "pspy64", "pypykatz",
         "keyctl", "kwallet-query", "get-clipboard", "get-storedcredential", "get-secret", "convertfrom-securestring",
         "keepassxc-cli",
         "hashcat",
         "aircrack-ng", "kerbrute", "debugfs", "dsniff"), _TAKES),
    **dict.fromkeys(
        ("installutil", "regasm", "regsvcs", "cmstp", "odbcconf", "ieexec", "presentationhost", "xwizard", "pcalua",
         "msdt", "syncappvpublishingserver", "desktopimgdownldr", "certoc", "psexec", "psexec64",
         "winrs", "wmiexec.py", "psexec.py", "smbexec.py", "evil-winrm", "crackmapexec", "netexec", "nxc", "sqlmap",
         "msfconsole", "msfvenom", "nikto", "gobuster", "ffuf", "dirb", "masscan", "ncrack",
         "patator", "websocat", "wscat", "ztcp", "zmodload", "enter-pssession", "invoke-command", "new-pssession",
             "proxytunnel",
         "dnscat", "dnscat2",         "frpc", "ligolo", "localtunnel", "hping3",
         "gs-netcat", "pwncat", "rustcat", "rcat", "cryptcat", "send-mailmessage",
         "swaks", "ssmtp", "msmtp"), _FAR),
    **dict.fromkeys(
        ("pivot_root", "switch_root", "vipw", "vigr", "newusers", "kextload", "kmutil", "new-localuser",
         "enable-psremoting", "bettercap", "ettercap", "arpspoof", "sysadminctl", "dsenableroot",
         "losetup", "bpftool", "systemd-cryptenroll", "chntpw", "juicypotato", "printspoofer",
         "godpotato", "add-adgroupmember",
         "add-windowscapability"), _OPENS),
}  # fmt: skip
"""Nobody needs these for everyday work, whatever their arguments."""

_READS_STORES = r"(?:sam|security|system)\b"


def _lines(*pairs: tuple[str, K]) -> tuple[tuple[re.Pattern[str], K], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in pairs)


_REGISTRY_STARTS = (
    r"\brun(?:once|services|onceex)?(?:\s|$|\\|/)|winlogon|image ?file ?execution|appinit_dlls|userinit|"
    r"currentversion.?policies|control.?lsa|wdigest|enablelua|disableantispyware|disablerealtime|fdenytsconnections|"
    r"silentprocessexit|app ?paths|ms-settings|scrnsave|command ?processor|active ?setup|shell ?folders"
)
LINES: dict[str, tuple[tuple[re.Pattern[str], K], ...]] = {
    # Windows
    "netsh": _lines(
        (r"firewall.*\b(?:off|reset|delete|disable|opmode)\b|\bwinsock reset\b|\binterface set .*disabled", _OFF),
        (r"portproxy add|firewall.*\badd\b|\btrace start\b", _OPENS),
    ),
    "add-mppreference": _lines((r"-exclusion|-attacksurface", _OFF)),
    "set-mppreference": _lines((r"-disable|-mapsreporting|-submitsamples|-exclusion", _OFF)),
    "set-netfirewallprofile": _lines((r"-enabled\s+(?:false|0|\$false)", _OFF)),
    **dict.fromkeys(
        ("set-service", "sc-service"), _lines((r"-startuptype\s+disabled|-status\s+stopped", _OFF))
    ),
    "sc": _lines((r"^(?:\S*\s+)?(?:create|config|failure|sdset)\b", _STAYS)),
    "wbadmin": _lines((r"\b(?:delete|stop|disable)\b", _OFF)),
    "auditpol": _lines((r"/(?:clear|remove)|disable", _OFF)),
    "wmic": _lines(
        (r"shadowcopy|\bdelete\b|\buninstall\b|\bterminate\b|\bshutdown\b|\breboot\b|\bremove\b", _OFF),
        (r"/node:|/format:\S*(?:http|\\)", _FAR),
        (r"process\s+call\s+create|service.*\bcreate\b|startup", _STAYS),
    ),
    "msiexec": _lines((r"https?:|\\\\", _FAR)),
    "certreq": _lines((r"-post", _FAR)),
    "certutil": _lines((r"urlcache|verifyctl|-ping|-decode|-decodehex|-encode", _FAR), (r"-exportpfx", _TAKES),
                       (r"-addstore", _OPENS)),
    "mpcmdrun": _lines((r"-downloadfile", _FAR), (r"-removedefinitions", _OFF)),
    "reg": _lines((r"^add\s.*(?:" + _REGISTRY_STARTS + r")|^(?:add|import|restore|load)\s+(?:hklm"
        r"|hkey_local)", _STAYS),
                  (r"^(?:save|export|query)\s.*hklm.*" + _READS_STORES, _TAKES),
                  (r"^query\s.*(?:/f\s+passw|winlogon|vnc|putty|snmp)", _TAKES)),
    **dict.fromkeys(("new-itemproperty", "set-itemproperty", "sp"), _lines((_REGISTRY_STARTS, _STAYS))),
    "schtasks": _lines((r"/(?:create|change)\b", _STAYS)),
    "net": _lines((r"^(?:user|localgroup|group)\s.*/add", _OPENS), (r"^share\s+\S+=", _OPENS),
                  (r"^use\s.*\\\\", _FAR), (r"^user\s+administrator\s.*/active", _OPENS)),
    "net1": _lines((r"^(?:user|localgroup|group)\s.*/add", _OPENS)),
    "fltmc": _lines((r"unload", _OFF)),
    "logman": _lines((r"\b(?:stop|delete)\b", _OFF)),
    "manage-bde": _lines((r"-(?:off|lock|forcerecovery|protectors.*-delete)", _OFF), (r"-protectors.*-get", _TAKES)),
    "reagentc": _lines((r"/disable", _OFF)),
    "fsutil": _lines((r"file\s+setzerodata|usn\s+deletejournal|volume\s+dismount", _OFF)),
    "findstr": _lines((r"passw.*\*\.(?:xml|ini|config|txt|cfg)|\\sysvol\\|cpassword", _TAKES)),
    "setx": _lines((r"/m\b", _STAYS)),
    "powercfg": _lines((r"/x|-x", _OFF)),
    "dism": _lines((r"/disable-feature|/remove", _OFF)),
    "wevtutil": _lines((r"\b(?:cl|clear-log|sl|set-log)\b", _OFF)),
    "taskkill": _lines((r"(?:msmpeng|lsass|winlogon|csrss|svchost|explorer|sense|sysmon|defender)", _OFF)),
    "stop-process": _lines((r"(?:msmpeng|lsass|winlogon|csrss|svchost|sense|sysmon|defender|\*)", _OFF)),
    "get-wmiobject": _lines((r"win32_shadowcopy.*delete", _OFF)),
    # macOS
    "launchctl": _lines((r"^(?:load|bootstrap|submit|setenv|enable|asuser|kickstart)\b", _STAYS)),
    "defaults": _lines((r"write\s.*(?:loginwindow|loginhook|lsquarantine|com\.apple\.alf|autologin)", _STAYS),
                       (r"^delete\s+(?:-g|/)", _OFF)),
    "nvram": _lines((r"-[cd]\b|=", _OFF)),
    "dscl": _lines((r"-passwd|-create\s+/users|-append|-change", _OPENS), (r"shadowhash|dsattrtypenative", _TAKES)),
    "redis-cli": _lines((r"config\s+get\s+(?:requirepass|masterauth|\*)", _TAKES), (r"config\s+set\s+(?:dir"
        r"|dbfilename|requirepass)|"
                        r"\b(?:slaveof|replicaof|module\s+load)\b", _OFF)),
    "getcap": _lines((r"-r\s+/", _OPENS)),
    "cipher": _lines((r"/[we]\b", _OFF)),
    "assoc": _lines((r"=", _STAYS)),
    "ftype": _lines((r"=", _STAYS)),
    "flask": _lines((r"db\s+downgrade\s+base", _OFF)),
    "run-parts": _lines((r"(?:^|\s)/(?!etc)", _OPENS)),
    "at": _lines((r"-f\b", _STAYS)),
    "modprobe": _lines((r"(?:^|\s)-\w*r", _OFF)),
    "chattr": _lines((r"[+=-]\w*[ia]", _OPENS)),
    "usermod": _lines((r"-s\s+\S*(?:nologin|false)", _OFF)),
    "install": _lines((r"-m\s*[0-7]?[4267]\d{3}", _OPENS)),
    "apt-key": _lines((r"\b(?:adv|add)\b", _OPENS)),
    "npm": _lines((r"--registry[= ]https?://(?!registry\.npmjs\.org)", _FAR)),
    "consul": _lines((r"kv\s+get\s.*(?:secret|-recurse)", _TAKES)),
    "railway": _lines((r"\b(?:down|delete)\b", _OFF)),
    "attrib": _lines((r"\+[hs]\b", _STAYS)),
    **dict.fromkeys(("copy", "xcopy", "robocopy", "move", "wscript", "cscript", "start"), _lines((r"(?:^"
        r"|\s)\\\\[\w.-]+\\", _FAR))),
    "chsh": _lines((r"\broot\b", _OPENS)),
    "xterm": _lines((r"-display\s+\S*[\w.]+:", _FAR)),
    **dict.fromkeys(("tailscale", "zerotier-cli", "wg-quick"), _lines((r"\b(?:up|ssh|funnel|serve|join)\b", _FAR))),
    "xattr": _lines((r"quarantine", _OPENS)),
    "security": _lines((r"authorizationdb\s+write|add-trusted-cert", _OPENS), (r"delete-(?:keychain"
        r"|certificate)", _OFF)),
    "tccutil": _lines((r"reset|insert", _OPENS)),
    "diskutil": _lines((r"\b(?:apfs\s+delete\w*|partitiondisk|erase\w+|zerodisk|securerease|deletecontainer)", _OFF)),
    "osascript": _lines((r"administrator privileges", _OPENS), (r"hidden answer", _TAKES)),
    "systemsetup": _lines((r"-setremotelogin\s+on", _OPENS)),
    "scutil": _lines((r"--proxy|--dns", _OPENS)),
    # Linux
    "mount": _lines((r"(?:^|\s)(?:-o\s*\S*(?:bind|remount)|--bind|--rbind|-t\s*\S+|/dev/\S+\s)", _OPENS)),
    "umount": _lines((r"(?:^|\s)(?:-a|--all|/)(?:\s|$)", _OFF)),
    "dmsetup": _lines((r"\b(?:remove|wipe_table|clear)", _OFF)),
    "ipset": _lines((r"\b(?:flush|destroy)\b|-[FX]\b", _OFF)),
    "tc": _lines((r"netem|qdisc\s+(?:add|replace).*\broot\b", _OFF)),
    "nmcli": _lines((r"(?:networking|radio\s+\S+)\s+off|con\w*\s+(?:delete|down)|dev\w*\s+(?:disconnect"
        r"|delete)", _OFF)),
    **dict.fromkeys(
        ("iptables", "ip6tables", "ebtables"),
        _lines((r"(?:^|\s)(?:-[AIDR]|--append|--insert|--delete|-t\s+nat)\b", _OPENS), (r"-P\s+\S+\s+DROP|(?:^"
            r"|\s)-[FXZ]\b", _OFF)),
    ),
    "nft": _lines((r"\b(?:flush|delete)\b", _OFF)),
    "firewall-cmd": _lines((r"--panic-on|--remove", _OFF), (r"--add-\w+", _OPENS)),
    "ufw": _lines((r"\b(?:disable|reset)\b", _OFF), (r"\b(?:allow|default\s+allow|delete)\b", _OPENS)),
    "loginctl": _lines((r"enable-linger", _STAYS), (r"kill-user|terminate", _OFF)),
    **dict.fromkeys(("update-rc.d", "rc-update", "chkconfig"), _lines((r"\b(?:defaults|enable|add|on)\b", _STAYS),
                                                                      (r"\b(?:disable|remove|del|off)\b", _OFF))),
    "apparmor_parser": _lines((r"-R\b", _OFF)),
    "semanage": _lines((r"permissive|-d\b", _OFF)),
    "setsebool": _lines((r".", _OPENS)),
    "fail2ban-client": _lines((r"\b(?:stop|unban|set)\b", _OFF)),
    "dmesg": _lines((r"(?:^|\s)-(?:c|C)\b|--clear|--read-clear", _OFF)),
    "coredumpctl": _lines((r"\bdump\b", _TAKES)),
    **dict.fromkeys(("john", "hydra", "medusa", "responder"), _lines((r"(?:^|\s)-\w|[/.]\w", _TAKES))),
    **dict.fromkeys(("mail", "mailx", "sendmail", "mutt", "finger", "bore", "sbd", "iodine"), _lines((r"(?:^"
        r"|\s)-\w|@", _FAR))),
    **dict.fromkeys(("hh", "fodhelper", "computerdefaults"), _lines((r"https?:|\\", _FAR))),
    "gdb": _lines((r"dump\s+(?:binary\s+)?memory|generate-core|\bgcore\b", _TAKES), (r"(?:-p|--pid)[= ]?1(?:\s"
        r"|$)", _OPENS)),
    "ssh-copy-id": _lines((r".", _FAR)),
    "ssh-keyscan": _lines((r".", _FAR)),
    "authselect": _lines((r".", _OPENS)),
    "pam-auth-update": _lines((r".", _OPENS)),
    **dict.fromkeys(("faillock", "pam_tally2"), _lines((r"--reset", _OFF))),
    "getfacl": _lines((r"/etc/shadow", _TAKES)),
    "ldapsearch": _lines((r"userpassword|unicodepwd|ms-mcs-admpwd", _TAKES)),
    "tcpdump": _lines((r"port\s+(?:21|23|80|110|143|389)|-w\s+/", _TAKES)),
    "tshark": _lines((r"-w\s+/|http\.auth", _TAKES)),
    "php": _lines((r"allow_url_include", _FAR)),
    "python3": _lines((r"-m\s+http\.server.*(?:--directory|-d)\s*[/~]", _TAKES)),
    "python": _lines((r"-m\s+http\.server.*(?:--directory|-d)\s*[/~]", _TAKES)),
    # Clouds and clusters
    "aws": _lines(
        (r"--acl[= ]public|--acl[= ]authenticated|put-bucket-(?:acl|policy)\b.*(?:\*|public|allusers)"
            r"|--publicly-accessible"
         r"|(?:block-?public|restrict-?public)\S*[=:]\s*false|delete-public-access-block"
             r"|ingress\b.*(?:0\.0\.0\.0/0|::/0)"
         r"|modify-(?:snapshot|image|db-snapshot|db-cluster-snapshot)-attribute"
             r"|add-permission\b.*--principal[= ]['\"]?\*"
         r"|iam\s+(?:create-(?:user|access|login|policy-version|service-linked)|update-(?:login|assume)|attach"
             r"|put|add-user)"
         r"|put-key-policy|create-grant|enable-serial-console|--master-user-password", _OPENS),
        (r"\bstop-(?:logging|configuration|monitoring|instances|db)|\bput-bucket-(?:versioning"
            r"|lifecycle)\b.*(?:suspend|expir)"
         r"|--delete\b|reboot-(?:instances|db)|reset-\w+|cancel-\w+|disassociate-|detach-(?:volume|internet)"
             r"|update-detector.*no-enable"
         r"|--no-deletion-protection|--no-enable|put-retention-policy\b.*\b[1-3]\b|remove-\w+", _OFF),
        (r"get-password-data|get-parameters?(?:-by-path|-history)?\b.*with-decryption|batch-get-secret|get-secret"
         r"|create-access-key|get-session-token|assume-role|get-login-password|get-authorization-token"
             r"|export-credentials"
         r"|lambda\s+get-function-configuration.*environment|describe-instance-attribute.*userdata", _TAKES),
    ),
    "gcloud": _lines(
        (r"firewall-rules\s+(?:create|update)\b.*0\.0\.0\.0/0|allusers|allauthenticatedusers|set-iam-policy"
         r"|add-iam-policy-binding|roles\s+(?:create|update)|users\s+set-password|--enable-serial-port", _OPENS),
        (r"\b(?:instances|clusters)\s+(?:stop|reset|suspend)|--no-deletion-protection|sinks\s+update.*--disabled"
         r"|services\s+disable|versions\s+(?:destroy|disable)", _OFF),
        (r"secrets\s+versions\s+access|print-(?:access|identity)-token|keys\s+create"
            r"|get-credentials\s+--show", _TAKES),
    ),
    "az": _lines(
        (r"role\s+assignment\s+create|nsg\s+rule\s+create|--admin-password|ad\s+user\s+(?:create|update)"
            r"|--public-access"
         r"|allow-blob-public-access\s+true|role\s+definition", _OPENS),
        (r"\b(?:deallocate|stop|power-off|purge|redeploy|restart)\b|lock\s+delete"
            r"|diagnostic-settings\s+delete", _OFF),
        (r"get-access-token|credential\s+(?:reset|list)|keys?\s+(?:list|renew)|list-keys|secret\s+(?:show|download)"
         r"|connection-string|generate-sas|get-credentials.*--admin|show-connection", _TAKES),
    ),
    "kubectl": _lines(
        (r"\btaint\b.*noexecute|\bapply\b.*--prune|\breplace\b.*--force|--grace-period[= ]0"
            r"|\bset\s+image\b.*\*", _OFF),
        (r"certificate\s+approve|set\s+(?:serviceaccount|subject)|--as[= ]|hostpath|privileged|cluster-admin"
            r"|impersonat", _OPENS),
        (r"-f[= ]?https?:|--filename[= ]https?:|-k[= ]?https?:", _FAR),
        (r"\bget\b.*\bsecrets?(?![\w-])|config\s+view.*--(?:raw|flatten)|create\s+token", _TAKES),
    ),
    "gh": _lines((r"(?:-X|--method)[= ]?(?:delete)|repo\s+(?:archive|rename)|workflow\s+disable|ruleset"
        r"|release\s+delete", _OFF),
                 (r"--visibility[= ]public|repo\s+deploy-key\s+add|ssh-key\s+add|gpg-key\s+add", _OPENS)),
    "terraform": _lines((r"\bstate\s+(?:rm|push|replace)|\b-?force-unlock|\btaint\b|\bworkspace\s+delete", _OFF)),
    "argocd": _lines((r"app\s+(?:delete|terminate)|--prune"
        r"|cluster\s+rm", _OFF), (r"account\s+generate-token", _TAKES)),
    "docker": _lines((r"\b(?:system|volume|container)\s+prune|\bprune\s.*(?:-\w*a\b|--all)", _OFF),
                     (r"\bsave\b.*\|\s*|cp\s+\S+:/(?:root|etc/shadow)", _TAKES), (r"-H[= ]?tcp:"
        r"|--host[= ]tcp:", _FAR),
                     (r"--device[= ]|--security-opt[= ]\S*unconfined|--cap-add|--ipc[= ]host|--uts[= ]host"
                         r"|--cgroupns[= ]host"
                      r"|(?:-v|--volume)[= ]?/(?:etc|root|var|proc|sys|home|dev|boot|run)\b|src=/(?:,|etc|root"
                          r"|var|proc)|source=/", _OPENS)),
}  # fmt: skip
LINES["gsutil"] = LINES["bq"] = LINES["gcloud"]
for _kin in ("nerdctl", "podman", "ctr", "crictl"):
    LINES[_kin] = (*LINES["docker"], *_lines((r"--privileged|--pid[= ]host|--net-host|-v ?/:|src=/", _OPENS)))

TO_NOTHING = re.compile(
    r"(?:--(?:desired-count|desired-capacity|max-size|replicas|size|num-nodes|new-capacity|min-instances"
    r"|max-instances|node-count|count)"
    r"[= ]0(?:\s|$)|ps:scale\s.*=0\b|\bscale\s+(?:count\s+)?0\b|deactivate-|\bdeactivate\b)"
)
"""Everything of a kind brought down to none, in any cloud's words."""
UNCHECKED_INSTALL = re.compile(
    r"--allow-unauthenticated|--no-gpg-?check|--nogpgcheck|--force-yes|--trusted-host|--allow-untrusted|--no-verify"
    r"|--insecure|--allow-insecure|--no-check-certificate|strict-ssl[= ]false|--no-strict-ssl|--skippublishercheck",
    re.IGNORECASE,
)
"""Packages whose origin nobody checks."""
