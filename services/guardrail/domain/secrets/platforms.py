"""Tokens of developer platforms, newer AI services and payment services that carry their own prefix."""

from __future__ import annotations

from services.guardrail.domain.secrets.checks import hexadecimal, mixed, with_digit
from services.guardrail.domain.secrets.detector import Detector
from services.guardrail.domain.secrets.rows import context, token

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

AI = (
    token("anyscale_token", "ai", "esecret_", r"[A-Za-z0-9]{20,64}", "esecret_ + 20 or more"),
    token("browserbase_api_key", "ai", "bb_live_", r"[A-Za-z0-9_-]{20,64}", "bb_live_ + 20 or more", with_digit),
    token("cartesia_api_key", "ai", "sk_car_", r"[A-Za-z0-9_-]{20,64}", "sk_car_ + 20 or more", with_digit),
    token("friendli_token", "ai", "flp_", r"[A-Za-z0-9]{32,64}", "flp_ + 32 or more"),
    token("helicone_api_key", "ai", "sk-helicone-", r"[a-z0-9-]{24,64}", "sk-helicone- + groups", with_digit),
    token("kaggle_token", "ai", "KGAT_", r"[a-f0-9]{32}", "KGAT_ + 32 hex"),
    token("mem0_api_key", "ai", "m0-", r"[A-Za-z0-9]{40}", "m0- + 40", mixed),
    token("baidu_cloud_key", "ai", "bce-v3/ALTAK-", r"[A-Za-z0-9]{21}/[a-f0-9]{40}", "bce-v3/ALTAK- + id / 40 hex"),
    token(
        "lambda_cloud_key",
        "ai",
        "secret_",
        r"[a-z0-9-]{1,40}_[a-f0-9]{32}\.[A-Za-z0-9]{32}",
        "secret_ name _ 32 hex . 32",
    ),
)

PLATFORM = (
    token("apify_token", "developer", "apify_api_", r"[A-Za-z0-9]{36,46}", "apify_api_ + 36 or more"),
    token("axiom_token", "monitoring", "xaat- xapt-", _UUID, "xaat- or xapt- + UUID"),
    token("cal_api_key", "developer", "cal_live_", r"[a-f0-9]{32}", "cal_live_ + 32 hex", hexadecimal),
    token("daytona_api_key", "developer", "dtn_", r"[a-f0-9]{64}", "dtn_ + 64 hex"),
    token("deno_deploy_token", "developer", "ddp_ ddo_", r"[A-Za-z0-9]{36,40}", "ddp_ or ddo_ + 36 or more"),
    token(
        "django_secret_key", "developer", "django-insecure-", r"[a-z0-9!@#$%^&*(\-_=+)]{40,64}", "startproject's key"
    ),
    token("gcp_bound_api_key", "cloud", "AQ.Ab", r"[A-Za-z0-9_-]{40,64}", "AQ.Ab + 40 or more", mixed),
    token("honeybadger_token", "monitoring", "hbp_", r"[A-Za-z0-9]{36}", "hbp_ + 36"),
    token("incident_io_key", "monitoring", "inc_", r"[a-f0-9]{64}", "inc_ + 64 hex"),
    token(
        "liveblocks_secret", "developer", "sk_prod_ sk_dev_", r"[A-Za-z0-9_-]{48,80}", "sk_prod_ + 48 or more", mixed
    ),
    token("n8n_api_key", "developer", "n8n_api_", r"[a-f0-9]{40,96}", "n8n_api_ + hex"),
    token(
        "ory_token",
        "identity",
        "ory_pat_ ory_apikey_ ory_at_ ory_rt_ ory_st_",
        r"[A-Za-z0-9_-]{32,64}(?:\.[A-Za-z0-9_-]{20,64})?",
        "ory_ kind _ + 32 or more",
        with_digit,
    ),
    token("retool_token", "developer", "retool_01", r"[a-z0-9]{30,40}", "retool_01 + 30 or more"),
    token("rootly_api_key", "monitoring", "rootly_", r"[a-f0-9]{64}", "rootly_ + 64 hex"),
    token(
        "stytch_secret",
        "identity",
        "secret-live- secret-test-",
        r"[A-Za-z0-9_-]{35}=?",
        "secret-live- + 36",
        with_digit,
    ),
    token(
        "trigger_dev_key", "developer", "tr_prod_ tr_dev_", r"[A-Za-z0-9]{20,48}", "tr_prod_ + 20 or more", with_digit
    ),
    token("unkey_key", "developer", "unkey_", r"[A-Za-z0-9]{20,48}", "unkey_ + 20 or more", mixed),
    token(
        "vercel_blob_token",
        "cloud",
        "vercel_blob_rw_",
        r"[A-Za-z0-9]{16}_[A-Za-z0-9]{28,40}",
        "vercel_blob_rw_ store _ 28 or more",
    ),
    token("xata_api_key", "database", "xau_", r"[A-Za-z0-9]{32,40}", "xau_ + 32 or more", mixed),
    token("zuplo_api_key", "developer", "zpka_", r"[a-f0-9]{32}_[a-f0-9]{8}", "zpka_ 32 hex _ 8 hex"),
    context(
        "ably_api_key", "messaging", "ably", r"[\w-]{6}\.[\w-]{6}:[\w-]{20,44}", "app.id:secret beside a name", mixed
    ),
    context(
        "uptimerobot_key",
        "monitoring",
        "uptimerobot|uptime_robot",
        r"[um][0-9]{6,8}-[a-f0-9]{24}",
        "u or m, account, 24 hex beside a name",
    ),
)

PAYMENT = (
    token("brex_token", "payment", "bxt_", r"[A-Za-z0-9]{36,48}", "bxt_ + 36 or more"),
    token("polar_token", "payment", "polar_oat_ polar_pat_", r"[A-Za-z0-9_-]{36,64}", "polar_oat_ + 36 or more", mixed),
)

ROWS: tuple[Detector, ...] = AI + PLATFORM + PAYMENT
