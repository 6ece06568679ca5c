"""The back office: books a share of the web orders in PostgreSQL, sees them through, sells at the counter, keeps people and prices.

One thread; each change is a transaction of its own. Everything it does later waits in a heap; work that has been promised (a
booking, the row of a customer who has ordered already) is still done when the shop closes.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from random import Random
from types import TracebackType

import psycopg

from commerce360.settings import Postgres, Shop
from producers import baskets, catalogue, people, rows, traits
from producers.baskets import Order, Step
from producers.catalogue import Product
from producers.closing import Closing, outlast
from producers.pace import Budget, Pace
from producers.people import Customer, People
from producers.tally import Tally
from producers.truth import TRUTH
from producers.world import World

BOOKING_SHARE = 0.75  # of the row budget; the rest is for the counter, people and prices
ROWS_OF_LIFE = 2.1  # status changes of an order, on average
ROWS_A_CHANGE = 1.35  # of one of `_life`, on average
TICK_S = 0.05
RESUMED_ORDERS = 2_000
CUSTOMERS_A_RUN = 10_000_000
PRODUCTS_A_RUN = 100_000
Work = Callable[[rows.Connection], int]


@dataclass(order=True)
class _Job:
    due_s: float
    number: int
    do: Callable[[], None] = field(compare=False)
    promised: bool = field(compare=False)


class Database:
    """A connection that comes back: `commit` runs a transaction until it is done, or until closing is over."""

    def __init__(self, postgres: Postgres, tally: Tally, closing: Closing) -> None:
        self._postgres = postgres
        self._tally = tally
        self._closing = closing
        self._connection: rows.Connection | None = None

    def commit(self, work: Work) -> int:
        """Rows changed by `work`. Raises psycopg.OperationalError when PostgreSQL stayed away to the end."""
        changed = outlast(lambda: self._once(work), "postgres", self._is_transient, self._closing)
        self._tally.add("oltp_rows", changed)
        return changed

    def _once(self, work: Work) -> int:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._postgres.conninfo(), connect_timeout=5)
        with self._connection.transaction():
            return work(self._connection)

    def _is_transient(self, error: Exception) -> bool:
        self._tally.add("errors")
        self.close()
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class BackOffice:
    """`announce` is called by the order producer's thread, `run` is the back office's own."""

    def __init__(self, shop: Shop, database: Database, world: World, crew: People, run: int, closing: Closing) -> None:
        self._shop = shop
        self._database = database
        self._world = world
        self._people = crew
        self._closing = closing
        self._rng = Random(f"{shop.seed}/{run}/office")
        self._desk = Random(f"{shop.seed}/{run}/desk")  # only for `announce`
        self._budget = Budget(shop.row_changes_per_s * BOOKING_SHARE, shop.row_changes_per_s, time.monotonic())
        self._inbox: SimpleQueue[tuple[Order, dt.datetime]] = SimpleQueue()
        self._jobs: list[_Job] = []
        self._numbers = itertools.count(1)
        self._run = run
        self._counter_ids = itertools.count(1)
        self._customer_ids = itertools.count(run * CUSTOMERS_A_RUN + 1)
        self._product_ids = itertools.count(run * PRODUCTS_A_RUN + 1)
        life: dict[Callable[[], None], float] = {
            self._see_customer: 26,
            self._sell_at_counter: 14,
            self._new_customer: 10,
            self._delete_customer: 2,
            lambda: self._change_customer(people.move): 14,
            lambda: self._change_customer(people.change_tier): 10,
            lambda: self._change_customer(people.change_consent): 8,
            lambda: self._change_customer(people.change_email): 5,
            lambda: self._change_customer(self._people.marry): 2,
            lambda: self._change_product(catalogue.reprice): 6,
            lambda: self._change_product(catalogue.recategorise): 1,
            self._new_product: 1.5,
            self._launch_product: 1,
            self._delete_product: 1,
        }
        self._life, self._life_weights = list(life), list(life.values())

    def announce(self, order: Order, event_ts: int) -> None:
        """Kafka has this order. A share of them is booked, as far as the row budget goes; a guest has no account to book on."""
        if order.customer_id is None or self._closing.asked.is_set() or self._desk.random() >= self._shop.both_ways_share:
            return
        if self._budget.take(order.rows + ROWS_OF_LIFE, time.monotonic()):
            self._inbox.put((order, dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=event_ts)))

    def run(self) -> None:
        """Until closing is asked for; then what has been promised, as far as the time goes."""
        self._resume()
        share = self._shop.row_changes_per_s * (1 - BOOKING_SHARE)
        pace = Pace(share / ROWS_A_CHANGE, time.monotonic())
        while not self._closing.asked.wait(TICK_S):
            self._take_bookings()
            self._do_due(time.monotonic())
            self._world.let_back(time.monotonic())
            for _ in pace.take(time.monotonic(), limit=20):
                self._rng.choices(self._life, self._life_weights)[0]()
        self._take_bookings()
        self._do_promised()

    def _resume(self) -> None:
        found: list[tuple[str, str]] = []

        def load(connection: rows.Connection) -> int:
            found[:] = rows.load_open_orders(connection, RESUMED_ORDERS)
            return 0

        self._database.commit(load)
        for order_id, status in found:
            steps = (Step(self._rng.uniform(1, 40), "paid"), Step(self._rng.uniform(5, 40), "shipped"))
            self._follow(order_id, status, steps if status == "placed" else steps[1:])

    def _later(self, after_s: float, do: Callable[[], None], promised: bool = False) -> None:
        heapq.heappush(self._jobs, _Job(time.monotonic() + after_s, next(self._numbers), do, promised))

    def _take_bookings(self) -> None:
        while True:
            try:
                order, ordered_at = self._inbox.get_nowait()
            except Empty:
                return
            self._later(self._rng.expovariate(1.0), lambda o=order, at=ordered_at: self._book(o, at), promised=True)  # type: ignore[misc]

    def _do_due(self, now_s: float) -> None:
        while self._jobs and self._jobs[0].due_s <= now_s and not self._closing.asked.is_set():
            heapq.heappop(self._jobs).do()

    def _do_promised(self) -> None:
        promised = sorted(job for job in self._jobs if job.promised)
        for job in promised:
            if self._closing.over:
                return
            job.do()

    def _book(self, order: Order, ordered_at: dt.datetime) -> None:
        self._database.commit(lambda c: rows.book(c, order, "placed", ordered_at))
        self._follow(order.order_id, "placed", baskets.life(self._rng, order), order.customer_id)

    def _follow(self, order_id: str, status: str, steps: tuple[Step, ...], customer_id: int | None = None) -> None:
        if not steps:
            return
        step, rest = steps[0], steps[1:]

        def take() -> None:
            self._database.commit(lambda c: rows.advance(c, order_id, status, step.status))
            if step.status == "returned" and customer_id is not None and self._rng.random() < TRUTH.churn.after_bad:
                self._world.stay_away(customer_id, time.monotonic() + TRUTH.churn.live_away_s)
            self._follow(order_id, step.status, rest, customer_id)

        self._later(step.after_s, take)

    def _sell_at_counter(self) -> None:
        """An order that only PostgreSQL knows: paid and taken away at once."""
        order = baskets.draw_order(self._rng, self._world, f"C-{self._run}-{next(self._counter_ids)}", counter=True)
        now = _now()
        self._database.commit(lambda c: rows.book(c, order, "shipped", now))
        if self._rng.random() < baskets.chance_of_return(order):
            self._follow(order.order_id, "shipped", (Step(self._rng.uniform(5, 30), "returned"),), order.customer_id)

    def _new_customer(self) -> None:
        """They may order before their row is written: the account service is not the web shop."""
        customer = self._people.meet(self._rng, next(self._customer_ids), _now())
        self._world.welcome(customer)
        self._later(self._rng.expovariate(1.0), lambda: self._add_customer(customer), promised=True)

    def _add_customer(self, customer: Customer) -> None:
        self._database.commit(lambda c: rows.add_customer(c, customer))

    def _someone(self, fits: Callable[[Customer], bool] = lambda _: True) -> Customer | None:
        for _ in range(20):
            customer = self._world.customers.get(self._rng.choice(self._world.everybody))
            if customer is not None and fits(customer):
                return customer
        return None

    def _see_customer(self) -> None:
        """A login and the points of the last purchase: changes that make no new version of a customer."""
        customer = self._someone()
        if customer:
            self._save_customer(customer, replace(customer, points=customer.points + self._rng.randint(0, 60), last_login_at=_now()))

    def _change_customer(self, change: Callable[[Random, Customer], Customer]) -> None:
        customer = self._someone()
        if customer:
            self._save_customer(customer, change(self._rng, customer))

    def _save_customer(self, before: Customer, after: Customer) -> None:
        changed = rows.changes(before, after)
        if self._database.commit(lambda c: rows.save_customer(c, before.customer_id, changed)):
            self._world.update(after)

    def _delete_customer(self) -> None:
        customer = self._someone(lambda c: traits.persona_of(c.customer_id).order_weight == 0)
        if customer and self._database.commit(lambda c: rows.delete_customer(c, customer.customer_id)):
            self._world.forget(customer.customer_id)

    def _change_product(self, change: Callable[[Random, Product], Product]) -> None:
        product = self._world.product(self._rng)
        self._save_product(product, change(self._rng, product))

    def _save_product(self, before: Product, after: Product) -> None:
        changed = rows.changes(before, after)
        if self._database.commit(lambda c: rows.save_product(c, before.product_id, changed)):
            self._world.stock(after)

    def _new_product(self) -> None:
        product = catalogue.invent(self._rng, next(self._product_ids), _now())
        if self._database.commit(lambda c: rows.add_product(c, product)):
            self._world.stock(product)

    def _pending_product(self, fits: Callable[[Product], bool]) -> Product | None:
        pending = [p for p in self._world.products.values() if not p.active and fits(p)]
        return self._rng.choice(pending) if pending else None

    def _launch_product(self) -> None:
        product = self._pending_product(lambda _: True)
        if product:
            self._save_product(product, catalogue.launch(product, self._rng))

    def _delete_product(self) -> None:
        product = self._pending_product(lambda p: p.cost is None)
        if product and self._database.commit(lambda c: rows.delete_product(c, product.product_id)):
            self._world.discard(product.product_id)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
