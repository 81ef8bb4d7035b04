"""Chat, payment, mail, AI providers."""

from __future__ import annotations

from services.guardrail.domain.secrets.checks import hexadecimal, is_discord, is_random, mixed, with_digit
from services.guardrail.domain.secrets.detector import Detector
from services.guardrail.domain.secrets.rows import context, shaped, token

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_OPENAI_FORM = "with the infix T3BlbkFJ"

CHAT = (
    token(
        "slack_bot_token", "chat", "xoxb-", r"[0-9]{8,14}-(?:[0-9]{8,14}-)?[A-Za-z0-9]{18,34}", "xoxb- + ids + secret"
    ),
    token(
        "slack_user_token",
        "chat",
        "xoxp- xoxa- xoxa-2- xoxr-",
        r"(?:[0-9]{8,14}-){1,3}[A-Za-z0-9]{24,64}",
        "xoxp- + ids + secret",
    ),
    token(
        "slack_session_token", "chat", "xoxs- xoxc- xoxo-", r"(?:[0-9]{8,14}-){2,3}[a-f0-9]{10,64}", "xoxc- + ids + hex"
    ),
    token("slack_cookie", "chat", "xoxd-", r"[A-Za-z0-9%+/=_-]{60,250}", "xoxd- + encoded base-64", most=300),
    token(
        "slack_config_token",
        "chat",
        "xoxe.xoxp- xoxe.xoxb- xoxe-",
        r"[0-9]-[A-Za-z0-9]{60,200}",
        "xoxe + version + secret",
    ),
    token(
        "slack_app_token",
        "chat",
        "xapp-",
        r"[0-9]-[A-Z0-9]{9,12}-[0-9]{8,14}-[a-f0-9]{60,70}",
        "xapp- + version, app, id, hex",
    ),
    token(
        "slack_webhook",
        "chat",
        "https://hooks.slack.com/services/ hooks.slack.com/services/",
        r"T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{23,25}",
        "team / hook / secret",
    ),
    token(
        "slack_workflow_webhook",
        "chat",
        "https://hooks.slack.com/workflows/ https://hooks.slack.com/triggers/ "
        "hooks.slack.com/workflows/ hooks.slack.com/triggers/",
        r"[TE][A-Z0-9]{8,12}/[A-Z]?[0-9A-Z]{8,20}/(?:[0-9]{10,20}/)?[A-Za-z0-9]{20,40}",
        "team / workflow / secret",
    ),
    shaped(
        "discord_bot_token",
        "chat",
        r"[MNO][A-Za-z0-9]{22}[.][A-Za-z0-9_-]{6}[.] [MNO][A-Za-z0-9]{23}[.][A-Za-z0-9_-]{6}[.] "
        r"[MNO][A-Za-z0-9]{25}[.][A-Za-z0-9_-]{6}[.]",
        r"[MNO][A-Za-z0-9]{22,25}[.][A-Za-z0-9_-]{6}[.][A-Za-z0-9_-]{27,38}",
        "snowflake in base-64 . time . HMAC",
        is_discord,
    ),
    token(
        "discord_webhook",
        "chat",
        "https://discord.com/api/webhooks/ https://discordapp.com/api/webhooks/ "
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
        r"[0-9]{17,20}/[A-Za-z0-9_-]{60,80}",
        "id / 68",
    ),
    context(
        "discord_client_secret",
        "chat",
        "discord_client|discord client|discord_secret",
        r"[A-Za-z0-9_-]{32}",
        "32 beside a name",
        mixed,
    ),
    shaped(
        "telegram_bot_token",
        "chat",
        r"[0-9]{10}:AA[A-Za-z0-9_-]{33} [0-9]{9}:AA[A-Za-z0-9_-]{33} [0-9]{8}:AA[A-Za-z0-9_-]{33}",
        r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
        "bot id : AA + 33",
    ),
    token(
        "teams_webhook",
        "chat",
        "webhook.office.com/webhookb2/ outlook.office.com/webhook/",
        rf"{_UUID}@{_UUID}/IncomingWebhook/[a-f0-9]{{32}}/{_UUID}(?:/[A-Za-z0-9_-]{{20,60}})?",
        "group@tenant / IncomingWebhook / secret",
        None,
    ),
    token(
        "google_chat_webhook",
        "chat",
        "chat.googleapis.com/v1/spaces/",
        r"[A-Za-z0-9_-]{8,16}/messages[?]key=[A-Za-z0-9_-]{39}&token=[A-Za-z0-9_%=-]{30,70}",
        "space, key, token",
        None,
    ),
    token(
        "zapier_webhook", "chat", "hooks.zapier.com/hooks/catch/", r"[0-9]{4,10}/[a-z0-9]{5,10}", "account / hook", None
    ),
    context("mattermost_token", "chat", "mattermost", r"[a-z0-9]{26}", "26 beside a name", with_digit),
    token("twilio_api_key", "chat", "SK", r"[a-f0-9]{32}", "SK + 32 hex"),
    context(
        "twilio_auth_token", "chat", "twilio|account_auth_token", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal
    ),
    context("vonage_secret", "chat", "vonage|nexmo", r"[A-Za-z0-9]{16}", "16 beside a name", with_digit),
    token("telnyx_api_key", "chat", "KEY0", r"[0-9A-F]{31}_[A-Za-z0-9]{22}", "KEY + 32 hex _ 22"),
    context("plivo_auth_token", "chat", "plivo", r"[A-Za-z0-9]{40}", "40 beside a name", mixed),
    context("messagebird_key", "chat", "messagebird", r"[A-Za-z0-9]{25}", "25 beside a name", mixed),
    context("zoom_secret", "chat", "zoom", r"[A-Za-z0-9]{32}", "32 beside a name", mixed),
    context("intercom_token", "chat", "intercom", r"dG9r[A-Za-z0-9+/=]{56}", "tok: in base-64", mixed),
    context("webex_token", "chat", "webex", r"[A-Za-z0-9]{64}_[A-Za-z0-9]{4}_[0-9a-f-]{36}", "secret _ cluster _ org"),
)

