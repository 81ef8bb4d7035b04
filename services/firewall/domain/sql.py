"""SQL text to what it does: parsed with `sqlglot` over several dialects, every node, the worst verdict wins.

A statement that no dialect parses, or that hides what it runs (`DO`, `EXEC`, prepared text), is doubt. Only statements
with a keyword that could destroy are parsed at all, so reading costs little.
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot import parser as sqlglot_parser
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from services.firewall.domain.model import SemanticKind as K
from services.firewall.domain.places import holds_credentials
from services.firewall.domain.sql_text import Statement, executable, statements
from services.firewall.domain.sql_truth import always_true

# The library logs statements it falls back on; what a tenant's agent sends must not reach logs.
sqlglot_parser.logger.disabled = True

TEXT_MAX = 65_536
STATEMENT_MAX = 16_384
NODES_MAX = 20_000
BODY_DEPTH_MAX = 3
DIALECTS = tuple(
    Dialect.get_or_raise(name)
    for name in ("", "postgres", "mysql", "tsql", "sqlite", "oracle", "snowflake", "bigquery", "clickhouse")
)
"""Loaded once, so that no call waits for it. The first that parses a statement settles what it is."""

_WORTH = re.compile(
    r"\b(?:UNLOAD|EXPORT|CVV|CVC|\w+_CV[VC]|API_KEY|\w+_TOKEN|RECOVERY_CODES|DROP|TRUNCATE|DELETE|UPDATE|MERGE"
    r"|ALTER\s+(?:SYSTEM|USER|ROLE|LOGIN)|DISABLE|SONAME|SLEEP|BENCHMARK"
    r"|WAITFOR|UNION|\w*PASSW\w*|PWD|PW_HASH|AUTHENTICATION_STRING|PASSPHRASE|PRIVATE_KEY|SECRET_KEY"
    r"|\w+_SECRET|OFFLINE|SINGLE_USER|VACUUM\s+INTO|SET\s+(?:SESSION\s+)?(?:ROLE|AUTHORIZATION)|GRANT"
    r"|REVOKE|COPY|EXEC|EXECUTE|CALL|DO|OUTFILE|DUMPFILE|LOAD|PRAGMA|ATTACH|DETACH"
    r"|RENAME|SHUTDOWN|KILL|PREPARE|PURGE|RESET|FLUSH|BACKUP|RESTORE|BULK|OPENROWSET|OPENQUERY|XP_\w+|SP_\w+"
    r"|PG_\w+|LO_\w+"
    r"|SYS_EXEC|SYS_EVAL|UTL_\w+|DBMS_\w+|DBLINK\w*|LOAD_FILE|LOAD_EXTENSION|WRITEFILE|READFILE|REMOVE|OVERWRITE"
    r"|UNDROP|DECLARE|REASSIGN|SUPERUSER"
    r"|SET\s+(?:GLOBAL|PERSIST\w*)|@@GLOBAL|\w+_TO_XML\w*|OR|URL|REMOTE\w*|S3\w*|HDFS|JDBC|ODBC|MYSQL|POSTGRESQL"
    r"|READ_\w+|MYSQL\.USER|SQL_LOGINS|SYSLOGINS|CREATE\s+(?:OR\s+REPLACE|USER|ROLE|LOGIN|TRIGGER|EVENT"
    r"|FUNCTION|PROCEDURE|EXTENSION|RULE|DEFINER))\b"
)
_LOUD = re.compile(
    r"\b(?:DROP\s+(?:TABLE|DATABASE|SCHEMA|VIEW|INDEX|USER|ROLE|FUNCTION|PROCEDURE|TRIGGER|SEQUENCE|TYPE"
    r"|EXTENSION|TABLESPACE|MATERIALIZED"
    r"|OWNED|KEYSPACE|LOGIN|SERVER|POLICY|PUBLICATION|CONSTRAINT|COLUMN|PARTITION|EVENT|DOMAIN|CATALOG|WAREHOUSE"
    r"|STAGE|STREAM|TASK|PIPE"
    r"|DICTIONARY|ALL|TEMPORARY|FOREIGN|AGGREGATE|CAST|RULE|OPERATOR|CLUSTER|LIBRARY|PACKAGE|SYNONYM|COLLATION)\b"
    r"|TRUNCATE\s+TABLE\b"
    r"|DELETE\s+(?:[\w.]+\s+)?FROM\b|UPDATE\s+(?:ONLY\s+)?\S+\s+(?:(?:AS\s+)?\w+\s+)?SET\b|MERGE\s+INTO\b"
    r"|MERGE\s+\S+\s+(?:AS\s+)?\w*\s*USING\b"
    r"|ALTER\s+(?:TABLE|DATABASE|SCHEMA|USER|ROLE|SYSTEM|LOGIN|SERVER|VIEW|SESSION)\b"
    r"|GRANT\s+[\w\s,]{1,400}?\s(?:ON|TO)\b|REVOKE\s+[\w\s,]{1,400}?\s(?:ON|FROM)\b"
    r"|COPY\s+.{1,400}?\s(?:TO|FROM)\b|EXEC(?:UTE)?\s+(?:IMMEDIATE\b|[\w.]*(?:XP|SP)_|\(|@)|INTO\s+(?:OUTFILE"
    r"|DUMPFILE)\b|LOAD\s+DATA\b|ATTACH\s+(?:DATABASE\b|\S*\s+AS\b)"
    r"|UNION\s+(?:ALL\s+)?SELECT\b|(?:PG_|DBMS_LOCK\.)SLEEP\s*\(|(?:SELECT|AND|OR|WHERE|THEN|IF|,|=|\|\|"
    r"|\()\s*\(?SLEEP\s*\(|BENCHMARK\s*\(|WAITFOR\s+(?:DELAY|TIME)\b"
    r"|SONAME\s*'|DETACH\s+(?:TABLE|DATABASE)\b"
    r"|DROP\s+[`\"\[]|SHUTDOWN\s*(?:WITH|IMMEDIATE|$)|XP_\w+|DETACH\s+DELETE\b|MATCH\s*\([^;)]{0,200}\)\s*DELETE\b|VACUUM\s+INTO\b|PG_\w+\s*\(|LO_\w+\s*\(|LOAD_FILE\s*\(|LOAD_EXTENSION\s*\("
    r"|WRITEFILE\s*\(|SYS_EXEC\s*\(|UTL_\w+\.|DBMS_\w+\.|^\s*DO\s*(?:LANGUAGE|\$|$)|(?:PREPARE|DEALLOCATE)\s+\w+"
    r"|DECLARE\s+@|RESET\s+MASTER|PURGE\s+BINARY|BULK\s+INSERT|OPENROWSET\s*\("
    r"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:USER|ROLE|LOGIN|FUNCTION|PROCEDURE|TRIGGER|EXTENSION|TABLE|EVENT|RULE)\b"
    r"|INSERT\s+OVERWRITE\b"
    r"|SET\s+(?:GLOBAL|PERSIST)\b|FROM\s+(?:MYSQL\.USER|PG_SHADOW|PG_AUTHID|SYS\.SQL_LOGINS|SYSLOGINS"
    r"|[\w.]*DBA_USERS)\b|REASSIGN\s+OWNED|PRAGMA\s+\w+)",
)
_RUNS = re.compile(r"\bXP_(?:CMDSHELL|REG\w*|DIRTREE)|\bSP_(?:OACREATE|OAMETHOD|CONFIGURE|EXECUTE_EXTERNAL_SCRIPT"
                   r"|ADDEXTENDEDPROC)|\bSYS_(?:EXEC|EVAL)\s*\(|LOAD_EXTENSION\s*\("
                   r"|\bPG_TERMINATE_BACKEND\s*\(|DBMS_(?:SCHEDULER|JAVA|XSLPROCESSOR)\b|\bSHUTDOWN\b\s*(?:WITH"
                       r"|IMMEDIATE|$)|DETACH\s+DELETE\b|\bMATCH\s*\([^;)]{0,200}\)\s*DELETE\b|RESET\s+MASTER\b"
                   r"|\bPROGRAM\s*'|\bSONAME\s*'|\bDROP\s+OWNED\b|DISABLE\s+TRIGGER\s+ALL"
                   r"|\bSET\s+(?:OFFLINE|SINGLE_USER)\b|\bLANGUAGE\s+(?:C|PLPYTHON\w*|PLPERLU|PLTCLU|PLSH|JAVA)\b"
                   r"|\bCREATE\s+EXTENSION\b[^;]{0,200}\b(?:DBLINK|PLPYTHON\w*|PLPERLU|FILE_FDW|ADMINPACK)\b"
                   r"|\bDETACH\s+(?:TABLE|DATABASE)\b|\bDISABLE\s+(?:ROW\s+LEVEL\s+SECURITY|RLS)\b")  # fmt: skip
_WRITES_FILE = re.compile(
    r"\bUNLOAD\s*\(|\bEXPORT\s+DATA\b|\bCOPY\s+INTO\s*(?:'|@)|\bINTO\s+S3\b|INTO\s+(?:OUTFILE|DUMPFILE)\b"
    r"|LO_EXPORT\s*\(|VACUUM\s+INTO\b|WRITEFILE\s*\(|UTL_FILE\b|\bPG_FILE_WRITE"
)
_READS_FILE = re.compile(
    r"PG_READ_(?:BINARY_)?FILE\s*\(|PG_LS_DIR\s*\(|LOAD_FILE\s*\(|LO_IMPORT\s*\(|READFILE\s*\(|LOAD\s+DATA\b"
    r"|BULK\s+INSERT\b|OPENROWSET\s*\("
)
_STALLS = re.compile(
    r"\b(?:PG_)?SLEEP(?:_FOR|_UNTIL)?\s*\(|\bBENCHMARK\s*\(|\bWAITFOR\s+(?:DELAY|TIME)\b|\bDBMS_LOCK\s*\.\s*SLEEP"
)
"""Statements that only hold the database up: how an injection asks its questions where it sees no answer."""
_SECRET_COLUMNS = frozenset(
    ("password", "passwd", "pwd", "password_hash", "passwordhash", "passwd_hash", "hashed_password", "pw_hash",
     "password_digest", "authentication_string", "encrypted_password", "passphrase", "private_key", "secret_key",
     "client_secret", "api_key", "access_token", "refresh_token", "session_token", "otp_secret",
     "recovery_codes", "cvv",
     "cvc", "card_cvv", "card_cvc", "totp_secret", "mfa_secret", "api_secret")
)  # fmt: skip
_COPY, _TO_FILE, _FROM_FILE = re.compile(r"\bCOPY\b"), re.compile(r"\bTO\s*'"), re.compile(r"\bFROM\s*'")
"""Looked for one by one: a pattern with all of them would start over at every COPY."""
_SECRET_TABLES = re.compile(r"\b(?:PG_SHADOW|PG_AUTHID|SQL_LOGINS|SYSLOGINS|DBA_USERS|MYSQL\.USER)\b")
_RAISES = re.compile(
    r"\bGRANT\b[^;]{1,1000}?\bTO\b|\b(?:CREATE|ALTER)\s+(?:USER|ROLE|LOGIN)\b|\bALTER\s+SYSTEM\b"
    r"|\bSP_ADDSRVROLEMEMBER|SP_ADDROLEMEMBER|SET\s+(?:SESSION\s+)?(?:ROLE|AUTHORIZATION)|SUPERUSER\b"
)
_FETCHES = re.compile(
    r"\bUTL_HTTP\b|DBMS_LDAP|\bHTTPURITYPE|\bHTTP_GET\s*\(|\bDBLINK\w*\s*\(|OPENROWSET\s*\(|\bURL\s*\("
    r"|\b(?:REMOTE(?:SECURE)?|S3(?:CLUSTER)?|HDFS|JDBC|ODBC|MYSQL|POSTGRESQL)\s*\("
)
_OPAQUE_COMMANDS = frozenset(
    {"CALL", "EXEC", "EXECUTE", "DO", "DECLARE", "PREPARE", "DROP", "KILL", "GRANT", "REVOKE", "TRUNCATE", "DELETE",
     "UPDATE", "MERGE", "COPY", "LOAD", "ATTACH", "DETACH", "PURGE", "SHUTDOWN", "BACKUP", "RESTORE", "UNDROP",
     "REASSIGN", "BULK", "HANDLER", "IMPORT", "RAISE"}
)  # fmt: skip
"""Statements the library keeps as text; what they run cannot be seen."""
_EXPLAIN = re.compile(
    r"^\s*EXPLAIN\s+(?:\([^)]*\)|ANALY[SZ]E|VERBOSE|QUERY\s+PLAN|FORMAT\s*=?\s*\w+|EXTENDED|\s)*", re.IGNORECASE
)
_BODY_START = re.compile(r"^\s*(?:DECLARE\b[^;]*;\s*)*BEGIN\s+(?:ATOMIC\s+)?", re.IGNORECASE)
_BAD_PRAGMA = re.compile(r"PRAGMA\s+(?:WRITABLE_SCHEMA|TEMP_STORE_DIRECTORY|KEY|REKEY|DATA_STORE_DIRECTORY)\b")
_COMMENT = re.compile(r"/\*(?![!+M]).*?\*/", re.DOTALL)
_FRAGMENT = re.compile(r"\W*(?:DROP|TRUNCATE|ALTER|GRANT|CREATE)\s+\w+\W*")
_TALK = re.compile(
    r"\b(?:VS|VERSUS|HOW|WHAT|WHY|EXPLAINED|SYNTAX|TUTORIAL|DIFFERENCE|FAILS|FAILED|PLEASE|EXAMPLES?|MEANING"
    r"|SAFELY|THE|YOUR|WENT|WORKED|THANKS|SORRY|LOOKS|WAS)\b"
)
_STRINGS = re.compile(r"'((?:[^'\\]|\\.|'')*)'")


class SqlEffects:
    """Kinds seen and kinds in doubt."""

    def __init__(self) -> None:
        self.certain: set[K] = set()
        self.possible: set[K] = set()


_SETS_SERVER = re.compile(
    r"\bSET\s+(?:GLOBAL|PERSIST\w*)\b|@@GLOBAL\s*\.\s*\w+\s*:?=|\bEXEC(?:UTE)?\s*\(?\s*@"
    r"|\b(?:QUERY|CURSOR|TABLE)_TO_XML\w*\s*\("
)
"""Settings of the whole server, and text that runs as a statement."""
_CUT_SHORT = re.compile(
    r"^[^'\";\s]{0,40}(?:\s[^'\";\s]{0,40})?['\"]\s*\)*\s*(?:OR|AND|UNION|HAVING|ORDER\s+BY|\|\||&&|LIKE|RLIKE)\b[^\n]{1,400}"
    r"(?:--|#|/\*|['\"][^'\"\s]{0,32}['\"]?\s*=\s*['\"(]*[^'\"]{0,32}['\"]?\s*$)",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"(?i)^\s*-?\d+\s*['\")]*\s*(?:or|and|union)\b|^[^'\";\n]{0,64}['\"]\s*\)*\s*(?:--|#|/\*)\s*\S{0,64}\s*$"
)
"""What closes somebody else's string and goes on in their statement."""


