"""From the shop's stores to Kafka on real servers: every change once, whatever is killed, and nothing is left behind."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pymongo
import pytest
import requests
from local_ports import new_state
from pymongo.errors import DuplicateKeyError, PyMongoError
from topic_records import Change, Topics

from commerce360.errors import ConfigError
from commerce360.local import claim
from commerce360.local.process import Identity
from commerce360.local.stack import INGEST, Stack
from commerce360.local.state import SECRETS
from connect_configs.client import Connect
from connect_configs.files import configurations
from connect_configs.http import Access

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SHOP = {"customers": 60, "products": 10, "past_orders": 40, "past_clicks": 30, "past_reviews": 20}
SUPERVISOR = """
import sys, time
from pathlib import Path
from commerce360.local.stack import INGEST, Stack
stack = Stack.open(Path(sys.argv[1]))
stack._watch()
for name in sys.argv[2:]:
    stack.supervisor.start(name)
for name in sys.argv[2:]:
    stack.wait_ready(name)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = new_state(tmp_path_factory.mktemp("ingest") / "state")
    stack = Stack.open(root, shop=SHOP)
    try:
        stack.start(services=INGEST)
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def read(stack: Stack) -> Topics:
    return Topics(stack.settings())


@pytest.fixture
def shop(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(stack.settings().postgres.conninfo(), autocommit=True) as connection:
        yield connection


def op(change: Change) -> str:
    return "tombstone" if change.value is None else str(change.value["op"])


def test_rows_that_were_there_before_debezium_are_read_once(stack: Stack, read: Topics, shop: psycopg.Connection[Any]) -> None:
    for table, key in (("customers", "customer_id"), ("orders", "order_id")):
        rows = {row[0] for row in shop.execute(f"SELECT {key} FROM sales.{table}").fetchall()}  # type: ignore[call-overload]
        found = read.read(f"oltp.sales.{table}")  # at once: the start had waited for them
        assert Counter(c.key[key] for c in found) == Counter(rows)
        assert {op(c) for c in found} == {"r"}
    read.wait("web.shop.reviews", lambda found: len(found) == SHOP["past_reviews"])


def test_changes_of_a_row_arrive_with_what_was_before(read: Topics, shop: psycopg.Connection[Any]) -> None:
    shop.execute("INSERT INTO sales.customers (customer_id, full_name, city, last_login_at) VALUES (9001, 'Ada', 'Rome', '2026-01-02Z')")
    shop.execute("UPDATE sales.customers SET city = 'Oslo', tier = 'gold' WHERE customer_id = 9001")
    shop.execute("UPDATE sales.customers SET customer_id = 9002 WHERE customer_id = 9001")
    shop.execute("DELETE FROM sales.customers WHERE customer_id = 9002")

    def mine(found: list[Change], key: int) -> list[Change]:
        return [c for c in found if c.key["customer_id"] == key]

    found = read.wait("oltp.sales.customers", lambda found: len(mine(found, 9002)) >= 3)
    assert [op(c) for c in mine(found, 9001)] == ["c", "u", "d", "tombstone"]
    assert [op(c) for c in mine(found, 9002)] == ["c", "d", "tombstone"]
    update = mine(found, 9001)[1].value
    assert (update["before"]["city"], update["after"]["city"], update["after"]["tier"]) == ("Rome", "Oslo", "gold")
    assert mine(found, 9001)[0].value["after"]["last_login_at"].startswith("2026-01-02T00:00:00")
    assert "__debezium.newkey" in mine(found, 9001)[2].headers
    assert mine(found, 9002)[1].value["before"]["full_name"] == "Ada"


def test_a_null_stays_null_where_the_column_has_a_default(read: Topics, shop: psycopg.Connection[Any]) -> None:
    """And the registry takes the schema with the new column, as its compatibility was set by us."""
    shop.execute("ALTER TABLE sales.products ADD COLUMN IF NOT EXISTS note text DEFAULT 'none', ADD COLUMN IF NOT EXISTS age int DEFAULT 7")
    shop.execute("INSERT INTO sales.products (product_id, sku, name, category, price, note) VALUES (9001, 's', 'n', 'c', 10.50, NULL)")
    found = read.wait("oltp.sales.products", lambda found: any(c.key["product_id"] == 9001 for c in found))
    (row,) = [c.value["after"] for c in found if c.key["product_id"] == 9001]
    assert (row["note"], row["age"], row["price"], row["cost"]) == (None, 7, "10.50", None)
    shop.execute("ALTER TABLE sales.products DROP COLUMN note, DROP COLUMN age")
    shop.execute("UPDATE sales.products SET price = 11 WHERE product_id = 9001")
    found = read.wait("oltp.sales.products", lambda found: sum(c.key["product_id"] == 9001 for c in found) == 2)
    assert "note" not in found[-1].value["after"] or found[-1].value["after"]["note"] is None


def test_documents_arrive_under_their_key(stack: Stack, read: Topics) -> None:
    settings = stack.settings()
    with pymongo.MongoClient[dict[str, Any]](settings.mongo.uri) as client:
        reviews = client[settings.mongo.database]["reviews"]
        reviews.insert_one({"_id": "r-1", "rating": 3, "reviewed_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)})
        reviews.update_one({"_id": "r-1"}, {"$set": {"rating": 5}})
        reviews.delete_one({"_id": "r-1"})

    def mine(found: list[Change]) -> list[Change]:
        return [c for c in found if json.loads(c.key["documentKey"]) == {"_id": "r-1"}]

    found = mine(read.wait("web.shop.reviews", lambda found: len(mine(found)) >= 3))
    assert [c.value["operationType"] for c in found] == ["insert", "update", "delete"]
    assert json.loads(found[0].value["fullDocument"])["rating"] == 3


def test_no_secret_leaves_its_file(stack: Stack) -> None:
    secrets = [stack.state.secret(name) for name in SECRETS]
    url = stack.settings().connect.url
    parts = [f"{name}{part}" for name in configurations() for part in ("", "/config")]
    http = stack.settings().connect.http()
    assert requests.get(f"{url}/connectors", timeout=20).status_code == 401
    shown = "".join(requests.get(f"{url}/connectors/{part}", timeout=20, **http).text for part in parts)
    logs = "".join(path.read_text(errors="replace") for path in (stack.state.root / "logs").iterdir())
    arguments = " ".join(" ".join(psutil.Process(pid).cmdline()) for name in INGEST for pid in stack.pids(name))
    for place in (shown, logs, arguments):
        assert place
        assert not any(secret in place for secret in secrets)


def test_only_loopback_addresses_are_bound(stack: Stack) -> None:
    listening = [
        c.laddr.ip
        for name in INGEST
        for pid in stack.pids(name)
        for c in psutil.Process(pid).net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(INGEST)
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


def test_a_second_supervisor_is_refused(stack: Stack) -> None:
    with pytest.raises(ConfigError, match="running already"):
        Stack.open(stack.state.root)
    assert claim.supervisor(stack.state.root) == Identity.of(os.getpid())  # whom `c360 status` and `c360 down` ask for


def test_nothing_is_lost_or_doubled_when_any_server_is_killed(stack: Stack, read: Topics) -> None:
    """Writers go on, and try again what was refused, while each server is killed in turn."""
    writing, documents, rows = threading.Event(), [], []
    writers = [
        threading.Thread(target=_insert_rows, args=(stack, writing, rows)),
        threading.Thread(target=_insert_documents, args=(stack, writing, documents)),
    ]
    for writer in writers:
        writer.start()
    try:
        for name in INGEST:
            time.sleep(1.0)
            before = stack.restart_count(name)
            killed = stack.kill(name, signal.SIGKILL)
            deadline = time.monotonic() + 180
            while stack.restart_count(name) == before and time.monotonic() < deadline:
                time.sleep(0.05)
            stack.wait_ready(name)
            assert stack.pids(name)[0] != killed
        time.sleep(1.0)
    finally:
        writing.set()
        for writer in writers:
            writer.join()
    assert len(rows) > 20
    assert len(documents) > 20

    def lives(found: list[Change]) -> Counter[str]:
        return Counter(c.key["order_id"] for c in found if c.key["order_id"].startswith("k-") and op(c) == "c")

    def inserted(found: list[Change]) -> Counter[str]:
        keys = (json.loads(c.key["documentKey"])["_id"] for c in found if c.value["operationType"] == "insert")
        return Counter(key for key in keys if str(key).startswith("k-"))

    assert lives(read.wait("oltp.sales.orders", lambda found: len(lives(found)) >= len(rows))) == Counter(rows)
    assert inserted(read.wait("web.shop.clickstream", lambda found: len(inserted(found)) >= len(documents))) == Counter(documents)


def test_a_second_start_on_kept_state_deploys_and_reads_nothing_again(stack: Stack, read: Topics, tmp_path: Path) -> None:
    settings, before = stack.settings(), len(read.read("oltp.sales.customers"))
    pids = [pid for name in INGEST for pid in stack.pids(name)]
    deployed = requests.get(f"{settings.connect.url}/connectors/oltp-postgres/config", timeout=20, **settings.connect.http()).json()
    stack.stop()
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert list((stack.state.root / "run").glob("*.pid")) == []
    again = Stack.open(stack.state.root, shop=SHOP)
    try:
        again.start(services=INGEST)
        assert again.settings().kafka == settings.kafka  # its ports were free again
        client = Connect(again.settings().connect.url, access=Access.of(again.settings().connect))
        assert client.config("oltp-postgres") == {k: v for k, v in deployed.items() if k != "name"}
        assert not any(client.deploy(name, config) for name, config in configurations().items())
        with psycopg.connect(again.settings().postgres.conninfo()) as shop:
            shop.execute("INSERT INTO sales.customers (customer_id, full_name) VALUES (9100, 'Eve')")
        found = Topics(again.settings()).wait("oltp.sales.customers", lambda found: any(c.key["customer_id"] == 9100 for c in found))
        assert len(found) == before + 1
    finally:
        again.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    root, servers = new_state(tmp_path / "state"), ("postgres", "mongo", "kafka")
    parent = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(root), *servers], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    try:
        assert parent.stdout.readline().strip() == "up"
        left = [found for name in servers if (i := Identity.load(root / "run" / f"{name}.pid")) and (found := i.process())]
        left += [child for process in left for child in process.children(recursive=True)]
        assert len(left) > len(servers)  # PostgreSQL's own children among them
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(left, timeout=10)
    assert [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert claim.supervisor(root) is None
    assert Stack.end_leftovers(root) == 0
    assert list((root / "run").glob("*.pid")) == []


def _insert_rows(stack: Stack, stop: threading.Event, done: list[str]) -> None:
    """One order a transaction; one whose answer was lost is written again under its key, which finds out."""
    insert = "INSERT INTO sales.orders (order_id, customer_id, status, ordered_at) VALUES (%s, 1, 'placed', now()) ON CONFLICT DO NOTHING"
    while not stop.is_set():
        try:
            with psycopg.connect(stack.settings().postgres.conninfo(), autocommit=True, connect_timeout=3) as shop:
                while not stop.is_set():
                    key = f"k-{len(done)}"
                    shop.execute(insert, (key,))
                    done.append(key)
                    time.sleep(0.05)
        except psycopg.OperationalError:
            time.sleep(0.2)


def _insert_documents(stack: Stack, stop: threading.Event, done: list[str]) -> None:
    settings = stack.settings()
    while not stop.is_set():
        try:
            with pymongo.MongoClient[dict[str, Any]](settings.mongo.uri, serverSelectionTimeoutMS=3000) as client:
                clicks = client[settings.mongo.database]["clickstream"]
                while not stop.is_set():
                    key = f"k-{len(done)}"
                    with contextlib.suppress(DuplicateKeyError):  # then the answer that was lost was a yes
                        clicks.insert_one({"_id": key, "event_type": "view", "occurred_at": dt.datetime.now(dt.UTC)})
                    done.append(key)
                    time.sleep(0.05)
        except PyMongoError:
            time.sleep(0.2)
