"""The loader between a lake that is written batch by batch and the local warehouse, with either of them killed at random."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from lake_writer import LakeWriter
from local_ports import new_state

from commerce360 import metrics
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from commerce360.reconcile.compare import Stage, compare
from schemas.tables import BATCHES, DIM_DATE, FCT_PAGE_EVENTS, FCT_REVIEWS, FED
from warehouse import ddl
from warehouse.client import Client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("loader") / "state"))
    try:
        stack.start_service("warehouse")
        yield stack
    finally:
        stack.stop()


def wait(until: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := until()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def lake(stack: Stack) -> LakeWriter:
    prepare(stack.settings())
    return LakeWriter(Lake(stack.settings().lake))


def shown(stack: Stack) -> int:
    """What the loader says that a query shows."""
    return int(metrics.read(stack.state.root, "loader").get("batch_id", -1))


def wait_shown(stack: Stack, batch_id: int) -> None:
    wait(lambda: shown(stack) >= batch_id, 120)


def differences(stack: Stack) -> list[str]:
    """Where a landing table is not the lake's log, row by row."""
    found: list[str] = []
    lake = Lake(stack.settings().lake)
    with Client(stack.settings().warehouse) as sql:
        for table in FED:
            columns = tuple(c.name for c in table.fed_columns)
            stages = {"lake": lake.query(table, f"SELECT * FROM {table.entity}").to_pylist()}
            stages["warehouse"] = sql.query(f"SELECT * FROM {ddl.landing(table)}")
            made = [Stage.of(name, rows, (*table.key, "batch_id"), columns) for name, rows in stages.items()]
            found += [d.text() for d in compare(ddl.landing(table), made, columns).differences]
    return found


NEWEST = "SELECT " + ", ".join(
    f"(SELECT MAX(BATCH_ID) FROM {'OPS.LAKE_BATCHES' if t is BATCHES else ddl.view(t)}) AS {t.entity}" for t in FED
)


class Reader(threading.Thread):
    """Asks the views over and over how far they are, in one statement, and keeps every answer that disagrees with itself."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.settings = stack.settings().warehouse
        self.done = threading.Event()
        self.answers = 0
        self.torn: list[dict[str, Any]] = []

    def run(self) -> None:
        while not self.done.is_set():
            with contextlib.suppress(Exception), Client(self.settings) as sql:
                while not self.done.is_set():
                    (found,) = sql.query(NEWEST)
                    self.answers += 1
                    if len(set(found.values())) != 1:
                        self.torn.append(found)
            self.done.wait(0.1)

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(90)


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
    dice, loader = random.Random(7), stack.supervisor.running["loader"]
    with Reader(stack) as reader:
        for name in ("loader", "warehouse", "loader", "warehouse"):
            before = stack.restart_count(name)
            for _ in range(dice.randint(1, 6)):
                lake.batch(rows=dice.choice((1, 1, 3, 5003)))
            time.sleep(dice.random() * 1.5)  # somewhere in the middle of a round
            stack.kill(name, signal.SIGKILL)
            for _ in range(dice.randint(1, 3)):
                lake.batch()
            wait(lambda name=name, before=before: stack.restart_count(name) > before)
            stack.wait_ready(name)
        wait_shown(stack, lake.next - 1)
        asked = reader.answers
        wait(lambda: reader.answers > asked, 180)  # the connector may try its lost connection for a minute
    assert reader.torn == []
    assert loader.identity is not None
    assert differences(stack) == []


def test_what_holds_the_loader_up_can_be_seen_and_passes(stack: Stack, lake: LakeWriter) -> None:
    wait_shown(stack, lake.next - 1)
    with Client(stack.settings().warehouse) as sql:
        sql.query("ALTER TABLE RAW.FCT_REVIEWS RENAME TO RAW.REVIEWS_AWAY")
        lake.batch()
        last = lake.batch()
        found = wait(lambda: (m := metrics.read(stack.state.root, "loader")).get("failures") and m)
        assert found["lag_batches"] >= 1
        assert "FCT_REVIEWS" in found["error"]
        assert "does not exist" in found["error"] or "there is no table" in found["error"]
        assert shown(stack) < last - 1
        assert sql.query("SELECT MAX(BATCH_ID) AS B FROM OPS.LAKE_BATCHES")[0]["b"] < last - 1  # no batch without all of its rows
        sql.query("ALTER TABLE RAW.REVIEWS_AWAY RENAME TO RAW.FCT_REVIEWS")
    wait_shown(stack, last)
    assert wait(lambda: (m := metrics.read(stack.state.root, "loader")).get("failures") == 0 and m)["error"] == ""
    assert differences(stack) == []


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