def sql_effects(text: str, *, sure: bool, depth: int = 0) -> SqlEffects:
    """Judges a text as SQL. `sure`: a database will get it; otherwise only what can hardly be prose counts."""
    found = SqlEffects()
    head = executable(text[:TEXT_MAX])
    if _CUT_SHORT.match(text[:1024]) or (sure and _CLOSED.match(text[:256])):
        found.possible.add(K.DESTRUCTIVE_SQL)
    if len(text) > TEXT_MAX and _LOUD.search(text[TEXT_MAX:].upper()):
        found.possible.add(K.DESTRUCTIVE_SQL)
    commented, end, rest = head.upper().rpartition("*/")
    upper = _COMMENT.sub(" ", commented + end) + rest
    if sure and end and _LOUD.search(_COMMENT.sub("", commented + end) + rest) and not _LOUD.search(upper):
        # A keyword in pieces, for a filter that takes comments out.
        found.possible.add(K.DESTRUCTIVE_SQL)
    if not _WORTH.search(upper) or (not sure and not _LOUD.search(upper)):
        return found
    for statement in statements(head):
        if _WORTH.search(statement.mask) and (
            sure
            or (
                _LOUD.search(statement.mask)
                and not _TALK.search(statement.mask)
                and not _FRAGMENT.fullmatch(statement.text.upper())
            )
        ):
            _judge(statement, found, sure, depth)
    return found


