"""Settings of auth."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.common.settings import OrcaSettings


class AuthSettings(OrcaSettings):
    """What auth needs beyond the shared settings."""

    channel_secret: SecretStr = Field(
        SecretStr(""), description="Key for provider credentials: 32 bytes in base64; generated when embedded."
    )
    bootstrap_admin_email: str = Field("admin@orca.local", description="E-mail of the first administrator.")
    bootstrap_admin_password: SecretStr = Field(
        SecretStr(""), description="Password of the first administrator; empty = generated and printed once."
    )
    bootstrap_access_token: SecretStr = Field(
        SecretStr(""), description="An access token of the first administrator, so that scripts can drive an instance."
    )
    echo_model: bool = Field(False, description="Offer the built-in model orca/echo; always on when embedded.")
    session_ttl_s: int = Field(43_200, ge=60, description="Seconds a console session lasts.")
    session_cookie_secure: bool = Field(
        False, description="Mark the session cookie Secure: set it where the console is reached over HTTPS."
    )
