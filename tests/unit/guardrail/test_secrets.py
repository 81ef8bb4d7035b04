"""Credentials: what is one, what only looks like one, and that streams see the same."""

from __future__ import annotations

import itertools
import random
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.guardrail.domain.check import check
from services.guardrail.domain.drafts import Refused
from services.guardrail.domain.model import Segment, Stage
from services.guardrail.domain.secrets import CATALOGUE, NAMES, TAGS, SecretsFinder
from services.guardrail.domain.secrets.automaton import Re2Scanner
from services.guardrail.domain.secrets.finder import anchors, shared_scanner
from services.guardrail.domain.stream import StreamScanner
from services.guardrail.domain.text import TextView
from tests.bench.secret_corpus import positives
from tests.bench.secret_negatives import negatives
from tests.unit.guardrail.builders import fingerprint, masked, policy, rule

RANDOM = random.Random(20)
ALNUM = string.ascii_letters + string.digits


def chars(count: int, alphabet: str = ALNUM) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(count))


AWS_ID = "AKIA" + chars(16, string.ascii_uppercase + "234567")
AWS_SECRET = "kQ8vN2mXz7Lp4RtYw9Bc1DfGh3JkMs6UeVaTqP5o"
GITHUB = "ghp_" + "8Kd0sVbQ2nLx7TfWm4RzYc1Hj6PgUa" + "1BnhkK"
SLACK = "xoxb-" + "218463927451-4821739465012-" + chars(24)
KEY_LINES = "\n".join(chars(64) for _ in range(12))
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_LINES}\n{chars(20)}==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjkifQ.eyJzdWIiOiI0MiIsImV4cCI6MTk5OTk5OTk5OX0." + chars(86)
URL = "postgres://svc:Xk29!dkQq@db.internal:5432/app"


PASSWORDS = (
    ("ADMIN_PASSWORD=SECRET", "generic_password"),
    ("ADMIN_PW=SECRET", "generic_short_password"),
    ("pass: SECRET", "generic_short_password"),
    ('field.setText("x"); passwordField.setText("SECRET");', "generic_password"),
    ('builder.password("SECRET")', "generic_password"),
    ('<password type="plain">SECRET</password>', "generic_password"),
    ("The admin password for the server is SECRET", "generic_password"),
    ("log in as admin with password SECRET", "generic_password"),
    ("mot de passe : SECRET", "generic_password"),
    ("docker login -u bob -p SECRET", "docker_login"),
    ("redis-cli -h cache -a SECRET", "client_login"),
    ("get(url, auth=('bob', 'SECRET'))", "login_tuple"),
)
VALUES = (
    ("set_api_key('SECRET')", "generic_api_key"),
    ("hmac_key: SECRET", "generic_api_key"),
    ("NPM_AUTH=SECRET", "generic_token"),
    ("Authorization: Token SECRET", "authorization_header"),
)


B64 = ALNUM + "-_"
HEX = "0123456789abcdef"
FORMS = {
    "anyscale_token": lambda: "esecret_" + chars(26),
    "apify_token": lambda: "apify_api_" + chars(36),
    "axiom_token": lambda: f"xaat-{chars(8, HEX)}-{chars(4, HEX)}-4{chars(3, HEX)}-a{chars(3, HEX)}-{chars(12, HEX)}",
    "browserbase_api_key": lambda: "bb_live_" + chars(27, ALNUM),
    "deno_deploy_token": lambda: "ddp_" + chars(36),
    "friendli_token": lambda: "flp_" + chars(40),
    "gcp_bound_api_key": lambda: "AQ.Ab8RN6" + chars(43, ALNUM),
    "kaggle_token": lambda: "KGAT_" + chars(32, HEX),
    "ory_token": lambda: "ory_pat_" + chars(32),
    "polar_token": lambda: "polar_oat_" + chars(43),
    "rootly_api_key": lambda: "rootly_" + chars(64, HEX),
    "vercel_blob_token": lambda: f"vercel_blob_rw_{chars(16)}_{chars(30)}",
    "xata_api_key": lambda: "xau_" + chars(32),
}
RECORDS = (
    ('{"kty":"EC","crv":"P-256","x":"' + chars(43) + '","d":"SECRET"}', 43, "jwk_private_member"),
    ('{"kty": "RSA", "e": "AQAB", "d": "SECRET"}', 342, "jwk_private_member"),
    (r'"{\"kty\":\"oct\",\"k\":\"SECRET\"}"', 43, "jwk_private_member"),
    ("machine api.example.com login bob password SECRET\n", 20, "netrc_password"),
    ("db.example.com:5432:app:bob:SECRET\n", 16, "pgpass_password"),
    ("jdbc:oracle:thin:scott/SECRET@//db:1521/XE", 14, "oracle_thin_password"),
    ('ConvertTo-SecureString "SECRET" -AsPlainText -Force', 14, "secure_string_password"),
    ('variable "db_password" {\n  default = "SECRET"\n}', 16, "generic_password"),
    ("define( 'AUTH_KEY',         'SECRET' );", 40, "generic_api_key"),
)


