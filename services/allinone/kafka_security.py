"""How to reach a secured Kafka cluster: aiokafka's options from the settings."""

from __future__ import annotations

from typing import Any

from aiokafka.helpers import create_ssl_context

from services.common.settings import OrcaSettings


def kafka_options(settings: OrcaSettings) -> dict[str, Any]:
    """Options for every client. Raises OSError on an unreadable file, ValueError on a half-set credential."""
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_context"] = create_ssl_context(
            cafile=str(settings.kafka_ca_file) if settings.kafka_ca_file else None,
            certfile=str(settings.kafka_cert_file) if settings.kafka_cert_file else None,
            keyfile=str(settings.kafka_key_file) if settings.kafka_key_file else None,
        )
    if protocol.startswith("SASL"):
        password = settings.kafka_sasl_password.get_secret_value()
        if not settings.kafka_sasl_username or not password:
            raise ValueError("ORCA_KAFKA_SASL_USERNAME and ORCA_KAFKA_SASL_PASSWORD must be set with SASL")
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password,
        }
    return options
