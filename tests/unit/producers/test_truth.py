from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from commerce360.cli import reference
from producers import catalogue, truth_page
from producers.reviews import phrases
from producers.truth import TRUTH


def test_the_page_shows_the_parameters_as_they_are() -> None:
    assert reference.shop_model() == reference.SHOP_PAGE.read_text(encoding="utf-8"), "run `make docs`"


def test_another_parameter_is_another_page_and_another_digest() -> None:
    other = replace(TRUTH, churn=replace(TRUTH.churn, after_bad=0.5))
    assert other.digest() != TRUTH.digest()
    assert truth_page.tables(other) != truth_page.tables()


def test_each_parameter_says_what_it_is() -> None:
    for line in truth_page.tables().splitlines():
        if line.startswith("| `") and line.count("|") == 4 and "`share`" not in line:
            assert line.split("|")[3].strip() or "`name`" in line, line


def test_shares_are_shares() -> None:
    assert sum(p.share for p in TRUTH.personas) == pytest.approx(1)
    assert sum(share for *_, share in TRUTH.countries) == pytest.approx(1)
    assert sum(c.share for c in TRUTH.campaigns) < 1
    assert (len(TRUTH.seasons.hours), len(TRUTH.seasons.weekdays), len(TRUTH.seasons.months)) == (24, 7, 12)


def test_no_chance_goes_beyond_one() -> None:
    conversion = max(c.conversion for c in TRUTH.campaigns)
    assert TRUTH.funnel.checkout * conversion <= 1
    cheapest = min(TRUTH.prices.steps)
    steepest = min(c.elasticity for c in TRUTH.categories)
    assert max(p.cart_rate for p in TRUTH.personas) * (TRUTH.quality.appeal + 1) * cheapest**steepest <= 1


def test_the_lists_of_others_know_the_same_names() -> None:
    assert {c.name for c in TRUTH.categories} == {c.name for c in catalogue.CATEGORIES}
    assert {language for _, language, _ in TRUTH.countries} <= phrases().keys()
    listed = yaml.safe_load((reference.DOCS.parent / "schemas" / "campaigns.yaml").read_text("utf-8"))
    assert {c.campaign_id: c.discount_percent for c in TRUTH.campaigns} == {k: v["discount_percent"] for k, v in listed.items()}