def _judge(statement: Statement, found: SqlEffects, sure: bool, depth: int) -> None:
    mask = statement.mask
    # Quoted names of procedures are still calls.
    named = statement.text.upper()
    if _RUNS.search(mask) or (re.search(r"^\s*EXEC", mask) and _RUNS.search(named)):
        found.certain.add(K.DESTRUCTIVE_SQL)
    if re.match(r"\W*ALTER\b.*\b(?:DROP|TRUNCATE)\b", mask, re.DOTALL):
        found.certain.add(K.DESTRUCTIVE_SQL)
    copies = _COPY.search(mask) is not None
    if _WRITES_FILE.search(mask) or (copies and _TO_FILE.search(mask)):
        found.certain.add(K.FILE_WRITE_OUTSIDE)
        found.possible.add(K.DESTRUCTIVE_SQL)
    if _READS_FILE.search(mask) or (copies and _FROM_FILE.search(mask)):
        found.possible.add(K.DESTRUCTIVE_SQL)
        if any(holds_credentials(item) or item == "/etc/passwd" for item in _STRINGS.findall(statement.text)):
            found.certain.add(K.CREDENTIAL_ACCESS)
    if _SECRET_TABLES.search(mask):
        found.certain.add(K.CREDENTIAL_ACCESS)
    if _STALLS.search(mask) or _SETS_SERVER.search(mask):
        found.possible.add(K.DESTRUCTIVE_SQL)
    if _RAISES.search(mask):
        found.certain.add(K.PRIVILEGE_ESCALATION)
    if _FETCHES.search(mask):
        found.certain.add(K.NETWORK_FETCH)
    if _BAD_PRAGMA.search(mask) or re.match(r"\s*ATTACH\b", mask):
        found.possible.add(K.DESTRUCTIVE_SQL)
    _inner(statement, found, depth)
    explained = _EXPLAIN.match(statement.text)
    text = statement.text[explained.end() :] if explained is not None else statement.text
    if explained is not None and "ANALY" not in explained[0].upper():
        return
    _parsed(text, mask, found, sure)


