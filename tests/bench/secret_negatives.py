"""Hard negatives for credential scanners: what looks like a credential and is none."""

from __future__ import annotations

import base64
import hashlib
import random

from tests.bench.secret_corpus import Document, fill

TEMPLATES: dict[str, tuple[tuple[str, str], ...]] = {
    "git_sha": (
        ("txt", "commit {h:40}\nAuthor: A. Person <a@example.com>\n\n    Fix the parser"),
        ("md", "Fixed in {h:40} and {h:7}."),
        ("yaml", "- uses: actions/checkout@{h:40}  # v4"),
        ("txt", "Subproject commit {h:40}"),
        ("json", '{{"gitHead": "{h:40}", "version": "1.4.2"}}'),
    ),
    "digest": (
        ("txt", "{h:64}  release-1.2.3.tar.gz"),
        ("yaml", "image: registry.internal/app@sha256:{h:64}"),
        ("txt", "MD5 (disk.iso) = {h:32}"),
        ("json", '{{"etag": "{h:32}", "size": 4096}}'),
        ("py", 'EXPECTED_SHA256 = "{h:64}"'),
        ("txt", "fingerprint: SHA256:{b:43}"),
        ("toml", 'checksum = "{h:64}"'),
        ("txt", "pip==24.0 --hash=sha256:{h:64}"),
        ("txt", "golang.org/x/crypto v0.21.0 h1:{b:43}="),
    ),
    "integrity": (
        ("json", '"left-pad": {{\n  "version": "1.3.0",\n  "integrity": "sha512-{b:86}=="\n}}'),
        ("yaml", "    resolution: {{integrity: sha512-{b:86}==}}"),
        ("html", '<script src="/a.js" integrity="sha384-{b:64}" crossorigin="anonymous"></script>'),
    ),
    "uuid": (
        ("json", '{{"id": "{uuid}", "name": "orders"}}'),
        ("log", "2026-03-04T10:22:31Z INFO request_id={uuid} path=/v1/items status=200"),
        ("py", 'TENANT = UUID("{uuid}")'),
        ("sql", "INSERT INTO users (id, email) VALUES ('{uuid}', 'a@example.com');"),
        ("yaml", "datasource_uid: {uuid}"),
        ("json", '{{"client_id": "{uuid}", "tenant_id": "{uuid}"}}'),
    ),
    "identifier": (
        ("json", '{{"customer": "cus_{a:14}", "payment_intent": "pi_{a:24}", "object": "charge"}}'),
        ("py", 'STRIPE_PUBLISHABLE_KEY = "pk_live_{a:24}"'),
        ("txt", "Slack channel C0{U:9} in team T0{U:9}"),
        ("json", '{{"trace_id": "{h:32}", "span_id": "{h:16}"}}'),
        ("json", '{{"next_page_token": "{w:48}"}}'),
        ("json", '{{"cursor": "{b:40}==", "hasNextPage": true}}'),
        ("txt", "arn:aws:iam::{d:12}:role/deploy"),
        ("json", '{{"thread_id": "thread_{a:24}", "assistant_id": "asst_{a:24}"}}'),
        ("txt", "order 4{d:11} shipped with tracking 1Z{U:16}"),
        ("json", '{{"sku": "{U:4}-{U:4}-{U:4}", "qty": 2}}'),
        ("json", '{{"twilio_account_sid": "AC{h:32}"}}'),
    ),
    "public_material": (
        ("txt", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b:43} a@example"),
        ("txt", "-----BEGIN PUBLIC KEY-----\n{b:64}\n{b:64}\n-----END PUBLIC KEY-----"),
        ("txt", "-----BEGIN CERTIFICATE-----\n{b:64}\n{b:64}\n{b:64}\n-----END CERTIFICATE-----"),
        ("yaml", "public_key: {b:43}="),
        ("txt", "bitcoin 1{a:33}"),
    ),
    "lookup": (
        ("py", 'password = os.environ["DB_PASSWORD"]'),
        ("py", 'api_key = os.getenv("SERVICE_API_KEY")'),
        ("js", "const token = process.env.GITHUB_TOKEN;"),
        ("yaml", "password: ${{DB_PASSWORD}}"),
        ("yaml", "token: ${{{{ secrets.GITHUB_TOKEN }}}}"),
        ("yaml", "valueFrom:\n  secretKeyRef:\n    name: db-credentials\n    key: password"),
        ("tf", "password = var.db_password"),
        ("tf", 'password = "${{random_password.db.result}}"'),
        ("java", 'String password = config.getString("db.password");'),
        ("py", "token = await self.session.fetch_token(client_id)"),
        ("go", 'apiKey := os.Getenv("API_KEY")'),
        ("js", "headers: {{ Authorization: `Bearer ${{accessToken}}` }}"),
        ("sh", 'curl -H "Authorization: Bearer $TOKEN" https://api.internal'),
        ("py", 'secret = vault.read("secret/data/app")["data"]["value"]'),
        ("cs", 'var password = Configuration["Database:Password"];'),
        ("rb", "password = Rails.application.credentials.db_password"),
        ("php", "$password = $_POST['password'];"),
        ("js", "const secret = getSecret('projects/p1/secrets/s2/versions/latest');"),
        ("yaml", "DATABASE_URL: postgres://app:${{PGPASSWORD}}@db:5432/app"),
        ("py", 'url = f"postgresql://{{user}}:{{password}}@{{host}}/{{name}}"'),
        ("properties", "spring.datasource.password=${{DB_PASSWORD:}}"),
        ("yaml", "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256"),
        ("yaml", "api_key: ENC[AES256_GCM]"),
        ("yaml", "password: vault:secret/data/db#password"),
        ("json", '{{"apiKey": "op://vault/item/field"}}'),
    ),
    "placeholder": (
        ("env", "API_KEY=your_api_key_here"),
        ("env", "DB_PASSWORD=changeme"),
        ("env", "SECRET_KEY=<your-secret-key>"),
        ("yaml", 'token: "xxxxxxxxxxxxxxxxxxxxxxxx"'),
        ("md", "export OPENAI_API_KEY=sk-..."),
        ("md", "OPENAI_API_KEY=sk-your-key-here"),
        ("md", "`sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`"),
        ("md", "aws_access_key_id = AKIAIOSFODNN7EXAMPLE"),
        ("md", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("md", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("md", "postgres://user:password@localhost:5432/mydb"),
        ("md", "mongodb://username:password@host:27017/db"),
        ("md", "redis://:password@localhost:6379"),
        ("md", "https://user:pass@example.com/"),
        ("md", "xoxb-your-token-here"),
        ("md", "SLACK_TOKEN=xoxb-000000000000-000000000000-xxxxxxxxxxxxxxxxxxxxxxxx"),
        ("md", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("md", "Authorization: Bearer YOUR_ACCESS_TOKEN"),
        ("md", "Authorization: Bearer <token>"),
        ("yaml", "password: ********"),
        ("json", '{{"api_key": "INSERT_API_KEY_HERE"}}'),
        ("json", '{{"secret": "REDACTED"}}'),
        ("py", 'password = "password"'),
        ("py", 'api_key = "0123456789abcdef0123456789abcdef"'),
        ("py", 'token = "abcdefghijklmnopqrstuvwxyz"'),
        ("py", 'SECRET = "test-secret-key"'),
        ("py", 'API_KEY = "fake-api-key"'),
        ("py", 'token="dummy_token_for_tests"'),
        ("env", "STRIPE_KEY=sk_test_XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("env", "SENDGRID_API_KEY=SG.xxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("env", "GITHUB_TOKEN=ghp_{a:36}"),
        ("env", "NPM_TOKEN=npm_{a:36}"),
        ("txt", "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----"),
        ("txt", "The file begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----."),
        ("env", "JWT_SECRET=replace-with-a-long-random-string"),
        ("env", "AWS_SECRET_ACCESS_KEY=0000000000000000000000000000000000000000"),
        ("py", 'uuid_key = "00000000-0000-0000-0000-000000000000"'),
        ("env", "APP_SECRET=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ),
    "code": (
        ("py", "def login(username: str, password: str) -> Token:"),
        ("py", "max_tokens: int = 4096"),
        ("json", '{{"prompt_tokens": 1234, "completion_tokens": 567, "total_tokens": 1801}}'),
        ("py", "tokens = tokenizer.encode(text, add_special_tokens=True)"),
        ("js", "if (password !== confirmPassword) {{ return setError('Passwords differ'); }}"),
        (
            "html",
            '<input type="password" name="password" placeholder="Enter your password" autocomplete="current-password">',
        ),
        ("json", '{{"password": "Passwort vergessen?", "login": "Anmelden"}}'),
        ("json", '{{"password_label": "Enter your password", "secret_question": "Your first pet"}}'),
        ("ts", "interface Credentials {{ apiKey: string; secret?: string; token: string | null }}"),
        ("sql", "ALTER TABLE users ADD COLUMN password_hash VARCHAR(255) NOT NULL;"),
        ("py", "password_hash = bcrypt.hashpw(password, bcrypt.gensalt())"),
        ("py", 'stored = "$2b$12${a:53}"'),
        ("py", "raise ValueError('token is missing or expired')"),
        ("js", "const key = `${{prefix}}-${{index}}-item`; const cacheKey = 'user-list-header-cache';"),
        ("yaml", "secret_name: payments-db-credentials\ntoken_url: https://login.internal/oauth2/token"),
        ("py", 'API_KEY_HEADER = "X-Internal-Api-Key"'),
        ("py", 'TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"'),
        ("css", ".password-field {{ background: #a3f9c1; width: 240px }}"),
        ("js", "export const SET_TOKEN = 'auth/SET_TOKEN'; export const RESET_PASSWORD = 'auth/RESET_PASSWORD';"),
        ("py", 'PASSWORD_FIELD = "user_password_input"'),
        ("java", "private final PasswordEncoder passwordEncoder = new BCryptPasswordEncoder();"),
        ("py", "self.secret_key = secret_key"),
        ("go", "Token: tok.AccessToken,"),
        ("yaml", "token_expiry_seconds: 3600\npassword_min_length: 12"),
        ("tf", 'secret_id = "projects/acme/secrets/db-password"'),
        ("js", 'import {{ passwordStrength }} from "./password-strength-meter";'),
        ("yaml", "credentials: /etc/app/credentials.json"),
        ("env", "GOOGLE_APPLICATION_CREDENTIALS=/var/run/secrets/gcp/key.json"),
        ("py", 'pattern = r"(?i)password\\s*[:=]\\s*(\\S+)"'),
        ("py", "token = tokens[0]; secret = Secret(name, namespace='default')"),
        ("js", 'const i18n = {{ tokenExpired: "Your session has expired", secretAnswer: "Answer" }};'),
        ("md", "The password must have at least 12 characters, a digit and a symbol."),
        ("txt", "Please reset my password, the token you sent has expired."),
        ("md", "Use `--token` to pass the token and `--secret` for the secret."),
        ("log", "2026-03-04 10:22:31 WARN invalid password for user alice from 10.0.0.7"),
        ("log", "auth: token validation failed: signature mismatch kid={h:16}"),
        ("yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: api-token-7d9f8b6c5-x2x4z"),
        ("ts", "type TokenKind = 'access' | 'refresh'; const DEFAULT_TOKEN_KIND: TokenKind = 'access';"),
        ("py", 'primary_key = "order_line_item_id"'),
        ("py", "keyboard_key = 'ctrl+shift+k'; sort_key = 'created_at_desc'"),
    ),
    "beside_a_name": (
        ("env", "ADMIN_PASSWORD_FILE=/run/secrets/pw"),
        ("env", "admin_password_hash={h:64}"),
        ("json", '{{"secret_id": "{uuid}", "tokenAddress": "0x{h:40}"}}'),
        ("cs", "publicKeyToken={h:16}, minPasswordLength: 8"),
        ("ini", "password_encryption = scram-sha-256"),
        ("html", '<input name="__RequestVerificationToken" value=""> __RequestVerificationToken={a:40}'),
        ("txt", "csrftoken={a:32}; idempotency_key: {uuid}"),
        ("log", 'password authentication failed for user "bob"; last_password_change=1700000000'),
        ("log", "bypass: true, compass=north, passed: 12, failed: 3, pass_rate=0.95, passenger: Bob Smith"),
        ("txt", "PWD=/home/user OLDPWD=/tmp cd $PWD and pwd: /var/www/html"),
        ("txt", "hotkey = ctrl+alt+k, monkey=banana, turkey: sandwich, secretary: Jane Doe"),
        ("yaml", "secretArn: arn:aws:secretsmanager:eu-1:123456789012:secret:prod/db-AbCdEf"),
        ("py", 'cache_key = f"user:{{id}}"; partition_key = "customer_id"; key=lambda x: x[1]'),
        ("json", '{{"salt": "{h:32}", "iv": "{h:32}", "signature": "{h:64}", "fingerprint": "{h:40}"}}'),
        ("txt", "X-Amz-Signature={h:64}&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1"),
        ("txt", "Sign in with the password you chose, then pass the token on to the next player."),
    ),
    "minified": (
        (
            "js",
            '!function(e,t){{"use strict";var n="{l:8}",r=e.{A:6},i=t.{A:5};for(var'
            " o=0;o<n.length;o++)r[i[o]]={d:5}}}(this,{{}});",
        ),
        (
            "js",
            "/*! lib v3.4.1 */var"
            " {A:3}=function(){{return{{{A:4}:!0,{A:4}:!1,k:'{A:6}'}}}};//# sourceMappingURL=app.{h:8}.js.map",
        ),
        (
            "html",
            '<link rel="stylesheet" href="/static/css/main.{h:8}.css"><script'
            ' src="/static/js/2.{h:8}.chunk.js"></script>',
        ),
    ),
}
"""(suffix, template) by kind; doubled braces are literal."""


def _text(template: str, rng: random.Random) -> str:
    return fill(template.replace("{{", "\x01").replace("}}", "\x02"), rng).replace("\x01", "{").replace("\x02", "}")


def _image(rng: random.Random) -> str:
    raw = b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randrange(200, 3000))
    return f'<img src="data:image/png;base64,{base64.b64encode(raw).decode()}">'


def _lines(rng: random.Random) -> str:
    return "\n".join(f"{hashlib.sha1(rng.randbytes(8)).hexdigest()} refs/tags/v1.{n}.0" for n in range(12))


def negatives(rng: random.Random, rounds: int) -> list[Document]:
    """Documents without a credential, `rounds` of each template."""
    out = [
        Document(kind, suffix, _text(template, rng))
        for kind, templates in TEMPLATES.items()
        for suffix, template in templates
        for _ in range(rounds)
    ]
    out += [Document("image", "html", _image(rng)) for _ in range(4 * rounds)]
    out += [Document("ref_list", "txt", _lines(rng)) for _ in range(2 * rounds)]
    return out
