"""The short demo as a user runs it: everything starts, a service is killed, all stages end equal, and a planted difference is named."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
from confluent_kafka import Producer

from commerce360.lake import Lake
from commerce360.local import SERVICES
from commerce360.local.process import Identity, tree
from commerce360.local.stack import settings_of_running
from commerce360.local.state import SECRETS, State
from commerce360.reconcile import topics
from commerce360.settings import Settings
from producers.ledger import Ledger
from schemas.tables import DIM_PRODUCT
from schemas.topics import CUSTOMERS, ORDERS, REVIEWS
from warehouse.client import Client

# In the background of a shell SIGINT is ignored, by us and by what we start.
INTERRUPT = signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT
pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]
REPORT_KEYS = {"equal", "lost", "doubled", "rejected", "looks", "tables", "freshness_s", "memory_mb", "seconds", "versions"}
TABLES = {
    "customers",
    "products",
    "orders",
    "order_items",
    "order_events",
    "dim_customer",
    "dim_product",
    "fct_sales",
    "clickstream",
    "reviews",
    "fct_sales targets",
    "fct_sales_moves",
    "fct_sales moved",
    "inferred customers",
    "dim_date",
    "dim_holiday",
    "dead_letters",
    "gold.fct_sales",
    "silver.reviews",
    "silver.sentiments",
    "dim_campaign",
    "fct_page_events",
    "fct_sessions",
    "fct_reviews",
    "mart_customer_360",
    "mart_funnel",
    "mart_attribution",
    "mart_product_pulse",
    "mart_revenue_minute",
}


def c360(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commerce360.cli.main", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=900, **more)


class Demo:
    """`c360 demo --keep` in its own process."""

    def __init__(self, root: Path) -> None:
        self.state, self.file, self.output = root / "state", root / "report.json", root / "output.txt"
        options = ["--seconds", "20", "--rate", "40", "--chaos", "loader", "--keep", "--json", str(self.file), "--state", str(self.state)]
        with self.output.open("wb") as out:
            command = [sys.executable, "-m", "commerce360.cli.main", "demo", *options]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + 1200
        while not self.file.exists():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.5)
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    @property
    def settings(self) -> Settings:
        return settings_of_running(self.state)

    def processes(self) -> dict[str, list[psutil.Process]]:
        found = {name: Identity.load(self.state / "run" / f"{name}.pid") for name in SERVICES}
        return {name: [p for p in tree(i) if p.status() != psutil.STATUS_ZOMBIE] for name, i in found.items() if i}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo")
    root.chmod(0o755)  # PostgreSQL runs as another account when we are root
    root.parent.chmod(0o755)
    demo = Demo(root)
    try:
        yield demo
    finally:
        demo.process.terminate()
        demo.process.wait(120)


@pytest.fixture(scope="module")
def report(demo: Demo) -> dict[str, Any]:
    return demo.wait()


def test_every_stage_holds_the_same_after_a_kill(demo: Demo, report: dict[str, Any]) -> None:
    assert report["equal"], demo.output.read_text()
    assert (report["lost"], report["doubled"], report["changed"]) == (0, 0, 0)
    assert report.keys() >= REPORT_KEYS
    assert report["tables"].keys() >= TABLES
    assert report["chaos"]["service"] == "loader"
    assert report["traffic"]["orders_acked"] > 100
    for name in ("dim_customer", "fct_sales"):
        stages = report["tables"][name]["stages"]
        assert {"topic", "bronze", "gold", "warehouse"} <= stages.keys()
        assert len({(s["count"], s["hash"]) for s in stages.values()}) == 1
    for name in ("fct_sessions", "fct_reviews", "mart_customer_360", "mart_funnel", "mart_attribution", "mart_product_pulse"):
        counts = {stage: s["count"] for stage, s in report["tables"][name]["stages"].items()}
        assert counts.keys() == {"recomputed", "gold", "warehouse"}
        assert min(counts.values()) > 0


def test_the_report_says_how_late_and_how_large(report: dict[str, Any]) -> None:
    for hop in ("kafka", "gold", "warehouse"):
        late = report["freshness_s"][hop]
        assert 0 <= late["p50"] <= late["p90"] <= late["p99"] <= late["max"]
    assert set(report["memory_mb"]) == set(SERVICES)
    assert {"set_up", "start", "first_gold_row", "drain", "total"} <= report["seconds"].keys()
    assert {"kafka", "debezium", "pyspark", "java"} <= report["versions"].keys()


def test_the_page_is_there(demo: Demo, report: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{demo.settings.page.port}"
    assert f"live page: {url}/" in demo.output.read_text()
    assert "<title>" in requests.get(f"{url}/", timeout=10).text
    view = requests.get(f"{url}/api/view", timeout=10).json()
    assert [s["id"] for s in view["stages"]] == ["sources", "kafka", "lake", "warehouse"]
    assert view["orders"]


def test_only_loopback_is_bound_and_no_secret_is_an_argument(demo: Demo, report: dict[str, Any]) -> None:
    running = demo.processes()
    assert set(running) == set(SERVICES) - {"shop"}  # its traffic has ended
    said, listening = "", set[str]()
    for process in (p for found in running.values() for p in found):
        with contextlib.suppress(psutil.NoSuchProcess):  # PostgreSQL's workers come and go
            said += " ".join(process.cmdline())
            listening |= {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}
    state = State.open(demo.state, running=True)
    secrets = [state.secret(name) for name in SECRETS]
    said += demo.output.read_text()
    said += "".join(p.read_text(errors="replace") for p in (demo.state / "logs").iterdir())
    assert not [name for name, secret in zip(SECRETS, secrets, strict=True) if secret in said]


def test_status_tells_what_runs(demo: Demo, report: dict[str, Any]) -> None:
    done = c360("status", "--state", str(demo.state), "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["phase"] == "running"
    assert found["services"]["loader"]["restarts"] == 1


def test_deleted_lines_and_records_that_nobody_can_use_leave_all_stages_equal(demo: Demo, report: dict[str, Any], tmp_path: Path) -> None:
    settings = demo.settings
    announced = [e["order_id"] for e in Ledger.read(settings.state / "ledger").acked.values()]
    with psycopg.connect(settings.postgres.conninfo()) as connection:
        found = "SELECT order_id FROM sales.order_items WHERE line_no = 2 AND order_id = ANY(%s) LIMIT 1"
        deleted = connection.execute(f"DELETE FROM sales.order_items WHERE line_no = 2 AND order_id = ({found})", (announced,))
        assert deleted.rowcount == 1
        connection.execute("INSERT INTO sales.orders VALUES ('late', 999999, 'placed', 'EUR', NULL, NULL, now())")
        connection.execute("INSERT INTO sales.order_items VALUES ('late', 1, 1, 1, 2.50, 0, NULL)")
    other = next(topics.read_all(settings.kafka, [ORDERS.name]))
    producer = Producer(settings.kafka.client())
    for topic in (CUSTOMERS.name, REVIEWS.name):
        producer.produce(topic, key=b"k", value=b"garbage")
        producer.produce(topic, key=other.key, value=other.value)  # a good record of another topic
    assert producer.flush(20) == 0
    done = c360("reconcile", "--state", str(demo.state), "--json", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["rejected_by_reason"] == {"bad_magic": 2, "null_key": 1, "undecodable": 1}
    counts = {name: {s["count"] for s in result["tables"][name]["stages"].values()} for name in ("dead_letters", "inferred customers")}
    assert counts == {"dead_letters": {4}, "inferred customers": {1}}


@pytest.mark.long
def test_sales_that_moved_are_told_in_the_lake_and_in_the_warehouse(demo: Demo, report: dict[str, Any], tmp_path: Path) -> None:
    settings = demo.settings
    with psycopg.connect(settings.postgres.conninfo()) as connection:
        connection.execute("INSERT INTO sales.orders VALUES ('early', 888888, 'placed', 'EUR', NULL, NULL, now())")
        connection.execute("INSERT INTO sales.order_items VALUES ('early', 1, 1, 1, 2.50, 0, NULL)")
    with Client(settings.warehouse) as client:
        deadline = time.monotonic() + 180
        while not client.query("SELECT 1 AS N FROM CORE.FCT_SALES WHERE ORDER_ID = 'early'"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    with psycopg.connect(settings.postgres.conninfo()) as connection:
        connection.execute("INSERT INTO sales.customers (customer_id, full_name, tier) VALUES (888888, 'Ada', 'gold')")
        connection.execute("UPDATE sales.orders SET ordered_at = '2020-01-01Z' WHERE order_id = 'late'")
    done = c360("reconcile", "--state", str(demo.state), "--json", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "result.json").read_text())["tables"]
    with Client(settings.warehouse) as client:
        told = [(r["order_id"], r["to_match"], r["cause"]) for r in client.query("SELECT * FROM CORE.FCT_SALES_MOVES")]
    assert {s["count"] for s in found["fct_sales_moves"]["stages"].values()} == {len(told)}
    ours = sorted(row for row in told if row[0] in ("early", "late"))  # an order may overtake its customer in the demo as well
    assert ours == [("early", "early", "dimension"), ("late", "early", "fact")]


def test_a_value_changed_in_the_warehouse_is_named(demo: Demo, report: dict[str, Any]) -> None:
    with Client(demo.settings.warehouse) as client:
        row = client.query("SELECT * FROM CORE.DIM_CUSTOMER WHERE IS_CURRENT AND NOT IS_INFERRED AND CITY IS NOT NULL LIMIT 1")[0]
        where = f"WHERE CUSTOMER_ID = {row['customer_id']} AND SEQ_POS = {row['seq_pos']} AND SEQ_ORD = {row['seq_ord']}"
        client.query(f"UPDATE RAW.DIM_CUSTOMER SET CITY = 'Nowhere' {where}")
        try:
            done = c360("reconcile", "--state", str(demo.state))
        finally:
            client.query(f"UPDATE RAW.DIM_CUSTOMER SET CITY = %s {where}", (row["city"],))
    assert done.returncode == 1
    said = [line for line in done.stdout.splitlines() if "Nowhere" in line]
    assert any("dim_customer" in line and f"{row['customer_id']}/" in line and "changed in warehouse" in line for line in said), done.stdout
    assert "1 lost" not in done.stdout


@pytest.mark.long
def test_a_value_changed_in_gold_is_named(demo: Demo, report: dict[str, Any]) -> None:
    """By a commit that is not the lake job's. The warehouse never sees it: no complete batch has that version."""
    lake = Lake(demo.settings.lake)
    row = lake.newest(DIM_PRODUCT, where="is_visible AND is_current").to_pylist()[0]
    lake.append(DIM_PRODUCT, [{**row, "category": "Forged", "batch_id": row["batch_id"] + 1_000_000}], "by hand", -1)
    done = c360("reconcile", "--state", str(demo.state))
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if "dim_product" in line and f"{row['product_id']}/" in line and "in gold" in line]


def test_ctrl_c_ends_everything(demo: Demo, report: dict[str, Any]) -> None:
    processes = [p for found in demo.processes().values() for p in found]
    demo.process.send_signal(INTERRUPT)
    assert demo.process.wait(120) == 0  # the report was equal
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert c360("status", "--state", str(demo.state)).returncode == 3


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    done = c360("demo", "--state", str(tmp_path), env={**os.environ})
    assert done.returncode == 2
    assert "was not made by the demo" in done.stderr
    assert (tmp_path / "precious.txt").exists()
