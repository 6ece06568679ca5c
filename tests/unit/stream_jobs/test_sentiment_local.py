"""The local scorer against reviews that it was not made from: the sign that a person would give."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib import resources

import pytest

from stream_jobs.sentiment.local import LocalScorer, Reader, lexicons
from stream_jobs.sentiment.scorer import Verdict
from stream_jobs.sentiment.text import Text

GOOD = {
    "en": [("Lovely lamp", "Sturdy, gives a warm light and was easy to set up."), ("Very happy", "My kids adore this backpack.")],
    "de": [("Klasse Kauf", "Der Rucksack ist stabil, sieht schick aus und kam pünktlich an."), ("", "Nicht schlecht, gefällt mir.")],
    "fr": [("Superbe", "Le sac est robuste, très pratique et vraiment joli."), ("J’adore", "Un coussin doux et confortable.")],
    "it": [("Perfetto", "Lo zaino è robusto, molto comodo e davvero bello."), ("Un’ottima scelta", "Cuscino morbido.")],
    "es": [("Perfecta", "La mochila es robusta, muy cómoda y bonita."), ("Me encanta", "Un cojín suave, estoy muy contento.")],
    "nl": [("Geweldig", "De rugzak is stevig, erg handig en echt mooi."), ("Heerlijk", "Een zacht kussen, ik ben er heel tevreden over.")],
}
BAD = {
    "en": [("Rubbish", "The handle came off on day one and the refund took ages."), ("Not good", "It does not work, the seller was rude.")],
    "de": [("Finger weg", "Der Griff ist abgebrochen, eine Frechheit."), ("Nicht gut", "Die Naht ist gerissen und der Stoff stinkt.")],
    "fr": [("Une honte", "La poignée s'est déchirée le premier jour."), ("Pas bon", "La lampe ne marche plus, je suis déçue.")],
    "it": [("Pessimo", "La maniglia si è rotta il primo giorno."), ("Non va bene", "La lampada non funziona più e il tessuto puzza.")],
    "es": [("Una estafa", "El asa se rompió el primer día."), ("No es buena", "La lámpara no funciona y la tela apesta.")],
    "nl": [("Waardeloos", "Het handvat ging de eerste dag kapot."), ("Niet goed", "De lamp werkt niet meer en de stof stinkt.")],
}


@pytest.fixture(scope="module")
def scorer() -> LocalScorer:
    return LocalScorer()


def score(scorer: LocalScorer, title: str, body: str, language: str) -> Verdict:
    (verdict,) = scorer.score([Text.of(title, body, language)])
    return verdict


@pytest.mark.parametrize("language", GOOD)
def test_praise_is_positive_and_complaint_is_negative(scorer: LocalScorer, language: str) -> None:
    known = resources.files("producers").joinpath("phrases.json").read_text("utf-8")
    for _, body in (*GOOD[language], *BAD[language]):
        assert body not in known
    assert {score(scorer, *said, language).label for said in GOOD[language]} == {"positive"}
    assert {score(scorer, *said, language).label for said in BAD[language]} == {"negative"}


def test_a_score_is_decimal_text_and_its_label_follows_from_it(scorer: LocalScorer) -> None:
    for language in GOOD:
        for said in (*GOOD[language], *BAD[language], ("Tisch", "0815")):
            verdict = score(scorer, *said, language)
            assert verdict.score is not None
            value = Decimal(verdict.score)
            assert value.as_tuple().exponent == -4
            assert abs(value) <= 1
            expected = "positive" if value >= Decimal("0.05") else "negative" if value <= Decimal("-0.05") else "neutral"
            assert verdict.label == expected


def test_a_text_that_says_nothing_is_neutral(scorer: LocalScorer) -> None:
    assert score(scorer, "", "", "de")[:2] == ("neutral", "0.0000")


@pytest.mark.parametrize(
    ("language", "less", "more"),
    [
        ("de", "Die Lampe ist gut", "Die Lampe ist sehr gut"),
        ("fr", "La lampe est bonne", "La lampe est très bonne"),
        ("it", "La lampada è bella", "La lampada è molto bella"),
        ("es", "La lámpara es bonita", "La lámpara es muy bonita"),
        ("nl", "De lamp is mooi", "De lamp is heel mooi"),
        ("de", "Die Lampe ist gut", "Die Lampe ist GUT"),
        ("de", "Die Lampe ist gut", "Die Lampe ist gut!!!"),
        ("nl", "De lamp is mooi", "De lamp is mooi 😍"),
        ("fr", "La lampe est bonne", "La lampe est bonne :)"),
    ],
)
def test_emphasis_counts(scorer: LocalScorer, language: str, less: str, more: str) -> None:
    assert Decimal(score(scorer, "", more, language).score or 0) > Decimal(score(scorer, "", less, language).score or 0) > 0


@pytest.mark.parametrize(
    ("language", "text"), [("de", "Die war für die Art"), ("es", "No son para la pie"), ("fr", "Le but est dans la fin")]
)
def test_a_word_of_another_language_is_not_taken_for_an_english_one(scorer: LocalScorer, language: str, text: str) -> None:
    assert score(scorer, "", text, language).score == "0.0000"


def test_a_stem_is_not_found_in_a_longer_word(scorer: LocalScorer) -> None:
    assert score(scorer, "", "Gutes Tuch", "de").label == "positive"
    assert score(scorer, "", "Gutschein", "de").score == "0.0000"


def test_a_language_that_nobody_taught_it_is_an_error_and_none_is_english(scorer: LocalScorer) -> None:
    assert score(scorer, "Dobra", "lampa", "pl")[:3] == (None, None, "UnsupportedLanguageCode")
    assert score(scorer, "Great", "lamp", "")[:2] == score(scorer, "Great", "lamp", "en")[:2]
    assert score(scorer, "Tolle", "Lampe", "de-AT").label == "positive"


def test_the_version_changes_with_the_lexicon(scorer: LocalScorer) -> None:
    package, digest = scorer.version.split("+")
    assert package == "3.3.2"
    assert len(digest) == 8
    assert score(scorer, "", "gut", "de").model_version == scorer.version


def test_every_word_of_a_lexicon_is_heard() -> None:
    """None is hidden by another entry, and none stands there twice."""
    text = resources.files("stream_jobs.sentiment").joinpath("lexicons.json").read_text("utf-8")

    def no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs), sorted(k for k, _ in pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=no_repeats)
    for language, lexicon in lexicons().items():
        reader = Reader(lexicon, own_words_only=language != "en")
        for entry, valence in lexicon["words"].items():
            heard = reader.compound(entry.removesuffix("*"))
            assert (heard > 0) == (valence > 0), (language, entry, heard)
