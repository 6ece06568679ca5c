"""Days of the lake repaired beside live traffic, from each source, under kills: afterwards everything equals everything."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import in_process
import psycopg
import pymongo
import pytest
from deltalake.exceptions import CommitFailedError
from local_ports import new_state

from commerce360.backfill.days import ZONE_INFO, bounds
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.reconcile.drain import Drain
from commerce360.reconcile.run import Reconciler
from schemas.columns import Table
from schemas.tables import BACKFILLS, CLICKSTREAM, FCT_PAGE_EVENTS, FCT_SALES, FCT_SESSIONS, REVIEWS
from schemas.topics import BACKFILL
from stream_jobs.checkpoint import offsets
from stream_jobs.values import literal

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
SHOP = {
    "customers": 60,
    "products": 12,
    "past_orders": 900,
    "past_clicks": 1200,
    "past_reviews": 600,
    "orders_per_s": 4.0,
    "clicks_per_s": 6.0,
}
TODAY = dt.datetime.now(ZONE_INFO).date()
DAYS = 4
FIRST, LAST = TODAY - dt.timedelta(days=DAYS), TODAY - dt.timedelta(days=1)
TABLES = (FCT_SALES, CLICKSTREAM, REVIEWS, FCT_SESSIONS, FCT_PAGE_EVENTS)
Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("history") / "state"), shop=SHOP)
    try:
        stack.start(traffic=True)
        lake = Lake(stack.settings().lake)
        wait(lambda: any(batch["records"] and batch["batch_id"] > 0 for batch in lake.batches()))
        for table, rows in ((REVIEWS, SHOP["past_reviews"]), (CLICKSTREAM, SHOP["past_clicks"]), (FCT_SALES, 2 * SHOP["past_orders"])):
            wait(lambda table=table, rows=rows: lake.newest(table, lake.last_batch()["batch_id"]).num_rows >= rows)
        yield stack
    finally:
        stack.stop()


def wait(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 240
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def command(stack: Stack, *args: str) -> list[str]:
    return [sys.executable, "-m", "commerce360.cli.main", *args, "--state", str(stack.state.root)]


def c360(stack: Stack, *args: str) -> Run:
    return subprocess.run(command(stack, *args), capture_output=True, text=True, check=False, timeout=600)


def backfill(stack: Stack, tables: tuple[Table, ...], *args: str) -> list[dict[str, Any]]:
    named = [part for t in tables for part in ("--table", t.entity)]
    done = c360(stack, "backfill", *named, "--from", str(FIRST), "--to", str(LAST), "--json", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def plant(stack: Stack, table: Table, share: int = 3) -> int:
    """Every third row of the days is gone; how many."""
    column = {FCT_SALES: "ordered_at", CLICKSTREAM: "occurred_at", REVIEWS: "reviewed_at"}.get(table)
    lake = Lake(stack.settings().lake)
    first, end = bounds([FIRST, LAST])  # the shop's days, not those of UTC: an hour of today is not repaired yet
    inside = f"{column} >= {literal(first)} AND {column} < {literal(end)}" if column else f"day BETWEEN DATE '{FIRST}' AND DATE '{LAST}'"
    keys = lake.query(table, f"SELECT DISTINCT {table.key[0]} AS key FROM {table.entity} WHERE {inside} ORDER BY 1").to_pylist()
    taken = ", ".join(f"'{row['key']}'" for row in keys[::share])
    assert taken
    for _ in range(20):
        with contextlib.suppress(CommitFailedError):  # the lake job commits all the time: a delete may lose the race
            return int(lake.delta(table).delete(f"{table.key[0]} IN ({taken})")["num_deleted_rows"])
    raise AssertionError("no turn")


def changed(results: list[dict[str, Any]]) -> int:
    return sum(r["changed"] for r in results)


@pytest.mark.timeout(1500)
def test_gaps_are_repaired_beside_live_traffic_though_everything_is_killed_and_all_is_equal_in_the_end(stack: Stack) -> None:
    for table in TABLES:
        assert plant(stack, table)
    before = changed(backfill(stack, TABLES, "--dry-run"))
    assert before > 0
    assert Lake(stack.settings().lake).query(BACKFILLS, "SELECT * FROM backfills").num_rows == 0  # a dry run asks for nothing

    named = [part for t in TABLES for part in ("--table", t.entity)]
    asked = command(stack, "backfill", *named, "--from", str(FIRST), "--to", str(LAST))
    first = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: Lake(stack.settings().lake).query(BACKFILLS, "SELECT * FROM backfills").num_rows >= 2)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(3)
    stack.kill("lake", signal.SIGKILL)
    assert second.wait(400) == 0

    left = changed(backfill(stack, TABLES))
    assert left <= before
    again = backfill(stack, TABLES)
    assert changed(again) == 0
    assert sum(r["unchanged"] for r in again) > 0
    assert len(again) == DAYS * len(TABLES)
    served = Lake(stack.settings().lake).query(BACKFILLS, "SELECT * FROM backfills").to_pylist()
    assert sum(row["changed"] for row in served) > 0


def write(path: Path, lines: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))


@pytest.mark.long
def test_files_of_a_landing_zone_bring_history_once_and_bad_lines_are_named(stack: Stack, tmp_path: Path) -> None:
    at = dt.datetime.combine(LAST, dt.time(12), ZONE_INFO)
    line = {"line_no": 1, "product_id": 1, "quantity": 2, "unit_price": "5.00"}
    order = {"event_id": "file-1", "order_id": "F1", "customer_id": 1, "event_ts": at.isoformat(), "lines": [line]}
    write(tmp_path / "fct_sales" / "a.jsonl", [order, "{ no json\n", {**order, "order_id": "F2", "event_id": "file-2", "lines": []}])
    click = {"visitor_id": "v-file", "event_type": "view", "product_id": 1, "page": "/p/1", "device": "mobile"}
    stamp = {"$date": at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    write(tmp_path / "clickstream" / "b.json", [{"_id": {"$oid": "65f000000000000000000001"}, **click, "occurred_at": stamp}])
    named = ["--table", "fct_sales", "--table", "clickstream", "--from", str(LAST), "--to", str(LAST)]
    done = c360(stack, "backfill", *named, "--source", "files", "--files", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    sales, clicks = map(json.loads, done.stdout.splitlines())
    assert (sales["changed"], sales["rejected"], sales["rows"]) == (1, 2, 2)  # a header and a line
    assert (clicks["changed"], clicks["rows"]) == (1, 1)
    assert "a.jsonl, line 2" in done.stderr
    assert "a.jsonl, line 3" in done.stderr
    lake = Lake(stack.settings().lake)
    assert lake.newest(FCT_SALES, where="order_id = 'F1' AND line_no = 1").to_pylist()[0]["sale_amount"] == 10
    assert lake.newest(CLICKSTREAM, where="visitor_id = 'v-file'").num_rows == 1
    again = c360(stack, "backfill", *named, "--source", "files", "--files", str(tmp_path), "--json")
    assert [json.loads(text)["changed"] for text in again.stdout.splitlines()] == [0, 0]


@pytest.mark.long
def test_the_databases_bring_what_the_stream_never_saw(stack: Stack) -> None:
    at = dt.datetime.combine(LAST, dt.time(9), ZONE_INFO)
    owner = stack._postgres.conninfo(stack.settings().postgres.dbname)
    captured = "sales.customers, sales.products, sales.orders, sales.order_items, sales.dbz_signal, sales.dbz_heartbeat"
    stack.stop_service("shop")  # what it changed meanwhile would be lost to the stream, too
    with psycopg.connect(owner, autocommit=True) as shop:
        shop.execute("ALTER PUBLICATION dbz_publication DROP TABLE sales.orders, sales.order_items")
        shop.execute("INSERT INTO sales.orders VALUES ('hidden', 1, 'shipped', 'EUR', NULL, NULL, %s)", (at,))
        shop.execute("INSERT INTO sales.order_items VALUES ('hidden', 1, 1, 2, 12.50, 0, 5)")
        shop.execute(f"ALTER PUBLICATION dbz_publication SET TABLE {captured}")
    stack.start_service("shop")
    lake, settings = Lake(stack.settings().lake), stack.settings()
    with pymongo.MongoClient[dict[str, Any]](settings.mongo.uri) as client:
        document = {"visitor_id": "v-hidden", "event_type": "view", "page": "/", "device": "mobile", "occurred_at": at}
        client[settings.mongo.database].clickstream.insert_one({"_id": "hidden", **document})
    wait(lambda: lake.newest(CLICKSTREAM, where="event_id = 'hidden'").num_rows)
    gone = lake.delta(CLICKSTREAM).delete("event_id = 'hidden'")
    assert gone["num_deleted_rows"] == 1
    found = backfill(stack, (FCT_SALES, CLICKSTREAM), "--source", "database")
    mine = {r["table"]: r for r in found if r["day"] == str(LAST)}
    assert mine["fct_sales"]["changed"] >= 1
    assert mine["clickstream"]["changed"] >= 1
    assert lake.newest(FCT_SALES, where="order_id = 'hidden' AND line_no = 1").to_pylist()[0]["status"] == "shipped"
    assert lake.newest(CLICKSTREAM, where="event_id = 'hidden'").num_rows == 1
    assert changed(backfill(stack, (FCT_SALES, CLICKSTREAM), "--source", "database")) == 0


def test_what_cannot_be_asked_is_refused_and_what_may_pass_says_so(stack: Stack) -> None:
    for args, code, text in (
        (("--table", "fct_sales", "--from", str(LAST), "--to", str(TODAY + dt.timedelta(days=1))), 2, "is not over"),
        (("--table", "fct_sales", "--from", str(LAST), "--to", str(FIRST)), 2, "is after"),
        (("--table", "orders", "--from", str(LAST), "--to", str(LAST)), 2, "cannot be backfilled"),
        (("--table", "sentiments", "--from", str(LAST), "--to", str(LAST), "--source", "database"), 2, "no database"),
        (("--table", "fct_sales", "--from", str(LAST), "--to", str(LAST), "--source", "files"), 2, "--files"),
    ):
        done = in_process.c360("backfill", *args, "--state", str(stack.state.root))
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
        assert "hint: " in done.stderr
    stack.stop_service("registry")
    try:
        assert c360(stack, "backfill", "--table", "fct_sales", "--from", str(LAST), "--to", str(LAST)).returncode == 75
    finally:
        stack.start_service("registry")


def test_in_the_end_all_stages_are_equal_and_the_streams_offsets_were_never_moved(stack: Stack) -> None:
    """The warehouse got rows twice where somebody's delete wrote files anew: its own backfill repairs that, as it would in earnest."""
    lake, settings = Lake(stack.settings().lake), stack.settings()
    stack.stop_service("shop")
    Drain(settings).wait()
    ends = [offsets(row["offsets"]) for row in lake.batches()]
    for earlier, later in itertools.pairwise(ends):
        assert all(later[t][p] >= end for t, parts in earlier.items() for p, end in parts.items())
    assert ends[-1][BACKFILL.name][0] >= 1
    done = c360(stack, "warehouse", "backfill")
    assert done.returncode == 0, done.stderr
    result = Reconciler(settings).run()
    found = [t for t in result.tables if not t.table.startswith("fct_sales move")]  # a log with holes implies other moves than were made
    assert [d.text() for t in found for d in t.differences][:20] == []
    assert result.broken == []
