"""Who and what is in the shop now: what a visit or an order can be about.

One thread (the back office) changes it, others draw from it; no lock is needed, because the assortment is replaced as a whole
and a customer's id is there before its weight is.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from producers import traits
from producers.catalogue import Product
from producers.people import Customer


@dataclass(frozen=True, slots=True)
class Assortment:
    """Products that can be ordered, with running sums of their popularity."""

    products: tuple[Product, ...]
    ends: tuple[float, ...]

    @classmethod
    def of(cls, products: Iterable[Product]) -> Assortment:
        sold = tuple(p for p in products if p.active)
        return cls(sold, tuple(accumulate(traits.popularity_of(p.product_id) for p in sold)))


class World:
    """`customers` and `products` by id; only people who buy are drawn for orders, so the others may be deleted at any time."""

    def __init__(self, customers: Iterable[Customer], products: Iterable[Product]) -> None:
        self.customers: dict[int, Customer] = {}
        self.products = {p.product_id: p for p in products}
        self._assortment = Assortment.of(self.products.values())
        self._buyers: list[int] = []
        self._buyer_ends: list[float] = []
        self.everybody: list[int] = []  # in the order of arrival; may hold ids that have been deleted
        for customer in customers:
            self.welcome(customer)

    @property
    def can_sell(self) -> bool:
        return bool(self._buyers and self._assortment.products)

    def welcome(self, customer: Customer) -> None:
        """A new customer. May be called before the row is in PostgreSQL: orders may precede it."""
        self.customers[customer.customer_id] = customer
        self.everybody.append(customer.customer_id)
        weight = traits.persona_of(customer.customer_id).order_weight
        if weight > 0:
            self._buyers.append(customer.customer_id)
            self._buyer_ends.append((self._buyer_ends[-1] if self._buyer_ends else 0.0) + weight)

    def update(self, customer: Customer) -> None:
        self.customers[customer.customer_id] = customer

    def forget(self, customer_id: int) -> None:
        """Somebody who never ordered has gone."""
        self.customers.pop(customer_id, None)

    def stock(self, product: Product) -> None:
        """A new product, or new facts of a known one."""
        self._restock({**self.products, product.product_id: product})

    def discard(self, product_id: int) -> None:
        """A product that was never launched has gone."""
        self._restock({k: p for k, p in self.products.items() if k != product_id})

    def _restock(self, products: dict[int, Product]) -> None:
        self.products = products
        self._assortment = Assortment.of(products.values())

    def buyer(self, rng: random.Random) -> int:
        """Somebody who orders, by how often their persona does."""
        ends = self._buyer_ends
        return self._buyers[min(bisect_right(ends, rng.random() * ends[-1]), len(ends) - 1)]

    def visitor(self, rng: random.Random) -> int:
        """Any customer; half of the visits are by people who buy."""
        return self.buyer(rng) if rng.random() < 0.5 else rng.choice(self.everybody)

    def product(self, rng: random.Random) -> Product:
        """A product that can be ordered, by popularity."""
        shown = self._assortment
        return shown.products[min(bisect_right(shown.ends, rng.random() * shown.ends[-1]), len(shown.ends) - 1)]

    def find(self, product_id: int) -> Product | None:
        """The product if it can be ordered."""
        product = self.products.get(product_id)
        return product if product and product.active else None
