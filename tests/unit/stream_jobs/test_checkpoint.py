from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import ConfigError
from commerce360.lake import INTERVAL, Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_DATE, DIM_HOLIDAY, FCT_SALES, RECORDS, TABLES, Table
from stream_jobs import calendar
from stream_jobs.checkpoint import Checkpoint, ensure_agreement
from stream_jobs.job import SPARK_CHECKPOINT_INTERVAL, prepare_tables


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(LakeSettings(root=str(tmp_path / "lake")))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(LakeSettings(checkpoint=f"file://{tmp_path}/checkpoint"))


def path_of(checkpoint: Checkpoint) -> Path:
    return Path(checkpoint.root.removeprefix("file://"))


def planned(checkpoint: Checkpoint, batch_id: int, ends: Any) -> None:
    folder = path_of(checkpoint) / "offsets"
    folder.mkdir(exist_ok=True)
    (folder / str(batch_id)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps(ends)}')


def finished(checkpoint: Checkpoint, batch_id: int) -> None:
    folder = path_of(checkpoint) / "commits"
    folder.mkdir(exist_ok=True)
    (folder / str(batch_id)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    (folder / f".{batch_id}.crc").write_text("x")


def complete(lake: Lake, checkpoint: Checkpoint, batch_id: int, query_id: str) -> None:
    """Batch planned, in bronze and in ops.batches, as the job leaves it."""
    ends = {"t": {"0": batch_id + 1}}
    planned(checkpoint, batch_id, ends)
    lake.append(RECORDS, [record(batch_id)], query_id, batch_id)
    versions = {t.name: lake.delta(t).version() for t in TABLES if t is not BATCHES and lake.exists(t)}
    told = {"batch_id": batch_id, "query_id": query_id, "offsets": json.dumps(ends), "versions": json.dumps(versions)}
    lake.append(BATCHES, [{**dict.fromkeys(c.name for c in BATCHES.columns), **told}], query_id, batch_id)


def record(batch_id: int) -> dict[str, Any]:
    names = [c.name for c in RECORDS.columns]
    return {**dict.fromkeys(names), "topic": "t", "partition": 0, "offset": batch_id, "batch_id": batch_id}


def lose(lake: Lake, table: Any) -> None:
    path = Path(lake.uri(table))
    path.rename(path.with_name(path.name + ".lost"))


def refusal(lake: Lake, checkpoint: Checkpoint) -> str:
    with pytest.raises(ConfigError) as caught:
        ensure_agreement(Lake(lake.settings), checkpoint)
    return caught.value.message


def test_the_query_keeps_the_id_it_was_given(checkpoint: Checkpoint):
    assert checkpoint.query_id() is None
    assert checkpoint.create() == checkpoint.create() == checkpoint.query_id()


def test_a_checkpoint_says_what_was_planned_and_what_is_finished(checkpoint: Checkpoint):
    checkpoint.create()
    assert (checkpoint.completed(), checkpoint.ends(0)) == (-1, {})
    for batch_id in (8, 9, 10):
        planned(checkpoint, batch_id, {"t": {"0": batch_id, "1": 7}})
    finished(checkpoint, 8)
    finished(checkpoint, 9)
    assert checkpoint.completed() == 9
    assert checkpoint.ends(10) == {"t": {0: 10, 1: 7}}


def test_a_first_start_makes_all_tables_and_a_calendar_once(lake: Lake, checkpoint: Checkpoint):
    query = prepare_tables(lake, checkpoint)
    assert all(lake.exists(t) for t in TABLES)
    assert prepare_tables(Lake(lake.settings), checkpoint) == query
    assert lake.delta(DIM_DATE).version() == 1
    assert lake.last_commits(DIM_DATE, 1)[0].batch_id == 0


def test_a_checkpoint_and_its_tables_agree_before_during_and_after_a_batch(lake: Lake, checkpoint: Checkpoint):
    query = prepare_tables(lake, checkpoint)
    ensure_agreement(lake, checkpoint)
    complete(lake, checkpoint, 0, query)
    ensure_agreement(lake, checkpoint)
    finished(checkpoint, 0)
    ensure_agreement(lake, checkpoint)


def test_a_crash_while_the_tables_are_made_is_no_disagreement(lake: Lake, checkpoint: Checkpoint):
    checkpoint.create()
    lake.create(RECORDS)
    prepare_tables(lake, checkpoint)
    assert all(lake.exists(t) for t in TABLES)


@pytest.fixture
def query(lake: Lake, checkpoint: Checkpoint) -> str:
    """A lake and its checkpoint behind batch 1."""
    found = prepare_tables(lake, checkpoint)
    for batch_id in (0, 1):
        complete(lake, checkpoint, batch_id, found)
        finished(checkpoint, batch_id)
    ensure_agreement(lake, checkpoint)
    return found


@pytest.mark.parametrize("table", [RECORDS, FCT_SALES, BATCHES, DIM_HOLIDAY])
def test_a_lost_table_is_refused(lake: Lake, checkpoint: Checkpoint, query: str, table: Any):
    lose(lake, table)
    assert f"the lake lost {table.name}" in refusal(lake, checkpoint)


def before_the_holidays(lake: Lake, checkpoint: Checkpoint, *missing: Table) -> None:
    """A lake behind batch 0, as a version without these tables left it."""
    query = checkpoint.create()
    for table in TABLES:
        if table not in missing:
            lake.create(table)
    complete(lake, checkpoint, 0, query)
    finished(checkpoint, 0)


def test_a_table_of_the_calendar_that_the_last_batch_did_not_know_is_made_and_comes_with_the_next(lake: Lake, checkpoint: Checkpoint):
    before_the_holidays(lake, checkpoint, DIM_HOLIDAY)
    prepare_tables(lake, checkpoint)
    found = lake.newest(DIM_HOLIDAY).to_pylist()
    assert {row["batch_id"] for row in found} == {1}
    assert len(found) > 1000


def test_another_table_that_the_last_batch_did_not_know_is_refused(lake: Lake, checkpoint: Checkpoint):
    before_the_holidays(lake, checkpoint, DIM_HOLIDAY, FCT_SALES)
    assert f"the lake lost {FCT_SALES.name}, but" in refusal(lake, checkpoint)


def test_a_lost_checkpoint_is_refused(lake: Lake, checkpoint: Checkpoint, query: str):
    path_of(checkpoint).rename(path_of(checkpoint).with_name("away"))
    assert "bronze.records, ops.batches hold rows" in refusal(lake, checkpoint)


def test_a_checkpoint_lost_within_the_first_batch_is_refused(lake: Lake, checkpoint: Checkpoint):
    lake.append(RECORDS, [record(0)], prepare_tables(lake, checkpoint), 0)
    path_of(checkpoint).rename(path_of(checkpoint).with_name("away"))
    assert "bronze.records hold rows" in refusal(lake, checkpoint)


def test_the_checkpoint_of_another_query_is_refused(lake: Lake, checkpoint: Checkpoint, query: str):
    (path_of(checkpoint) / "metadata").write_text('{"id": "another"}')
    assert f"written by query {query}" in refusal(lake, checkpoint)


def test_an_older_copy_of_the_checkpoint_is_refused(lake: Lake, checkpoint: Checkpoint, query: str):
    (path_of(checkpoint) / "commits" / "1").unlink()
    ensure_agreement(lake, checkpoint)  # one batch ahead is a crash before Spark's own mark
    (path_of(checkpoint) / "commits" / "0").unlink()
    assert "the lake is at batch 1, but the checkpoint" in refusal(lake, checkpoint)


def test_an_older_copy_of_the_lake_is_refused(lake: Lake, checkpoint: Checkpoint, query: str):
    planned(checkpoint, 2, {"t": {"0": 3}})
    finished(checkpoint, 2)
    assert "the lake is at batch 1, but the checkpoint" in refusal(lake, checkpoint)


@pytest.mark.parametrize("ends", [None, {"t": {"0": 99}}])
def test_a_copy_that_is_older_by_one_batch_is_refused(lake: Lake, checkpoint: Checkpoint, query: str, ends: Any):
    """Spark would plan that batch anew with all that came since, and the lake would take it for the one it has."""
    (path_of(checkpoint) / "commits" / "1").unlink()
    (path_of(checkpoint) / "offsets" / "1").unlink()
    if ends:
        planned(checkpoint, 1, ends)
    assert "has batch 1 of the lake at other offsets" in refusal(lake, checkpoint)


def test_bronze_of_an_older_version_is_left_to_the_compaction_too(lake: Lake, checkpoint: Checkpoint) -> None:
    """Spark makes its checkpoints within a batch."""
    lake.create(RECORDS, 100)
    for _ in range(2):
        prepare_tables(lake, checkpoint, (RECORDS, BATCHES, *calendar.TABLES))
        assert lake.properties(RECORDS)[INTERVAL] == str(SPARK_CHECKPOINT_INTERVAL)
    assert lake.delta(RECORDS).version() == 1
