"""Clouds, hosting, databases as a service, secret stores and networks."""

from __future__ import annotations

from services.guardrail.domain.secrets.checks import (
    hexadecimal,
    is_json_token,
    is_random,
    mixed,
    scrambled,
    with_digit,
)
from services.guardrail.domain.secrets.detector import Detector
from services.guardrail.domain.secrets.rows import context, shaped, token

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def _aws_id(value: bytes) -> bool:
    return is_random(value[4:]) and not value.endswith((b"EXAMPLE", b"SAMPLE", b"FAKE", b"TEST"))


def _sas(value: bytes) -> bool:
    return is_random(value) and value.upper() != value != value.lower()


AWS = (
    token(
        "aws_access_key_id", "cloud", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}", "four-letter type + 16 base-32", _aws_id
    ),
    context(
        "aws_secret_access_key",
        "cloud",
        "aws_secret|aws-secret|aws secret|awssecret|secret_access_key|secretaccesskey|secret access "
        "key|secret-access-key|aws_key|secret_key|secretkey",
        r"[A-Za-z0-9/+]{40}",
        "40 base-64 characters beside a secret key's name",
        mixed,
    ),
    context(
        "aws_session_token",
        "cloud",
        "session_token|sessiontoken|session-token|security_token|security-token",
        r"[A-Za-z0-9/+]{100,1000}={0,2}",
        "base-64 beside a session token's name",
        mixed,
        1024,
    ),
    token("aws_bedrock_api_key", "cloud", "ABSK", r"[A-Za-z0-9+/]{109,269}={0,2}", "ABSK + base-64", mixed, 280),
    token(
        "aws_bedrock_session_key",
        "cloud",
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t",
        r"[A-Za-z0-9+/=_-]{20,900}",
        "fixed infix: the service's host in base-64",
        most=1000,
    ),
    token("aws_mws_auth_token", "cloud", "amzn.mws.", _UUID, "amzn.mws. + UUID"),
)

GOOGLE = (
    token("gcp_api_key", "cloud", "AIza", r"[0-9A-Za-z_-]{35}", "AIza + 35"),
    token("gcp_oauth_client_secret", "cloud", "GOCSPX-", r"[A-Za-z0-9_-]{28}", "GOCSPX- + 28"),
    token("gcp_oauth_access_token", "cloud", "ya29.", r"[A-Za-z0-9_-]{30,500}", "ya29. + base-64url", most=520),
    token("gcp_oauth_refresh_token", "cloud", "1//0", r"[A-Za-z0-9_-]{40,120}", "1//0 + base-64url", mixed),
    token("gcp_hmac_access_id", "cloud", "GOOG1E", r"[A-Z0-9]{18,57}", "GOOG1E + capital base-32", with_digit),
    shaped(
        "firebase_cloud_messaging_key",
        "cloud",
        "AAAA[A-Za-z0-9_-]{7}:",
        r"AAAA[A-Za-z0-9_-]{7}:APA91[A-Za-z0-9_-]{130,140}",
        "AAAA + 7, colon, APA91 + base-64url",
    ),
)

