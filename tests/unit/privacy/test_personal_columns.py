"""Which columns hold personal texts is a list; a new column that sounds like one must be put on it."""

from __future__ import annotations

import re

from schemas import tables, topics
from schemas.personal import EMPTIED, KEPT, MASKED, TEXTS

SOUNDS_PERSONAL = re.compile(r"mail|phone|full_name|first_name|last_name|street|address|city|zip|postcode|birth|^title$|^body$|^ip$")


def test_what_sounds_personal_is_erased() -> None:
    listed = {(t.name, c) for listing in (TEXTS, EMPTIED) for t, columns in listing.items() for c in columns}
    sounding = {(t.name, c.name) for t in tables.TABLES for c in t.columns if SOUNDS_PERSONAL.search(c.name)}
    assert sounding == listed


def test_outside_dim_customer_and_the_words_of_reviews_it_is_masked() -> None:
    outside = {(t.name, c) for listing in (TEXTS, EMPTIED) for t, columns in listing.items() for c in columns if t.key[0] == "customer_id"}
    assert {(name, c) for name, c in outside if name != tables.DIM_CUSTOMER.name} == MASKED


def test_what_is_listed_is_there() -> None:
    for listing in (TEXTS, EMPTIED):
        for table, columns in listing.items():
            assert set(columns) <= {c.name for c in table.columns}
            assert "customer_id" in {c.name for c in table.columns}
    assert KEPT.keys() <= {t.name for t in topics.TOPICS}
    assert not KEPT[topics.CUSTOMERS.name] & set(TEXTS[tables.DIM_CUSTOMER])
    assert not KEPT[topics.REVIEWS.name] & set(TEXTS[tables.REVIEWS])
