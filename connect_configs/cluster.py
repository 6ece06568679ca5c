"""One Connect cluster as the commands see it: its client, and what is known here of its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connect_configs.client import Connect
from connect_configs.variables import Variables


@dataclass(frozen=True)
class Login:
    """An account of a source for what the connector's own may not do, such as dropping a publication."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user})"


@dataclass(frozen=True)
class Cluster:
    """`kafka`: librdkafka settings of the Kafka cluster behind it. Empty where they are not known: rates and heartbeats stay unseen."""

    name: str
    client: Connect
    variables: Variables = field(default_factory=Variables)
    admin: Login | None = None
    kafka: Mapping[str, str] = field(default_factory=dict)
    registry: str = ""  # Confluent-compatible API root; needed only to close keys that are gone