PAYMENT = (
    token(
        "stripe_secret_key",
        "payment",
        "sk_live_ sk_test_ sk_org_live_ sk_org_test_",
        r"[A-Za-z0-9]{16,247}",
        "mode + 16 or more",
        with_digit,
        260,
    ),
    token(
        "stripe_restricted_key",
        "payment",
        "rk_live_ rk_test_",
        r"[A-Za-z0-9]{16,247}",
        "mode + 16 or more",
        with_digit,
        260,
    ),
    token("stripe_webhook_secret", "payment", "whsec_", r"[A-Za-z0-9+/]{32,64}={0,2}", "whsec_ + 32 or more"),
    token("square_access_token", "payment", "sq0atp-", r"[A-Za-z0-9_-]{22}", "sq0atp- + 22"),
    token("square_oauth_secret", "payment", "sq0csp-", r"[A-Za-z0-9_-]{43}", "sq0csp- + 43"),
    token("square_production_token", "payment", "EAAA", r"[A-Za-z0-9_-]{60}", "EAAA + 60", mixed),
    token(
        "braintree_access_token",
        "payment",
        "access_token$production$ access_token$sandbox$",
        r"[a-z0-9]{16}[$][a-f0-9]{32}",
        "merchant $ 32 hex",
    ),
    context("paypal_client_secret", "payment", "paypal", r"E[A-Za-z0-9_-]{79}", "E + 79 beside a name", mixed),
    context("braintree_private_key", "payment", "braintree", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal),
    token("shopify_access_token", "payment", "shpat_ shpca_ shppa_ shpua_", r"[a-fA-F0-9]{32}", "type + 32 hex"),
    token("shopify_shared_secret", "payment", "shpss_", r"[a-fA-F0-9]{32}", "shpss_ + 32 hex"),
    token("adyen_api_key", "payment", "AQE", r"[A-Za-z0-9][A-Za-z0-9+/=-]{80,260}", "AQE + base-64", mixed, 280),
    token("razorpay_live_key", "payment", "rzp_live_", r"[A-Za-z0-9]{14}", "rzp_live_ + 14"),
    context("razorpay_secret", "payment", "razorpay", r"[A-Za-z0-9]{24}", "24 beside a name", mixed),
    token(
        "flutterwave_secret_key",
        "payment",
        "FLWSECK- FLWSECK_TEST-",
        r"[a-zA-Z0-9]{12,32}-(?:[a-z0-9]{12}-)?X",
        "FLWSECK- + 32 + -X",
    ),
    token("mollie_api_key", "payment", "live_ test_", r"[A-Za-z0-9]{30}", "mode + 30", mixed),
    token("gocardless_token", "payment", "live_ sandbox_", r"[A-Za-z0-9_-]{40}", "mode + 40", mixed),
    context("plaid_secret", "payment", "plaid", r"[a-f0-9]{30}", "30 hex beside a name", hexadecimal),
    token(
        "plaid_access_token",
        "payment",
        "access-sandbox- access-development- access-production-",
        _UUID,
        "environment + UUID",
    ),
    token("xendit_secret_key", "payment", "xnd_production_ xnd_development_", r"[A-Za-z0-9]{40,70}", "mode + base-62"),
    token(
        "paddle_api_key",
        "payment",
        "pdl_live_apikey_ pdl_sdbx_apikey_",
        r"[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}",
        "id _ secret _ check",
    ),
    token("lob_api_key", "payment", "live_ test_", r"[a-f0-9]{35}", "mode + 35 hex"),
    token("shippo_token", "payment", "shippo_live_ shippo_test_", r"[a-f0-9]{40}", "mode + 40 hex"),
    token("easypost_key", "payment", "EZAK EZTK", r"[A-Za-z0-9]{54}", "type + 54", mixed),
    token("duffel_token", "payment", "duffel_live_ duffel_test_", r"[A-Za-z0-9_-]{43}", "mode + 43"),
    context("coinbase_secret", "payment", "coinbase", r"[A-Za-z0-9+/_-]{64}", "64 beside a name", mixed),
    context("binance_secret", "payment", "binance", r"[A-Za-z0-9]{64}", "64 beside a name", mixed),
    context("kraken_secret", "payment", "kraken", r"[A-Za-z0-9+/]{86}==", "64 bytes in base-64 beside a name"),
)