def _inner(statement: Statement, found: SqlEffects, depth: int) -> None:
    """Text that would run later: bodies of blocks and functions, strings given to EXEC or PREPARE."""
    inner = list(statement.bodies)
    if re.search(r"\bDBLINK|\b(?:EXEC|EXECUTE|PREPARE|SP_EXECUTESQL|DECLARE|SET|IMMEDIATE)\b", statement.mask):
        inner += [item.replace("''", "'") for item in _STRINGS.findall(statement.text)]
    if depth >= BODY_DEPTH_MAX:
        return
    for body in inner[:20]:
        deeper = sql_effects(_BODY_START.sub("", body), sure=True, depth=depth + 1)
        found.certain |= deeper.certain
        found.possible |= deeper.possible


def _parsed(text: str, mask: str, found: SqlEffects, sure: bool) -> None:
    if len(text) > STATEMENT_MAX:
        if _LOUD.search(mask):
            found.possible.add(K.DESTRUCTIVE_SQL)
        return
    opaque = False
    for tried, dialect in enumerate(DIALECTS):
        try:
            trees = dialect.parse(text)
        except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            continue
        commands = [tree for tree in trees if isinstance(tree, exp.Command)]
        for tree in trees:
            if tree is not None and not isinstance(tree, exp.Command):
                _nodes(tree, found)
        if not commands:
            return
        opaque = opaque or any(str(item.this).upper() in _OPAQUE_COMMANDS for item in commands)
        if opaque and tried >= 2:
            break
    if opaque or _unparsed(mask, sure):
        found.possible.add(K.DESTRUCTIVE_SQL)


