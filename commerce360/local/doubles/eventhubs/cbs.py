"""Who may use what: shared access signatures, put on the node `$cbs` of a connection (AMQP Claims-based Security 1.0).

A signature is the HMAC-SHA256 of `<url-encoded resource>\\n<expiry>` with the key of a policy. It holds for the resource and all below it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote_plus, urlsplit

SAS = "servicebus.windows.net:sastoken"


class DeniedError(Exception):
    """The text says why, as the service does."""


class Grant(NamedTuple):
    path: str  # in small letters, without a slash at its ends; empty is the namespace
    ends_s: float

    def covers(self, path: str) -> bool:
        return not self.path or path == self.path or path.startswith(f"{self.path}/")


def path_of(address: str) -> str:
    return (urlsplit(address).path if "://" in address else address).strip("/").lower()


@dataclass(frozen=True)
class Keys:
    """The keys of policies. Each may do everything."""

    by_policy: dict[str, str] = field(repr=False)

    def grant(self, token: str, now_s: float) -> Grant:
        """What a token allows. Raises DeniedError."""
        scheme, _, rest = token.partition(" ")
        fields = {name: values[0] for name, values in parse_qs(rest).items()}
        if scheme != "SharedAccessSignature" or not {"sr", "sig", "se", "skn"} <= fields.keys() or not fields["se"].isdigit():
            raise DeniedError("InvalidSignature: The token is malformed.")
        key = self.by_policy.get(fields["skn"], "")
        text = f"{quote_plus(fields['sr'])}\n{fields['se']}"
        right = base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
        if not key or not hmac.compare_digest(right.encode(), fields["sig"].encode()):
            raise DeniedError("InvalidSignature: The token has an invalid signature.")
        if int(fields["se"]) <= now_s:
            raise DeniedError("ExpiredToken: The token is expired.")
        return Grant(path_of(fields["sr"]), float(fields["se"]))


class Claims:
    """What one connection was allowed, by tokens put on it so far."""

    def __init__(self, keys: Keys, clock: Callable[[], float]) -> None:
        self._keys, self._clock = keys, clock
        self._grants: dict[str, Grant] = {}

    def put(self, properties: dict[Any, Any], token: Any) -> None:
        """Operation put-token of `$cbs`. Raises DeniedError."""
        if properties.get("type") != SAS:
            raise DeniedError("InvalidToken: Only shared access signatures are known here.")
        audience = path_of(str(properties.get("name")))
        grant = self._keys.grant(str(token), self._clock())
        if not grant.covers(audience):
            raise DeniedError(f"InvalidAudience: The token is not for '{audience}'.")
        self._grants[audience] = grant

    def allows(self, path: str) -> bool:
        now_s = self._clock()
        return any(grant.covers(path.lower()) and grant.ends_s > now_s for grant in self._grants.values())