AI = (
    token("openai_api_key", "ai", "sk-", r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}", _OPENAI_FORM),
    token(
        "openai_project_key",
        "ai",
        "sk-proj- sk-svcacct- sk-admin- sk-None-",
        r"[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100}",
        _OPENAI_FORM,
    ),
    token(
        "anthropic_api_key",
        "ai",
        "sk-ant-api sk-ant-admin sk-ant-oat sk-ant-ort",
        r"[0-9]{2}-[A-Za-z0-9_-]{80,120}",
        "kind + version + 95",
    ),
    token("huggingface_token", "ai", "hf_", r"[A-Za-z0-9]{34}", "hf_ + 34", is_random),
    token("huggingface_org_token", "ai", "api_org_", r"[A-Za-z0-9]{34}", "api_org_ + 34"),
    token("groq_api_key", "ai", "gsk_", r"[A-Za-z0-9]{52}", "gsk_ + 52"),
    token("xai_api_key", "ai", "xai-", r"[A-Za-z0-9]{70,84}", "xai- + 80"),
    token("replicate_token", "ai", "r8_", r"[A-Za-z0-9]{37}", "r8_ + 37", mixed),
    token("perplexity_api_key", "ai", "pplx-", r"[A-Za-z0-9]{48}", "pplx- + 48"),
    context("cohere_api_key", "ai", "cohere|co_api_key", r"[A-Za-z0-9]{40}", "40 beside a name", mixed),
    context("mistral_api_key", "ai", "mistral", r"[A-Za-z0-9]{32}", "32 beside a name", mixed),
    token("deepseek_api_key", "ai", "sk-", r"[a-f0-9]{32}", "sk- + 32 hex", hexadecimal),
    token("openrouter_api_key", "ai", "sk-or-v1-", r"[a-f0-9]{64}", "sk-or-v1- + 64 hex"),
    token("together_api_key", "ai", "tgp_v1_", r"[A-Za-z0-9_-]{43}", "tgp_v1_ + 43"),
    context("together_legacy_key", "ai", "together", r"[a-f0-9]{64}", "64 hex beside a name", hexadecimal),
    token("fireworks_api_key", "ai", "fw_", r"[A-Za-z0-9]{22,24}", "fw_ + 22 to 24", mixed),
    token("nvidia_api_key", "ai", "nvapi-", r"[A-Za-z0-9_-]{60,70}", "nvapi- + 64"),
    token("langsmith_key", "ai", "lsv2_pt_ lsv2_sk_", r"[a-f0-9]{32}_[a-f0-9]{10}", "kind + 32 hex _ 10 hex"),
    token("langfuse_secret_key", "ai", "sk-lf-", _UUID, "sk-lf- + UUID"),
    token("elevenlabs_api_key", "ai", "sk_", r"[a-f0-9]{48}", "sk_ + 48 hex"),
    context("assemblyai_key", "ai", "assemblyai", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal),
    context("deepgram_key", "ai", "deepgram", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal),
    token("stability_api_key", "ai", "sk-", r"[A-Za-z0-9]{48,51}", "sk- + 48", mixed),
    token("cerebras_api_key", "ai", "csk-", r"[a-z0-9]{48}", "csk- + 48"),
    token("tavily_api_key", "ai", "tvly-", r"(?:dev-|prod-)?[A-Za-z0-9]{32}", "tvly- + 32"),
    token("voyage_api_key", "ai", "pa-", r"[A-Za-z0-9_-]{43}", "pa- + 43", mixed),
    token("jina_api_key", "ai", "jina_", r"[a-f0-9]{32}[A-Za-z0-9_-]{28}", "jina_ + 32 hex + 28"),
    token("firecrawl_api_key", "ai", "fc-", r"[a-f0-9]{32}", "fc- + 32 hex", hexadecimal),
    context("exa_api_key", "ai", "exa_api|exa api", _UUID, "UUID beside a name"),
    context("serpapi_key", "ai", "serpapi|serp_api", r"[a-f0-9]{64}", "64 hex beside a name", hexadecimal),
    context("wandb_api_key", "ai", "wandb|weights & biases", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal),
    token("runpod_api_key", "ai", "rpa_", r"[A-Z0-9]{30,50}", "rpa_ + capitals and digits", with_digit),
    token("e2b_api_key", "ai", "e2b_", r"[a-f0-9]{40}", "e2b_ + 40 hex"),
    token("llamacloud_api_key", "ai", "llx-", r"[A-Za-z0-9]{48}", "llx- + 48"),
    token("orca_relay_key", "ai", "sk-orca-", r"[A-Za-z0-9_-]{20,120}", "this gateway's own keys", with_digit),
    context("ai21_api_key", "ai", "ai21", r"[A-Za-z0-9]{32}", "32 beside a name", mixed),
    context("clarifai_key", "ai", "clarifai", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal),
    context(
        "zhipu_api_key", "ai", "zhipu|glm_api|bigmodel", r"[a-f0-9]{32}[.][A-Za-z0-9]{16}", "32 hex . 16 beside a name"
    ),
)

