"""dlt's scd2 strategy and dbt's snapshot on a change set that is there as Parquet files: `python scd2_peers.py FOLDER`, prints JSON.

Runs in an environment of its own (`make bench-scd2`) and knows nothing of this project. FOLDER holds `plan.json`, `initial.parquet`, and
for each batch `changes-N.parquet` (rows that were sent, as they are now) and `state-N.parquet` (the whole source). Each peer runs in two
ways: on the whole source, as its manual has it, and on the sent rows alone, which works as long as nothing is deleted. Both run inside this
process, warm: imports, the first load, dbt's parsing and the reading of what it is handed are not counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

TRACKED = ("email", "full_name", "city", "country", "tier", "marketing_consent")
NAMES = ("customer_id", *TRACKED, "points")
Run = Callable[[Path], float]

PROJECT = """
name: bench
version: "1.0"
profile: bench
snapshot-paths: [snapshots]
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """
bench:
  target: local
  outputs:
    local: {type: duckdb, path: "%s", threads: 2}
"""
SNAPSHOT = """
{%% snapshot customers %%}
{{ config(unique_key="customer_id", strategy="check", check_cols=%s, target_schema="main") }}
SELECT %s FROM main.source
{%% endsnapshot %%}
"""


class Dlt:
    """`merge_key` makes dlt leave alone what it is not handed. The hash of a row is computed by DuckDB: dlt has none for Arrow tables."""

    def __init__(self, folder: Path, whole: bool) -> None:
        os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "RESTORE_FROM_DESTINATION": "false"}
        os.environ["DLT_DATA_DIR"] = str(folder)
        import dlt

        self.dlt = dlt
        self.whole = whole
        self.database = folder / "dlt.duckdb"
        self.pipeline = dlt.pipeline(
            "bench", pipelines_dir=str(folder / "pipelines"), destination=dlt.destinations.duckdb(str(self.database)), dataset_name="bench"
        )

    def load(self, path: Path) -> float:
        connection = duckdb.connect()
        connection.execute(f"CREATE TABLE source AS SELECT * FROM '{path}'")
        disposition = {"disposition": "merge", "strategy": "scd2", "row_version_column_name": "row_version"}
        began = time.perf_counter()
        hashed = f"SELECT *, md5(concat_ws('|', {', '.join(('customer_id', *TRACKED))})) AS row_version FROM source"
        rows = connection.sql(hashed).to_arrow_table()
        keys: dict[str, Any] = {} if self.whole else {"merge_key": "customer_id"}
        self.pipeline.run(self.dlt.resource(rows, name="customers", write_disposition=disposition, **keys)).raise_on_failed_jobs()
        return time.perf_counter() - began

    def found(self) -> list[dict[str, Any]]:
        return _table(self.database, "bench.customers", "_dlt_valid_to")


class Dbt:
    """The source is a table of the same database, filled before the clock runs; what dbt parsed is kept from run to run."""

    def __init__(self, folder: Path, whole: bool) -> None:
        os.environ |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": str(folder), "DBT_PROJECT_DIR": str(folder)}
        from dbt.cli.main import dbtRunner

        self.runner = dbtRunner
        self.database = folder / "dbt.duckdb"
        (folder / "snapshots").mkdir(parents=True)
        (folder / "dbt_project.yml").write_text(PROJECT)
        (folder / "profiles.yml").write_text(PROFILE % self.database)
        (folder / "snapshots" / "customers.sql").write_text(SNAPSHOT % (json.dumps(list(TRACKED)), ", ".join(NAMES)))
        self.manifest = dbtRunner().invoke(["--quiet", "parse"]).result

    def load(self, path: Path) -> float:
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(f"CREATE OR REPLACE TABLE main.source AS SELECT * FROM '{path}'")
        began = time.perf_counter()
        done = self.runner(manifest=self.manifest).invoke(["--quiet", "--no-write-json", "--log-level-file", "none", "snapshot"])
        seconds = time.perf_counter() - began
        assert done.success, done.exception or [r.message for r in done.result]
        return seconds

    def found(self) -> list[dict[str, Any]]:
        return _table(self.database, "main.customers", "dbt_valid_to")


def _table(database: Path, table: str, closed: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(database)) as connection:
        return connection.sql(f"SELECT {', '.join(NAMES)}, {closed} IS NOT NULL AS closed FROM {table}").to_arrow_table().to_pylist()


def measure(peer: Dlt | Dbt, folder: Path, batches: int, whole: bool, last: Path) -> dict[str, Any]:
    peer.load(folder / "initial.parquet")
    kind = "state" if whole else "changes"
    seconds = [peer.load(folder / f"{kind}-{n}.parquet") for n in range(batches)]
    found = peer.found()
    want = {row["customer_id"]: row for row in duckdb.sql(f"SELECT {', '.join(NAMES)} FROM '{last}'").to_arrow_table().to_pylist()}
    opened = [{name: row[name] for name in NAMES} for row in found if not row["closed"]]
    wrong = sum(1 for row in opened if want.get(row["customer_id"]) != row) + abs(len(opened) - len(want))
    return {"seconds": seconds, "wrong": wrong, "versions": len(found)}


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    batches = json.loads((folder / "plan.json").read_text())["batches"]
    last = folder / f"state-{batches - 1}.parquet"
    found: dict[str, Any] = {}
    out = os.dup(1)
    os.dup2(2, 1)  # both peers print
    for name, made in (("dlt", Dlt), ("dbt", Dbt)):
        for whole in (True, False):
            way = f"{name}, {'whole source' if whole else 'changes only'}"
            place = folder / way.replace(", ", "-").replace(" ", "-")
            place.mkdir()
            found[way] = measure(made(place, whole), folder, batches, whole, last)
    with os.fdopen(out, "w") as answer:
        json.dump(found, answer)


if __name__ == "__main__":
    main()
