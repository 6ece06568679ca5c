"""History by files: the warehouse's landing tables made equal to the lake's logs, a day at a time, beside the live stream.

A day is what the lake committed on it (UTC): its batches. Only batches that the warehouse already shows are looked at; the loader has
sent all of their rows, and sends none of them again. What a day lacks, has twice, or has otherwise is repaired in one transaction over all
tables, so that a reader never sees half of it. Rows travel as Parquet files through a stage and `COPY INTO`.
"""

from __future__ import annotations

import datetime as dt
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error, ConfigError
from commerce360.lake import REWRITTEN, Lake
from commerce360.settings import Settings
from schemas.reading import SNOWFLAKE
from schemas.tables import BATCHES, FED, Table, quoted
from warehouse import ddl
from warehouse.client import Client

if TYPE_CHECKING:
    import pyarrow as pa

STAGE = "RAW.C360_HISTORY"  # temporary: its files go with the session, however that ends
BESIDE = "C360_HISTORY"  # begins the names of a run's own tables in RAW
ABANDONED_S = 86_400  # such tables of a run that was killed are removed after this
SPAN_DAYS = 31  # whose rows travel in one file a table
TRIES = 3  # of copies that are out of date when they are to be put in place
TURN = "RAW.C360_HISTORY_TURN"  # one row: who changes it replaces a day, and others wait until that is committed
TURNS, TURN_S = 120, 0.5  # a local warehouse refuses at once, and is asked again; an account lets it wait


class NothingCommittedError(ConfigError):
    """The lake committed nothing on the days that were asked for."""


@dataclass(frozen=True)
class Day:
    """The lake's batches of one day: those after `after`, up to and including `last`."""

    date: dt.date
    after: int
    last: int

    @property
    def where(self) -> str:
        return f"batch_id > {self.after} AND batch_id <= {self.last}"


@dataclass(frozen=True)
class Repair:
    """One table's day: rows that the lake has, and what the warehouse lacked, had otherwise, and had beyond them."""

    date: dt.date
    table: str
    rows: int
    missing: int = 0
    changed: int = 0
    surplus: int = 0

    @property
    def needed(self) -> bool:
        return bool(self.missing or self.changed or self.surplus)

    @property
    def unchanged(self) -> int:
        return self.rows - self.missing - self.changed

    def as_json(self) -> dict[str, Any]:
        names = ("table", "rows", "unchanged", "missing", "changed", "surplus")
        return {"day": self.date.isoformat(), **{n: getattr(self, n) for n in names}}


def days(batches: Sequence[dict[str, Any]], shown: int, first: dt.date | None, last: dt.date | None) -> list[Day]:
    """Days from `first` to `last`, both included, of rows of `ops.batches` in their order. Every shown batch is in exactly one day.

    A clock that was set back does not tear a day apart: a batch is never of an earlier day than the one before it.
    """
    found = list[Day]()
    for batch in batches:
        if batch["batch_id"] > shown:
            break
        committed = batch["committed_at"].date() if batch["committed_at"] else dt.date.min
        if found and committed <= found[-1].date:
            found[-1] = Day(found[-1].date, found[-1].after, batch["batch_id"])
        else:
            found.append(Day(committed, found[-1].last if found else -2, batch["batch_id"]))  # -2: before every batch id there is
    return [d for d in found if (first is None or d.date >= first) and (last is None or d.date <= last)]


