"""A whole stack whose lake is at an abfss:// address: Spark by Hadoop's own driver, all else by delta-rs, on Azurite with TLS."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from load_checks import wait
from local_ports import new_state

from commerce360.backfill.days import ZONE_INFO, bounds
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.local.bootstrap import azurite
from commerce360.local.stack import Stack
from commerce360.local.state import State
from commerce360.reconcile.drain import Drain
from commerce360.reconcile.run import Reconciler
from schemas.tables import FCT_SALES
from stream_jobs.values import literal

pytestmark = [pytest.mark.adls, pytest.mark.timeout(900)]
SHOP = {
    "customers": 60,
    "products": 12,
    "past_orders": 400,
    "past_clicks": 100,
    "past_reviews": 20,
    "orders_per_s": 5.0,
    "clicks_per_s": 5.0,
}
DAYS = 14


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not azurite.is_installed():
        pytest.skip("Azurite is not installed: run `make test-adls`")
    root = new_state(tmp_path_factory.mktemp("adls") / "state", lake="adls")
    stack = Stack.open(root, shop=SHOP)
    try:
        stack.start(traffic=True)
        lake = Lake(stack.settings().lake)
        wait(lambda: (found := lake.last_batch()) and found["batch_id"] > 1, 240)
        yield stack
    finally:
        stack.stop()


def drained(stack: Stack) -> None:
    stack.stop_service("shop")
    Drain(stack.settings()).wait()


def c360(stack: Stack, *args: str) -> str:
    command = [sys.executable, "-m", "commerce360.cli.main", *args, "--state", str(stack.state.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_lost_or_doubled_when_the_lake_job_is_killed_twice(stack: Stack):
    lake = Lake(stack.settings().lake)
    assert lake.settings.root.startswith("abfss://")
    for _ in range(2):
        before = lake.last_batch()["batch_id"]
        stack.kill("lake", signal.SIGKILL)
        wait(lambda before=before: lake.last_batch()["batch_id"] > before, 240)
    assert stack.restart_count("lake") == 2
    drained(stack)
    assert Reconciler(stack.settings()).run().equal
    stack.start_service("shop")


def test_days_that_were_lost_are_repaired_beside_live_traffic(stack: Stack):
    lake, today = Lake(stack.settings().lake), dt.datetime.now(ZONE_INFO).date()
    first, last = today - dt.timedelta(days=DAYS), today - dt.timedelta(days=1)
    begin, end = bounds([first, last])
    gone = f"ordered_at >= {literal(begin)} AND ordered_at < {literal(end)}"
    lost = int(lake.delta(FCT_SALES).delete(gone)["num_deleted_rows"])
    assert lost > 0
    told = c360(stack, "backfill", "--table", "fct_sales", "--from", str(first), "--to", str(last), "--json")
    assert sum(json.loads(line)["changed"] for line in told.splitlines()) > 0
    drained(stack)
    c360(stack, "warehouse", "backfill")  # the delete wrote files anew, and their rows came twice
    result = Reconciler(stack.settings()).run()
    found = [t for t in result.tables if not t.table.startswith("fct_sales move")]  # a log with holes implies other moves than were made
    assert [d.text() for t in found for d in t.differences][:20] == []
    assert result.broken == []


def test_the_lake_of_a_state_stays_where_it_is(stack: Stack):
    with pytest.raises(ConfigError, match="is on adls, not on files"):
        State.open(stack.state.root, running=True, lake="files")
