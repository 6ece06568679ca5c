from __future__ import annotations

import datetime as dt
import random
from dataclasses import asdict

import pytest

from producers import people
from producers.people import Customer, People

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def crew() -> People:
    return People(1, pool=20)


def customer(crew: People, rng: random.Random, number: int) -> Customer:
    return crew.meet(rng, number, NOW)


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (people.move, {"city", "country"}),
        (people.change_tier, {"tier"}),
        (people.change_consent, {"marketing_consent"}),
        (people.change_email, {"email"}),
    ],
)
def test_a_change_changes_something_and_only_what_it_says(crew: People, change: object, touched: set[str]) -> None:
    rng = random.Random(2)
    for number in range(300):
        before = customer(crew, rng, number)
        after = change(rng, before)  # type: ignore[operator]
        differing = {k for k, v in asdict(after).items() if v != asdict(before)[k]}
        assert differing
        assert differing <= touched


def test_tiers_go_one_step_at_a_time(crew: People) -> None:
    rng = random.Random(3)
    for number in range(200):
        before = customer(crew, rng, number)
        step = people.TIERS.index(people.change_tier(rng, before).tier) - people.TIERS.index(before.tier)
        assert abs(step) == 1


def test_names_become_plain_mail_addresses() -> None:
    assert [people.fold(n) for n in ("Jürgen", "Łukasz", "O'Brien", "Groß", "Søren", "Nuñez de la Fé")] == [
        "jurgen", "lukasz", "obrien", "gross", "soren", "nunezdelafe",
    ]  # fmt: skip