AZURE = (
    shaped(
        "azure_client_secret",
        "cloud",
        r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31}",
        r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        "40 characters with the infix digit-Q~",
    ),
    context(
        "azure_storage_key",
        "cloud",
        "accountkey|account_key|account key|storage_key|storage key|storagekey|storage_account|access_key",
        r"[A-Za-z0-9+/]{86}==",
        "64 bytes in base-64 beside an account key's name",
    ),
    context(
        "azure_shared_access_key",
        "cloud",
        "sharedaccesskey|shared_access_key|primarykey|primary_key|secondarykey",
        r"[A-Za-z0-9+/]{43}=",
        "32 bytes in base-64 after SharedAccessKey",
        mixed,
    ),
    context(
        "azure_sas_token",
        "cloud",
        "&sig|?sig|;sig|sharedaccesssignature|sas_token",
        r"[A-Za-z0-9%+/]{40,80}(?:%3[dD]|=)",
        "sig= with a 32-byte HMAC, percent-encoded",
        _sas,
    ),
    shaped(
        "azure_devops_pat",
        "cloud",
        r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}",
        r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}",
        "84 characters with AZDO at 76",
    ),
    context(
        "azure_devops_pat_legacy",
        "cloud",
        "azure_devops|azure devops|azuredevops|devops_pat|vsts|ado_pat|ado_token",
        r"[a-z2-7]{52}",
        "52 base-32 beside a name",
        with_digit,
    ),
    shaped(
        "azure_annotated_key",
        "cloud",
        r"[A-Za-z0-9]{52}JQQJ9",
        r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{16}[A-Za-z][A-Za-z0-9]{7}(?:[A-Za-z0-9]{2}==)?",
        "84 characters with JQQJ9 at 52",
    ),
    shaped(
        "azure_functions_key",
        "cloud",
        r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}",
        r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]==",
        "AzFu at 44",
    ),
    shaped(
        "azure_search_key",
        "cloud",
        r"[A-Za-z0-9]{42}AzSe[A-D]",
        r"[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}",
        "52 characters with AzSe at 42",
    ),
    shaped(
        "azure_container_registry_key",
        "cloud",
        r"[A-Za-z0-9+/]{42}\+ACR[A-D]",
        r"[A-Za-z0-9+/]{42}\+ACR[A-D][A-Za-z0-9+/]{5}",
        "52 characters with +ACR at 42",
    ),
    shaped(
        "azure_cache_key",
        "cloud",
        r"[A-Za-z0-9]{33}AzCa[A-P]",
        r"[A-Za-z0-9]{33}AzCa[A-P][A-Za-z0-9]{5}=",
        "44 characters with AzCa at 33",
    ),
    context(
        "azure_cognitive_key",
        "cloud",
        "ocp-apim-subscription-key|azure_openai|azureopenai|azure openai|cognitive",
        r"[0-9a-f]{32}",
        "32 hex beside a name",
        hexadecimal,
    ),
)

