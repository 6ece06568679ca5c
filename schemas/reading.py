"""How a history is read, as SQL for every engine: versions, rows that only facts know, and the version that a fact belongs to.

One text for the lake (Spark, DataFusion) and the warehouse (Snowflake), so that they cannot tell different stories (SCD2 R21, R22).
`versions` and `facts` are relations or subqueries; facts name the source rows by columns in the order of `Table.scope` and `history_key`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.tables import Quote, Table, quoted
from schemas.types import SNOWFLAKE as SNOWFLAKE_TYPES

BACKSLASH = "CHR(92)"  # engines differ in what a backslash between quotes means


@dataclass(frozen=True)
class Dialect:
    quote: Quote
    text: str  # type name
    sha256: str  # hexadecimal, of {}
    types: Mapping[str, str] | None = None  # where NULL needs a type

    def null(self, kind: str) -> str:
        return f"CAST(NULL AS {self.types[kind]})" if self.types else "NULL"


SPARK = Dialect(lambda name: "`" + name.replace("`", "``") + "`", "STRING", "SHA2({}, 256)")
DATAFUSION = Dialect(quoted, "VARCHAR", "ENCODE(SHA256({}), 'hex')")
SNOWFLAKE = Dialect(lambda name: quoted(name.upper()), "VARCHAR", "SHA2({}, 256)", SNOWFLAKE_TYPES)


@dataclass(frozen=True)
class Facts:
    """Facts that belong to versions: a relation, its columns that name the source row, and its time."""

    relation: str
    key: tuple[str, ...]
    time: str


def visible(table: Table, newest: str) -> str:
    """The versions among the newest log rows."""
    return f"SELECT * FROM ({newest}) AS newest WHERE {table.visible}"


def inferred_key(columns: Sequence[str], dialect: Dialect) -> str:
    """`version_key` of the row for a key without versions (R20); `columns` without those of the scope."""
    parts = [f"CAST({c} AS {dialect.text})" for c in columns]
    escaped = [f"REPLACE(REPLACE({p}, {BACKSLASH}, CONCAT({BACKSLASH}, {BACKSLASH})), '|', CONCAT({BACKSLASH}, '|'))" for p in parts]
    stamped = f"""CONCAT({", '|', ".join(escaped)}, '@inferred')"""
    return f"SUBSTR({dialect.sha256.format(stamped)}, 1, 32)"


def with_inferred(table: Table, versions: str, facts: Facts, dialect: Dialect) -> str:
    """Versions, and one row for each key that only facts know (R22). The columns of the feed, and `is_inferred`."""
    q, columns = dialect.quote, table.fed_columns
    key = [q(k) for k in (*table.scope, *table.history_key)]
    sources = [q(c) for c in facts.key]
    names = ", ".join(q(c.name) for c in columns)
    given = {k: f"facts.{q(k)}" for k in (*table.scope, *table.history_key)} | {
        "seq_pos": "0",
        "seq_ord": "0",
        "op": "'i'",
        "version_key": inferred_key([f"facts.{q(k)}" for k in table.history_key], dialect),
        "is_current": "TRUE",
        "is_visible": "TRUE",
        "is_deleted": "FALSE",
        "unresolved": "'[]'",
        "batch_id": "facts.batch_id",
    }
    row = ", ".join(f"{given.get(c.name, dialect.null(c.type))} AS {q(c.name)}" for c in columns)
    renamed = ", ".join(f"{source} AS {k}" for source, k in zip(sources, key, strict=True))
    known = " AND ".join(f"{source} IS NOT NULL" for source in sources)
    return (
        f"SELECT {names}, FALSE AS is_inferred FROM ({versions}) AS versions "
        f"UNION ALL SELECT {row}, TRUE AS is_inferred FROM "
        f"(SELECT {renamed}, MAX(batch_id) AS batch_id FROM ({facts.relation}) AS f WHERE {known} GROUP BY {', '.join(sources)}) AS facts "
        f"LEFT JOIN (SELECT DISTINCT {', '.join(key)} FROM ({versions}) AS v) AS known "
        f"ON {' AND '.join(f'known.{k} = facts.{k}' for k in key)} WHERE known.{key[-1]} IS NULL"
    )


def spans(table: Table, versions: str, dialect: Dialect) -> str:
    """Each version with the times between which facts belong to it: the first one from ever on, the last one for ever (NULL)."""
    key = ", ".join(dialect.quote(k) for k in (*table.scope, *table.history_key))
    over = f"OVER (PARTITION BY {key} ORDER BY valid_from)"
    return (
        f"SELECT {key}, version_key, valid_from, valid_to, CASE WHEN ROW_NUMBER() {over} = 1 THEN NULL ELSE valid_from END AS target_from, "
        f"LEAD(valid_from) {over} AS target_to FROM ({versions}) AS v"
    )


@dataclass(frozen=True)
class Target:
    """The version that a fact belongs to (R21): facts under the alias `fact`, `spans` under the alias `span`."""

    table: Table
    span: str
    fact: str
    facts: Facts
    dialect: Dialect

    @property
    def join(self) -> str:
        """LEFT JOIN of facts to spans: a fact without a version stays."""
        q, span, at = self.dialect.quote, self.span, self._time
        pairs = zip((*self.table.scope, *self.table.history_key), self._key, strict=True)
        keys = " AND ".join(f"{span}.{q(k)} = {f}" for k, f in pairs)
        return (
            f"LEFT JOIN {span} ON {keys} AND ({span}.target_from IS NULL OR {at} >= {span}.target_from) "
            f"AND ({span}.target_to IS NULL OR {at} < {span}.target_to) AND {at} IS NOT NULL"
        )

    @property
    def match(self) -> str:
        """exact, early, gap, inferred or none."""
        span, at = self.span, self._time
        nothing = " OR ".join(f"{c} IS NULL" for c in (*self._key, at))
        return (
            f"CASE WHEN {nothing} THEN 'none' WHEN {span}.version_key IS NULL THEN 'inferred' WHEN {at} < {span}.valid_from THEN 'early' "
            f"WHEN {span}.valid_to IS NULL OR {at} < {span}.valid_to THEN 'exact' ELSE 'gap' END"
        )

    @property
    def key(self) -> str:
        """`version_key`, that of the inferred row where there is no version."""
        known = " AND ".join(f"{c} IS NOT NULL" for c in (*self._key, self._time))
        own = inferred_key(self._key[len(self.table.scope) :], self.dialect)
        return f"COALESCE({self.span}.version_key, CASE WHEN {known} THEN {own} END)"

    @property
    def _key(self) -> list[str]:
        return [f"{self.fact}.{self.dialect.quote(c)}" for c in self.facts.key]

    @property
    def _time(self) -> str:
        return f"{self.fact}.{self.dialect.quote(self.facts.time)}"
