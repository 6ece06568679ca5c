"""Product reviews: a rating that follows the product's quality, and a text in the customer's language that agrees with it."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from producers import traits
from producers.catalogue import Product
from producers.people import BY_CODE, Customer

SARCASM_SHARE = 0.06  # of bad reviews: the words praise, the rating does not
FOREIGN_SHARE = 0.08  # written in English, whatever the country


@dataclass(frozen=True, slots=True)
class Review:
    rating: int
    title: str
    body: str
    language: str


@cache
def phrases() -> dict[str, dict[str, dict[str, list[str]]]]:
    """language -> tone -> titles and bodies."""
    found: dict[str, dict[str, dict[str, list[str]]]] = json.loads(resources.files(__package__).joinpath("phrases.json").read_text("utf-8"))
    return found


def draw_review(rng: random.Random, customer: Customer, product: Product) -> Review:
    rating = draw_rating(rng, product.product_id)
    language = "en" if rng.random() < FOREIGN_SHARE else BY_CODE[customer.country].language
    return write(rng, rating, language, product.name)


def draw_rating(rng: random.Random, product_id: int) -> int:
    """1 to 5 around the product's quality; people review what they love or hate more than what is so-so."""
    rating = round(1 + 4 * traits.quality_of(product_id) + rng.gauss(0, 0.8))
    if rating == 3 and rng.random() < 0.4:
        rating += rng.choice((-1, 1))
    return min(5, max(1, rating))


def write(rng: random.Random, rating: int, language: str, product_name: str) -> Review:
    tone = "good" if rating >= 4 else "mixed" if rating == 3 else "bad"
    if tone == "bad" and rng.random() < SARCASM_SHARE:
        tone = "sarcastic"
    said = phrases()[language][tone]
    return Review(rating, rng.choice(said["titles"]), rng.choice(said["bodies"]).format(product=product_name), language)


def edit(rng: random.Random, rating: int, language: str, product_name: str) -> Review:
    """Second thoughts: another rating (or the same one) and other words."""
    return write(rng, min(5, max(1, rating + rng.choice((-2, -1, 0, 1)))), language, product_name)


def document(review_id: str, customer_id: int, product_id: int, review: Review, reviewed_at: dt.datetime) -> dict[str, Any]:
    return {
        "_id": review_id,
        "product_id": product_id,
        "customer_id": customer_id,
        "rating": review.rating,
        "title": review.title,
        "body": review.body,
        "language": review.language,
        "reviewed_at": reviewed_at,
    }
