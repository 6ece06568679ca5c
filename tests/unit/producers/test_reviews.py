from __future__ import annotations

import random

import pytest

from producers import reviews
from producers.people import COUNTRIES


@pytest.mark.parametrize("language", sorted({c.language for c in COUNTRIES}))
@pytest.mark.parametrize("rating", [1, 2, 3, 4, 5])
def test_there_are_words_for_every_rating_in_every_language(language: str, rating: int) -> None:
    rng = random.Random(rating)
    tones = {1: ("bad", "sarcastic"), 2: ("bad", "sarcastic"), 3: ("mixed",), 4: ("good",), 5: ("good",)}[rating]
    allowed = {t for tone in tones for t in reviews.phrases()[language][tone]["titles"]}
    for _ in range(40):
        said = reviews.write(rng, rating, language, "Oak Kettle")
        assert said.title in allowed
        assert said.body
        assert "{" not in said.body
        assert (said.rating, said.language) == (rating, language)


def test_an_edit_stays_a_rating() -> None:
    rng = random.Random(1)
    assert {reviews.edit(rng, r, "en", "Kettle").rating for r in (1, 5) for _ in range(50)} == {1, 2, 3, 4, 5}
