"""What stands in the place of a personal text: equal texts get equal tokens, and nobody can go back once the key is gone."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Collection
from typing import Any

from schemas.personal import ERASED
from stream_jobs.wire import PLACEHOLDER, UNAVAILABLE_TEXTS

DIGITS = 12
TOKEN = re.compile(rf"{ERASED}[0-9a-f]{{{DIGITS}}}")
NOTHING = frozenset({"", PLACEHOLDER, *UNAVAILABLE_TEXTS})  # say nothing about anybody, and mean something to the fold


class Tokens:
    """Tokens under one key, and which texts they were made for. Without equality versions and joins would come out different."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.made: dict[str, str] = {}

    def of(self, text: str) -> str:
        """A token stays what it is, so that a second run changes nothing."""
        if text in NOTHING or TOKEN.fullmatch(text):
            return text
        if text not in self.made:
            digest = hmac.new(self._key, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
            self.made[text] = f"{ERASED}{digest[:DIGITS]}"
        return self.made[text]

    def within(self, value: Any) -> Any:
        """All texts of a nested value; the names of its fields stay."""
        if isinstance(value, str):
            return self.of(value)
        if isinstance(value, dict):
            return {k: self.within(v) for k, v in value.items()}
        return [self.within(v) for v in value] if isinstance(value, list) else value

    def row(self, row: dict[str, Any], kept: Collection[str]) -> dict[str, Any]:
        """A row image or a document, without touching the fields that are kept."""
        return {k: v if k in kept else self.within(v) for k, v in row.items()}

    def json(self, text: str, kept: Collection[str]) -> str:
        """`row` of an object in JSON; any other text as a whole."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return self.of(text)
        if not isinstance(found, dict):
            return self.of(text)
        made = self.row(found, kept)
        return text if made == found else json.dumps(made, ensure_ascii=False, separators=(",", ":"))
