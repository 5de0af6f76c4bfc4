"""How every client reaches the brokers: their addresses, TLS, and the name that this process has there."""

import ssl
from typing import Any

from services.kernel.settings import Settings


def access(settings: Settings) -> dict[str, Any]:
    """The arguments of every client of aiokafka that say where the brokers are and who asks."""
    named = bool(settings.kafka_user)
    asked: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": ("SASL_" if named else "") + ("SSL" if settings.kafka_tls else "PLAINTEXT"),
        "ssl_context": trust(settings),
    }
    if named:
        asked["sasl_mechanism"] = settings.kafka_mechanism
        asked["sasl_plain_username"] = settings.kafka_user
        asked["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return asked


def trust(settings: Settings) -> ssl.SSLContext | None:
    """The authorities that may sign the brokers' certificates. A certificate of another host is refused."""
    return ssl.create_default_context(cafile=settings.kafka_ca) if settings.kafka_tls else None
