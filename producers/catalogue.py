"""The assortment: products with names, prices and costs that fit their category, and what happens to them."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace

from producers import money


@dataclass(frozen=True, slots=True)
class Product:
    product_id: int
    sku: str
    name: str
    description: str
    category: str
    price: int  # cents
    cost: int | None  # cents; unknown until the buyer has entered it
    active: bool
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    code: str
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    price: tuple[int, int]  # cents: middle of the range of half of the products
    cost_share: float  # cost as a part of the price


CATEGORIES = (
    Category("Kitchen", "KIT", ("Saucepan", "Chef's Knife", "Espresso Maker", "Mixing Bowl", "Cutting Board", "Kettle", "Teapot"),
             ("Steel", "Cast-iron", "Walnut", "Ceramic", "Copper"), (2_500, 9_000), 0.52),
    Category("Garden", "GRD", ("Watering Can", "Pruning Shears", "Planter", "Garden Lamp", "Hand Trowel", "Bird Feeder"),
             ("Zinc", "Oak", "Terracotta", "Recycled", "Solar"), (1_500, 6_000), 0.48),
    Category("Clothing", "CLO", ("Jacket", "Jumper", "T-Shirt", "Scarf", "Trousers", "Raincoat", "Shirt"),
             ("Merino", "Linen", "Organic Cotton", "Denim", "Wool"), (2_500, 11_000), 0.40),
    Category("Electronics", "ELE", ("Headphones", "Desk Lamp", "Speaker", "Charger", "Keyboard", "E-Reader", "Webcam"),
             ("Wireless", "Compact", "Studio", "Travel", "Slim"), (4_000, 24_000), 0.68),
    Category("Books", "BOO", ("Cookbook", "Atlas", "Field Guide", "Crime Novel", "Biography", "Picture Book"),
             ("Illustrated", "Pocket", "Annotated", "Signed", "Large-print"), (900, 3_200), 0.60),
    Category("Toys", "TOY", ("Building Blocks", "Train Set", "Puzzle", "Marble Run", "Puppet", "Board Game"),
             ("Wooden", "Magnetic", "Colourful", "Classic", "Giant"), (1_500, 5_500), 0.50),
    Category("Sports", "SPO", ("Yoga Mat", "Daypack", "Water Bottle", "Bike Light", "Running Vest", "Dumbbell Set"),
             ("Cork", "Ultralight", "Insulated", "Reflective", "All-weather"), (1_800, 8_500), 0.50),
    Category("Beauty", "BEA", ("Hand Cream", "Face Oil", "Shampoo Bar", "Bath Salt", "Soap Set", "Lip Balm"),
             ("Lavender", "Olive", "Sea-salt", "Oat", "Rose"), (700, 3_000), 0.35),
)  # fmt: skip
ADJECTIVES = ("Everyday", "Nordic", "Heritage", "Little", "Grand", "Quiet", "Bright", "Alpine", "Harbour", "Studio")
PENDING_SHARE = 0.06  # products that are not launched yet: nobody can order them


def make(rng: random.Random, count: int, now: dt.datetime) -> list[Product]:
    """`count` products with ids from 1; the last few are not launched yet."""
    launched = count - int(count * PENDING_SHARE)
    return [
        invent(rng, number, now - dt.timedelta(days=rng.randint(120, 900), seconds=rng.randint(0, 86_399)), active=number <= launched)
        for number in range(1, count + 1)
    ]


def invent(rng: random.Random, product_id: int, created_at: dt.datetime, active: bool = False) -> Product:
    category = rng.choice(CATEGORIES)
    noun, material = rng.choice(category.nouns), rng.choice(category.materials)
    low, high = category.price
    price = money.price_point(int(low * (high / low) ** rng.gauss(0.5, 0.35)))
    cost = int(price * min(0.9, max(0.15, rng.gauss(category.cost_share, 0.06))))
    return Product(
        product_id=product_id,
        sku=f"{category.code}-{product_id:05d}",
        name=f"{rng.choice(ADJECTIVES)} {material} {noun}",
        description=f"{noun} in {material.lower()}, {category.name.lower()} range. Two-year guarantee.",
        category=category.name,
        price=price,
        cost=cost if active or rng.random() < 0.5 else None,
        active=active,
        created_at=created_at,
    )


def reprice(rng: random.Random, product: Product) -> Product:
    """A sale, a correction or a rise; always another price, never below cost."""
    factor = rng.choice((0.8, 0.85, 0.9, 0.95, 1.04, 1.06, 1.1, 1.2))
    price = money.price_point(max(int(product.price * factor), product.cost or 0))
    return replace(product, price=price if price != product.price else price + 100)


def recategorise(rng: random.Random, product: Product) -> Product:
    """The buyers move a product to another range; its text follows."""
    others = [c for c in CATEGORIES if c.name != product.category]
    category = rng.choice(others)
    return replace(product, category=category.name, description=f"Now in our {category.name.lower()} range. Two-year guarantee.")


def launch(product: Product, rng: random.Random) -> Product:
    cost = product.cost if product.cost is not None else int(product.price * rng.uniform(0.4, 0.65))
    return replace(product, active=True, cost=cost)
