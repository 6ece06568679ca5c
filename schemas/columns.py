"""What a table of the lake and the warehouse is: columns, key, and which row of a key is the newest.

Silver and gold tables are append-only logs: a changed row is appended again, and a reader takes the newest row of each
`key` (`Table.newest_sql`). That one rule serves Spark, delta-rs and the warehouse. Columns whose name starts with `_` are
working state of the writer and are not fed to the warehouse. All times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Type = Literal[
    "bigint",
    "int",
    "string",
    "boolean",
    "timestamp",
    "date",
    "decimal(12,2)",
    "decimal(14,2)",
    "decimal(18,2)",  # sums of money
    "decimal(6,4)",
    "decimal(18,4)",
    "double",
    "binary",
    "headers",
]

SEQUENCE = ("seq_pos", "seq_ord")

Quote = Callable[[str], str]


def quoted(name: str) -> str:
    """A column may have any name that its source gave it, a word of SQL as well."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@dataclass(frozen=True)
class Column:
    name: str
    type: Type
    comment: str = ""
    nullable: bool = True

    @property
    def internal(self) -> bool:
        return self.name.startswith("_")


@dataclass(frozen=True)
class Table:
    """One append-only table. `key` + `newest` (descending) choose the row that counts; no `newest` = every row counts."""

    name: str  # layer.entity
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest: tuple[str, ...] = ()
    visible: str = ""  # SQL predicate of the rows a reader of the view sees
    feed: bool = False  # tailed by the warehouse loader
    history_key: tuple[str, ...] = ()  # of a history: what identifies a source row. Key columns before it separate whole histories

    def __hash__(self) -> int:
        """Tables are keys of what a batch does for each row; equal ones have one name."""
        return hash(self.name)

    @property
    def scope(self) -> tuple[str, ...]:
        """Key columns that separate histories which share a table, such as the shops of a group."""
        return tuple(c for c in self.key if c not in self.history_key and c not in SEQUENCE)

    @property
    def entity(self) -> str:
        return self.name.split(".", 1)[1]

    @property
    def fed_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if not c.internal)

    def with_columns(self, *added: Column) -> Table:
        return replace(self, columns=(*self.columns, *added))

    def newest_sql(self, relation: str, where: str = "", internal: bool = True, quote: Quote = quoted) -> str:
        """The newest row of each key of `relation`, in SQL that DataFusion and DuckDB accept; Spark and Snowflake with their quotes.

        `where` bounds the rows that compete (readers pass the last complete batch); `internal` keeps the writer's own columns.
        """
        bound = f" WHERE {where}" if where else ""
        names = ", ".join(quote(c.name) for c in self.columns if internal or not c.internal)
        if not self.newest:
            return f"SELECT {names} FROM {relation}{bound}"
        keys, order = ", ".join(map(quote, self.key)), ", ".join(f"{quote(c)} DESC" for c in self.newest)
        return (
            f"SELECT {names} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {order}) AS newest_rank "
            f"FROM {relation}{bound}) AS ranked WHERE newest_rank = 1"
        )


LINEAGE = (
    Column("event_ts", "timestamp", "commit time at the source of the change that made this row"),
    Column("kafka_ts", "timestamp", "append time of its Kafka record"),
    Column("origin", "string", "topic/partition/offset of that record"),
    Column("batch_id", "bigint", "lake batch that appended this row", nullable=False),
)
LINEAGE_NAMES = tuple(c.name for c in LINEAGE)