MAIL = (
    token("sendgrid_api_key", "mail", "SG.", r"[A-Za-z0-9_-]{22}[.][A-Za-z0-9_-]{43}", "SG. + 22 . 43"),
    token("mailgun_api_key", "mail", "key-", r"[a-f0-9]{32}", "key- + 32 hex"),
    context(
        "mailgun_private_key",
        "mail",
        "mailgun|mg_api",
        r"[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}",
        "32-8-8 hex beside a name",
    ),
    shaped("mailchimp_api_key", "mail", r"[a-f0-9]{32}-us[0-9]", r"[a-f0-9]{32}-us[0-9]{1,2}", "32 hex + data centre"),
    token("mandrill_api_key", "mail", "md-", r"[A-Za-z0-9_-]{22}", "md- + 22", mixed),
    token("brevo_api_key", "mail", "xkeysib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}", "xkeysib- + 64 hex - 16"),
    token("brevo_smtp_key", "mail", "xsmtpsib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}", "xsmtpsib- + 64 hex - 16"),
    context("postmark_token", "mail", "postmark|x-postmark", _UUID, "UUID beside a name"),
    token("resend_api_key", "mail", "re_", r"[A-Za-z0-9]{7,9}_[A-Za-z0-9]{22,26}", "re_ + 8 _ 24", mixed),
    token("klaviyo_private_key", "mail", "pk_", r"[a-f0-9]{34}", "pk_ + 34 hex"),
    context("mailjet_secret", "mail", "mailjet|mj_apikey", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal),
    context("sparkpost_key", "mail", "sparkpost", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal),
)

ROWS: tuple[Detector, ...] = CHAT + PAYMENT + AI + MAIL