def _unparsed(mask: str, sure: bool) -> bool:
    """A statement no dialect takes, or only as an opaque command: is it one that destroys?"""
    strong = re.match(
        r"\W*(?:WITH\b.*)?(?:DROP|TRUNCATE|DELETE\s|MERGE|GRANT|REVOKE|EXEC|EXECUTE|CALL|DO\b|SHUTDOWN|KILL|PURGE"
            r"|REASSIGN|BACKUP|RESTORE|UNDROP"
        r"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:CONSTRAINT\s+)?(?:TRIGGER|EVENT|RULE)\b"
        r"|ALTER\b.*\bDROP\b|UPDATE\s+\S+\s+SET\b(?!.*\bWHERE\b))",
        mask, re.DOTALL,
    )  # fmt: skip
    if strong is None:
        return False
    if sure:
        return True
    if _LOUD.search(mask) is None:
        return False
    words = re.findall(r"[A-Z']+", mask)
    prose = sum(
        word
        in {"THE", "IS", "ARE", "HOW", "WHAT", "A", "AN", "THIS", "THAT", "YOUR", "YOU", "AT", "PLEASE", "OLD", "OF"}
        for word in words
    )
    return prose == 0 and len(words) < 60


def _nodes(tree: exp.Expr, found: SqlEffects) -> None:
    for count, node in enumerate(tree.walk()):
        if count > NODES_MAX:
            found.possible.add(K.DESTRUCTIVE_SQL)
            return
        if isinstance(node, (exp.Drop, exp.TruncateTable)):
            found.certain.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, (exp.Delete, exp.Update)) and not isinstance(node.parent, exp.When):
            where = node.args.get("where")
            truth = True if where is None else always_true(where.this)
            if truth is True:
                found.certain.add(K.DESTRUCTIVE_SQL)
            elif truth is None:
                found.possible.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, exp.When):
            then = node.args.get("then")
            if isinstance(then, exp.Delete) or (
                isinstance(then, (exp.Var, exp.Identifier)) and then.name.upper() == "DELETE"
            ):
                found.certain.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, (exp.Grant, exp.Revoke)):
            found.certain.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, exp.Select):
            _select(node, found)
        elif isinstance(node, exp.Or) and (node.right.find(exp.Column) is None) and always_true(node.right) is True:
            # Nobody asks whether one is one, except to get every row.
            found.possible.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, (exp.Execute, exp.Kill)):
            found.possible.add(K.DESTRUCTIVE_SQL)
        elif isinstance(node, exp.Create):
            _create(node, found)
        elif isinstance(node, exp.Insert) and node.args.get("overwrite"):
            found.possible.add(K.DESTRUCTIVE_SQL)


