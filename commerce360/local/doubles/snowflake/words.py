"""Snowflake statements word by word, for those that the SQL parser does not know. Comments, quotes and strings are the tokenizer's."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from commerce360.local.doubles.snowflake.refusals import Name, RefusedError, syntax

TEXTS = (TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING)


class Words:
    """A place in a statement. What is asked for and not there is a syntax error."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            # A first word of our own: at the start the tokenizer takes some verbs for commands and all behind them for one text.
            self.tokens = sqlglot.tokenize("X " + text, read="snowflake")[1:]
        except TokenError as error:
            raise RefusedError("001003", "42000", f"SQL compilation error:\n{error}") from None
        while self.tokens and self.tokens[-1].token_type is TokenType.SEMICOLON:
            self.tokens.pop()
        count = 1 + sum(t.token_type is TokenType.SEMICOLON for t in self.tokens)
        if count > 1:
            raise RefusedError("000008", "0A000", f"Actual statement count {count} did not match the desired statement count 1.")
        self.at = 0

    @property
    def next(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def sees(self, *words: str) -> bool:
        found = self.tokens[self.at : self.at + len(words)]
        return len(found) == len(words) and all(_is(t, w) for t, w in zip(found, words, strict=True))

    def take(self, *words: str) -> bool:
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def need(self, *words: str) -> None:
        if not self.take(*words):
            raise self.wrong()

    def take_any(self, *choices: str) -> str:
        """The choice that stands here, a choice of several words in full; '' when none does."""
        return next((c for c in choices if self.take(*c.split())), "")

    def end(self) -> None:
        if self.next is not None:
            raise self.wrong()

    def wrong(self) -> RefusedError:
        return syntax(self.next.text if self.next else "<EOF>")

    def rest(self) -> str:
        """The statement from here on, as it was written; the place moves to the end."""
        if self.next is None:
            raise self.wrong()
        text = self.text[self.next.start - 2 : self.tokens[-1].end - 1]
        self.at = len(self.tokens)
        return text

    def part(self) -> str:
        """One identifier: upper case unless quoted."""
        token = self.next
        if (
            token is None
            or token.token_type in TEXTS
            or not (token.token_type is TokenType.IDENTIFIER or token.text.replace("$", "").isidentifier())
        ):
            raise self.wrong()
        self.at += 1
        return token.text if token.token_type is TokenType.IDENTIFIER else token.text.upper()

    def name(self) -> Name:
        """Also one that is written as IDENTIFIER('NAME')."""
        if self.take("IDENTIFIER", "("):
            named = Words(self.string())
            self.need(")")
            return named.name()
        parts = [self.part()]
        while self.take("."):
            parts.append(self.part())
        return tuple(parts)

    def string(self) -> str:
        token = self.next
        if token is None or token.token_type not in TEXTS:
            raise self.wrong()
        self.at += 1
        return token.text

    def value(self) -> str:
        """A string, a number, a word or a list in brackets, as text."""
        token = self.next
        if token is None:
            raise self.wrong()
        if token.token_type in TEXTS:
            return self.string()
        if self.take("("):
            found = []
            while not self.take(")"):
                found.append(self.value())
                self.take(",")
            return "(" + ", ".join(found) + ")"
        self.at += 1
        return token.text

    def properties(self) -> dict[str, str]:
        """`NAME = value ...` up to the end."""
        found = {}
        while self.next is not None:
            key = self.part()
            self.need("=")
            found[key] = self.value()
            self.take(",")
        return found


def _is(token: Token, word: str) -> bool:
    return token.token_type is not TokenType.IDENTIFIER and token.token_type not in TEXTS and token.text.upper() == word
