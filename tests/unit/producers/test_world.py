from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from producers import catalogue, traits
from producers.world import TRIES, World


def test_a_dearer_product_tempts_less_and_its_first_price_stays_the_measure(world: World) -> None:
    before, appeal = world.assortment.products[0], world.assortment.appeals[0]
    world.stock(replace(before, price=before.price * 2))
    after = world.assortment.appeals[0]
    elasticity = traits.CATEGORIES[before.category].elasticity
    assert abs(after / appeal - 2**elasticity) < 1e-9
    world.stock(before)
    assert world.assortment.appeals[0] == appeal


def test_people_with_a_bad_experience_stay_away_for_a_while(world: World) -> None:
    rng = random.Random(1)
    loyal = [c for c in world.customers if traits.persona_of(c).name == "loyal"]
    often = Counter(world.buyer(rng) for _ in range(5000))
    for customer_id in loyal:
        world.stay_away(customer_id, until_s=100.0)
    seldom = Counter(world.buyer(rng) for _ in range(5000))
    assert sum(seldom[c] for c in loyal) < 1.5 * sum(often[c] for c in loyal) ** TRIES / 5000 ** (TRIES - 1)
    world.let_back(100.0)
    again = Counter(world.buyer(rng) for _ in range(5000))
    assert sum(again[c] for c in loyal) > 0.8 * sum(often[c] for c in loyal)


def test_products_are_made_of_what_they_can_be_made_of() -> None:
    for category in catalogue.CATEGORIES:
        assert set(category.near) < set(traits.CATEGORIES)
        assert category.name not in category.near
        assert all(category.goods.values())
