"""The warehouse as an engine: the lake's log through the loader and Snowpipe Streaming, read by the warehouse's own views.

On the local Snowflake, or in a database of its own on the account that the settings name.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from commerce360.conformance.cases import Batch as CaseBatch
from commerce360.conformance.runner import Row, Run
from commerce360.conformance.spark import SparkEngine
from commerce360.conformance.tables import Group, rows_sql, targets_sql
from commerce360.errors import ConfigError, UnavailableError
from commerce360.local.stack import Stack
from commerce360.local.warehouse import of_admin
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Settings
from schemas.landing import SCHEMAS
from schemas.reading import SNOWFLAKE
from schemas.tables import BATCHES
from warehouse import ddl
from warehouse.client import Client
from warehouse.loader import Loader

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOAD_TIMEOUT_S = 120.0
LOCAL = "local"  # the account of a stack's own warehouse


class SnowflakeEngine(SparkEngine):
    """`settings.warehouse` of an account: a database is made there and dropped again. Else a local Snowflake is started."""

    name = "snowflake"
    declares_new = True  # a landing table gets its columns from a migration, not from a row

    def __init__(self, lake: LakeSettings, settings: Settings, session: SparkSession | None = None) -> None:
        super().__init__(lake, session)
        self._around = settings
        self._stack: Stack | None = None
        self._state: tempfile.TemporaryDirectory[str] | None = None
        self._client: Client | None = None
        self._loader: Loader | None = None

    def open(self, runs: Sequence[Run]) -> None:
        super().open(runs)
        self._state = tempfile.TemporaryDirectory(prefix="c360-scd2-")
        state = Path(self._state.name)
        if self._around.warehouse.account == LOCAL:
            self._stack = Stack.open(state)
            self._stack.start_service("warehouse")
            warehouse = of_admin(self._stack.settings())
        else:
            (state / "run").mkdir()
            warehouse = self._around.warehouse
        database = f"C360_CASES_{uuid.uuid4().hex[:8].upper()}"
        settings = self._around.model_copy(
            update={"state": state, "lake": self.lake.settings, "warehouse": warehouse.model_copy(update={"database": database})}
        )
        self._client = Client(warehouse)
        fed = [t for t in self.tables if t.name.startswith("gold.")]
        statements = [f"CREATE DATABASE {database}", f"USE DATABASE {database}"]
        statements += [f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in SCHEMAS]
        statements += [ddl.create_table(table) for table in (*fed, BATCHES)]
        for group in self.groups:
            newest = {t.name: ddl.newest_rows(t) for t in group.tables}
            dimension, facts = group.tables
            statements.append(f"CREATE VIEW {ddl.view(dimension)} AS {rows_sql(group, dimension, newest, SNOWFLAKE)}")
            statements.append(f"CREATE VIEW {ddl.view(facts)} AS {targets_sql(group, newest, SNOWFLAKE)}")
        for statement in statements:
            self._client.query(statement)
        self._loader = Loader(settings, (*fed, BATCHES))
        self._loader.open()

    def close(self) -> None:
        if self._loader is not None:
            self._loader.close()
        if self._client is not None:
            if self._stack is None and self._loader is not None:
                self._client.query(f"DROP DATABASE IF EXISTS {self._loader.settings.warehouse.database}")
            self._client.close()
        if self._stack is not None:
            self._stack.stop()
        if self._state is not None:
            self._state.cleanup()
        super().close()

    def deliver(self, step: Mapping[str, CaseBatch]) -> dict[str, ConfigError]:
        errors = super().deliver(step)
        assert self._loader is not None
        deadline = time.monotonic() + LOAD_TIMEOUT_S
        while self._loader.batch_id < self._batch_id:
            if not self._loader.step():
                time.sleep(0.02)
            if time.monotonic() > deadline:
                raise UnavailableError(f"batch {self._batch_id} does not become visible in the warehouse", "see its log")
        return errors

    def select_rows(self, group: Group) -> list[Row]:
        assert self._client is not None
        return self._client.query(f"SELECT * FROM {ddl.view(group.dimension.table)}")

    def select_targets(self, group: Group) -> list[Row]:
        assert self._client is not None
        return self._client.query(f"SELECT * FROM {ddl.view(group.facts.table)}")
