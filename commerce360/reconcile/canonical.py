"""One text for one value, whichever stage it is read from, and hashes over it.

A stage is reduced to `{key: digest of the row}`; a table's hash is the sum of its row digests, so it does not depend on the
order of rows and notices a row that is there twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

DIGEST_BYTES = 16
PLAIN = frozenset({str, int, bool, float, type(None)})
_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def value(item: Any) -> Any:
    """A JSON value that is equal for equal content: UTC microseconds for times, plain text for decimals."""
    if isinstance(item, dt.datetime):
        naive = item.astimezone(dt.UTC).replace(tzinfo=None) if item.tzinfo else item  # the warehouse hands out TIMESTAMP_NTZ in UTC
        return naive.isoformat(timespec="microseconds") + "Z"
    if isinstance(item, dt.date):
        return item.isoformat()
    if isinstance(item, Decimal):
        return format(item.normalize(), "f") if item else "0"
    if isinstance(item, bytes):
        return item.hex()
    if isinstance(item, tuple):
        return [value(part) for part in item]
    return item


def digest(row: Mapping[str, Any], columns: Iterable[str]) -> bytes:
    """16 bytes that stand for the named columns of a row."""
    get = row.get
    text = _text([item if type(item := get(column)) in PLAIN else value(item) for column in columns])
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def table_hash(digests: Iterable[bytes]) -> str:
    """Hash of a multiset of rows, 32 hexadecimal characters."""
    total = sum(int.from_bytes(d, "big") for d in digests) % (1 << (8 * DIGEST_BYTES))
    return f"{total:032x}"