def _select(node: exp.Select, found: SqlEffects) -> None:
    """Columns made to keep secrets, and the constant arm that an injection puts behind `UNION`."""
    for column in node.expressions[:200]:
        plain = column.this if isinstance(column, exp.Alias) else column
        # Functions such as `length(password)` show no password, `concat(…)` and its kin do.
        columns = [plain] if isinstance(plain, exp.Column) else plain.find_all(exp.Column) if _shows(plain) else []
        if any(item.name.lower() in _SECRET_COLUMNS for item in columns):
            found.certain.add(K.CREDENTIAL_ACCESS)
    union = node.parent
    if isinstance(union, exp.Union) and union.expression is node and node.args.get("from_") is None:
        first = union.this.find(exp.Select)
        constants = [
            item for item in node.expressions if isinstance(item, (exp.Null, exp.Parameter, exp.SessionParameter))
        ]
        if first is not None and first.args.get("from_") is not None and constants:
            found.possible.add(K.DESTRUCTIVE_SQL)


def _shows(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Concat, exp.ConcatWs, exp.GroupConcat, exp.DPipe, exp.Cast, exp.Hex, exp.Coalesce))


def _create(node: exp.Create, found: SqlEffects) -> None:
    kind = str(node.args.get("kind") or "").upper()
    if node.args.get("replace") and kind == "TABLE":
        # Replacing a table drops what it held.
        found.possible.add(K.DESTRUCTIVE_SQL)
    if kind in ("TRIGGER", "EVENT"):
        found.possible.add(K.DESTRUCTIVE_SQL)
