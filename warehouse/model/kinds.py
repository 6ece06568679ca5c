"""Type names of Snowflake, so that two names of one type are equal (docs.snowflake.com, "Summary of data types", read 2026-11)."""

from __future__ import annotations

import re

WHOLE = ("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT", "MEDIUMINT")
NAMES = {
    **dict.fromkeys(("DECIMAL", "NUMERIC", "DEC", *WHOLE), "NUMBER"),
    **dict.fromkeys(("DOUBLE", "DOUBLE PRECISION", "REAL", "FLOAT4", "FLOAT8"), "FLOAT"),
    **dict.fromkeys(("TEXT", "STRING", "NVARCHAR", "NVARCHAR2", "CHAR VARYING", "NCHAR VARYING", "CHAR", "CHARACTER", "NCHAR"), "VARCHAR"),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE"), "TIMESTAMP_NTZ"),
    **dict.fromkeys(("TIMESTAMPLTZ", "TIMESTAMP WITH LOCAL TIME ZONE"), "TIMESTAMP_LTZ"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), "TIMESTAMP_TZ"),
    "VARBINARY": "BINARY",
    "BOOL": "BOOLEAN",
}
DEFAULTS = {"NUMBER": ("38", "0"), "TIMESTAMP_NTZ": ("9",), "TIMESTAMP_LTZ": ("9",), "TIMESTAMP_TZ": ("9",), "TIME": ("9",)}
LONGEST = {"VARCHAR": 16_777_216, "BINARY": 8_388_608}  # the default; accounts with larger ones name a larger number
ONE = ("CHAR", "CHARACTER", "NCHAR")
SHAPE = re.compile(r"\s*([A-Z_][A-Z_0-9 ]*?)\s*(?:\(\s*([0-9, ]+)\))?\s*", re.I)


def normal(text: str) -> str:
    """`NUMBER(38,0)` of `int`, `VARCHAR` of `string` and of `varchar(16777216)`; a type that is not known stays, in upper case."""
    found = SHAPE.fullmatch(text)
    if not found:
        return text.upper()
    given = " ".join(found[1].upper().split())
    args = tuple(a.strip() for a in found[2].split(",")) if found[2] else ()
    name = NAMES.get(given, given)
    if given in WHOLE or name == "FLOAT":
        args = ()
    if given in ONE and not args:
        args = ("1",)
    if args and name in LONGEST and int(args[0]) >= LONGEST[name]:
        args = ()
    args = (*args, *DEFAULTS.get(name, ())[len(args) :])
    return f"{name}({','.join(args)})" if args else name


def same(model: str, other: str) -> bool:
    """`other` may leave out what it does not know, such as the precision of a time."""
    return model == other or (model.startswith(f"{other}(") and other in DEFAULTS)
