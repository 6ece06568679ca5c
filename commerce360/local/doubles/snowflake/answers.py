"""What a statement of ours answers: a table of texts, handed to the engine as a query so that it travels like any other answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from commerce360.local.doubles.snowflake.refusals import quoted


@dataclass(frozen=True)
class Answer:
    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]

    @property
    def sql(self) -> str:
        names = [quoted(c) for c in self.columns]
        if not self.rows:
            return "SELECT " + ", ".join(f"CAST(NULL AS VARCHAR) AS {n}" for n in names) + " WHERE 1 = 0"
        first = "SELECT " + ", ".join(f"? AS {n}" for n in names)
        other = " UNION ALL SELECT " + ", ".join("?" for _ in names)
        return first + other * (len(self.rows) - 1)

    @property
    def bindings(self) -> dict[str, Any]:
        values = [v for row in self.rows for v in row]
        return {str(n): {"type": "TEXT", "value": v} for n, v in enumerate(values, 1)}


def done(message: str = "Statement executed successfully.") -> Answer:
    return Answer(("status",), [(message,)])


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Answer:
    return Answer(tuple(columns), [tuple(None if v is None else str(v) for v in row) for row in rows])


def moment(epoch_s: float) -> str:
    return dt.datetime.fromtimestamp(epoch_s, dt.UTC).isoformat(sep=" ", timespec="milliseconds")
