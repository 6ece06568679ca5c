"""Days of the warehouse repaired by files: real clients, a lake written batch by batch, the local warehouse, the loader beside it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from in_process import c360
from lake_writer import T0, LakeWriter, row
from local_ports import new_state

from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from commerce360.reconcile.compare import Stage, compare
from schemas.marts import MART_FUNNEL
from schemas.tables import BATCHES, DIM_CUSTOMER, FCT_REVIEWS, FCT_SALES, FED, Table
from warehouse import ddl
from warehouse.backfill import Backfill, Day
from warehouse.client import Client
from warehouse.loader import Loader

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
A_DAY = 86_400  # the writer stamps batch n as committed n seconds after its beginning
FIRST, SECOND, THIRD = (T0.date() + dt.timedelta(days=n) for n in range(3))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("backfill") / "state"))
    try:
        stack.start_service("warehouse")
        prepare(stack.settings())
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def lake(stack: Stack) -> LakeWriter:
    """Three days of batches, all of them loaded."""
    made = LakeWriter(Lake(stack.settings().lake), clock=lambda batch_id: T0 + dt.timedelta(seconds=batch_id))
    for day, batches in enumerate((3, 4, 2)):
        made.next = day * A_DAY
        for n in range(batches):
            made.batch(rows=20 * (n + 1))
    load(stack, made)
    return made


def load(stack: Stack, lake: LakeWriter) -> None:
    """As the loader's process does it, until everything is shown."""
    with contextlib.closing(Loader(stack.settings())) as loader:
        loader.open()
        wait_shown(loader, lake)


def wait_shown(loader: Loader, lake: LakeWriter) -> None:
    while loader.shown_batch() < lake.next - 1:
        loader.step()
        time.sleep(0.05)


@pytest.fixture
def sql(stack: Stack, lake: LakeWriter) -> Iterator[Client]:
    with Client(stack.settings().warehouse) as sql:
        sql.query("USE DATABASE COMMERCE360")
        yield sql
        repair(stack, sql)


def repair(stack: Stack, sql: Client, dry: bool = False, tables: tuple[Table, ...] = FED) -> list[dict[str, Any]]:
    """What each day and table needed, without those that needed nothing."""
    work = Backfill(stack.settings(), sql, tables)
    return [r.as_json() for found in work.run(work.days(), dry) for r in found if r.needed]


def differences(stack: Stack, sql: Client) -> list[str]:
    """Where a landing table is not the lake's log, row by row."""
    found: list[str] = []
    lake = Lake(stack.settings().lake)
    for table in FED:
        columns = tuple(c.name for c in table.fed_columns)
        stages = {"lake": lake.query(table, f"SELECT * FROM {table.entity}").to_pylist()}
        stages["warehouse"] = sql.query(f"SELECT * FROM {ddl.landing(table)}")
        made = [Stage.of(name, rows, (*table.key, "batch_id"), columns) for name, rows in stages.items()]
        found += [d.text() for d in compare(ddl.landing(table), made, columns).differences]
    return found


def test_a_warehouse_that_is_equal_is_left_alone(stack: Stack, sql: Client) -> None:
    work = Backfill(stack.settings(), sql)
    assert [(d.date, d.last) for d in work.days()] == [(FIRST, 2), (SECOND, A_DAY + 3), (THIRD, 2 * A_DAY + 1)]
    found = [r for of_day in work.run(work.days()) for r in of_day]
    assert not [r for r in found if r.needed]
    assert {r.table: r.rows for r in found if r.date == SECOND}[FCT_SALES.name] == 20 + 40 + 60 + 80
    assert sum(r.rows for r in found) == sum(sql.query(f"SELECT COUNT(*) AS N FROM {ddl.landing(t)}")[0]["n"] for t in FED)


