from __future__ import annotations

import random
from statistics import mean

from producers import baskets, sessions, traits
from producers.documents import CLICKS_A_VISIT
from producers.sessions import Visit
from producers.world import World


def draw(world: World, count: int = 4000) -> list[Visit]:
    rng = random.Random(5)
    return [sessions.draw_visit(rng, world, f"s-{n}") for n in range(count)]


def test_the_average_visit_is_as_long_as_the_pacing_believes(world: World) -> None:
    assert abs(mean(len(v.clicks) for v in draw(world)) / CLICKS_A_VISIT - 1) < 0.1


def test_clicks_of_a_visit_move_forward_and_share_visitor_device_and_campaign(world: World) -> None:
    for visit in draw(world, 500):
        times = [c.at_s for c in visit.clicks]
        assert times == sorted(times)
        assert times[0] == 0
        for same in ("session_id", "visitor_id", "device", "campaign_id"):
            assert len({c.fields[same] for c in visit.clicks}) == 1


def test_anonymous_visitors_become_known_when_they_log_in_and_not_before(world: World) -> None:
    stitched = 0
    for visit in draw(world):
        known = [c.fields["customer_id"] for c in visit.clicks]
        types = [c.fields["event_type"] for c in visit.clicks]
        if "login" in types:
            at = types.index("login")
            assert set(known[:at]) == {None}
            assert None not in known[at:]
            stitched += 1
        else:
            assert len(set(known)) == 1
    assert stitched > 100


def test_a_customer_s_browser_keeps_its_visitor_id(world: World) -> None:
    by_customer: dict[int, set[str]] = {}
    for visit in draw(world):
        for click in visit.clicks:
            if click.fields["customer_id"] is not None:
                by_customer.setdefault(click.fields["customer_id"], set()).add(click.fields["visitor_id"])
    assert by_customer
    assert all(len(found) == 1 for found in by_customer.values())


def test_paid_baskets_hold_what_was_put_into_the_cart(world: World) -> None:
    paid = [v for v in draw(world) if v.basket]
    assert paid
    for visit in paid:
        assert visit.basket is not None
        carted = {c.fields["product_id"] for c in visit.clicks if c.fields["event_type"] == "cart"}
        assert set(visit.basket.product_ids) == carted
        assert visit.clicks[-1].fields["event_type"] == "checkout"
        assert visit.basket.customer_id is None or traits.persona_of(visit.basket.customer_id).order_weight > 0


def test_more_carts_are_abandoned_than_paid(world: World) -> None:
    visits = draw(world)
    carts = sum(any(c.fields["event_type"] == "cart" for c in v.clicks) for v in visits)
    paid = sum(v.basket is not None for v in visits)
    assert 0.1 < paid / carts < 0.5


def test_the_visit_behind_an_order_shows_its_products_and_is_its_visitor_s(world: World) -> None:
    rng = random.Random(8)
    for number in range(200):
        order = baskets.draw_order(rng, world, f"W-1-{number}")
        visit = sessions.visit_of(rng, order, "s-1")
        assert visit.basket is None
        assert {c.fields["visitor_id"] for c in visit.clicks} == {order.visitor_id}
        assert {c.fields["campaign_id"] for c in visit.clicks} == {order.campaign_id}
        assert [c.fields["product_id"] for c in visit.clicks if c.fields["event_type"] == "cart"] == [x.product_id for x in order.lines]
        assert visit.clicks[-1].fields["event_type"] == "checkout"
        if order.customer_id is not None:
            assert order.visitor_id == traits.app_cookie_of(order.customer_id) != traits.cookie_of(order.customer_id)
