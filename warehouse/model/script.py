"""A Snowflake script as SqlDBM's forward engineering writes it, read into tables. Pure.

Shapes were taken from exports in public repositories (2020 to 2026): banner comments, quoted names or none, a schema or none,
`CREATE [OR REPLACE] TABLE [IF NOT EXISTS]`, named constraints in the table or by ALTER TABLE, columns without a type,
`STAGE_FILE_FORMAT = (…)` behind a table. Statements on other objects are passed over; what changes a table and is not understood is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commerce360.errors import ConfigError
from warehouse.model.script_tables import Draft, Drafts
from warehouse.model.tables import Found

if TYPE_CHECKING:
    from sqlglot import Token

EXPORT = "in SqlDBM: Forward engineer, format DDL, all tables with Create; see docs/warehouse-model.md"
LEGACY = ("STAGE_FILE_FORMAT", "STAGE_COPY_OPTIONS")  # old SqlDBM writes them behind a table; the parser does not know them


class ScriptError(ConfigError):
    """The script cannot be read. The message begins with its line."""

    def __init__(self, line: int, what: str, hint: str = EXPORT) -> None:
        super().__init__(f"line {line}: {what}", hint)
        self.line = line


@dataclass(frozen=True)
class Statement:
    text: str
    words: tuple[str, ...]  # the first of it, upper case
    line: int  # of the file, where it begins


def read(text: str) -> Found:
    """The tables of the script. Raises ScriptError with the line when it cannot be read, or has none."""
    drafts = Drafts()
    with _quiet():
        for statement in _statements(text):
            _take(statement, drafts)
    if not drafts.tables:
        raise ScriptError(1, "no CREATE TABLE is in it")
    return drafts.found()


def _take(statement: Statement, drafts: Drafts) -> None:
    from sqlglot import exp

    words = statement.words
    if words[0] == "CREATE" and "VIEW" in words[:5]:
        drafts.notes.append(f"line {statement.line}: a view has neither types nor keys, and is not compared")
    elif words[0] == "CREATE" and "TABLE" in words[:6]:
        drafts.create(_create(statement), statement.line)
    elif words[:2] == ("ALTER", "TABLE"):
        changed = _parsed(statement)
        if isinstance(changed, exp.Alter):
            drafts.alter(changed, statement.line, ScriptError)
        else:
            drafts.notes.append(f"line {statement.line}: not understood, and passed over: {' '.join(words)} …")
    elif words[0] == "COMMENT":
        drafts.comment(_parsed(statement))
    elif words[0] == "USE":
        drafts.use(_parsed(statement))


def _create(statement: Statement) -> Draft:
    from sqlglot import exp

    made = _parsed(statement)
    if not isinstance(made, exp.Create) or not isinstance(made.this, exp.Schema):
        kind = " ".join(statement.words[: statement.words.index("TABLE") + 1])
        raise ScriptError(statement.line, f"{kind} without a list of columns that can be read", "only plain tables are part of a star")
    return Draft.of(made)


def _parsed(statement: Statement) -> object:
    import sqlglot
    from sqlglot.errors import ParseError

    try:
        return sqlglot.parse_one(statement.text, read="snowflake")
    except ParseError as error:
        place = error.errors[0].get("line", 1) if error.errors else 1
        raise ScriptError(statement.line + place - 1, f"not understood: {_line(statement.text, place)}") from error


def _line(text: str, number: int) -> str:
    return text.splitlines()[number - 1].strip()[:80]


def _statements(text: str) -> Iterator[Statement]:
    """Split at semicolons, by tokens: those in comments and strings do not count."""
    from sqlglot import TokenType, tokenize
    from sqlglot.errors import TokenError

    try:
        tokens = tokenize(text, read="snowflake")
    except TokenError as error:
        raise ScriptError(_line_of_quote(text), "a text or a comment does not end", "look for a missing quote") from error
    held: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and token.token_type != TokenType.SEMICOLON:
            held.append(token)
        elif held:
            yield _statement(text, held)
            held = []


def _statement(text: str, tokens: list[Token]) -> Statement:
    begin, end = tokens[0].start, tokens[-1].end + 1
    body = text[begin:end]
    for start, stop in _legacy(tokens):
        gone = text[start:stop]
        body = body[: start - begin] + "".join("\n" if c == "\n" else " " for c in gone) + body[stop - begin :]
    return Statement(body, tuple(t.text.upper() for t in tokens[:6]), text.count("\n", 0, begin) + 1)


def _legacy(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """Spans `NAME = ( … )` of what old exports write behind a table."""
    depth, start = 0, -1
    for token in tokens:
        if depth == 0 and start < 0 and token.text.upper() in LEGACY:
            start = token.start
        depth += (token.text == "(") - (token.text == ")")
        if start >= 0 and depth == 0 and token.text == ")":
            yield start, token.end + 1
            start = -1


def _line_of_quote(text: str) -> int:
    """Of the first line that leaves a quote open: the likeliest place, said as such by the hint."""
    return next((n for n, line in enumerate(text.splitlines(), 1) if line.split("--")[0].count("'") % 2), 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """The parser warns of each statement that it takes as a whole; such are named by us."""
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
