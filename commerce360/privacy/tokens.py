"""What stands in the place of a personal value: equal values get equal ones, and nobody can go back once the key is gone."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from schemas.personal import ERASED
from stream_jobs.scd2.change import canonical
from stream_jobs.values import EPOCH, plain
from stream_jobs.wire import PLACEHOLDER, UNAVAILABLE, UNAVAILABLE_TEXTS

DIGITS = 12
TOKEN = re.compile(rf"{ERASED}[0-9a-f]{{{DIGITS}}}")
NOTHING = frozenset({"", PLACEHOLDER, *UNAVAILABLE_TEXTS})  # say nothing about anybody, and mean something to the fold
DAYS, SECONDS = 20_000, 1_500_000_000  # of made-up dates and times, behind 1970


class Tokens:
    """Values under one key. Without equality, versions and joins would come out different.

    `made`: the texts that were replaced. A replaced value keeps its type, because its column and its schema have one.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.made: dict[str, str] = {}
        self._plain: dict[str, Any] = {}  # of row images: a replaced value as JSON has it -> what it became, as JSON has that

    def of(self, text: str) -> str:
        """A token stays what it is, so that a second run changes nothing."""
        if text in NOTHING or TOKEN.fullmatch(text):
            return text
        if text not in self.made:
            self.made[text] = f"{ERASED}{self._digest(text).hex()[:DIGITS]}"
        return self.made[text]

    def image(self, row: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
        """A decoded row image without the person; one that has tokens stays as it is."""
        if _is_erased(row):
            return dict(row)
        made = {}
        for column, value in row.items():
            made[column] = value if column in kept else self._value(value)
            if column not in kept:
                self._remember(plain(value), plain(made[column]))
        return made

    def plain_image(self, row: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
        """The same image as the lake keeps it in JSON. Comes after `image` of the record that it was made of."""
        return dict(row) if _is_erased(row) else {c: v if c in kept else self.plain_value(v) for c, v in row.items()}

    def plain_value(self, value: Any) -> Any:
        """What became of a value that a table or a JSON text has, wherever it came from."""
        return self._plain.get(canonical(value), None) if canonical(value) in self._plain else self._value(value)

    def document(self, document: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
        """A document without the person. Numbers in fields that nobody knows become 0: no history hangs on them."""
        return {k: v if k in kept else self._within(v) for k, v in document.items()}

    def json(self, text: str, kept: Collection[str]) -> str:
        """`document` of an object in JSON; any other text as a whole."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return self.of(text)
        if not isinstance(found, dict):
            return self.of(text)
        made = self.document(found, kept)
        return text if made == found else json.dumps(made, ensure_ascii=False, separators=(",", ":"))

    def _within(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.of(value)
        if isinstance(value, dict):
            return {k: self._within(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._within(v) for v in value]
        return value if value is None else type(value)(0)

    def _value(self, value: Any) -> Any:
        """Of the same type, and another one for another value as far as the type has room. A flag names nobody and stays."""
        if isinstance(value, str):
            return self.of(value)
        if value is None or isinstance(value, bool) or (isinstance(value, bytes | list | dict) and value in UNAVAILABLE):
            return value
        if isinstance(value, bytes):
            return self._digest(value.hex()).hex()[:DIGITS].encode()
        if isinstance(value, dict):
            return {k: self._value(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._value(v) for v in value]
        return self._number(value)

    def _number(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return value
        whole = isinstance(value, float) and value.is_integer()  # a column of floats may have whole numbers
        number = int.from_bytes(self._digest(str(int(value) if whole else value))[:4], "big") >> 1
        if isinstance(value, int | float):
            return type(value)(number)
        if isinstance(value, Decimal):
            _, digits, exponent = value.as_tuple()
            return Decimal(number % 10 ** len(digits)).scaleb(int(exponent))
        if isinstance(value, dt.datetime):
            made = EPOCH + dt.timedelta(seconds=number % SECONDS)
            return made if value.tzinfo else made.replace(tzinfo=None)
        if isinstance(value, dt.date):
            return EPOCH.date() + dt.timedelta(days=number % DAYS)
        return dt.time(number % 24) if isinstance(value, dt.time) else None

    def _remember(self, before: Any, after: Any) -> None:
        """A table holds nested values as texts."""
        self._plain[canonical(before)] = after
        if isinstance(before, dict | list):
            self._plain[canonical(canonical(before))] = canonical(after)

    def _digest(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(errors="surrogatepass"), hashlib.sha256).digest()


def _is_erased(row: Mapping[str, Any]) -> bool:
    return any(isinstance(value, str) and TOKEN.fullmatch(value) for value in row.values())
