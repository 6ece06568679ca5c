"""What stands in the place of a person's values."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from commerce360.privacy.tokens import NOTHING, TOKEN, Tokens
from stream_jobs.scd2.change import canonical
from stream_jobs.values import plain
from stream_jobs.wire import PLACEHOLDER

KEY = bytes(range(32))
NEW = {
    "phone": 49_171_555,
    "photo": b"\x01\x02",
    "nicknames": ["Ada", "Countess"],
    "born": dt.date(1815, 12, 10),
    "seen": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "score": 1.5,
    "whole": 7.0,
    "debt": Decimal("12.50"),
    "address": {"street": "St James's Square", "number": 12},
}


def test_equal_texts_get_equal_tokens_and_others_get_others() -> None:
    tokens = Tokens(KEY)
    assert tokens.of("Ada") == tokens.of("Ada") == Tokens(KEY).of("Ada")
    assert len({tokens.of("Ada"), tokens.of("ada"), tokens.of("Ada "), Tokens(KEY[::-1]).of("Ada")}) == 4
    assert all(TOKEN.fullmatch(made) for made in tokens.made.values())


def test_a_token_stays_what_it_is_and_says_nothing_of_a_text() -> None:
    made = Tokens(KEY).of("Ada")
    assert Tokens(b"another").of(made) == made
    assert Tokens(KEY).of(f"{made} and more") != f"{made} and more"
    assert "Ada" not in made


@pytest.mark.parametrize("text", sorted(NOTHING))
def test_what_means_that_a_value_did_not_change_keeps_its_meaning(text: str) -> None:
    assert Tokens(KEY).of(text) == text


def test_half_a_surrogate_pair_is_a_text_too() -> None:
    assert TOKEN.fullmatch(Tokens(KEY).of("\ud800"))


def test_of_an_image_only_what_is_kept_stays_and_types_do() -> None:
    row = {"customer_id": 7, "full_name": "Ada", "city": None, "tier": "gold", "vip": True, **NEW}
    made = Tokens(KEY).image(row, {"customer_id", "tier"})
    assert {k: v for k, v in made.items() if v == row[k]} == {"customer_id": 7, "city": None, "tier": "gold", "vip": True}
    assert {k: type(v) for k, v in made.items()} == {k: type(v) for k, v in row.items()}
    assert made["address"].keys() == {"street", "number"}
    assert TOKEN.fullmatch(made["address"]["street"])
    assert len(made["nicknames"]) == 2


def test_an_image_that_was_erased_stays_whatever_the_key() -> None:
    made = Tokens(KEY).image({"full_name": "Ada", **NEW}, ())
    assert Tokens(b"another").image(made, ()) == made
    assert Tokens(b"another").plain_image(plain(made), ()) == plain(made)


@pytest.mark.parametrize("value", [PLACEHOLDER.encode(), [PLACEHOLDER], {PLACEHOLDER: PLACEHOLDER}])
def test_a_value_that_was_not_sent_stays_one(value: Any) -> None:
    assert Tokens(KEY).image({"photo": value}, ()) == {"photo": value}


@pytest.mark.parametrize("column", NEW)
def test_a_table_and_a_text_get_what_the_record_got(column: str) -> None:
    """The lake has values as JSON has them, nested ones as texts: folded again from bronze they must come out the same."""
    tokens = Tokens(KEY)
    made = tokens.image({column: NEW[column]}, ())
    assert tokens.plain_image({column: plain(NEW[column])}, ()) == {column: plain(made[column])}
    nested = isinstance(NEW[column], dict | list)
    held, became = (canonical(plain(v)) if nested else plain(v) for v in (NEW[column], made[column]))
    assert tokens.plain_value(held) == became


def test_a_column_of_floats_that_got_whole_numbers() -> None:
    tokens = Tokens(KEY)
    made = tokens.image({"score": 7}, ())
    assert tokens.plain_value(7.0) == float(made["score"])


def test_fields_of_a_document_that_nobody_knows_are_emptied() -> None:
    tokens = Tokens(KEY)
    document = {"_id": "r1", "rating": 5, "phone": 49_171, "vip": True, "note": None, "tags": ["Ada"]}
    made = {"_id": "r1", "rating": 5, "phone": 0, "vip": False, "note": None, "tags": [tokens.of("Ada")]}
    assert tokens.document(document, {"_id", "rating"}) == made


def test_an_object_in_json_keeps_its_fields_and_any_other_text_is_replaced_whole() -> None:
    tokens = Tokens(KEY)
    kept = '{"_id": "r1",  "rating": 0}'
    assert tokens.json(kept, {"_id"}) == kept
    assert json.loads(tokens.json('{"_id": "r1", "body": "Ädä"}', {"_id"})) == {"_id": "r1", "body": tokens.of("Ädä")}
    for broken in ("Ada wrote {", '["Ada"]', '"Ada"', "[" * 100_000):
        assert TOKEN.fullmatch(tokens.json(broken, {"_id"}))
