from itertools import pairwise

from warehouse.tail import Place


def test_a_place_survives_its_token_and_places_are_in_the_order_of_the_log():
    places = [Place(-1, -1), Place(0, 0), Place(2, 9), Place(2, 10), Place(10, 0)]
    assert [Place.parse(p.token()) for p in places] == places
    assert all(before < after for before, after in pairwise(places))


def test_a_channel_without_a_token_is_before_everything():
    assert Place.parse(None) == Place.parse("") < Place(0, 0)