@pytest.mark.parametrize("name", FORMS)
def test_a_platforms_token_is_found_wherever_it_stands(name: str) -> None:
    token = FORMS[name]()
    for place in ("{}", "export X={}\n", '{{"a": "{}"}}', "https://x.example/?t={}&b=1", "curl -H 'X-Any: {}'"):
        assert found(place.format(token)) == [(token, name)]
    assert found(token + "Zz_" * 40) == found(f"a{token}") == []


@pytest.mark.parametrize(("record", "size", "name"), RECORDS)
def test_a_records_credential_is_found(record: str, size: int, name: str) -> None:
    secret = chars(size - 4) + "k7Wq"
    text = record.replace("SECRET", secret)
    assert found(text) == [(secret, name)]
    compiled = policy(rule(type="secrets"), stage=Stage.OUTPUT)
    for width in (1, 5, 17):
        scanner = StreamScanner(compiled)
        pieces = [scanner.push("c", text[at : at + width]) for at in range(0, len(text), width)]
        released = "".join(pieces) + scanner.finish().get("c", "")
        assert released == text.replace(secret, f"[{name.upper()}]")


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]),
    st.sampled_from(["\n", "\\n", "\r\n", "\\r\\n", '",\n  "', '\\n" +\n"']),
    st.sampled_from(["", "Proc-Type: 4,ENCRYPTED|DEK-Info: AES-128-CBC,0A1B2C3D||", "Version: 2|X-Odd-Name: y||"]),
    st.integers(0, 900),
    st.lists(st.integers(0, 900), max_size=30),
)
@example("PRIVATE KEY", "\\n", "", 0, list(range(900)))
def test_a_key_block_is_masked_wherever_a_stream_is_cut(
    kind: str, line: str, head: str, lost: int, cuts: list[int]
) -> None:
    body = line.join((KEY_LINES.replace("\n", line), "aB3=" * 5))
    text = f'{{"k": "-----BEGIN {kind}-----{line}{head.replace("|", line)}{body}{line}-----END {kind}-----{line}"}}'
    text = text[: len(text) - lost % len(text)]
    compiled = policy(rule(type="secrets"), stage=Stage.OUTPUT)
    scanner = StreamScanner(compiled)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    released = "".join(scanner.push("c", text[start:end]) for start, end in itertools.pairwise(edges))
    released += scanner.finish().get("c", "")
    whole = check(compiled, [Segment(text, role="assistant")], fingerprint).replacements.get(0, text)
    assert released == whole


def test_members_that_are_no_private_keys_are_left_alone() -> None:
    for text in ('{"d": "' + chars(50) + '"}', '{"k": "' + chars(43) + '"}', '{"x": "' + chars(43) + '"}'):
        assert found(text) == []


def found(text: str) -> list[tuple[str, str]]:
    scan = SecretsFinder().find(TextView(text, TAGS), 0, True)
    assert scan.labels is not None
    return [(text[start:end], label.entity) for (start, end), label in zip(scan.spans, scan.labels, strict=True)]


def test_the_catalogue_is_large_and_its_names_make_mask_tags() -> None:
    assert len(CATALOGUE) >= 150
    assert len(set(NAMES)) == len(NAMES)
    assert all(name.isascii() and name.islower() and len(name) <= 31 for name in NAMES)
    assert all(row.form and row.group and row.anchors for row in CATALOGUE)


