"""The loader and each fault of the warehouse: what it does, what a person sees of it, and that every row is there once afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from lake_writer import LakeWriter, row
from load_checks import Faults, differences, told, view_differences, wait, wait_shown
from local_ports import new_state
from typer.testing import CliRunner

from commerce360.cli.main import app
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from schemas.access import LOADER
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_DATE, DIM_PRODUCT, FCT_REVIEWS, FED, Column, Table
from warehouse import ddl
from warehouse.client import Client
from warehouse.loader import AHEAD_ROWS
from warehouse.watch import SILENT_S

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
NEW = (Column("loyalty_note", "string"), Column("loyalty_level", "bigint"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("faults") / "state"))
    try:
        stack.start_service("warehouse")
        prepare(stack.settings())
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def lake(stack: Stack) -> LakeWriter:
    made = LakeWriter(Lake(stack.settings().lake))
    made.batch()
    stack.start_service("loader")
    wait_shown(stack, 0)
    return made


@pytest.fixture
def faults(stack: Stack, lake: LakeWriter) -> Iterator[Faults]:
    made = Faults(stack)
    yield made
    made.arm()


@pytest.fixture
def sql(stack: Stack, lake: LakeWriter) -> Iterator[Client]:
    with Client(stack.settings().warehouse) as sql:
        yield sql


def status(stack: Stack, *more: str) -> tuple[int, dict[str, Any]]:
    """`c360 warehouse status`: its exit code, and what it says of each table."""
    found = CliRunner().invoke(app, ["warehouse", "status", "--state", str(stack.state.root), "--json", *more])
    return found.exit_code, {t["table"]: t for t in json.loads(found.stdout)}


def counts(sql: Client) -> set[int]:
    """Rows of the landing tables; a batch of the writer has as many for each. The last test compares them all, value by value."""
    each = (f"SELECT COUNT(*) AS N FROM {ddl.landing(t)}" for t in FED if t is not BATCHES)
    return {r["n"] for r in sql.query(" UNION ALL ".join(each))}


def on(kind: str, action: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "action": action, "count": count, **more}


PASSING = {
    "429 and 503": [on("rows", "answer", 2, status=429, table="FCT_SALES"), on("rows", "answer", 2, status=503, table="DIM_PRODUCT")],
    "500 and a slow answer": [on("rows", "answer", status=500, table="FCT_SALES"), on("rows", "hang", seconds=2, table="DIM_PRODUCT")],
    "401": [on("rows", "answer", status=401)],
    "cut before and behind the commit": [on("rows", "cut_before", table="FCT_SALES"), on("rows", "cut_after", table="DIM_PRODUCT")],
    "no status": [on("status", "answer", 3, status=500), on("status", "cut_before", 2)],
}


@pytest.mark.parametrize("armed", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_tried_again_and_nothing_is_opened_anew(
    stack: Stack, lake: LakeWriter, sql: Client, faults: Faults, armed: list[Any]
) -> None:
    before = told(stack)["reconnects"]
    faults.arm(*armed)
    wait_shown(stack, lake.batch(3))
    assert faults.left() == 0
    assert told(stack)["reconnects"] == before
    assert counts(sql) == {lake.rows}


INVALID = {
    "409": [on("rows", "answer", status=409, code="ERR_CHANNEL_CONFLICT")],
    "404": [on("rows", "answer", status=404)],
    "another client took the channel": [on("rows", "steal", table="FCT_SALES")],
    "a stale token": [on("rows", "stale", table="DIM_PRODUCT")],
    "409, and nobody opens": [
        on("rows", "answer", status=409, table="FCT_SALES"),
        on("open", "answer", status=503, table="FCT_SALES"),
        on("hostname", "answer", status=500),
    ],
}


@pytest.mark.parametrize("armed", INVALID.values(), ids=INVALID.keys())
def test_a_channel_that_is_lost_is_opened_at_what_is_committed(
    stack: Stack, lake: LakeWriter, sql: Client, faults: Faults, armed: list[Any]
) -> None:
    before = told(stack)["reconnects"]
    faults.arm(*armed)
    first = lake.batch(2)
    wait_shown(stack, max(first, lake.batch(2)))
    assert faults.left() == 0
    wait(lambda: told(stack)["reconnects"] > before)
    assert wait(lambda: (m := told(stack))["failures"] == 0 and m)["error"] == ""
    assert counts(sql) == {lake.rows}


def replace(sql: Client, table: Table, narrow: str = "") -> None:
    """The landing table anew, empty; `narrow`: a column of it that takes less than the lake has. A new table has no grants."""
    made = ddl.create_table(table).replace("CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE", 1)
    if narrow:
        made, count = re.subn(rf'"{narrow}" \S+', f'"{narrow}" NUMBER(1,0)', made, count=1)
        assert count
    sql.query(made)
    sql.query(f"GRANT INSERT, EVOLVE SCHEMA ON TABLE {ddl.landing(table)} TO ROLE {LOADER}")


def test_a_table_that_was_replaced_is_loaded_again_and_no_other_even_while_the_lake_rests(
    stack: Stack, lake: LakeWriter, sql: Client
) -> None:
    wait_shown(stack, lake.batch(20))
    rows = told(stack)["rows_total"]
    replace(sql, FCT_REVIEWS)
    found = wait(lambda: (m := told(stack))["rows_total"] > rows and m["verdict"] == "current" and m)
    assert found["rows_total"] - rows == lake.rows
    assert counts(sql) == {lake.rows}
    wait_shown(stack, lake.batch())
    assert counts(sql) == {lake.rows}


def test_rows_that_do_not_fit_are_set_aside_and_counted_and_the_others_are_shown(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    wait_shown(stack, lake.batch(20))
    replace(sql, DIM_DATE, narrow="DATE_KEY")  # as if someone had altered it: numbers of two digits do not fit any more
    wait_shown(stack, lake.batch(3))
    found = wait(lambda: (m := told(stack))["rows_rejected"] and m["verdict"] == "current" and m)
    assert found["rows_rejected"] == {"RAW.DIM_DATE": lake.rows - 10}
    aside = sql.query(
        "SELECT ERROR_CODE, ERROR_METADATA:error_message::VARCHAR AS M, ERROR_DATA:DATE_KEY::NUMBER AS N FROM ERROR_TABLE(RAW.DIM_DATE)"
    )
    assert {(r["error_code"], r["m"]) for r in aside} == {(100038, "Numeric value is not recognized: DATE_KEY")}
    assert sorted(r["n"] for r in aside) == list(range(10, lake.rows))
    assert differences(stack, [t for t in FED if t is not DIM_DATE]) == []
    replace(sql, DIM_DATE)
    wait(lambda: (m := told(stack))["verdict"] == "current" and not m["rows_rejected"])
    assert counts(sql) == {lake.rows}


def test_a_column_that_the_lake_gets_reaches_the_warehouse_while_everything_runs(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    wait_shown(stack, lake.batch())
    before = len(interruptions(stack))
    extended = DIM_CUSTOMER.with_columns(*NEW)
    values = [(None, None), ("né 2x", 2**53 + 1), ("", None)]
    for note, level in values:
        for table in (t for t in FED if t not in (BATCHES, DIM_CUSTOMER)):
            lake.append(table)
        new = {**row(DIM_CUSTOMER, lake.next, lake.rows), "loyalty_note": note, "loyalty_level": level}
        lake.lake.append(DIM_CUSTOMER, lake.lake.arrow(extended, [new]), "q", lake.next)
        lake.rows += 1
        last = lake.close()
    wait_shown(stack, last)
    found = sql.query(f"SELECT LOYALTY_NOTE, LOYALTY_LEVEL FROM RAW.DIM_CUSTOMER WHERE BATCH_ID > {last - 3} ORDER BY BATCH_ID")
    assert [tuple(r.values()) for r in found] == values
    assert [line for line in interruptions(stack)[before:] if "DIM_CUSTOMER" in line or "LOYALTY" in line] == []
    assert counts(sql) == {lake.rows}


def interruptions(stack: Stack) -> list[str]:
    """What made the loader open its channels again, as its log has it. A busy machine may be a reason of its own."""
    log = (stack.state.root / "logs" / "loader.log").read_text(errors="replace")
    return [line for line in log.splitlines() if "interrupted_load" in line]


def test_a_value_that_the_warehouse_has_no_column_for_is_not_shown_as_loaded(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    sql.query("ALTER TABLE RAW.DIM_PRODUCT SET ENABLE_SCHEMA_EVOLUTION = FALSE")
    shown = lake.batch()
    wait_shown(stack, shown)
    for table in (t for t in FED if t not in (BATCHES, DIM_PRODUCT)):
        lake.append(table)
    new = {**row(DIM_PRODUCT, lake.next, lake.rows), "colour": "red"}
    lake.lake.append(DIM_PRODUCT, lake.lake.arrow(DIM_PRODUCT.with_columns(Column("colour", "string")), [new]), "q", lake.next)
    lake.rows += 1
    last = lake.close()
    for _ in range(2):  # nor after channels were opened again
        found = wait(lambda: (m := told(stack))["failures"] and "RAW.DIM_PRODUCT has no column COLOUR" in m["error"] and m)
        assert found["batch_id"] == shown
    replace(sql, DIM_PRODUCT)
    wait_shown(stack, last)
    assert sql.query(f"SELECT COLOUR FROM RAW.DIM_PRODUCT WHERE BATCH_ID = {last}") == [{"colour": "red"}]
    assert counts(sql) == {lake.rows}


def test_a_table_that_is_missing_holds_up_the_load_says_so_and_nothing_is_torn(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    shown = lake.batch()
    wait_shown(stack, shown)
    sql.query("ALTER TABLE RAW.FCT_REVIEWS RENAME TO RAW.REVIEWS_AWAY")
    last = lake.batch()
    found = wait(lambda: (m := told(stack)).get("failures", 0) >= 2 and m)
    assert "RAW.FCT_REVIEWS" in found["error"]
    assert (found["batch_id"], found["lag_batches"]) == (shown, 1)
    assert sql.query("SELECT MAX(BATCH_ID) AS B FROM OPS.LAKE_BATCHES") == [{"b": shown}]
    code, tables = status(stack, "--stalled-after", "600")
    assert code == 1
    assert {t for t, found in tables.items() if found["verdict"] == "stalled"} == {"gold.fct_reviews"}
    assert "RAW.FCT_REVIEWS" in tables["gold.fct_reviews"]["reason"]
    assert tables["ops.batches"]["rows_waiting"] == 1
    sql.query("ALTER TABLE RAW.REVIEWS_AWAY RENAME TO RAW.FCT_REVIEWS")
    wait_shown(stack, last)
    assert wait(lambda: (m := told(stack))["failures"] == 0 and m)["error"] == ""
    assert counts(sql) == {lake.rows}


def test_batches_that_a_stopped_warehouse_does_not_take_wait_in_the_lake(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    wait_shown(stack, lake.batch())
    (pid, *_) = stack.pids("warehouse")
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(6):
            last = lake.batch(300)
        found = wait(lambda: (m := told(stack))["lag_batches"] >= 6 and m)
        assert found["rows_waiting"] < AHEAD_ROWS
        assert found["verdict"] in ("loading", "stalled")  # with the time that it took to get here
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_shown(stack, last)
    assert counts(sql) == {lake.rows}


def test_a_loader_that_does_not_run_is_the_reason_when_rows_wait(stack: Stack, lake: LakeWriter) -> None:
    wait_shown(stack, lake.batch())
    code, tables = status(stack)
    assert (code, {t["verdict"] for t in tables.values()}) == (0, {"current"})
    assert all(t["warehouse_token"] == f"{t['lake_version']}:0" and t["rows_waiting"] == 0 for t in tables.values())
    stack.stop_service("loader")
    last = lake.batch(3)
    wait(lambda: time.time() - told(stack)["at"] > SILENT_S)
    code, tables = status(stack, "--stalled-after", "0.1")
    assert code == 1
    assert {(t["verdict"], t["reason"], t["rows_waiting"]) for n, t in tables.items() if n != "ops.batches"} == {
        ("stalled", "the loader does not run", 3)
    }
    stack.start_service("loader")
    wait_shown(stack, last)
    assert status(stack)[0] == 0


def test_whatever_went_wrong_the_views_are_the_lakes_gold(stack: Stack, lake: LakeWriter) -> None:
    last = lake.batch()
    wait_shown(stack, last)
    batch_id, rows, found = view_differences(stack)
    assert (batch_id, found) == (last, [])
    assert differences(stack) == []
    assert rows > lake.rows * len(FED) / 2


def test_only_the_secret_of_the_state_arms_a_fault(stack: Stack, faults: Faults) -> None:
    for secret in ("", "Bearer ", "Bearer wrong", faults.secret):
        answer = requests.post(faults.url, json=[on("rows", "answer")], headers={"Authorization": secret}, verify=faults.ca, timeout=20)
        assert answer.status_code == (403 if not secret.endswith(faults.secret) else 200)
    faults.arm()
    answer = requests.post(faults.url, json=[on("rows", "explode")], headers={"Authorization": faults.secret}, verify=faults.ca, timeout=20)
    assert answer.status_code == 400
