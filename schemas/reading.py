"""How a history is read, as SQL for every engine: versions, rows that only facts know, and the version that a fact belongs to.

One text for the lake (Spark, DataFusion) and the warehouse (Snowflake), so that they cannot tell different stories (SCD2 R21, R22).
`versions` and `facts` are relations or subqueries; facts name the source rows by columns in the order of `Table.scope` and `history_key`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.tables import Table
from schemas.types import SNOWFLAKE as SNOWFLAKE_TYPES

BACKSLASH = "CHR(92)"  # engines differ in what a backslash between quotes means


@dataclass(frozen=True)
class Dialect:
    text: str  # type name
    sha256: str  # hexadecimal, of {}
    types: Mapping[str, str] | None = None  # where NULL needs a type

    def null(self, kind: str) -> str:
        return f"CAST(NULL AS {self.types[kind]})" if self.types else "NULL"


SPARK = Dialect("STRING", "SHA2({}, 256)")
DATAFUSION = Dialect("VARCHAR", "ENCODE(SHA256({}), 'hex')")
SNOWFLAKE = Dialect("VARCHAR", "SHA2({}, 256)", SNOWFLAKE_TYPES)


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
    columns = table.fed_columns
    key = (*table.scope, *table.history_key)
    names = ", ".join(c.name for c in columns)
    given = {k: f"facts.{k}" for k in key} | {
        "seq_pos": "0",
        "seq_ord": "0",
        "op": "'i'",
        "version_key": inferred_key([f"facts.{k}" for k in table.history_key], dialect),
        "is_current": "TRUE",
        "is_visible": "TRUE",
        "is_deleted": "FALSE",
        "unresolved": "'[]'",
        "batch_id": "facts.batch_id",
    }
    row = ", ".join(f"{given.get(c.name, dialect.null(c.type))} AS {c.name}" for c in columns)
    renamed = ", ".join(f"{source} AS {k}" for source, k in zip(facts.key, key, strict=True))
    known = " AND ".join(f"{source} IS NOT NULL" for source in facts.key)
    return (
        f"SELECT {names}, FALSE AS is_inferred FROM ({versions}) AS versions "
        f"UNION ALL SELECT {row}, TRUE AS is_inferred FROM "
        f"(SELECT {renamed}, MAX(batch_id) AS batch_id FROM ({facts.relation}) AS f WHERE {known} "
        f"GROUP BY {', '.join(facts.key)}) AS facts "
        f"LEFT JOIN (SELECT DISTINCT {', '.join(key)} FROM ({versions}) AS v) AS known "
        f"ON {' AND '.join(f'known.{k} = facts.{k}' for k in key)} WHERE known.{key[-1]} IS NULL"
    )


def spans(table: Table, versions: str) -> str:
    """Each version with the times between which facts belong to it: the first one from ever on, the last one for ever (NULL)."""
    key = ", ".join((*table.scope, *table.history_key))
    over = f"OVER (PARTITION BY {key} ORDER BY valid_from)"
    return (
        f"SELECT {key}, version_key, valid_from, valid_to, CASE WHEN ROW_NUMBER() {over} = 1 THEN NULL ELSE valid_from END AS target_from, "
        f"LEAD(valid_from) {over} AS target_to FROM ({versions}) AS v"
    )


def target_join(table: Table, span: str, fact: str, facts: Facts) -> str:
    """LEFT JOIN of facts (alias `fact`) to `spans` (alias `span`): the version that a fact belongs to (R21), or nothing."""
    at = f"{fact}.{facts.time}"
    keys = " AND ".join(f"{span}.{k} = {fact}.{f}" for k, f in zip((*table.scope, *table.history_key), facts.key, strict=True))
    return (
        f"LEFT JOIN {span} ON {keys} AND ({span}.target_from IS NULL OR {at} >= {span}.target_from) "
        f"AND ({span}.target_to IS NULL OR {at} < {span}.target_to) AND {at} IS NOT NULL"
    )


def target_match(span: str, fact: str, facts: Facts) -> str:
    """exact, early, gap, inferred or none (R21)."""
    at = f"{fact}.{facts.time}"
    nothing = " OR ".join(f"{fact}.{c} IS NULL" for c in (*facts.key, facts.time))
    return (
        f"CASE WHEN {nothing} THEN 'none' WHEN {span}.version_key IS NULL THEN 'inferred' WHEN {at} < {span}.valid_from THEN 'early' "
        f"WHEN {span}.valid_to IS NULL OR {at} < {span}.valid_to THEN 'exact' ELSE 'gap' END"
    )


def target_key(table: Table, span: str, fact: str, facts: Facts, dialect: Dialect) -> str:
    """`version_key` of the target: of the inferred row where there is no version."""
    own = [f"{fact}.{c}" for c in facts.key[len(table.scope) :]]
    known = " AND ".join(f"{fact}.{c} IS NOT NULL" for c in (*facts.key, facts.time))
    return f"COALESCE({span}.version_key, CASE WHEN {known} THEN {inferred_key(own, dialect)} END)"
