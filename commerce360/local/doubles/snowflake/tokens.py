"""Key-pair tokens: RS256 JSON web tokens of the connector (times in seconds) and of the streaming SDK (in milliseconds)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

MILLISECONDS = 100_000_000_000  # a time in seconds beyond this is in the year 5138


def claims(token: str) -> dict[str, Any]:
    """What the token says of itself, unchecked; empty when it is no token."""
    try:
        found = json.loads(_decoded(token.split(".")[1]))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def valid(token: str, claimed: dict[str, Any], public_key: str) -> bool:
    """Signed by this key's other half, issued in its name, and not expired."""
    return claimed.get("iss") == f"{claimed.get('sub')}.{fingerprint(public_key)}" and _lives(claimed) and signed_by(token, public_key)


def fingerprint(public_key: str) -> str:
    """As RSA_PUBLIC_KEY_FP shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(public_key)).digest()).decode()


def signed_by(token: str, public_key: str) -> bool:
    try:
        key = serialization.load_der_public_key(base64.b64decode(public_key))
        text, _, signature = token.rpartition(".")
        if not isinstance(key, rsa.RSAPublicKey) or json.loads(_decoded(text.partition(".")[0])).get("alg") != "RS256":
            return False
        key.verify(_decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError, AttributeError):
        return False
    return True


def readable_key(text: str) -> str | None:
    """A public key as RSA_PUBLIC_KEY takes it (base64, in PEM's lines or not), in one line; None when it is none."""
    plain = "".join("".join(line.split()) for line in text.splitlines() if not line.startswith("-"))
    try:
        key = serialization.load_der_public_key(base64.b64decode(plain, validate=True))
    except (ValueError, binascii.Error):
        return None
    return plain if isinstance(key, rsa.RSAPublicKey) else None


def _lives(claimed: dict[str, Any]) -> bool:
    end = claimed.get("exp")
    if not isinstance(end, int | float):
        return False
    return (end / 1000 if end > MILLISECONDS else end) > time.time()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
