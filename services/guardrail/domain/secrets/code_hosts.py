"""Code hosts, build services and package registries."""

from __future__ import annotations

from services.guardrail.domain.secrets.checks import (
    crc32_base62,
    hexadecimal,
    is_pypi,
    is_random,
    mixed,
    with_digit,
)
from services.guardrail.domain.secrets.detector import Detector
from services.guardrail.domain.secrets.rows import context, token

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GITHUB = r"[A-Za-z0-9]{36}"
_GITHUB_FORM = "prefix + 30 base-62 + CRC-32 in 6 base-62 digits"


def _signed(value: bytes) -> bool:
    return is_random(value) and crc32_base62(value)


GITHUB = (
    *(
        token(name, "vcs", prefix, _GITHUB, _GITHUB_FORM, _signed)
        for name, prefix in (
            ("github_pat", "ghp_"),
            ("github_oauth_token", "gho_"),
            ("github_user_token", "ghu_"),
            ("github_server_token", "ghs_"),
            ("github_refresh_token", "ghr_"),
        )
    ),
    token("github_fine_grained_pat", "vcs", "github_pat_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", "22 _ 59"),
    context("github_legacy_token", "vcs", "github|gh_token|gh_pat", r"[a-f0-9]{40}", "40 hex by a name", hexadecimal),
)

_ROUTABLE = r"(?:[A-Za-z0-9_-]{27,300}[.][0-9a-z]{2}[.][0-9a-z]{9}|[A-Za-z0-9_-]{40,64}|[A-Za-z0-9_-]{20,27})"

GITLAB = (
    *(
        token(name, "vcs", prefix, _ROUTABLE, f"{prefix} + 20, or routable with a checksum", with_digit, 340)
        for name, prefix in (
            ("gitlab_pat", "glpat-"),
            ("gitlab_deploy_token", "gldt-"),
            ("gitlab_runner_token", "glrt- glrtr-"),
            ("gitlab_trigger_token", "glptt-"),
            ("gitlab_feed_token", "glft-"),
            ("gitlab_incoming_mail_token", "glimt-"),
            ("gitlab_agent_token", "glagent-"),
            ("gitlab_scim_token", "glsoat-"),
            ("gitlab_feature_flag_token", "glffct-"),
        )
    ),
    token("gitlab_job_token", "vcs", "glcbt-", r"(?:[0-9a-zA-Z]{1,5}_)?[A-Za-z0-9_-]{20,64}", "glcbt- 20", with_digit),
    token("gitlab_oauth_secret", "vcs", "gloas-", r"[A-Za-z0-9_-]{64}", "gloas- + 64"),
    token("gitlab_runner_registration", "vcs", "GR1348941", r"[A-Za-z0-9_-]{20}", "GR1348941 + 20"),
)

HOSTS = (
    token("bitbucket_app_password", "vcs", "ATBB", r"[A-Za-z0-9]{32}", "ATBB + 32", mixed),
    token(
        "bitbucket_access_token",
        "vcs",
        "ATCTT3xFfG",
        r"[A-Za-z0-9+/=_-]{60,250}[=][A-F0-9]{8}",
        "ATCTT3 + base-64 = CRC",
        most=300,
    ),
    context("bitbucket_client_secret", "vcs", "bitbucket", r"[A-Za-z0-9_=-]{32,64}", "32 to 64 beside a name", mixed),
    token(
        "atlassian_api_token",
        "saas",
        "ATATT3xFfGF0",
        r"[A-Za-z0-9_=-]{100,250}[=][A-F0-9]{8}",
        "ATATT3 + base-64 = CRC",
        most=300,
    ),
    context(
        "atlassian_legacy_token",
        "saas",
        "atlassian|jira|confluence",
        r"[A-Za-z0-9]{24}",
        "24 base-62 beside a name",
        mixed,
    ),
    token("sourcegraph_token", "vcs", "sgp_", r"(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40}", "sgp_ + 40 hex"),
    token("gitea_token", "vcs", "gta_", r"[a-f0-9]{40}", "gta_ + 40 hex"),
    context(
        "gitea_legacy_token", "vcs", "gitea|forgejo|codeberg", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal
    ),
)

