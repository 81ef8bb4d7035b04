"""All services' settings, read once: the only place that knows the union of the variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from services.analytics.settings import AnalyticsSettings
from services.auth.settings import AuthSettings
from services.common.settings import OrcaSettings, check_unknown, variables
from services.console.settings import ConsoleSettings
from services.firewall.settings import FirewallSettings
from services.guardrail.settings import GuardrailSettings
from services.ledger.settings import LedgerSettings
from services.relay.settings import RelaySettings


class ProfileSettings(OrcaSettings):
    """What the process itself needs, beyond its services."""

    drain_delay_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds a service still accepts after SIGTERM while it says that it is not ready, so that "
        "balancers move on; the embedded profile stops at once.",
    )


MODELS: Mapping[str, type[OrcaSettings]] = {
    "auth": AuthSettings,
    "guardrail": GuardrailSettings,
    "firewall": FirewallSettings,
    "ledger": LedgerSettings,
    "analytics": AnalyticsSettings,
    "relay": RelaySettings,
    "console": ConsoleSettings,
}


class UnknownVariables(Exception):
    """`ORCA_…` variables that no service knows."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the process and of each service."""

    profile: ProfileSettings
    services: Mapping[str, OrcaSettings]

    def of(self, service: str) -> Any:
        """One service's settings."""
        return self.services[service]

    def replace(self, *, secrets: Mapping[str, Any], **values: Any) -> Settings:
        """A copy with values set wherever a model has the field; secrets only where they are empty."""

        def changed(model: OrcaSettings) -> OrcaSettings:
            fields = type(model).model_fields
            update = {name: value for name, value in values.items() if name in fields}
            for name, value in secrets.items():
                if name in fields and not getattr(model, name).get_secret_value():
                    update[name] = value
            return model.model_copy(update=update)

        return Settings(
            ProfileSettings.model_validate(changed(self.profile), from_attributes=True),
            {name: changed(model) for name, model in self.services.items()},
        )


def known_variables() -> Mapping[str, str]:
    """Every variable of every service, with its description."""
    return variables([ProfileSettings, *MODELS.values()])


def load() -> Settings:
    """Reads the environment. Raises UnknownVariables, or pydantic's ValidationError naming the field."""
    unknown = check_unknown(known_variables())
    if unknown:
        raise UnknownVariables(", ".join(unknown))
    directory = os.environ.get("ORCA_SECRETS_DIR") or None
    return Settings(
        ProfileSettings(_secrets_dir=directory), {name: model(_secrets_dir=directory) for name, model in MODELS.items()}
    )
