"""The loader between a lake that is written batch by batch and the local warehouse, with either of them killed at random."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from lake_writer import LakeWriter
from load_checks import Reader, differences, view_differences, wait, wait_shown
from local_ports import new_state

from commerce360 import metrics
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from schemas.tables import BATCHES, DIM_DATE, FCT_PAGE_EVENTS, FCT_REVIEWS, FCT_SALES, FED
from warehouse.client import Client

RUNS = int(os.environ.get("C360_CHAOS_RUNS", "2"))  # each with two kills
SEED = int(os.environ.get("C360_CHAOS_SEED", "7"))
pytestmark = [pytest.mark.stack, pytest.mark.timeout(420 + 120 * RUNS)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("loader") / "state"))
    try:
        stack.start_service("warehouse")
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def lake(stack: Stack) -> LakeWriter:
    prepare(stack.settings())
    return LakeWriter(Lake(stack.settings().lake))


class Load(threading.Thread):
    """Writes batch after batch, as the lake job does, until it is told to stop. Small ones; now and then sales come in several parts."""

    def __init__(self, lake: LakeWriter, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.lake = lake
        self.dice = dice
        self.done = threading.Event()
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            while not self.done.is_set():
                if self.lake.next % 30 == 29:
                    self.lake.append(FCT_SALES, 5003)
                    self.lake.rows += 5003
                    self.lake.batch(without=(FCT_SALES,))
                else:
                    self.lake.batch(rows=self.dice.choice((1, 1, 3, 20)))
                self.done.wait(0.1 + self.dice.random() * 0.4)
        except Exception as error:
            self.failed = error

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(60)
        assert self.failed is None


def test_a_lake_that_was_there_before_is_loaded_and_a_table_without_rows_holds_nothing_up(stack: Stack, lake: LakeWriter) -> None:
    for _ in range(30):
        lake.batch(without=(FCT_PAGE_EVENTS, FCT_REVIEWS, DIM_DATE))
    lake.append(FCT_REVIEWS)  # a batch that is not complete
    stack.start_service("loader")
    wait_shown(stack, 29)
    with Client(stack.settings().warehouse) as sql:
        assert [r["batch_id"] for r in sql.query("SELECT BATCH_ID FROM OPS.LAKE_BATCHES ORDER BY 1")] == list(range(30))
        assert sql.query("SELECT * FROM RAW.FCT_REVIEWS") == sql.query("SELECT * FROM CORE.DIM_DATE") == []
        assert len(sql.query("SELECT * FROM CORE.FCT_SALES")) == 30
    for table in (FCT_PAGE_EVENTS, DIM_DATE, *(t for t in FED if t not in (BATCHES, FCT_PAGE_EVENTS, FCT_REVIEWS, DIM_DATE))):
        lake.append(table)
    lake.rows += 1
    wait_shown(stack, lake.close())
    assert differences(stack) == []
    assert metrics.read(stack.state.root, "loader")["lag_batches"] in (0, 1)  # told before or after the last round


def test_readers_see_whole_batches_and_nothing_is_lost_or_doubled_whatever_is_killed(stack: Stack, lake: LakeWriter) -> None:
    """Each run kills both, one after the other, under load, and compares all views with the lake's gold while the load goes on."""
    dice, loader = random.Random(SEED), stack.supervisor.running["loader"]
    figures = {"runs": RUNS, "kills": 0, "rows_compared": 0, "batches_compared": list[int]()}
    with Reader(stack) as reader, Load(lake, dice):
        for _ in range(RUNS):
            for name in dice.sample(("loader", "warehouse"), 2):
                before = stack.restart_count(name)
                time.sleep(dice.random() * 3)  # somewhere in the middle of a round
                stack.kill(name, signal.SIGKILL)
                figures["kills"] += 1
                wait(lambda name=name, before=before: stack.restart_count(name) > before)
                stack.wait_ready(name)
            wait_shown(stack, lake.next - 1)
            batch_id, rows, found = view_differences(stack)
            assert found == []
            figures["rows_compared"] += rows
            figures["batches_compared"].append(batch_id)
        asked = reader.answers
        wait(lambda: reader.answers > asked, 180)  # the connector may try its lost connection for a minute
    wait_shown(stack, lake.next - 1)
    print(json.dumps({**figures, "batches": lake.next, "answers": reader.answers, "torn": len(reader.torn)}))
    assert reader.torn == []
    assert loader.identity is not None
    assert differences(stack) == []
    assert view_differences(stack)[2] == []


def test_the_loader_ends_in_order_when_it_is_told_to(stack: Stack, lake: LakeWriter) -> None:
    wait_shown(stack, lake.batch())
    entry = stack.supervisor.running["loader"]
    assert entry.identity
    process = psutil.Process(entry.identity.pid)
    stack.stop_service("loader")
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert "stopped_service" in stack.supervisor.log("loader").read_text().splitlines()[-1]


def test_a_warehouse_that_lost_everything_gets_a_rewritten_lake_once(stack: Stack, lake: LakeWriter) -> None:
    table = FCT_REVIEWS
    rows = lake.lake.query(table, f"SELECT * FROM {table.entity} WHERE customer_id % 2 = 0").to_pylist()
    assert rows
    made = [{**row, "title": None if row["title"] is None else "rewritten"} for row in rows]
    lake.lake.rewrite(table, lake.lake.arrow(table, made), "customer_id % 2 = 0")
    lake.lake.settle_rewrite(table)
    stack.stop_service("warehouse")
    shutil.rmtree(stack.state.data("warehouse"))
    (stack.state.root / "run" / "loader.metrics.json").unlink()
    stack.start_service("warehouse")
    stack.wait_ready("warehouse")
    prepare(stack.settings())
    lake.batch()
    stack.start_service("loader")
    wait_shown(stack, lake.batch())
    assert differences(stack) == []
    with Client(stack.settings().warehouse) as sql:
        (found,) = sql.query("SELECT COUNT(*) AS N FROM RAW.FCT_REVIEWS WHERE TITLE = 'rewritten'")
    assert found["n"] == sum(row["title"] is not None for row in made)
