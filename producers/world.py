"""Who and what is in the shop now: what a visit or an order can be about.

One thread (the back office) changes it, others draw from it; no lock is needed, because the assortment is replaced as a whole
and a customer's id is there before its weight is.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from producers import traits
from producers.catalogue import Product
from producers.people import Customer
from producers.truth import TRUTH, Truth

FREQUENCY = {t.name: t.frequency for t in TRUTH.tiers}
TRIES = 4  # to find a buyer who does not stay away; then one who does comes all the same


@dataclass(frozen=True, slots=True)
class Assortment:
    """Products that can be ordered, with running sums of their popularity, and how much each tempts at its price."""

    products: tuple[Product, ...]
    ends: tuple[float, ...]
    appeals: tuple[float, ...]
    by_id: Mapping[int, Product]

    @classmethod
    def of(cls, products: Iterable[Product], list_prices: Mapping[int, int], truth: Truth = TRUTH) -> Assortment:
        """`list_prices` are what the prices are held against, in cents by product; a product without one stands at its list price."""
        sold = tuple(p for p in products if p.active)
        return cls(
            sold,
            tuple(accumulate(traits.popularity_of(p.product_id) for p in sold)),
            tuple(traits.appeal_of(p.product_id, p.category, p.price, list_prices.get(p.product_id, p.price), truth) for p in sold),
            {p.product_id: p for p in sold},
        )

    def draw(self, rng: random.Random) -> tuple[Product, float]:
        """A product that can be ordered, by popularity, and its appeal."""
        at = min(bisect_right(self.ends, rng.random() * self.ends[-1]), len(self.ends) - 1)
        return self.products[at], self.appeals[at]

    def product(self, rng: random.Random) -> Product:
        return self.draw(rng)[0]

    def find(self, product_id: int) -> Product | None:
        """The product if it can be ordered."""
        return self.by_id.get(product_id)


class World:
    """`customers` and `products` by id; only people who buy are drawn for orders, so the others may be deleted at any time.

    The price at which a product is first seen counts as its list price.
    """

    def __init__(self, customers: Iterable[Customer], products: Iterable[Product]) -> None:
        self.customers: dict[int, Customer] = {}
        self.products = {p.product_id: p for p in products}
        self._list_prices = {p.product_id: p.price for p in self.products.values()}
        self.assortment = Assortment.of(self.products.values(), self._list_prices)
        self._buyers: list[int] = []
        self._buyer_ends: list[float] = []
        self._away: dict[int, float] = {}  # until when, on the caller's clock
        self.everybody: list[int] = []  # in the order of arrival; may hold ids that have been deleted
        for customer in customers:
            self.welcome(customer)

    @property
    def can_sell(self) -> bool:
        return bool(self._buyers and self.assortment.products)

    def welcome(self, customer: Customer) -> None:
        """A new customer. May be called before the row is in PostgreSQL: orders may precede it."""
        self.customers[customer.customer_id] = customer
        self.everybody.append(customer.customer_id)
        weight = traits.persona_of(customer.customer_id).order_weight * FREQUENCY.get(customer.tier, 1.0)
        if weight > 0:
            self._buyers.append(customer.customer_id)
            self._buyer_ends.append((self._buyer_ends[-1] if self._buyer_ends else 0.0) + weight)

    def update(self, customer: Customer) -> None:
        self.customers[customer.customer_id] = customer

    def forget(self, customer_id: int) -> None:
        """Somebody who never ordered has gone."""
        self.customers.pop(customer_id, None)

    def stay_away(self, customer_id: int, until_s: float) -> None:
        """Somebody had a bad experience; any thread may say so."""
        self._away[customer_id] = until_s

    def let_back(self, now_s: float) -> None:
        for customer_id, until_s in list(self._away.items()):
            if until_s <= now_s:
                self._away.pop(customer_id, None)

    def stock(self, product: Product) -> None:
        """A new product, or new facts of a known one."""
        self._list_prices.setdefault(product.product_id, product.price)
        self._restock({**self.products, product.product_id: product})

    def discard(self, product_id: int) -> None:
        """A product that was never launched has gone."""
        self._restock({k: p for k, p in self.products.items() if k != product_id})

    def _restock(self, products: dict[int, Product]) -> None:
        self.products = products
        self.assortment = Assortment.of(products.values(), self._list_prices)

    def buyer(self, rng: random.Random) -> int:
        """Somebody who orders, by how often their persona and their tier do."""
        ends = self._buyer_ends
        for _ in range(TRIES):
            found = self._buyers[min(bisect_right(ends, rng.random() * ends[-1]), len(ends) - 1)]
            if found not in self._away:
                break
        return found

    def visitor(self, rng: random.Random) -> int:
        """Any customer; half of the visits are by people who buy."""
        return self.buyer(rng) if rng.random() < 0.5 else rng.choice(self.everybody)

    def product(self, rng: random.Random) -> Product:
        """A product that can be ordered, by popularity."""
        return self.assortment.product(rng)

    def find(self, product_id: int) -> Product | None:
        """The product if it can be ordered."""
        return self.assortment.find(product_id)
