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
from producers.truth import TRUTH, Truth

TONES = ("good", "mixed", "bad", "sarcastic")


@dataclass(frozen=True, slots=True)
class Review:
    rating: int
    title: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """What one language has for each tone. A body is a sentence on the product, often followed by others on quality, delivery or use."""

    titles: dict[str, list[str]]
    bodies: dict[str, list[str]]
    parts: dict[str, list[str]]
    places: dict[str, str]  # category -> where such a product is used


@cache
def phrases() -> dict[str, Phrases]:
    """By language. No title stands under two tones, so that a title tells the tone."""
    found = json.loads(resources.files(__package__).joinpath("phrases.json").read_text("utf-8"))
    return {language: Phrases(**said) for language, said in found.items()}


@cache
def tones() -> dict[tuple[str, str], str]:
    """(language, title) -> tone."""
    return {(language, t): tone for language, said in phrases().items() for tone, titles in said.titles.items() for t in titles}


def draw_review(rng: random.Random, customer: Customer, product: Product, truth: Truth = TRUTH) -> Review:
    rating = draw_rating(rng, product.product_id, truth)
    language = "en" if rng.random() < truth.reviews.foreign else BY_CODE[customer.country].language
    return write(rng, rating, language, product.name, product.category, truth)


def draw_rating(rng: random.Random, product_id: int, truth: Truth = TRUTH) -> int:
    """1 to 5 around the product's quality; people review what they love or hate more than what is so-so."""
    rule = truth.quality
    rating = round(1 + 4 * traits.quality_of(product_id, truth) + rng.gauss(0, rule.rating_noise))
    if rating == 3 and rng.random() < rule.undecided:
        rating += rng.choice((-1, 1))
    return min(5, max(1, rating))


def write(rng: random.Random, rating: int, language: str, product_name: str, category: str | None = None, truth: Truth = TRUTH) -> Review:
    tone = tone_of(rating)
    if tone == "bad" and rng.random() < truth.reviews.sarcasm:
        tone = "sarcastic"
    said = phrases()[language]
    words = [rng.choice(said.bodies[tone]), *rng.sample(said.parts[tone], rng.choice((0, 1, 1, 2)))]
    place = said.places.get(category or "")
    body = " ".join(w.format(product=product_name, place=place) for w in words if place or "{place}" not in w)
    return Review(rating, rng.choice(said.titles[tone]), body, language)


def tone_of(rating: int) -> str:
    """What the words of such a rating are, but for sarcasm."""
    return "good" if rating >= 4 else "mixed" if rating == 3 else "bad"


def edit(rng: random.Random, rating: int, language: str, product_name: str, category: str | None = None) -> Review:
    """Second thoughts: another rating (or the same one) and other words."""
    return write(rng, min(5, max(1, rating + rng.choice((-2, -1, 0, 1)))), language, product_name, category)


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