def test_lost_changed_doubled_and_foreign_rows_are_named_by_day_and_repaired_once(stack: Stack, sql: Client) -> None:
    of_second = f"BATCH_ID BETWEEN {A_DAY} AND {A_DAY + 3}"
    sql.query(f"DELETE FROM RAW.FCT_SALES WHERE {of_second} AND LINE_NO = 1 AND QUANTITY % 3 = 0")
    lost = 200 - sql.query(f"SELECT COUNT(*) AS N FROM RAW.FCT_SALES WHERE {of_second}")[0]["n"]
    sql.query("UPDATE RAW.DIM_CUSTOMER SET EMAIL = NULL WHERE BATCH_ID = 1 AND EMAIL IS NOT NULL")
    emails = (
        Lake(stack.settings().lake).query(DIM_CUSTOMER, "SELECT email FROM dim_customer WHERE batch_id = 1").column("email").to_pylist()
    )
    changed = sum(email is not None for email in emails)
    sql.query("INSERT INTO RAW.FCT_REVIEWS SELECT * FROM RAW.FCT_REVIEWS WHERE BATCH_ID = 2")
    sql.query(f"INSERT INTO RAW.MART_FUNNEL SELECT * FROM RAW.MART_FUNNEL WHERE BATCH_ID = {2 * A_DAY}")
    sql.query(f"UPDATE RAW.MART_FUNNEL SET DEVICE = 'stranger' WHERE BATCH_ID = {2 * A_DAY} AND SESSIONS % 2 = 0")
    sql.query(f"DELETE FROM OPS.LAKE_BATCHES WHERE BATCH_ID = {A_DAY}")
    assert lost > 0
    assert changed > 0

    broken = differences(stack, sql)
    expected = repair(stack, sql, dry=True)
    assert differences(stack, sql) == broken  # a dry run changes nothing
    counts = {(r["day"], r["table"]): (r["missing"], r["changed"], r["surplus"]) for r in expected}
    assert counts[str(SECOND), FCT_SALES.name] == (lost, 0, 0)
    assert counts[str(FIRST), DIM_CUSTOMER.name] == (0, changed, 0)
    assert counts[str(FIRST), FCT_REVIEWS.name] == (0, 0, 60)
    assert counts[str(SECOND), BATCHES.name] == (1, 0, 0)
    assert set(counts) == {
        (str(SECOND), FCT_SALES.name),
        (str(FIRST), DIM_CUSTOMER.name),
        (str(FIRST), FCT_REVIEWS.name),
        (str(THIRD), MART_FUNNEL.name),
        (str(SECOND), BATCHES.name),
    }
    assert repair(stack, sql) == expected
    assert differences(stack, sql) == []
    assert repair(stack, sql) == []


def test_a_table_of_choice_and_days_of_choice(stack: Stack, sql: Client) -> None:
    for table in (FCT_SALES, FCT_REVIEWS):
        sql.query(f"DELETE FROM {ddl.landing(table)}")
    work = Backfill(stack.settings(), sql, (FCT_SALES,))
    assert [r.needed for (r,) in work.run(work.days(SECOND, SECOND))] == [True]
    assert sql.query("SELECT COUNT(*) AS N, MIN(BATCH_ID) AS LOW FROM RAW.FCT_SALES") == [{"n": 200, "low": A_DAY}]
    assert sql.query("SELECT COUNT(*) AS N FROM RAW.FCT_REVIEWS") == [{"n": 0}]
    with pytest.raises(ConfigError, match="nothing on these days"):
        work.days(dt.date(2020, 1, 1), dt.date(2020, 1, 2))


