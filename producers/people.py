"""Customers: names of their country, and the changes that a life brings."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from dataclasses import dataclass, replace

from producers import traits
from producers.truth import TRUTH

TIERS = tuple(t.name for t in TRUTH.tiers)
MAIL = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")  # reserved for examples, RFC 2606
_FOLD = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "Ae", "đ": "d", "ð": "d", "þ": "th"})


@dataclass(frozen=True, slots=True)
class Customer:
    customer_id: int
    email: str | None
    full_name: str
    city: str | None
    country: str
    tier: str
    marketing_consent: bool
    points: int
    last_login_at: dt.datetime | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    locale: str
    language: str
    share: float
    cities: tuple[str, ...]


_PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "DE": ("de_DE", ("Berlin", "Hamburg", "München", "Köln", "Leipzig", "Freiburg", "Bremen", "Nürnberg", "Kassel")),
    "FR": ("fr_FR", ("Paris", "Lyon", "Marseille", "Nantes", "Lille", "Bordeaux", "Rennes", "Besançon", "Orléans")),
    "GB": ("en_GB", ("London", "Manchester", "Leeds", "Bristol", "Edinburgh", "Cardiff", "York", "Norwich")),
    "IT": ("it_IT", ("Milano", "Roma", "Torino", "Bologna", "Napoli", "Firenze", "Forlì", "Genova")),
    "ES": ("es_ES", ("Madrid", "Barcelona", "Valencia", "Sevilla", "Málaga", "Bilbao", "A Coruña", "Cádiz")),
    "NL": ("nl_NL", ("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Groningen", "Leiden", "Zwolle")),
    "AT": ("de_AT", ("Wien", "Graz", "Linz", "Salzburg", "Innsbruck")),
    "IE": ("en_IE", ("Dublin", "Cork", "Galway", "Limerick")),
}
COUNTRIES = tuple(Country(code, _PLACES[code][0], language, share, _PLACES[code][1]) for code, language, share in TRUTH.countries)
BY_CODE = {c.code: c for c in COUNTRIES}
_SHARES = [c.share for c in COUNTRIES]


@dataclass(frozen=True, slots=True)
class Names:
    first: tuple[str, ...]
    last: tuple[str, ...]


class People:
    """Makes customers. The name pools are built once, by Faker; a customer then costs a few microseconds."""

    def __init__(self, seed: int, pool: int = 120) -> None:
        from faker import Faker

        self._names: dict[str, Names] = {}
        for at, country in enumerate(COUNTRIES):
            fake = Faker(country.locale)
            fake.seed_instance(seed + at)
            # A person's names only: no titles, no second surname, so that both parts make an address.
            first, last = (tuple(call() for _ in range(pool)) for call in (fake.first_name, fake.last_name))
            self._names[country.code] = Names(first, last)

    def meet(self, rng: random.Random, customer_id: int, created_at: dt.datetime, last_login_at: dt.datetime | None = None) -> Customer:
        """A new customer; tier and points fit how often their persona buys."""
        country = rng.choices(COUNTRIES, _SHARES)[0]
        names = self._names[country.code]
        first, last = rng.choice(names.first), rng.choice(names.last)
        loyalty = min(3, int(rng.expovariate(1.6) * (0.6 + traits.persona_of(customer_id).order_weight * 0.6)))
        return Customer(
            customer_id=customer_id,
            email=None if rng.random() < 0.02 else address(rng, first, last),
            full_name=f"{first} {last}",
            city=None if rng.random() < 0.01 else rng.choice(country.cities),
            country=country.code,
            tier=TIERS[loyalty],
            marketing_consent=rng.random() < 0.55,
            points=loyalty * 500 + rng.randint(0, 499),
            last_login_at=last_login_at,
            created_at=created_at,
        )

    def marry(self, rng: random.Random, customer: Customer) -> Customer:
        """A new surname; the mail address stays."""
        return replace(customer, full_name=f"{customer.full_name.split(' ', 1)[0]} {rng.choice(self._names[customer.country].last)}")


def address(rng: random.Random, first: str, last: str) -> str:
    return f"{fold(first)}.{fold(last)}{rng.randint(1, 9999)}@{rng.choice(MAIL)}"


def fold(name: str) -> str:
    """`Jürgen` -> `jurgen`: ASCII letters and digits of a name."""
    plain = unicodedata.normalize("NFKD", name.translate(_FOLD))
    return "".join(c for c in plain.lower() if c.isascii() and c.isalnum())


def move(rng: random.Random, customer: Customer) -> Customer:
    """To another city, one in twelve to another country."""
    country = BY_CODE[customer.country] if rng.random() > 1 / 12 else rng.choice(COUNTRIES)
    city = rng.choice([c for c in country.cities if c != customer.city])
    return replace(customer, city=city, country=country.code)


def change_tier(rng: random.Random, customer: Customer) -> Customer:
    """One step, more often up than down; always a change."""
    at = TIERS.index(customer.tier)
    up = at == 0 or (at < len(TIERS) - 1 and rng.random() < 0.7)
    return replace(customer, tier=TIERS[at + (1 if up else -1)])


def change_consent(_: random.Random, customer: Customer) -> Customer:
    return replace(customer, marketing_consent=not customer.marketing_consent)


def change_email(rng: random.Random, customer: Customer) -> Customer:
    first, _, last = customer.full_name.partition(" ")
    return replace(customer, email=address(rng, first, last))
