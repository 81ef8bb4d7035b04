"""What inline code of other languages does: Python by its syntax tree, the others by the calls they make."""

from __future__ import annotations

import ast
import re
import shlex
import warnings

from services.firewall.domain.folding import constant, constants_of, folded_code
from services.firewall.domain.intents import name_kinds, words_of
from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import holds_credentials, outside, precious
from services.firewall.domain.powershell import powershell_kinds
from services.firewall.domain.shapes import blobs

CODE_MAX = 32_768
EMBEDDED_MAX = 16

_REMOVERS = frozenset({"rmtree", "removedirs", "remove_tree"})
_RUNNERS = frozenset({"system", "popen", "run", "call", "Popen", "check_output", "check_call", "getoutput"})
_CHANGERS = frozenset({"chmod", "chown", "lchown", "rename", "replace", "move", "truncate"})
_TEMPORARY = "tempfile"
_UNLINKERS = frozenset({"remove", "unlink", "rmdir"})
_SHELL_CALLS = re.compile(
    r"(?:os\.system|os\.popen|subprocess\.\w+|popen|system|exec|execSync|execFileSync|spawn|spawnSync|shell_exec"
    r"|passthru|sh|qx"
    r"|Popen|exec[lv]p?e?|spawn[lv]p?e?|create_subprocess_\w+|exec_command"
    r"|getoutput|check_output|run|call|IO\.popen|os\.execute|io\.popen|System\.cmd|Port\.open"
    r"|shell-command(?:-to-string)?|call-process|exec\.Command|shellExec|do shell script"
    r"|command)"
    r"[ \t]{0,8}[(\s]"
    r"[ \t]{0,8}\[?((?:\s{0,8},?\s{0,8}\[?\s{0,8}[rfb]?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`)){1,64})"
)
_STRING_PARTS = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`")
_SHELL_TEXTS = (
    re.compile(r"['\"]([^'\"\n]{1,2000})['\"]\s{0,8}\.\s{0,8}execute\s{0,8}\("),
    re.compile(r"(?:qx|%x)[{(/!|](.{1,2000}?)[})/!|]"),
    re.compile(r"`([^`]{1,4000})`"),
    re.compile(r"\](?:\s*\.\s*\w+)?\(\s{0,8}['\"]([^'\"]{1,4000})['\"]"),
    re.compile(r"\)\(\s{0,8}['\"]([^'\"]{1,4000})['\"]"),
    re.compile(r"\"([^\"]{1,2000})\"\s{0,8}\|\s{0,8}getline"),
    re.compile(r"\|\s{0,8}\"([^\"]{1,2000})\""),
    re.compile(r"(?m)^[ \t]{0,40}(?:!|%%?(?:sh|bash|system)\s)[ \t]{0,40}(.+)$"),
)
_AWK_PIPE = re.compile(r"\b\w+\s{0,8}\|\s{0,8}getline|\|\s{0,8}[A-Za-z_]\w*\s*(?:[;}\n]|$)|\bsystem\(\s*[A-Za-z_]")
"""A command held by a variable: any string of the program may be it."""
_STRING = re.compile(
    r"<((?:/|~/)[^>\n]{1,200})>|'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`|\bq[qw]?\{([^}]*)\}"
)
_REMOVES_TREE = re.compile(
    r"rmtree|rmSync|rmdirSync|fs\.rm\b|fs\.promises\.rm|rimraf|FileUtils\.rm_r|rm_rf|remove_dir_all|File::Path"
    r"|remove_tree|deleteDir|rmrf|deltree"
    r"|RemoveDirectory|Directory\.Delete|recursive\s*:\s*true"
)
_REMOVES_FILE = re.compile(r"\bunlink(?:Sync)?\b|File\.(?:delete|unlink)|os\.remove|File\.Delete|\bdelete_file\b")
_FETCHES = re.compile(
    r"/inet/(?:tcp|udp)/|\b(?:urlopen|urlretrieve|requests\.(?:get|post|put|patch|delete|head|options|request"
    r"|Session)|httpx\.|aiohttp"
    r"|http\.client|urllib|fetch\s*\(|axios|https?\.(?:get|request)"
    r"|Net::HTTP|LWP::|open-uri|URI\.open"
    r"|file_get_contents\s*\(\s*['\"]https?|curl_exec|WebClient|HttpClient|XMLHTTP|DownloadString|DownloadFile"
    r"|Invoke-WebRequest|Invoke-RestMethod|\biwr\b|\birm\b|Start-BitsTransfer|socket\.(?:socket|create_connection"
    r"|connect)|IO::Socket|TCPSocket"
    r"|smtplib\.SMTP|ftplib\.|paramiko\.|telnetlib\.|asyncio\.open_connection|websockets?\.connect|urllib3|pycurl"
    r"|xmlrpc\.client"
    r"|\bsocket\.(?:tcp|udp)\b|\bWebSocket\s*\(|EventSource\s*\(|XMLHttpRequest|sendBeacon|\bdgram\.|tls\.connect"
    r"|dns\.(?:resolve|lookup)"
    r"|\bgot\s*\(\s*['\"`]http"
    r"|use Socket|inet_aton|\bnet\.(?:connect|createConnection|Socket)|(?:document"
    r"|window)?\.?location(?:\.href)?\s*=\s*['\"`]https?:|fsockopen|UnityWebRequest"
    r"|Net\.Sockets\.TCPClient)"
)
_ENVIRONMENT = re.compile(
    r"(?:print|dumps|stringify|console\.log|puts|write|send|post|echo|var_dump|print_r|urlopen|str|dict|list"
    r"|repr)\s{0,20}\(?[^;\n]{0,200}(?:os\.environ\b(?!\s*[\[.])|process\.env\b(?!\s*[\[.])"
    r"|ENV\b(?!\[)|%ENV|\bin\s+ENVIRON\b|\$_ENV\b|getenv\(\))"
)
_PRIVILEGES = re.compile(r"\bset(?:e|re|res)?[ug]id\s*\(\s*0|POSIX::setuid|Process::UID|-Verb\s+RunAs", re.IGNORECASE)
_MONGO_BAD = re.compile(r"\.dropDatabase\s*\(|\.drop\s*\(|\.(?:deleteMany"
                        r"|remove)\s*\(\s*(?:\{\s*\})?\s*\)|\.(?:updateMany)\s*\(\s*\{\s*\}|shutdownServer"
                            r"|dropUser|dropAllUsers"
                        r"|dropIndexes\s*\(\s*\)")  # fmt: skip
_ALL_ROWS = re.compile(
    r"\.objects\.all\(\)\.(?:delete|update)\(|\.(?:delete_all|destroy_all|truncate_all)\b"
    r"|(?:delete|update|remove)_?[mM]any\(\s*(?:\{\s*\}\s*[,)]|\))|\.query\(\s*\w+\s*\)\.delete\(|\.flush_?(?:all"
    r"|db)\s*\("
    r"|knex\(\s*['\"]\w+['\"]\s*\)\.(?:del|truncate|delete)\(|\bsequelize\.drop\(|\.dropDatabase\s*\("
    r"|\.drop_(?:all|database)\s*\("
    r"|\.delete\(\s*force\s*=\s*True"
)
_FORKS = re.compile(
    r"\bfork\s*\(\s*\)\s*for\b|\bfork\b[\s();]*(?:while|until)\b|\bwhile\b[\s(]*(?:1|true"
    r"|True)\b[^\n]{0,80}\bfork\s*\("
    r"|\bwhile\b[\s(]*(?:1|true|True)[\s):{]*(?:os\.)?fork\b"
)
_ESCAPES = re.compile(
    r"__class__\s*\.\s*__(?:bases?|mro)__|__subclasses__\s*\(\s*\)\s*\[|__globals__\s*[\[.]|__builtins__\s*[\[.]"
    r"|mainModule\b|process\.binding\s*\(|constructor\s*\.\s*constructor\s*\("
    r"|Function\s*\(\s*['\"]return (?:process|this)"
    r"|pty\.spawn\s*\(|\bprocess\.dlopen\b|\bcode\.(?:interact|InteractiveConsole)\b|(?:eval"
    r"|exec)\s*\(\s*['\"][^'\"]{0,40}__import__"
    r"|java\.lang\.Runtime|ProcessBuilder\s*\("
)
"""Ways around what an interpreter was meant to allow, or a terminal handed to somebody."""
_SHOWN_SECRET = re.compile(
    r"\b(?:print|console\.log|puts|echo|write|dumps|post|send|log|info)\s*\(\s*(?:os\.environ\s*\["
    r"|os\.environ\.get\s*\(|os\.getenv\s*\("
    r"|process\.env\s*[.\[]|ENV\s*\[|ENV\.fetch\s*\()\s*['\"]?\w*(?:SECRET|TOKEN|PASSW|API_?KEY|PRIVATE_KEY|CREDENTIAL|ACCESS_KEY)"
)
_CLOUD_CALLS = re.compile(
    r"\.(?:delete|terminate|stop|deregister|disable|purge|remove|batch_delete)_(?!messages?\b|objects?\b|items?\b"
    r"|tags?\b)\w+\(\s*[A-Z]\w+\s*="
    r"|\.delete\(\s*index\s*=\s*['\"](?:\*|_all)|\.remove\(\s*force\s*=\s*True"
)
"""What SDKs of clouds, clusters and search engines take away."""
_CLOUD_RIGHTS = re.compile(
    r"\.(?:create_access_key|create_login_profile|attach_\w+_policy|put_\w+_policy|create_policy_version"
    r"|update_assume_role_policy)\s*\("
    r"|\bprivileged\s*=\s*True|\bpid_mode\s*=\s*['\"]host|\bcap_add\s*=\s*\["
)
_STORES = re.compile(
    r"\bin\s+ENVIRON\s*\)|"
    r"\bget_secret_value\s*\(|access_secret_version\s*\(|dotenv_values\s*\(|WithDecryption\s*[=:]\s*[Tt]rue"
    r"|\bdocument\.cookie\b|localStorage\b[^;\n]{0,80}(?:token|secret)|"
    r"\bget_credentials\s*\(|\bkeyring\.get_|CryptUnprotectData|win32crypt|browser_cookie3|\bspwd\.|SecKeychain"
    r"|\bGetAsyncKeyState|SetWindowsHookEx|pynput\.keyboard|keyboard\.(?:on_press|record)\s*\("
    r"|os\.environ(?:\.copy\(\))?\.(?:items|values)\s*\("
    r"|\bfor\s+\w+\s+in\s+(?:os\.environ|process\.env)\b|Object\.(?:entries|keys|values)\s*\(\s*process\.env\s*\)"
    r"|\bENV\.(?:each|to_h|map|inspect)\b|metadata\.google\.internal|169\.254\.169\.254"
)
_BUILT = re.compile(
    r"\b(?:exec|eval)\s*\(\s*(?:compile\s*\(\s*)?(?:['\"]{2}\s*\.\s*join|bytes|bytearray|chr\s*\(|str\.join|codecs|zlib|marshal"
    r"|base64|[\w.]+\.decode\s*\(|(?:\"[^\"]{1,40}\"|'[^']{1,40}')\s*\+|[\w.]*\[::-1\]|String\.fromCharCode|unescape\s*\(|atob)"
)
"""Code that is put together before it runs."""
_EVALUATES = re.compile(
    r"(?:exec|eval|compile|pickle\.loads?|marshal\.loads?|Function|loadstring"
    r"|instance_eval)\s*\(?.{0,300}(?:b64decode|base64|atob|fromhex|unpack|urlopen|requests\.get|decode\("
    r"|fetch\()"
)


_PATH_SAID = re.compile(r"^(?:/|~|[A-Za-z]:|\\\\)")


def code_kinds(code: str, language: str) -> set[K]:
    """Kinds that the code shows; it is never run."""
    text = folded_code(code[:CODE_MAX])
    found = _python(code[:CODE_MAX]) if language == "python" else None
    kinds = found if found is not None else _by_calls(text)
    if language == "mongo" and _MONGO_BAD.search(text):
        kinds.add(K.DESTRUCTIVE_SQL)
    if language == "powershell":
        kinds |= powershell_kinds(text)
    if _ALL_ROWS.search(text):
        kinds.add(K.DESTRUCTIVE_SQL)
    if _FORKS.search(text) or _CLOUD_CALLS.search(text):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if _EVALUATES.search(text) or _BUILT.search(text):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if _PRIVILEGES.search(text) or _ESCAPES.search(text) or _CLOUD_RIGHTS.search(text):
        kinds.add(K.PRIVILEGE_ESCALATION)
    if _FETCHES.search(text):
        kinds.add(K.NETWORK_FETCH)
    if _ENVIRONMENT.search(text) or _STORES.search(text) or _SHOWN_SECRET.search(text):
        kinds.add(K.CREDENTIAL_ACCESS)
    return kinds


def _strings(text: str) -> list[str]:
    return ["".join(match) for match in _STRING.findall(text)][:200]


def _by_calls(text: str) -> set[K]:
    strings = _strings(text)
    kinds: set[K] = set()
    if _REMOVES_TREE.search(text) and (not strings or any(precious(item, recursive=True) for item in strings)):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if _REMOVES_FILE.search(text) and any(
        precious(item, recursive=False) for item in strings if "/" in item or "*" in item
    ):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if re.search(r"\bprocess\.kill\(\s*(?:1|-1|0)\b", text):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if any(map(holds_credentials, strings)):
        kinds.add(K.CREDENTIAL_ACCESS)
    if re.search(
        r"writeFile|appendFile|fopen\s*\([^)]*['\"][wa]|File\.(?:write|open)[^\n]*['\"][wa]|file_put_contents"
        r"|open\s*\([^)]*['\"]>",
        text,
    ) and any(outside(item) for item in strings if item.startswith(("/", "~", ".."))):
        kinds.add(K.FILE_WRITE_OUTSIDE)
    return kinds


def _python(text: str) -> set[K] | None:
    """None when it is no Python."""
    try:
        with warnings.catch_warnings():
            # A strange literal is no concern of whoever runs this process.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    kinds: set[K] = set()
    strings = [item.value for item in ast.walk(tree) if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    if (
        re.search(r"\.(?:unlink|rmdir)\(\s*\)|rmtree\(\s*[a-z_]\w*\s*[,)]|os\.(?:remove|unlink)\(\s*[a-z_]", text)
        and re.search(r"\b(?:glob|rglob|walk|iterdir|listdir|scandir)\b", text)
        and any(precious(item, recursive=True) and outside(item) for item in strings)
    ):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if any(_PATH_SAID.match(item) and holds_credentials(item) for item in strings):
        kinds.add(K.CREDENTIAL_ACCESS)
    aliases = _aliases(tree)
    for count, node in enumerate(ast.walk(tree)):
        if count > 20_000:
            kinds.add(K.DESTRUCTIVE_SHELL)
            break
        if isinstance(node, ast.Call):
            kinds |= _python_call(node, aliases)
    return kinds


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Other names of functions, and variables that hold a fresh temporary directory (under `_TEMPORARY`)."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update({item.asname: item.name.rpartition(".")[2] for item in node.names if item.asname})
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Attribute):
                found[node.targets[0].id] = value.attr
            elif _fetched_name(value):
                found[node.targets[0].id] = _fetched_name(value)
            elif isinstance(value, ast.Call) and isinstance(value.func, (ast.Attribute, ast.Name)):
                made = value.func.attr if isinstance(value.func, ast.Attribute) else value.func.id
                if made in ("mkdtemp", "TemporaryDirectory"):
                    found[node.targets[0].id] = _TEMPORARY
    return found


def _fetched_name(value: ast.expr) -> str:
    """What `getattr(module, "name")` is, where the name is a constant."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "getattr":
        return constant(value.args[1], {}) if len(value.args) > 1 else ""
    return ""


def _python_call(node: ast.Call, aliases: dict[str, str]) -> set[K]:
    function = node.func
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    name = aliases.get(name, name)
    strings = [
        item.value
        for arg in ast.walk(node)
        for item in [arg]
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    ]
    kinds: set[K] = set()
    # A path that is put together is judged by its constant parts; one without any could be anything.
    first = node.args[0] if node.args else None
    temporary = isinstance(first, ast.Name) and aliases.get(first.id) == _TEMPORARY
    unknown = not strings and first is not None and not temporary
    if name in _REMOVERS and (unknown or any(precious(item, recursive=True) for item in strings)):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if name in _UNLINKERS and any(
        precious(item, recursive=False) for item in strings if "/" in item or item in ("*", "~", "..")
    ):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if name in ("open", "read_text", "read_bytes", "Path", "copy", "copyfile", "copy2", "ZipFile") and any(
        map(holds_credentials, strings)
    ):
        kinds.add(K.CREDENTIAL_ACCESS)
    if name == "open" and len(strings) > 1 and re.match(r"^[wax]", strings[1]) and outside(strings[0]):
        kinds.add(K.FILE_WRITE_OUTSIDE)
    if name in ("SetValueEx", "SetValue", "CreateKey", "CreateKeyEx", "DeleteKey"):
        kinds.add(K.FILE_WRITE_OUTSIDE)
    target = first.value if isinstance(first, ast.Constant) else None
    if name in ("kill", "killpg") and target in (0, 1):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if name in ("kill", "killpg") and node.args and isinstance(node.args[0], ast.UnaryOp):
        kinds.add(K.DESTRUCTIVE_SHELL)
    if name in _CHANGERS and any(outside(item) or holds_credentials(item) for item in strings[:1]):
        kinds |= {K.DESTRUCTIVE_SHELL, K.FILE_WRITE_OUTSIDE}
    if isinstance(function, ast.Attribute) and "_" in name:
        kinds |= name_kinds(words_of(name))
    if name == "main" and any(item in ("install",) for item in strings):
        kinds.add(K.PACKAGE_INSTALL)
    return kinds


def embedded_strings(code: str) -> list[str]:
    """Strings inside code that its own functions would hand to a shell."""
    text = code[:CODE_MAX]
    found = _renamed_calls(text)
    text = folded_code(text)
    for match in _SHELL_CALLS.finditer(text):
        parts = ["".join(part) for part in _STRING_PARTS.findall(match[1])]
        # A list is one word each; literals side by side are one text.
        listed = len(parts) > 1 and "," in match[1]
        found.append(_line(match[0], parts) if listed else "".join(parts))
        if len(parts) == 1 and "(" in parts[0]:
            # Code that runs code: what that one hands on.
            inner = _SHELL_CALLS.search(parts[0])
            found += ["".join(part) for part in _STRING_PARTS.findall(inner[1])] if inner is not None else []
    for pattern in _SHELL_TEXTS:
        found += pattern.findall(text)
    if _AWK_PIPE.search(text):
        found += [item for item in _strings(text) if " " in item]
    found += blobs(text)
    return found[:EMBEDDED_MAX]


def _renamed_calls(text: str) -> list[str]:
    """What Python hands to a shell under another name, or in parts: `from os import system as s; s("r" + "m …")`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    aliases, values = _aliases(tree), constants_of(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if aliases.get(name, name) in _RUNNERS:
                found += [text for text in (constant(item, values) for item in node.args[:1]) if text]
    return found


def _line(call: str, words: list[str]) -> str:
    # `execvp("rm", ["rm", …])` names the program twice.
    twice = re.match(r"(?:os\.)?(?:exec|spawn)[lv]", call) is not None and words[:1] == words[1:2]
    return shlex.join(words[1:] if twice else words)