def test_rows_that_the_stream_brings_meanwhile_are_not_touched(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    """Repairs over and over, while batches are written and loaded: nothing is lost, nothing doubled."""
    done = threading.Event()

    def live() -> None:
        lake.next = 2 * A_DAY + 10
        with contextlib.closing(Loader(stack.settings())) as loader:
            loader.open()
            for _ in range(6):
                lake.batch(rows=7)
                wait_shown(loader, lake)
        done.set()

    thread = threading.Thread(target=live)
    thread.start()
    rounds = 0
    while not done.is_set() or not rounds:
        sql.query(f"DELETE FROM RAW.FCT_SALES WHERE BATCH_ID <= {A_DAY}")
        assert [r["table"] for r in repair(stack, sql, tables=(FCT_SALES, BATCHES))]
        rounds += 1
    thread.join()
    assert differences(stack, sql) == []


def test_what_is_erased_in_the_lake_while_a_day_is_copied_does_not_come_back(stack: Stack, sql: Client) -> None:
    class Erasing(Client):
        """Rows are rewritten in the lake when the copies are made, and before they are put in place."""

        done = 0

        def query(self, sql: str, params: tuple[Any, ...] | None = None) -> list[dict[str, Any]]:
            if sql == "BEGIN" and not self.done:
                lake = Lake(stack.settings().lake)
                rows = lake.query(FCT_REVIEWS, "SELECT * FROM fct_reviews WHERE batch_id = 0").to_pylist()
                lake.rewrite(FCT_REVIEWS, lake.arrow(FCT_REVIEWS, [{**r, "body": "erased"} for r in rows]), "batch_id = 0")
                lake.settle_rewrite(FCT_REVIEWS)
            self.done += sql == "BEGIN"
            return super().query(sql, params)

    sql.query("DELETE FROM RAW.FCT_REVIEWS WHERE BATCH_ID = 0")
    with Erasing(stack.settings().warehouse) as erasing:
        work = Backfill(stack.settings(), erasing, (FCT_REVIEWS,))
        ((found,),) = work.run(work.days(FIRST, FIRST))
    assert found.missing == 20
    assert erasing.done > 1
    assert sql.query("SELECT DISTINCT BODY FROM RAW.FCT_REVIEWS WHERE BATCH_ID = 0") == [{"body": "erased"}]


def test_a_repair_that_is_interrupted_leaves_the_day_as_it_was(stack: Stack, sql: Client) -> None:
    """A DROP TABLE commits what is open on an account, so nothing may be open before it."""

    class Interrupted(Client):
        def query(self, sql: str, params: tuple[Any, ...] | None = None) -> list[dict[str, Any]]:
            done.append(sql.split()[0])
            if sql.startswith("INSERT"):
                raise KeyboardInterrupt
            return super().query(sql, params)

    done: list[str] = []
    sql.query("DELETE FROM RAW.FCT_REVIEWS WHERE BATCH_ID = 0 AND RATING IS NULL")
    left = sql.query("SELECT COUNT(*) AS N FROM RAW.FCT_REVIEWS")
    with Interrupted(stack.settings().warehouse) as interrupted:
        work = Backfill(stack.settings(), interrupted, (FCT_REVIEWS,))
        with pytest.raises(KeyboardInterrupt):
            list(work.run(work.days(FIRST, FIRST)))
    assert done[-4:] == ["DELETE", "INSERT", "ROLLBACK", "DROP"]
    assert sql.query("SELECT COUNT(*) AS N FROM RAW.FCT_REVIEWS") == left


def test_repairs_at_the_same_time_do_not_double_rows(stack: Stack, sql: Client) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            with Client(stack.settings().warehouse) as own:
                repair(stack, own, tables=(FCT_SALES, DIM_CUSTOMER))
        except BaseException as error:
            failed.append(error)

    for table in (FCT_SALES, DIM_CUSTOMER):
        sql.query(f"DELETE FROM {ddl.landing(table)}")
    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert differences(stack, sql) == []


def test_tables_of_a_run_that_was_killed_go_and_those_of_another_run_stay(stack: Stack, sql: Client) -> None:
    old, young = (f"C360_HISTORY_{int(time.time()) - age}_AB_FCT_SALES" for age in (100_000, 100))
    for name in (old, young):
        sql.query(f"CREATE TABLE RAW.{name} (A INT)")
    repair(stack, sql, tables=(FCT_SALES,))
    found = sql.query("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE 'C360_HISTORY_%_AB_%'")
    sql.query(f"DROP TABLE RAW.{young}")
    assert [r["table_name"] for r in found] == [young]


def test_another_lake_is_refused_even_if_it_is_longer(stack: Stack, sql: Client) -> None:
    (last,) = sql.query("SELECT BATCH_ID, QUERY_ID FROM OPS.LAKE_BATCHES ORDER BY BATCH_ID DESC LIMIT 1")
    sql.query("UPDATE OPS.LAKE_BATCHES SET QUERY_ID = 'of another lake' WHERE BATCH_ID = %s", (last["batch_id"],))
    try:
        with pytest.raises(ConfigError, match="filled from another lake"):
            Backfill(stack.settings(), sql).days()
    finally:
        sql.query("UPDATE OPS.LAKE_BATCHES SET QUERY_ID = %s WHERE BATCH_ID = %s", (last["query_id"], last["batch_id"]))


def test_values_at_their_limits_come_back_as_they_were(stack: Stack, lake: LakeWriter, sql: Client) -> None:
    odd = {
        "order_id": "日本 | \\ 😀\n'\"",
        "ordered_at": dt.datetime(1955, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
        "unit_price": Decimal("9999999999.99"),
        "sale_amount": Decimal("-999999999999.99"),
        "customer_id": 2**63 - 1,
        "product_id": -(2**63),
    }
    lake.lake.append(FCT_SALES, [row(FCT_SALES, lake.next, 10**6) | odd], "q", lake.next)
    lake.batch()
    load(stack, lake)
    sql.query(f"DELETE FROM RAW.FCT_SALES WHERE BATCH_ID = {lake.next - 1}")
    assert [r["missing"] for r in repair(stack, sql)] == [2]
    assert differences(stack, sql) == []


def test_the_command_says_what_it_found(stack: Stack, sql: Client) -> None:
    def command(*args: str) -> subprocess.CompletedProcess[str]:
        return c360("warehouse", "backfill", "--state", str(stack.state.root), *args)

    sql.query("DELETE FROM RAW.FCT_SALES WHERE BATCH_ID = 2")
    seen = command("--dry-run", "--from", str(FIRST), "--to", str(FIRST))
    assert seen.returncode == 0, seen.stderr
    assert "gold.fct_sales: 60 missing, 0 otherwise, 0 too many of 120" in seen.stdout
    assert seen.stdout.endswith("1 days: 1 tables differ\n")
    found = [json.loads(line) for line in command("--from", str(FIRST), "--to", str(SECOND), "--json").stdout.splitlines()]
    assert len(found) == 2 * len(FED)
    assert [(r["day"], r["missing"]) for r in found if r["missing"]] == [(str(FIRST), 60)]
    assert "equal to the lake" in command("--from", str(FIRST)).stdout
    empty = ("--from", "2020-01-01", "--to", "2020-01-02", "--json")
    assert [(done.returncode, done.stdout) for done in (command(*empty), command(*empty, "--if-any"))] == [(2, ""), (0, "")]
    assert command("--table", "nothing").returncode == 2
    assert "exchange them" in command("--from", str(SECOND), "--to", str(FIRST)).stderr


def test_a_batch_belongs_to_one_day_even_when_a_clock_goes_back() -> None:
    from warehouse.backfill import days

    at = [T0, T0 + dt.timedelta(days=1), T0 + dt.timedelta(hours=3), T0 + dt.timedelta(days=2)]
    batches = [{"batch_id": n * 5, "committed_at": t} for n, t in enumerate(at)]
    assert days(batches, 15, None, None) == [Day(FIRST, -2, 0), Day(SECOND, 0, 10), Day(THIRD, 10, 15)]
    assert days(batches, 10, None, None)[-1] == Day(SECOND, 0, 10)
    assert days(batches, 15, SECOND, SECOND) == [Day(SECOND, 0, 10)]
