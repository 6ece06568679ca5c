"""SQL text into single statements. Pure.

Quotes, `$$` and comments as in Snowflake: a backslash escapes inside single quotes, `--` and `//` end with the line.
"""

from __future__ import annotations

import re

from commerce360.errors import ConfigError

COMMENT = re.compile(r"--[^\n]*|//[^\n]*|/\*.*?\*/", re.S)
TOKEN = re.compile(rf"""(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)|(?P<comment>{COMMENT.pattern})|(?P<end>;)""", re.S)
OPEN = re.compile(r"""['"]|\$\$|/\*""")
BLOCK = re.compile(r"(BEGIN(?!\s*$|\s+(TRANSACTION|WORK|NAME)\b)|DECLARE)\b", re.I)


def split(text: str) -> list[str]:
    """Statements without their semicolons and without comments before them; what is only a comment is left out.

    Raises ConfigError for a quote or comment that does not end, and for a scripting block that does not stand between `$$`.
    """
    made, start, last = [], 0, 0
    for token in TOKEN.finditer(text):
        _refuse_open(text[last : token.start()])
        last = token.end()
        if token["end"]:
            made.append(text[start : token.start()])
            start = token.end()
    _refuse_open(text[last:])
    made.append(text[start:])
    found = [bare for one in made if (bare := _without_comments_before(one))]
    for statement in found:
        if BLOCK.match(statement):
            raise ConfigError(f"a scripting block stands free: {statement[:60]}", "put it between $$ in EXECUTE IMMEDIATE")
    return found


def _without_comments_before(text: str) -> str:
    bare = text.strip()
    while comment := COMMENT.match(bare):
        bare = bare[comment.end() :].strip()
    return bare


def _refuse_open(text: str) -> None:
    if found := OPEN.search(text):
        raise ConfigError(f"{found[0]} begins and does not end: {text[found.start() : found.start() + 60].strip()}", "close it")
