"""Which text of a review is scored, and its name: equal texts have one hash, and are scored once."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

HASH_DIGITS = 32


def text_hash(title: str | None, body: str | None) -> str:
    """First 32 hexadecimal digits of SHA-256 of title, line feed, body in UTF-8; None as the empty text.

    Half a surrogate pair, which UTF-8 cannot hold, counts as a question mark, as Java writes it.
    """
    return hashlib.sha256(_bytes(title, body)).hexdigest()[:HASH_DIGITS]


class Text(NamedTuple):
    """What is sent to a scorer. `language` as the review says, empty when it says none."""

    text_hash: str
    language: str
    content: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.text_hash, self.language)

    @classmethod
    def of(cls, title: str | None, body: str | None, language: str | None) -> Text:
        content = _bytes(title, body).decode()
        return cls(text_hash(title, body), _bytes(None, language).decode()[1:], content)


def _bytes(title: str | None, body: str | None) -> bytes:
    return f"{title or ''}\n{body or ''}".encode(errors="replace")
