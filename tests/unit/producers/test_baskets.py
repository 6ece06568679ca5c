from __future__ import annotations

import random
from collections import Counter
from statistics import mean

from producers import baskets, money, traits
from producers.baskets import Basket, Line, Order
from producers.world import World


def draw(world: World, count: int, seed: int = 1) -> list[Order]:
    rng = random.Random(seed)
    return [baskets.draw_order(rng, world, f"W-1-{n}") for n in range(count)]


def test_orders_have_one_to_four_different_products_and_sane_amounts(world: World) -> None:
    for order in draw(world, 3000):
        assert 1 <= len(order.lines) <= 4
        assert [line.line_no for line in order.lines] == list(range(1, len(order.lines) + 1))
        assert len({line.product_id for line in order.lines}) == len(order.lines)
        for line in order.lines:
            assert line.quantity >= 1
            assert 0 <= line.discount < line.quantity * line.unit_price


def test_loyal_customers_order_most_and_some_are_guests(world: World) -> None:
    orders = draw(world, 5000)
    guests = sum(o.customer_id is None for o in orders)
    assert 0.04 < guests / len(orders) < 0.10
    per_persona = Counter(traits.persona_of(o.customer_id).name for o in orders if o.customer_id is not None)
    assert per_persona["browser"] == 0
    assert per_persona["loyal"] > per_persona["gifter"]


def test_a_flash_sale_discounts_and_comes_back_more_often(world: World) -> None:
    orders = draw(world, 4000)
    sale = [o for o in orders if o.campaign_id == "flash-sale"]
    plain = [o for o in orders if o.campaign_id is None]
    assert all(line.discount for o in sale for line in o.lines)
    assert not any(line.discount for o in plain for line in o.lines)
    assert mean(map(baskets.chance_of_return, sale)) > 1.3 * mean(map(baskets.chance_of_return, plain))


def test_a_life_is_cancelled_or_paid_then_shipped_then_perhaps_returned(world: World) -> None:
    rng = random.Random(3)
    lives = Counter(tuple(s.status for s in baskets.life(rng, o)) for o in draw(world, 3000))
    assert set(lives) == {("cancelled",), ("paid", "shipped"), ("paid", "shipped", "returned")}


def test_an_order_follows_from_a_paid_basket_unless_everything_is_gone(world: World) -> None:
    rng = random.Random(1)
    sold = next(p for p in world.products.values() if p.active)
    unsold = next(p for p in world.products.values() if not p.active)
    order = baskets.order_of(rng, world, "W-1-1", Basket(12, "win-back", (sold.product_id, unsold.product_id)))
    assert order is not None
    assert (order.customer_id, order.campaign_id) == (12, "win-back")
    assert [line.product_id for line in order.lines] == [sold.product_id]
    assert baskets.order_of(rng, world, "W-1-2", Basket(12, None, (unsold.product_id,))) is None


def test_an_event_says_amounts_as_decimal_text() -> None:
    event = baskets.event(Order("W-1-1", 5, None, (Line(1, 9, 2, 1005, 7, 300),)), 123)
    assert event["lines"] == [{"line_no": 1, "product_id": 9, "quantity": 2, "unit_price": "10.05", "discount": "0.07"}]
    assert (event["event_id"], event["event_ts"]) == ("W-1-1/placed", 123)


def test_money_survives_the_way_to_the_database_and_back() -> None:
    assert all(money.cents(money.decimal(c)) == c and str(money.decimal(c)) == money.text(c) for c in (0, 1, 99, 100, 1005, 12_345_678))
