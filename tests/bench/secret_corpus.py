"""A labelled corpus of credentials and of what looks like them, generated from providers' published formats.

Nothing in it is anybody's: every value is drawn from a seeded generator. Documents are short files of the kinds
in which credentials leak; hard negatives are what scanners mistake for credentials.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_CLASSES = {
    "a": string.ascii_letters + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "l": string.ascii_lowercase + string.digits,
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "w": string.ascii_letters + string.digits + "-_",
    "B": string.ascii_uppercase + "234567",
    "A": string.ascii_letters,
    "p": string.ascii_letters + string.digits + "!@#%^*_+-",
}
_FIELD = re.compile(r"\{([a-zA-Z]):(\d+)\}|\{(uuid|crc|crchex|seg)\}")
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

TOKENS = {
    "aws_access_key": "AKIA{B:16}",
    "aws_temp_key": "ASIA{B:16}",
    "gcp_api_key": "AIza{w:35}",
    "google_client_secret": "GOCSPX-{w:28}",
    "google_access_token": "ya29.{w:160}",
    "azure_client_secret": "{a:3}8Q~{w:34}",
    "digitalocean": "dop_v1_{h:64}",
    "github_pat": "ghp_{a:30}{crc}",
    "github_oauth": "gho_{a:30}{crc}",
    "github_server": "ghs_{a:30}{crc}",
    "github_user": "ghu_{a:30}{crc}",
    "github_refresh": "ghr_{a:30}{crc}",
    "github_fine": "github_pat_{a:22}_{a:59}",
    "gitlab_pat": "glpat-{w:20}",
    "gitlab_runner": "glrt-{w:20}",
    "gitlab_deploy": "gldt-{w:20}",
    "gitlab_trigger": "glptt-{h:40}",
    "bitbucket": "ATBB{a:24}{H:8}",
    "slack_bot": "xoxb-{d:12}-{d:13}-{a:24}",
    "slack_user": "xoxp-{d:12}-{d:12}-{d:13}-{h:32}",
    "slack_app": "xapp-1-A{U:10}-{d:13}-{h:64}",
    "slack_webhook": "https://hooks.slack.com/services/T{U:8}/B{U:10}/{a:24}",
    "discord_webhook": "https://discord.com/api/webhooks/{d:18}/{w:68}",
    "telegram": "{d:10}:AA{w:33}",
    "teams_webhook": "https://contoso.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/{h:32}/{uuid}",
    "stripe_live": "sk_live_{a:24}",
    "stripe_long": "sk_live_51{a:97}",
    "stripe_restricted": "rk_live_{a:24}",
    "stripe_webhook": "whsec_{a:32}",
    "square_access": "sq0atp-{w:22}",
    "square_oauth": "sq0csp-{w:43}",
    "braintree": "access_token$production${l:16}${h:32}",
    "shopify_access": "shpat_{h:32}",
    "shopify_secret": "shpss_{h:32}",
    "openai_legacy": "sk-{a:20}T3BlbkFJ{a:20}",
    "openai_project": "sk-proj-{w:74}T3BlbkFJ{w:74}",
    "openai_service": "sk-svcacct-{w:58}T3BlbkFJ{w:58}",
    "anthropic": "sk-ant-api03-{w:93}AA",
    "huggingface": "hf_{A:34}",
    "groq": "gsk_{a:52}",
    "xai": "xai-{a:80}",
    "replicate": "r8_{a:37}",
    "perplexity": "pplx-{a:48}",
    "openrouter": "sk-or-v1-{h:64}",
    "nvidia": "nvapi-{w:64}",
    "langsmith": "lsv2_pt_{h:32}_{h:10}",
    "npm": "npm_{a:30}{crc}",
    "pypi": "pypi-AgEIcHlwaS5vcmcCJ{w:150}",
    "rubygems": "rubygems_{h:48}",
    "crates": "cio{a:32}",
    "nuget": "oy2{l:43}",
    "docker": "dckr_pat_{w:27}",
    "artifactory": "AKCp8{a:68}",
    "sendgrid": "SG.{w:22}.{w:43}",
    "mailgun": "key-{h:32}",
    "mailchimp": "{h:32}-us12",
    "brevo": "xkeysib-{h:64}-{a:16}",
    "resend": "re_{a:8}_{a:24}",
    "newrelic": "NRAK-{U:27}",
    "sentry_user": "sntryu_{h:64}",
    "grafana_service": "glsa_{a:32}_{crchex}",
    "linear": "lin_api_{a:40}",
    "notion": "ntn_{d:11}{a:35}",
    "notion_legacy": "secret_{a:43}",
    "airtable": "pat{a:14}.{h:64}",
    "asana": "2/{d:16}/{d:16}:{h:32}",
    "figma": "figd_{w:40}",
    "postman": "PMAK-{h:24}-{h:34}",
    "doppler": "dp.pt.{a:43}",
    "vault": "hvs.{w:95}",
    "terraform": "{a:14}.atlasv1.{w:67}",
    "databricks": "dapi{h:32}",
    "planetscale": "pscale_tkn_{w:43}",
    "supabase": "sbp_{h:40}",
    "netlify": "nfp_{a:36}",
    "heroku": "HRKU-AA{a:58}",
    "flyio": "fo1_{w:43}",
    "pulumi": "pul-{h:40}",
    "tailscale": "tskey-auth-{a:12}CNTRL-{a:32}",
    "atlassian": "ATATT3xFfGF0{w:171}={H:8}",
    "dropbox": "sl.B{w:135}",
    "facebook": "EAA{a:180}",
    "linkedin_v2": "WPL_AP1.{a:16}.{b:6}==",
    "twilio_key": "SK{h:32}",
    "contentful": "CFPAT-{w:43}",
    "hubspot": "pat-na1-{uuid}",
    "dynatrace": "dt0c01.{B:24}.{B:64}",
    "circleci": "CCIPAT_{a:22}_{h:40}",
    "buildkite": "bkua_{h:40}",
    "sonar": "squ_{h:40}",
    "shippo": "shippo_live_{h:40}",
    "flutterwave": "FLWSECK-{h:32}-X",
    "mapbox": "sk.eyJ1Ijoi{w:60}.{w:22}",
    "postgres": "postgresql://app_rw:{a:14}@db-3.internal:5432/orders",
    "mysql": "mysql://root:{a:12}@10.4.2.9:3306/shop",
    "mongodb": "mongodb+srv://svc:{a:16}@cluster0.ab1cd.mongodb.net/prod",
    "redis": "redis://:{a:20}@cache.internal:6379/0",
    "amqp": "amqp://worker:{a:16}@mq.internal:5672/",
    "url_login": "https://deploy:{a:18}@git.internal/team/repo.git",
}
"""Self-describing credentials by kind; some kinds need a maker of their own, see `_MAKERS`."""

NAMED = {
    "aws_secret": ("AWS_SECRET_ACCESS_KEY", "{b:40}"),
    "azure_storage": ("AccountKey", "{b:86}=="),
    "twilio_token": ("TWILIO_AUTH_TOKEN", "{h:32}"),
    "datadog_api": ("DD_API_KEY", "{h:32}"),
    "datadog_app": ("DATADOG_APP_KEY", "{h:40}"),
    "cloudflare": ("CLOUDFLARE_API_TOKEN", "{w:40}"),
    "cohere": ("COHERE_API_KEY", "{a:40}"),
    "mistral": ("MISTRAL_API_KEY", "{a:32}"),
    "okta": ("OKTA_API_TOKEN", "00{w:40}"),
    "auth0": ("AUTH0_CLIENT_SECRET", "{w:64}"),
    "heroku_uuid": ("HEROKU_API_KEY", "{uuid}"),
    "snyk": ("SNYK_TOKEN", "{uuid}"),
    "fastly": ("FASTLY_API_TOKEN", "{w:32}"),
    "linode": ("LINODE_TOKEN", "{h:64}"),
    "algolia": ("ALGOLIA_ADMIN_KEY", "{h:32}"),
    "twitch": ("TWITCH_CLIENT_SECRET", "{l:30}"),
    "twitter": ("TWITTER_CONSUMER_SECRET", "{a:50}"),
    "linkedin": ("LINKEDIN_CLIENT_SECRET", "{a:16}"),
    "facebook_secret": ("FACEBOOK_APP_SECRET", "{h:32}"),
    "wandb": ("WANDB_API_KEY", "{h:40}"),
    "deepgram": ("DEEPGRAM_API_KEY", "{h:40}"),
    "pagerduty": ("PAGERDUTY_API_KEY", "u+{w:18}"),
    "jenkins": ("JENKINS_API_TOKEN", "11{h:32}"),
    "npm_uuid": ("NPM_TOKEN", "{uuid}"),
    "vercel": ("VERCEL_TOKEN", "{a:24}"),
    "password": ("DB_PASSWORD", "{p:16}"),
    "password_short": ("password", "{a:5}!{d:3}"),
    "passphrase": ("KEYSTORE_PASSPHRASE", "{p:20}"),
    "pwd": ("ftp_pwd", "{p:12}"),
    "api_key": ("api_key", "{a:32}"),
    "api_key_hex": ("apiKey", "{h:40}"),
    "secret": ("client_secret", "{w:36}"),
    "session_secret": ("SESSION_SECRET", "{h:64}"),
    "jwt_secret": ("JWT_SECRET", "{b:44}"),
    "auth_token": ("auth_token", "{a:40}"),
    "access_key": ("access_key", "{U:20}"),
    "encryption_key": ("encryption_key", "{b:43}="),
    "signing_key": ("signing_key", "{h:64}"),
    "token": ("token", "{a:24}"),
}
"""Credentials that only their name gives away."""

FORMS = (
    ("env", "{N}={V}"),
    ("env", 'export {N}="{V}"'),
    ("py", '{n} = "{V}"'),
    ("py", "{n}='{V}'"),
    ("json", '{{\n  "region": "eu-1",\n  "{n}": "{V}"\n}}'),
    ("yaml", "service:\n  retries: 3\n  {n}: {V}\n"),
    ("yaml", 'service:\n  {n}: "{V}"\n'),
    ("js", "const {c} = '{V}';"),
    ("js", 'const client = new Client({{ {c}: "{V}", retries: 3 }});'),
    ("java", 'private static final String {N} = "{V}";'),
    ("go", '{c} := "{V}"'),
    ("ini", "[main]\n{n} = {V}\n"),
    ("toml", '{n} = "{V}"'),
    ("sh", "deploy --{k}={V} --region eu-1"),
    ("xml", "<config><{n}>{V}</{n}></config>"),
    ("md", "Set `{N}` to `{V}` before you start."),
)
BARE = (
    ("txt", "Here it is: {V}"),
    ("txt", "I pasted {V} by mistake, can you tell me whether that matters?"),
    ("log", "2026-03-04T10:22:31Z ERROR request failed key={V} status=401"),
    ("sh", "curl -H 'X-Api-Key: {V}' https://api.internal/v1/items"),
    ("py", 'client = Client("{V}")'),
    ("json", '{{"messages": [{{"role": "user", "content": "use {V} please"}}]}}'),
    ("md", "```\n{V}\n```"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """One file: the credential in it, or none. `kind` is the row of the report."""

    kind: str
    suffix: str
    text: str
    secret: str = ""


def fill(template: str, rng: random.Random) -> str:
    """The template with its fields drawn; checksums are those of the part before them."""
    out = ""
    for piece in re.split(r"(\{[^}]+\})", template):
        field = _FIELD.fullmatch(piece)
        if field is None:
            out += piece
        elif field.group(1):
            out += "".join(rng.choice(_CLASSES[field.group(1)]) for _ in range(int(field.group(2))))
        elif field.group(3) == "uuid":
            raw = f"{rng.getrandbits(128):032x}"
            out += f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"
        elif field.group(3) == "crc":
            out += base62(zlib.crc32(out.split("_", 1)[1].encode()))
        else:
            out += f"_{zlib.crc32(out.rstrip('_').encode()):08x}"[1:]
    return out


def base62(number: int) -> str:
    """Six base-62 digits."""
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def jwt(rng: random.Random) -> str:
    """A signed token with a made-up signature."""
    header = json.dumps({"alg": rng.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}, separators=(",", ":"))
    claims = json.dumps({"sub": str(rng.randrange(10**9)), "exp": 1900000000, "role": "admin"}, separators=(",", ":"))
    return ".".join((_url64(header.encode()), _url64(claims.encode()), _url64(rng.randbytes(32))))


def discord(rng: random.Random) -> str:
    """A bot token: the bot's id, a time, a signature."""
    return f"{_url64(str(rng.randrange(10**17, 10**18)).encode())}.{fill('{w:6}', rng)}.{fill('{w:38}', rng)}"


