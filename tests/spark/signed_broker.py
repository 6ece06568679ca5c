"""A broker that is reached as Event Hubs is: TLS, and a signing in as `$ConnectionString` or with a token."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

from lake_servers import Broker, free_port

from commerce360.local.doubles.snowflake import keys
from commerce360.settings import Kafka

CONNECTION_STRING = 'Endpoint=sb://127.0.0.1/;SharedAccessKeyName=all;SharedAccessKey=aGVyZSBpcyBhICJxdW90ZQ==\\"x'
SECURITY = "org.apache.kafka.common.security"


class SignedBroker(Broker):
    """`bootstrap` is without a signing in, for the test itself; `signed` as a service in the cloud has it, with a CA in `ca`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ca = folder / "ca.pem"
        self.signed = f"127.0.0.1:{free_port()}"
        self.secret = folder / "connection-string"

    def configure(self, options: dict[str, str]) -> None:
        certificate, key = keys.ensure_keys(self.folder / "unused.p8", self.ca)
        both = self.folder / "both.pem"
        both.write_text(key.read_text() + certificate.read_text())
        self.secret.write_text(CONNECTION_STRING + "\n")
        quoted = CONNECTION_STRING.replace("\\", "\\\\").replace('"', '\\"')
        listener = "listener.name.sasl_ssl"
        for name in ("listeners", "advertised.listeners"):
            options[name] += f",SASL_SSL://{self.signed}"
        options["listener.security.protocol.map"] += ",SASL_SSL:SASL_SSL"
        options |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
            f"{listener}.sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
            f"{listener}.plain.sasl.jaas.config": _properties(
                f'{SECURITY}.plain.PlainLoginModule required username="b" password="b" user_$ConnectionString="{quoted}";'
            ),
            f"{listener}.oauthbearer.sasl.jaas.config": f"{SECURITY}.oauthbearer.OAuthBearerLoginModule required;",
            f"{listener}.oauthbearer.sasl.server.callback.handler.class": (
                f"{SECURITY}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
        }

    def settings(self, secret: Path | None = None, **more: str) -> Kafka:
        """As an operator has them, but for the authority, which in the cloud is one that every machine knows."""
        config = {"ssl.ca.location": str(self.ca), **more}
        return Kafka(profile="eventhubs", bootstrap=self.signed, sasl_password_file=secret or self.secret, config=config)


def _properties(value: str) -> str:
    """Java's property files drop a backslash."""
    return value.replace("\\", "\\\\")


def unsigned_token(subject: str = "c360", lasts_s: int = 300) -> tuple[str, int]:
    """A token that Kafka's own validator for tests takes, and when it ends."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + lasts_s})
    made = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts]
    return ".".join([*made, ""]), now + lasts_s
