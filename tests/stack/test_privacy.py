"""A customer who shopped, changed, and wrote a review is erased: no store has a word of theirs, and all numbers are as before."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pymongo
import pytest
from confluent_kafka import Producer
from local_ports import new_state

from commerce360 import metrics
from commerce360.lake import Lake
from commerce360.local.stack import settings_of_running
from commerce360.settings import Settings
from schemas.tables import DEAD_LETTERS
from schemas.topics import REVIEWS
from warehouse.client import Client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
ID = 4711
CANARIES = ("canary.bird@tweet.example", "Kanarie Gélb", "Canaryville", "Vögelein sang so gelb", "4917155512345")
SHOP = {"customers": 30, "products": 8, "past_orders": 20, "past_clicks": 60, "past_reviews": 6}
TOTALS = """SELECT (SELECT COUNT(*) FROM CORE.DIM_CUSTOMER WHERE CUSTOMER_ID = 4711) AS VERSIONS,
    (SELECT SUM(SALE_AMOUNT) FROM CORE.FCT_SALES WHERE CUSTOMER_ID = 4711) AS SOLD,
    (SELECT LIFETIME_VALUE FROM MART.MART_CUSTOMER_360 WHERE CUSTOMER_ID = 4711) AS WORTH,
    (SELECT SESSIONS FROM MART.MART_CUSTOMER_360 WHERE CUSTOMER_ID = 4711) AS SESSIONS"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a stack that `c360 up` runs, with traffic."""
    root = tmp_path_factory.mktemp("privacy")
    root.chmod(0o755)  # PostgreSQL runs as another account when we are root
    root.parent.chmod(0o755)
    state = new_state(root / "state")
    environment = {**os.environ, **{f"C360_SHOP__{name.upper()}": str(value) for name, value in SHOP.items()}}
    command = [sys.executable, "-m", "commerce360.cli.main"]
    try:
        up = [*command, "up", "--rate", "4", "--state", str(state)]
        done = subprocess.run(up, env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        wait(lambda: bool(metrics.read(state, "shop")))  # it has its customers now, and makes no traffic for others
        yield settings_of_running(state)
    finally:
        subprocess.run([*command, "down", "--state", str(state)], capture_output=True, check=False, timeout=200)


def c360(settings: Settings, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commerce360.cli.main", *args, "--state", str(settings.state)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=600)


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    with Client(settings.warehouse) as client:
        return client.query(sql)


def wait(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture(scope="module")
def person(settings: Settings) -> Settings:
    """They are in the warehouse, with three versions, an order, a visit and a scored review that was edited."""
    now = dt.datetime.now(dt.UTC)
    email, name, city, words, phone = CANARIES
    with psycopg.connect(settings.postgres.conninfo(), autocommit=True) as shop:
        shop.execute(
            "INSERT INTO sales.customers (customer_id, email, full_name, city, country) VALUES (%s, %s, %s, 'Home', 'DE')",
            (ID, email, name),
        )
        shop.execute("UPDATE sales.customers SET city = %s WHERE customer_id = %s", (city, ID))
        shop.execute("ALTER TABLE sales.customers ADD COLUMN phone BIGINT")  # one that no contract knows
        shop.execute("UPDATE sales.customers SET tier = 'gold', phone = %s WHERE customer_id = %s", (int(phone), ID))
        shop.execute("INSERT INTO sales.orders VALUES ('canary', %s, 'paid', 'EUR', NULL, 'v-canary', %s)", (ID, now))
        shop.execute("INSERT INTO sales.order_items VALUES ('canary', 1, 1, 2, 12.50, 0, 5)")
    with pymongo.MongoClient[dict[str, Any]](settings.mongo.uri) as client:
        web = client[settings.mongo.database]
        click = {
            "session_id": "s",
            "visitor_id": "v-canary",
            "customer_id": ID,
            "event_type": "view",
            "product_id": 1,
            "page": "/product/1",
        }
        web.clickstream.insert_one({"_id": "c-canary", **click, "device": "mobile", "campaign_id": None, "occurred_at": now})
        said = {"product_id": 1, "customer_id": ID, "rating": 4, "language": "de", "reviewed_at": now}
        web.reviews.insert_one({"_id": "r-canary", **said, "title": words, "body": f"{words}, und {name} freut sich."})
        web.reviews.update_one({"_id": "r-canary"}, {"$set": {"body": f"{words}: {email}"}})
    producer = Producer(settings.kafka.client())  # records that nobody can decode, of theirs and of somebody else
    for payload in (f"\0\0\0\0\x63 {name}, {city}", f"\0\0\0\0\x63 a poster of {city}"):
        producer.produce(REVIEWS.name, payload.encode())
    assert producer.flush(20) == 0
    wait(lambda: bool(ask(settings, "SELECT 1 AS N FROM CORE.FCT_REVIEWS WHERE REVIEW_ID = 'r-canary' AND SENTIMENT IS NOT NULL")))
    wait(lambda: ask(settings, TOTALS)[0]["versions"] == 3 and ask(settings, TOTALS)[0]["sold"] is not None)
    return settings


def test_a_person_is_found_where_they_are_and_not_erased_while_the_shop_has_them(person: Settings) -> None:
    done = c360(person, "privacy", "find", *CANARIES, "--json")
    assert done.returncode == 1, done.stderr
    places = json.loads(done.stdout)
    assert {
        "shop: sales.customers", "shop: reviews", "kafka: oltp.sales.customers", "kafka: web.shop.reviews", "lake: bronze/records",
        "lake: gold/dim_customer", "lake: silver/reviews", "lake: gold/fct_reviews", "warehouse: RAW.DIM_CUSTOMER",
        "warehouse: RAW.FCT_REVIEWS",
    } <= places.keys()  # fmt: skip
    refused = c360(person, "privacy", "erase", "--customer", str(ID), "--yes")
    assert refused.returncode == 2
    assert "the shop still has customer 4711" in refused.stderr


def killed(settings: Settings, delay_s: float) -> int:
    """The exit code of an erasure that is killed so long after it began to rewrite: 0 if it was faster."""
    command = [sys.executable, "-m", "commerce360.cli.main", "privacy", "erase", "--customer", str(ID), "--yes"]
    journal = settings.state / "run" / "privacy.json"
    with subprocess.Popen([*command, "--state", str(settings.state)], stdin=subprocess.DEVNULL) as process:
        seen = time.monotonic() + 400
        while not journal.exists() and process.poll() is None:
            assert time.monotonic() < seen
            time.sleep(0.01)
        time.sleep(delay_s)
        process.kill()
    return process.returncode


def test_nothing_of_them_is_found_and_every_total_stays(person: Settings) -> None:
    with psycopg.connect(person.postgres.conninfo(), autocommit=True) as shop:
        shop.execute("DELETE FROM sales.customers WHERE customer_id = %s", (ID,))
    with pymongo.MongoClient[dict[str, Any]](person.mongo.uri) as client:
        client[person.mongo.database].reviews.delete_many({"customer_id": ID})
    gone = "SELECT 1 AS N FROM MART.MART_CUSTOMER_360 WHERE CUSTOMER_ID = 4711 AND NOT IS_KNOWN AND REVIEWS = 0"
    wait(lambda: bool(ask(person, gone)))
    before = ask(person, TOTALS)[0]
    assert before == {"versions": 3, "sold": Decimal("25.00"), "worth": Decimal("25.00"), "sessions": 1}
    assert killed(person, 0.3) == -signal.SIGKILL
    done = c360(person, "privacy", "erase", "--customer", str(ID), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (person.state / "run" / "privacy.json").exists()
    others = [row["value"] for row in Lake(person.lake).newest(DEAD_LETTERS).to_pylist()]
    assert others.count(f"\0\0\0\0\x63 a poster of {CANARIES[2]}".encode()) == 1, "what is not theirs stays"
    found = c360(person, "privacy", "find", *(c for c in CANARIES if c != CANARIES[2]))
    assert (found.returncode, found.stdout) == (0, "nowhere\n"), found.stderr
    assert ask(person, TOTALS)[0] == before
    names = ask(person, "SELECT DISTINCT FULL_NAME AS NAME FROM CORE.DIM_CUSTOMER WHERE CUSTOMER_ID = 4711")
    assert names
    assert all(row["name"].startswith("erased:") for row in names)


def test_all_stages_are_equal_after_it(person: Settings) -> None:
    done = c360(person, "reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