class Backfill:
    def __init__(self, settings: Settings, client: Client, tables: Sequence[Table] = FED) -> None:
        """`tables`: those that are compared and repaired; the client's role owns the landing tables."""
        self.lake = Lake(settings.lake)
        self.client = client
        self.database = settings.warehouse.database
        self.tables = tables

    def days(self, first: dt.date | None = None, last: dt.date | None = None) -> list[Day]:
        """Raises ConfigError when the lake and the warehouse have nothing in common yet, NothingCommittedError for empty days."""
        if not self.lake.exists(BATCHES):
            raise ConfigError(f"there is no lake at {self.lake.settings.root}", "set C360_LAKE__ROOT, or start with `c360 up`")
        newest = f"SELECT BATCH_ID, QUERY_ID FROM {self.database}.OPS.LAKE_BATCHES ORDER BY BATCH_ID DESC LIMIT 1"
        if not (rows := self.client.query(newest)):
            raise ConfigError("the warehouse shows no batch yet: there is nothing to compare", "let the loader run first")
        shown, query_id = int(rows[0]["batch_id"]), rows[0]["query_id"]
        batches = self.lake.batches()
        if query_id not in [b["query_id"] for b in batches if b["batch_id"] == shown]:
            raise ConfigError(
                f"the warehouse was filled from another lake: this one has no batch {shown} of query {query_id}",
                "point C360_LAKE__ROOT at that lake",
            )
        if not (found := days(batches, shown, first, last)):
            whole = days(batches, shown, None, None)
            raise NothingCommittedError("the lake committed nothing on these days", f"it has {whole[0].date} to {whole[-1].date}")
        return found

    def run(self, wanted: Sequence[Day], dry: bool = False) -> Iterator[list[Repair]]:
        """Compare the days, which follow one another, and repair them; what was found, a day at a time. `dry` changes nothing that lasts.

        The rows of `SPAN_DAYS` days travel together; each day is repaired in a transaction of its own.
        """
        for start in range(0, len(wanted), SPAN_DAYS):
            yield from self._span(wanted[start : start + SPAN_DAYS], dry)

    def _span(self, span: Sequence[Day], dry: bool) -> Iterator[list[Repair]]:
        """Of each day what was found before it was repaired, also where days behind it need newer copies."""
        for _ in range(TRIES):
            with _Staging(self, span) as staging:
                found = staging.compare()
                while span and (dry or staging.repair(span[0], found[span[0]])):
                    yield found[span[0]]
                    span = span[1:]
            if not span:
                return
        raise C360Error("the lake's rows were replaced while they were copied", "run the same command again")