@pytest.mark.parametrize(
    ("text", "secret", "entity"),
    [
        (f"key {AWS_ID}.", AWS_ID, "aws_access_key_id"),
        (f"aws_secret_access_key = {AWS_SECRET}", AWS_SECRET, "aws_secret_access_key"),
        (f"use {GITHUB}.", GITHUB, "github_pat"),
        (f"use {SLACK}!", SLACK, "slack_bot_token"),
        (f"DB={URL}, then", URL, "postgres_connection_string"),
        (f"see:\n{PEM}\nbye", PEM, "private_key"),
        (f'{{"k": "{JWT}"}}', JWT, "jwt"),
        ("Authorization: Basic YWRtaW46UTl2IXhLMnA=", "YWRtaW46UTl2IXhLMnA=", "basic_auth_header"),
        ('password = "hunter2xZ"', "hunter2xZ", "generic_password"),
        ("api_key: 7f3kq92mzx81pdw0", "7f3kq92mzx81pdw0", "generic_api_key"),
        ("DD_API_KEY=3f9c1b7e2a8d4650f1e2c3b4a5968778", "3f9c1b7e2a8d4650f1e2c3b4a5968778", "datadog_api_key"),
        *((text.replace("SECRET", "Vk7#mQ2zLp"), "Vk7#mQ2zLp", entity) for text, entity in PASSWORDS),
        *((text.replace("SECRET", "m3Zk9QvT1xLb7RdW"), "m3Zk9QvT1xLb7RdW", entity) for text, entity in VALUES),
    ],
)
def test_finds_the_credential_alone(text: str, secret: str, entity: str) -> None:
    assert found(text) == [(secret, entity)]


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        'password = "changeme"',
        'password = "${DB_PASSWORD}"',
        "password = os.environ['DB_PASSWORD']",
        "api_key = config.get('api_key')",
        "token: <your-token-here>",
        "secret: xxxxxxxxxxxxxxxxxxxx",
        "api_key=0123456789abcdef",
        "postgres://user:password@localhost/db",
        "postgres://app:${PGPASSWORD}@db/app",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        '"integrity": "sha512-9Rq1oNZyUQmCwFqFqkCvVmBfZ9yWx1iPDIf7Tt3JbQFvAsQ5eYqX1r9wq0Qe8l0xFz8nq5o2m3Kp7s6t4u1v2w"',
        "max_tokens: 4096",
        "password_hash = 'k3J9x2Lm8Qw7Zt5v'",
        "admin_password_hash=k3J9x2Lm8Qw7Zt5v",
        "tokenAddress: 0xf1309fb62a58e2eb13d2491fc50586dd5ddfce57",
        "publicKeyToken=3fa602897577edde",
        "password_encryption = scram-sha-256",
        "the boarding pass 12345 and a compass: North7#Star",
        "please reset the password Monday2",
        "to skip it, pass `check_0d=True`",
        'derive(self.passphrase, "PBKDF2WithHMAC-SHA512AndAES192-GCM")',
        "-----BEGIN PRIVATE KEY----- is how such a file begins",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "ghp_" + "8Kd0sVbQ2nLx7TfWm4RzYc1Hj6PgUa" + "AAAAAA",
        "GITHUB_TOKEN=ghp_" + "8Kd0sVbQ2nLx7TfWm4RzYc1Hj6PgUa" + "AAAAAA",
    ],
)
def test_passes_over_what_only_looks_like_one(text: str) -> None:
    assert found(text) == []


def test_every_detectors_pattern_compiles() -> None:
    assert [row.name for row in CATALOGUE if row.locate(b" zzz @" + b"z" * 40, 1, 3) is not None] == []


def test_the_more_specific_detector_names_the_finding() -> None:
    assert found(f"api_key = '{SLACK}'") == [(SLACK, "slack_bot_token")]


def test_every_credential_is_masked_however_many_there_are() -> None:
    many = 12_000
    text = " ".join([f"{AWS_ID},"] * many)
    assert masked(text, rule(type="secrets")) == " ".join(["[AWS_ACCESS_KEY_ID],"] * many)


