"""The lake without Spark: create, append and read Delta tables through delta-rs.

Every table has one writer (the lake job), which stamps each commit with the query and batch that made it; anybody may read. A writer of
before, that was halted inside a commit, is kept out by what Delta does itself: a commit fails when the table's properties changed since the
version that it was made for. So whoever may write is asked behind the look at that version, and whoever takes over changes a property
(`stream_jobs.ownership`).
Works on paths and on object stores alike: addresses come from `Settings.lake`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from commerce360.adls import storage_options
from commerce360.errors import C360Error
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, Column, Table, Type
from schemas.types import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

KINDS: dict[str, Type] = {"long": "bigint", "string": "string", "boolean": "boolean", "double": "double"}
READ_ROWS = 10_000
STAMP = "c360"  # key of our stamp in a commit's metadata
REWRITTEN = "c360.rewritten"  # property of a table: see `_rewritten`
INTERVAL = "delta.checkpointInterval"  # property of a table: commits from one checkpoint of its writers to the next
CONFIGURATION = {"delta.dataSkippingNumIndexedCols": "4"}  # statistics hold values: of the first columns only


@dataclass(frozen=True)
class Commit:
    """One version of a table: the data files it added and the stamp of the batch that made it (-1: not by a batch)."""

    version: int
    added: tuple[str, ...]  # none for a rewrite: its rows were added before
    query_id: str
    batch_id: int
    is_rewrite: bool = False


class Lake:
    """A handle on all tables of one lake. Opens nothing before it is used; not for sharing between threads.

    `guard` is asked before each commit, and raises when this process may not write (any more).
    """

    def __init__(self, settings: LakeSettings, guard: Callable[[], None] | None = None) -> None:
        self.settings = settings
        self.guard = guard
        self._open: dict[str, DeltaTable] = {}

    @cached_property
    def options(self) -> dict[str, str]:
        """They hold secrets: never log them."""
        return storage_options(self.settings)

    def uri(self, table: Table) -> str:
        return self.settings.path(table.name)

    def exists(self, table: Table) -> bool:
        from deltalake import DeltaTable

        return bool(DeltaTable.is_deltatable(self.uri(table), self.options))

    def create(self, table: Table, checkpoint_interval: int = 100) -> None:
        """Make the table when it is missing. Checkpoints are rare, and best staggered: they are the slow commits."""
        from deltalake import DeltaTable

        DeltaTable.create(
            self.uri(table),
            arrow_schema(table),
            mode="ignore",
            name=table.name,
            description=table.comment,
            configuration={INTERVAL: str(checkpoint_interval), **CONFIGURATION},
            storage_options=self.options,
        )

    def delta(self, table: Table) -> DeltaTable:
        """The table at its newest version. Raises deltalake's TableNotFoundError before `create`."""
        from deltalake import DeltaTable

        found = self._open.get(table.name)
        if found is None:
            found = self._open[table.name] = DeltaTable(self.uri(table), storage_options=self.options)
        else:
            found.update_incremental()
        return found

    def _to_write(self, table: Table) -> DeltaTable:
        """As `delta`, for one commit: nothing may look at the newest version again between this and the commit."""
        found = self.delta(table)
        if self.guard:
            self.guard()
        return found

    def arrow(self, table: Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))

    def append(self, table: Table, rows: Sequence[dict[str, Any]] | pa.Table, query_id: str, batch_id: int) -> int:
        """Append in one commit, stamped; returns the new version. A column that the table does not have yet is added to it.

        Raises deltalake's CommitFailedError when somebody changed the table's columns or properties meanwhile.
        """
        from deltalake import CommitProperties, write_deltalake

        data = self.arrow(table, rows) if isinstance(rows, Sequence) else rows
        stamp = CommitProperties(custom_metadata={STAMP: json.dumps({"query": query_id, "batch": batch_id})})
        target = self._to_write(table)
        merge = "merge" if {f.name for f in target.schema().fields} != set(data.schema.names) else None
        write_deltalake(target, data, mode="append", schema_mode=merge, commit_properties=stamp)
        if merge:
            del self._open[table.name]  # its schema is read anew
        return int(target.version())

    def known(self, table: Table) -> Table:
        """The contract without columns that the Delta table does not have: what can be asked of it now."""
        there = self._columns(table)
        return replace(table, columns=tuple(c for c in table.columns if c.name in there))

    def _columns(self, table: Table) -> dict[str, Any]:
        """Name -> field of the Delta table."""
        return {f.name: f for f in self.delta(table).schema().fields}

    def extended(self, table: Table) -> Table:
        """The contract with the columns that came from the source later (see `stream_jobs.dimensions`)."""
        added = [(n, f.type.type) for n, f in self._columns(table).items() if n not in {c.name for c in table.columns}]
        return table.with_columns(*(Column(n, KINDS[kind], "new in the source") for n, kind in added)) if added else table

    def add_columns(self, table: Table) -> None:
        """Give a table of an older version the columns that the contract got since: empty ones, in a commit without rows."""
        from deltalake import Schema

        missing = [c.name for c in table.columns if c.name not in self._columns(table)]
        if missing:
            wanted = {f.name: f for f in Schema.from_arrow(arrow_schema(table)).fields}
            self._to_write(table).alter.add_columns([wanted[name] for name in missing])
            del self._open[table.name]  # its schema is read anew

    def replace(self, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        """Make the table hold these rows and nothing else, whatever it was before. In one commit; a part at a time in memory."""
        import pyarrow as pa
        from deltalake import write_deltalake

        schema = arrow_schema(table)
        source = iter(rows)
        parts = iter(lambda: list(islice(source, READ_ROWS)), [])
        batches = (batch for part in parts for batch in pa.Table.from_pylist(part, schema=schema).to_batches())
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        options: dict[str, Any] = {"name": table.name, "storage_options": self.options, "configuration": CONFIGURATION}
        write_deltalake(self.uri(table), reader, mode="overwrite", schema_mode="overwrite", **options)
        self._open.pop(table.name, None)

    def compact(self, table: Table, target_bytes: int) -> int:
        """Make large files of small ones, in one commit that changes no row; how many files are gone. On one core."""
        made = self._to_write(table).optimize.compact(target_size=target_bytes, max_concurrent_tasks=1)
        del self._open[table.name]  # on a path, Spark looks and then renames: should it have put its commit over this one, the log says so
        return int(made["numFilesRemoved"])

    def checkpoint(self, table: Table) -> None:
        """Write down the newest version, so that readers need no log of before; logs older than the table keeps are removed."""
        found = self.delta(table)
        found.create_checkpoint()
        found.cleanup_metadata()

    def properties(self, table: Table) -> dict[str, str]:
        return dict(self.delta(table).metadata().configuration)

    def set_properties(self, table: Table, values: dict[str, str]) -> None:
        self._to_write(table).alter.set_table_properties(values, raise_if_not_exists=False)

    def batches_of(self, table: Table, sql: str) -> Iterator[pa.RecordBatch]:
        """As `query`, a part at a time."""
        import pyarrow as pa
        from deltalake import QueryBuilder

        result = QueryBuilder().register(table.entity, self.delta(table)).execute(sql)
        for batch in result:
            yield pa.record_batch(batch)

    def query(self, table: Table, sql: str, name: str | None = None) -> pa.Table:
        """Run SQL (DataFusion) over the table, registered under its entity name."""
        import pyarrow as pa
        from deltalake import QueryBuilder

        result = QueryBuilder().register(name or table.entity, self.delta(table)).execute(sql)
        return pa.table(result.read_all())

    def sql(self, tables: Sequence[Table], sql: str) -> pa.Table:
        """Run SQL (DataFusion) over several tables, each under its entity name."""
        import pyarrow as pa
        from deltalake import QueryBuilder

        builder = QueryBuilder()
        for table in tables:
            builder = builder.register(table.entity, self.delta(table))
        return pa.table(builder.execute(sql).read_all())

    def newest(self, table: Table, max_batch: int | None = None, where: str = "") -> pa.Table:
        """The newest row of every key among batches up to `max_batch`; `where` filters the newest rows."""
        bound = f"batch_id <= {max_batch}" if max_batch is not None else ""
        inner = table.newest_sql(table.entity, bound)
        return self.query(table, f"SELECT * FROM ({inner}) AS n WHERE {where}" if where else inner)

    def last_batch(self) -> dict[str, Any] | None:
        """The last complete batch (row of ops.batches), None before the first."""
        rows = self.query(BATCHES, "SELECT * FROM batches ORDER BY batch_id DESC LIMIT 1").to_pylist()
        return rows[0] if rows else None

    def batches(self, after: int = -1) -> list[dict[str, Any]]:
        """Complete batches after `after`, oldest first."""
        found: list[dict[str, Any]] = self.query(BATCHES, f"SELECT * FROM batches WHERE batch_id > {after} ORDER BY batch_id").to_pylist()
        return found

    def commits(self, table: Table, after: int, upto: int | None = None, done: int | None = None) -> Iterator[Commit]:
        """Versions after `after` (-1: from the first) up to and including `upto`, from the transaction log, oldest first.

        `done`: the last version of which the reader has rows; `after` when it is not given. Where rows were rewritten, files of versions
        before that are gone. A reader that has all rows of before gets none of them again (so it must have them: see `rewrite`); one that
        has none, or not all of the rewrite yet, gets the whole table as of the rewrite as its commit, even if that is later than `upto`.
        Raises C360Error for one that has a part of them.
        """
        rewritten, last = self._rewritten(table)
        if after < rewritten:
            has = after if done is None else done
            if has in (-1, rewritten):
                yield Commit(rewritten, self._files_at(table, rewritten), "", -1, is_rewrite=True)
            elif has < last:
                raise C360Error(
                    f"rows of {table.name} were rewritten, and this reader has them up to version {has} of {last} only",
                    "empty what it has of the table, and let it read the table anew",
                )
            after = rewritten
        for version in range(after + 1, (self.delta(table).version() if upto is None else upto) + 1):
            yield self._commit(table, version)

    def last_commits(self, table: Table, count: int = 8) -> list[Commit]:
        """The newest commits that added rows, newest first; fewer where the log was cleaned up behind a checkpoint."""
        found = list[Commit]()
        for version in range(self.delta(table).version(), -1, -1):
            try:
                commit = self._commit(table, version)
            except FileNotFoundError:
                break
            found += [commit] if commit.added else []
            if len(found) == count:
                break
        return found

    def _rewritten(self, table: Table) -> tuple[int, int]:
        """The version at which readers start since rows were replaced, and the last one before it that added rows; (-1, -1) for none."""
        version, _, last = self.properties(table).get(REWRITTEN, "-1:-1").partition(":")
        return int(version), int(last)

    def rewrite(self, table: Table, data: pa.Table, predicate: str) -> None:
        """Put `data` in the place of the rows of `predicate`, one for one, in one commit that adds no rows; then `settle_rewrite`.

        Readers of `commits` must have all that there is, and the writer must rest.
        """
        from deltalake import CommitProperties, write_deltalake

        stamp = CommitProperties(custom_metadata={STAMP: json.dumps({"rewrite": True})})
        write_deltalake(self.delta(table), data, mode="overwrite", predicate=predicate, commit_properties=stamp)

    def settle_rewrite(self, table: Table) -> None:
        """Let readers start from here, and remove all files that the table does not need now, those of writers that were killed as well.

        May be repeated, and be called for a table that was not rewritten. Killed before, readers find the old files, and the log as it was.
        Raises C360Error when somebody writes.
        """
        marker = self.delta(table).version() + 1  # a version without rows, so that no reader has it yet
        last = next((c.version for c in self.last_commits(table, 1)), -1)
        self.set_properties(table, {REWRITTEN: f"{marker}:{last}"})
        if self.delta(table).version() != marker:
            raise C360Error(f"somebody writes to {table.name} while its rows are rewritten", "the lake job must rest")
        self.delta(table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)

    def read_files(self, table: Table, files: Sequence[str], columns: Sequence[str] = ()) -> pa.Table:
        """The rows of data files of one commit, in a fixed order: by file name, then as written. No `columns` = all of them.

        Of an `extended` table, files of before a column have NULL in it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = arrow_schema(table)
        if columns:
            schema = pa.schema([schema.field(name) for name in columns])
        parts = [pq.read_table(f, schema=schema, filesystem=self._files(table)).cast(schema) for f in sorted(files)]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def count_rows(self, table: Table, files: Sequence[str]) -> int:
        """Rows of data files, from their footers."""
        import pyarrow.parquet as pq

        return sum(int(pq.read_metadata(f, filesystem=self._files(table)).num_rows) for f in files)

    def _commit(self, table: Table, version: int) -> Commit:
        with self._files(table).open_input_stream(f"_delta_log/{version:020d}.json") as stream:
            actions = [json.loads(line) for line in stream.read().splitlines() if line]
        info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        added = tuple(a["add"]["path"] for a in actions if "add" in a and a["add"].get("dataChange", True))
        stamp = info.get(STAMP) or info.get("userMetadata") or "{}"  # delta-rs keeps its own key, Spark has userMetadata
        try:
            found = json.loads(stamp)
        except json.JSONDecodeError:
            found = {}
        found = found if isinstance(found, dict) else {}
        rewrites = bool(found.get("rewrite"))
        return Commit(version, () if rewrites else added, str(found.get("query", "")), int(found.get("batch", -1)), rewrites)

    def _files_at(self, table: Table, version: int) -> tuple[str, ...]:
        from deltalake import DeltaTable

        whole = DeltaTable(self.uri(table), version=version, storage_options=self.options)
        return tuple(whole.get_add_actions(flatten=True).column("path").to_pylist())

    @cached_property
    def _stores(self) -> dict[str, Any]:
        return {}

    def _files(self, table: Table) -> Any:
        if table.name not in self._stores:
            import pyarrow.fs as fs
            from deltalake.fs import DeltaStorageHandler

            self._stores[table.name] = fs.PyFileSystem(DeltaStorageHandler(self.uri(table), self.options))
        return self._stores[table.name]
