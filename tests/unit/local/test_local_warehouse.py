"""The warehouse of a stack from whatever is there: nothing, an older stack's database, one that was dropped."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from commerce360.local.scratch import serving
from commerce360.local.warehouse import of_user, prepare
from schemas.access import LOADER
from warehouse.client import Client


def older_database(folder: Path) -> None:
    """As a stack left it that had neither users nor migrations."""
    from commerce360.local.doubles.snowflake.engine import Engine

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    engine = Engine(folder / "data" / "warehouse" / "databases")
    cursor = engine.snow.connect("COMMERCE360").cursor()
    for schema in ("RAW", "CORE", "MART", "OPS"):
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS COMMERCE360.{schema}")
    cursor.execute("CREATE TABLE COMMERCE360.RAW.DIM_CAMPAIGN (CAMPAIGN_ID VARCHAR NOT NULL, NAME VARCHAR, CHANNEL VARCHAR, "
                   "DISCOUNT_PERCENT NUMBER(38,0), IS_INFERRED BOOLEAN NOT NULL, BATCH_ID NUMBER(38,0) NOT NULL)")  # fmt: skip
    cursor.execute("INSERT INTO COMMERCE360.RAW.DIM_CAMPAIGN VALUES ('kept', NULL, NULL, NULL, FALSE, 0)")
    cursor.execute("CREATE VIEW COMMERCE360.CORE.DIM_CAMPAIGN AS SELECT * FROM COMMERCE360.RAW.DIM_CAMPAIGN")
    engine.duck.close()
    (folder / "data" / "warehouse" / "databases" / "account.json").unlink()


def test_an_older_database_keeps_its_rows_and_gets_owner_views_and_privileges(tmp_path: Path) -> None:
    older_database(tmp_path)
    with serving(tmp_path) as settings:
        prepare(settings)
        with Client(of_user(settings, LOADER)) as loader:
            loader.query("USE DATABASE COMMERCE360")
            loader.query("INSERT INTO RAW.DIM_CAMPAIGN (CAMPAIGN_ID, IS_INFERRED, BATCH_ID) SELECT 'new', TRUE, 0")
            loader.query("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID, COMMITTED_AT) SELECT 0, %s", (dt.datetime(2026, 3, 1),))  # noqa: DTZ001
        with Client(settings.warehouse) as owner:
            found = owner.query("SELECT CAMPAIGN_ID FROM COMMERCE360.CORE.DIM_CAMPAIGN ORDER BY CAMPAIGN_ID")
        assert [row["campaign_id"] for row in found] == ["kept", "new"]


def test_a_database_that_was_dropped_is_there_again_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    with serving(tmp_path) as settings:
        prepare(settings)
        with Client(settings.warehouse) as owner:
            owner.query("DROP DATABASE COMMERCE360")
        prepare(settings, lines.append)
        assert any("V1.2.0__landing_tables.sql" in line for line in lines)
        lines.clear()
        prepare(settings, lines.append)
        assert lines == []