def test_a_rule_may_name_its_detectors() -> None:
    text = f"{AWS_ID} and {URL}"
    assert masked(text, rule(type="secrets", detectors=["aws_access_key_id"])) == f"[AWS_ACCESS_KEY_ID] and {URL}"
    assert masked(text, rule(type="secrets")) == "[AWS_ACCESS_KEY_ID] and [POSTGRES_CONNECTION_STRING]"


def test_an_unknown_detector_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refused:
        policy(rule(type="secrets", detectors=["jwt", "nope"]))
    assert refused.value.field == "rules.0.detectors.1"


FRAGMENTS = (
    AWS_ID, AWS_SECRET, SLACK, PEM, PEM[:700], PEM[-200:], JWT, URL, "aws_secret_access_key = ",
    'password = "', "password: ",
    "hunter2xZ", "7f3kq92mzx81pdw0", "3f9c1b7e2a8d4650f1e2c3b4a5968778",
    "datadog key ", "api_key=", "token ", "-----BEGIN ",
    "PRIVATE KEY-----", "-----END PRIVATE KEY-----", "https://u:", "Xk29!dkQq", "@host.example", "Bearer ", "basic ",
    "YWRtaW46UTl2IXhLMnA=",
    "AKIA", "sk-", "eyJ", "[JWT]", "[GENERIC_", "PASSWORD]", '"', "'", "=", ":", "/", " ", "\n", ".", ",",
    ";", "\\n", "é", "\u200b", "\x00", "a", "1", "The quick brown fox ", "４１", "-u ", "curl ", "x" * 300,
    *(text.partition("SECRET")[0] for text, _ in (*PASSWORDS, *VALUES)), "Vk7#mQ2zLp", "m3Zk9QvT1xLb7RdW", "pass ",
    "('", " for the ", " is ", "?key=",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=2)), max_size=20).map("".join)
cuts = st.lists(st.integers(min_value=0, max_value=5000), max_size=30)
MASKING = policy(rule(type="secrets"), rule(entities=["email"]), stage=Stage.OUTPUT)


def stream(chunks: list[str]) -> str:
    scanner = StreamScanner(MASKING)
    return "".join(scanner.push("0", chunk) for chunk in chunks) + scanner.finish().get("0", "")


@settings(max_examples=150, deadline=None)
@given(texts, cuts)
@example(f"a {PEM} b", [8, 20, 700])
@example(f"-----BEGIN {PEM}", [22])
def test_streams_equal_the_whole_text(text: str, at: list[int]) -> None:
    whole = check(MASKING, [Segment(text, role="assistant")], fingerprint)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in at), len(text)]
    expected = whole.replacements.get(0, text)
    assert stream([text[start:end] for start, end in itertools.pairwise(edges)]) == expected
    if len(text) < 400:
        assert stream(list(text)) == expected


@settings(max_examples=80, deadline=None)
@given(texts)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = masked(text, rule(type="secrets"))
    assert masked(once, rule(type="secrets")) == once


@settings(max_examples=25, deadline=None)
@given(texts)
def test_both_engines_report_the_same_anchors(text: str) -> None:
    data = TextView(text, TAGS).shadow
    assert shared_scanner().scan(data) == ORACLE.scan(data)


ORACLE = Re2Scanner(anchors())


def test_clean_text_flows() -> None:
    assert [stream([chunk]) for chunk in ("Hello ", "there")] == ["Hello ", "there"]
    scanner = StreamScanner(MASKING)
    assert [scanner.push("0", chunk) for chunk in ("Hello ", "there, ", "my token ", "of thanks ")] == [
        "Hello ", "there, ", "my token ", "of thanks ",
    ]  # fmt: skip


def test_generated_credentials_are_found_and_hard_negatives_are_not() -> None:
    rng = random.Random(7)
    missed = [
        doc.kind for doc in positives(rng, 1) if not any(doc.secret in s or s in doc.secret for s, _ in found(doc.text))
    ]
    assert missed == []
    assert [(doc.kind, doc.text) for doc in negatives(rng, 1) if found(doc.text)] == []
