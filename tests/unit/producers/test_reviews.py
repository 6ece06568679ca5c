from __future__ import annotations

import random

import pytest

from producers import reviews
from producers.catalogue import CATEGORIES
from producers.people import COUNTRIES


@pytest.mark.parametrize("language", sorted({c.language for c in COUNTRIES}))
@pytest.mark.parametrize("rating", [1, 2, 3, 4, 5])
def test_there_are_words_for_every_rating_in_every_language(language: str, rating: int) -> None:
    rng = random.Random(rating)
    tones = {1: ("bad", "sarcastic"), 2: ("bad", "sarcastic"), 3: ("mixed",), 4: ("good",), 5: ("good",)}[rating]
    allowed = {t for tone in tones for t in reviews.phrases()[language].titles[tone]}
    for _ in range(40):
        said = reviews.write(rng, rating, language, "Oak Kettle", "Kitchen")
        assert said.title in allowed
        assert said.body
        assert "{" not in said.body
        assert (said.rating, said.language) == (rating, language)


@pytest.mark.parametrize("language", sorted({c.language for c in COUNTRIES}))
def test_a_title_tells_its_tone_and_texts_differ(language: str) -> None:
    said = reviews.phrases()[language]
    titles = [t for tone in reviews.TONES for t in said.titles[tone]]
    assert len(titles) == len(set(titles))
    rng = random.Random(1)
    assert len({reviews.write(rng, 5, language, "Oak Kettle", c.name).body for c in CATEGORIES for _ in range(30)}) > 60
    assert set(said.places) == {c.name for c in CATEGORIES}


def test_a_text_without_a_category_says_nothing_of_where() -> None:
    rng = random.Random(1)
    assert not any("None" in reviews.write(rng, r, "en", "Oak Kettle").body for r in (1, 3, 5) for _ in range(100))


def test_an_edit_stays_a_rating() -> None:
    rng = random.Random(1)
    assert {reviews.edit(rng, r, "en", "Kettle").rating for r in (1, 5) for _ in range(50)} == {1, 2, 3, 4, 5}
