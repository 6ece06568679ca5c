"""The next versioned migration from what differs between the tables that are built and the contract."""

from dataclasses import replace

import pytest

from commerce360.errors import ConfigError
from warehouse import catalog
from warehouse.catalog import Column
from warehouse.draft import file_name, statements
from warehouse.scripts import Script

NAME = "RAW.FCT_REVIEWS"


@pytest.fixture
def wanted():
    return catalog.contract()


def changed(wanted, **changes):
    return replace(wanted, relations={**wanted.relations, NAME: replace(wanted.relations[NAME], **changes)})


def with_columns(wanted, edit):
    return changed(wanted, columns=tuple(edit(list(wanted.relations[NAME].columns))))


def test_nothing_differs_nothing_is_written(wanted):
    assert statements(wanted, wanted) == []


def test_a_table_that_is_missing_is_made_whole(wanted):
    built = replace(wanted, relations={n: r for n, r in wanted.relations.items() if n != NAME})
    (made,) = statements(built, wanted)
    assert made.startswith("CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_REVIEWS (")
    assert "ERROR_LOGGING = TRUE" in made
    assert all(f'"{c.name}" ' in made for c in wanted.relations[NAME].columns)


def test_a_new_column_a_looser_one_and_changed_comments_are_written(wanted):
    column = wanted.relations[NAME].columns[0]

    def older(columns):
        return [replace(column, comment="was"), replace(columns[1], nullable=False), *columns[2:-1]]

    last = wanted.relations[NAME].columns[-2]
    built = with_columns(
        wanted, lambda cs: [c for c in older([*cs[:1], replace(cs[1], nullable=True), *cs[2:]]) if c.name != last.name] + cs[-1:]
    )
    built = changed(built, comment="old", cluster_by=("REVIEW_ID",))
    target = with_columns(wanted, lambda cs: [cs[0], replace(cs[1], nullable=True), *cs[2:]])
    assert statements(built, target) == [
        f"COMMENT ON TABLE {{{{ database }}}}.{NAME} IS '{wanted.relations[NAME].comment}'",
        f"COMMENT ON COLUMN {{{{ database }}}}.{NAME}.{column.name} IS '{column.comment}'",
        f"ALTER TABLE {{{{ database }}}}.{NAME} ALTER COLUMN {target.relations[NAME].columns[1].name} DROP NOT NULL",
        f"ALTER TABLE {{{{ database }}}}.{NAME} ADD COLUMN IF NOT EXISTS \"{last.name}\" {last.type} COMMENT '{last.comment}'",
        f"ALTER TABLE {{{{ database }}}}.{NAME} DROP CLUSTERING KEY",
    ]


def refusals(wanted):
    columns = wanted.relations[NAME].columns
    rating = next(c for c in columns if c.name == "RATING")
    yield with_columns(wanted, lambda cs: [*cs, Column("GONE", "VARCHAR", True, "")]), "has no GONE any more"
    yield with_columns(wanted, lambda cs: [replace(c, type="VARCHAR") if c == rating else c for c in cs]), "RATING is VARCHAR and shall be"
    yield with_columns(wanted, lambda cs: [replace(c, nullable=True) for c in cs]), "shall not be NULL any more"
    yield with_columns(wanted, lambda cs: [c for c in cs if c.name != "REVIEW_ID"]), "new and not nullable"
    other = replace(wanted.relations[NAME], name="RAW.OLD")
    yield replace(wanted, relations={**wanted.relations, "RAW.OLD": other}), "RAW.OLD left the contract"


@pytest.mark.parametrize("number", range(5))
def test_what_would_lose_rows_or_cannot_be_done_is_refused_with_table_and_column(wanted, number):
    built, words = list(refusals(wanted))[number]
    with pytest.raises(ConfigError, match=words) as caught:
        statements(built, wanted)
    assert caught.value.hint


def test_the_next_version_follows_the_newest_one():
    found = [Script("V1.2.0__a.sql", ""), Script("V1.10.0__b.sql", ""), Script("R__c.sql", "")]
    assert file_name("add_birthday", found) == "V1.11.0__add_birthday.sql"
    for words in ("Add", "a__b", "a b", ""):
        with pytest.raises(ConfigError, match="no name"):
            file_name(words, found)
