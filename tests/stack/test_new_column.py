"""A column that the shop adds, and later drops, while everything runs: nobody restarts anything, and nothing is rejected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from local_ports import new_state

from commerce360.lake import Lake
from commerce360.local.stack import INGEST, Stack
from schemas.tables import DEAD_LETTERS, DIM_CUSTOMER

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SHOP = {"customers": 5, "products": 2, "past_orders": 2, "past_clicks": 1, "past_reviews": 1}
ADDED = ("loyalty_note", "loyalty_level")
Version = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("column") / "state"), shop=SHOP)
    try:
        stack.start(services=(*INGEST, "lake"))
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def shop(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(stack.settings().postgres.conninfo(), autocommit=True) as connection:
        yield connection


def history(stack: Stack, customer_id: int) -> list[Version]:
    """Versions with the columns that the table has by now, oldest first."""
    lake = Lake(stack.settings().lake)
    rows = lake.newest(lake.extended(DIM_CUSTOMER), where=f"is_visible AND customer_id = {customer_id}").to_pylist()
    return sorted(rows, key=lambda r: r["valid_from"])


def wait(stack: Stack, customer_id: int, until: Callable[[Version], bool]) -> list[Version]:
    """The history once its last version is as wanted."""
    deadline = time.monotonic() + 240
    while not ((found := history(stack, customer_id)) and until(found[-1])):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def added(version: Version) -> tuple[Any, ...]:
    return tuple(version.get(c) for c in ADDED)


def test_new_and_dropped_columns_need_no_restart_and_lose_no_value(stack: Stack, shop: psycopg.Connection[Any]) -> None:
    first, second, third = (n for (n,) in shop.execute("SELECT customer_id FROM sales.customers ORDER BY 1 LIMIT 3").fetchall())
    for customer_id in (first, second, third):
        wait(stack, customer_id, lambda _: True)
    running = stack.pids("lake")[0]

    shop.execute("ALTER TABLE sales.customers ADD COLUMN loyalty_note text, ADD COLUMN loyalty_level integer")
    shop.execute("UPDATE sales.customers SET city = 'Oslo', loyalty_note = 'né 2x', loyalty_level = 3 WHERE customer_id = %s", (first,))
    shop.execute("UPDATE sales.customers SET loyalty_level = 0 WHERE customer_id = %s", (second,))
    versions = wait(stack, first, lambda last: last.get("loyalty_note") == "né 2x")
    assert [added(v) for v in versions] == [(None, None), ("né 2x", 3)]
    assert [v["city"] for v in versions][-1] == "Oslo"
    assert len(wait(stack, second, lambda last: added(last) == (None, 0))) == 1  # a new column is in place until a role says otherwise
    assert (stack.pids("lake")[0], stack.restart_count("lake")) == (running, 0)

    stack.stop_service("lake")
    shop.execute("UPDATE sales.customers SET loyalty_note = 'new' WHERE customer_id = %s", (third,))
    stack.start_service("lake")
    assert len(wait(stack, third, lambda last: added(last) == ("new", None))) == 1
    assert [added(v) for v in history(stack, first)] == [(None, None), ("né 2x", 3)]

    shop.execute("ALTER TABLE sales.customers DROP COLUMN loyalty_note")
    shop.execute("UPDATE sales.customers SET city = 'Rome', loyalty_level = 4 WHERE customer_id = %s", (first,))
    versions = wait(stack, first, lambda last: last["city"] == "Rome")
    assert [added(v) for v in versions] == [(None, None), ("né 2x", 3), ("né 2x", 4)]
    assert stack.restart_count("lake") == 0
    assert Lake(stack.settings().lake).newest(DEAD_LETTERS).to_pylist() == []
