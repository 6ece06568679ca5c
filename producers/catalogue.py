"""The assortment: products with names, prices and costs that fit their category, and what happens to them."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace

from producers import money, traits


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
    goods: dict[str, tuple[str, ...]]  # what there is, and what it is made of or made for
    price: tuple[int, int]  # cents: middle of the range of half of the products
    near: tuple[str, ...]  # ranges that the buyers may move a product to


CATEGORIES = (
    Category("Kitchen", "KIT", {
        "Saucepan": ("Steel", "Cast-iron", "Copper"), "Chef's Knife": ("Steel", "Damascus", "Ceramic"),
        "Espresso Maker": ("Steel", "Aluminium"),
        "Mixing Bowl": ("Steel", "Ceramic", "Glass"), "Cutting Board": ("Walnut", "Oak", "Bamboo"),
        "Kettle": ("Steel", "Copper", "Enamel"),
        "Teapot": ("Cast-iron", "Ceramic", "Glass"), "Frying Pan": ("Steel", "Cast-iron", "Copper"),
    }, (2_500, 9_000), ("Garden",)),
    Category("Garden", "GRD", {
        "Watering Can": ("Zinc", "Copper", "Recycled"), "Pruning Shears": ("Steel", "Carbon-steel"),
        "Planter": ("Terracotta", "Oak", "Zinc"),
        "Garden Lamp": ("Solar", "Brass"), "Hand Trowel": ("Steel", "Ash-handled"), "Bird Feeder": ("Oak", "Zinc", "Recycled"),
        "Garden Bench": ("Oak", "Acacia"),
    }, (1_500, 6_000), ("Kitchen", "Toys")),
    Category("Clothing", "CLO", {
        "Jacket": ("Denim", "Wool", "Waxed-cotton"), "Jumper": ("Merino", "Wool", "Organic Cotton"),
        "T-Shirt": ("Organic Cotton", "Linen", "Merino"),
        "Scarf": ("Merino", "Wool", "Silk"), "Trousers": ("Linen", "Denim", "Corduroy"), "Raincoat": ("Waxed-cotton", "Recycled"),
        "Shirt": ("Linen", "Organic Cotton", "Flannel"),
    }, (2_500, 11_000), ("Sports",)),
    Category("Electronics", "ELE", {
        "Headphones": ("Wireless", "Studio", "Travel"), "Desk Lamp": ("Compact", "Dimmable"),
        "Speaker": ("Wireless", "Studio", "Travel"),
        "Charger": ("Wireless", "Travel", "Compact"), "Keyboard": ("Wireless", "Compact", "Mechanical"),
        "E-Reader": ("Slim", "Backlit"),
        "Webcam": ("Compact", "Wide-angle"),
    }, (4_000, 24_000), ("Sports", "Toys")),
    Category("Books", "BOO", {
        "Cookbook": ("Illustrated", "Pocket", "Vegetarian"), "Atlas": ("Illustrated", "Large-print", "Pocket"),
        "Field Guide": ("Illustrated", "Pocket"),
        "Crime Novel": ("Signed", "Pocket", "Large-print"), "Biography": ("Signed", "Annotated", "Large-print"),
        "Picture Book": ("Illustrated", "Signed"),
    }, (900, 3_200), ("Toys",)),
    Category("Toys", "TOY", {
        "Building Blocks": ("Wooden", "Magnetic", "Giant"), "Train Set": ("Wooden", "Classic"),
        "Puzzle": ("Wooden", "Giant", "Classic"),
        "Marble Run": ("Wooden", "Magnetic", "Giant"), "Puppet": ("Felt", "Knitted"),
        "Board Game": ("Classic", "Travel", "Cooperative"),
    }, (1_500, 5_500), ("Books", "Sports")),
    Category("Sports", "SPO", {
        "Yoga Mat": ("Cork", "Natural-rubber"), "Daypack": ("Ultralight", "All-weather"), "Water Bottle": ("Insulated", "Steel"),
        "Bike Light": ("Rechargeable", "Compact"), "Running Vest": ("Reflective", "Ultralight"),
        "Dumbbell Set": ("Cast-iron", "Adjustable"),
    }, (1_800, 8_500), ("Clothing",)),
    Category("Beauty", "BEA", {
        "Hand Cream": ("Lavender", "Olive", "Oat"), "Face Oil": ("Rose", "Olive", "Argan"),
        "Shampoo Bar": ("Lavender", "Oat", "Rosemary"),
        "Bath Salt": ("Lavender", "Sea-salt", "Rose"), "Soap Set": ("Olive", "Lavender", "Rose"),
        "Lip Balm": ("Honey", "Rose", "Mint"),
    }, (700, 3_000), ("Kitchen",)),
)  # fmt: skip
BY_NAME = {c.name: c for c in CATEGORIES}
ADJECTIVES = ("Everyday", "Nordic", "Heritage", "Little", "Grand", "Simple", "Bright", "Alpine", "Harbour", "Favourite")
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
    noun = rng.choice(tuple(category.goods))
    material = rng.choice(category.goods[noun])
    low, high = category.price
    price = money.price_point(int(low * (high / low) ** rng.gauss(0.5, 0.35)))
    cost = int(price * min(0.9, max(0.15, rng.gauss(traits.CATEGORIES[category.name].cost_share, 0.06))))
    return Product(
        product_id=product_id,
        sku=f"{category.code}-{product_id:05d}",
        name=f"{rng.choice(ADJECTIVES)} {material} {noun}",
        description=f"{material} {noun.lower()} from our {category.name.lower()} range. Free returns within 30 days.",
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
    """The buyers move a product to a range that is near; its text follows."""
    near = rng.choice(BY_NAME[product.category].near)
    return replace(product, category=near, description=f"Now in our {near.lower()} range. Free returns within 30 days.")


def launch(product: Product, rng: random.Random) -> Product:
    cost = product.cost if product.cost is not None else int(product.price * rng.uniform(0.4, 0.65))
    return replace(product, active=True, cost=cost)
