"""The view "Customer 360" without a browser: who is found, what a timeline leaves out, and how long anybody waits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boards import batch_row, version
from starlette.testclient import TestClient

from bi.dashboard import customers
from bi.dashboard.app import make_app
from bi.dashboard.board import Board
from bi.dashboard.customers import OF_A_KIND, TIMELINE, Customers, newest
from bi.dashboard.live import Live
from bi.dashboard.paths import Paths
from bi.dashboard.warehouse import OrderCheck
from bi.queries import sql
from commerce360.settings import Lake, Page, Warehouse
from schemas.marts import MART_CUSTOMER_360
from schemas.tables import BATCHES, DIM_CUSTOMER, Table
from warehouse import ddl

Search = Callable[[int | None, str], list[tuple[Any, ...]]]
# customer: lifetime value; 8 and 9 have no current version
WORTH = {5: "10.00", 6: "9000.00", 7: "8000.00", 8: "500.00", 9: "400.00"}
LATEST = {5: ("Ines Roth", "ines@example.org"), 6: ("Five Fives", "5555@example.org"), 7: ("A. Wójcik", "w15@example.org")}


@pytest.fixture(scope="module")
def search(owner: Any) -> Search:
    def put(table: Table, row: dict[str, Any]) -> None:
        names = [c.name for c in table.fed_columns]
        owner.execute(f"INSERT INTO {ddl.landing(table)} ({', '.join(names)}) VALUES ({', '.join(literal(row[n]) for n in names)})")

    put(BATCHES, batch_row(1, 0, 1))
    for customer_id, (name, email) in LATEST.items():
        put(DIM_CUSTOMER, version(name, 0, customer_id=customer_id, email=email))
    put(DIM_CUSTOMER, version("Gone", 0, customer_id=8, email="gone@example.org", is_deleted=True))
    for n in range(12):
        put(DIM_CUSTOMER, version(f"Anna {n}", 0, customer_id=100 + n, email=f"a{n}@example.org"))
    for customer_id, worth in WORTH.items():
        numbers = {c.name: 0 if c.type in ("int", "bigint") else None for c in MART_CUSTOMER_360.columns}
        known = {"customer_id": customer_id, "is_deleted": False, "is_known": customer_id < 8, "country": "AT", "batch_id": 1}
        put(MART_CUSTOMER_360, {**numbers, **known, "lifetime_value": worth, "rfm_cell": "", "churn_risk": "low", "churn_reasons": "[]"})

    def found(number: int | None, part: str) -> list[tuple[Any, ...]]:
        owner.execute(sql("customer_search") % (literal(number), literal(part)))
        return list(owner.fetchall())

    return found


def literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    return str(value) if isinstance(value, int) else f"'{value}'"


def test_the_customer_with_the_number_is_first_however_little_it_bought(search: Search) -> None:
    assert [row[0] for row in search(5, "5")] == [5, 6, 7, 105]  # then those with the digit in name or e-mail, by value


def test_a_customer_without_a_current_version_is_found_by_its_number_only(search: Search) -> None:
    for number, worth in ((8, "500.00"), (9, "400.00")):
        (row,) = (row for row in search(number, str(number)) if row[0] == number)
        assert (row[1], row[4], str(row[6])) == (None, "AT", worth)
    assert search(None, "gone") == []


def test_a_customer_that_the_mart_does_not_have_yet_is_found_by_its_number(search: Search) -> None:
    assert [row[:2] for row in search(103, "103")] == [(103, "Anna 3")]


def test_a_part_of_a_name_or_of_an_address_finds_and_one_more_than_the_page_shows(search: Search) -> None:
    assert [row[0] for row in search(None, "wój")] == [7]
    assert [row[0] for row in search(None, "ines@")] == [5]
    assert len(search(None, "anna")) == customers.SHOWN + 1
    assert search(None, "nobody") == search(77, "77") == []


def rows(kind: str, times: list[int]) -> list[dict[str, Any]]:
    return [{customers.WHEN[kind]: float(at), "n": n} for n, at in enumerate(times)]


def test_each_query_of_the_timeline_asks_for_one_more_than_is_shown_of_it() -> None:
    for name in TIMELINE.values():
        assert re.findall(r"LIMIT (\d+)", sql(name)) == [str(OF_A_KIND)]


def test_a_short_timeline_is_whole_and_newest_first() -> None:
    timeline, more = newest({"visit": rows("visit", [30, 10]), "order": rows("order", [20]), "review": [], "tier": rows("tier", [5])})
    assert [(e["kind"], e["at"]) for e in timeline] == [("visit", 30), ("order", 20), ("visit", 10), ("tier", 5)]
    assert not more


def test_a_timeline_ends_where_a_kind_ends_that_has_more_than_was_asked_for() -> None:
    """Forty visits of the last days and an order of last year: the visits between them are not known, so the order is not shown."""
    visits = rows("visit", list(range(1000, 1000 - OF_A_KIND, -1)))
    timeline, more = newest({"visit": visits, "order": rows("order", [990, 100]), "review": [], "tier": rows("tier", [1])})
    assert more
    assert len(timeline) == OF_A_KIND - 1 + 1
    assert min(e["at"] for e in timeline) == 1000 - OF_A_KIND + 2
    assert [e["at"] for e in timeline if e["kind"] == "order"] == [990]


def test_a_timeline_that_is_cut_for_its_length_says_so_too() -> None:
    timeline, more = newest({"visit": rows("visit", list(range(139, 100, -1))), "order": rows("order", list(range(99, 60, -1)))})
    assert (len(timeline), more) == (customers.EVENTS, True)


def test_a_question_that_would_wait_long_for_others_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "TURN_S", 0.1)
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        def query(self, statement: str, params: Any = None) -> list[dict[str, Any]]:
            asked.set()
            go_on.wait(20)
            return []

    about = Customers(Warehouse())
    about.client = Slow()  # type: ignore[assignment]
    app = make_app(Board(), Live(), Paths(Lake(root=str(tmp_path))), OrderCheck(Warehouse()), about, Page(), bytes)
    client = TestClient(app, base_url="http://127.0.0.1")
    first = threading.Thread(target=about.search, args=("ines",))
    first.start()
    assert asked.wait(20)
    told = "the warehouse is busy with earlier questions, and this one comes again by itself"
    for path in ("/api/customers?q=roth", "/api/customers/5", "/api/shop", "/api/customers"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (503, {"error": told})
    go_on.set()
    first.join()
    assert client.get("/api/customers?q=roth").json() == {"customers": [], "more": False}