BUILD = (
    token("circleci_token", "ci", "CCIPAT_ CCIPRJ_", r"[A-Za-z0-9]{22}_[a-f0-9]{40}", "22 _ 40 hex"),
    context(
        "circleci_legacy_token",
        "ci",
        "circleci|circle_token|circle-token|circle_ci",
        r"[a-f0-9]{40}",
        "40 hex beside a name",
        hexadecimal,
    ),
    token("buildkite_token", "ci", "bkua_ bkaj_ bkct_", r"[a-f0-9]{40}", "type + 40 hex"),
    context("travis_token", "ci", "travis", r"[A-Za-z0-9_-]{22}", "22 beside a name", mixed),
    context(
        "drone_token", "ci", "drone_token|drone_secret|drone token", r"[A-Za-z0-9]{32}", "32 beside a name", with_digit
    ),
    context("codecov_token", "ci", "codecov", _UUID, "UUID beside a name"),
    context("jenkins_token", "ci", "jenkins", r"11[a-f0-9]{32}", "11 + 32 hex beside a name", hexadecimal),
    token("sonar_token", "ci", "sqp_ squ_ sqa_", r"[a-f0-9]{40}", "type + 40 hex"),
    context("sonar_legacy_token", "ci", "sonar", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal),
    context("snyk_token", "ci", "snyk", _UUID, "UUID beside a name"),
    token(
        "snyk_scannable_token",
        "ci",
        "snyk_uat. snyk_sat.",
        r"[a-z0-9]{8}[.][A-Za-z0-9_.-]{40,240}",
        "type . id . token",
    ),
    token("octopus_api_key", "ci", "API-", r"[A-Z0-9]{25,32}", "API- + capitals and digits", with_digit),
    token(
        "harness_token",
        "ci",
        "pat. sat.",
        r"[A-Za-z0-9_-]{22}[.][a-f0-9]{24}[.][A-Za-z0-9]{20}",
        "type . account . id . secret",
    ),
    token("prefect_token", "ci", "pnu_ pnb_", r"[A-Za-z0-9]{36}", "pnu_ + 36", with_digit),
    token("dbt_cloud_token", "ci", "dbtc_ dbtu_", r"[A-Za-z0-9_-]{30,60}", "type + base-62", with_digit),
    token("openshift_token", "ci", "sha256~", r"[A-Za-z0-9_-]{43}", "sha256~ + 43"),
    token("codeclimate_token", "ci", "CODECLIMATE_REPO_TOKEN=", r"[a-f0-9]{64}", "64 hex after its variable"),
    token("scalingo_token", "ci", "tk-us- tk-eu-", r"[A-Za-z0-9_-]{48}", "tk-us- + 48"),
    token("gitguardian_token", "ci", "gg_pat_ ggtt-", r"[A-Za-z0-9_-]{32,64}", "type + base-64url", with_digit),
)

REGISTRIES = (
    token("npm_token", "registry", "npm_", _GITHUB, _GITHUB_FORM, _signed),
    context("npm_legacy_token", "registry", ":_authtoken|npm_token|npm_auth_token", _UUID, "UUID after _authToken"),
    token(
        "pypi_token",
        "registry",
        "pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw",
        r"[A-Za-z0-9_-]{50,900}",
        "macaroon whose location is the index",
        is_pypi,
        940,
    ),
    token("rubygems_key", "registry", "rubygems_", r"[a-f0-9]{48}", "rubygems_ + 48 hex"),
    token("crates_io_token", "registry", "cio", r"[A-Za-z0-9]{32}", "cio + 32", mixed),
    token("nuget_key", "registry", "oy2", r"[a-z0-9]{43}", "oy2 + 43", with_digit),
    token("docker_hub_pat", "registry", "dckr_pat_", r"[A-Za-z0-9_-]{27}", "dckr_pat_ + 27"),
    token("docker_hub_org_token", "registry", "dckr_oat_", r"[A-Za-z0-9_-]{32}", "dckr_oat_ + 32"),
    token("clojars_token", "registry", "CLOJARS_", r"[a-z0-9]{60}", "CLOJARS_ + 60"),
    token(
        "packagist_token",
        "registry",
        "packagist_ack_ packagist_out_ packagist_uut_ packagist_oat_",
        r"[a-f0-9]{60,80}",
        "type + hex",
    ),
    context("hexpm_key", "registry", "hex_api_key|hexpm|hex.pm", r"[a-f0-9]{32}", "32 hex beside a name", hexadecimal),
    token("artifactory_api_key", "registry", "AKCp", r"[A-Za-z0-9]{69}", "AKCp + 69", mixed),
    token("artifactory_reference_token", "registry", "cmVmdGtuOj", r"[A-Za-z0-9]{54}", "reftkn: in base-64", mixed),
    token("nexus_npm_token", "registry", "NpmToken.", rf"(?:[0-9a-f]{{32}}|{_UUID})", "NpmToken. + UUID"),
    context("cloudsmith_key", "registry", "cloudsmith", r"[a-f0-9]{40}", "40 hex beside a name", hexadecimal),
    token("jsr_token", "registry", "jsrd_ jsrp_", r"[A-Za-z0-9]{32,64}", "type + base-62", mixed),
)

ROWS: tuple[Detector, ...] = GITHUB + GITLAB + HOSTS + BUILD + REGISTRIES