class _Staging:
    """Tables beside the landing tables, with the rows of some days as the lake has them; gone at the end. Each run has its own."""

    def __init__(self, backfill: Backfill, span: Sequence[Day]) -> None:
        self.lake, self.client, self.tables = backfill.lake, backfill.client, backfill.tables
        self.database = backfill.database
        self.span = span
        self.name = f"{BESIDE}_{int(time.time())}_{secrets.token_hex(4).upper()}"
        self.where = f"batch_id > {span[0].after} AND batch_id <= {span[-1].last}"
        self.columns: dict[str, tuple[str, ...]] = {}
        self.marks: dict[str, str] = {}

    def __enter__(self) -> _Staging:
        self.client.query(f"USE DATABASE {self.database}")
        self.client.query(f"CREATE TEMPORARY STAGE IF NOT EXISTS {STAGE}")
        self.client.query(f"CREATE TABLE IF NOT EXISTS {TURN} AS SELECT 0 AS TAKEN")
        remove_abandoned(self.client, self.database)
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.columns:
            self.client.query(f"DROP TABLE IF EXISTS {self._beside(name)}")

    def compare(self) -> dict[Day, list[Repair]]:
        """Bring the lake's rows, and count what differs, by day and in the order of the tables."""
        found: dict[Day, list[Repair]] = {day: [] for day in self.span}
        for table in self.tables:
            self.marks[table.name] = self._mark(table)
            self._bring(table)
            counts = self._counts(table)
            for day in self.span:
                brought, there, known, equal = (counts.get((side, day.last), 0) for side in range(4))
                found[day].append(Repair(day.date, table.name, brought, brought - known, known - equal, there - known))
        return found

    def repair(self, day: Day, found: Sequence[Repair]) -> bool:
        """Put the day's rows in the place of what is there, all tables at once; False when the copies are out of date."""
        wanted = [t for t, repair in zip(self.tables, found, strict=True) if repair.needed]
        for left in reversed(range(TURNS)):
            try:
                return not wanted or self._replace(day, wanted)
            except C360Error as error:
                if not left or "onflict" not in error.message:
                    raise
                time.sleep(TURN_S)
        return False

    def _replace(self, day: Day, tables: Sequence[Table]) -> bool:
        self.client.query("BEGIN")
        try:
            self.client.query(f"UPDATE {TURN} SET TAKEN = TAKEN + 1")
            for table in tables:
                landing, names = ddl.landing(table), ", ".join(self.columns[table.name])
                self.client.query(f"DELETE FROM {landing} WHERE {day.where}")
                self.client.query(f"INSERT INTO {landing} ({names}) SELECT {names} FROM {self._beside(table.name)} WHERE {day.where}")
            valid = self._valid(tables)
            self.client.query("COMMIT" if valid else "ROLLBACK")
        except BaseException:  # an interrupt too: the DROP TABLE that follows would commit what is half done
            self.client.query("ROLLBACK")
            raise
        return valid and self._valid(tables)  # replaced just now, they may have come behind an erasure in the warehouse

    def _valid(self, tables: Sequence[Table]) -> bool:
        """Whether the lake's rows are still those that were copied."""
        return all(self._mark(t) == self.marks[t.name] for t in tables)

    def _mark(self, table: Table) -> str:
        """Changes when rows of the table are rewritten in place, such as for an erasure."""
        return self.lake.properties(table).get(REWRITTEN, "")

    def _counts(self, table: Table) -> dict[tuple[int, int], int]:
        """Rows by side and last batch of their day: brought, there, on both sides by identity, on both sides with equal values.

        INTERSECT takes NULL as equal to NULL.
        """
        landing, beside, names = ddl.landing(table), self._beside(table.name), ", ".join(self.columns[table.name])
        identity = ", ".join(dict.fromkeys(SNOWFLAKE.quote(c) for c in (*table.key, "batch_id")))
        there = f"(SELECT * FROM {landing} WHERE {self.where}) AS there"
        sides = [beside, there, *(f"(SELECT {c} FROM {beside} INTERSECT SELECT {c} FROM {there}) AS both_sides" for c in (identity, names))]
        day = "CASE " + " ".join(f"WHEN BATCH_ID <= {d.last} THEN {d.last}" for d in self.span) + " END"
        rows = " UNION ALL ".join(f"SELECT {number} AS SIDE, {day} AS DAY FROM {side}" for number, side in enumerate(sides))
        found = self.client.query(f"SELECT SIDE, DAY, COUNT(*) AS N FROM ({rows}) AS sides GROUP BY SIDE, DAY")
        return {(int(r["side"]), int(r["day"])): int(r["n"]) for r in found}

    def _bring(self, table: Table) -> None:
        landing, beside = ddl.landing(table), self._beside(table.name)
        self.columns[table.name] = names = self._shared_columns(table, landing)
        self.client.query(f"CREATE OR REPLACE TRANSIENT TABLE {beside} LIKE {landing}")
        with tempfile.TemporaryDirectory(prefix="c360-history-") as folder:
            file = Path(folder) / f"{table.entity}.parquet"
            if not write_parquet(self._rows(table, names), file):
                return
            place = f"@{STAGE}/{table.entity}/{file.stat().st_mtime_ns}/"
            self.client.query(f"PUT 'file://{file}' {place} AUTO_COMPRESS = FALSE OVERWRITE = TRUE")
            self.client.query(
                f"COPY INTO {beside} FROM {place} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
                "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE PURGE = TRUE"
            )

    def _shared_columns(self, table: Table, landing: str) -> tuple[str, ...]:
        """Quoted; those of the contract, and those that came later to the source and are in the lake and the warehouse by now."""
        schema, name = landing.split(".")
        there = self.client.query(
            f"SELECT COLUMN_NAME FROM {self.database}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = '{schema}' AND TABLE_NAME = '{name}'"
        )
        found = {row["column_name"] for row in there}
        if missing := [c.name for c in table.fed_columns if c.name.upper() not in found]:
            raise C360Error(f"{landing} has no column {missing[0].upper()}", "see `c360 warehouse plan`")
        return tuple(SNOWFLAKE.quote(c.name) for c in self.lake.extended(table).fed_columns if c.name.upper() in found)

    def _beside(self, name: str) -> str:
        return f"RAW.{self.name}_{name.split('.')[1].upper()}"

    def _rows(self, table: Table, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        columns = [quoted(c.name) for c in self.lake.extended(table).fed_columns if SNOWFLAKE.quote(c.name) in names]
        yield from self.lake.batches_of(table, f"SELECT {', '.join(columns)} FROM {table.entity} WHERE {self.where}")


def remove_abandoned(client: Client, database: str, age_s: float = ABANDONED_S) -> None:
    """Tables beside the landing tables, of runs that began `age_s` ago and were killed."""
    there = client.query(
        f"SELECT TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW' AND TABLE_NAME LIKE '{BESIDE}%'"
    )
    for name in (row["table_name"] for row in there):
        begun = name.removeprefix(f"{BESIDE}_").partition("_")[0]
        if begun.isdecimal() and int(begun) <= time.time() - age_s:
            client.query(f"DROP TABLE IF EXISTS {database}.RAW.{name}")


def write_parquet(batches: Iterator[pa.RecordBatch], file: Path) -> int:
    """Upper-case names, times as UTC without a zone; how many rows. No file for none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer = 0, None
    for batch in batches:
        if not batch.num_rows:
            continue
        fields = [pa.field(f.name.upper(), _landed(f.type)) for f in batch.schema]
        made = pa.Table.from_batches([batch]).rename_columns([f.name for f in fields]).cast(pa.schema(fields))
        writer = writer or pq.ParquetWriter(file, made.schema)
        writer.write_table(made)
        rows += made.num_rows
    if writer is not None:
        writer.close()
    return rows


def _landed(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view" else kind
