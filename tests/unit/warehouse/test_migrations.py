"""The committed migrations against the contracts: what is made from them is up to date, and what they build is what they say."""

from __future__ import annotations

from dataclasses import replace

from commerce360.local.scratch import built
from warehouse import account, catalog, draft, drift, generated, scripts
from warehouse.catalog import TABLE


def test_repeatable_scripts_and_the_account_are_as_the_contracts_make_them():
    for name, text in generated.repeatables().items():
        assert (scripts.FOLDER / name).read_text() == text, "make docs"
    assert {s.name for s in scripts.read() if s.kind == "R"} == set(generated.repeatables()), "a script that is not made any more"
    assert account.FILE.read_text() == account.text(), "make docs"


def test_the_versioned_scripts_build_every_table_of_the_contract_to_the_column_and_comment():
    found = built(scripts.read())
    wanted = catalog.contract()
    tables = replace(wanted, relations={n: r for n, r in wanted.relations.items() if r.kind == TABLE})
    assert [str(d) for d in drift.structure(tables, found)] == []
    assert draft.statements(found, wanted) == []


def test_the_warehouse_is_then_what_the_contract_says(migrated):
    from warehouse.check import check

    assert [str(d) for d in check(migrated.warehouse)] == []
