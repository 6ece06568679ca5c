"""What a Kafka client is told, by profile: librdkafka's names, and the same for a Java client, such as Spark's source.

The profile of Event Hubs follows Microsoft's page of client configurations (of 2025-12-17), as
https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from commerce360.errors import ConfigError

Config = dict[str, Any]  # values are text, numbers and truth; functions where librdkafka takes a callback

# The service closes a connection that was idle for 240 s, or that sends a request of more than 1,046,528 bytes. Compression other than
# gzip is refused, and gzip where the tier has none.
EVENT_HUBS: Mapping[str, Any] = {
    "security.protocol": "SASL_SSL",
    "socket.keepalive.enable": "true",
    "metadata.max.age.ms": "180000",
    "connections.max.idle.ms": "180000",
    "allow.auto.create.topics": "false",
    "request.timeout.ms": "60000",
    "session.timeout.ms": "30000",
    "compression.type": "none",
    "message.max.bytes": "1000000",
}
CONNECTION_STRING = {"sasl.mechanism": "PLAIN", "sasl.username": "$ConnectionString"}  # the user's name, letter by letter
ENTRA = {"sasl.mechanism": "OAUTHBEARER"}

ALIASES = {"sasl.mechanisms": "sasl.mechanism", "ssl.ca.location": "ssl.truststore.location", "ssl.ca.pem": "ssl.truststore.certificates"}
CHECKS_NAME = "ssl.endpoint.identification.algorithm"
TOLD_ALIKE = (  # what has the same name and meaning in both clients
    "security.protocol",
    "sasl.mechanism",
    "ssl.truststore.location",
    "ssl.truststore.certificates",
    CHECKS_NAME,
    "request.timeout.ms",
    "session.timeout.ms",
    "connections.max.idle.ms",
)
LOGIN = {"PLAIN": "plain.PlainLoginModule", "SCRAM-SHA-256": "scram.ScramLoginModule", "SCRAM-SHA-512": "scram.ScramLoginModule"}
SECRET = ("sasl.username", "sasl.password", "oauth_cb")


def java(config: Mapping[str, Any], shaded: str = "") -> dict[str, str]:
    """The part of a librdkafka configuration that decides who is reached and how, for a Java client; it holds the password: never log it.

    `shaded` stands before the names of Kafka's classes, as `kafkashaded.` on Databricks. Tuning that only librdkafka knows is left out.
    Raises ConfigError for what a Java client would need and cannot be told: it must not go on with less protection.
    """
    named = {ALIASES.get(name, name): value for name, value in config.items()}
    if odd := sorted(n for n in named if n.startswith(("ssl.", "sasl.")) and n not in (*TOLD_ALIKE, *SECRET)):
        raise ConfigError(f"{odd[0]} has no equal in Spark's Kafka client", "leave it out of C360_KAFKA__CONFIG, or use ssl.ca.location")
    made = {name: str(named[name]) for name in TOLD_ALIKE if name in named}
    if made.get(CHECKS_NAME) == "none":
        made[CHECKS_NAME] = ""  # Java's word for it
    if any(name.startswith("ssl.truststore.") for name in made):
        made["ssl.truststore.type"] = "PEM"
    if made.get("security.protocol", "").upper().startswith("SASL"):
        made["sasl.jaas.config"] = _login(named, shaded)
    return made


def _login(config: Mapping[str, Any], shaded: str) -> str:
    mechanism = str(config.get("sasl.mechanism", "")).upper()
    if mechanism not in LOGIN:
        raise ConfigError(
            f"Spark's Kafka client cannot sign in with {mechanism or 'no mechanism'}", f"use {', '.join(LOGIN)}: a connection string"
        )
    if not config.get("sasl.username") or not config.get("sasl.password"):
        raise ConfigError("Kafka wants a user name and a password", "set C360_KAFKA__SASL_PASSWORD_FILE, and sasl.username")
    user, password = (_quoted(str(config[f"sasl.{part}"])) for part in ("username", "password"))
    return f"{shaded}org.apache.kafka.common.security.{LOGIN[mechanism]} required username={user} password={password};"


def _quoted(text: str) -> str:
    """As Kafka's JaasConfig reads it (Java's StreamTokenizer). Raises ConfigError for what cannot stand in it."""
    if any(ord(c) < 32 for c in text):
        raise ConfigError("the password of Kafka has a line break or a control character", "keep nothing but the password in its file")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def entra(bootstrap: str) -> Callable[[str], tuple[str, float]]:
    """librdkafka's `oauth_cb`: a token of Microsoft Entra ID for the namespace, and when it ends, in seconds since 1970.

    By azure-identity's default credential: environment, workload or managed identity, Azure CLI. Raises ConfigError where it is missing.
    """
    try:
        from azure.identity import DefaultAzureCredential  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ConfigError("azure-identity is not installed", "pip install azure-identity, or use C360_KAFKA__AUTH=password") from error
    credential = DefaultAzureCredential()
    scope = f"https://{bootstrap.split(',')[0].rpartition(':')[0]}/.default"

    def token(_: str) -> tuple[str, float]:
        found = credential.get_token(scope)
        return found.token, float(found.expires_on)

    return token