HOSTS = (
    token("alibaba_access_key_id", "cloud", "LTAI", r"[A-Za-z0-9]{12,24}", "LTAI + 12 to 24", with_digit),
    context(
        "alibaba_secret_key",
        "cloud",
        "alibaba|aliyun|alicloud|accesskeysecret|access_key_secret",
        r"[A-Za-z0-9]{30}",
        "30 base-62 beside a name",
        mixed,
    ),
    token("tencent_secret_id", "cloud", "AKID", r"[A-Za-z0-9]{32}", "AKID + 32", mixed),
    token("digitalocean_token", "cloud", "dop_v1_ doo_v1_ dor_v1_", r"[a-f0-9]{64}", "type, version, 64 hex"),
    token("digitalocean_spaces_key", "cloud", "DO00", r"[A-Z0-9]{16}", "DO00 + 16", with_digit),
    context(
        "ibm_cloud_api_key",
        "cloud",
        "ibm_cloud|ibmcloud|ibm cloud|ibm_api|ibm-api|ibm_key|bluemix|iam_apikey|watson",
        r"[A-Za-z0-9_-]{44}",
        "44 base-64url beside a name",
        mixed,
    ),
    token("yandex_api_key", "cloud", "AQVN", r"[A-Za-z0-9_-]{35,38}", "AQVN + 35", mixed),
    token(
        "yandex_iam_token",
        "cloud",
        "t1.9",
        r"[A-Za-z0-9_-]{30,300}[.][A-Za-z0-9_-]{86}",
        "t1.9… . signature",
        mixed,
        400,
    ),
    token("yandex_oauth_token", "cloud", "y0_Ag", r"[A-Za-z0-9_-]{50,60}", "y0_Ag + base-64url", mixed),
    token("yandex_static_key", "cloud", "YCM YCN YCO YCP", r"[A-Za-z0-9_-]{37}", "YC + 38", mixed),
    context("scaleway_secret_key", "cloud", "scaleway|scw_secret|scw-secret|scw_", _UUID, "UUID beside a name"),
    context("linode_token", "cloud", "linode", r"[a-f0-9]{64}", "64 hex beside a name", hexadecimal),
    context("vultr_api_key", "cloud", "vultr", r"[A-Z0-9]{36}", "36 capitals and digits beside a name", with_digit),
    context("hetzner_api_token", "cloud", "hetzner|hcloud", r"[A-Za-z0-9]{64}", "64 base-62 beside a name", mixed),
    token("heroku_api_key", "cloud", "HRKU-", rf"(?:{_UUID}|AA[0-9A-Za-z_-]{{58}})", "HRKU- + UUID or AA + 58"),
    context("heroku_legacy_key", "cloud", "heroku", _UUID, "UUID beside a name"),
    token("flyio_token", "cloud", "fo1_", r"[A-Za-z0-9_-]{43}", "fo1_ + 43", mixed),
    token(
        "flyio_macaroon",
        "cloud",
        "fm1r_ fm1a_ fm2_",
        r"[A-Za-z0-9+/]{80,900}={0,3}",
        "fm1r_, fm1a_, fm2_ + base-64",
        mixed,
        920,
    ),
    token("render_api_key", "cloud", "rnd_", r"[A-Za-z0-9]{28,32}", "rnd_ + base-62", with_digit),
    context("railway_token", "cloud", "railway", _UUID, "UUID beside a name"),
    context("koyeb_token", "cloud", "koyeb", r"[a-z0-9]{64}", "64 beside a name", with_digit),
    context(
        "cloudflare_api_token",
        "cloud",
        "cloudflare|cf_api|cf-api|cf_token|x-auth-key",
        r"[A-Za-z0-9_-]{40}",
        "40 base-64url beside a name",
        mixed,
    ),
    context(
        "cloudflare_global_key",
        "cloud",
        "cloudflare|cf_api|cf-api|x-auth-key",
        r"[a-f0-9]{37}",
        "37 hex beside a name",
        hexadecimal,
    ),
    token("cloudflare_origin_ca_key", "cloud", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{146}", "v1.0- + 24 hex - 146 hex"),
    token(
        "cloudflare_scannable_token", "cloud", "cfut_ cfat_ cfk_", r"[A-Za-z0-9]{40}[a-f0-9]{8}", "type + 40 + 8 hex"
    ),
    context("fastly_api_token", "cloud", "fastly", r"[A-Za-z0-9_-]{32}", "32 base-64url beside a name", mixed),
    token("vercel_token", "cloud", "vcp_ vci_ vca_ vcr_ vck_", r"[A-Za-z0-9]{56}", "type + 56", mixed),
    context("vercel_legacy_token", "cloud", "vercel", r"[A-Za-z0-9]{24}", "24 base-62 beside a name", mixed),
    token("netlify_token", "cloud", "nfp_ nfc_ nfo_ nfu_ nfb_", r"[A-Za-z0-9]{36}", "type + 36", with_digit),
    context("netlify_legacy_token", "cloud", "netlify", r"[A-Za-z0-9_-]{40,46}", "40 to 46 beside a name", mixed),
    token("supabase_access_token", "cloud", "sbp_", r"(?:v0_|oauth_)?[a-f0-9]{40}", "sbp_ + 40 hex"),
    token("supabase_secret_key", "cloud", "sb_secret_", r"[A-Za-z0-9_-]{31,40}", "sb_secret_ + 31"),
    token(
        "planetscale_token",
        "cloud",
        "pscale_tkn_ pscale_pw_ pscale_oauth_",
        r"[A-Za-z0-9_=.-]{32,64}",
        "type + 32 to 64",
    ),
    token("neon_api_key", "cloud", "napi_", r"[a-z0-9]{64}", "napi_ + 64"),
    token("databricks_token", "cloud", "dapi", r"[a-f0-9]{32}(?:-[0-9])?", "dapi + 32 hex"),
    token("databricks_oauth_secret", "cloud", "dose", r"[a-f0-9]{32}", "dose + 32 hex"),
    token("mongodb_atlas_service_secret", "cloud", "mdb_sa_sk_", r"[A-Za-z0-9_-]{40}", "mdb_sa_sk_ + 40"),
    context(
        "mongodb_atlas_private_key",
        "cloud",
        "mongodb_atlas|atlas_private|atlas private|atlas_api|mcli_private",
        _UUID,
        "UUID beside a name",
    ),
    context(
        "confluent_secret",
        "cloud",
        "confluent|ccloud",
        r"(?:[A-Za-z0-9+/]{64}|cflt[A-Za-z0-9+/]{60})",
        "64 base-64 beside a name",
        mixed,
    ),
    token("cockroach_api_key", "cloud", "CCDB1_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{40}", "CCDB1_ + 22 _ 40"),
    token("aiven_password", "cloud", "AVNS_", r"[A-Za-z0-9_-]{19}", "AVNS_ + 19"),
    token("elastic_cloud_key", "cloud", "essu_", r"[A-Za-z0-9+/]{60,120}={0,2}", "essu_ + base-64"),
    token("clickhouse_cloud_key", "cloud", "4b1d", r"[A-Za-z0-9]{38}", "4b1d + 38", mixed),
    token("pinecone_api_key", "cloud", "pcsk_", r"[A-Za-z0-9]{5,8}_[A-Za-z0-9]{50,70}", "pcsk_ + id _ secret"),
    token("vault_token", "vault", "hvs. hvb. hvr.", r"[A-Za-z0-9_-]{24,300}", "type + 24 or more", with_digit, 320),
    token("vault_service_token", "vault", "s.", r"[A-Za-z0-9]{24}", "s. + 24", scrambled),
    context(
        "vault_legacy_token",
        "vault",
        "vault_token|vault-token|vault token|vaulttoken",
        r"[sbr][.][A-Za-z0-9]{24}",
        "s. + 24 beside a name",
        mixed,
    ),
    shaped(
        "terraform_cloud_token",
        "vault",
        r"[A-Za-z0-9]{14}[.]atlasv1[.]",
        r"[A-Za-z0-9]{14}[.]atlasv1[.][A-Za-z0-9_=-]{60,70}",
        "14 . atlasv1 . 60 to 70",
    ),
    context(
        "consul_token",
        "vault",
        "consul_http_token|consul_token|consul-token|consul token|nomad_token|x-nomad-token",
        _UUID,
        "UUID beside a name",
    ),
    token(
        "doppler_token",
        "vault",
        "dp.pt. dp.ct. dp.sa. dp.scim. dp.audit. dp.st.",
        r"(?:[a-z0-9_-]{2,35}[.])?[A-Za-z0-9]{40,44}",
        "type + 40 to 44",
    ),
    shaped(
        "infisical_token",
        "vault",
        r"st[.][a-f0-9]{24}[.]",
        r"st[.][a-f0-9]{24}[.][a-f0-9]{32}[.][a-f0-9]{32}",
        "st. + three parts",
    ),
    token(
        "onepassword_service_token",
        "vault",
        "ops_eyJ",
        r"[A-Za-z0-9+/_-]{200,1000}={0,2}",
        "ops_ + JSON in base-64",
        is_json_token,
        1024,
    ),
    shaped(
        "onepassword_secret_key",
        "vault",
        r"A3-[A-Z0-9]{6}-[A-Z0-9]{6}",
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
        "A3- + groups",
    ),
    token("pulumi_token", "vault", "pul-", r"[a-f0-9]{40}", "pul- + 40 hex"),
    token(
        "age_secret_key", "vault", "AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "Bech32 of 32 bytes"
    ),
    token(
        "tailscale_key",
        "network",
        "tskey-auth- tskey-api- tskey-client- tskey-scim- tskey-webhook- tskey-",
        r"[A-Za-z0-9]{8,20}-[A-Za-z0-9]{16,40}",
        "type, id, secret",
    ),
    context(
        "ngrok_token",
        "network",
        "ngrok|authtoken",
        r"[A-Za-z0-9]{20,28}_[A-Za-z0-9]{20,24}",
        "two base-62 parts beside a name",
        mixed,
    ),
    context(
        "wireguard_private_key",
        "network",
        "privatekey|presharedkey|private_key|wireguard",
        r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=",
        "32 bytes in base-64 beside a name",
        mixed,
    ),
)

ROWS: tuple[Detector, ...] = AWS + GOOGLE + AZURE + HOSTS
