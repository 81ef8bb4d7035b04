"""Credentials whose form is a standard: private keys, JSON web tokens, URLs with a password, headers, commands."""

from __future__ import annotations

import re

from services.guardrail.domain.secrets.checks import entropy, is_basic, is_jwt, with_digit
from services.guardrail.domain.secrets.detector import CONTEXT, Anchor, Detector, Locate, closes, compiled, opens
from services.guardrail.domain.secrets.plausible import Kind, is_code, is_credential, is_stand_in
from services.guardrail.domain.secrets.rows import shaped

MAX_KEY = 16_384
"""Bytes of a private key block."""

MAX_JWT = 4_096
MAX_URL = 512
_MIN_BODY = 40
_MAX_HEADERS = 16
"""Header lines of one block; files in use have a handful."""

_SEPARATOR = re.compile(rb"(?:\s|\\[nrt]|[\"'+,]|\\(?=\s))*")
_HEADER = re.compile(
    rb"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID|Subject|X-[\w-]{1,20}): ?[^\r\n\\]{0,120}"
)
_DATA = re.compile(rb"[A-Za-z0-9+/=]+")
_END = re.compile(rb"-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_PARTIAL_END = re.compile(rb"-{1,5}\Z|-----E?N?D?[A-Z0-9 ]{0,46}-{0,4}\Z")
_CUT = re.compile(rb"\\\Z|[A-Za-z0-9+/=\\-]{0,30}:?\Z")
"""What may be the begin of an escape or of a header line."""

_TEMPLATE = re.compile(rb"^\$[A-Za-z]|\$[{(]|\$[A-Z_]{3}|[{}<>]|^%\w|\[\w+\]|\*{3}")
_SHORT = 16
"""A line shorter than this is the last one of its key."""


def _key_block(data: bytes, end: int, limit: int) -> tuple[int, bool, bool]:
    """(end of the block, whether it holds a key, whether more text could still change that)."""
    at, body = _skip(_SEPARATOR, data, end, limit), bytearray()
    for _ in range(_MAX_HEADERS):
        header = _HEADER.match(data, at, limit)
        if header is None:
            break
        at = _skip(_SEPARATOR, data, header.end(), limit)
    last = at
    while at < limit:
        line = _DATA.match(data, at, limit)
        if line is None:
            break
        body += line.group()
        last = line.end()
        at = _skip(_SEPARATOR, data, last, limit)
        if (
            line.end() - line.start() < _SHORT
            and line.group()[:1] != b"="
            and data[at : at + 1] not in (b"=", b"-", b"")
        ):
            break
    closing = _END.match(data, at, limit)
    if closing is not None:
        last = closing.end()
    masked = data[at : at + 1] == b"\x00"
    key = len(body) >= _MIN_BODY and not masked and entropy(bytes(body)) > 3.5
    cut_off = at == len(data) or _PARTIAL_END.match(data, at) or _CUT.match(data, at)
    ended = closing is not None or not cut_off or at >= limit
    return last, key, not ended


def key_lines(data: bytes, start: int) -> tuple[int, bool, bool]:
    """The same for lines of base-64 that no dashes enclose."""
    return _key_block(data, start, start + MAX_KEY)


def _skip(pattern: re.Pattern[bytes], data: bytes, at: int, limit: int) -> int:
    found = pattern.match(data, at, limit)
    return at if found is None else found.end()


def _locate_key(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    last, key, _open = _key_block(data, end, start + MAX_KEY)
    return (start, last) if key else None


def _key_pending(data: bytes, start: int, end: int) -> bool:
    return len(data) <= start + MAX_KEY and _key_block(data, end, start + MAX_KEY)[2]


def _key(name: str, kinds: str, form: str) -> Detector:
    anchors = tuple(Anchor(f"-----BEGIN {kind.replace('_', ' ')}-----") for kind in kinds.split(","))
    return Detector(name, "key", form, anchors, _locate_key, MAX_KEY, rank=-1, pending=_key_pending)


KEYS = (
    _key(
        "private_key",
        "PRIVATE_KEY,RSA_PRIVATE_KEY,EC_PRIVATE_KEY,DSA_PRIVATE_KEY,ED25519_PRIVATE_KEY",
        "PEM block (RFC 7468)",
    ),
    _key("encrypted_private_key", "ENCRYPTED_PRIVATE_KEY", "PEM block, PKCS #8 encrypted"),
    _key("openssh_private_key", "OPENSSH_PRIVATE_KEY,SSH2_ENCRYPTED_PRIVATE_KEY", "OpenSSH key file"),
    _key("pgp_private_key", "PGP_PRIVATE_KEY_BLOCK,PGP_SECRET_KEY_BLOCK", "ASCII armour (RFC 9580)"),
)

_URL_TAIL = r"://([^\s:@/?#\"'`<>\x00\\]{0,96}):([^\s/\"'`<>\x00\\]{1,160})@[^\s\"'`<>\x00\\@,;)(\]\[{}|]{1,220}"


def _url(scheme: str) -> Locate:
    pattern = scheme + _URL_TAIL

    def locate(data: bytes, start: int, _end: int) -> tuple[int, int] | None:
        if data.find(b"@", start, start + 320) < 0 or not opens(data, start):
            return None
        found = compiled(pattern).match(data, start, start + MAX_URL)
        if found is None or not _is_url_password(found.group(2), found.group(1)):
            return None
        last = start + len(found.group().rstrip(b".:!?*_~"))
        return (start, last) if data[last : last + 1] != b"\x00" else None

    return locate


def _is_url_password(password: bytes, user: bytes) -> bool:
    if len(password) < 4 or password == user or _TEMPLATE.search(password):
        return False
    return not is_stand_in(password)


def _urls(name: str, schemes: str, pattern: str, form: str) -> Detector:
    return Detector(
        name,
        "connection",
        form,
        tuple(Anchor(re.escape(s) + "://", caseless=True) for s in schemes.split(" ")),
        _url(f"(?i:{pattern})"),
        MAX_URL,
        rank=1,
    )


URLS = (
    _urls(
        "postgres_connection_string",
        "postgres postgresql postgresql+psycopg2 postgresql+psycopg postgresql+asyncpg cockroachdb "
        "redshift jdbc:postgresql",
        r"(?:jdbc:)?(?:postgres(?:ql)?|cockroachdb|redshift)(?:\+\w+)?",
        "scheme://user:password@host",
    ),
    _urls(
        "mysql_connection_string",
        "mysql mysql2 mysqlx mariadb mysql+pymysql mysql+mysqldb mysql+aiomysql mysql+mysqlconnector jdbc:mysql",
        r"(?:jdbc:)?(?:mysql[2x]?|mariadb)(?:\+\w+)?",
        "scheme://user:password@host",
    ),
    _urls("mongodb_connection_string", "mongodb mongodb+srv", r"mongodb(?:\+srv)?", "scheme://user:password@host"),
    _urls(
        "redis_connection_string", "redis rediss valkey valkeys", r"(?:redis|valkey)s?", "scheme://[user]:password@host"
    ),
    _urls("amqp_connection_string", "amqp amqps rabbitmq", r"(?:amqps?|rabbitmq)", "scheme://user:password@host"),
    _urls(
        "sqlserver_connection_string",
        "mssql sqlserver mssql+pyodbc mssql+pymssql oracle oracle+cx_oracle oracle+oracledb",
        r"(?:mssql|sqlserver|oracle)(?:\+\w+)?",
        "scheme://user:password@host",
    ),
    _urls(
        "database_connection_string",
        "clickhouse clickhouses clickhouse+http cassandra couchdb couchbase neo4j neo4j+s bolt "
        "elasticsearch opensearch influxdb snowflake trino presto db2 firebird libsql",
        r"[a-z0-9]+(?:\+\w+)?",
        "scheme://user:password@host",
    ),
    _urls("message_broker_url", "nats mqtt mqtts kafka stomp tls ws wss", r"[a-z]+", "scheme://user:password@host"),
    _urls("mail_server_url", "smtp smtps imap imaps pop3 pop3s", r"[a-z0-9]+", "scheme://user:password@host"),
    _urls("directory_server_url", "ldap ldaps", r"ldaps?", "scheme://user:password@host"),
    _urls(
        "file_server_url",
        "ftp ftps sftp smb ssh scp rsync svn svn+ssh",
        r"[a-z]+(?:\+ssh)?",
        "scheme://user:password@host",
    ),
    _urls(
        "url_credentials",
        "http https git socks5 socks5h git+https",
        r"[a-z0-9]+(?:\+https)?",
        "http(s)://user:password@host",
    ),
    _urls("cloudinary_url", "cloudinary", r"cloudinary", "cloudinary://key:secret@cloud"),
)


def _following(pattern: str, most: int, accept: str) -> Locate:
    def locate(data: bytes, start: int, _end: int) -> tuple[int, int] | None:
        if not opens(data, start):
            return None
        found = compiled(pattern).match(data, start, start + CONTEXT + most)
        if found is None:
            return None
        first, last = found.span(1)
        value = data[first:last]
        if first - start > CONTEXT or not closes(data, last) or last - first >= most:
            return None
        return (first, last) if _ACCEPT[accept](value) else None

    return locate


def _is_bearer(value: bytes) -> bool:
    return with_digit(value) and entropy(value) >= 3.2 and not is_code(value) and not is_stand_in(value)


def _is_login(value: bytes) -> bool:
    return is_credential(value, Kind.PASSWORD, True)


_ACCEPT = {"basic": is_basic, "bearer": _is_bearer, "password": _is_login}


def _header(name: str, words: str, pattern: str, accept: str, form: str, group: str = "header") -> Detector:
    anchors = tuple(Anchor(word, caseless=True) for word in words.split("|"))
    return Detector(name, group, form, anchors, _following(pattern, MAX_URL, accept), MAX_URL, rank=1, announced=True)


HEADERS = (
    _header(
        "basic_auth_header",
        "basic ",
        r"(?i:basic)\s{1,3}([A-Za-z0-9+/]{8,}={0,2})",
        "basic",
        "Basic + base-64 of user:password",
    ),
    _header(
        "bearer_token",
        "bearer ",
        r"(?i:bearer)\s{1,3}([A-Za-z0-9._~+/-]{16,}={0,2})",
        "bearer",
        "Bearer + token68 (RFC 6750)",
    ),
    _header(
        "curl_login",
        "curl ",
        r"(?i:curl)[^\n\x00]{0,36}?\s(?:-u|--user)[ =]{0,2}[\"']?[\w.@+-]{1,20}:([^\s\"'\x00]{4,128})",
        "password",
        "curl -u user:password",
        "command",
    ),
    _header(
        "mysql_login",
        "mysql |mysqldump ",
        r"(?i:mysql(?:dump)?)\s[^\n\x00]{0,36}?\s?-p[\"']?([^\s\"'\x00]{5,128})",
        "password",
        "mysql -ppassword",
        "command",
    ),
    _header(
        "sshpass_login",
        "sshpass ",
        r"(?i:sshpass)\s{1,3}-p\s{0,3}[\"']?([^\s\"'\x00]{4,128})",
        "password",
        "sshpass -p password",
        "command",
    ),
    _header(
        "docker_login",
        "docker login |podman login |helm registry login |az login |az acr login ",
        r"(?i:(?:docker|podman|helm registry|az|az acr) login)"
        r"[^\n\x00]{0,30}?\s(?:-p|--password)[ =]{1,2}[\"']?([^\s\"'\x00]{4,128})",
        "password",
        "docker login -p password",
        "command",
    ),
    _header(
        "client_login",
        "redis-cli |sqlcmd |mongosh |mongo |ldapsearch ",
        r"(?:redis-cli|sqlcmd|mongosh|mongo|ldapsearch)[^\n\x00]{0,30}?\s-[aPpw][ =]{1,2}[\"']?([^\s\"'\x00]{4,128})",
        "password",
        "a client's password option",
        "command",
    ),
    _header(
        "login_tuple",
        r"auth=\(|auth = \(",
        r"(?i:auth) ?= ?\([\"'][^\"'\n\x00]{1,30}[\"'], {0,2}[\"']([^\s\"'\x00]{4,128})",
        "password",
        "auth=(user, password)",
        "command",
    ),
    _header(
        "authorization_header",
        "authorization",
        r"(?i:authorization)[\"']?\s{0,2}[:=,]\s{0,2}[\"'`]?(?i:token|apikey|api-key|key|sso-key|bot)"
        r"[ =]{1,2}([A-Za-z0-9._~+/-]{16,}={0,2})",
        "bearer",
        "Authorization with a scheme of the vendor's",
    ),
    _header(
        "sql_login",
        "identified by ",
        r"(?i:identified by)\s{1,3}[\"']([^\s\"'\x00]{4,128})[\"']",
        "password",
        "IDENTIFIED BY 'password'",
        "command",
    ),
)

TOKENS = (
    shaped(
        "jwt",
        "token",
        "eyJ[A-Za-z0-9_-]{10}",
        r"eyJ[A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+){1}[.][A-Za-z0-9_-]*(?:[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+)?",
        "three parts, the first a JSON header (RFC 7519)",
        is_jwt,
        MAX_JWT,
    ),
)

ROWS: tuple[Detector, ...] = KEYS + URLS + HEADERS + TOKENS
