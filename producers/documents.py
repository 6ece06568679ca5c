"""Clicks and reviews into MongoDB: many small inserts, some edits, some deletions.

One thread. Every write may be repeated (fixed `_id`, absolute values), because after a broken connection nobody knows what
the server did.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from typing import Any

import pymongo
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure

from commerce360.settings import Mongo, Shop
from producers import history, lives, reviews, sessions
from producers.baskets import Basket, Order
from producers.closing import Closing, outlast
from producers.pace import Pace
from producers.purchases import Purchases
from producers.tally import Tally
from producers.truth import TRUTH
from producers.world import World

TICK_S = 0.2
CLICKS_A_VISIT = 5.6  # on average, measured on `sessions.draw_visit`
OWN_VISITS = 5  # each so many-th visit is the one behind an order that was drawn without one
LATE_SHARE = 0.01  # clicks that a browser sends long after they happened
LATE_S = 20.0
EDITS, DELETIONS = 0.14, 0.05  # parts of what happens to reviews; the rest is new ones
REMEMBERED = 500  # reviews that may be edited or deleted
DUPLICATE_KEY = 11000
# Server is shutting down, is not primary any more, or lost its socket: codes that the driver calls retryable too.
PASSING_CODES = frozenset({6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436})
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Written:
    review_id: str
    product_name: str
    category: str
    rating: int
    language: str


def connect(mongo: Mongo) -> pymongo.MongoClient[Document]:
    """Nothing is sent before the first use."""
    return pymongo.MongoClient(
        mongo.address(), serverSelectionTimeoutMS=3_000, connectTimeoutMS=3_000, socketTimeoutMS=15_000, tz_aware=True
    )


def is_passing(error: Exception) -> bool:
    return isinstance(error, ConnectionFailure) or (isinstance(error, OperationFailure) and error.code in PASSING_CODES)


def insert(collection: pymongo.collection.Collection[Document], documents: list[Document]) -> None:
    """All of them, unless they are there already. May be repeated."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"]) or error.details.get("writeConcernErrors"):
            raise


