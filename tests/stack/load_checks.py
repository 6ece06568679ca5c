"""What tests of the load look at: how far the loader is, whether readers see whole batches, where lake and warehouse differ."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import requests

from commerce360 import metrics
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.reconcile.compare import Stage, compare
from schemas.reading import DATAFUSION, Facts, Target, spans, visible, with_inferred
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FED, Table
from warehouse import ddl
from warehouse.client import Client

NEWEST = "SELECT " + ", ".join(
    f"(SELECT MAX(BATCH_ID) FROM {'OPS.LAKE_BATCHES' if t is BATCHES else ddl.view(t)}) AS {t.entity}" for t in FED
)


def wait(until: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := until()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def told(stack: Stack) -> dict[str, Any]:
    """What the loader says of itself."""
    return metrics.read(stack.state.root, "loader")


def shown(stack: Stack) -> int:
    """What the loader says that a query shows."""
    return int(told(stack).get("batch_id", -1))


def wait_shown(stack: Stack, batch_id: int) -> None:
    wait(lambda: shown(stack) >= batch_id, 120)


def differences(stack: Stack, tables: Sequence[Table] = FED) -> list[str]:
    """Where a landing table is not the lake's log, row by row."""
    found: list[str] = []
    lake = Lake(stack.settings().lake)
    with Client(stack.settings().warehouse) as sql:
        for table in tables:
            columns = tuple(c.name for c in table.fed_columns)
            stages = {"lake": lake.query(table, f"SELECT * FROM {table.entity}").to_pylist()}
            stages["warehouse"] = sql.query(f"SELECT * FROM {ddl.landing(table)}")
            made = [Stage.of(name, rows, (*table.key, "batch_id"), columns) for name, rows in stages.items()]
            found += [d.text() for d in compare(ddl.landing(table), made, columns).differences]
    return found


def view_differences(stack: Stack) -> tuple[int, int, list[str]]:
    """Of all views at one moment, while the load goes on: the lake batch that they show, their rows, and where the lake's gold differs."""
    data = [t for t in FED if t is not BATCHES]
    with Client(stack.settings().warehouse) as sql:
        sql.query("BEGIN")  # one state for all statements
        (newest,) = sql.query("SELECT MAX(BATCH_ID) AS B FROM OPS.LAKE_BATCHES")
        views = {t.name: sql.query(f"SELECT * FROM {ddl.view(t)}") for t in data}
        sql.query("COMMIT")
    batch_id = int(-1 if newest["b"] is None else newest["b"])
    lake, found, rows = Lake(stack.settings().lake), list[str](), 0
    for table in data:
        gold = lake.sql([*{t.name: t for t in (table, *READ_WITH.get(table.name, ()))}.values()], as_shown(table, batch_id))
        columns = tuple(gold.column_names)
        stages = {"gold": gold.to_pylist(), "view": views[table.name]}
        key = table.key if table is not DIM_CUSTOMER else (*table.key, "is_inferred")
        made = [Stage.of(name, each, key, columns) for name, each in stages.items()]
        found += [d.text() for d in compare(ddl.view(table), made, columns).differences]
        rows += len(views[table.name])
    return batch_id, rows, found


READ_WITH = {DIM_CUSTOMER.name: (FCT_SALES,), FCT_SALES.name: (DIM_CUSTOMER, DIM_PRODUCT)}


def as_shown(table: Table, batch_id: int) -> str:
    """What a view shows once it has this batch, as SQL over the lake."""
    if table is DIM_CUSTOMER:
        facts = Facts(newest(FCT_SALES, batch_id), ("customer_id",), "ordered_at")
        return with_inferred(DIM_CUSTOMER, newest(DIM_CUSTOMER, batch_id), facts, DATAFUSION)
    if table is not FCT_SALES:
        return newest(table, batch_id)
    customer = Target(DIM_CUSTOMER, "c", "s", Facts("s", ("customer_id",), "ordered_at"), DATAFUSION)
    product = Target(DIM_PRODUCT, "p", "s", Facts("s", ("product_id",), "ordered_at"), DATAFUSION)
    c, p = (spans(t, newest(t, batch_id), DATAFUSION) for t in (DIM_CUSTOMER, DIM_PRODUCT))
    return (
        f"WITH s AS ({newest(FCT_SALES, batch_id)}), c AS ({c}), p AS ({p}) "
        f"SELECT s.*, {customer.key} AS customer_version_key, {customer.match} AS customer_match, "
        f"p.version_key AS product_version_key, {product.match} AS product_match FROM s {customer.join} {product.join}"
    )


def newest(table: Table, batch_id: int) -> str:
    rows = table.newest_sql(table.entity, f"batch_id <= {batch_id}", internal=False)
    return visible(table, rows) if table.visible else rows


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


class Faults:
    """Makes the local warehouse's next streaming requests go wrong."""

    def __init__(self, stack: Stack) -> None:
        warehouse = stack.settings().warehouse
        self.url = f"{warehouse.streaming_url}/c360/faults"
        self.ca = str(warehouse.ca_file)
        self.secret = (stack.state.root / "secrets" / "warehouse.faults").read_text()

    def arm(self, *faults: dict[str, Any]) -> None:
        requests.post(self.url, json=faults, headers=self._shown(), verify=self.ca, timeout=20).raise_for_status()

    def left(self) -> int:
        """Those that no request has met yet."""
        return int(requests.get(self.url, headers=self._shown(), verify=self.ca, timeout=20).json()["left"])

    def _shown(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}
