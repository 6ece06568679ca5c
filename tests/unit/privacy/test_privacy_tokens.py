"""What stands in the place of a person's words."""

from __future__ import annotations

import json

import pytest

from commerce360.privacy.tokens import NOTHING, TOKEN, Tokens

KEY = bytes(range(32))


def test_equal_texts_get_equal_tokens_and_others_get_others() -> None:
    tokens = Tokens(KEY)
    assert tokens.of("Ada") == tokens.of("Ada") == Tokens(KEY).of("Ada")
    assert len({tokens.of("Ada"), tokens.of("ada"), tokens.of("Ada "), Tokens(KEY[::-1]).of("Ada")}) == 4
    assert all(TOKEN.fullmatch(made) for made in tokens.made.values())


def test_a_token_stays_what_it_is_and_says_nothing_of_a_text() -> None:
    tokens = Tokens(KEY)
    made = tokens.of("Ada")
    assert Tokens(b"another").of(made) == made
    assert tokens.of(f"{made} and more") != f"{made} and more"
    assert "Ada" not in made


@pytest.mark.parametrize("text", sorted(NOTHING))
def test_what_means_that_a_value_did_not_change_keeps_its_meaning(text: str) -> None:
    assert Tokens(KEY).of(text) == text


def test_half_a_surrogate_pair_is_a_text_too() -> None:
    assert TOKEN.fullmatch(Tokens(KEY).of("\ud800"))


def test_of_a_row_only_what_is_kept_and_what_is_no_text_stays() -> None:
    tokens = Tokens(KEY)
    row = {"customer_id": 7, "full_name": "Ada", "city": None, "tier": "gold", "tags": ["Ada", {"nick": "A"}], "ok": True}
    assert tokens.row(row, {"tier"}) == {
        **row,
        "full_name": tokens.of("Ada"),
        "tags": [tokens.of("Ada"), {"nick": tokens.of("A")}],
    }


def test_an_object_in_json_keeps_its_fields_and_any_other_text_is_replaced_whole() -> None:
    tokens = Tokens(KEY)
    kept = '{"_id": "r1",  "rating": 5}'
    assert tokens.json(kept, {"_id"}) == kept
    assert json.loads(tokens.json('{"_id": "r1", "body": "Ädä"}', {"_id"})) == {"_id": "r1", "body": tokens.of("Ädä")}
    for broken in ("Ada wrote {", '["Ada"]', '"Ada"', "[" * 100_000):
        assert TOKEN.fullmatch(tokens.json(broken, {"_id"}))