class Documents:
    """`visits` takes the baskets that visits end with; the order producer orders them. `unvisited` has the newest orders that it drew
    without a visit, and when (epoch seconds): a part of the visits is made for those. `purchases` is what can be reviewed.
    """

    def __init__(
        self,
        mongo: Mongo,
        shop: Shop,
        world: World,
        run: int,
        visits: SimpleQueue[Basket],
        tally: Tally,
        closing: Closing,
        unvisited: deque[tuple[Order, float]] | None = None,
        purchases: Purchases | None = None,
    ) -> None:
        self._mongo = mongo
        self._shop = shop
        self._world = world
        self._run = run
        self._visits = visits
        self._tally = tally
        self._closing = closing
        self._rng = Random(f"{shop.seed}/{run}/visits")
        self._unvisited: deque[tuple[Order, float]] = deque() if unvisited is None else unvisited
        self._purchases = purchases or Purchases()
        self._due: list[tuple[float, int, sessions.Click, Basket | None]] = []
        self._numbers = itertools.count(1)
        self._click_ids = itertools.count(1)
        self._visit_ids = itertools.count(1)
        self._review_ids = itertools.count(1)
        self._written: deque[_Written] = deque(maxlen=REMEMBERED)

    def run(self) -> None:
        with connect(self._mongo) as client:
            shop = client[self._mongo.database]
            now_s = time.monotonic()
            visits = Pace(self._shop.clicks_per_s / CLICKS_A_VISIT, now_s)
            said = Pace(self._shop.reviews_per_s, now_s)
            while not self._closing.asked.wait(TICK_S):
                now_s = time.monotonic()
                for _ in visits.take(now_s, limit=200):
                    self._begin_visit(now_s)
                self._record_clicks(shop.clickstream, now_s)
                for _ in said.take(now_s, limit=20):
                    self._review(shop.reviews)

    def _begin_visit(self, now_s: float) -> None:
        visit_id = next(self._visit_ids)
        if visit_id % OWN_VISITS == 0 and self._unvisited:
            self._visit_before(*self._unvisited.pop(), f"s-{self._run}-{visit_id}")
            return
        visit = sessions.draw_visit(self._rng, self._world, f"s-{self._run}-{visit_id}")
        for number, click in enumerate(visit.clicks, 1):
            paid = visit.basket if number == len(visit.clicks) else None
            heapq.heappush(self._due, (now_s + click.at_s, next(self._numbers), click, paid))

    def _visit_before(self, order: Order, placed_s: float, session_id: str) -> None:
        """Its clicks come late, as a browser's sometimes do: all of them happened before the order."""
        clicks = sessions.visit_of(self._rng, order, session_id).clicks
        left_s = time.monotonic() - (time.time() - placed_s) - self._rng.uniform(0.5, 3)
        for click in clicks:
            heapq.heappush(self._due, (left_s - clicks[-1].at_s + click.at_s, next(self._numbers), click, None))

    def _record_clicks(self, collection: pymongo.collection.Collection[Document], now_s: float) -> None:
        now = _now()
        made: list[Document] = []
        baskets = []
        while self._due and self._due[0][0] <= now_s:
            due_s, _, click, paid = heapq.heappop(self._due)
            late_s = self._rng.uniform(1, LATE_S) if self._rng.random() < LATE_SHARE else 0.0
            occurred_at = now - dt.timedelta(milliseconds=int((now_s - due_s + late_s) * 1000))
            made.append(history.click_document(f"c-{self._run}-{next(self._click_ids)}", click.fields, occurred_at))
            if paid:
                baskets.append(paid)
        if made:
            self._write(lambda: insert(collection, made))
            self._tally.add("clicks", len(made))
        for basket in baskets:
            self._visits.put(basket)

    def _review(self, collection: pymongo.collection.Collection[Document]) -> None:
        at = self._rng.random()
        if not self._written or at > EDITS + DELETIONS:
            self._add_review(collection)
        elif at > DELETIONS:
            self._edit_review(collection)
        else:
            gone = self._pick_written()
            self._write(lambda: collection.delete_one({"_id": gone.review_id}))
        self._tally.add("reviews")

    def _add_review(self, collection: pymongo.collection.Collection[Document]) -> None:
        bought = self._purchases.take(time.monotonic())
        customer = self._world.customers.get(bought[0]) if bought else None
        product = self._world.products.get(bought[1]) if bought else None
        if customer is None or product is None:  # nobody has got anything yet
            customer = self._world.customers[self._world.buyer(self._rng)]
            product = self._world.product(self._rng)
        said = reviews.draw_review(self._rng, customer, product)
        review_id = f"r-{self._run}-{next(self._review_ids)}"
        document = reviews.document(review_id, customer.customer_id, product.product_id, said, _now())
        self._write(lambda: insert(collection, [document]))
        self._written.append(_Written(review_id, product.name, product.category, said.rating, said.language))
        if said.rating <= lives.BAD_RATING and self._rng.random() < TRUTH.churn.after_bad:
            self._world.stay_away(customer.customer_id, time.monotonic() + TRUTH.churn.live_away_s)

    def _edit_review(self, collection: pymongo.collection.Collection[Document]) -> None:
        old = self._pick_written()
        said = reviews.edit(self._rng, old.rating, old.language, old.product_name, old.category)
        changed = {"rating": said.rating, "title": said.title, "body": said.body}
        self._write(lambda: collection.update_one({"_id": old.review_id}, {"$set": changed}))
        self._written.append(_Written(old.review_id, old.product_name, old.category, said.rating, said.language))

    def _pick_written(self) -> _Written:
        """A review of this run, taken out of the list."""
        self._written.rotate(self._rng.randrange(len(self._written)))
        return self._written.pop()

    def _write(self, work: Callable[[], object]) -> None:
        outlast(work, "mongo", self._is_transient, self._closing)

    def _is_transient(self, error: Exception) -> bool:
        self._tally.add("errors")
        return is_passing(error)


def _now() -> dt.datetime:
    """To the millisecond, as BSON keeps it."""
    now = dt.datetime.now(dt.UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