def private_key(rng: random.Random) -> str:
    """A PEM block around random bytes."""
    label = rng.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    body = base64.b64encode(rng.randbytes(rng.choice((120, 600, 1200)))).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


def basic(rng: random.Random) -> str:
    """The value of a Basic authorization header."""
    return base64.b64encode(f"svc-{fill('{l:4}', rng)}:{fill('{p:14}', rng)}".encode()).decode()


def _names(name: str) -> dict[str, str]:
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)
    low = [word.lower() for word in words]
    camel = low[0] + "".join(word.title() for word in low[1:])
    return {"N": "_".join(low).upper(), "n": "_".join(low), "c": camel, "k": "-".join(low)}


def positives(rng: random.Random, per_kind: int) -> list[Document]:
    """Documents with one credential each."""
    out: list[Document] = []
    for kind, template in TOKENS.items():
        for _ in range(per_kind):
            value = fill(template, rng)
            suffix, form = rng.choice(BARE + FORMS)
            names = _names(rng.choice((f"{kind}_key", "my_setting", "credential_value")))
            out.append(Document(kind, suffix, form.format(V=value, **names), value))
    for kind, (name, template) in NAMED.items():
        for _ in range(per_kind):
            value = fill(template, rng)
            suffix, form = rng.choice(FORMS[:15])
            out.append(Document(kind, suffix, form.format(V=value, **_names(name)), value))
    for kind, maker, forms in _MAKERS:
        for _ in range(per_kind):
            value = maker(rng)
            suffix, form = rng.choice(forms)
            out.append(Document(kind, suffix, form.format(V=value, **_names("api_token")), value))
    return out


_HEADER = (
    ("sh", "curl -H 'Authorization: Basic {V}' https://api.internal"),
    ("py", 'headers = {{"Authorization": "Basic {V}"}}'),
)
_BEARER = (
    ("sh", 'curl -H "Authorization: Bearer {V}" https://api.internal'),
    ("json", '{{"authorization": "Bearer {V}"}}'),
)
_MAKERS: tuple[tuple[str, Callable[[random.Random], str], tuple[tuple[str, str], ...]], ...] = (
    ("jwt", jwt, BARE),
    ("discord_bot", discord, BARE),
    ("private_key", private_key, (("pem", "{V}\n"), ("txt", "my key:\n{V}\nthanks"))),
    ("basic_auth", basic, _HEADER),
    ("bearer", lambda rng: fill("{a:40}", rng), _BEARER),
)
