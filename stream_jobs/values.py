"""Values of records as columns hold them, and columns for values that no contract names."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from schemas.tables import Type

END_OF_MONEY = Decimal(10**10)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
INT_BITS = {"int": 31, "bigint": 63}
FITTING = {("bigint", "bigint"), ("double", "double"), ("double", "bigint"), ("boolean", "boolean"), ("string", "string")}
NOT_A_NAME = re.compile(r"\W", re.ASCII)


def timestamp(micros: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=micros)


def fitted(kind: str, value: Any) -> Any:
    """The value as a column of that type holds it. Raises ValueError, TypeError or InvalidOperation when it cannot."""
    if value is None:
        return None
    if kind == "timestamp":
        return moment(value)
    if kind.startswith("decimal"):
        return money(value)
    if kind == "double" and type(value) in (int, float):
        return float(value)
    if kind == "string" and isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    wanted = {"bigint": int, "int": int, "boolean": bool, "string": str, "double": float}[kind]
    if type(value) is not wanted:
        raise TypeError(f"{value!r} is not {kind}")
    if wanted is int and not -(limit := 2 ** INT_BITS[kind]) <= value < limit:
        raise ValueError(f"{value!r} does not fit {kind}")
    return value


def fitter(kind: str) -> Callable[[Any], Any]:
    """`fitted` for one type, quick for what fits as it is."""
    wanted = {"boolean": bool, "string": str, "bigint": int, "int": int}.get(kind)
    bound = 2 ** INT_BITS.get(kind, 63)

    def fit(value: Any) -> Any:
        if value is None or (type(value) is wanted and (wanted is not int or -bound <= value < bound)):
            return value
        return fitted(kind, value)

    return fit


def moment(text: Any) -> dt.datetime:
    """A time as Connect writes one with a zone. Raises ValueError or TypeError for anything else: without a zone it is no instant."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found


def money(text: Any) -> Decimal:
    """An exact amount of at most 12 digits, two of them behind the point. Raises ValueError for anything else."""
    amount = Decimal(str(text))
    if amount.is_finite() and -END_OF_MONEY < amount < END_OF_MONEY and amount == (exact := round(amount, 2)):
        return exact
    raise ValueError(f"{text!r} is not an amount")


def plain(value: Any) -> Any:
    """A decoded value as JSON has it: a row image is kept as text. Bytes as base64, times in ISO 8601, exact numbers as text."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")  # as Connect writes them: JSON has no such numbers
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def kind_of(value: Any) -> Type:
    """The column type for a first value of that kind; nested ones are kept as JSON text."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint"
    return "double" if isinstance(value, float) else "string"


def column_name(source: str, taken: Collection[str]) -> str:
    """A name that every engine takes, for a column of a source. One that the table needs for itself gets a prefix."""
    name = NOT_A_NAME.sub("_", source) or "_"
    return f"source_{name}" if name.lower() in taken or name.startswith("_") or name[0].isdigit() else name


def literal(value: Any) -> str:
    """SQL of a text, a number, a day or a time."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.astimezone(dt.UTC).isoformat(sep=' ')}'"
    return f"DATE '{value.isoformat()}'" if isinstance(value, dt.date) else str(value)
